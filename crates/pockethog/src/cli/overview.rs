//! `pockethog overview`.

use clap::Args;
use futures::future::join_all;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::console::{CliError, Console, Exit, Style, left, right};
use super::projects::{nobody, print_failures, signed_in};
use super::select;
use crate::discovery::Failure;
use crate::overview::{Counts, Period, Range, Today, change_percent};
use crate::preferences::Preferences;
use crate::program::Program;
use crate::project::Project;
use crate::refresh::{self, Event};
use crate::report;
use crate::snapshot::{Snapshots, Trouble, View};

/// Show the numbers of projects.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog overview                     today, every project
  pockethog overview --range 30d Acorn   the last 30 days of one project
PROJECT is a number, a name, part of a name, or a key like us/12.")]
pub struct Overview {
    /// Projects; all that are not hidden where none is named.
    #[arg(value_name = "PROJECT")]
    projects: Vec<String>,
    /// The last 24 hours, or 7, 30 or 90 days, against the period before; today where absent.
    #[arg(long, value_name = "RANGE", value_parser = ["24h", "7d", "30d", "90d"])]
    range: Option<String>,
}

/// Numbers of one project as they are to be printed.
struct Line<'a> {
    project: &'a Project,
    numbers: Option<(Counts, Counts)>,
    curve: Vec<u64>,
    trouble: Option<Trouble>,
    value: Value,
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
        let mut known = snapshots.projects()?;
        if known.is_empty() {
            for connection in &connections {
                refresh::discovery(program, &mut snapshots, connection).await?;
            }
            known = snapshots.projects()?;
        }
        let mut keys = Vec::new();
        for typed in &overview.projects {
            keys.push(select::project(typed, &known, &preferences)?.key.clone());
        }
        Some(keys)
    };
    let wanted = |project: &Project| match &chosen {
        Some(keys) => keys.contains(&project.key),
        None => !preferences.project(&project.key).hidden,
    };
    let started = Timestamp::now();
    let today_wanted = |project: &Project| range.is_none() && wanted(project);
    let mut tell = |_: &Snapshots, event: Event| {
        if let Event::Progress { done, total } = event {
            console.progress(&format!("{done} of {total} projects …"));
        }
    };
    refresh::home(
        program,
        &mut snapshots,
        &connections,
        &preferences,
        &today_wanted,
        &mut tell,
    )
    .await?;
    let mut projects = snapshots.projects()?;
    projects.retain(|project| {
        wanted(project)
            && connections
                .iter()
                .any(|known| known.id == project.connection)
    });
    preferences.sort(&mut projects);
    if let Some(range) = range {
        read_range(program, &mut snapshots, &projects, &preferences, range).await?;
    }
    console.progress_done();

    let mut failures = Vec::new();
    for connection in &connections {
        if let Some(found) = snapshots.discovery(&connection.id)? {
            failures.extend(found.failures);
        }
    }
    let mut lines = Vec::with_capacity(projects.len());
    for project in &projects {
        lines.push(match range {
            Some(range) => range_line(&snapshots, project, &preferences, range)?,
            None => today_line(&snapshots, project, &preferences, started)?,
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
    let total = report::total(lines.iter().filter_map(|line| line.numbers));
    if console.is_json() {
        let values: Vec<&Value> = lines.iter().map(|line| &line.value).collect();
        console.document(&json!({
            "range": range.map_or("today", Range::name),
            "total": total,
            "projects": values,
            "failures": failures,
        }));
    } else {
        print(console, &lines, &preferences, range);
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
    let answers = join_all(projects.iter().map(|project| async {
        let connection = connections
            .iter()
            .find(|known| known.id == project.connection)?;
        let conversions = preferences.project(&project.key).conversions;
        let client = program.client(connection);
        Some(refresh::period(&client, project, range, &conversions, now).await)
    }))
    .await;
    for (project, answer) in projects.iter().zip(answers) {
        match answer {
            Some(Ok(period)) => snapshots.put(&project.key, &period)?,
            Some(Err(error)) => {
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
    preferences: &Preferences,
    started: Timestamp,
) -> Result<Line<'a>, CliError> {
    let numbers: Option<Today> = snapshots.view(&project.key, View::Today)?;
    let trouble = snapshots
        .trouble(&project.key, View::Today)?
        .filter(|trouble| trouble.at.as_second() >= started.as_second());
    Ok(Line {
        value: report::today(project, preferences, numbers.as_ref(), trouble.as_ref()),
        curve: numbers
            .iter()
            .flat_map(|numbers| numbers.days.iter().map(|day| day.visitors))
            .collect(),
        numbers: numbers.map(|numbers| (numbers.today, numbers.yesterday_by_now)),
        project,
        trouble,
    })
}

fn range_line<'a>(
    snapshots: &Snapshots,
    project: &'a Project,
    preferences: &Preferences,
    range: Range,
) -> Result<Line<'a>, CliError> {
    let numbers: Option<Period> = snapshots.view(&project.key, View::Period(range))?;
    let trouble = snapshots.trouble(&project.key, View::Period(range))?;
    Ok(Line {
        value: report::period(project, preferences, numbers.as_ref(), trouble.as_ref()),
        curve: numbers
            .iter()
            .flat_map(|numbers| numbers.points.iter().map(|point| point.visitors))
            .collect(),
        numbers: numbers.map(|numbers| (numbers.now, numbers.before)),
        project,
        trouble,
    })
}

fn print(console: &Console, lines: &[Line<'_>], preferences: &Preferences, range: Option<Range>) {
    let name_width = console.width().saturating_sub(60).clamp(14, 36);
    let what = range.map_or("today", Range::name);
    for line in lines {
        let name = console.paint(
            Style::Strong,
            &left(preferences.name_of(line.project), name_width),
        );
        let Some((now, before)) = line.numbers else {
            console.line(&format!(
                "{name}  {}",
                console.paint(Style::Faint, "no numbers")
            ));
            continue;
        };
        let change = change_percent(now.visitors, before.visitors);
        let style = match change {
            Some(change) if change < 0.0 => Style::Bad,
            Some(change) if change > 0.0 => Style::Good,
            _ => Style::Faint,
        };
        let skip = line.curve.len().saturating_sub(30);
        let curve = report::sparkline(line.curve.iter().skip(skip).copied());
        console.line(&format!(
            "{name}  {}  {}  {}",
            right(&report::grouped(now.visitors), 9),
            console.paint(style, &right(&report::arrow(change), 9)),
            console.paint(Style::Accent, &curve),
        ));
    }
    let sum = |pick: fn(&(Counts, Counts)) -> u64| {
        lines
            .iter()
            .filter_map(|line| line.numbers.as_ref())
            .map(pick)
            .sum::<u64>()
    };
    let (now, before) = (
        sum(|(now, _)| now.visitors),
        sum(|(_, before)| before.visitors),
    );
    if lines.is_empty() {
        console.line("No project was granted.");
    } else if lines.len() > 1 {
        console.line(&format!(
            "{}  {}  {}",
            left(
                &format!("Visitors {what}, all projects"),
                name_width.max(30)
            ),
            console.paint(Style::Strong, &report::grouped(now)),
            report::arrow(change_percent(now, before)),
        ));
    }
}
