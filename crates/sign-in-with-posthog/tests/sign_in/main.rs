//! Signing in, staying and leaving, against a small PostHog that misbehaves on demand; each test names
//! the scenario, and the rule where it is one of the numbered ones.

#![allow(
    clippy::unwrap_used,
    reason = "a test that meets something unexpected has failed"
)]
#![allow(
    clippy::semicolon_if_nothing_returned,
    reason = "tables of edits are read by their columns"
)]

mod api_keys;
mod begin;
mod flow;
mod harness;
mod id_tokens;
mod loopback;
mod month;
mod network;
mod other_user;
mod posthog;
mod secrets;
mod sign_out;
