//! What PostHog answers, rule by rule, over HTTP.

#![allow(clippy::unwrap_used)]

mod annotations;
mod api_keys;
mod authorize;
mod credentials;
mod event_definitions;
mod faults;
mod harness;
mod introspection;
mod metadata;
mod organizations;
mod pages;
mod projects;
mod query;
mod registration;
mod revocation;
mod token;
