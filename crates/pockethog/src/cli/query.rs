//! `pockethog query`: runs a HogQL query and prints the result as a table, as JSON or as CSV.

use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;

use clap::Args;
use posthog_api::error::Error;
use posthog_api::query::QueryNotice;
use posthog_api::{HogQl, Rows};
use serde_json::{Map, Value, json};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::console::{CliError, Console, Exit, Progress, Style, Text};
use super::patience::Patience;
use super::select::Target;
use super::table::{self, Cell, Column};
use pockethog_core::app_context::AppContext;
use pockethog_views::format::grouped;
use pockethog_views::plain::is_hidden;

/// Longest query text, in bytes.
const LONGEST_QUERY: u64 = 1024 * 1024;

/// Rows that PostHog returns at most, whatever the LIMIT.
const MOST_ROWS: usize = 50_000;

/// Run a query on a project in HogQL, PostHog's SQL.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog query Acorn 'SELECT event, count() FROM events GROUP BY event ORDER BY 2 DESC LIMIT 10'
  pockethog query us/12 --file busiest.sql --csv > busiest.csv
  pockethog query us/12 --file busiest.sql --csv-guard > for-a-spreadsheet.csv
  pockethog query 12 'SELECT count() FROM events WHERE event = {ev}' --set 'ev=signed_up'
  echo 'SELECT 1' | pockethog query Acorn --json

--set NAME=VALUE sets the constant {NAME}. A VALUE of true, false, null or a number keeps its type,
anything else is text; '--set n=\"12\"', with the double quotes, is the text 12.
Without a LIMIT, PostHog returns the first 100 rows; it never returns more than 50,000.")]
pub struct Query {
    /// A number, a name, part of a name, or a key like us/12.
    project: String,
    /// The query; read from standard input if it is missing or `-`.
    #[arg(value_name = "HOGQL", conflicts_with = "file")]
    text: Option<String>,
    /// Read the query from a file.
    #[arg(long, short, value_name = "FILE")]
    file: Option<PathBuf>,
    /// The constant for a {placeholder} in the query; can be repeated.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = placeholder)]
    values: Vec<(String, Value)>,
    /// Print comma-separated values (RFC 4180), with a line of column names first.
    #[arg(long)]
    csv: bool,
    /// The same for a spreadsheet: an apostrophe prevents text from being run as a formula.
    #[arg(long, conflicts_with = "csv")]
    csv_guard: bool,
    /// Compute the result again, even if PostHog has it in its six-hour cache.
    #[arg(long)]
    fresh: bool,
    #[command(flatten)]
    pub(super) patience: Patience,
}

/// Runs the query.
///
/// # Errors
///
/// A text that cannot be read, a project that cannot be found, and whatever PostHog refuses: then
/// with the place in the text, if PostHog tells it.
pub async fn run(program: &AppContext, console: &Console, query: &Query) -> Result<Exit, CliError> {
    if (query.csv || query.csv_guard) && console.is_json() {
        return Err(CliError::usage(
            "--csv and --csv-guard cannot be used with --json",
        ));
    }
    let mut ask = HogQl::new("pockethog query", text(query)?);
    ask.fresh = query.fresh;
    for (name, value) in &query.values {
        if ask.values.contains_key(name) {
            return Err(CliError::usage(format!("{name} is set twice; set it once")));
        }
        ask = ask.set(name, value.clone());
    }
    let target = Target::find(program, console, &query.project).await?;
    let progress = Progress::new(format!("Asking {} …", target.name));
    let organization = target.project.organization.as_deref();
    let asking = target
        .client
        .query(target.project.key.id, organization, &ask);
    let rows = match console.watch_in_time(&progress, asking).await? {
        Ok(rows) => rows,
        Err(error) => return Err(explained(console, &target, &ask, &error).await),
    };
    if console.is_json() {
        console.document(&json!({
            "project": target.project.key.to_string(),
            "columns": rows.columns,
            "types": rows.types,
            "rows": rows.rows,
            "has_more": rows.has_more,
            "is_cached": rows.is_cached,
        }));
    } else if query.csv {
        print_csv(console, &rows, csv_field);
    } else if query.csv_guard {
        print_csv(console, &rows, |text| csv_field(&guarded(text)));
    } else {
        print_table(console, &rows);
    }
    if !console.is_json() {
        remark(console, &rows);
    }
    Ok(Exit::Done)
}

