//! Resolves which project or Connection the user means, and explains a refusal.

use posthog_api::Error;
use posthog_api::error::Forbidden;
use serde_json::json;
use sign_in_with_posthog::{Connection, CredentialKind};

use super::console::{CliError, Console, Progress, Text};
use super::projects::signed_in;
use pockethog_core::accounts::ApiClient;
use pockethog_core::app_context::AppContext;
use pockethog_core::live::refresh::{self, Lists};
use pockethog_core::preferences::Preferences;
use pockethog_core::project::{Project, ProjectKey};
use pockethog_core::snapshot::Snapshots;
use pockethog_views::wording;

/// The project that a command is about, with the means to ask PostHog about it.
#[derive(Debug)]
pub struct Target {
    /// The project.
    pub project: Project,
    /// What the person calls it.
    pub name: String,
    /// The Connection that reaches it.
    pub connection: Connection,
    /// Asks PostHog as that Connection.
    pub client: ApiClient,
}

impl Target {
    /// Looks up the project that `typed` names.
    ///
    /// # Errors
    ///
    /// Nobody signed in; no such project, or several, which are then named.
    pub async fn find(
        program: &AppContext,
        console: &Console,
        typed: &str,
    ) -> Result<Self, CliError> {
        let connections = signed_in(program)?;
        let mut snapshots = program.snapshots()?;
        let (preferences, problem) = program.preferences();
        let typed = [typed.to_owned()];
        let found = projects(
            program,
            console,
            &mut snapshots,
            &connections,
            &preferences,
            &typed,
        )
        .await;
        console.remark_on(&snapshots, problem.as_ref());
        let mut found = found?;
        let gone = || CliError::sign_in_needed("the project's sign-in is gone; sign in again");
        let project = found.pop().ok_or_else(gone)?;
        let connection = connections
            .into_iter()
            .find(|known| known.id == project.connection)
            .ok_or_else(gone)?;
        if let Some(reason) = connection.ended_by_itself() {
            return Err(CliError::sign_in_needed(format!(
                "{} To sign in again, run `{}`.",
                reason.sentence(),
                wording::login_command(&connection)
            )));
        }
        Ok(Self {
            name: preferences.name_of(&project).to_owned(),
            client: program.client(&connection),
            project,
            connection,
        })
    }

    /// What to tell a person whom PostHog, or the network, refused something about this project.
    pub fn refused(&self, error: &Error) -> CliError {
        let again = self.connection.host.key();
        if error.needs_sign_in() {
            return CliError::sign_in_needed(format!(
                "{error}; to sign in again, run `pockethog login {again}`"
            ));
        }
        match error {
            Error::Forbidden(Forbidden::MissingScope(scope)) => {
                CliError::failed(match self.connection.kind {
                    CredentialKind::OAuth => {
                        format!("{error}; to grant it, run `pockethog login {again}`")
                    }
                    CredentialKind::ApiKey => format!(
                        "the API key lacks the scope {scope}; edit it in {} under Settings, \
                         Personal API keys",
                        self.connection.host.name()
                    ),
                })
            }
            _ => CliError::failed(error),
        }
    }
}

/// The projects that `typed` names, in this order. A name that is not known yet is looked for in a
/// list that is read again.
///
/// # Errors
///
/// No such project, or several, which are then named.
pub async fn projects(
    program: &AppContext,
    console: &Console,
    snapshots: &mut Snapshots,
    connections: &[Connection],
    preferences: &Preferences,
    typed: &[String],
) -> Result<Vec<Project>, CliError> {
    let reachable = |snapshots: &Snapshots| -> Result<Vec<Project>, CliError> {
        let mut known = snapshots.projects()?;
        known.retain(|project| connections.iter().any(|at| at.id == project.connection));
        Ok(known)
    };
    let find_all = |known: &[Project]| -> Result<Vec<Project>, NotFound> {
        let found = typed
            .iter()
            .map(|typed| project(typed, known, preferences).cloned());
        found.collect()
    };
    match find_all(&reachable(snapshots)?) {
        Err(NotFound::Unknown(_)) => {}
        Err(several @ NotFound::Several { .. }) => return Err(several.listed()),
        Ok(found) => return Ok(found),
    }
    let progress = Progress::new("Reading the list of projects …");
    let mut lists = Lists::default();
    let reading = refresh::discoveries(program, snapshots, connections, &mut lists);
    match console.watch_in_time(&progress, reading).await {
        Ok(read) => read?,
        Err(time) => lists.failures = vec![time.failure("The list of projects")],
    }
    let failures = lists.failures;
    find_all(&reachable(snapshots)?).map_err(|error| {
        // Without the list nobody knows whether there is such a project.
        match failures.iter().find(|failure| failure.transient) {
            Some(failure) => CliError::failed(format!("{}: {}", failure.what, failure.reason)),
            None if program
                .active_connections()
                .is_ok_and(|left| left.is_empty()) =>
            {
                super::projects::nobody(program)
            }
            None => error.listed(),
        }
    })
}

