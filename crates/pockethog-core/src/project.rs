//! A project, identified by Host and number, since numbers are only unique within a Host.

use std::fmt;

use serde::{Deserialize, Serialize};
use sign_in_with_posthog::ConnectionId;

/// Names a project everywhere: in preferences, Snapshots, addresses and JSON.
///
/// Numbers are given out per Host, so project 12 of US Cloud and project 12 of EU Cloud are strangers.
/// No credential is part of the key: changing how one signs in loses nothing.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProjectKey {
    /// Key of the Host: `us`, `eu`, or the address of a self-hosted PostHog.
    pub host: String,
    /// The number at that Host.
    pub id: u64,
}

impl fmt::Display for ProjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.host, self.id)
    }
}

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
