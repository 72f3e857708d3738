//! `pockethog overview`.

use std::collections::{HashMap, HashSet};

use clap::Args;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sign_in_with_posthog::{Connection, ConnectionId};

use super::cards::{self, Card};
use super::console::{CliError, Console, Exit, Progress, Style};
use super::patience::{OLD_LISTS, Patience, give_up_numbers, unread_lists};
use super::projects::{listed, print_failures, print_remedies, shown_connections, signed_in};
use super::select;
use super::table::{self, Cell, Column};
use pockethog_core::access;
use pockethog_core::age;
use pockethog_core::app_context::AppContext;
use pockethog_core::discovery::Failure;
use pockethog_core::live::due::Policy;
use pockethog_core::live::refresh::{self, Event};
use pockethog_core::overview::{Change, Counts, Part, Period, Range, Today, Total, change_percent};
use pockethog_core::preferences::Preferences;
use pockethog_core::project::Project;
use pockethog_core::snapshot::{Snapshots, Trouble, View};
use pockethog_views::charts::blocks;
use pockethog_views::format::{ago, arrow, counted, grouped};
use pockethog_views::report::{self, Entry};

/// More projects than this are a table.
const MOST_CARDS: usize = 24;

/// Show the numbers of your projects.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog overview                     today, every project
  pockethog overview --range 30d Acorn   the last 30 days of one project
  pockethog overview --json | jq .total.visitors
PROJECT is a number, a name, part of a name, or a key like us/12.")]
pub struct Overview {
    /// The projects to show; all that are not hidden by default.
    #[arg(value_name = "PROJECT")]
    projects: Vec<String>,
    /// The last 24 hours, or 7, 30 or 90 days, compared with the period before; today by default.
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
    /// How old the numbers are, unless they were read just now.
    age: Option<String>,
}

enum Numbers {
    Today(Option<Today>),
    Period(Option<Period>),
}

impl Numbers {
    fn measured_at(&self) -> Option<Timestamp> {
        match self {
            Self::Today(numbers) => numbers.as_ref().map(|numbers| numbers.measured_at),
            Self::Period(numbers) => numbers.as_ref().map(|numbers| numbers.measured_at),
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    range: &'a str,
    total: Value,
    projects: Vec<Entry<'a>>,
    failures: &'a [Failure],
}

/// Reads fresh numbers and prints them; what could not be read is printed as it was last, with its age.
///
/// # Errors
///
/// Nobody is signed in, or there is no such project.
pub async fn run(
    program: &AppContext,
    console: &Console,
    overview: &Overview,
) -> Result<Exit, CliError> {
    let connections = signed_in(program)?;
    let mut snapshots = program.snapshots()?;
    let (preferences, problem) = program.preferences();
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
    // A session that ended in the meantime has its reason in the list of Connections.
    let connections = shown_connections(program)?;
    let mut projects = snapshots.projects()?;
    access::keep_shown(&mut projects, &connections);
    projects.retain(wanted);
    preferences.sort(&mut projects);
    if let Some(range) = range {
        let total = counted(projects.len(), "project", "projects");
        let progress = Progress::new(format!("Reading {} of {total} …", range.name()));
        let reading = read_range(program, &mut snapshots, &projects, &preferences, range);
        let in_time = console.watch_in_time(&progress, reading).await;
        time_is_up = time_is_up.or(in_time.as_ref().err().copied());
        in_time.ok().transpose()?;
    }

    let connections = shown_connections(program)?;
    let owners: HashMap<&ConnectionId, &Connection> = connections
        .iter()
        .map(|connection| (&connection.id, connection))
        .collect();
    let mut late = Vec::new();
    if let Some(time) = time_is_up {
        let view = range.map_or(View::Today, View::Period);
        let is_read = |project: &&Project| {
            let owner = owners.get(&project.connection);
            owner.is_some_and(|owner| owner.is_active())
        };
        give_up_numbers(
            &mut snapshots,
            projects.iter().filter(is_read),
            view,
            started,
            time,
        )?;
        late = unread_lists(&snapshots, &connections, OLD_LISTS, started, time)?;
    }
    let mut lines = Vec::with_capacity(projects.len());
    for project in &projects {
        let owner = owners.get(&project.connection).copied();
        lines.push(Line::read(&snapshots, project, owner, range, started)?);
    }
    console.remark_on(&snapshots, problem.as_ref());
    let mut failures = late;
    for connection in &connections {
        let mut own = lines
            .iter()
            .filter(|line| line.project.connection == connection.id)
            .peekable();
        if chosen.is_some() && own.peek().is_none() {
            continue;
        }
        if let Some(failure) = access::failure(connection) {
            failures.push(failure);
            continue;
        }
        let mut asked = 0;
        let mut unread = Vec::new();
        for line in own {
            asked += 1;
            let name = preferences.name_of(line.project).to_owned();
            unread.extend(line.trouble.as_ref().map(|trouble| (name, trouble)));
        }
        let listed = listed(&snapshots, connection)?;
        failures.extend(access::summed_up(connection, listed, &unread, asked));
    }
    let total = total(&lines, &connections);
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
        let is_granted = connections.iter().any(Connection::is_active);
        if lines.is_empty() && is_granted {
            console.say("No project was granted.");
        }
        print(console, &lines, &total, &preferences, range, &whose);
        print_unknown_zones(console, &lines, &preferences);
        print_failures(console, &failures);
        print_remedies(console, &connections);
    }
    let any_fresh = lines.iter().any(Line::is_fresh);
    Ok(if failures.is_empty() {
        Exit::Done
    } else if any_fresh {
        Exit::Partly
    } else if failures.iter().any(|failure| failure.needs_sign_in) {
        Exit::SignInNeeded
    } else {
        Exit::Failed
    })
}

async fn read_range(
    program: &AppContext,
    snapshots: &mut Snapshots,
    projects: &[Project],
    preferences: &Preferences,
    range: Range,
) -> Result<(), CliError> {
    let connections = program.active_connections()?;
    let now = Timestamp::now();
    let connections = &connections;
    let policy = Policy::on_request(now);
    let view = View::Period(range);
    let mut due = Vec::with_capacity(projects.len());
    for project in projects {
        let owner = connections
            .iter()
            .find(|known| known.id == project.connection);
        let trouble = snapshots.trouble(&project.key, view)?;
        if owner.is_some_and(|owner| policy.view(None, trouble.as_ref(), owner) == 0) {
            due.push(project);
        }
    }
    let mut answers: FuturesUnordered<_> = due
        .into_iter()
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
                snapshots.put_trouble(&project.key, view, &error.trouble(now))?;
            }
            None => {}
        }
    }
    Ok(())
}

