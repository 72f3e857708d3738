//! `pockethog overview`.

mod print;

use std::collections::{BTreeMap, HashMap, HashSet};

use clap::Args;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use sign_in_with_posthog::{Connection, ConnectionId};

use self::print::Printout;
use super::console::{CliError, Console, Exit, Progress};
use super::patience::{OLD_LISTS, Patience, give_up_numbers, unread_lists};
use super::projects::{print_failures, print_remedies, shown_connections, signed_in};
use super::select;
use pockethog_core::access;
use pockethog_core::app_context::AppContext;
use pockethog_core::discovery::Failure;
use pockethog_core::live::due::Policy;
use pockethog_core::live::refresh::{self, Event};
use pockethog_core::overview::{Period, Range, Today};
use pockethog_core::preferences::Preferences;
use pockethog_core::project::{Project, ProjectKey};
use pockethog_core::screens::{Card, Freshness, Home, Source, Sources, Stored};
use pockethog_core::snapshot::{SnapshotError, Snapshots, Trouble, View};
use pockethog_views::format::counted;
use pockethog_views::report::{self, Entry};
use pockethog_views::wording;

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

/// What is stored of a project after everything was asked for.
struct Known {
    project: Project,
    numbers: Option<Numbers>,
    trouble: Option<Trouble>,
}

enum Numbers {
    Today(Today),
    Period(Period),
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
    let known = projects
        .into_iter()
        .map(|project| Known::read(&snapshots, project, range))
        .collect::<Result<Vec<_>, _>>()?;
    let discoveries = snapshots.discoveries(&connections)?;
    console.remark_on(&snapshots, problem.as_ref());
    let sources = Sources {
        now: Timestamp::now(),
        freshness: Freshness::Since(started),
        preferences: &preferences,
        connections: &connections,
        projects: known.iter().map(Known::source).collect(),
        only: chosen.as_ref(),
        discoveries: &discoveries,
        outages: HashMap::new(),
    };
    let home = Home::of_run(&sources);
    let mut failures = late;
    failures.extend(home.failures(&sources));
    let known: HashMap<&ProjectKey, &Known> = known
        .iter()
        .map(|known| (&known.project.key, known))
        .collect();
    if console.is_json() {
        console.document(&Document {
            range: range.map_or("today", Range::name),
            total: report::total(&home.total.sum),
            projects: home
                .cards
                .iter()
                .filter_map(|card| Some(known.get(&card.key)?.entry(card, &preferences)))
                .collect(),
            failures: &failures,
        });
    } else {
        if home.cards.is_empty() && connections.iter().any(Connection::is_active) {
            console.say("No project was granted.");
        }
        let printout = Printout {
            home: &home,
            range,
            whose: match &chosen {
                Some(_) => counted(home.cards.len(), "project", "projects"),
                None => "all projects".to_owned(),
            },
        };
        printout.print(console);
        for card in &home.cards {
            if let Some(known) = known.get(&card.key) {
                print::remark_on_zone(console, card, &known.project.time_zone);
            }
        }
        let shown = home.cards.iter().filter_map(|card| known.get(&card.key));
        say_what_is_left_out(console, shown.filter_map(|known| known.left_out()));
        print_failures(console, &failures);
        print_remedies(console, &connections);
    }
    Ok(Exit::after(&failures, home.any_fresh()))
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
            let counted = (conversions.as_slice(), preferences.left_out(&project.key));
            let answer = refresh::period(&client, project, range, counted, now).await;
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

/// Says how many of the numbers leave something out.
fn say_what_is_left_out(console: &Console, words: impl Iterator<Item = &'static str>) {
    let mut said: BTreeMap<&str, usize> = BTreeMap::new();
    for words in words {
        *said.entry(words).or_default() += 1;
    }
    for (words, count) in said {
        let whose = counted(count, "project", "projects");
        console.say(format!("Numbers of {whose} are {words}."));
    }
}

impl Known {
    /// Whose events its numbers leave out.
    fn left_out(&self) -> Option<&'static str> {
        match self.numbers.as_ref()? {
            Numbers::Today(today) => wording::left_out(today.asked.left_out, today.lacks_bots),
            Numbers::Period(period) => wording::left_out(period.left_out, period.lacks_bots),
        }
    }

    fn read(
        snapshots: &Snapshots,
        project: Project,
        range: Option<Range>,
    ) -> Result<Self, SnapshotError> {
        let view = range.map_or(View::Today, View::Period);
        let key = &project.key;
        Ok(Self {
            numbers: match range {
                None => snapshots.view(key, view)?.map(Numbers::Today),
                Some(_) => snapshots.view(key, view)?.map(Numbers::Period),
            },
            trouble: snapshots.trouble(key, view)?,
            project,
        })
    }

    fn source(&self) -> Source<'_> {
        Source {
            project: &self.project,
            numbers: self.numbers.as_ref().map(|numbers| match numbers {
                Numbers::Today(today) => Stored::Today(today),
                Numbers::Period(period) => Stored::Period(period),
            }),
            trouble: self.trouble.as_ref(),
        }
    }

    fn entry<'a>(&'a self, card: &'a Card, preferences: &'a Preferences) -> Entry<'a> {
        let (project, trouble) = (&self.project, card.trouble.as_ref());
        let entry = match &self.numbers {
            Some(Numbers::Period(period)) => {
                Entry::period(project, preferences, Some(period), trouble)
            }
            Some(Numbers::Today(today)) => Entry::today(project, preferences, Some(today), trouble),
            None => Entry::today(project, preferences, None, trouble),
        };
        entry.stale(card.figures().is_some() && !card.is_fresh())
    }
}
