//! `pockethog projects`.

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use sign_in_with_posthog::Connection;

use super::console::{CliError, Console, Exit, Progress, Style, Text};
use super::patience::{Patience, unread_lists};
use super::table::{self, Cell, Column};
use pockethog_core::access;
use pockethog_core::app_context::AppContext;
use pockethog_core::discovery::Failure;
use pockethog_core::live::refresh::{self, Lists};
use pockethog_screens::{ListedProject, ProjectList};
use pockethog_views::wording;

/// List every project that you can read.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog projects
  pockethog projects --json | jq -r '.projects[] | .key + \" \" + .name'
The key at the start of a line, like us/12, names the project in every command.")]
pub struct Projects {
    #[command(flatten)]
    pub(super) patience: Patience,
}

/// Reads the projects of every Connection again and lists them. Those of a sign-in that has ended by itself
/// are listed as they were last known.
///
/// # Errors
///
/// Nobody is signed in.
pub async fn run(program: &AppContext, console: &Console) -> Result<Exit, CliError> {
    let connections = signed_in(program)?;
    let mut snapshots = program.snapshots()?;
    let progress = Progress::new("Reading the projects …");
    let started = Timestamp::now();
    let mut lists = Lists::default();
    let reading = refresh::discoveries(program, &mut snapshots, &connections, &mut lists);
    let mut failures = match console.watch_in_time(&progress, reading).await {
        Ok(read) => read.map(|()| Vec::new())?,
        // What was listed before, and by those that answered, is there nevertheless.
        Err(time) => unread_lists(&snapshots, &connections, 0, started, time)?,
    };
    // A session that ended in the meantime has its reason in the list of Connections.
    let connections = shown_connections(program)?;
    let (preferences, problem) = program.preferences();
    let projects = snapshots.projects()?;
    console.remark_on(&snapshots, problem.as_ref());
    let discoveries = snapshots.discoveries(&connections)?;
    let list = ProjectList::new(projects, &connections, &preferences, &discoveries);
    failures.extend(list.failures);
    if console.is_json() {
        let projects: Vec<Value> = list.projects.iter().map(describe).collect();
        console.document(&json!({ "projects": projects, "failures": failures }));
    } else {
        if list.projects.is_empty() && connections.iter().all(Connection::is_active) {
            console.say("No project was granted.");
        }
        print(console, &list.projects);
        print_failures(console, &failures);
        print_remedies(console, &connections);
    }
    Ok(Exit::after(&failures, !lists.read.is_empty()))
}

/// The Connections whose projects are shown, the ones that have ended by themselves included.
///
/// # Errors
///
/// Nobody is signed in.
pub fn signed_in(program: &AppContext) -> Result<Vec<Connection>, CliError> {
    let connections = shown_connections(program)?;
    if connections.is_empty() {
        return Err(nobody(program));
    }
    Ok(connections)
}

/// As [`signed_in`], at the end of a command.
pub fn shown_connections(program: &AppContext) -> Result<Vec<Connection>, CliError> {
    let mut connections = program.sign_in.connections()?;
    connections.retain(access::is_shown);
    Ok(connections)
}

/// Why nobody is signed in, and the command that changes it: for the host that was signed in to, if there
/// was one alone.
pub fn nobody(program: &AppContext) -> CliError {
    use sign_in_with_posthog::ConnectionState::{Active, Ended};
    let connections = program.sign_in.connections().unwrap_or_default();
    let reason = connections
        .iter()
        .find_map(|connection| match connection.state {
            Ended(reason) => Some(reason.sentence()),
            Active => None,
        });
    let reason = reason.unwrap_or("Nobody is signed in.");
    let mut hosts: Vec<&str> = connections.iter().map(|known| known.host.key()).collect();
    hosts.dedup();
    let commands = match hosts.as_slice() {
        [only] => format!("To sign in again, run `pockethog login {only}`."),
        _ => "To sign in, run `pockethog login us` or `pockethog login eu`.".to_owned(),
    };
    CliError::sign_in_needed(format!("{reason} {commands}"))
}

/// A project in JSON; field names are documented in docs/cli.md.
fn describe(listed: &ListedProject) -> Value {
    let ListedProject {
        project, chosen, ..
    } = listed;
    json!({
        "host": project.key.host,
        "id": project.key.id,
        "key": project.key.to_string(),
        "name": listed.name(),
        "posthog_name": project.name,
        "organization": project.organization_name,
        "organization_id": project.organization,
        "time_zone": project.time_zone,
        "website": project.website,
        "has_events": project.has_events,
        "favourite": chosen.favourite,
        "hidden": chosen.hidden,
        "connection": project.connection.as_str(),
        "needs_sign_in": listed.is_signed_out,
    })
}

/// Names what could not be read, on standard error.
pub fn print_failures(console: &Console, failures: &[Failure]) {
    for failure in failures {
        let what = Text::styled(Style::Bad, format!("{}:", failure.what));
        console.say(what.and(" ").and(&failure.reason));
    }
}

/// Says, on standard error, how to sign in again at what has ended.
pub fn print_remedies(console: &Console, connections: &[Connection]) {
    for connection in connections {
        if connection.ended_by_itself().is_some() {
            let command = wording::login_command(connection);
            console.say(format!("To sign in again, run `{command}`."));
        }
    }
}

fn print(console: &Console, projects: &[ListedProject]) {
    if projects.is_empty() {
        return;
    }
    let rows: Vec<Vec<Cell>> = projects
        .iter()
        .map(|listed| {
            let ListedProject {
                project, chosen, ..
            } = listed;
            let sign = match (chosen.favourite, chosen.hidden) {
                (true, _) => "★",
                (false, true) => "◌",
                (false, false) => " ",
            };
            let name = listed.name();
            let name = if listed.is_signed_out {
                Cell::styled(Style::Faint, format!("{name} (signed out)"))
            } else {
                Cell::styled(Style::Strong, name)
            };
            vec![
                Cell::styled(Style::Accent, sign),
                Cell::new(project.key.to_string()),
                name,
                Cell::new(project.organization_name.as_deref().unwrap_or("–")),
                Cell::styled(Style::Faint, &project.time_zone),
            ]
        })
        .collect();
    let columns = [
        Column::whole("Mark"),
        Column::whole("Key"),
        Column::text("Project"),
        Column::text("Organization"),
        Column::text("Time zone"),
    ];
    table::print(console, &columns, &rows);
}
