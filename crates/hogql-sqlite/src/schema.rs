//! The tables that HogQL offers, and how each of their columns is read from the rows in SQLite.

pub(crate) mod fill;

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
            Self::Sessions => &SESSION_COLUMNS,
            Self::Persons => &["id", "created_at", "properties", "is_identified"],
        }
    }
}

const SESSION_COLUMNS: [&str; 22] = [
    "session_id",
    "distinct_id",
    "person_id",
    "$start_timestamp",
    "$end_timestamp",
    "$session_duration",
    "$pageview_count",
    "$screen_count",
    "$autocapture_count",
    "$is_bounce",
    "$entry_current_url",
    "$entry_pathname",
    "$entry_hostname",
    "$end_pathname",
    "$entry_referring_domain",
    "$entry_utm_source",
    "$entry_utm_medium",
    "$entry_utm_campaign",
    "$channel_type",
    "$urls",
    "$num_uniq_urls",
    "$last_external_click_url",
];

/// What the `properties` of an event may hold here; PostHog knows a project's properties too, and
/// any other name is simply missing.
const EVENT_PROPERTIES: [&str; 14] = [
    "$pathname",
    "$current_url",
    "$host",
    "$screen_name",
    "$referring_domain",
    "$geoip_country_code",
    "$device_type",
    "$browser",
    "$os",
    "$lib",
    "$session_id",
    "utm_source",
    "amount",
    "currency",
];

