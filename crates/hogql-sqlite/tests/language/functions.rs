use serde_json::json;

use super::value;

/// Each expression equals the value beside it.
#[track_caller]
fn hold(table: &[(&str, serde_json::Value)]) {
    let wrong: Vec<String> = table
        .iter()
        .filter_map(|(expression, expected)| {
            let found = value(expression);
            (found != *expected).then(|| format!("{expression} is {found}, not {expected}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn constants() {
    hold(&[
        ("1", json!(1)),
        ("-1.5", json!(-1.5)),
        ("1e3", json!(1000.0)),
        ("0x1F", json!(31)),
        ("'it''s'", json!("it's")),
        ("'it\\'s\\n'", json!("it's\n")),
        ("NULL", json!(null)),
        ("true", json!(true)),
        ("[1, 2]", json!([1, 2])),
        ("(1, 'a')", json!([1, "a"])),
        ("[[1], [2, 3]]", json!([[1], [2, 3]])),
        ("'x\\0y'", json!("x\0y")),
    ]);
}

#[test]
fn operators_bind_as_in_clickhouse() {
    hold(&[
        ("1 + 2 * 3", json!(7)),
        ("(1 + 2) * 3", json!(9)),
        ("7 / 2", json!(3.5)),
        ("7 % 4", json!(3)),
        ("1 / 0", json!(null)),
        ("-2 - -3", json!(1)),
        ("'a' || 'b' || 1", json!("ab1")),
        ("NOT 1 = 2", json!(1)),
        ("1 = 2 OR 1 = 1 AND 2 = 2", json!(1)),
        ("3 BETWEEN 1 AND 3 AND 1", json!(1)),
        ("3 NOT BETWEEN 1 AND 2", json!(1)),
        ("1 < 2 ? 'yes' : 'no'", json!("yes")),
        ("NULL ?? 5", json!(5)),
        ("'5' = 5", json!(1)),
        ("2 == 2", json!(1)),
        ("2 <> 2", json!(0)),
        ("CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' END", json!("b")),
        ("CASE WHEN 1 > 2 THEN 'a' ELSE 'c' END", json!("c")),
        ("CAST('12' AS Int64)", json!(12)),
        ("'1.5'::Float64", json!(1.5)),
    ]);
}

#[test]
fn null_is_a_value_like_any_other_where_equality_is_meant() {
    hold(&[
        ("NULL = NULL", json!(1)),
        ("NULL != 'a'", json!(1)),
        ("toNullable('a') != 'a'", json!(0)),
        ("toNullable(1) > 0", json!(1)),
        ("toInt('x') > 0", json!(0)),
        ("toInt('x') IN (1, 2)", json!(0)),
        ("toInt('x') NOT IN (1, 2)", json!(1)),
        ("toInt('x') IS NULL", json!(1)),
        ("isNotNull(NULL)", json!(0)),
        ("NULL LIKE 'a%'", json!(0)),
        ("NULL NOT LIKE 'a%'", json!(1)),
        ("ifNull(NULL, 'b')", json!("b")),
        ("coalesce(NULL, NULL, 3)", json!(3)),
        ("nullIf('a', 'a')", json!(null)),
        ("nullIf('a', 'b')", json!("a")),
        ("assumeNotNull(toInt('x'))", json!(0)),
    ]);
}

#[test]
fn choices() {
    hold(&[
        ("if(1 > 2, 'a', 'b')", json!("b")),
        ("multiIf(0, 'a', 1, 'b', 'c')", json!("b")),
        ("least(3, 1, 2)", json!(1)),
        ("greatest(3, 1, 2)", json!(3)),
        ("3 IN (1, 2, 3)", json!(1)),
        ("3 IN [1, 2]", json!(0)),
        ("'a' NOT IN ('b')", json!(1)),
        ("(1, 'a') IN ((1, 'a'), (2, 'b'))", json!(1)),
        ("(1, 'b') IN ((1, 'a'), (2, 'b'))", json!(0)),
        ("xor(1, 1)", json!(0)),
        ("and(1, 1, 0)", json!(0)),
        ("or(0, 1)", json!(1)),
    ]);
}

#[test]
fn text() {
    hold(&[
        ("lower('AbC')", json!("abc")),
        ("UPPER('abc')", json!("ABC")),
        ("length('é')", json!(2)),
        ("lengthUTF8('é')", json!(1)),
        ("substring('hello', 2, 3)", json!("ell")),
        ("substring('hello', -3)", json!("llo")),
        ("left('hello', 2)", json!("he")),
        ("right('hello', 2)", json!("lo")),
        ("startsWith('/blog/a', '/blog')", json!(1)),
        ("endsWith('a.png', '.jpg')", json!(0)),
        ("position('abc', 'c')", json!(3)),
        ("replaceAll('a-b-c', '-', '+')", json!("a+b+c")),
        ("replaceOne('a-b-c', '-', '+')", json!("a+b-c")),
        ("replaceRegexpAll('a1b22', '[0-9]+', '#')", json!("a#b#")),
        (
            "replaceRegexpOne('ab', '(a)(b)', '\\\\2\\\\1')",
            json!("ba"),
        ),
        ("extract('v1.2', 'v([0-9]+)')", json!("1")),
        ("match('/blog/1', '^/blog/[0-9]')", json!(1)),
        ("'abc' =~ 'B'", json!(0)),
        ("'abc' =~* 'B'", json!(1)),
        ("'abc' !~ 'x'", json!(1)),
        ("'Abc' LIKE 'a%'", json!(0)),
        ("'Abc' ILIKE 'a_C'", json!(1)),
        ("'50%' LIKE '50\\\\%'", json!(1)),
        ("'501' LIKE '50\\\\%'", json!(0)),
        ("'abc' NOT ILIKE 'B%'", json!(1)),
        ("concat('a', 1, NULL)", json!(null)),
        ("trim('  a ')", json!("a")),
        ("empty('')", json!(1)),
        ("notEmpty([1])", json!(1)),
        ("domain('https://a.example:80/x?y')", json!("a.example")),
        ("path('https://a.example/x/y?z=1')", json!("/x/y")),
        ("toString(1.0)", json!("1")),
        ("toString(true)", json!("true")),
        (
            "JSONExtractString('{\"a\": {\"b\": \"c\"}}', 'a', 'b')",
            json!("c"),
        ),
        ("JSONExtractFloat('{\"a\": [1.5]}', 'a', 1)", json!(1.5)),
        ("JSONHas('{\"a\": 1}', 'b')", json!(0)),
        ("toUUID('x')", json!(null)),
    ]);
}

#[test]
fn numbers() {
    hold(&[
        ("round(2.5)", json!(2.0)),
        ("round(1.23456, 2)", json!(1.23)),
        ("floor(-1.5)", json!(-2.0)),
        ("ceil(1.2)", json!(2.0)),
        ("abs(-3)", json!(3)),
        ("sqrt(9)", json!(3.0)),
        ("pow(2, 10)", json!(1024.0)),
        ("intDiv(7, 2)", json!(3)),
        ("toInt('12')", json!(12)),
        ("toInt('1.5')", json!(null)),
        ("toInt(1.9)", json!(1)),
        ("toFloat('1.5')", json!(1.5)),
        ("toFloat('x')", json!(null)),
        ("toIntOrZero('x')", json!(0)),
        ("9223372036854775807", json!(9_223_372_036_854_775_807_i64)),
    ]);
}

#[test]
fn arrays() {
    hold(&[
        ("length([1, 2, 3])", json!(3)),
        ("[10, 20][2]", json!(20)),
        ("[10, 20][-1]", json!(20)),
        ("[10, 20][5]", json!(0)),
        ("('a', 2).2", json!(2)),
        ("has([1, 2], 2)", json!(1)),
        ("indexOf(['a', 'b'], 'b')", json!(2)),
        ("arrayMap(x -> x * 2, [1, 2])", json!([2, 4])),
        ("arrayFilter(x -> x > 1, [1, 2, 3])", json!([2, 3])),
        ("arrayExists(x -> x = 'a', ['a'])", json!(1)),
        ("arrayCount(x -> x > 1, [1, 2, 3])", json!(2)),
        ("arraySum([1, 2, 3])", json!(6)),
        ("arraySort([3, 1, 2])", json!([1, 2, 3])),
        ("arraySort(x -> -x, [3, 1, 2])", json!([3, 2, 1])),
        ("arrayReverseSort([3, 1, 2])", json!([3, 2, 1])),
        ("arrayDistinct(['a', 'b', 'a'])", json!(["a", "b"])),
        ("arrayConcat([1], [2, 3])", json!([1, 2, 3])),
        ("arraySlice([1, 2, 3], 2, 1)", json!([2])),
        ("arrayReverse([1, 2])", json!([2, 1])),
        ("arrayStringConcat(['a', 'b'], '-')", json!("a-b")),
        ("splitByChar('/', 'a/b')", json!(["a", "b"])),
        ("splitByString(', ', 'a, b')[1]", json!("a")),
        ("range(3)", json!([0, 1, 2])),
        (
            "arrayMap(x -> arrayMap(y -> x + y, [1]), [1, 2])",
            json!([[2], [3]]),
        ),
    ]);
}

#[test]
fn instants() {
    hold(&[
        ("now()", json!("2026-11-24T10:00:00Z")),
        ("today()", json!("2026-11-24")),
        (
            "toDateTime('2026-01-02 03:04:05')",
            json!("2026-01-02T03:04:05Z"),
        ),
        (
            "toDateTime('2026-01-02 03:04:05', 'Europe/Berlin')",
            json!("2026-01-02T03:04:05+01:00"),
        ),
        (
            "parseDateTimeBestEffort('2026-01-02T03:04:05+02:00')",
            json!("2026-01-02T01:04:05Z"),
        ),
        (
            "toUnixTimestamp(toDateTime('1970-01-02 00:00:00'))",
            json!(86_400),
        ),
        ("fromUnixTimestamp(0)", json!("1970-01-01T00:00:00Z")),
        (
            "toDate('2026-01-31') + INTERVAL 1 MONTH",
            json!("2026-02-28"),
        ),
        (
            "toDateTime('2026-01-31 12:00:00') - INTERVAL 1 DAY",
            json!("2026-01-30T12:00:00Z"),
        ),
        ("now() - toIntervalHour(2)", json!("2026-11-24T08:00:00Z")),
        ("addDays(toDate('2026-01-01'), 1)", json!("2026-01-02")),
        (
            "dateAdd('month', 2, toDate('2026-01-01'))",
            json!("2026-03-01"),
        ),
        (
            "dateDiff('day', toDate('2026-01-01'), toDate('2026-03-01'))",
            json!(59),
        ),
        (
            "dateDiff('hour', toDateTime('2026-01-01 00:59:00'), toDateTime('2026-01-01 01:01:00'))",
            json!(1),
        ),
        ("dateTrunc('month', now())", json!("2026-11-01")),
        ("toStartOfHour(now() + 90)", json!("2026-11-24T10:00:00Z")),
        (
            "toStartOfMinute(toDateTime('2026-01-01 00:01:59'))",
            json!("2026-01-01T00:01:00Z"),
        ),
        (
            "toStartOfFifteenMinutes(toDateTime('2026-01-01 00:44:59'))",
            json!("2026-01-01T00:30:00Z"),
        ),
        (
            "toStartOfInterval(toDateTime('2026-01-01 05:44:59'), INTERVAL 4 HOUR)",
            json!("2026-01-01T04:00:00Z"),
        ),
        ("toStartOfWeek(toDate('2026-11-24'))", json!("2026-11-22")),
        (
            "toStartOfWeek(toDate('2026-11-24'), 1)",
            json!("2026-11-23"),
        ),
        ("toMonday(toDate('2026-11-24'))", json!("2026-11-23")),
        ("toStartOfMonth(now())", json!("2026-11-01")),
        ("toStartOfYear(now())", json!("2026-01-01")),
        ("toHour(now())", json!(10)),
        ("toDayOfWeek(toDate('2026-11-29'))", json!(7)),
        ("toYYYYMM(now())", json!(202_611)),
        ("EXTRACT(YEAR FROM now())", json!(2026)),
        (
            "formatDateTime(now(), '%Y-%m-%d %H:%i')",
            json!("2026-11-24 10:00"),
        ),
        ("toString(toDate('2026-11-24'))", json!("2026-11-24")),
        ("toString(now())", json!("2026-11-24 10:00:00")),
        ("now() - toDateTime('2026-11-24 09:59:00')", json!(60)),
        ("toDate(now()) = '2026-11-24'", json!(1)),
        ("now() > '2026-11-24 09:00:00'", json!(1)),
        ("toDateTime('2026-11-24') = toDate('2026-11-24')", json!(1)),
    ]);
}
