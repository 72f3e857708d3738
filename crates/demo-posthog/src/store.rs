//! The events of one project in a database of its own, in memory, made when first asked for.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::{Connection, params};

use crate::events::{self, Event};
use crate::hogql::{self, QueryError};
use crate::world::Project;

/// The database of one project.
#[derive(Debug)]
pub struct ProjectStore {
    pub(crate) project: Project,
    source: Source,
    database: Mutex<Option<Database>>,
}

#[derive(Debug)]
enum Source {
    /// Generated, from a seed, around an instant.
    Invented { seed: u64, now: Timestamp },
    /// As they are.
    #[cfg(test)]
    Given(Vec<Event>),
}

#[derive(Debug)]
struct Database {
    connection: Connection,
    /// Numbers of the texts that rows refer to.
    words: HashMap<String, i64>,
}

impl ProjectStore {
    /// A project with events from `seed` around `now`.
    pub fn new(project: Project, seed: u64, now: Timestamp) -> Self {
        Self {
            project,
            source: Source::Invented { seed, now },
            database: Mutex::new(None),
        }
    }

    /// A project with these events, by time.
    #[cfg(test)]
    pub(crate) fn given(project: Project, events: Vec<Event>) -> Self {
        Self {
            project,
            source: Source::Given(events),
            database: Mutex::new(None),
        }
    }

    /// The events, those that have not happened yet included. They are made anew each time.
    pub fn events(&self) -> Vec<Event> {
        match &self.source {
            Source::Invented { seed, now } => events::generate(&self.project, *seed, *now),
            #[cfg(test)]
            Source::Given(events) => events.clone(),
        }
    }

    /// The events that have happened by `now`: name, first time, last time; by name.
    pub(crate) fn event_times(&self, now: i64) -> Vec<(String, i64, i64)> {
        let text = "SELECT event, toUnixTimestamp(min(timestamp)), toUnixTimestamp(max(timestamp)) \
                    FROM events GROUP BY event ORDER BY event LIMIT 50000";
        let answer = hogql::run(self, text, &serde_json::Map::new(), now);
        let rows = answer.map(|answer| answer.rows).unwrap_or_default();
        rows.iter()
            .filter_map(|row| {
                Some((
                    row.first()?.as_str()?.to_owned(),
                    row.get(1)?.as_i64()?,
                    row.get(2)?.as_i64()?,
                ))
            })
            .collect()
    }

    /// How many events there are.
    pub(crate) fn size(&self) -> u64 {
        let count = |connection: &Connection| {
            connection.query_row("SELECT count(*) FROM event_rows", [], |row| {
                row.get::<_, i64>(0)
            })
        };
        let count = self.with(|connection, _| count(connection));
        count.map_or(0, |count| u64::try_from(count.unwrap_or(0)).unwrap_or(0))
    }

    /// Runs `work` on the database and the dictionary of its texts.
    pub(crate) fn with<T>(
        &self,
        work: impl FnOnce(&Connection, &HashMap<String, i64>) -> T,
    ) -> Result<T, QueryError> {
        let mut database = self.database.lock().unwrap_or_else(PoisonError::into_inner);
        let filled = match database.take() {
            Some(filled) => filled,
            None => self.fill().map_err(|error| QueryError {
                status: 500,
                code: "error",
                message: error.to_string(),
                start: None,
                end: None,
            })?,
        };
        let Database { connection, words } = database.insert(filled);
        Ok(work(connection, words))
    }

    fn fill(&self) -> rusqlite::Result<Database> {
        let mut connection = Connection::open_in_memory()?;
        connection.execute_batch(SCHEMA)?;
        let mut words = Words::default();
        let website = self.project.website.as_str();
        let mut sessions: Vec<Option<Session>> = Vec::new();
        let mut persons: HashMap<u32, Person> = HashMap::new();
        let transaction = connection.transaction()?;
        {
            let mut insert = transaction
                .prepare("INSERT INTO event_rows VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15)")?;
            let mut last = (i64::MIN, 0_i64);
            for event in self.events() {
                last = if last.0 == event.timestamp {
                    (last.0, last.1 + 1)
                } else {
                    (event.timestamp, 0)
                };
                let row = Row::new(&event, &mut words, website);
                let place = usize::try_from(event.session).unwrap_or(usize::MAX);
                if sessions.len() <= place {
                    sessions.resize(place + 1, None);
                }
                let session =
                    sessions[place].get_or_insert_with(|| Session::starting(&event, &row));
                session.see(&event, &row);
                persons
                    .entry(event.person)
                    .or_insert_with(|| Person::starting(&event, &row));
                insert.execute(params![
                    event.timestamp,
                    last.1,
                    row.event,
                    event.person,
                    event.session,
                    row.path,
                    row.screen,
                    row.referrer,
                    session.referrer,
                    row.country,
                    row.device,
                    row.browser,
                    row.os,
                    row.campaign,
                    event.amount,
                ])?;
            }
            let mut insert = transaction
                .prepare("INSERT INTO session_rows VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)")?;
            for (id, session) in (0_i64..).zip(&sessions) {
                if let Some(session) = session {
                    insert.execute(params![
                        id,
                        session.person,
                        session.start,
                        session.finish,
                        session.views,
                        session.screens,
                        session.entry_path,
                        session.referrer,
                        session.campaign,
                    ])?;
                }
            }
            let mut insert =
                transaction.prepare("INSERT INTO person_rows VALUES (?1,?2,?3,?4,?5,?6)")?;
            for (id, person) in &persons {
                insert.execute(params![
                    id,
                    person.created_at,
                    person.country,
                    person.os,
                    person.browser,
                    person.referrer
                ])?;
            }
        }
        transaction.commit()?;
        connection.execute_batch("CREATE INDEX by_start ON session_rows (start); ANALYZE;")?;
        hogql::register(&connection, words.texts, self.project.id)?;
        Ok(Database {
            connection,
            words: words.numbers,
        })
    }
}

