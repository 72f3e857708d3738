//! Reads the home screen once, for a command that ends: fresh numbers, and what could not be read as it was last.

use std::collections::{HashMap, HashSet};

use futures::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use sign_in_with_posthog::{Connection, ConnectionId};

use super::console::{CliError, Console, Progress};
use super::patience::{OLD_LISTS, give_up_numbers, unread_lists};
use super::projects::{shown_connections, signed_in};
use super::select;
use pockethog_core::access;
use pockethog_core::annotations::Annotations;
use pockethog_core::app_context::AppContext;
use pockethog_core::causes::Explanation;
use pockethog_core::discovery::Failure;
use pockethog_core::live::due::Policy;
use pockethog_core::live::explaining;
use pockethog_core::live::in_turn;
use pockethog_core::live::refresh::{self, Event};
use pockethog_core::moves::Judged;
use pockethog_core::overview::{Period, Range, Today};
use pockethog_core::preferences::Preferences;
use pockethog_core::project::{Project, ProjectKey};
use pockethog_core::snapshot::{SnapshotError, Snapshots, Trouble, View};
use pockethog_screens::{Freshness, Home, Source, Sources, Stored};
use pockethog_views::format::counted;

/// What is to be read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// The projects, as they were typed; all that are not hidden if there are none.
    pub(super) projects: &'a [String],
    /// Numbers of this range; of today without one.
    pub(super) range: Option<Range>,
    /// Also the closed days that are due, so that all projects can be judged, and what made those move that have.
    pub(super) moves: bool,
}

/// What was read.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) home: Home,
    /// What is stored of each project.
    pub(super) known: Vec<Known>,
    pub(super) failures: Vec<Failure>,
    /// The Connections as they are now: one may have ended.
    pub(super) connections: Vec<Connection>,
    pub(super) preferences: Preferences,
}

/// What is stored of a project after everything was asked for.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) project: Project,
    pub(super) numbers: Option<Numbers>,
    judged: Option<Judged>,
    explanation: Option<Explanation>,
    trouble: Option<Trouble>,
}

#[derive(Debug)]
pub(super) enum Numbers {
    Today(Today),
    Period(Period),
}

impl Reading {
    /// What is stored of a project.
    pub(super) fn known(&self) -> HashMap<&ProjectKey, &Known> {
        let known = self.known.iter();
        known.map(|known| (&known.project.key, known)).collect()
    }
}

/// Reads it, within the time that the console has.
///
/// # Errors
///
/// Nobody is signed in, or there is no such project.
pub(super) async fn read(
    program: &AppContext,
    console: &Console,
    wanted: Wanted<'_>,
) -> Result<Reading, CliError> {
    let connections = signed_in(program)?;
    let mut snapshots = program.snapshots()?;
    let (preferences, problem) = program.preferences();
    let Wanted {
        projects: names,
        range,
        moves,
    } = wanted;

    // A name can only be looked up in a list of projects; without one it is read first.
    let chosen = if names.is_empty() {
        None
    } else {
        let found = select::projects(
            program,
            console,
            &mut snapshots,
            &connections,
            &preferences,
            names,
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

    if moves && time_is_up.is_none() {
        let progress = Progress::new("Reading the last weeks …");
        let reading = in_turn::all_closed_days(
            program,
            &mut snapshots,
            &preferences,
            &projects,
            console.deadline(),
        );
        // Without them there is less to compare with, which is said; the numbers of today are there.
        let read = console.watch_in_time(&progress, reading).await;
        if read.ok().transpose()?.is_some() {
            let progress = Progress::new("Reading what made them move …");
            let active = program.active_connections()?;
            let reading =
                explaining::read_due(program, &mut snapshots, &active, &preferences, &projects);
            let in_time = console.watch_in_time(&progress, reading).await;
            in_time.ok().transpose()?;
        }
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
    let mut home = Home::of_run(&sources);
    let mut annotations = HashMap::new();
    for listed in &home.moves.listed {
        if let Some(known) = snapshots.view::<Annotations>(&listed.project, View::Annotations)? {
            annotations.insert(listed.project.clone(), known);
        }
    }
    home.look_for_notes(&connections, |key| annotations.get(key));
    let mut failures = late;
    failures.extend(home.failures(&sources));
    Ok(Reading {
        home,
        known,
        failures,
        connections,
        preferences,
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

impl Known {
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
            judged: match range {
                None => snapshots.judged(key)?,
                Some(_) => None,
            },
            explanation: match range {
                None => snapshots.view(key, View::Causes)?,
                Some(_) => None,
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
            judged: self.judged.as_ref(),
            explanation: self.explanation.as_ref(),
            trouble: self.trouble.as_ref(),
        }
    }
}
