//! An answer of the token endpoint (rule T3).
#![no_main]

use libfuzzer_sys::fuzz_target;
use sign_in_with_posthog::fuzzing;

fuzz_target!(|bytes: &[u8]| fuzzing::token_answer(bytes));
