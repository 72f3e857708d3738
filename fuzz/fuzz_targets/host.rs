//! An address as a person types it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sign_in_with_posthog::Host;

fuzz_target!(|text: &str| {
    if let Ok(host) = Host::self_hosted(text) {
        assert_eq!(host.base_url().path(), "/");
        assert!(host.base_url().username().is_empty() && host.base_url().password().is_none());
        let again = Host::self_hosted(host.base_url().as_str());
        assert_eq!(again.ok(), Some(host));
    }
});
