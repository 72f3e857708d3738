//! `pockethog events`: the events that a project records, the most frequent first.

use std::collections::HashMap;
use std::num::NonZeroUsize;

use clap::Args;
use posthog_api::{Error, EventDefinition, EventDefinitionSearch};
use serde_json::{Value, json};

use super::console::{CliError, Console, Exit, Progress, Style};
use super::patience::Patience;
use super::projects::print_failures;
use super::select::Target;
use super::table::{self, Cell, Column};
use pockethog_core::app_context::AppContext;
use pockethog_core::conversions::{self, volume_query};
use pockethog_core::discovery::Failure;
use pockethog_views::format::{ago, grouped};

/// Definitions asked for per request.
const PAGE: usize = 500;

/// Definitions that are read at most; projects with more are searched by name.
const MOST: usize = 5000;

/// List the events of a project with their counts over 30 days, the most frequent first.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog events Acorn
  pockethog events us/12 --search 'sign up'    names with both words in them
  pockethog events 12 --custom --limit 10      not PostHog's own events, the ten busiest
  pockethog events 12 --json")]
pub struct Events {
    /// A number, a name, part of a name, or a key like us/12.
    project: String,
    /// Only events whose names contain all of these words.
    #[arg(
        long,
        short,
        value_name = "WORDS",
        default_value = "",
        hide_default_value = true
    )]
    search: String,
    /// Only the project's own events, none of PostHog's.
    #[arg(long)]
    custom: bool,
    /// How many to show.
    #[arg(long, value_name = "NUMBER", default_value = "50")]
    limit: NonZeroUsize,
    #[command(flatten)]
    pub(super) patience: Patience,
}

/// Lists events.
///
/// # Errors
///
/// No such project, or a list that PostHog does not give.
pub async fn run(
    program: &AppContext,
    console: &Console,
    events: &Events,
) -> Result<Exit, CliError> {
    let target = Target::find(program, console, &events.project).await?;
    let progress = Progress::new(format!("Reading the events of {} …", target.name));
    let organization = target.project.organization.as_deref();
    let ranking = volume_query();
    let (mut listed, mut volumes) = (None, None);
    let reading = async {
        tokio::join!(
            async { listed = Some(definitions(&target, events).await) },
            async {
                let asking = target
                    .client
                    .query(target.project.key.id, organization, &ranking);
                volumes = Some(asking.await);
            }
        );
    };
    let in_time = console.watch_in_time(&progress, reading).await;
    // The list is of use without the volumes.
    let (definitions, more_to_read) = match (listed, in_time) {
        (Some(listed), _) => listed.map_err(|error| target.refused(&error))?,
        (None, in_time) => return Err(in_time.err().map_or_else(nothing_read, CliError::from)),
    };
    let mut failures = Vec::new();
    let volumes = match (volumes, in_time) {
        (Some(Ok(rows)), _) => Some(conversions::volumes_of(&rows)),
        (Some(Err(error)), _) if error.needs_sign_in() => return Err(target.refused(&error)),
        (Some(Err(error)), _) => {
            failures.push(Failure::new("Volumes", &error));
            None
        }
        (None, in_time) => {
            failures.extend(in_time.err().map(|time| time.failure("Volumes")));
            None
        }
    };
    let mut listed = ranked(definitions, volumes.as_ref());
    let has_more = more_to_read || listed.len() > events.limit.get();
    listed.truncate(events.limit.get());

    if console.is_json() {
        let values: Vec<Value> = listed
            .iter()
            .map(|(definition, volume)| {
                json!({
                    "event": definition.name,
                    "volume_30_days": volume,
                    "last_seen_at": definition.last_seen_at,
                })
            })
            .collect();
        console.document(&json!({
            "project": target.project.key.to_string(),
            "events": values,
            "has_more": has_more,
            "failures": failures,
        }));
    } else {
        print(console, &listed, has_more);
        print_failures(console, &failures);
    }
    Ok(if failures.is_empty() {
        Exit::Done
    } else {
        Exit::Partly
    })
}

fn nothing_read() -> CliError {
    CliError::failed("the list of events was not read")
}

/// Every definition that fits the search, and whether some were left unread.
async fn definitions(
    target: &Target,
    events: &Events,
) -> Result<(Vec<EventDefinition>, bool), Error> {
    let mut all = Vec::new();
    loop {
        let search = EventDefinitionSearch {
            search: events.search.clone(),
            custom_only: events.custom,
            offset: all.len(),
            limit: PAGE,
        };
        let page = target
            .client
            .event_definitions(target.project.key.id, &search)
            .await?;
        let is_last = page.events.is_empty() || !page.has_more;
        all.extend(page.events);
        if is_last || all.len() >= MOST {
            return Ok((all, !is_last));
        }
    }
}

/// The busiest first, then by name; the volume is absent if the ranking could not be read.
fn ranked(
    definitions: Vec<EventDefinition>,
    volumes: Option<&HashMap<String, u64>>,
) -> Vec<(EventDefinition, Option<u64>)> {
    let mut listed: Vec<_> = definitions
        .into_iter()
        .map(|definition| {
            let volume = volumes.map(|volumes| volumes.get(&definition.name).copied().unwrap_or(0));
            (definition, volume)
        })
        .collect();
    listed.sort_by(|(a, volume_a), (b, volume_b)| {
        volume_b.cmp(volume_a).then_with(|| a.name.cmp(&b.name))
    });
    listed
}

fn print(console: &Console, listed: &[(EventDefinition, Option<u64>)], has_more: bool) {
    if listed.is_empty() {
        console.say("No event fits.");
        return;
    }
    let now = jiff::Timestamp::now();
    let rows: Vec<Vec<Cell>> = listed
        .iter()
        .map(|(definition, volume)| {
            vec![
                Cell::styled(Style::Strong, &definition.name),
                Cell::new(volume.map_or_else(|| "–".to_owned(), grouped)),
                Cell::styled(
                    Style::Faint,
                    definition
                        .last_seen_at
                        .map_or_else(|| "never".to_owned(), |at| ago(at, now)),
                ),
            ]
        })
        .collect();
    let columns = [
        Column::text("Event"),
        Column::number("30 days"),
        Column::whole("Last seen"),
    ];
    table::print(console, &columns, &rows);
    if has_more {
        console.say("There are more events. Use --limit to show more, or --search to find some.");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_busiest_event_is_first_and_silent_ones_are_by_name() {
        let of = |name: &str| EventDefinition {
            name: name.to_owned(),
            last_seen_at: None,
            hidden: None,
        };
        let volumes = HashMap::from([("b".to_owned(), 7)]);
        let listed = ranked(vec![of("c"), of("b"), of("a")], Some(&volumes));
        let names: Vec<&str> = listed
            .iter()
            .map(|(event, _)| event.name.as_str())
            .collect();
        assert_eq!(names, ["b", "a", "c"]);
        assert_eq!(listed[0].1, Some(7));
        assert_eq!(listed[1].1, Some(0));
    }
}
