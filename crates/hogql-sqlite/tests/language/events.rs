//! What the properties of events hold besides pages: campaigns, languages, senders, errors, vitals.

use hogql_sqlite::{Database, Event, Exception, Query, Utm, Vitals};
use serde_json::json;

use super::{NOW, ask, at, rows, store, view};

const NEWSLETTER: Utm<'static> = Utm {
    source: Some("Newsletter"),
    medium: Some("email"),
    campaign: Some("spring"),
    term: None,
    content: Some("footer"),
};
const GOOGLE_AD: Utm<'static> = Utm {
    source: Some("google"),
    medium: Some("cpc"),
    campaign: None,
    term: Some("hedgehogs"),
    content: None,
};
const FAILURE: Exception<'static> = Exception {
    kind: "RangeError",
    message: "it's \"odd\"",
    fingerprint: "abc",
    handled: true,
};

fn of_session(session: u32, time: &str) -> Event<'static> {
    Event {
        person: session,
        session,
        ..view(time)
    }
}

fn site() -> Database {
    store(
        "UTC",
        vec![
            Event {
                language: Some("de-AT"),
                utm: Some(&NEWSLETTER),
                ..of_session(1, "2026-11-24T08:00:00Z")
            },
            Event {
                utm: Some(&GOOGLE_AD),
                referring_domain: Some("www.google.com"),
                ..of_session(2, "2026-11-24T08:10:00Z")
            },
            Event {
                referring_domain: Some("www.google.com"),
                user_agent: Some(
                    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
                ),
                ..of_session(3, "2026-11-24T08:20:00Z")
            },
            Event {
                event: "$exception",
                exception: Some(&FAILURE),
                user_agent: None,
                referring_domain: Some("$direct"),
                ..of_session(4, "2026-11-24T08:30:00Z")
            },
            Event {
                event: "$web_vitals",
                vitals: Some(Vitals {
                    lcp: Some(1240),
                    cls: Some(85),
                    ..Vitals::default()
                }),
                user_agent: Some("curl/8.5.0"),
                referring_domain: Some("bsky.app"),
                ..of_session(5, "2026-11-24T08:40:00Z")
            },
        ],
    )
}

#[test]
fn campaigns_and_languages() {
    let text = "SELECT properties.utm_source, properties.utm_medium, properties.utm_campaign, properties.utm_term, \
                properties.utm_content, properties.$browser_language, properties.$browser_language_prefix, \
                session.$entry_utm_source, session.$entry_utm_content FROM events ORDER BY timestamp LIMIT 3";
    assert_eq!(
        rows(&site(), text),
        json!([
            [
                "Newsletter",
                "email",
                "spring",
                null,
                "footer",
                "de-AT",
                "de",
                "Newsletter",
                "footer"
            ],
            [
                "google",
                "cpc",
                null,
                "hedgehogs",
                null,
                null,
                null,
                "google",
                null
            ],
            [null, null, null, null, null, null, null, null, null]
        ])
    );
    let text = "SELECT properties.utm_source AS s, count() FROM events WHERE properties.utm_medium != 'cpc' GROUP BY s ORDER BY s";
    assert_eq!(rows(&site(), text), json!([["Newsletter", 1], [null, 3]]));
}

#[test]
fn channels_follow_posthogs_rules() {
    let text = "SELECT $channel_type FROM sessions ORDER BY $start_timestamp";
    assert_eq!(
        rows(&site(), text),
        json!([
            ["Email"],
            ["Paid Search"],
            ["Organic Search"],
            ["Direct"],
            ["Organic Social"]
        ])
    );
}

#[test]
fn senders_without_a_user_agent_are_bots_as_posthog_has_it() {
    let text = "SELECT $virt_is_bot, $virt_traffic_type, $virt_traffic_category, $virt_bot_name, properties.$virt_bot_operator \
                FROM events ORDER BY timestamp LIMIT 5 OFFSET 1";
    assert_eq!(
        rows(&site(), text),
        json!([
            [false, "Regular", "regular", "", ""],
            [true, "Bot", "search_crawler", "Googlebot", "Google"],
            [true, "Automation", "no_user_agent", "", ""],
            [true, "Automation", "http_client", "curl", ""]
        ])
    );
    assert_eq!(
        rows(&site(), "SELECT count() FROM events WHERE NOT $virt_is_bot"),
        json!([[2]])
    );
}

#[test]
fn an_older_server_does_not_know_bots() {
    let site = site();
    let old = |text| Query::new(text).now(at(NOW)).knows_bots(false);
    let text = "SELECT count() FROM events WHERE NOT $virt_is_bot";
    for error in [
        site.run(&old(text)).unwrap_err(),
        site.check(&old(text)).unwrap_err(),
    ] {
        assert_eq!(error.message, "Unable to resolve field: $virt_is_bot");
    }
    // As a property it is one that nothing has.
    let text = "SELECT count() FROM events WHERE properties.$virt_is_bot IS NULL";
    assert_eq!(site.run(&old(text)).unwrap().rows, [[json!(5)]]);
}

#[test]
fn errors_and_vitals() {
    let site = site();
    let text = "SELECT properties.$exception_types, properties.$exception_values, properties.$exception_fingerprint, \
                properties.$exception_level, JSONExtract(properties.$exception_values, 'Array(String)')[1], \
                JSONExtractString(properties.$exception_list, 1, 'type') FROM events WHERE event = '$exception'";
    assert_eq!(
        rows(&site, text),
        json!([[
            "[\"RangeError\"]",
            "[\"it's \\\"odd\\\"\"]",
            "abc",
            "error",
            "it's \"odd\"",
            "RangeError"
        ]])
    );
    let text = "SELECT toFloat(properties.$web_vitals_LCP_value), toFloat(properties.$web_vitals_CLS_value), \
                properties.$web_vitals_INP_value, toTypeName(properties.$web_vitals_LCP_value) \
                FROM events WHERE event = '$web_vitals'";
    assert_eq!(
        rows(&site, text),
        json!([[1240.0, 0.085, null, "Nullable(String)"]])
    );
    let text = "SELECT quantileIf(0.75)(toFloat(properties.$web_vitals_LCP_value), event = '$web_vitals') FROM events";
    assert_eq!(rows(&site, text), json!([[1240.0]]));
    assert!(ask(&site, "SELECT properties FROM events").is_ok());
}
