//! Reads preferences entry by entry: an entry that this version does not understand leaves the others in effect.

use std::fmt::Write;
use std::path::Path;

use serde::Deserialize;
use toml_edit::{Document, DocumentMut, Item, Table, TableLike};

use super::{Preferences, PreferencesError, invalid, line_after};

/// An entry that is not understood: an unknown key, or a value that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignored {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
    /// Its place in the document.
    pub(super) keys: Vec<String>,
}

/// What can be understood of `text`, and what cannot.
///
/// # Errors
///
/// A text that is no TOML; `path` is named.
pub(super) fn parse(
    text: &str,
    path: &Path,
) -> Result<(Preferences, Vec<Ignored>), PreferencesError> {
    if let Ok(preferences) = Preferences::parse(text, path) {
        return Ok((preferences, Vec::new()));
    }
    let document = Document::parse(text)
        .map_err(|error: toml_edit::TomlError| invalid(text, path, error.into()))?;
    let mut reading = Reading {
        text,
        understood: Table::new(),
        ignored: Vec::new(),
    };
    reading.table(document.as_table(), &mut Vec::new());
    let mut understood = DocumentMut::new();
    *understood.as_table_mut() = reading.understood;
    let preferences =
        toml_edit::de::from_document(understood).map_err(|error| invalid(text, path, error))?;
    reading.ignored.sort_by_key(|ignored| ignored.line);
    Ok((preferences, reading.ignored))
}

/// The entries for one sentence.
pub(super) fn listed(ignored: &[Ignored]) -> String {
    const MOST: usize = 5;
    let mut list = String::new();
    for (place, entry) in ignored.iter().take(MOST).enumerate() {
        let between = if place > 0 { "; " } else { "" };
        // Writing to a text does not fail.
        write!(list, "{between}line {}: {}", entry.line, entry.what).ok();
    }
    if ignored.len() > MOST {
        write!(list, "; and {} more", ignored.len() - MOST).ok();
    }
    list
}

struct Reading<'a> {
    text: &'a str,
    understood: Table,
    ignored: Vec<Ignored>,
}

impl Reading<'_> {
    /// Tries each entry by itself; tables whose keys are chosen by the person are entered.
    fn table(&mut self, table: &dyn TableLike, above: &mut Vec<String>) {
        for (name, item) in table.iter() {
            above.push(name.to_owned());
            let below = item.as_table_like().filter(|_| {
                let path: Vec<&str> = above.iter().map(String::as_str).collect();
                matches!(
                    path.as_slice(),
                    ["projects" | "banner" | "alerts"] | ["projects" | "banner", _]
                )
            });
            match below {
                Some(below) => self.table(below, above),
                None => self.entry(table, name, item, above),
            }
            above.pop();
        }
    }

    fn entry(&mut self, table: &dyn TableLike, name: &str, item: &Item, keys: &[String]) {
        let mut alone = DocumentMut::new();
        put(alone.as_table_mut(), keys, item);
        let deserializer = toml_edit::de::Deserializer::from(alone);
        match Preferences::deserialize(deserializer) {
            Ok(_) => put(&mut self.understood, keys, item),
            Err(error) => {
                let span = table.key(name).and_then(toml_edit::Key::span);
                let before = span.and_then(|span| self.text.get(..span.start));
                let message = error.message().trim();
                let unknown = message.strip_prefix("unknown field ");
                self.ignored.push(Ignored {
                    line: line_after(before.unwrap_or_default()),
                    what: match unknown.and_then(|rest| rest.split(',').next()) {
                        Some(name) => format!("there is no preference {name}"),
                        None => format!("{name}: {message}"),
                    },
                    keys: keys.to_vec(),
                });
            }
        }
    }
}

fn put(table: &mut Table, keys: &[String], item: &Item) {
    match keys {
        [] => {}
        [last] => {
            table.insert(last, item.clone());
        }
        [first, rest @ ..] => {
            let below = table.entry(first).or_insert_with(toml_edit::table);
            if let Some(below) = below.as_table_mut() {
                put(below, rest, item);
            }
        }
    }
}
