//! What the tests of several crates share.
//!
//! | module | what it offers |
//! |---|---|
//! | [`scripted_server`] | an HTTP server that answers as a test says, and misbehaves below HTTP on demand |
//! | [`http`] | HTTP clients that follow no redirect and use no proxy |
//! | [`tls`] | TLS in front of a plain server, with a certificate made for the occasion |
//! | [`browser`] | headless Chromium, with checks of accessibility and layout |
//!
//! It knows none of the other crates of this workspace, so that each of them can use it in its tests. What starts
//! the embedded PostHog is in the test folder that needs it.

#![allow(
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    reason = "a test that meets something unexpected has failed"
)]

pub mod browser;
pub mod http;
pub mod scripted_server;
pub mod tls;

pub use http::unused_address;
pub use scripted_server::{Gate, Reply, Request, Response, ScriptedServer};
