//! Every PostHog project you have, at a glance.

pub mod conversions;
pub mod overview;
