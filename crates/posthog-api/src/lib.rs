//! A typed client for the part of PostHog's REST and query API that a dashboard needs: organizations, projects, HogQL
//! queries, event definitions and annotations.
//!
//! The client does not sign in. It asks a [`Bearer`] for a token before each request, and asks for another one once if
//! PostHog answers 401. It stays below PostHog's limits ([`RateLimiter`]), waits out short pauses, reads lists to their
//! end, and bounds every response in size and time ([`Patience`]).
//!
//! # Example
//!
//! ```no_run
//! use posthog_api::{Bearer, BearerError, Client, HogQl, Limits, RateLimiter, Token};
//!
//! /// A personal API key, used as the token.
//! #[derive(Clone)]
//! struct ApiKey(String);
//!
//! impl Token for ApiKey {
//!     fn expose(&self) -> &str {
//!         &self.0
//!     }
//! }
//!
//! impl Bearer for ApiKey {
//!     type Token = Self;
//!
//!     async fn token(&self) -> Result<Self, BearerError> {
//!         Ok(self.clone())
//!     }
//!
//!     async fn replacement(&self, _refused: &Self) -> Result<Self, BearerError> {
//!         Err(BearerError::signed_out("PostHog refused this key. Create a new one."))
//!     }
//! }
//!
//! async fn print_projects(key: String) -> Result<(), Box<dyn std::error::Error>> {
//!     // The client needs an HTTP client that follows no redirect: it would carry the key to another address.
//!     let http = reqwest::Client::builder()
//!         .redirect(reqwest::redirect::Policy::none())
//!         .build()?;
//!     let limiter = RateLimiter::new(Limits::API_KEY);
//!     let client = Client::new(http, "https://us.posthog.com".parse()?, ApiKey(key), limiter);
//!
//!     for project in client.projects().await? {
//!         let query = HogQl::new("pageviews", "SELECT count() FROM events WHERE event = {event}")
//!             .set("event", "$pageview");
//!         let rows = client.query(project.id, None, &query).await?;
//!         println!("{}: {:?}", project.name, rows.rows);
//!     }
//!     Ok(())
//! }
//! ```
//!
//! # Errors
//!
//! Every method returns [`Error`]. [`Error::is_transient`] says whether a retry can succeed, [`Error::needs_sign_in`]
//! whether the user has to sign in again, and [`Error::retry_after`] how long to wait at least.
//!
//! # Modules
//!
//! | module | what it does |
//! |---|---|
//! | [`bearer`] | where tokens come from: a trait, so that this crate never stores or refreshes one |
//! | [`client`] | sends requests: token, 401 retry, pauses, and bounds on bytes and time |
//! | [`one_connection`] | many requests at once to an HTTP/2 server share one connection |
//! | [`rate_limiter`] | how many requests run at once and per hour, and when PostHog asked to wait |
//! | [`error`] | every way in which a request fails |
//! | [`organizations`], [`projects`], [`api_keys`] | what a credential can reach |
//! | [`query`] | HogQL in, rows out, with asynchronous polling if PostHog asks for it |
//! | [`event_definitions`], [`annotations`] | the events and the annotations of a project |

pub mod annotations;
pub mod api_keys;
pub mod bearer;
pub mod client;
pub mod error;
pub mod event_definitions;
mod lists;
pub mod one_connection;
mod optional;
pub mod organizations;
pub mod projects;
pub mod query;
pub mod rate_limiter;
mod request;
mod response;
mod retry_after;

pub use annotations::{Annotation, AnnotationChange, AnnotationScope, NewAnnotation};
pub use api_keys::KeyReach;
pub use bearer::{Bearer, BearerCause, BearerError, Token};
pub use client::{Client, Patience};
pub use error::Error;
pub use event_definitions::{EventDefinition, EventDefinitionPage, EventDefinitionSearch};
pub use lists::Listed;
pub use one_connection::OneConnection;
pub use organizations::Organization;

pub use projects::Project;
pub use query::{HogQl, NewerField, QueryCheck, Rows};
pub use rate_limiter::{Limits, RateLimiter};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
