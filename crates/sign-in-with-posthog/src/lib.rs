//! Sign in with PostHog from a native program, and stay signed in.
//!
//! [`SignIn`] is the way in. [`SignIn::begin`] makes an [`Attempt`], whose start address the user opens in a browser.
//! [`SignIn::complete`] turns the browser's response into a [`Connection`]. From then on [`SignIn::session`] hands out
//! valid access tokens for it, refreshing when due, coordinated with all other processes that use the same folder.
//!
//! # Example
//!
//! A whole program. It needs this crate and tokio, nothing else:
//!
//! ```no_run
#![doc = include_str!("../examples/who_am_i.rs")]
//! ```
//!
//! # What it offers
//!
//! | subject | types |
//! |---|---|
//! | a PostHog instance | [`Host`], [`Region`] |
//! | a program and its accounts | [`Config`], [`SignIn`], [`Connection`], [`Account`], [`Grant`], [`EndReason`] |
//! | one run of the OAuth flow | [`Attempt`], [`AuthorizationResponse`] |
//! | a listener for the browser's response | [`LoopbackListener`], [`Arrival`], [`Page`], [`Look`], [`Peer`] |
//! | access tokens | [`Session`], [`AccessToken`] |
//! | where secrets are stored | [`VaultChoice`], [`VaultBackend`] |
//!
//! # Where things are stored
//!
//! [`Config::folder`] holds the list of Connections, without secrets, and lock files. Tokens and API keys are in
//! the operating system's keychain or, without one, in encrypted files in that folder. Their key is in another
//! folder, bound to the device: a copy of the folder opens nothing on another device.
//!
//! # When a session ends
//!
//! A session ends if PostHog says `invalid_grant` for the refresh token in use, if a refresh returns fewer scopes
//! than were granted, if PostHog refuses an API key, if the stored record is lost or outdated, and by
//! [`SignIn::sign_out`]. It does not end because of a network failure, an overloaded server, a captive portal, a
//! lost response, a full disk or a crash. [`SessionError::is_transient`] tells the two apart.
//!
//! # HTTP and TLS
//!
//! Without [`Config::http`] the crate builds a client with reqwest and rustls. If the process has no default
//! [`CryptoProvider`](https://docs.rs/rustls/latest/rustls/crypto/struct.CryptoProvider.html) for rustls, ring is
//! installed as the default; install another one before to replace it. A program that shares its client with this
//! crate builds it from the [`reqwest`] that is exported here, and lets it follow no redirects.
//!
//! # Errors
//!
//! The message of each error is a whole sentence for people that says what happened and what to do. The cause is
//! kept as a type: as a field, or as the [source](std::error::Error::source). No error holds a token, a code or an
//! API key.

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

pub use reqwest;
pub use url::Url;

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
pub use http::{NoAnswer, RequestError};
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
pub use sign_in::{BeginError, CompleteError, EraseError, MoveError, SignIn};
pub use token::AccessToken;
pub use token_endpoint::TokenError;
pub use token_set::EARLY_SECONDS;
pub use vault::{KeychainError, VaultChoice, VaultError};

/// The example of the README is compiled with those of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
