//! Projects: of an organization, or one by its number (`project:read`).
//!
//! `api_token` and `live_events_token` of a project are credentials of sorts; they are not even read.

use serde::Deserialize;

use crate::bearer::Bearer;
use crate::client::Client;
use crate::error::Error;
use crate::lists::Listed;
use crate::optional::or_absent;
use crate::request::Call;

/// A project, as far as PocketHog looks at it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Project {
    /// Its number, unique at its Host only.
    pub id: u64,
    /// Its name, as people typed it.
    pub name: String,
    /// UUID of the organization it belongs to.
    #[serde(default, deserialize_with = "or_absent")]
    pub organization: Option<String>,
    /// IANA name of its time zone; PostHog's default is `UTC`.
    #[serde(default, deserialize_with = "or_absent")]
    pub timezone: Option<String>,
    /// False if no event ever arrived.
    #[serde(default, deserialize_with = "or_absent")]
    pub ingested_event: Option<bool>,
    /// First day of its week: 0 Sunday, 1 Monday. Only a single project tells.
    #[serde(default, deserialize_with = "or_absent")]
    pub week_start_day: Option<u8>,
    /// Addresses of the website or app, where someone entered them. Only a single project tells.
    #[serde(default, deserialize_with = "or_absent")]
    pub app_urls: Option<Vec<Option<String>>>,
}

impl<B: Bearer> Client<B> {
    /// Every project of an organization, all pages. None for a person who is no member of it (any more).
    pub async fn projects_of(&self, organization: &str) -> Result<Vec<Project>, Error> {
        self.projects_of_so_far(organization).await.whole()
    }

    /// As [`Client::projects_of`]; if a page fails, the pages before it are kept.
    pub async fn projects_of_so_far(&self, organization: &str) -> Listed<Project> {
        let path = ["organizations", organization, "projects"];
        self.list_so_far(Call::read("projects of organization", &path))
            .await
    }

    /// Every project the credential reaches, over all organizations, all pages.
    ///
    /// Some versions list the current organization alone, and a credential for other organizations is refused;
    /// it is the second choice after [`Client::projects_of`].
    pub async fn projects(&self) -> Result<Vec<Project>, Error> {
        self.projects_so_far().await.whole()
    }

    /// As [`Client::projects`]; if a page fails, the pages before it are kept.
    pub async fn projects_so_far(&self) -> Listed<Project> {
        self.list_so_far(Call::read("projects", &["projects"]))
            .await
    }

    /// One project by its number: by the path of its organization, if an earlier answer or query has named that.
    ///
    /// The path without one is refused to a credential for other organizations than the one that its person
    /// last opened in the web app.
    pub async fn project(&self, id: u64) -> Result<Project, Error> {
        let read = match self.organization_of(id) {
            Some(organization) => self.project_of(&organization, id).await?,
            None => self.project_by_number(id).await?,
        };
        if let Some(organization) = &read.organization {
            self.hear_of(id, organization);
        }
        Ok(read)
    }

    /// One project by the path of its organization, or if that path is closed, by its number alone.
    pub async fn project_of(&self, organization: &str, id: u64) -> Result<Project, Error> {
        let path = ["organizations", organization, "projects", &id.to_string()];
        match self.get(Call::read("project of organization", &path)).await {
            Err(Error::NotFound(_) | Error::Forbidden(_)) => self.project_by_number(id).await,
            answered => answered,
        }
    }

    async fn project_by_number(&self, id: u64) -> Result<Project, Error> {
        self.get(Call::read("project", &["projects", &id.to_string()]))
            .await
    }
}
