//! The client against a PostHog that a test scripts, below HTTP where it matters; each test names the
//! scenario.

#![allow(
    clippy::unwrap_used,
    reason = "a test that meets something unexpected has failed"
)]

mod annotations;
mod connections;
mod harness;
mod lists;
mod queries;
mod rate_limits;
mod refusals;
mod tokens;
