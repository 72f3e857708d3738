//! A typed client for the part of PostHog's REST and query API that PocketHog needs.
//!
//! | module | what it knows |
//! |---|---|
//! | [`bearer`] | where tokens come from: a trait, so that this crate never stores or refreshes one |
//! | [`client`] | one request: token, 401 retry, pauses, paging, bounds on bytes, items and time |
//! | [`one_connection`] | that many requests at once to an HTTP/2 server share one connection |
//! | [`rate_limiter`] | how many requests may run at once and per hour, when PostHog asked to wait, and what a key may still read |
//! | [`error`] | every way in which PostHog or the network says no |
//! | [`organizations`], [`projects`], [`api_keys`] | what a credential reaches |
//! | [`query`] | `HogQL` in, rows out, with the asynchronous detour when PostHog asks for it |
//! | [`event_definitions`], [`annotations`] | what they say |
//!
//! The facts about PostHog that this crate relies on are listed in docs/limits.md and docs/metrics.md of the project.

pub mod annotations;
mod response;
pub mod api_keys;
pub mod bearer;
pub mod client;
pub mod error;
pub mod event_definitions;
pub mod one_connection;
mod optional;
pub mod organizations;
pub mod rate_limiter;
pub mod projects;
pub mod query;

pub use annotations::{Annotation, AnnotationChange, AnnotationScope, NewAnnotation};
pub use api_keys::KeyReach;
pub use bearer::{Bearer, BearerError, Token};
pub use client::{Client, Listed, Patience};
pub use error::Error;
pub use event_definitions::{EventDefinition, EventDefinitionPage, EventDefinitionSearch};
pub use one_connection::OneConnection;
pub use organizations::Organization;
pub use rate_limiter::{Limits, Pace};
pub use projects::Project;
pub use query::{HogQl, QueryCheck, Rows};
