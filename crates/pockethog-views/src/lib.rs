//! How PocketHog looks: pure functions from plain data to HTML, SVG, PNG, text and JSON.
//!
//! Nothing here reads a clock, a file or the network.

#![warn(unreachable_pub)]

pub mod alerts;
pub mod charts;
pub mod colours;
pub mod digest;
pub mod format;
pub mod install;
pub mod json;
pub mod moved;
pub mod numerals;
pub mod pages;
pub mod plain;
pub mod report;
pub mod sentence;
pub mod widgets;
pub mod wording;
