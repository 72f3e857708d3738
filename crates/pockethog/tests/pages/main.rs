//! The pages behind the home page over HTTP, against the embedded PostHog: a project, its annotations and
//! conversions, settings, connections, and the way over from an API key.

#[allow(dead_code, reason = "the page server's own tests use the rest")]
#[path = "../server/harness.rs"]
mod harness;

mod alerts;
mod annotations;
mod banner;
mod connections;
mod conversions;
mod place;
mod preferences;
mod project;