impl<'a> Line<'a> {
    /// What is known of a project after everything was asked for at `started`.
    fn read(
        snapshots: &Snapshots,
        project: &'a Project,
        owner: Option<&Connection>,
        range: Option<Range>,
        started: Timestamp,
    ) -> Result<Self, CliError> {
        let view = range.map_or(View::Today, View::Period);
        let numbers = match range {
            None => Numbers::Today(snapshots.view(&project.key, view)?),
            Some(_) => Numbers::Period(snapshots.view(&project.key, view)?),
        };
        let now = Timestamp::now();
        let trouble = match owner.and_then(|owner| access::trouble(owner, now)) {
            Some(ended) => Some(ended),
            None => snapshots.trouble(&project.key, view)?.filter(|trouble| {
                // It was not asked for again before the time that PostHog has named.
                let rests = trouble.retry_at.is_some_and(|at| at > started);
                rests || age::is_since_second(trouble.at, started, now)
            }),
        };
        let old = numbers
            .measured_at()
            .filter(|at| !age::is_since(*at, started, now));
        Ok(Self {
            project,
            trouble,
            age: old.map(|at| ago(at, now)),
            numbers,
        })
    }

    /// Whether there are numbers that were read just now.
    fn is_fresh(&self) -> bool {
        self.age.is_none() && self.numbers.measured_at().is_some()
    }

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

    /// Persons who are there now, if the numbers were read just now.
    fn online(&self) -> Option<u64> {
        match &self.numbers {
            Numbers::Today(Some(numbers)) if self.age.is_none() => Some(numbers.online),
            _ => None,
        }
    }

    /// The change, or the age of numbers that are old.
    fn beside(&self, now: Counts, before: Counts) -> (Style, String) {
        match &self.age {
            Some(age) => (Style::Faint, age.clone()),
            None => changed(Change::between(now.visitors, before.visitors)),
        }
    }

