//! Organizations: `GET /api/organizations/` (`organization:read`).
//!
//! The `teams` and `projects` inside an organization are filtered by what the user last opened in the
//! web app, so they are not read here; [`crate::projects`] has the authoritative list.

use serde::Deserialize;

use crate::bearer::Bearer;
use crate::client::{Call, Client};
use crate::error::Error;

/// An organization that the credential reaches.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Organization {
    /// Its UUID.
    pub id: String,
    /// Its name, as people typed it.
    pub name: String,
}

impl<B: Bearer> Client<B> {
    /// Every organization that the credential reaches. A credential for single projects gets 403.
    pub async fn organizations(&self) -> Result<Vec<Organization>, Error> {
        self.list(Call::read("organizations", &["organizations"]))
            .await
    }

    /// One organization.
    pub async fn organization(&self, id: &str) -> Result<Organization, Error> {
        self.get(Call::read("organization", &["organizations", id]))
            .await
    }
}
