//! Every PostHog project you have, at a glance.

pub mod browser;
pub mod cli;
pub mod doctor;
pub mod install;
pub mod widget;
