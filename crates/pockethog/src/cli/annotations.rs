//! `pockethog annotations`: read, add, change, delete and bring back the annotations on a project's time line.

use std::io::{self, IsTerminal, Read};

use clap::{Args, Subcommand};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use posthog_api::annotations::LONGEST_CONTENT;
use serde_json::{Value, json};

use super::console::{CliError, Console, Exit, Progress, Style, Text};
use super::editor;
use super::patience::Patience;
use super::select::Target;
use super::table::{self, Cell, Column};
use pockethog_core::annotations::{self, Annotation, ChangeError, Draft};
use pockethog_core::app_context::AppContext;
use pockethog_core::causes::Explanation;
use pockethog_core::live::explaining;
use pockethog_core::overview::time_zone;
use pockethog_core::snapshot::View;
use pockethog_views::format::date_time;
use pockethog_views::moved::note_text;
use pockethog_views::plain::cut;

/// Days back that are listed if nothing else is asked for.
const DAYS_BACK: i64 = 90;

/// Days ahead that are listed if nothing else is asked for.
const DAYS_AHEAD: i64 = 366;

/// Read and write the annotations of a project.
#[derive(Debug, Args)]
#[command(
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = "\
Examples:
  pockethog annotations list Acorn
  pockethog annotations add Acorn 'Version 2 is out' --date 2026-11-20 --time 14:30
  pockethog annotations delete Acorn 17
Days and times are in the project's time zone."
)]
pub struct Annotations {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    pub(super) patience: Patience,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(List),
    Add(Add),
    Edit(Edit),
    Delete(Delete),
    Restore(Restore),
}

/// List the annotations of a project, including those of its organization.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog annotations list Acorn                       the last 90 days and the future
  pockethog annotations list us/12 --since 2026-01-01 --until 2026-06-30
  pockethog annotations list 12 --since 7d --json
A DAY is like 2026-11-05, today, yesterday, or 7d for seven days ago.")]
struct List {
    /// A number, a name, part of a name, or a key like us/12.
    project: String,
    /// The first day.
    #[arg(long, value_name = "DAY")]
    since: Option<String>,
    /// The last day.
    #[arg(long, value_name = "DAY")]
    until: Option<String>,
}

/// Add an annotation to one project.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog annotations add Acorn 'Version 2 is out'                     now
  pockethog annotations add us/12 'Sale begins' --date 2026-12-01        at noon
  pockethog annotations add 12 'Outage' --date yesterday --time 03:15
  git log -1 --format=%s | pockethog annotations add Acorn -
  pockethog annotations add Acorn --move                                 when it moved today, and because of what
  pockethog annotations add Acorn 'HN front page' --move")]
struct Add {
    /// A number, a name, part of a name, or a key like us/12.
    project: String,
    /// What it says; `-` reads it from standard input.
    #[arg(required_unless_present = "moved")]
    text: Option<String>,
    /// Note how the project has moved today: at the time when that began, with its cause if no text is given.
    #[arg(long = "move", id = "moved", conflicts_with_all = ["date", "time"])]
    moved: bool,
    #[command(flatten)]
    when: When,
}

#[derive(Debug, Args)]
struct When {
    /// The day in the project's time zone: 2026-11-05, today or yesterday.
    #[arg(long, value_name = "DAY")]
    date: Option<String>,
    /// The time of day in the project's time zone.
    #[arg(long, value_name = "HH:MM")]
    time: Option<String>,
}

/// Change the text or the time of an annotation. Without options, opens your editor.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog annotations edit Acorn 17                         opens $EDITOR
  pockethog annotations edit Acorn 17 --text 'Version 2.0.1 is out'
  pockethog annotations edit us/12 17 --date 2026-11-21 --time 09:00
Nothing is changed if somebody else has edited the annotation in the meantime. --if-version also requires
the version that `annotations list --json` printed, so that a script overwrites no later change.")]
struct Edit {
    /// A number, a name, part of a name, or a key like us/12.
    project: String,
    /// The annotation's number.
    id: u64,
    /// The new text; `-` reads it from standard input.
    #[arg(long)]
    text: Option<String>,
    #[command(flatten)]
    when: When,
    /// Change it only if it is still at this version.
    #[arg(long, value_name = "VERSION")]
    if_version: Option<String>,
}

/// Delete an annotation. It can be restored.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog annotations delete Acorn 17
  pockethog annotations restore Acorn 17     restores it")]
struct Delete {
    /// A number, a name, part of a name, or a key like us/12.
    project: String,
    /// The annotation's number, which `annotations list` shows.
    id: u64,
}

/// Restore a deleted annotation.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog annotations restore Acorn 17")]
struct Restore {
    /// A number, a name, part of a name, or a key like us/12.
    project: String,
    /// The annotation's number.
    id: u64,
}