/// Where the text comes from: the argument, a file, or standard input.
fn text(query: &Query) -> Result<String, CliError> {
    let text = match (&query.text, &query.file) {
        (Some(text), _) if text != "-" => text.clone(),
        (None, Some(path)) => std::fs::read_to_string(path)
            .map_err(|error| CliError::usage(format!("{}: {error}", path.display())))?,
        (None, None) if io::stdin().is_terminal() => {
            return Err(CliError::usage(
                "the query is missing; give it as an argument, with --file, or on standard input",
            ));
        }
        _ => {
            let mut text = String::new();
            io::stdin()
                .take(LONGEST_QUERY)
                .read_to_string(&mut text)
                .map_err(|error| CliError::usage(format!("standard input: {error}")))?;
            text
        }
    };
    // The semicolon that other SQL programs want.
    let text = text.trim_end().trim_end_matches(';').trim_end();
    if text.trim().is_empty() {
        return Err(CliError::usage("the query is empty"));
    }
    Ok(text.to_owned())
}

/// `name=value` with the type that the value looks like.
fn placeholder(typed: &str) -> Result<(String, Value), String> {
    let (name, value) = typed
        .split_once('=')
        .ok_or("write it like name=value".to_owned())?;
    let is_name = |name: &str| {
        name.chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '.')
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
    };
    if !is_name(name) {
        return Err(format!(
            "“{name}” is not the name of a placeholder; a name begins with a letter and continues with \
             letters, digits and _"
        ));
    }
    let value = match serde_json::from_str(value) {
        Ok(typed @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_))) => typed,
        _ => Value::String(value.to_owned()),
    };
    Ok((name.to_owned(), value))
}

/// The refusal of a query, with the places in its text if PostHog tells them.
async fn explained(console: &Console, target: &Target, query: &HogQl, error: &Error) -> CliError {
    let refused = match error {
        Error::Invalid { status, detail, .. } if !detail.is_empty() => {
            CliError::failed(format!("PostHog refused the query ({status}): {detail}"))
        }
        _ => return target.refused(error),
    };
    let progress = Progress::new("Asking PostHog where the error is …");
    let checking = target
        .client
        .check_query(target.project.key.id, &query.text);
    // Only the place is lost if this fails.
    let Ok(Ok(check)) = console.watch_in_time(&progress, checking).await else {
        return refused;
    };
    let mut notices = check.errors;
    if !query.values.is_empty() {
        // The check knows no values, so it stumbles over every placeholder.
        notices.retain(|notice| !notice.message.to_lowercase().contains("placeholder"));
    }
    let width = console.columns_of_words().unwrap_or(100);
    let places: Vec<Value> = notices
        .iter()
        .map(|notice| {
            let (line, column) = notice
                .start
                .map(|start| position(&query.text, start))
                .unzip();
            json!({
                "message": notice.message,
                "start": notice.start,
                "end": notice.end,
                "line": line,
                "column": column,
            })
        })
        .collect();
    let shown: Vec<Text> = notices
        .iter()
        .take(3)
        .filter_map(|notice| {
            // What was said already is not said again.
            let is_new = !error.to_string().contains(&notice.message);
            pointed(&query.text, notice, is_new, width)
        })
        .collect();
    if shown.is_empty() {
        return refused;
    }
    let mut fields = Map::new();
    fields.insert("query_errors".to_owned(), Value::Array(places));
    refused.with_details(shown.into_iter().collect(), Value::Object(fields))
}

/// Line and column, both from 1, of a character counted from 0.
fn position(text: &str, character: usize) -> (usize, usize) {
    let before: Vec<char> = text.chars().take(character).collect();
    let line = before.iter().filter(|&&c| c == '\n').count() + 1;
    let column = before.iter().rev().take_while(|&&c| c != '\n').count() + 1;
    (line, column)
}

