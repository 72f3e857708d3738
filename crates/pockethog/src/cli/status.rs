//! `pockethog status`: who is signed in, with which permissions, and where files are stored.

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use sign_in_with_posthog::{Connection, ConnectionState, CredentialKind, Reach};

use super::console::{CliError, Console, Exit, Style, Text};
use pockethog_core::access;
use pockethog_core::accounts;
use pockethog_core::app_context::AppContext;
use pockethog_core::discovery::Failure;
use pockethog_views::format::counted;
use pockethog_views::wording;

/// Show who is signed in, with which permissions, and where PocketHog stores its files.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog status
  pockethog status --json | jq -r '.connections[].account'
Exits 4 if nobody is signed in, 5 if one of several sign-ins has ended. `pockethog doctor` checks everything else.")]
pub struct Status {}

/// Shows the status. Exits 4 if nobody is signed in, 5 if one of several sign-ins has ended by itself.
///
/// # Errors
///
/// A list of Connections that cannot be read.
pub fn run(program: &AppContext, console: &Console) -> Result<Exit, CliError> {
    let connections = program.sign_in.connections()?;
    let failures: Vec<Failure> = connections.iter().filter_map(access::failure).collect();
    let exit = match (
        connections.iter().any(Connection::is_active),
        failures.is_empty(),
    ) {
        (true, true) => Exit::Done,
        (true, false) => Exit::Partly,
        (false, _) => Exit::SignInNeeded,
    };
    let (_, problem) = program.preferences();
    if console.is_json() {
        let connections: Vec<Value> = connections.iter().map(describe).collect();
        console.document(&json!({
            "version": env!("CARGO_PKG_VERSION"),
            "demo": program.is_demo(),
            "connections": connections,
            "vault": program.sign_in.vault()?,
            "preferences": program.folders.preferences().to_string_lossy(),
            "preferences_problem": problem.map(|problem| problem.to_string()),
            "snapshots": program.folders.snapshots().to_string_lossy(),
            "failures": failures,
        }));
        return Ok(exit);
    }
    if program.is_demo() {
        console.line("This is a demo: accounts, projects and numbers are invented.");
    }
    if connections.is_empty() {
        console.line(
            "Nobody is signed in. To sign in, run `pockethog login us` or `pockethog login eu`.",
        );
    }
    for connection in &connections {
        print(console, connection);
    }
    if let Some(problem) = problem {
        console.line(Text::styled(Style::Bad, problem.to_string()));
    }
    if let Some(vault) = program.sign_in.vault()? {
        console.line(format!("Sign-ins     stored in {vault}"));
    }
    console.line(format!(
        "Preferences  {}",
        program.folders.preferences().display()
    ));
    console.line(format!(
        "Snapshots    {}",
        program.folders.snapshots().display()
    ));
    Ok(exit)
}

/// A Connection in JSON; field names are documented in docs/cli.md.
pub fn describe(connection: &Connection) -> Value {
    let (state, reason) = match connection.state {
        ConnectionState::Active => ("active", None),
        ConnectionState::Ended(reason) => ("ended", Some(reason.sentence())),
    };
    let (reach, organizations, projects) = match &connection.grant.reach {
        Reach::All => ("all", None, None),
        Reach::Organizations(ids) => ("organizations", Some(ids), None),
        Reach::Projects(ids) => ("projects", None, Some(ids)),
    };
    let time = |seconds: i64| Timestamp::from_second(seconds).ok();
    json!({
        "id": connection.id.as_str(),
        "host": connection.host.key(),
        "host_name": connection.host.name(),
        "address": connection.host.issuer(),
        "kind": connection.kind,
        "account": connection.account.label(),
        "subject": connection.account.subject,
        "name": connection.account.name,
        "email": connection.account.email,
        "state": state,
        "reason": reason,
        "scopes": connection.grant.scopes.iter().collect::<Vec<_>>(),
        "missing_scopes": accounts::missing_scopes(connection),
        "reach": reach,
        "organizations": organizations,
        "projects": projects,
        "vault": connection.vault,
        "signed_in_at": time(connection.signed_in_at),
        "last_refresh_at": connection.last_refresh_at.and_then(time),
        "expires_at": connection.expires_at.and_then(time),
    })
}

fn print(console: &Console, connection: &Connection) {
    let how = match connection.kind {
        CredentialKind::OAuth => "signed in with the browser",
        CredentialKind::ApiKey => "API key",
    };
    let title = format!(
        "{} as {}",
        connection.host.name(),
        connection.account.label()
    );
    let how = Text::styled(Style::Faint, format!("({how})"));
    console.line(Text::styled(Style::Strong, title).and("  ").and(how));
    if let ConnectionState::Ended(reason) = connection.state {
        let remedy = format!(" `{}` signs in again.", wording::login_command(connection));
        let reason = Text::styled(Style::Bad, reason.sentence());
        console.line(Text::from("  ").and(reason).and(remedy));
    }
    let missing = accounts::missing_scopes(connection);
    if !missing.is_empty() {
        console.line(format!("  Not granted: {}", missing.join(", ")));
    }
    let reach = match &connection.grant.reach {
        Reach::All => "everything you can see".to_owned(),
        Reach::Organizations(ids) => counted(ids.len(), "organization", "organizations"),
        Reach::Projects(ids) => counted(ids.len(), "project", "projects"),
    };
    console.line(format!("  Reaches {reach}."));
}