/// Texts are kept once and referred to by number: rows are small, and equality is one of numbers.
#[derive(Default)]
struct Words {
    numbers: HashMap<String, i64>,
    texts: Vec<String>,
}

impl Words {
    fn number(&mut self, text: &str) -> i64 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let number = i64::try_from(self.texts.len()).unwrap_or(i64::MAX);
        self.texts.push(text.to_owned());
        self.numbers.insert(text.to_owned(), number);
        number
    }
}

struct Row {
    event: i64,
    path: Option<i64>,
    screen: Option<i64>,
    referrer: i64,
    country: Option<i64>,
    device: i64,
    browser: Option<i64>,
    os: i64,
    campaign: Option<i64>,
}

impl Row {
    fn new(event: &Event, words: &mut Words, website: &str) -> Self {
        // Comparing with an empty text is common, so it has a number everywhere.
        words.number("");
        Self {
            event: words.number(event.event),
            path: event.pathname.map(|text| words.number(text)),
            screen: event.screen.map(|text| words.number(text)),
            referrer: words.number(event.referring_domain.unwrap_or(website)),
            country: event.country.map(|text| words.number(text)),
            device: words.number(event.device),
            browser: event.browser.map(|text| words.number(text)),
            os: words.number(event.os),
            campaign: event.campaign.map(|text| words.number(text)),
        }
    }
}

#[derive(Clone)]
struct Session {
    person: u32,
    start: i64,
    finish: i64,
    views: u32,
    screens: u32,
    entry_path: Option<i64>,
    referrer: i64,
    campaign: Option<i64>,
}

impl Session {
    fn starting(event: &Event, row: &Row) -> Self {
        Self {
            person: event.person,
            start: event.timestamp,
            finish: event.timestamp,
            views: 0,
            screens: 0,
            entry_path: row.path,
            referrer: row.referrer,
            campaign: row.campaign,
        }
    }

    fn see(&mut self, event: &Event, row: &Row) {
        self.finish = event.timestamp;
        self.views += u32::from(event.event == "$pageview");
        self.screens += u32::from(event.event == "$screen");
        self.entry_path = self.entry_path.or(row.path);
    }
}

struct Person {
    created_at: i64,
    country: Option<i64>,
    os: i64,
    browser: Option<i64>,
    referrer: i64,
}

impl Person {
    fn starting(event: &Event, row: &Row) -> Self {
        Self {
            created_at: event.timestamp,
            country: row.country,
            os: row.os,
            browser: row.browser,
            referrer: row.referrer,
        }
    }
}

const SCHEMA: &str = "
CREATE TABLE event_rows (
    timestamp INTEGER NOT NULL, nth INTEGER NOT NULL, event INTEGER NOT NULL, person INTEGER NOT NULL,
    session INTEGER NOT NULL, path INTEGER, screen INTEGER, referrer INTEGER NOT NULL,
    entry_referrer INTEGER NOT NULL, country INTEGER, device INTEGER NOT NULL, browser INTEGER,
    os INTEGER NOT NULL, campaign INTEGER, amount INTEGER,
    PRIMARY KEY (timestamp, nth)) WITHOUT ROWID;
CREATE TABLE session_rows (
    id INTEGER PRIMARY KEY, person INTEGER NOT NULL, start INTEGER NOT NULL, finish INTEGER NOT NULL,
    views INTEGER NOT NULL, screens INTEGER NOT NULL, entry_path INTEGER, referrer INTEGER NOT NULL,
    campaign INTEGER);
CREATE TABLE person_rows (
    id INTEGER PRIMARY KEY, created_at INTEGER NOT NULL, country INTEGER, os INTEGER NOT NULL,
    browser INTEGER, referrer INTEGER NOT NULL);
";
