//! A project is identified by Host and number, since numbers are only unique within a Host.

use std::fmt;

use serde::{Deserialize, Serialize};

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
