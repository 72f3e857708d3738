//! Every PostHog project you have, at a glance.

pub mod access;
pub mod accounts;
pub mod browser;
pub mod charts;
pub mod cli;
pub mod colours;
pub mod conversions;
pub mod discovery;
pub mod doctor;
pub mod folders;
pub mod format;
pub mod http;
pub mod key_swap;
pub mod notes;
pub mod numerals;
pub mod overview;
pub mod pages;
pub mod plain;
pub mod preferences;
pub mod program;
pub mod project;
pub mod refresh;
pub mod report;
pub mod server;
pub mod snapshot;
pub mod widget;
