//! `sessions`: visits, as far as they have happened.

use super::channel::channel_type;
use super::events::campaign;
use super::{PERSON, SESSION, Schema, missing, nullable_text, quoted, text_id, uuid, word};
use crate::sql::Sql;
use crate::types::{Kind, Type};

pub(super) const COLUMNS: [&str; 24] = [
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
    "$entry_utm_term",
    "$entry_utm_content",
    "$channel_type",
    "$urls",
    "$num_uniq_urls",
    "$last_external_click_url",
];

impl Schema<'_> {
    /// A column of the session that an event belongs to.
    pub(super) fn session_of(&self, rows: &str, name: &str) -> Option<Sql> {
        if name == "$entry_referring_domain" {
            // Kept with each event, since it is asked for so often.
            return Some(word(format!("{rows}.entry_referrer"), true));
        }
        let read = self.session("s", name)?;
        Some(read.wrapped(|sql| {
            format!("(SELECT {sql} FROM session_rows AS s WHERE s.id = {rows}.session)")
        }))
    }

    pub(super) fn session(&self, rows: &str, name: &str) -> Option<Sql> {
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
            "$last_external_click_url" => missing(),
            "$channel_type" => channel_type(rows),
            name if name.starts_with("$entry_utm_") => {
                campaign(rows, name.strip_prefix("$entry_utm_")?)?
            }
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
}