/// Does what the subcommand says.
///
/// # Errors
///
/// No such project or annotation, a text or a time that makes no sense, a conflict, and whatever
/// PostHog refuses.
pub async fn run(
    program: &AppContext,
    console: &Console,
    annotations: &Annotations,
) -> Result<Exit, CliError> {
    match &annotations.command {
        Command::List(list) => self::list(program, console, list).await,
        Command::Add(add) => self::add(program, console, add).await,
        Command::Edit(edit) => self::edit(program, console, edit).await,
        Command::Delete(delete) => self::delete(program, console, delete).await,
        Command::Restore(restore) => self::restore(program, console, restore).await,
    }
}

async fn list(program: &AppContext, console: &Console, list: &List) -> Result<Exit, CliError> {
    let target = Target::find(program, console, &list.project).await?;
    let zone = zone(console, &target);
    let today = Timestamp::now().to_zoned_datetime(zone.clone()).date();
    let since = list
        .since
        .as_deref()
        .map_or(Ok(today.saturating_sub(DAYS_BACK.days())), |typed| {
            day(typed, today)
        })?;
    let until = list
        .until
        .as_deref()
        .map_or(Ok(today.saturating_add(DAYS_AHEAD.days())), |typed| {
            day(typed, today)
        })?;
    if until < since {
        return Err(CliError::usage(format!("{until} is before {since}")));
    }
    let midnight = |day: Date| zone.to_timestamp(day.at(0, 0, 0, 0));
    let (from, end) = (midnight(since)?, midnight(until.saturating_add(1.day()))?);
    let progress = Progress::new(format!("Reading the annotations of {} …", target.name));
    let reading = target.client.annotations(target.project.key.id, from, end);
    let found = console
        .watch_in_time(&progress, reading)
        .await?
        .map_err(|error| target.refused(&error))?;
    let annotations: Vec<Annotation> = found
        .iter()
        .filter_map(Annotation::from_posthog)
        .filter(|annotation| annotation.at < end)
        .collect();
    if console.is_json() {
        let values: Vec<Value> = annotations
            .iter()
            .map(|annotation| describe(annotation, &zone))
            .collect();
        console.document(&json!({
            "project": target.project.key.to_string(),
            "time_zone": target.project.time_zone,
            "annotations": values,
        }));
    } else if annotations.is_empty() {
        console.say(format!("No annotation from {since} to {until}."));
    } else {
        let rows: Vec<Vec<Cell>> = annotations
            .iter()
            .map(|annotation| row(annotation, &zone))
            .collect();
        let columns = [
            Column::number("Number"),
            Column::whole("When"),
            Column::text("What"),
            Column::text("Who"),
        ];
        table::print(console, &columns, &rows);
    }
    Ok(Exit::Done)
}

fn row(annotation: &Annotation, zone: &TimeZone) -> Vec<Cell> {
    let who = match (&annotation.author, annotation.organization_wide) {
        (Some(author), true) => format!("{author} · organization"),
        (Some(author), false) => author.clone(),
        (None, true) => "organization".to_owned(),
        (None, false) => "–".to_owned(),
    };
    vec![
        Cell::styled(Style::Accent, annotation.id.to_string()),
        Cell::new(date_time(annotation.at, zone)),
        Cell::styled(Style::Strong, &annotation.text),
        Cell::styled(Style::Faint, who),
    ]
}

async fn add(program: &AppContext, console: &Console, add: &Add) -> Result<Exit, CliError> {
    let text = add.text.as_deref().map(text).transpose()?;
    let target = Target::find(program, console, &add.project).await?;
    let zone = zone(console, &target);
    let now = Timestamp::now();
    let draft = if add.moved {
        of_move(program, &target, text, now)?
    } else {
        let here = now.to_zoned_datetime(zone.clone());
        let date = add.when.date(here.date())?.unwrap_or(here.date());
        let time = match (&add.when.time, &add.when.date) {
            (Some(time), _) => time.clone(),
            (None, Some(_)) => "12:00".to_owned(),
            (None, None) => here.strftime("%H:%M:%S").to_string(),
        };
        let text = text.unwrap_or_default();
        Draft::parse(&text, &date.to_string(), &time, &zone, now).map_err(CliError::usage)?
    };
    let progress = Progress::new("Adding the annotation …");
    let adding = annotations::add(&target.client, target.project.key.id, &draft);
    let annotation = console
        .watch_in_time(&progress, adding)
        .await?
        .map_err(|error| target.refused(&error))?;
    if let Some(remark) = draft.remark(&zone) {
        console.say(&remark);
    }
    if console.is_json() {
        console.document(&json!({
            "project": target.project.key.to_string(),
            "added": describe(&annotation, &zone),
        }));
    } else {
        console.line(format!(
            "Added {} to {}, at {}.",
            annotation.id,
            target.name,
            date_time(annotation.at, &zone)
        ));
    }
    Ok(Exit::Done)
}

