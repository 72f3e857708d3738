//! Organizations: `GET /api/organizations/` (`organization:read`).
//!
//! The `teams` and `projects` inside an organization are filtered by what the user last opened in the
//! web app, so they are not read here; [`crate::projects`] has the authoritative list.

use serde::Deserialize;

use crate::bearer::Bearer;
use crate::client::Client;
use crate::error::Error;
use crate::lists::Listed;
use crate::request::Call;

/// Organizations per page. Each comes with all its projects and features, tens or hundreds of kilobytes.
const PAGE: usize = 50;

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
        self.organizations_so_far().await.whole()
    }

    /// As [`Client::organizations`]; if a page fails, the pages before it are kept.
    pub async fn organizations_so_far(&self) -> Listed<Organization> {
        let call = Call::read("organizations", &["organizations"]);
        self.list_so_far(call.in_pages_of(PAGE)).await
    }

    /// One organization.
    pub async fn organization(&self, id: &str) -> Result<Organization, Error> {
        self.get(Call::read("organization", &["organizations", id]))
            .await
    }
}
