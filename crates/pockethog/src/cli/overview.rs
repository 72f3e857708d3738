//! `pockethog overview`.

use std::collections::HashSet;

use clap::Args;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sign_in_with_posthog::Connection;

use super::cards::{self, Card};
use super::console::{CliError, Console, Exit, Progress, Style};
use super::patience::{OLD_LISTS, Patience, give_up_numbers, unread_lists};
use super::projects::{nobody, print_failures, signed_in};
use super::select;
use super::table::{self, Cell, Column};
use crate::discovery::Failure;
use crate::format::{Change, counted, grouped};
use crate::overview::{Counts, Part, Period, Range, Today, Total};
use crate::preferences::Preferences;
use crate::program::Program;
use crate::project::Project;
use crate::refresh::{self, Event};
use crate::report::{self, Entry};
use crate::snapshot::{Snapshots, Trouble, View};

/// More projects than this are a table.
const MOST_CARDS: usize = 24;

/// Show the numbers of projects.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog overview                     today, every project
  pockethog overview --range 30d Acorn   the last 30 days of one project
  pockethog overview --json | jq .total.visitors
PROJECT is a number, a name, part of a name, or a key like us/12.")]
pub struct Overview {
    /// Projects; all that are not hidden where none is named.
    #[arg(value_name = "PROJECT")]
    projects: Vec<String>,
    /// The last 24 hours, or 7, 30 or 90 days, against the period before; today where absent.
    #[arg(long, value_name = "RANGE", value_parser = ["24h", "7d", "30d", "90d"])]
    range: Option<String>,
    #[command(flatten)]
    pub(super) patience: Patience,
}

/// One project as it is to be printed.
struct Line<'a> {
    project: &'a Project,
    numbers: Numbers,
    trouble: Option<Trouble>,
}

enum Numbers {
    Today(Option<Today>),
    Period(Option<Period>),
}

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    range: &'a str,
    total: Value,
    projects: Vec<Entry<'a>>,
    failures: &'a [Failure],
}

/// Reads fresh numbers and prints them.
///
/// # Errors
///
/// Nobody signed in, no such project, or nothing could be read at all.
pub async fn run(
    program: &Program,
    console: &Console,
    overview: &Overview,
) -> Result<Exit, CliError> {
    let connections = signed_in(program)?;
    let mut snapshots = program.snapshots()?;
    let (preferences, _) = program.preferences();
    let range = overview.range.as_deref().and_then(Range::from_name);

    // A name can only be looked up in a list of projects; without one it is read first.
    let chosen = if overview.projects.is_empty() {
        None
    } else {
        let found = select::projects(
            program,
            console,
            &mut snapshots,
            &connections,
            &preferences,
            &overview.projects,
        )
        .await?;
        let keys: HashSet<_> = found.into_iter().map(|project| project.key).collect();
        Some(keys)
    };
    let wanted = |project: &Project| match &chosen {
        Some(keys) => keys.contains(&project.key),
        None => !preferences.project(&project.key).hidden,
    };
    let started = Timestamp::now();
    let today_wanted = |project: &Project| range.is_none() && wanted(project);
    let progress = Progress::new("Reading the list of projects …");
    let mut tell = |_: &Snapshots, event: Event| {
        if let Event::Progress { done, total } = event
            && total > 0
        {
            progress.set(format!("{done} of {total} projects …"));
        }
    };
    let reading = refresh::home(
        program,
        &mut snapshots,
        &connections,
        &preferences,
        &today_wanted,
        &mut tell,
    );
    let in_time = console.watch_in_time(&progress, reading).await;
    let mut time_is_up = in_time.as_ref().err().copied();
    in_time.ok().transpose()?;
    let mut projects = snapshots.projects()?;
    projects.retain(|project| {
        wanted(project)
            && connections
                .iter()
                .any(|known| known.id == project.connection)
    });
    preferences.sort(&mut projects);
    if let Some(range) = range {
        let total = counted(projects.len(), "project", "projects");
        let progress = Progress::new(format!("Reading {} of {total} …", range.name()));
        let reading = read_range(program, &mut snapshots, &projects, &preferences, range);
        let in_time = console.watch_in_time(&progress, reading).await;
        time_is_up = time_is_up.or(in_time.as_ref().err().copied());
        in_time.ok().transpose()?;
    }

    let mut failures = Vec::new();
    if let Some(time) = time_is_up {
        let view = range.map_or(View::Today, View::Period);
        give_up_numbers(&mut snapshots, &projects, view, started, time)?;
        let unread = unread_lists(&snapshots, &connections, OLD_LISTS, started, time)?;
        failures.extend(unread);
    }
    for connection in &connections {
        if let Some(found) = snapshots.discovery(&connection.id)? {
            failures.extend(found.failures);
        }
    }
    let mut lines = Vec::with_capacity(projects.len());
    for project in &projects {
        lines.push(match range {
            Some(range) => range_line(&snapshots, project, range)?,
            None => today_line(&snapshots, project, started)?,
        });
    }
    if program.active_connections()?.is_empty() {
        return Err(nobody(program));
    }
    failures.extend(lines.iter().filter_map(|line| {
        let trouble = line.trouble.as_ref()?;
        Some(Failure {
            what: preferences.name_of(line.project).to_owned(),
            reason: trouble.reason.clone(),
            transient: trouble.transient,
            needs_sign_in: false,
            cause: trouble.cause,
        })
    }));
    let total = total(&lines, &program.active_connections()?);
    if console.is_json() {
        console.document(&Document {
            range: range.map_or("today", Range::name),
            total: report::total(&total),
            projects: lines.iter().map(|line| line.entry(&preferences)).collect(),
            failures: &failures,
        });
    } else {
        let whose = if chosen.is_some() {
            counted(lines.len(), "project", "projects")
        } else {
            "all projects".to_owned()
        };
        print(console, &lines, &total, &preferences, range, &whose);
        print_unknown_zones(console, &lines, &preferences);
        print_failures(console, &failures);
    }
    let read = lines.iter().any(|line| line.trouble.is_none());
    Ok(match (read, failures.is_empty()) {
        (_, true) => Exit::Done,
        (true, false) => Exit::Partly,
        (false, false) => Exit::Failed,
    })
}

