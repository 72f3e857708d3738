//! What a personal API key reaches: `GET /api/personal_api_keys/@current/`, which needs no scope.

use serde::Deserialize;

use crate::bearer::Bearer;
use crate::client::Client;
use crate::error::Error;
use crate::optional::or_absent;
use crate::request::Call;

/// The projects and organizations that a key is limited to; both empty if it is not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct KeyReach {
    /// Projects, by number.
    #[serde(default, rename = "scoped_teams", deserialize_with = "or_absent")]
    pub projects: Vec<u64>,
    /// Organizations, by UUID.
    #[serde(
        default,
        rename = "scoped_organizations",
        deserialize_with = "or_absent"
    )]
    pub organizations: Vec<String>,
}

impl<B: Bearer> Client<B> {
    /// What the key of this client reaches now.
    ///
    /// Only for personal API keys. Older servers do not let a key ask about itself and answer 401, which says
    /// nothing about the key: the [`Bearer`] does not hear of it.
    pub async fn key_reach(&self) -> Result<KeyReach, Error> {
        let path = ["personal_api_keys", "@current"];
        self.get(Call::read("API key", &path).probing()).await
    }
}
