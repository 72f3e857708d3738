//! The app's page server over HTTP, against the embedded PostHog.

mod discovering;
mod guards;
mod harness;
mod home;
mod launching;
mod limits;
mod signing_in;
mod signing_out;