/// The line of the text that a notice is about, with a caret below the place.
fn pointed(text: &str, notice: &QueryNotice, with_message: bool, width: usize) -> Option<Text> {
    /// Columns before the place that are shown of a long line.
    const BEFORE: usize = 30;
    let start = notice.start?;
    let (line_number, column) = position(text, start);
    let line: Vec<char> = text
        .lines()
        .nth(line_number - 1)
        .unwrap_or_default()
        .chars()
        .map(|c| if is_hidden(c) { ' ' } else { c })
        .collect();
    let at = (column - 1).min(line.len());
    let length = notice.end.unwrap_or(start + 1).saturating_sub(start).max(1);
    let until = (at + length).min(line.len()).max(at + 1);
    let room = width.saturating_sub(6).max(20);
    let from = if line.iter().collect::<String>().width() > room {
        at.saturating_sub(BEFORE)
    } else {
        0
    };
    let mut shown = String::new();
    let (mut before, mut below) = (0, 0);
    for (place, &c) in line.iter().enumerate().skip(from) {
        let columns = c.width().unwrap_or(0);
        if shown.width() + columns > room {
            break;
        }
        shown.push(c);
        if place < at {
            before += columns;
        } else if place < until {
            below += columns;
        }
    }
    let carets = "^".repeat(below.max(1));
    let message = if with_message {
        format!(": {}", notice.message)
    } else {
        String::new()
    };
    let place = Text::from(format!("  line {line_number}, column {column}{message}"));
    let carets = format!("    {}{carets}", " ".repeat(before));
    Some(place.below(format!("    {shown}")).below(carets))
}

fn print_table(console: &Console, rows: &Rows) {
    let columns: Vec<Column<'_>> = rows
        .columns
        .iter()
        .enumerate()
        .map(|(place, title)| {
            let mut values = rows.rows.iter().filter_map(|row| row.get(place));
            if !rows.rows.is_empty() && values.all(|value| value.is_number() || value.is_null()) {
                Column::number(title)
            } else {
                Column::text(title)
            }
        })
        .collect();
    let cells: Vec<Vec<Cell>> = rows
        .rows
        .iter()
        .map(|row| row.iter().map(cell).collect())
        .collect();
    table::print(console, &columns, &cells);
}

fn cell(value: &Value) -> Cell {
    match value {
        Value::Null => Cell::styled(Style::Faint, "–"),
        Value::String(text) => Cell::new(text),
        other => Cell::new(other.to_string()),
    }
}

fn print_csv(console: &Console, rows: &Rows, field: fn(&str) -> String) {
    let line = |fields: Vec<String>| console.record(&fields.join(","));
    line(rows.columns.iter().map(|title| field(title)).collect());
    for row in &rows.rows {
        if console.is_closed() {
            return;
        }
        line(
            row.iter()
                .map(|value| match value {
                    Value::Null => String::new(),
                    Value::String(text) => field(text),
                    Value::Array(_) | Value::Object(_) => field(&value.to_string()),
                    Value::Bool(_) | Value::Number(_) => value.to_string(),
                })
                .collect(),
        );
    }
}

