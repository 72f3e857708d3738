//! End to end, as a user would do it: the real program, an embedded PostHog with its own pages, and a real browser
//! between them.

#![allow(clippy::unwrap_used)]

mod harness;
mod independent;

mod access;
mod announcements;
mod cards;
mod charts;
mod connections;
mod guards;
mod home;
mod keys;
mod posthog_pages;
mod preferences;
mod project;
mod script;
mod sign_in;
mod typeface;
mod without_scripts;
