//! A widget's refresh: only what it shows, in one process at a time, and within a time limit.
//!
//! A bar with twenty widgets starts twenty processes in the same second. One takes the lock beside the
//! Snapshots and asks PostHog; the others look at the Snapshots until theirs are fresh, or the lock is
//! free and something is still missing. Failures are written down too, so that those who waited do not
//! fail again one after another.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use futures::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use sign_in_with_posthog::{Connection, ConnectionId};
use tokio::runtime::Runtime;

use super::Widget;
use pockethog_core::accounts::Clouds;
use pockethog_core::age;
use pockethog_core::app_context::{AppContext, StartError};
use pockethog_core::discovery::{Cause, Discovery, Failure, discover};
use pockethog_core::live::refresh::{self, ReadError};
use pockethog_core::live::{in_turn, judging};
use pockethog_core::moves::Baselines;
use pockethog_core::overview::{Period, Range, Today};
use pockethog_core::preferences::Preferences;
use pockethog_core::project::{Project, ProjectKey};
use pockethog_core::snapshot::{SnapshotError, Snapshots, Trouble, View};
use pockethog_core::widget::{Content, Row};
use pockethog_device::private_files::{PrivateError, make_folder, open_lock};

/// Those who wait look again after 10 to 40 ms: short against an answer of PostHog, long against a look.
const LOOK_AGAIN: std::ops::Range<u64> = 10..40;

/// How long a token that is being renewed may take after the widget has printed. Longer than PostHog is
/// waited for, so that a token is never renewed and then not stored.
const TOKEN_PATIENCE: Duration = Duration::from_secs(25);

/// Projects whose closed days one widget reads at most: the next widget goes on.
const HISTORIES_IN_A_RUN: usize = 1;

/// What is done after the widget has printed.
///
/// A token may still be being renewed when the widget's time is over: a program that ended between PostHog's answer and the
/// write would throw a refresh token away. And if all numbers are fresh, the time that is left is for closed
/// days.
#[derive(Debug)]
pub struct PendingRenewals {
    runtime: Runtime,
    program: AppContext,
    snapshots: Snapshots,
    preferences: Preferences,
    /// Projects whose closed days may be read.
    projects: Vec<Project>,
    deadline: Instant,
}

impl PendingRenewals {
    /// Reads closed days that are due, as long as the widget's time lasts, and waits for the renewals that are under way,
    /// whatever caused them; call it when everything is printed.
    pub fn finish(self) {
        let Self {
            runtime,
            program,
            mut snapshots,
            preferences,
            projects,
            deadline,
        } = self;
        let reading = in_turn::closed_days(
            &program,
            &mut snapshots,
            &preferences,
            (&projects, HISTORIES_IN_A_RUN),
            deadline,
        );
        if let Err(error) = runtime.block_on(reading) {
            tracing::warn!(%error, "closed days could not be kept");
        }
        let sign_in = program.sign_in;
        runtime.block_on(async {
            let closing = sign_in.close();
            tokio::time::timeout(TOKEN_PATIENCE, closing).await.ok();
        });
        // A keychain that hangs is not waited for.
        runtime.shutdown_background();
    }
}

/// Refreshes what is old, or waits for somebody who does, until `deadline`.
pub(super) fn run(widget: &Widget<'_>, deadline: Instant) -> (Content, Option<PendingRenewals>) {
    let path = widget.folders.snapshots();
    let lock = loop {
        match try_lock(&path.with_extension("refresh.lock")) {
            Ok(Some(lock)) => break Some(lock),
            // A folder that cannot be written to has no lock, and no Snapshots to share either.
            Err(_) => break None,
            Ok(None) if Instant::now() >= deadline => return (widget.look(), None),
            Ok(None) => std::thread::sleep(Duration::from_millis(fastrand::u64(LOOK_AGAIN))),
        }
        let content = widget.look();
        if !content.is_due() {
            return (content, None);
        }
    };
    let (refreshed, renewals) = match Refresh::open(widget, deadline) {
        Ok(refresh) => {
            let (refreshed, renewals) = refresh.run(deadline);
            (refreshed.map_err(FreshenError::from), Some(renewals))
        }
        Err(error) => (Err(error), None),
    };
    drop(lock);
    let content = refreshed.unwrap_or_else(|error| {
        // What is known is shown nevertheless.
        let mut content = widget.look();
        let failed = Content::failed(widget.asked.request, content.now, error.to_string());
        if content.rows.is_empty() {
            return failed;
        }
        (content.state, content.sentence) = (failed.state, failed.sentence);
        content
    });
    (content, renewals)
}