/// RFC 4180: quoted if it holds a comma, a quote or a line end. An empty text is quoted too, which
/// tells it from no value.
fn csv_field(text: &str) -> String {
    if text.is_empty() || text.contains(['"', ',', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// A text that no spreadsheet takes for a formula: an apostrophe is put before every character that could begin one,
/// at the start of the field and of each part that another separator, or a line end, would make of it. A number
/// stays a number.
fn guarded(text: &str) -> String {
    if text.trim().parse::<f64>().is_ok_and(f64::is_finite) {
        return text.to_owned();
    }
    let mut safe = String::with_capacity(text.len() + 1);
    let mut begins = true;
    for letter in text.chars() {
        let is_separator = matches!(letter, ';' | '|' | ',' | '"' | '\t' | '\r' | '\n');
        let starts_formula = matches!(letter, '=' | '+' | '-' | '@' | '＝' | '＋' | '－' | '＠');
        // Some take a field that begins with a tab or a line end for one, too.
        let is_first = safe.is_empty() && letter.is_control();
        if begins && (starts_formula || is_first) {
            safe.push('\'');
        }
        safe.push(letter);
        // Blanks and what cannot be seen are skipped by those that look for formulas.
        begins = is_separator || (begins && (letter.is_whitespace() || is_hidden(letter)));
    }
    safe
}

fn remark(console: &Console, rows: &Rows) {
    let count = rows.rows.len();
    if rows.has_more {
        console.say(format!(
            "These are the first {count} rows, there are more: add a LIMIT of up to {}.",
            grouped(MOST_ROWS as u64)
        ));
    } else if count >= MOST_ROWS {
        console.say(format!(
            "PostHog returns no more than {} rows; there may be more.",
            grouped(MOST_ROWS as u64)
        ));
    } else if count == 0 {
        console.say("No rows.");
    }
    if rows.is_cached {
        console
            .say("PostHog answered from its cache, which may be six hours old; --fresh computes it again.");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_placeholder_has_the_type_that_it_looks_like() {
        for (typed, expected) in [
            ("a=12", json!(12)),
            ("a=-1.5", json!(-1.5)),
            ("a=true", json!(true)),
            ("a=null", Value::Null),
            ("a=\"12\"", json!("12")),
            ("a=signed_up", json!("signed_up")),
            ("a=", json!("")),
            ("a=x=y", json!("x=y")),
            ("a=[1]", json!("[1]")),
        ] {
            assert_eq!(placeholder(typed).unwrap().1, expected, "{typed}");
        }
        assert!(placeholder("a").is_err());
        assert!(placeholder("1a=2").is_err());
        assert!(placeholder("a b=2").is_err());
    }

    fn notice(start: usize, end: usize) -> QueryNotice {
        QueryNotice {
            message: "no".to_owned(),
            start: Some(start),
            end: Some(end),
        }
    }

    fn shown(text: &str, notice: &QueryNotice, with_message: bool, width: usize) -> String {
        let shown = pointed(text, notice, with_message, width);
        shown.unwrap().rendered(false)
    }

    #[test]
    fn the_caret_stands_below_the_place() {
        let text = "SELECT\n  猫, foo FROM events";
        assert_eq!(
            shown(text, &notice(12, 15), true, 80),
            "  line 2, column 6: no\n      猫, foo FROM events\n          ^^^"
        );
    }

    #[test]
    fn a_place_behind_the_text_is_its_end() {
        let shown = shown("SELECT", &notice(6, 7), false, 80);
        assert!(shown.ends_with("    SELECT\n          ^"), "{shown}");
        assert!(pointed("", &notice(900, 901), true, 80).is_some());
    }

    #[test]
    fn a_long_line_is_shown_around_the_place() {
        let text = format!("{} bad {}", "a".repeat(500), "b".repeat(500));
        let shown = shown(&text, &notice(501, 504), true, 60);
        assert!(shown.lines().all(|line| line.width() <= 60), "{shown}");
        assert!(shown.contains(" bad "));
    }

    #[test]
    fn csv_is_quoted_where_it_has_to_be() {
        let shown = ["plain", "a,b", "say \"hi\"", ""].map(csv_field);
        assert_eq!(shown, ["plain", "\"a,b\"", "\"say \"\"hi\"\"\"", "\"\""]);
    }

    #[test]
    fn a_guarded_text_is_no_formula_and_a_number_stays_one() {
        for (text, expected) in [
            ("plain = text", "plain = text"),
            ("=1+1", "'=1+1"),
            ("+cmd", "'+cmd"),
            ("-2+3", "'-2+3"),
            ("@SUM(A1)", "'@SUM(A1)"),
            ("\t=1", "'\t'=1"),
            (" \u{200b}=1", " \u{200b}'=1"),
            ("a;=1", "a;'=1"),
            ("a\"=1", "a\"'=1"),
            ("a\n=1", "a\n'=1"),
            ("a\r\nb", "a\r\nb"),
            ("＝1", "'＝1"),
            ("-5", "-5"),
            ("-1.5e3", "-1.5e3"),
            ("/a-b", "/a-b"),
        ] {
            assert_eq!(guarded(text), expected, "{text:?}");
        }
    }
}