async fn read_range(
    program: &Program,
    snapshots: &mut Snapshots,
    projects: &[Project],
    preferences: &Preferences,
    range: Range,
) -> Result<(), CliError> {
    let connections = program.active_connections()?;
    let now = Timestamp::now();
    let connections = &connections;
    let mut answers: FuturesUnordered<_> = projects
        .iter()
        .map(|project| async move {
            let connection = connections
                .iter()
                .find(|known| known.id == project.connection)?;
            let conversions = preferences.project(&project.key).conversions;
            let client = program.client(connection);
            let answer = refresh::period(&client, project, range, &conversions, now).await;
            Some((project, answer))
        })
        .collect();
    // Each is stored as it arrives: the run may have to end before the last one does.
    while let Some(answer) = answers.next().await {
        match answer {
            Some((project, Ok(period))) => snapshots.put(&project.key, &period)?,
            Some((project, Err(error))) => {
                snapshots.put_trouble(&project.key, View::Period(range), &error.trouble(now))?;
            }
            None => {}
        }
    }
    Ok(())
}

fn today_line<'a>(
    snapshots: &Snapshots,
    project: &'a Project,
    started: Timestamp,
) -> Result<Line<'a>, CliError> {
    let trouble = snapshots.trouble(&project.key, View::Today)?;
    Ok(Line {
        numbers: Numbers::Today(snapshots.view(&project.key, View::Today)?),
        project,
        trouble: trouble.filter(|trouble| trouble.at.as_second() >= started.as_second()),
    })
}

fn range_line<'a>(
    snapshots: &Snapshots,
    project: &'a Project,
    range: Range,
) -> Result<Line<'a>, CliError> {
    let view = View::Period(range);
    Ok(Line {
        numbers: Numbers::Period(snapshots.view(&project.key, view)?),
        project,
        trouble: snapshots.trouble(&project.key, view)?,
    })
}

impl<'a> Line<'a> {
    /// Now and before.
    fn counts(&self) -> Option<(Counts, Counts)> {
        match &self.numbers {
            Numbers::Today(numbers) => numbers
                .as_ref()
                .map(|numbers| (numbers.today, numbers.yesterday_by_now)),
            Numbers::Period(numbers) => numbers
                .as_ref()
                .map(|numbers| (numbers.now, numbers.before)),
        }
    }

    /// Visitors of each day, or of each point of the range.
    fn curve(&self) -> Vec<u64> {
        let points = match &self.numbers {
            Numbers::Today(numbers) => numbers.as_ref().map(|numbers| &numbers.days),
            Numbers::Period(numbers) => numbers.as_ref().map(|numbers| &numbers.points),
        };
        points
            .into_iter()
            .flatten()
            .map(|point| point.visitors)
            .collect()
    }

    fn entry(&'a self, preferences: &'a Preferences) -> Entry<'a> {
        let trouble = self.trouble.as_ref();
        match &self.numbers {
            Numbers::Today(numbers) => {
                Entry::today(self.project, preferences, numbers.as_ref(), trouble)
            }
            Numbers::Period(numbers) => {
                Entry::period(self.project, preferences, numbers.as_ref(), trouble)
            }
        }
    }
}