const PERSON_PROPERTIES: [&str; 5] = [
    "email",
    "$geoip_country_code",
    "$os",
    "$browser",
    "$initial_referring_domain",
];

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

    fn event(&self, rows: &str, parts: &[&str]) -> Option<Sql> {
        let person = format!("{rows}.person");
        Some(match parts {
            ["uuid"] => uuid(EVENT, &format!("({rows}.timestamp * 4096 + {rows}.nth)")),
            ["event"] => word(format!("{rows}.event"), false),
            ["timestamp" | "created_at"] => self.instant(format!("{rows}.timestamp")),
            ["distinct_id"] => text_id(PERSON, &person),
            ["person_id"] | ["person", "id"] => uuid(PERSON, &person),
            ["person", rest @ ..] => {
                let read = self.person("p", rest)?;
                read.wrapped(|sql| {
                    format!("(SELECT {sql} FROM person_rows AS p WHERE p.id = {person})")
                })
            }
            ["$session_id"] | ["session", "id"] => text_id(SESSION, &format!("{rows}.session")),
            ["$session_id_uuid"] => {
                let id = uuid(SESSION, &format!("{rows}.session"));
                Sql {
                    ty: Type::nullable(Kind::Uuid),
                    ..id
                }
            }
            ["session", "duration"] => self.session_of(rows, "$session_duration")?,
            ["session", name] => self.session_of(rows, name)?,
            ["elements_chain" | "$window_id"] => text("''"),
            ["person_mode"] => text("'full'"),
            [group] if is_group(group) => text("''"),
            [group, "properties", _] if is_group(group) => missing(),
            ["properties"] => {
                let members: Option<Vec<String>> = EVENT_PROPERTIES
                    .into_iter()
                    .map(|name| {
                        Some(format!(
                            "'{name}', {}",
                            self.event_property(rows, name)?.text
                        ))
                    })
                    .collect();
                text(&format!("h_object({})", members?.join(", ")))
            }
            ["properties", name] => self.event_property(rows, name).unwrap_or_else(missing),
            ["properties", _, ..] => missing(),
            _ => return None,
        })
    }

    fn event_property(&self, rows: &str, name: &str) -> Option<Sql> {
        let website = quoted(self.website);
        Some(match name {
            "$pathname" => word(format!("{rows}.path"), true),
            "$current_url" => {
                nullable_text(format!("'https://' || {website} || h_word({rows}.path)"))
            }
            "$host" => nullable_text(format!(
                "CASE WHEN {rows}.path IS NOT NULL THEN {website} END"
            )),
            "$screen_name" => word(format!("{rows}.screen"), true),
            "$referring_domain" => word(format!("{rows}.referrer"), true),
            "$geoip_country_code" => word(format!("{rows}.country"), true),
            "$device_type" => word(format!("{rows}.device"), true),
            "$browser" => word(format!("{rows}.browser"), true),
            "$os" => word(format!("{rows}.os"), true),
            "$lib" => nullable_text(format!(
                "CASE WHEN {rows}.screen IS NULL THEN 'web' WHEN h_word({rows}.os) = 'iOS' THEN 'posthog-ios' ELSE 'posthog-android' END"
            )),
            "$session_id" => {
                let id = text_id(SESSION, &format!("{rows}.session"));
                Sql {
                    ty: Type::nullable(Kind::Text),
                    ..id
                }
            }
            "utm_source" => word(format!("{rows}.campaign"), true),
            "amount" => Sql::new(
                format!("CAST({rows}.amount AS REAL)"),
                Type::nullable(Kind::Float),
            ),
            "currency" => nullable_text(format!(
                "CASE WHEN {rows}.amount IS NOT NULL THEN 'EUR' END"
            )),
            _ => return None,
        })
    }

    /// A column of the session that an event belongs to.
    fn session_of(&self, rows: &str, name: &str) -> Option<Sql> {
        if name == "$entry_referring_domain" {
            // Kept with each event, since it is asked for so often.
            return Some(word(format!("{rows}.entry_referrer"), true));
        }
        let read = self.session("s", name)?;
        Some(read.wrapped(|sql| {
            format!("(SELECT {sql} FROM session_rows AS s WHERE s.id = {rows}.session)")
        }))
    }

    fn session(&self, rows: &str, name: &str) -> Option<Sql> {
        let now = self.now;
        // Of a session that is under way, only what has happened counts.
        let seen = |whole: &str, part: &str, more: &str| {
            format!(
                "(CASE WHEN {rows}.finish <= {now} THEN {rows}.{whole} ELSE (SELECT {part} FROM event_rows AS u \
                 WHERE u.timestamp >= {rows}.start AND u.timestamp <= {now} AND u.session = {rows}.id{more}) END)"
            )
        };
        let count = |whole: &str, event: &str| {
            let number = self.words.get(event).copied().unwrap_or(-1);
            seen(whole, "count(*)", &format!(" AND u.event = {number}"))
        };
        let (views, screens) = (count("views", "$pageview"), count("screens", "$screen"));
        let end = seen("finish", "max(u.timestamp)", "");
        let duration = format!("({end} - {rows}.start)");
        let website = quoted(self.website);
        Some(match name {
            "session_id" | "id" => text_id(SESSION, &format!("{rows}.id")),
            "distinct_id" => text_id(PERSON, &format!("{rows}.person")),
            "person_id" => uuid(PERSON, &format!("{rows}.person")),
            "$start_timestamp" => self.instant(format!("{rows}.start")),
            "$end_timestamp" => self.instant(end),
            "$session_duration" => Sql::new(duration, Type::plain(Kind::Integer("Int64"))),
            "$pageview_count" => Sql::new(views, Type::plain(Kind::COUNT)),
            "$screen_count" => Sql::new(screens, Type::plain(Kind::COUNT)),
            "$autocapture_count" => Sql::new("0".to_owned(), Type::plain(Kind::COUNT)),
            "$is_bounce" => Sql::new(
                format!(
                    "(CASE WHEN {views} + {screens} = 0 THEN NULL ELSE NOT ({views} + {screens} > 1 OR {duration} >= 10) END)"
                ),
                Type::nullable(Kind::Boolean),
            ),
            "$entry_current_url" => nullable_text(format!(
                "'https://' || {website} || h_word({rows}.entry_path)"
            )),
            "$entry_pathname" => word(format!("{rows}.entry_path"), true),
            "$entry_hostname" => nullable_text(format!(
                "CASE WHEN {rows}.entry_path IS NOT NULL THEN {website} END"
            )),
            "$end_pathname" => nullable_text(format!(
                "(SELECT h_word(u.path) FROM event_rows AS u WHERE u.timestamp BETWEEN {rows}.start AND min({rows}.finish, {now}) \
                 AND u.session = {rows}.id AND u.path IS NOT NULL ORDER BY u.timestamp DESC, u.nth DESC LIMIT 1)"
            )),
            "$entry_referring_domain" => word(format!("{rows}.referrer"), true),
            "$entry_utm_source" => word(format!("{rows}.campaign"), true),
            "$entry_utm_medium"
            | "$entry_utm_campaign"
            | "$entry_utm_term"
            | "$entry_utm_content"
            | "$last_external_click_url" => missing(),
            "$channel_type" => text(&format!(
                "(CASE WHEN {rows}.campaign IS NOT NULL THEN 'Referral' ELSE CASE h_word({rows}.referrer) \
                 WHEN '$direct' THEN 'Direct' WHEN 'www.google.com' THEN 'Organic Search' WHEN 'duckduckgo.com' THEN 'Organic Search' \
                 WHEN 'bsky.app' THEN 'Organic Social' WHEN 'news.ycombinator.com' THEN 'Organic Social' ELSE 'Referral' END END)"
            )),
            "$urls" | "$num_uniq_urls" => {
                let addresses = if name == "$urls" {
                    format!("json_group_array(DISTINCT 'https://' || {website} || h_word(u.path))")
                } else {
                    "count(DISTINCT u.path)".to_owned()
                };
                let read = format!(
                    "(SELECT {addresses} FROM event_rows AS u WHERE u.timestamp BETWEEN {rows}.start AND min({rows}.finish, {now}) \
                     AND u.session = {rows}.id AND u.path IS NOT NULL)"
                );
                let kind = if name == "$urls" {
                    Kind::Array(Box::new(Type::plain(Kind::Text)))
                } else {
                    Kind::COUNT
                };
                Sql::new(read, Type::plain(kind))
            }
            _ => return None,
        })
    }

    fn person(&self, rows: &str, parts: &[&str]) -> Option<Sql> {
        let identified = format!("({rows}.id % 3 = 0)");
        Some(match parts {
            ["id"] => uuid(PERSON, &format!("{rows}.id")),
            ["created_at"] => self.instant(format!("{rows}.created_at")),
            ["is_identified"] => Sql::new(identified, Type::plain(Kind::Boolean)),
            ["properties"] => {
                let members: Option<Vec<String>> = PERSON_PROPERTIES
                    .into_iter()
                    .map(|name| {
                        Some(format!(
                            "'{name}', {}",
                            self.person(rows, &["properties", name])?.text
                        ))
                    })
                    .collect();
                text(&format!("h_object({})", members?.join(", ")))
            }
            ["properties", "email"] => nullable_text(format!(
                "(CASE WHEN {identified} THEN 'visitor' || {rows}.id || '@example.com' END)"
            )),
            ["properties", "$geoip_country_code"] => word(format!("{rows}.country"), true),
            ["properties", "$os"] => word(format!("{rows}.os"), true),
            ["properties", "$browser"] => word(format!("{rows}.browser"), true),
            ["properties", "$initial_referring_domain"] => word(format!("{rows}.referrer"), true),
            ["properties", _, ..] => missing(),
            _ => return None,
        })
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
