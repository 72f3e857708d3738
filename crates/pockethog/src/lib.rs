//! Every PostHog project you have, at a glance.

pub mod autostart;
pub mod cli;
pub mod doctor;
pub mod install;
pub mod invocation;
pub mod system_program;
pub mod uninstall;
pub mod widget;