fn print(
    console: &Console,
    lines: &[Line<'_>],
    total: &Total,
    preferences: &Preferences,
    range: Option<Range>,
    whose: &str,
) {
    if lines.is_empty() {
        console.say("No project was granted.");
        return;
    }
    if let Some(columns) = console.columns().filter(|_| lines.len() <= MOST_CARDS) {
        return print_cards(console, columns, lines, total, preferences, range, whose);
    }
    let mut rows: Vec<Vec<Cell>> = lines.iter().map(|line| row(line, preferences)).collect();
    if lines.len() > 1 {
        let (whose, number, change) = headline(total, whose);
        rows.push(vec![
            Cell::styled(Style::Strong, format!("Total of {whose}")),
            Cell::styled(Style::Strong, number),
            Cell::styled(direction(change), change.arrow()),
            Cell::new(""),
        ]);
    }
    let against = match range {
        None => "by now",
        Some(_) => "before",
    };
    let title = format!("Visitors {}", range.map_or("today", Range::name));
    let columns = [
        Column::text("Project"),
        Column::number(&title),
        Column::number(against),
        Column::whole(""),
    ];
    table::print(console, &columns, &rows);
}

fn print_cards(
    console: &Console,
    columns: usize,
    lines: &[Line<'_>],
    total: &Total,
    preferences: &Preferences,
    range: Option<Range>,
    whose: &str,
) {
    if lines.len() > 1 {
        let (whose, number, change) = headline(total, whose);
        let head = Card {
            title: format!(
                "Visitors {} · {}",
                range.map_or("today", Range::name),
                whose
            ),
            number,
            beside: (direction(change), change.arrow()),
            curve: Vec::new(),
        };
        let online = total
            .online
            .map(|online| format!("● {} online", grouped(online)));
        let (note, last) = match range {
            None => ("vs. yesterday by now", online.unwrap_or_default()),
            Some(_) => ("vs. the period before", String::new()),
        };
        cards::print_head(console, columns, &head, note, &last);
    }
    let cards: Vec<Card> = lines
        .iter()
        .map(|line| {
            let title = preferences.name_of(line.project).to_owned();
            let (number, beside) = match line.counts() {
                None => ("–".to_owned(), (Style::Faint, "no numbers".to_owned())),
                Some((now, before)) => {
                    let change = Change::between(now.visitors, before.visitors);
                    let beside = (direction(change), change.arrow());
                    (grouped(now.visitors), beside)
                }
            };
            Card {
                title,
                number,
                beside,
                curve: line.curve(),
            }
        })
        .collect();
    cards::print(console, columns, &cards);
}

fn row(line: &Line<'_>, preferences: &Preferences) -> Vec<Cell> {
    let name = preferences.name_of(line.project);
    let Some((now, before)) = line.counts() else {
        return vec![
            Cell::styled(Style::Strong, name),
            Cell::styled(Style::Faint, "–"),
            Cell::styled(Style::Faint, "–"),
            Cell::styled(Style::Faint, "no numbers"),
        ];
    };
    let change = Change::between(now.visitors, before.visitors);
    let curve = line.curve();
    let skip = curve.len().saturating_sub(30);
    let curve = report::sparkline(curve.iter().skip(skip).copied());
    vec![
        Cell::styled(Style::Strong, name),
        Cell::new(grouped(now.visitors)),
        Cell::styled(direction(change), change.arrow()),
        Cell::styled(Style::Accent, curve),
    ]
}

fn direction(change: Change) -> Style {
    match change.tone() {
        1 => Style::Good,
        -1 => Style::Bad,
        _ => Style::Faint,
    }
}

/// The total of what is printed, and what is in it. Numbers of a sign-in that is not in `active` cannot be read any
/// more.
fn total(lines: &[Line<'_>], active: &[Connection]) -> Total {
    let parts: Vec<Part<'_>> = lines
        .iter()
        .map(|line| {
            let readable = active.iter().any(|known| {
                known.id == line.project.connection && known.grant.scopes.allows("query:read")
            });
            match &line.numbers {
                Numbers::Today(numbers) => Part::today(numbers.as_ref(), readable),
                Numbers::Period(numbers) => Part::period(numbers.as_ref(), readable),
            }
        })
        .collect();
    Total::of(&parts, Timestamp::now())
}

/// Of which projects the total is, its number and its change.
fn headline(total: &Total, whose: &str) -> (String, String, Change) {
    let number = total
        .sums
        .map_or_else(|| "–".to_owned(), |(now, _)| grouped(now.visitors));
    (
        total.partly().unwrap_or_else(|| whose.to_owned()),
        number,
        total.change().unwrap_or(Change::NONE),
    )
}

/// Names the projects whose days are PostHog's and not ours.
fn print_unknown_zones(console: &Console, lines: &[Line<'_>], preferences: &Preferences) {
    for line in lines {
        let shown = match &line.numbers {
            Numbers::Today(Some(today)) if !today.time_zone_known => &today.time_zone,
            Numbers::Period(Some(period)) if !period.time_zone_known => &period.time_zone,
            _ => continue,
        };
        console.say(&format!(
            "{}: this version of PocketHog does not know the time zone {} as PostHog does. Its days are those that \
             PostHog cut, shown in {shown}.",
            preferences.name_of(line.project),
            line.project.time_zone
        ));
    }
}
