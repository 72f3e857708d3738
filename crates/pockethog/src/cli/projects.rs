//! `pockethog projects`.

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::console::{CliError, Console, Exit, Progress, Style, Text};
use super::patience::{Patience, unread_lists};
use super::table::{self, Cell, Column};
use crate::discovery::Failure;
use crate::preferences::Preferences;
use crate::program::Program;
use crate::project::Project;
use crate::refresh;

/// List every project that the sign-ins reach.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog projects
  pockethog projects --json | jq -r '.projects[] | .key + \" \" + .name'
The key in front, like us/12, names a project in every command.")]
pub struct Projects {
    #[command(flatten)]
    pub(super) patience: Patience,
}

/// Reads the projects of every Connection anew and lists them.
///
/// # Errors
///
/// Nobody signed in, or nothing could be read at all.
pub async fn run(program: &Program, console: &Console) -> Result<Exit, CliError> {
    let connections = signed_in(program)?;
    let mut snapshots = program.snapshots()?;
    let progress = Progress::new("Reading the projects …");
    let started = Timestamp::now();
    let reading = refresh::discoveries(program, &mut snapshots, &connections);
    let failures = match console.watch_in_time(&progress, reading).await {
        Ok(failures) => failures?,
        // What was listed before, and by those that answered, is there all the same.
        Err(time) => {
            let mut failures = unread_lists(&snapshots, &connections, 0, started, time)?;
            for connection in &connections {
                if let Some(known) = snapshots.discovery(&connection.id)? {
                    failures.extend(known.failures);
                }
            }
            failures
        }
    };
    let (preferences, _) = program.preferences();
    let mut projects = snapshots.projects()?;
    projects.retain(|project| {
        connections
            .iter()
            .any(|known| known.id == project.connection)
    });
    preferences.sort(&mut projects);
    // A session that ended meanwhile has its reason in the list of Connections.
    if projects.is_empty() && program.active_connections()?.is_empty() {
        return Err(nobody(program));
    }
    if console.is_json() {
        let projects: Vec<Value> = projects
            .iter()
            .map(|project| describe(project, &preferences))
            .collect();
        console.document(&json!({ "projects": projects, "failures": failures }));
    } else {
        print(console, &projects, &preferences);
        print_failures(console, &failures);
    }
    Ok(match (projects.is_empty(), failures.is_empty()) {
        (_, true) => Exit::Done,
        (true, false) => Exit::Failed,
        (false, false) => Exit::Partly,
    })
}

/// The Connections that can be used, or the reason why there is none.
///
/// # Errors
///
/// Nobody signed in.
pub fn signed_in(program: &Program) -> Result<Vec<sign_in_with_posthog::Connection>, CliError> {
    let connections = program.active_connections()?;
    if connections.is_empty() {
        return Err(nobody(program));
    }
    Ok(connections)
}

/// Why nobody is signed in.
pub fn nobody(program: &Program) -> CliError {
    use sign_in_with_posthog::ConnectionState::{Active, Ended};
    let reason = program
        .sign_in
        .connections()
        .unwrap_or_default()
        .iter()
        .find_map(|connection| match connection.state {
            Ended(reason) => Some(reason.sentence()),
            Active => None,
        });
    CliError::sign_in_needed(format!(
        "{} `pockethog login us` or `pockethog login eu` signs in.",
        reason.unwrap_or("Nobody is signed in.")
    ))
}

/// A project in JSON; field names are documented in docs/cli.md.
pub fn describe(project: &Project, preferences: &Preferences) -> Value {
    let chosen = preferences.project(&project.key);
    json!({
        "host": project.key.host,
        "id": project.key.id,
        "key": project.key.to_string(),
        "name": preferences.name_of(project),
        "posthog_name": project.name,
        "organization": project.organization_name,
        "organization_id": project.organization,
        "time_zone": project.time_zone,
        "website": project.website,
        "has_events": project.has_events,
        "favourite": chosen.favourite,
        "hidden": chosen.hidden,
        "connection": project.connection.as_str(),
    })
}

/// Names what could not be read, on standard error.
pub fn print_failures(console: &Console, failures: &[Failure]) {
    for failure in failures {
        let what = Text::styled(Style::Bad, format!("{}:", failure.what));
        console.say(what.and(" ").and(&failure.reason));
    }
}

fn print(console: &Console, projects: &[Project], preferences: &Preferences) {
    if projects.is_empty() {
        console.say("No project was granted.");
        return;
    }
    let rows: Vec<Vec<Cell>> = projects
        .iter()
        .map(|project| {
            let chosen = preferences.project(&project.key);
            let sign = match (chosen.favourite, chosen.hidden) {
                (true, _) => "★",
                (false, true) => "◌",
                (false, false) => " ",
            };
            vec![
                Cell::styled(Style::Accent, sign),
                Cell::new(project.key.to_string()),
                Cell::styled(Style::Strong, preferences.name_of(project)),
                Cell::new(project.organization_name.as_deref().unwrap_or("–")),
                Cell::styled(Style::Faint, &project.time_zone),
            ]
        })
        .collect();
    let columns = [
        Column::whole(""),
        Column::whole("Key"),
        Column::text("Project"),
        Column::text("Organization"),
        Column::text("Time zone"),
    ];
    table::print(console, &columns, &rows);
}
