//! Every PostHog project you have, at a glance.

pub mod accounts;
pub mod conversions;
pub mod discovery;
pub mod folders;
pub mod http;
pub mod overview;
pub mod preferences;
pub mod project;
pub mod snapshot;
