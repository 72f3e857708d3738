//! PocketHog's domain, without a user interface: from sign-ins to projects and their numbers, stored in Snapshots and
//! refreshed while they are viewed.
//!
//! A page, a terminal, a widget or a phone draws what it finds here. This crate knows no HTTP server, no HTML and no
//! command line.

#![warn(unreachable_pub)]

pub mod access;
pub mod accounts;
pub mod annotations;
pub mod app_context;
pub mod conversions;
pub mod demo_home;
pub mod discovery;
pub mod home_version;
pub mod key_swap;
pub mod live;
pub mod preferences;
pub mod project;
pub mod snapshot;
pub mod widget;

pub use pockethog_numbers::{age, causes, digest, history, moves, overview};
