//! Which project, or which Connection, a person means.

use sign_in_with_posthog::Connection;

use super::console::CliError;
use crate::preferences::Preferences;
use crate::project::Project;

/// The project that `typed` names: `us/12`, a number, a name, or part of one.
///
/// # Errors
///
/// No such project, or several, which are then named.
pub fn project<'a>(
    typed: &str,
    projects: &'a [Project],
    preferences: &Preferences,
) -> Result<&'a Project, CliError> {
    let wanted = typed.trim().to_lowercase();
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
        return Err(CliError::usage(format!(
            "there is no project “{typed}”; `pockethog projects` lists them"
        )));
    };
    match matches.as_slice() {
        [project] => Ok(project),
        several => {
            let choices: Vec<String> = several
                .iter()
                .take(10)
                .map(|project| format!("  {}  {}", project.key, preferences.name_of(project)))
                .collect();
            Err(CliError::usage(format!(
                "“{typed}” may be one of these; say which by what stands in front:\n{}",
                choices.join("\n")
            )))
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
