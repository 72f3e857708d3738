//! `events`: each event with its properties, its person and its session.

use super::{
    EVENT, PERSON, SESSION, Schema, is_group, missing, nullable_text, quoted, text, text_id, uuid,
    word,
};
use crate::sql::Sql;
use crate::types::{Kind, Type};

/// What the `properties` of an event may hold here; PostHog knows a project's properties too, and
/// any other name is simply missing.
const PROPERTIES: [&str; 32] = [
    "$pathname",
    "$current_url",
    "$host",
    "$screen_name",
    "$referring_domain",
    "$referrer",
    "$geoip_country_code",
    "$device_type",
    "$browser",
    "$os",
    "$browser_language",
    "$browser_language_prefix",
    "$raw_user_agent",
    "$lib",
    "$session_id",
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
    "amount",
    "currency",
    "$exception_types",
    "$exception_values",
    "$exception_fingerprint",
    "$exception_level",
    "$exception_handled",
    "$exception_list",
    "$web_vitals_LCP_value",
    "$web_vitals_INP_value",
    "$web_vitals_FCP_value",
    "$web_vitals_CLS_value",
];

impl Schema<'_> {
    pub(super) fn event(&self, rows: &str, parts: &[&str]) -> Option<Sql> {
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
                let members: Option<Vec<String>> = PROPERTIES
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
            [name] | ["properties", name] if self.is_of_traffic(name) => {
                self.traffic(rows, name)?
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
            "$referrer" => nullable_text(format!(
                "CASE h_word({rows}.referrer) WHEN '$direct' THEN '$direct' ELSE 'https://' || h_word({rows}.referrer) || '/' END"
            )),
            "$browser_language" => word(format!("{rows}.language"), true),
            "$browser_language_prefix" => nullable_text(format!(
                "substr(h_word({rows}.language), 1, instr(h_word({rows}.language) || '-', '-') - 1)"
            )),
            "$raw_user_agent" => word(format!("{rows}.agent"), true),
            utm if utm.starts_with("utm_") => campaign(rows, utm.strip_prefix("utm_")?)?,
            "amount" => Sql::new(
                format!("CAST({rows}.amount AS REAL)"),
                Type::nullable(Kind::Float),
            ),
            "currency" => nullable_text(format!(
                "CASE WHEN {rows}.amount IS NOT NULL THEN 'EUR' END"
            )),
            name if name.starts_with("$exception_") => exception(rows, name)?,
            name if name.starts_with("$web_vitals_") => vital(rows, name)?,
            _ => return None,
        })
    }
}

/// A `utm_…` value of the campaign that a row of events or sessions refers to.
pub(super) fn campaign(rows: &str, name: &str) -> Option<Sql> {
    let known = ["source", "medium", "campaign", "term", "content"];
    known.contains(&name).then(|| {
        let read =
            format!("(SELECT u.{name} FROM campaign_rows AS u WHERE u.id = {rows}.campaign)");
        word(read, true)
    })
}

/// What an `$exception` says of its error. The lists are kept as JSON texts, as PostHog keeps them.
fn exception(rows: &str, name: &str) -> Option<Sql> {
    let read = |what: &str| {
        format!(
            "(SELECT {what} FROM exception_rows AS x WHERE x.timestamp = {rows}.timestamp AND x.nth = {rows}.nth)"
        )
    };
    let what = match name {
        "$exception_types" => "json_array(h_word(x.kind))",
        "$exception_values" => "json_array(h_word(x.message))",
        "$exception_fingerprint" => return Some(word(read("x.fingerprint"), true)),
        "$exception_level" => "'error'",
        "$exception_handled" => "CASE WHEN x.handled THEN 'true' ELSE 'false' END",
        "$exception_list" => {
            "json_array(json_object('type', h_word(x.kind), 'value', h_word(x.message), \
             'mechanism', json_object('handled', json(CASE WHEN x.handled THEN 'true' ELSE 'false' END))))"
        }
        _ => return None,
    };
    Some(nullable_text(read(what)))
}

/// What a `$web_vitals` measured: texts, as PostHog gives numbers that no property definition calls numbers.
fn vital(rows: &str, name: &str) -> Option<Sql> {
    let what = match name {
        "$web_vitals_LCP_value" => "CAST(v.lcp AS TEXT)",
        "$web_vitals_INP_value" => "CAST(v.inp AS TEXT)",
        "$web_vitals_FCP_value" => "CAST(v.fcp AS TEXT)",
        "$web_vitals_CLS_value" => "CAST(v.cls / 1000.0 AS TEXT)",
        _ => return None,
    };
    Some(nullable_text(format!(
        "(SELECT {what} FROM vitals_rows AS v WHERE v.timestamp = {rows}.timestamp AND v.nth = {rows}.nth)"
    )))
}