/// Why a name names no project.
#[derive(Debug, thiserror::Error)]
pub enum NotFound {
    /// There is none.
    #[error("there is no project “{0}”; to list your projects, run `pockethog projects`")]
    Unknown(String),
    /// There are several; the first ten are named.
    #[error("“{typed}” matches several projects: {}{}", choices.join(", "), and_more(*more))]
    Several {
        /// What was typed.
        typed: String,
        /// Keys and names.
        choices: Vec<String>,
        /// How many others there are.
        more: usize,
    },
}

impl NotFound {
    /// The same for the command line, which has room for a line per project.
    fn listed(self) -> CliError {
        let Self::Several {
            typed,
            choices,
            more,
        } = self
        else {
            return CliError::usage(self);
        };
        let listed = choices.iter().map(|choice| format!("  {choice}"));
        let rest = (more > 0).then(|| format!("  and {more} more"));
        let lines: Text = listed.chain(rest).collect();
        CliError::usage(format!(
            "“{typed}” matches several projects; name one by its key:"
        ))
        .with_details(lines, json!({ "choices": choices, "more_choices": more }))
    }
}

fn and_more(more: usize) -> String {
    match more {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

/// What is written like the key of a project: `us/12`.
pub fn key(typed: &str) -> Option<ProjectKey> {
    let (host, id) = typed.rsplit_once('/')?;
    let id = id.parse().ok()?;
    let host = host.to_owned();
    (!host.is_empty()).then_some(ProjectKey { host, id })
}

/// The project that `typed` names: `us/12`, a number, a name, or part of one.
///
/// # Errors
///
/// No such project, or several, which are then named.
pub fn project<'a>(
    typed: &str,
    projects: &'a [Project],
    preferences: &Preferences,
) -> Result<&'a Project, NotFound> {
    let wanted = typed.trim().to_lowercase();
    if wanted.is_empty() {
        return Err(NotFound::Unknown(typed.to_owned()));
    }
    let named = |test: &dyn Fn(&str) -> bool| -> Vec<&'a Project> {
        projects
            .iter()
            .filter(|project| {
                let own = preferences.name_of(project).to_lowercase();
                test(&own) || test(&project.name.to_lowercase())
            })
            .collect()
    };
    let stages = [
        projects
            .iter()
            .filter(|project| project.key.to_string() == wanted)
            .collect(),
        projects
            .iter()
            .filter(|project| project.key.id.to_string() == wanted)
            .collect(),
        named(&|name| name == wanted),
        named(&|name| name.contains(&wanted)),
    ];
    let Some(matches) = stages
        .into_iter()
        .find(|matches: &Vec<&Project>| !matches.is_empty())
    else {
        return Err(NotFound::Unknown(typed.to_owned()));
    };
    match matches.as_slice() {
        [project] => Ok(project),
        several => {
            let choices: Vec<String> = several
                .iter()
                .take(10)
                .map(|project| format!("{}  {}", project.key, preferences.name_of(project)))
                .collect();
            Err(NotFound::Several {
                typed: typed.to_owned(),
                more: several.len().saturating_sub(choices.len()),
                choices,
            })
        }
    }
}

/// The Connections that `typed` names: an id, `us`, `eu`, an address, or part of the account.
pub fn connections<'a>(typed: &str, connections: &'a [Connection]) -> Vec<&'a Connection> {
    let wanted = typed.trim().to_lowercase();
    connections
        .iter()
        .filter(|connection| {
            connection.id.as_str() == wanted
                || connection.host.key() == wanted
                || connection.host.name().to_lowercase() == wanted
                || connection.account.label().to_lowercase() == wanted
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sign_in_with_posthog::{ConnectionId, Host, Region};

    use super::*;
    use pockethog_core::project::ProjectKey;

    fn known() -> Vec<Project> {
        let of = |host: &str, id, name: &str| Project {
            key: ProjectKey {
                host: host.to_owned(),
                id,
            },
            name: name.to_owned(),
            organization: None,
            organization_name: None,
            time_zone: "UTC".to_owned(),
            has_events: None,
            website: None,
            connection: ConnectionId::new(&Host::cloud(Region::Us), CredentialKind::OAuth, "ada"),
        };
        vec![
            of("us", 12, "Acorn Market"),
            of("eu", 12, "Acorn"),
            of("us", 13, "Burrow Docs"),
        ]
    }

    fn found(typed: &str) -> Result<String, String> {
        project(typed, &known(), &Preferences::default())
            .map(|project| project.key.to_string())
            .map_err(|error| error.to_string())
    }

    #[test]
    fn a_key_a_number_a_name_or_a_part_is_enough() {
        for (typed, key) in [
            ("eu/12", "eu/12"),
            ("13", "us/13"),
            ("acorn", "eu/12"),
            (" Burrow ", "us/13"),
        ] {
            assert_eq!(found(typed).unwrap(), key);
        }
    }

    #[test]
    fn what_names_several_names_them_all() {
        let choices = found("12").unwrap_err();
        assert!(choices.contains("us/12  Acorn Market"), "{choices}");
        assert!(choices.contains("eu/12  Acorn"), "{choices}");
    }

    #[test]
    fn what_names_nothing_says_where_the_names_are() {
        assert!(found("zebra").unwrap_err().contains("pockethog projects"));
        assert!(found("  ").is_err());
    }
}
