//! One entry of the list of Connections as it is stored on disk.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sign_in_with_posthog::Connection;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(connection) = serde_json::from_slice::<Connection>(bytes) {
        let written = serde_json::to_vec(&connection).expect("a connection serializes");
        let again: Connection = serde_json::from_slice(&written).expect("and comes back");
        assert_eq!(again, connection);
    }
});
