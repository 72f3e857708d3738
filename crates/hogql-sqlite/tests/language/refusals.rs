use hogql_sqlite::ErrorKind;

use super::refused;

/// Each text is refused with the code and with a message that contains the words.
#[track_caller]
fn hold(table: &[(&str, &str, &str)]) {
    let wrong: Vec<String> = table
        .iter()
        .filter_map(|(text, code, words)| {
            let error = refused(text);
            let right = error.code == *code
                && error.message.contains(words)
                && matches!(error.kind, ErrorKind::Refused | ErrorKind::Unsupported)
                && error.place.is_some();
            (!right).then(|| format!("{text}: {error:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn what_is_no_hogql() {
    hold(&[
        (
            "",
            "invalid_input",
            "mismatched input '<EOF>' expecting SELECT",
        ),
        (
            "SELEC 1",
            "invalid_input",
            "mismatched input 'SELEC' expecting SELECT",
        ),
        (
            "SELECT count( FROM events",
            "invalid_input",
            "mismatched input 'FROM'",
        ),
        (
            "SELECT 1 FROM events WHERE",
            "invalid_input",
            "mismatched input '<EOF>'",
        ),
        ("SELECT 1; SELECT 2", "invalid_input", "';"),
        ("SELECT 'open", "invalid_input", "token recognition error"),
        ("SELECT 1 +", "invalid_input", "<EOF>"),
        ("SELECT (1", "invalid_input", "expecting ')'"),
        ("SELECT 1 UNION SELECT 2", "invalid_input", "expecting ALL"),
        (
            "INSERT INTO events VALUES (1)",
            "invalid_input",
            "expecting SELECT",
        ),
        ("DROP TABLE event_rows", "invalid_input", "expecting SELECT"),
        (
            "SELECT now() - INTERVAL 1 FORTNIGHT",
            "invalid_input",
            "SECOND, MINUTE",
        ),
    ]);
}

#[test]
fn what_does_not_exist() {
    hold(&[
        (
            "SELECT 1 FROM visits",
            "invalid_input",
            "Unknown table `visits`.",
        ),
        (
            "SELECT 1 FROM event_rows",
            "invalid_input",
            "Unknown table `event_rows`.",
        ),
        (
            "SELECT 1 FROM sqlite_schema",
            "invalid_input",
            "Unknown table",
        ),
        (
            "SELECT pathname FROM events",
            "invalid_input",
            "Unable to resolve field: pathname",
        ),
        (
            "SELECT session.$pathname FROM events",
            "invalid_input",
            "Unable to resolve field: session.$pathname",
        ),
        (
            "SELECT rowid FROM persons",
            "invalid_input",
            "Unable to resolve field: rowid",
        ),
        (
            "SELECT event",
            "invalid_input",
            "Unable to resolve field: event",
        ),
        (
            "SELECT m FROM (SELECT 1 AS n)",
            "invalid_input",
            "Unable to resolve field: m",
        ),
        (
            "SELECT makeItSo(1)",
            "invalid_input",
            "Unsupported function call 'makeItSo(...)'.",
        ),
        (
            "SELECT uniqExct(1)",
            "invalid_input",
            "Perhaps you meant 'uniqExact(...)'?",
        ),
        (
            "SELECT uniqCombined(1)",
            "invalid_input",
            "Unsupported function call",
        ),
        (
            "SELECT quantileExact(0.5)(1)",
            "invalid_input",
            "Unsupported function call",
        ),
        (
            "SELECT h_word(1)",
            "invalid_input",
            "Unsupported function call",
        ),
        (
            "SELECT sqlite_version()",
            "invalid_input",
            "Unsupported function call",
        ),
        (
            "SELECT load_extension('x')",
            "invalid_input",
            "Unsupported function call",
        ),
        (
            "SELECT toTimeZone(now(), 'Mars/Base')",
            "bad_arguments",
            "Mars/Base",
        ),
    ]);
}

#[test]
fn what_does_not_fit() {
    hold(&[
        (
            "SELECT toFloat()",
            "invalid_input",
            "Function 'toFloat' expects 1 argument, found 0",
        ),
        (
            "SELECT uniqExactIf(event) FROM events",
            "invalid_input",
            "found 1",
        ),
        (
            "SELECT event + 1 FROM events",
            "illegal_type_of_argument",
            "String",
        ),
        (
            "SELECT properties.$os > 5 FROM events",
            "no_common_type",
            "no supertype",
        ),
        ("SELECT if(1, 'a', 2)", "no_common_type", "no supertype"),
        (
            "SELECT sum(event) FROM events",
            "illegal_type_of_argument",
            "sum",
        ),
        (
            "SELECT event, count() FROM events",
            "not_an_aggregate",
            "Column `event` is not under aggregate function",
        ),
        (
            "SELECT timestamp FROM events GROUP BY event",
            "not_an_aggregate",
            "timestamp",
        ),
        (
            "SELECT 1 FROM events WHERE count() > 1",
            "illegal_aggregation",
            "WHERE",
        ),
        (
            "SELECT sum(count()) FROM events",
            "illegal_aggregation",
            "cannot be nested",
        ),
        (
            "SELECT toDateTime64('2026-11-24 10:00:00')",
            "illegal_type_of_argument",
            "precision",
        ),
        (
            "SELECT toDateTime('yesterday')",
            "cannot_parse_datetime",
            "yesterday",
        ),
        (
            "SELECT 1 FROM events WHERE event",
            "illegal_type_of_column_for_filter",
            "String",
        ),
        (
            "SELECT match('a', '(')",
            "cannot_compile_regexp",
            "regular expression",
        ),
        ("SELECT arrayMap(x -> x, 1)", "type_mismatch", "array"),
        (
            "SELECT event FROM events AS a JOIN events AS b ON a.uuid = b.uuid",
            "invalid_input",
            "Ambiguous",
        ),
    ]);
    assert_eq!(
        refused("SELECT 1 AS a UNION ALL SELECT 1, 2").code,
        "union_all_result_structures_mismatch"
    );
    assert_eq!(
        refused("SELECT 1 LIMIT -1").code,
        "invalid_limit_expression"
    );
}

#[test]
fn what_would_take_the_stack_or_forever() {
    let deep = format!("SELECT {}1{}", "(".repeat(5_000), ")".repeat(5_000));
    assert!(refused(&deep).message.contains("too"));
    let not = format!("SELECT {}1", "NOT ".repeat(5_000));
    assert!(refused(&not).message.contains("too"));
    let long = format!("SELECT 1{}", " + 1".repeat(20_000));
    assert_eq!(refused(&long).message, "The query is too long");
    let explosion: Vec<String> = (0..64)
        .map(|nth| format!("a{nth} + a{nth} AS a{}", nth + 1))
        .collect();
    assert_eq!(
        refused(&format!("SELECT 1 AS a0, {}", explosion.join(", "))).message,
        "The query is too long"
    );
}

#[test]
fn a_long_chain_is_no_deep_tree() {
    let answer = super::value(&format!("1{}", " + 1".repeat(900)));
    assert_eq!(answer, 901);
    let either: Vec<String> = (0..900).map(|nth| format!("1 = {nth}")).collect();
    assert_eq!(super::value(&either.join(" OR ")), 1);
}
