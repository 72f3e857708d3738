//! What comes in at the one-shot listener (rules R1 to R3).
#![no_main]

use libfuzzer_sys::fuzz_target;
use sign_in_with_posthog::fuzzing;

fuzz_target!(|text: &str| fuzzing::request_head(text));
