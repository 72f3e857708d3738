//! An `id_token` beside a refresh (rule T8).
#![no_main]

use libfuzzer_sys::fuzz_target;
use sign_in_with_posthog::fuzzing;

fuzz_target!(|text: &str| fuzzing::id_token(text));