    fn entry(&'a self, preferences: &'a Preferences) -> Entry<'a> {
        let trouble = self.trouble.as_ref();
        let entry = match &self.numbers {
            Numbers::Today(numbers) => {
                Entry::today(self.project, preferences, numbers.as_ref(), trouble)
            }
            Numbers::Period(numbers) => {
                Entry::period(self.project, preferences, numbers.as_ref(), trouble)
            }
        };
        entry.stale(self.age.is_some())
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
        return;
    }
    match console.columns() {
        None => return print_separated(console, lines, total, preferences, range, whose),
        Some(columns) if lines.len() <= MOST_CARDS => {
            return print_cards(console, columns, lines, total, preferences, range, whose);
        }
        Some(_) => {}
    }
    let mut rows: Vec<Vec<Cell>> = lines.iter().map(|line| row(line, preferences)).collect();
    if lines.len() > 1 {
        let (whose, number, (style, beside)) = headline(total, lines, whose);
        rows.push(vec![
            Cell::styled(Style::Strong, format!("Total of {whose}")),
            Cell::styled(Style::Strong, number),
            Cell::styled(style, beside),
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

/// For a file or another program: everything that is known, numbers without separators.
fn print_separated(
    console: &Console,
    lines: &[Line<'_>],
    total: &Total,
    preferences: &Preferences,
    range: Option<Range>,
    whose: &str,
) {
    let number = |number: Option<u64>| number.map_or_else(missing, |number| number.to_string());
    let figures = |counts: Option<(Counts, Counts)>| {
        let (now, before) = counts.unzip();
        let change = counts.and_then(|(now, before)| change_percent(now.visitors, before.visitors));
        [
            number(now.map(|now| now.visitors)),
            number(before.map(|before| before.visitors)),
            change.map_or_else(missing, |percent| format!("{percent:.1}")),
            number(now.map(|now| now.pageviews)),
            number(before.map(|before| before.pageviews)),
        ]
    };
    let time = |at: Option<Timestamp>| at.map_or_else(missing, |at| at.to_string());
    let mut rows: Vec<Vec<Cell>> = Vec::with_capacity(lines.len() + 1);
    for line in lines {
        let reason = line.trouble.as_ref().map(|trouble| trouble.reason.as_str());
        let mut row = vec![
            line.project.key.to_string(),
            preferences.name_of(line.project).to_owned(),
        ];
        row.extend(figures(line.counts()));
        row.extend([
            number(line.online()),
            time(line.numbers.measured_at()),
            line.age.clone().unwrap_or_default(),
            reason.unwrap_or_default().to_owned(),
        ]);
        rows.push(row.iter().map(Cell::new).collect());
    }
    if lines.len() > 1 {
        let whose = total.partly().unwrap_or_else(|| whose.to_owned());
        let mut row = vec![String::new(), format!("Total of {whose}")];
        row.extend(figures(total.sums));
        row.extend([number(total.online), time(total.measured_at)]);
        row.extend([String::new(), String::new()]);
        rows.push(row.iter().map(Cell::new).collect());
    }
    let title = format!("Visitors {}", range.map_or("today", Range::name));
    let before = match range {
        None => "Yesterday by now",
        Some(_) => "Before",
    };
    let titles = [
        "Key",
        "Project",
        &title,
        before,
        "Change %",
        "Pageviews",
        "Pageviews before",
        "Online",
        "Measured",
        "Age",
        "Trouble",
    ];
    table::print(console, &titles.map(Column::text), &rows);
}

/// A number that is not known is no zero.
fn missing() -> String {
    "–".to_owned()
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
        let (whose, number, beside) = headline(total, lines, whose);
        let head = Card {
            title: format!(
                "Visitors {} · {}",
                range.map_or("today", Range::name),
                whose
            ),
            number,
            beside,
            is_old: !lines.iter().any(Line::is_fresh),
            curve: Vec::new(),
        };
        let note = match range {
            _ if head.is_old => "",
            None => "vs. yesterday by now",
            Some(_) => "vs. the period before",
        };
        let last = total.online.map_or_else(String::new, |online| {
            format!("● {} online", grouped(online))
        });
        cards::print_head(console, columns, &head, note, &last);
    }
    let cards: Vec<Card> = lines
        .iter()
        .map(|line| {
            let title = preferences.name_of(line.project).to_owned();
            let (number, beside) = match line.counts() {
                None => ("–".to_owned(), (Style::Faint, "no numbers".to_owned())),
                Some((now, before)) => (grouped(now.visitors), line.beside(now, before)),
            };
            Card {
                title,
                number,
                beside,
                is_old: line.age.is_some(),
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
    let (style, beside) = line.beside(now, before);
    let curve = line.curve();
    let skip = curve.len().saturating_sub(30);
    let curve = blocks(curve.iter().skip(skip).copied());
    let number = grouped(now.visitors);
    let (number, curve) = match line.age {
        Some(_) => (
            Cell::styled(Style::Faint, number),
            Cell::styled(Style::Faint, curve),
        ),
        None => (Cell::new(number), Cell::styled(Style::Accent, curve)),
    };
    vec![
        Cell::styled(Style::Strong, name),
        number,
        Cell::styled(style, beside),
        curve,
    ]
}

fn changed(change: Change) -> (Style, String) {
    let style = match change.tone() {
        1 => Style::Good,
        -1 => Style::Bad,
        _ => Style::Faint,
    };
    (style, arrow(change))
}

/// The total of what is printed, and what is in it. Numbers of a sign-in that has ended cannot be read any longer,
/// and nobody is online in numbers that were not read just now.
fn total(lines: &[Line<'_>], connections: &[Connection]) -> Total {
    let parts: Vec<Part<'_>> = lines
        .iter()
        .map(|line| {
            let readable = connections.iter().any(|known| {
                known.is_active()
                    && known.id == line.project.connection
                    && known.grant.scopes.allows("query:read")
            });
            let mut part = match &line.numbers {
                Numbers::Today(numbers) => Part::today(numbers.as_ref(), readable),
                Numbers::Period(numbers) => Part::period(numbers.as_ref(), readable),
            };
            if let Some(figures) = &mut part.figures
                && !line.is_fresh()
            {
                figures.online = None;
            }
            part
        })
        .collect();
    Total::of(&parts, Timestamp::now())
}

/// Of which projects the total is, its number, and its change or its age. A dash if nothing is known.
fn headline(total: &Total, lines: &[Line<'_>], whose: &str) -> (String, String, (Style, String)) {
    let whose = total.partly().unwrap_or_else(|| whose.to_owned());
    let Some((now, _)) = total.sums else {
        return (
            whose,
            "–".to_owned(),
            (Style::Faint, "no numbers".to_owned()),
        );
    };
    let beside = match total.measured_at {
        Some(oldest) if !lines.iter().any(Line::is_fresh) => {
            (Style::Faint, ago(oldest, Timestamp::now()))
        }
        _ => changed(total.change().unwrap_or(Change::NONE)),
    };
    (whose, grouped(now.visitors), beside)
}

/// Names the projects whose days are PostHog's and not ours.
fn print_unknown_zones(console: &Console, lines: &[Line<'_>], preferences: &Preferences) {
    for line in lines {
        let shown = match &line.numbers {
            Numbers::Today(Some(today)) if !today.time_zone_known => &today.time_zone,
            Numbers::Period(Some(period)) if !period.time_zone_known => &period.time_zone,
            _ => continue,
        };
        console.say(format!(
            "{}: this version of PocketHog does not know the time zone {} as PostHog does. Days begin when \
             PostHog says, and times are shown in {shown}.",
            preferences.name_of(line.project),
            line.project.time_zone
        ));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use pockethog_core::project::ProjectKey;
    use sign_in_with_posthog::{CredentialKind, Host, Region};

    use super::*;
    use pockethog_core::discovery::Cause;
    use pockethog_core::overview::Asked;

    fn project() -> Project {
        let host = Host::cloud(Region::Us);
        Project {
            key: ProjectKey {
                host: "us".into(),
                id: 1,
            },
            name: "Project 1".into(),
            organization: None,
            organization_name: None,
            time_zone: "UTC".into(),
            has_events: None,
            website: None,
            connection: ConnectionId::new(&host, CredentialKind::OAuth, "a"),
        }
    }

    fn today(measured_at: Timestamp) -> Today {
        Today {
            measured_at,
            time_zone: "UTC".into(),
            time_zone_known: true,
            today: Counts::default(),
            yesterday_by_now: Counts::default(),
            online: 1,
            days: Vec::new(),
            hours: Vec::new(),
            hours_yesterday: Vec::new(),
            hours_earlier: Vec::new(),
            asked: Asked::default(),
            quarters: Vec::new(),
            last_event_at: None,
        }
    }

    #[test]
    fn what_a_clock_that_was_ahead_noted_is_not_of_this_run() {
        let now = Timestamp::now();
        let ahead = now + Duration::from_secs(3600);
        let mut snapshots = Snapshots::in_memory().unwrap();
        let project = project();
        let trouble = Trouble {
            at: ahead,
            reason: "busy".into(),
            transient: true,
            cause: Cause::Busy,
            retry_at: None,
        };
        let put = |snapshots: &mut Snapshots, measured_at| {
            let today = today(measured_at);
            snapshots.put(&project.key, &today).unwrap();
            snapshots
                .put_trouble(&project.key, View::Today, &trouble)
                .unwrap();
        };
        let line = |snapshots: &Snapshots| {
            let line = Line::read(snapshots, &project, None, None, now).unwrap();
            (line.is_fresh(), line.age, line.trouble)
        };
        put(&mut snapshots, ahead);
        let unknown = Some("an unknown time ago".to_owned());
        assert_eq!(line(&snapshots), (false, unknown, None));
        put(&mut snapshots, Timestamp::now());
        assert_eq!(line(&snapshots), (true, None, None));
    }
}
