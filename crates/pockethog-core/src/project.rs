//! A project, as Discovery found it.

use serde::{Deserialize, Serialize};
use sign_in_with_posthog::ConnectionId;

pub use pockethog_numbers::ProjectKey;

/// A project that a Connection reaches, as Discovery found it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Project {
    /// Where it is.
    pub key: ProjectKey,
    /// Its name at PostHog.
    pub name: String,
    /// UUID of its organization, if the credential may know it.
    pub organization: Option<String>,
    /// Name of its organization, if the credential may know it.
    pub organization_name: Option<String>,
    /// IANA name of its time zone.
    pub time_zone: String,
    /// False if no event ever arrived; absent if PostHog does not tell.
    pub has_events: Option<bool>,
    /// First website address that somebody entered, reduced to its host name.
    pub website: Option<String>,
    /// The Connection that reads it.
    pub connection: ConnectionId,
}