fn try_lock(path: &Path) -> Result<Option<File>, PrivateError> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let file = open_lock(path)?;
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(source)) => Err(PrivateError::Io {
            path: path.to_owned(),
            source,
        }),
    }
}

/// Why nothing could be asked at all.
#[derive(Debug, thiserror::Error)]
enum FreshenError {
    #[error(transparent)]
    Runtime(#[from] std::io::Error),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    #[error(transparent)]
    Start(#[from] StartError),
}

/// One refresh, under the lock.
struct Refresh<'a> {
    widget: &'a Widget<'a>,
    program: AppContext,
    snapshots: Snapshots,
    runtime: Runtime,
}

/// Something that PostHog is asked.
enum Answer {
    Today(ProjectKey, Result<Today, ReadError>),
    Period(ProjectKey, Result<Period, ReadError>),
    Found(ConnectionId, Discovery),
}

impl<'a> Refresh<'a> {
    fn open(widget: &'a Widget<'a>, deadline: Instant) -> Result<Self, FreshenError> {
        let clouds = Clouds::from_environment().map_err(StartError::from)?;
        let program = AppContext::open_at(widget.folders.clone(), clouds)?;
        let patience = deadline.saturating_duration_since(Instant::now());
        let snapshots = Snapshots::open_within(&widget.folders.snapshots(), patience)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        Ok(Self {
            widget,
            program,
            snapshots,
            runtime,
        })
    }

    fn run(mut self, deadline: Instant) -> (Result<Content, SnapshotError>, PendingRenewals) {
        // Half of the time, so that there is some left to say that the keychain is the trouble.
        let patience = deadline.saturating_duration_since(Instant::now()) / 2;
        self.program.sign_in.limit_keychain(patience);
        // Whose numbers are missing, or of unknown age, waits for them first: closed days are for the next widget.
        let content = self.widget.content(Some(&self.snapshots));
        let is_known = |row: &Row| {
            let numbers = row.numbers.as_ref();
            numbers.is_some_and(|numbers| age::trusted(numbers.measured_at, content.now).is_some())
        };
        let rows = content.rows.iter().filter(|row| is_known(row));
        let known = rows.map(|row| row.project.clone()).collect();
        let refreshed = self.read(deadline);
        let is_fresh = matches!(&refreshed, Ok(content) if !content.is_due());
        let projects = if is_fresh && self.widget.asked.request.range.is_none() {
            known
        } else {
            Vec::new()
        };
        let renewals = PendingRenewals {
            runtime: self.runtime,
            program: self.program,
            snapshots: self.snapshots,
            preferences: self.widget.asked.preferences.clone(),
            projects,
            deadline,
        };
        (refreshed, renewals)
    }

    fn read(&mut self, deadline: Instant) -> Result<Content, SnapshotError> {
        // Another round is for projects that the one before found, or lost: a Connection that has ended makes
        // another one ask what it reaches of it, and then read that.
        for _ in 0..3 {
            let content = self.widget.content(Some(&self.snapshots));
            if !content.is_due() {
                break;
            }
            let connections = self.program.active_connections().unwrap_or_default();
            let mut work = self.work(&connections, &content);
            while !work.is_empty() {
                let next = async {
                    let until = tokio::time::Instant::from_std(deadline);
                    tokio::time::timeout_at(until, work.next()).await
                };
                match self.runtime.block_on(next) {
                    Ok(Some(answer)) => self.store(answer)?,
                    Ok(None) => break,
                    Err(_) => {
                        drop(work);
                        self.give_up(&content)?;
                        break;
                    }
                }
            }
        }
        let mut remarks = self.widget.remarks.borrow_mut();
        remarks.extend(self.snapshots.remarks());
        Ok(self.widget.content(Some(&self.snapshots)))
    }

