//! The app's page server over HTTP, against the embedded PostHog.

mod harness;
mod discovering;
mod guards;
mod home;
mod launching;
mod limits;
mod signing_in;
mod signing_out;
