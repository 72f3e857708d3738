//! Sign in with PostHog from a native program, and stay signed in.
//!
//! [`SignIn`] is the way in: [`SignIn::begin`] makes an [`Attempt`], whose start address the user opens;
//! [`SignIn::complete`] turns the browser's response into a [`Connection`]; [`SignIn::session`] hands
//! out valid tokens for it from then on, refreshing when due, across processes.
//! docs/reliability.md says what happens in 94 bad moments, docs/security.md what is promised against whom.
//! This is a whole program, `examples/who_am_i.rs`:
//!
//! ```no_run
#![doc = include_str!("../examples/who_am_i.rs")]
//! ```
//!
//! | module | what it knows |
//! |---|---|
//! | `host` | a PostHog instance, parsed from what a person typed |
//! | `scope`, `connection` | what was granted, to whom, and why a session ended |
//! | `metadata`, `registration` | what the Host offers; a client id for this device |
//! | `attempt`, `browser`, `callback`, `loopback` | one run of the flow, its browser, and the response |
//! | `peer` | whose program is at the other end of a connection |
//! | `token_endpoint`, `id_token`, `revocation` | the three exchanges with PostHog |
//! | `session` | hands out tokens; `session::refresh` is the refresh transaction |
//! | `record`, `vault`, `index`, `file` | what lies on disk: secrets, list, locks |
//! | `api_key` | personal API keys |

mod api_key;
mod attempt;
mod browser;
mod callback;
mod clock;
mod config;
mod connection;
mod device;
mod fail_point;
mod file;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod host;
mod http;
mod http_date;
mod id_token;
mod index;
mod loopback;
mod metadata;
mod peer;
mod record;
mod refreshes;
mod registration;
mod revocation;
mod scope;
mod secret;
mod session;
mod sign_in;
mod task;
mod token;
mod token_endpoint;
mod token_set;
mod vault;

pub use api_key::ApiKeyError;
pub use attempt::{ATTEMPT_SECONDS, Attempt};
pub use callback::{AuthorizationError, AuthorizationResponse, CallbackError};
pub use clock::{Clock, SystemClock};
pub use config::{Config, OpenError};
pub use connection::{
    Account, Connection, ConnectionId, ConnectionState, CredentialKind, EndReason, Grant, Reach,
    VaultBackend,
};
pub use device::default_device_folder;
pub use file::FileError;
pub use host::{Host, HostError, Region};
pub use http::NoAnswer;
pub use id_token::IdTokenError;
pub use index::IndexError;
pub use loopback::{Arrival, Look, LoopbackListener, Page};
pub use metadata::MetadataError;
pub use peer::Peer;
pub use record::{OtherHost, RecordError};
pub use registration::RegistrationError;
pub use revocation::Revocation;
pub use scope::Scopes;
pub use session::{Session, SessionError};
pub use sign_in::{BeginError, CompleteError, MoveError, SignIn};
pub use token::AccessToken;
pub use token_endpoint::TokenError;
pub use token_set::EARLY_SECONDS;
pub use vault::{KeychainError, VaultChoice, VaultError};