    /// Everything that is to be asked, oldest numbers first: where time runs out, the next widget goes
    /// on with the rest.
    fn work(
        &self,
        connections: &[Connection],
        content: &Content,
    ) -> FuturesUnordered<BoxFuture<'static, Answer>> {
        let work = FuturesUnordered::new();
        for connection in connections {
            let beside = content.summed && content.old_lists.contains(&connection.id);
            if beside || content.undiscovered.contains(&connection.id) {
                let (client, connection) = (self.program.client(connection), connection.clone());
                work.push(Box::pin(async move {
                    let found = discover(&client, &connection).await;
                    Answer::Found(connection.id, found)
                }) as BoxFuture<'static, Answer>);
            }
        }
        let mut due: Vec<&Row> = content.rows.iter().filter(|row| row.due).collect();
        due.sort_by_key(|row| {
            let numbers = row.numbers.as_ref()?;
            age::trusted(numbers.measured_at, content.now)
        });
        for row in due {
            let connection = connections
                .iter()
                .find(|known| known.id == row.project.connection);
            if let Some(connection) = connection {
                work.push(self.numbers(connection, row.project.clone(), content.range));
            }
        }
        work
    }

    fn numbers(
        &self,
        connection: &Connection,
        project: Project,
        range: Option<Range>,
    ) -> BoxFuture<'static, Answer> {
        let client = self.program.client(connection);
        match range {
            None => {
                let now = Timestamp::now();
                let asked = self.widget.asked.preferences.asked(&project);
                let closed = refresh::closed_days(&self.snapshots, &project, &asked, now);
                Box::pin(async move {
                    let answer = refresh::today(&client, &project, &asked, closed, now).await;
                    Answer::Today(project.key, answer)
                })
            }
            Some(range) => {
                let preferences = &self.widget.asked.preferences;
                let left_out = preferences.left_out(&project.key);
                let conversions = preferences.project(&project.key).conversions;
                Box::pin(async move {
                    let now = Timestamp::now();
                    let counted = (conversions.as_slice(), left_out);
                    let answer = refresh::period(&client, &project, range, counted, now).await;
                    Answer::Period(project.key, answer)
                })
            }
        }
    }

    fn store(&mut self, answer: Answer) -> Result<(), SnapshotError> {
        let now = Timestamp::now();
        match answer {
            Answer::Found(connection, found) => {
                refresh::keep_discovery(&self.program, &mut self.snapshots, &connection, &found)
            }
            Answer::Today(key, Ok(today)) => {
                self.snapshots.put(&key, &today)?;
                let preferences = &self.widget.asked.preferences;
                let mut baselines = Baselines::default();
                judging::judge(&mut self.snapshots, &mut baselines, preferences, &[key])
            }
            Answer::Period(key, Ok(period)) => self.snapshots.put(&key, &period),
            Answer::Today(key, Err(error)) | Answer::Period(key, Err(error)) => self
                .snapshots
                .put_trouble(&key, self.view(), &error.trouble(now)),
        }
    }

    /// Notes that there was no answer in time, for those who wait and for the next widget.
    fn give_up(&mut self, asked: &Content) -> Result<(), SnapshotError> {
        let now = self.widget.content(Some(&self.snapshots));
        let waited = self.widget.asked.request.patience.as_secs();
        let trouble = Trouble {
            at: Timestamp::now(),
            reason: format!("PostHog did not answer within {waited} s"),
            transient: true,
            cause: Cause::Busy,
            retry_at: None,
        };
        let due = |content: &Content, key: &ProjectKey| {
            content
                .rows
                .iter()
                .any(|row| row.due && row.project.key == *key)
        };
        for connection in self.program.active_connections().unwrap_or_default() {
            if now.undiscovered.contains(&connection.id) {
                let failure = Failure {
                    what: connection.host.name().clone(),
                    reason: trouble.reason.clone(),
                    transient: true,
                    needs_sign_in: false,
                    cause: trouble.cause,
                };
                let nothing = Discovery {
                    projects: Vec::new(),
                    failures: vec![failure],
                };
                refresh::keep_discovery(
                    &self.program,
                    &mut self.snapshots,
                    &connection.id,
                    &nothing,
                )?;
            }
        }
        for row in asked.rows.iter().filter(|row| row.due) {
            if due(&now, &row.project.key) {
                self.snapshots
                    .put_trouble(&row.project.key, self.view(), &trouble)?;
            }
        }
        Ok(())
    }

    fn view(&self) -> View {
        self.widget
            .asked
            .request
            .range
            .map_or(View::Today, View::Period)
    }
}
