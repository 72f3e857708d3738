//! Fills the tables of a database: rows for events, sessions and persons.

use std::collections::HashMap;

use rusqlite::{Connection, params};

use crate::event::{Event, Project, Utm, Vitals};
use crate::functions;

/// Makes the tables of a project in memory. Returns them with the numbers of the texts that rows refer to.
pub(crate) fn fill<'a>(
    project: &Project,
    events: impl IntoIterator<Item = Event<'a>>,
) -> rusqlite::Result<(Connection, HashMap<String, i64>)> {
    let mut events: Vec<Event<'a>> = events.into_iter().collect();
    events.sort_by_key(|event| event.timestamp);
    let mut connection = Connection::open_in_memory()?;
    connection.execute_batch(SCHEMA)?;
    let mut words = Words::default();
    let mut campaigns = Campaigns::default();
    let website = project.website.as_str();
    let mut sessions: HashMap<u32, Session> = HashMap::new();
    let mut persons: HashMap<u32, Person> = HashMap::new();
    let transaction = connection.transaction()?;
    {
        let mut insert = transaction.prepare(
            "INSERT INTO event_rows VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9,?10,?11,?12,?13,?14,?15,?16,?17)",
        )?;
        let mut exceptions =
            transaction.prepare("INSERT INTO exception_rows VALUES (?1,?2,?3,?4,?5,?6)")?;
        let mut vitals =
            transaction.prepare("INSERT INTO vitals_rows VALUES (?1,?2,?3,?4,?5,?6)")?;
        let mut last = (i64::MIN, 0_i64);
        for event in &events {
            last = if last.0 == event.timestamp {
                (last.0, last.1 + 1)
            } else {
                (event.timestamp, 0)
            };
            let row = Row::new(event, &mut words, &mut campaigns, website);
            let session = sessions
                .entry(event.session)
                .or_insert_with(|| Session::starting(event, &row));
            session.see(event, &row);
            persons
                .entry(event.person)
                .or_insert_with(|| Person::starting(event, &row));
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
                row.language,
                row.user_agent,
                row.campaign,
                event.amount,
            ])?;
            if let Some(exception) = event.exception {
                exceptions.execute(params![
                    event.timestamp,
                    last.1,
                    words.number(exception.kind),
                    words.number(exception.message),
                    words.number(exception.fingerprint),
                    exception.handled,
                ])?;
            }
            if let Some(Vitals { lcp, inp, fcp, cls }) = event.vitals {
                vitals.execute(params![event.timestamp, last.1, lcp, inp, fcp, cls])?;
            }
        }
        let mut insert =
            transaction.prepare("INSERT INTO campaign_rows VALUES (?1,?2,?3,?4,?5,?6)")?;
        for (id, values) in (0_i64..).zip(&campaigns.values) {
            let [source, medium, campaign, term, content] = values;
            insert.execute(params![id, source, medium, campaign, term, content])?;
        }
        let mut insert =
            transaction.prepare("INSERT INTO session_rows VALUES (?1,?2,?3,?4,?5,?6,?7,?8,?9)")?;
        let mut sessions: Vec<(u32, Session)> = sessions.into_iter().collect();
        sessions.sort_unstable_by_key(|(id, _)| *id);
        for (id, session) in &sessions {
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
        let mut insert =
            transaction.prepare("INSERT INTO person_rows VALUES (?1,?2,?3,?4,?5,?6,?7)")?;
        for (id, person) in &persons {
            insert.execute(params![
                id,
                person.created_at,
                person.country,
                person.os,
                person.browser,
                person.referrer,
                person.internal,
            ])?;
        }
    }
    transaction.commit()?;
    connection.execute_batch("CREATE INDEX by_start ON session_rows (start); ANALYZE;")?;
    functions::register(&connection, words.texts, project.id)?;
    Ok((connection, words.numbers))
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

/// The `utm_…` values that came together, kept once.
#[derive(Default)]
struct Campaigns {
    numbers: HashMap<[Option<i64>; 5], i64>,
    values: Vec<[Option<i64>; 5]>,
}

impl Campaigns {
    fn number(&mut self, utm: &Utm<'_>, words: &mut Words) -> i64 {
        let values = utm.values().map(|text| text.map(|text| words.number(text)));
        if let Some(number) = self.numbers.get(&values) {
            return *number;
        }
        let number = i64::try_from(self.values.len()).unwrap_or(i64::MAX);
        self.values.push(values);
        self.numbers.insert(values, number);
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
    language: Option<i64>,
    user_agent: Option<i64>,
    campaign: Option<i64>,
}

impl Row {
    fn new(event: &Event<'_>, words: &mut Words, campaigns: &mut Campaigns, website: &str) -> Self {
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
            language: event.language.map(|text| words.number(text)),
            user_agent: event.user_agent.map(|text| words.number(text)),
            campaign: event.utm.map(|utm| campaigns.number(utm, words)),
        }
    }
}

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
    fn starting(event: &Event<'_>, row: &Row) -> Self {
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

    fn see(&mut self, event: &Event<'_>, row: &Row) {
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
    internal: bool,
}

impl Person {
    fn starting(event: &Event<'_>, row: &Row) -> Self {
        Self {
            created_at: event.timestamp,
            country: row.country,
            os: row.os,
            browser: row.browser,
            referrer: row.referrer,
            internal: event.internal,
        }
    }
}

const SCHEMA: &str = "
CREATE TABLE event_rows (
    timestamp INTEGER NOT NULL, nth INTEGER NOT NULL, event INTEGER NOT NULL, person INTEGER NOT NULL,
    session INTEGER NOT NULL, path INTEGER, screen INTEGER, referrer INTEGER NOT NULL,
    entry_referrer INTEGER NOT NULL, country INTEGER, device INTEGER NOT NULL, browser INTEGER,
    os INTEGER NOT NULL, language INTEGER, agent INTEGER, campaign INTEGER, amount INTEGER,
    PRIMARY KEY (timestamp, nth)) WITHOUT ROWID;
CREATE TABLE exception_rows (
    timestamp INTEGER NOT NULL, nth INTEGER NOT NULL, kind INTEGER NOT NULL, message INTEGER NOT NULL,
    fingerprint INTEGER NOT NULL, handled INTEGER NOT NULL, PRIMARY KEY (timestamp, nth)) WITHOUT ROWID;
CREATE TABLE vitals_rows (
    timestamp INTEGER NOT NULL, nth INTEGER NOT NULL, lcp INTEGER, inp INTEGER, fcp INTEGER, cls INTEGER,
    PRIMARY KEY (timestamp, nth)) WITHOUT ROWID;
CREATE TABLE campaign_rows (
    id INTEGER PRIMARY KEY, source INTEGER, medium INTEGER, campaign INTEGER, term INTEGER, content INTEGER);
CREATE TABLE session_rows (
    id INTEGER PRIMARY KEY, person INTEGER NOT NULL, start INTEGER NOT NULL, finish INTEGER NOT NULL,
    views INTEGER NOT NULL, screens INTEGER NOT NULL, entry_path INTEGER, referrer INTEGER NOT NULL,
    campaign INTEGER);
CREATE TABLE person_rows (
    id INTEGER PRIMARY KEY, created_at INTEGER NOT NULL, country INTEGER, os INTEGER NOT NULL,
    browser INTEGER, referrer INTEGER NOT NULL, internal INTEGER NOT NULL);
";
