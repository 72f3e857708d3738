//! The tables that HogQL offers, and how each of their columns is read from the rows in SQLite.

mod channel;
mod events;
pub(crate) mod fill;
mod persons;
mod sessions;
mod traffic;

use std::collections::HashMap;

use crate::sql::{Key, Sql, WORDS};
use crate::types::{Kind, Type};

/// What a query is read against: one project at one instant.
pub(crate) struct Schema<'a> {
    /// IANA name of the project's time zone.
    pub(crate) zone: &'a str,
    /// Host of the project's website.
    pub(crate) website: &'a str,
    /// Numbers of the texts in the dictionary.
    pub(crate) words: &'a HashMap<String, i64>,
    /// Whether events have `$virt_is_bot` and its kin.
    pub(crate) knows_bots: bool,
    /// The present, in Unix seconds; nothing later can be seen.
    pub(crate) now: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TableName {
    Events,
    Sessions,
    Persons,
}

impl TableName {
    pub(crate) fn parse(chain: &[String]) -> Option<Self> {
        let all = [Self::Events, Self::Sessions, Self::Persons];
        all.into_iter().find(|table| chain == [table.name()])
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Sessions => "sessions",
            Self::Persons => "persons",
        }
    }

    /// The rows that can be seen.
    pub(crate) fn rows(self, schema: &Schema<'_>) -> String {
        let (table, time) = match self {
            Self::Events => ("event_rows", "timestamp"),
            Self::Sessions => ("session_rows", "start"),
            Self::Persons => ("person_rows", "created_at"),
        };
        format!("(SELECT * FROM {table} WHERE {time} <= {})", schema.now)
    }

    /// The columns of `*`.
    pub(crate) fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Events => &[
                "uuid",
                "event",
                "properties",
                "timestamp",
                "distinct_id",
                "elements_chain",
                "created_at",
                "person_mode",
                "$session_id",
                "$window_id",
                "$group_0",
                "$group_1",
                "$group_2",
                "$group_3",
                "$group_4",
            ],
            Self::Sessions => &sessions::COLUMNS,
            Self::Persons => &["id", "created_at", "properties", "is_identified"],
        }
    }
}

// Spaces of identifiers.
const EVENT: u8 = 1;
const PERSON: u8 = 2;
const SESSION: u8 = 3;

impl Schema<'_> {
    /// The column that `chain` names in a table called `rows` in SQL, or `None` if no column has that name.
    pub(crate) fn column(&self, table: TableName, rows: &str, chain: &[String]) -> Option<Sql> {
        let parts: Vec<&str> = chain.iter().map(String::as_str).collect();
        match table {
            TableName::Events => self.event(rows, &parts),
            TableName::Sessions => match parts.as_slice() {
                [name] => self.session(rows, name),
                _ => None,
            },
            TableName::Persons => match parts.as_slice() {
                ["pdi", "distinct_id"] => Some(text_id(PERSON, &format!("{rows}.id"))),
                parts => self.person(rows, parts),
            },
        }
    }

    fn instant(&self, seconds: String) -> Sql {
        let zone = self.zone.to_owned();
        Sql::new(
            seconds,
            Type::plain(Kind::Timestamp {
                zone,
                fractions: true,
            }),
        )
    }
}

fn is_group(name: &str) -> bool {
    let digits = name.trim_start_matches('$').strip_prefix("group_");
    digits
        .and_then(|digits| digits.parse::<u8>().ok())
        .is_some_and(|nth| nth < 5)
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn text(sql: &str) -> Sql {
    Sql::new(sql.to_owned(), Type::plain(Kind::Text))
}

fn nullable_text(sql: String) -> Sql {
    Sql::new(sql, Type::nullable(Kind::Text))
}

/// A property that nothing has.
fn missing() -> Sql {
    nullable_text("NULL".to_owned())
}

/// A column that keeps numbers of the dictionary.
fn word(column: String, nullable: bool) -> Sql {
    let mut sql = Sql::new(
        format!("h_word({column})"),
        Type::plain(Kind::Text).or_null(nullable),
    );
    sql.key = Some(Key {
        text: column,
        space: WORDS,
    });
    sql
}

fn uuid(space: u8, number: &str) -> Sql {
    let mut sql = Sql::new(
        format!("h_identifier({space}, {number})"),
        Type::plain(Kind::Uuid),
    );
    sql.key = Some(Key {
        text: number.to_owned(),
        space,
    });
    sql
}

fn text_id(space: u8, number: &str) -> Sql {
    Sql {
        ty: Type::plain(Kind::Text),
        ..uuid(space, number)
    }
}
