//! A record as it is in the Vault.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sign_in_with_posthog::fuzzing;

fuzz_target!(|bytes: &[u8]| fuzzing::record(bytes));
