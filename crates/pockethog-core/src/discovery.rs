//! Discovery: from a Grant to its projects, and to the failures met on the way.
//!
//! What can be asked depends on the Reach: a credential for single projects is refused every list, so
//! its projects are read one by one; one for organizations is refused other organizations. If a key turns
//! out to be limited in another way than was stored, it is asked what it reaches. A failure is recorded with
//! its reason and the rest goes on.

use std::collections::{HashMap, HashSet};

use futures::future::{join, join_all};
use posthog_api::error::Forbidden;
use posthog_api::{Bearer, BearerError, Client, Error, Organization};
use serde::{Deserialize, Serialize};
use sign_in_with_posthog::{Connection, CredentialKind, Reach};

use crate::project::{Project, ProjectKey};

/// What a Connection reaches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// The projects, by name.
    pub projects: Vec<Project>,
    /// What could not be read, and why.
    pub failures: Vec<Failure>,
}

/// Something that could not be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What: the projects of an organization, a project, or the whole Host.
    pub what: String,
    /// Why, in one sentence.
    pub reason: String,
    /// Whether a retry can succeed.
    pub transient: bool,
    /// Whether only signing in again helps.
    pub needs_sign_in: bool,
    /// What kind of trouble it is.
    #[serde(default)]
    pub cause: Cause,
}

/// What kind of trouble a failure is, for those that do not read sentences.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// PostHog is overloaded, or takes too long.
    Busy,
    /// The sign-in may not read it.
    Forbidden,
    /// The stored sign-in cannot be read on this device right now: the keychain is locked or out of reach.
    Locked,
    /// PostHog cannot be reached.
    Offline,
    /// Anything else.
    #[default]
    Other,
    /// The session has ended.
    SignedOut,
    /// PostHog asked to slow down.
    Throttled,
}

impl Cause {
    /// The kind of this error.
    pub fn of(error: &Error) -> Self {
        match error {
            Error::Unreachable(_) | Error::Bearer(BearerError::Offline { .. }) => Self::Offline,
            Error::Bearer(BearerError::Locked(_)) => Self::Locked,
            Error::Busy { .. }
            | Error::Server { .. }
            | Error::Bearer(BearerError::Unavailable { .. }) => Self::Busy,
            Error::Forbidden(_) => Self::Forbidden,
            Error::RateLimited { .. } | Error::ReadBudget { .. } | Error::BudgetSpent { .. } => {
                Self::Throttled
            }
            error if error.needs_sign_in() => Self::SignedOut,
            _ => Self::Other,
        }
    }
}

impl Failure {
    /// The failure of `what` for this error.
    pub fn new(what: impl Into<String>, error: &Error) -> Self {
        Self {
            what: what.into(),
            reason: error.to_string(),
            transient: error.is_transient(),
            needs_sign_in: error.needs_sign_in(),
            cause: Cause::of(error),
        }
    }
}

/// Finds every project that `connection` reaches.
pub async fn discover<B: Bearer>(client: &Client<B>, connection: &Connection) -> Discovery {
    let mut found = within(client, connection, &connection.grant.reach).await;
    // Old servers do not say what a key is limited to when it is added, and limits can be changed later.
    if found.is_refused_lists
        && connection.kind == CredentialKind::ApiKey
        && let Ok(reach) = client.key_reach().await
    {
        let reach = Reach::from_lists(reach.projects, reach.organizations);
        if reach != Reach::All && reach != connection.grant.reach {
            found = within(client, connection, &reach).await;
        }
    }
    found.into_discovery(connection)
}

async fn within<B: Bearer>(client: &Client<B>, connection: &Connection, reach: &Reach) -> Found {
    let mut found = Found::default();
    match reach {
        Reach::All => everything(client, connection, &mut found).await,
        Reach::Organizations(ids) => organizations(client, ids, &mut found).await,
        Reach::Projects(ids) => single_projects(client, ids, &mut found).await,
    }
    found
}

/// All organizations, then their projects.
async fn everything<B: Bearer>(client: &Client<B>, connection: &Connection, found: &mut Found) {
    let listed = client.organizations_so_far().await;
    let error = if let (Some(Error::Forbidden(_)), []) = (&listed.error, listed.items.as_slice()) {
        // Without `organization:read` the names of organizations are lost, the projects are not.
        let listed = client.projects_so_far().await;
        found.projects.extend(listed.items);
        listed.error
    } else {
        found.name(&listed.items);
        let ids: Vec<String> = listed.items.into_iter().map(|known| known.id).collect();
        projects_of(client, &ids, found).await;
        listed.error
    };
    if let Some(error) = error {
        found.note_refusal(&error);
        let failure = Failure::new(connection.host.name(), &error);
        found.failures.push(failure);
    }
}

/// These organizations only; their names come along where they may be known.
async fn organizations<B: Bearer>(client: &Client<B>, ids: &[String], found: &mut Found) {
    // A grant without `organization:read` does not tell names; the projects come nevertheless.
    let listing = client.organizations_so_far();
    let (listed, ()) = join(listing, projects_of(client, ids, found)).await;
    found.name(&listed.items);
    if listed.error.is_some() {
        return;
    }
    // PostHog answers an empty list for an organization that the person does not belong to.
    for id in ids {
        let is_there = found.names.contains_key(id)
            || found
                .projects
                .iter()
                .any(|project| project.organization.as_ref() == Some(id))
            || found
                .organization_failures
                .iter()
                .any(|(known, _)| known == id);
        if !is_there {
            found.failures.push(Failure {
                what: format!("Projects of organization {id}"),
                reason:
                    "the account is no longer a member of this organization, or the organization was deleted"
                        .to_owned(),
                transient: false,
                needs_sign_in: false,
                cause: Cause::Forbidden,
            });
        }
    }
}

