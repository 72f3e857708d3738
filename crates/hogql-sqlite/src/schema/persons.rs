//! `persons`, by what was seen of them first.

use super::{PERSON, Schema, missing, nullable_text, quoted, text, uuid, word};
use crate::sql::Sql;
use crate::types::{Kind, Type};

const PROPERTIES: [&str; 5] = [
    "email",
    "$geoip_country_code",
    "$os",
    "$browser",
    "$initial_referring_domain",
];

impl Schema<'_> {
    pub(super) fn person(&self, rows: &str, parts: &[&str]) -> Option<Sql> {
        let identified = format!("({rows}.internal OR {rows}.id % 3 = 0)");
        Some(match parts {
            ["id"] => uuid(PERSON, &format!("{rows}.id")),
            ["created_at"] => self.instant(format!("{rows}.created_at")),
            ["is_identified"] => Sql::new(identified, Type::plain(Kind::Boolean)),
            ["properties"] => {
                let members: Option<Vec<String>> = PROPERTIES
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
                "(CASE WHEN {rows}.internal THEN 'team' || {rows}.id || '@' || {website} \
                 WHEN {rows}.id % 3 = 0 THEN 'visitor' || {rows}.id || '@example.com' END)",
                website = quoted(self.website),
            )),
            ["properties", "$geoip_country_code"] => word(format!("{rows}.country"), true),
            ["properties", "$os"] => word(format!("{rows}.os"), true),
            ["properties", "$browser"] => word(format!("{rows}.browser"), true),
            ["properties", "$initial_referring_domain"] => word(format!("{rows}.referrer"), true),
            ["properties", _, ..] => missing(),
            _ => return None,
        })
    }
}