/// A note about how the project has moved, as it was judged last.
fn of_move(
    program: &AppContext,
    target: &Target,
    text: Option<String>,
    now: Timestamp,
) -> Result<Draft, CliError> {
    let snapshots = program.snapshots()?;
    let key = &target.project.key;
    let judged = snapshots.judged(key)?;
    let Some(moved) = judged.and_then(|judged| judged.moved(now)) else {
        return Err(CliError::failed(format!(
            "as far as its last numbers say, {} has not moved. To read them again, run `pockethog moved {key}`",
            target.name
        )));
    };
    let text = if let Some(text) = text {
        text
    } else {
        let known: Option<Explanation> = snapshots.view(key, View::Causes)?;
        let known = known.filter(|known| explaining::explains(known, &moved));
        note_text(&moved, known.as_ref())
    };
    Draft::new(&text, moved.since).map_err(CliError::usage)
}

async fn edit(program: &AppContext, console: &Console, edit: &Edit) -> Result<Exit, CliError> {
    let typed = edit.text.as_deref().map(text).transpose()?;
    let target = Target::find(program, console, &edit.project).await?;
    let zone = zone(console, &target);
    let project = target.project.key.id;
    let progress = Progress::new("Reading the annotation …");
    let annotation = console
        .watch_in_time(&progress, target.client.annotation(project, edit.id))
        .await?
        .map_err(|error| refused(&target, edit.id, ChangeError::Api(error), None))?;
    let annotation = Annotation::from_posthog(&annotation)
        .ok_or_else(|| CliError::failed(format!("annotation {} has no date", edit.id)))?;
    if annotation.organization_wide {
        return Err(refused(
            &target,
            edit.id,
            ChangeError::OrganizationWide,
            None,
        ));
    }
    let text = match typed {
        Some(text) => text,
        None if edit.when.is_given() => annotation.text.clone(),
        None => editor::edit_text("annotation", &annotation.text)?,
    };
    let now = Timestamp::now();
    let (day, time) = annotation.day_and_time(&zone);
    let today = now.to_zoned_datetime(zone.clone()).date();
    let day = edit.when.date(today)?.map_or(day, |day| day.to_string());
    let time = edit.when.time.clone().unwrap_or(time);
    let draft = Draft::parse(&text, &day, &time, &zone, now).map_err(CliError::usage)?;
    let version = edit.if_version.as_ref().unwrap_or(&annotation.version);
    let progress = Progress::new("Changing the annotation …");
    let changing = annotations::edit(&target.client, project, edit.id, version, &draft, &zone);
    let annotation = console
        .watch_in_time(&progress, changing)
        .await?
        .map_err(|error| refused(&target, edit.id, error, Some(&draft.text)))?;
    if let Some(remark) = draft.remark(&zone) {
        console.say(&remark);
    }
    if console.is_json() {
        console.document(&json!({
            "project": target.project.key.to_string(),
            "changed": describe(&annotation, &zone),
        }));
    } else {
        console.line(format!(
            "Changed {} of {}, at {}.",
            annotation.id,
            target.name,
            date_time(annotation.at, &zone)
        ));
    }
    Ok(Exit::Done)
}

async fn delete(
    program: &AppContext,
    console: &Console,
    delete: &Delete,
) -> Result<Exit, CliError> {
    let target = Target::find(program, console, &delete.project).await?;
    let key = target.project.key.to_string();
    let progress = Progress::new("Deleting the annotation …");
    let deleting = annotations::delete(&target.client, target.project.key.id, delete.id);
    let annotation = console
        .watch_in_time(&progress, deleting)
        .await?
        .and_then(|annotation| annotation.ok_or(ChangeError::Gone))
        .map_err(|error| refused(&target, delete.id, error, None))?;
    let undo = format!("pockethog annotations restore {key} {}", delete.id);
    if console.is_json() {
        console.document(&json!({
            "project": key,
            "deleted": describe(&annotation, &zone(console, &target)),
            "undo": undo,
        }));
    } else {
        console.line(format!(
            "Deleted {} of {}: {}",
            annotation.id,
            target.name,
            cut(&annotation.text, 60)
        ));
        console.say(format!("To restore it, run `{undo}`."));
    }
    Ok(Exit::Done)
}