async fn projects_of<B: Bearer>(client: &Client<B>, organizations: &[String], found: &mut Found) {
    let lists = join_all(organizations.iter().map(|id| client.projects_of_so_far(id))).await;
    for (id, list) in organizations.iter().zip(lists) {
        let projects = list.items.into_iter().map(|mut project| {
            project.organization.get_or_insert_with(|| id.clone());
            project
        });
        found.projects.extend(projects);
        if let Some(error) = list.error {
            found.note_refusal(&error);
            found.organization_failures.push((id.clone(), error));
        }
    }
}

async fn single_projects<B: Bearer>(client: &Client<B>, ids: &[u64], found: &mut Found) {
    let answers = join_all(ids.iter().map(|&id| client.project(id))).await;
    // The path without an organization is closed to a credential for others than the one that its person last
    // opened; the lists of those name the projects.
    let is_closed = |answer: &Result<_, Error>| {
        matches!(answer, Err(Error::Forbidden(Forbidden::OutOfReach(_))))
    };
    let mut listed = Found::default();
    if answers.iter().any(is_closed) {
        let organizations = client.organizations_so_far().await.items;
        let all: Vec<String> = organizations.into_iter().map(|known| known.id).collect();
        projects_of(client, &all, &mut listed).await;
    }
    for (id, answer) in ids.iter().zip(answers) {
        let known = listed.projects.iter().find(|known| known.id == *id);
        match (answer, known) {
            (Err(_), Some(known)) => found.projects.push(known.clone()),
            (answer, _) => found.one(*id, answer),
        }
    }
}

#[derive(Default)]
struct Found {
    projects: Vec<posthog_api::Project>,
    names: HashMap<String, String>,
    organization_failures: Vec<(String, Error)>,
    failures: Vec<Failure>,
    /// A list was refused because of what the credential is limited to.
    is_refused_lists: bool,
}

impl Found {
    fn one(&mut self, id: u64, answer: Result<posthog_api::Project, Error>) {
        match answer {
            Ok(project) => self.projects.push(project),
            Err(error) => self
                .failures
                .push(Failure::new(format!("Project {id}"), &error)),
        }
    }

    fn note_refusal(&mut self, error: &Error) {
        self.is_refused_lists |= matches!(
            error,
            Error::Forbidden(Forbidden::ProjectsOnly | Forbidden::OutOfReach(_))
        );
    }

    fn name(&mut self, organizations: &[Organization]) {
        let names = organizations
            .iter()
            .map(|known| (known.id.clone(), known.name.clone()));
        self.names.extend(names);
    }

    fn into_discovery(mut self, connection: &Connection) -> Discovery {
        for (id, error) in &self.organization_failures {
            let name = self
                .names
                .get(id)
                .cloned()
                .unwrap_or_else(|| format!("organization {id}"));
            self.failures
                .push(Failure::new(format!("Projects of {name}"), error));
        }
        let name = connection.host.name();
        let failures = one_for_all(self.failures, self.projects.is_empty(), &name);
        let mut seen = HashSet::new();
        let mut projects: Vec<Project> = self
            .projects
            .into_iter()
            .filter(|project| seen.insert(project.id))
            .map(|project| Project {
                key: ProjectKey {
                    host: connection.host.key().to_owned(),
                    id: project.id,
                },
                organization_name: project
                    .organization
                    .as_ref()
                    .and_then(|id| self.names.get(id).cloned()),
                website: project
                    .app_urls
                    .iter()
                    .flatten()
                    .flatten()
                    .find_map(|url| website(url)),
                name: project.name,
                organization: project.organization,
                time_zone: project.timezone.unwrap_or_else(|| "UTC".to_owned()),
                has_events: project.ingested_event,
                connection: connection.id.clone(),
            })
            .collect();
        projects.sort_by(|a, b| {
            (a.name.to_lowercase(), a.key.id).cmp(&(b.name.to_lowercase(), b.key.id))
        });
        Discovery { projects, failures }
    }
}

/// If nothing at all could be read, for one and the same cause, that is a matter of the host: one line, and
/// not one for each organization or project.
fn one_for_all(mut failures: Vec<Failure>, is_nothing: bool, host: &str) -> Vec<Failure> {
    let mut causes = failures.iter().map(|failure| failure.cause);
    let first = causes.next();
    let same = matches!(
        first,
        Some(Cause::Locked | Cause::Offline | Cause::SignedOut)
    ) && causes.all(|cause| Some(cause) == first);
    if is_nothing && same {
        failures.truncate(1);
        for failure in &mut failures {
            host.clone_into(&mut failure.what);
        }
    }
    failures
}

fn website(address: &str) -> Option<String> {
    let url = url::Url::parse(address.trim()).ok()?;
    url.host_str()
        .map(|host| host.trim_start_matches("www.").to_owned())
}
