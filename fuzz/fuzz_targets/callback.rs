//! The response of the browser, by query and as pasted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sign_in_with_posthog::AuthorizationResponse;

fuzz_target!(|text: &str| {
    if AuthorizationResponse::parse_query(text).is_ok() {
        // Rule R3: what was accepted once is refused with any of its parameters doubled.
        for name in ["code", "error"] {
            let doubled = format!("{text}&{name}=x&{name}=y");
            assert!(AuthorizationResponse::parse_query(&doubled).is_err());
        }
    }
    drop(AuthorizationResponse::parse_pasted(text));
});