async fn restore(
    program: &AppContext,
    console: &Console,
    restore: &Restore,
) -> Result<Exit, CliError> {
    let target = Target::find(program, console, &restore.project).await?;
    let project = target.project.key.id;
    let progress = Progress::new("Restoring the annotation …");
    let restoring = annotations::bring_back(&target.client, project, restore.id);
    let annotation = console
        .watch_in_time(&progress, restoring)
        .await?
        .map_err(|error| refused(&target, restore.id, ChangeError::Api(error), None))?;
    if console.is_json() {
        console.document(&json!({
            "project": target.project.key.to_string(),
            "restored": annotation.as_ref().map(|annotation| describe(annotation, &zone(console, &target))),
        }));
    } else {
        console.line(format!("Annotation {} is back.", restore.id));
    }
    Ok(Exit::Done)
}

impl When {
    fn is_given(&self) -> bool {
        self.date.is_some() || self.time.is_some()
    }

    fn date(&self, today: Date) -> Result<Option<Date>, CliError> {
        self.date
            .as_deref()
            .map(|typed| day(typed, today))
            .transpose()
    }
}

/// A day as people type it, seen from `today`.
fn day(typed: &str, today: Date) -> Result<Date, CliError> {
    let typed = typed.trim();
    let days_back = |days: i64| today.checked_sub(days.days()).ok();
    let found = match typed.to_ascii_lowercase().as_str() {
        "today" => Some(today),
        "yesterday" => days_back(1),
        other => match other.strip_suffix('d').map(str::parse) {
            Some(Ok(days @ 0..=100_000)) => days_back(days),
            _ => other.parse().ok(),
        },
    };
    found.ok_or_else(|| {
        CliError::usage(format!(
            "“{typed}” is not a day; write it as 2026-11-05, today, yesterday or 7d"
        ))
    })
}

/// A text from an argument, or from standard input if that is `-`.
fn text(typed: &str) -> Result<String, CliError> {
    if typed != "-" {
        return Ok(typed.to_owned());
    }
    if io::stdin().is_terminal() {
        return Err(CliError::usage(
            "`-` reads the text from standard input, but nothing is piped in",
        ));
    }
    let mut text = String::new();
    // More than PostHog takes is refused later, with its length.
    let most = u64::try_from(LONGEST_CONTENT).unwrap_or(u64::MAX) * 16;
    io::stdin()
        .take(most)
        .read_to_string(&mut text)
        .map_err(|error| CliError::usage(format!("standard input: {error}")))?;
    Ok(text)
}

/// The project's time zone, and a word if this program does not know it.
fn zone(console: &Console, target: &Target) -> TimeZone {
    time_zone(&target.project.time_zone).unwrap_or_else(|| {
        console.say(format!(
            "PocketHog does not know the time zone {}; times are in UTC.",
            target.project.time_zone
        ));
        TimeZone::UTC
    })
}

fn refused(target: &Target, id: u64, error: ChangeError, draft: Option<&str>) -> CliError {
    match error {
        ChangeError::Api(posthog_api::Error::NotFound(_)) | ChangeError::Gone => {
            CliError::failed(format!(
                "there is no annotation {id} in {}; `pockethog annotations list {}` lists them",
                target.name, target.project.key
            ))
        }
        ChangeError::Api(error) => target.refused(&error),
        ChangeError::Conflict(now) => {
            let mut more = Text::from(format!("It says now, at version {}:", now.version))
                .below(quoted(&now.text));
            if let Some(draft) = draft.filter(|draft| **draft != now.text) {
                more = more.below("You wrote:").below(quoted(draft));
            }
            CliError::failed(
                "somebody else has changed this annotation in the meantime, so nothing was changed",
            )
            .with_details(more, json!({ "version": now.version, "text": now.text }))
        }
        other => CliError::failed(other),
    }
}

/// An annotation with its lines, each behind a bar, so that none of them looks like one of ours.
fn quoted(text: &str) -> Text {
    text.lines().map(|line| format!("  | {line}")).collect()
}

/// An annotation in JSON; field names are documented in docs/cli.md.
fn describe(annotation: &Annotation, zone: &TimeZone) -> Value {
    json!({
        "id": annotation.id,
        "at": local(annotation.at, zone),
        "text": annotation.text,
        "author": annotation.author,
        "scope": if annotation.organization_wide { "organization" } else { "project" },
        "version": annotation.version,
    })
}

/// An instant with the offset of the project's time zone.
fn local(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned_datetime(zone.clone())
        .strftime("%Y-%m-%dT%H:%M:%S%:z")
        .to_string()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_day_is_typed_in_several_ways() {
        let today: Date = "2026-03-01".parse().unwrap();
        for (typed, expected) in [
            ("today", "2026-03-01"),
            ("Yesterday", "2026-02-28"),
            ("7d", "2026-02-22"),
            (" 2025-12-31 ", "2025-12-31"),
        ] {
            assert_eq!(day(typed, today).unwrap().to_string(), expected, "{typed}");
        }
        for wrong in ["", "31.12.2025", "2026-02-30", "-3d", "soon"] {
            assert!(day(wrong, today).is_err(), "{wrong}");
        }
    }
}
