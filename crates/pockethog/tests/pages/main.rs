//! The pages behind the home page over HTTP, against the embedded PostHog: a project, its notes and
//! conversions, settings, connections, and the way over from an API key.

#[path = "../server/desk.rs"]
mod desk;

mod banner;
mod connections;
mod conversions;
mod notes;
mod place;
mod preferences;
mod project;
