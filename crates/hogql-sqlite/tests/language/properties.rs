//! Whatever the text, there is an answer or a refusal.

use hogql_sqlite::Query;
use proptest::prelude::*;
use serde_json::Map;

use super::{NOW, run, store, view};

/// Pieces that meet in odd ways.
const PIECES: [&str; 60] = [
    "SELECT",
    "FROM",
    "events",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "LIMIT",
    "UNION ALL",
    "WITH",
    "AS",
    "(",
    ")",
    ",",
    "*",
    "1",
    "'a'",
    "count()",
    "uniqExact(person_id)",
    "properties.$pathname",
    "timestamp",
    "now()",
    "INTERVAL",
    "DAY",
    "-",
    "+",
    "=",
    "IN",
    "NOT",
    "NULL",
    "CASE",
    "WHEN",
    "THEN",
    "END",
    "[",
    "]",
    "{x}",
    "->",
    "x",
    "sessions",
    "JOIN",
    "ON",
    "e",
    ".",
    "::",
    "Int64",
    "toStartOfDay",
    "arrayJoin",
    "sum(",
    "OVER",
    "?",
    ":",
    "BETWEEN",
    "AND",
    "DESC",
    "'",
    "`",
    "\\",
    "é",
    "\0",
    "$",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_text_panics(text in "\\PC{0,80}") {
        let store = store("Europe/Berlin", vec![]);
        drop(run(&store, &text, &Map::new()));
    }

    #[test]
    fn no_row_of_pieces_panics(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..30)) {
        let store = store("Europe/Berlin", vec![view(NOW)]);
        let text = pieces.join(" ");
        for text in [text.clone(), format!("SELECT {text} FROM events")] {
            let ran = run(&store, &text, &Map::new()).is_ok();
            let checked = store.check(&Query::new(&text)).is_ok();
            // Running may still fail on the values.
            prop_assert!(checked || !ran, "{text}");
        }
    }

    #[test]
    fn a_text_is_the_same_text_after_a_round_trip(text in ".*") {
        let store = store("UTC", vec![]);
        let mut values = Map::new();
        values.insert("x".to_owned(), text.clone().into());
        let answer = run(&store, "SELECT {x}, concat({x}, ''), {x} = {x}", &values).unwrap();
        prop_assert_eq!(answer.rows[0][0].as_str(), Some(text.as_str()));
        prop_assert_eq!(answer.rows[0][1].as_str(), Some(text.as_str()));
        prop_assert_eq!(answer.rows[0][2].as_i64(), Some(1));
    }
}
