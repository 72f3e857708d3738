//! Faults of a refresh below HTTP, and of the clock and the files around it; `faults.rs` has the others.
//! Each is met once while the token still serves, which nobody may notice, and once after it has run
//! out, which is reported and recovers.

use std::net::SocketAddr;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use sign_in_with_posthog::{Connection, Session, SessionError};

use crate::harness::{self, Harness, MovedClock};
use crate::posthog::{Fault, Kind, PostHog, refusal};
use test_support::Reply;

const TOKEN: &str = "/oauth/token";

/// Waits that are noted after a first failure are over by then, and PostHog's grace is not.
const A_WHILE: i64 = 60;

/// Has `trouble` at both times and for both kinds of client; `told` is what the error has to say.
async fn heals(told: &str, trouble: impl Fn(&Harness), over: impl Fn(&Harness)) {
    heals_with(&test_support::http::client(), told, trouble, over).await;
}

/// As [`heals`], with another client in the program that meets the trouble.
async fn heals_with(
    http: &reqwest::Client,
    told: &str,
    trouble: impl Fn(&Harness),
    over: impl Fn(&Harness),
) {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        let program = harness.another_program_with(http.clone());
        let session = program.session(&connection.id);
        harness.leave(300);
        trouble(&harness);
        session.access_token().await.unwrap();
        over(&harness);
        harness.clock.advance(A_WHILE);
        harness.token(&connection).await;

        harness.leave(0);
        trouble(&harness);
        let error = session.access_token().await.unwrap_err();
        assert!(error.is_transient(), "{kind:?}: {error:?}");
        assert!(error.to_string().contains(told), "{kind:?}: {error}");
        over(&harness);
        harness.clock.advance(A_WHILE);
        harness.token(&connection).await;
        assert!(harness.sign_in.connections().unwrap()[0].is_active());
    }
}

#[tokio::test]
async fn the_connection_is_refused() {
    heals(
        "offline: 127.0.0.1 could not be reached",
        |harness| harness.posthog.unplug(),
        |harness| harness.posthog.plug_in(),
    )
    .await;
}

#[tokio::test]
async fn no_answer_comes_in_time() {
    heals_with(
        &harness::impatient_http(),
        "did not answer in time",
        |harness| {
            harness
                .posthog
                .fail(TOKEN, 3, Fault::Before(|| Reply::Hang))
        },
        |harness| harness.posthog.heal(),
    )
    .await;
}

#[tokio::test]
async fn the_answer_has_no_end() {
    heals(
        "sent a response that is too long",
        |harness| {
            harness
                .posthog
                .fail(TOKEN, 3, Fault::Before(|| Reply::Endless(200)))
        },
        |harness| harness.posthog.heal(),
    )
    .await;
}

#[tokio::test]
async fn every_answer_is_lost_after_posthog_has_rotated() {
    heals(
        "the connection to 127.0.0.1 broke",
        |harness| {
            harness
                .posthog
                .fail(TOKEN, 3, Fault::After(|_| Reply::Close))
        },
        |harness| harness.posthog.heal(),
    )
    .await;
}

#[tokio::test]
async fn the_disk_is_fine_and_the_list_of_connections_is_not() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        let list = harness.folder().join("sign-in/connections.json");
        std::fs::write(&list, "{").unwrap();
        let error = harness.sign_in.connections().unwrap_err().to_string();
        assert!(error.contains("connections.json"), "{error}");
        // The Vault is what counts.
        harness.leave(0);
        harness.token(&connection).await;
        std::fs::remove_file(&list).unwrap();
        harness.leave(0);
        harness.token(&connection).await;
    }
}

/// A name server that knows nothing.
struct NoNames;

impl Resolve for NoNames {
    fn resolve(&self, _name: Name) -> Resolving {
        let failed: Result<Addrs, _> = Err("no name server".into());
        Box::pin(std::future::ready(failed))
    }
}

#[tokio::test]
async fn the_name_does_not_resolve() {
    for kind in Kind::BOTH {
        let clock = std::sync::Arc::new(MovedClock::default());
        let posthog = PostHog::start_named("localhost", kind, clock.clone());
        let address: SocketAddr = posthog.address();
        let http = test_support::http::client_builder().resolve("localhost", address);
        let harness = Harness::at(posthog, kind, clock, http.build().unwrap());
        let connection = harness.connect().await;
        harness.leave(0);
        let http = test_support::http::client_builder()
            .dns_resolver(NoNames)
            .build()
            .unwrap();
        let session = harness.another_program_with(http).session(&connection.id);
        told_and_healed(&harness, &connection, &session, "could not be reached").await;
    }
}

#[tokio::test]
async fn the_certificate_is_not_trusted_any_more() {
    for kind in Kind::BOTH {
        let clock = std::sync::Arc::new(MovedClock::default());
        let posthog = PostHog::start_with_tls(kind, clock.clone());
        let harness = Harness::at(posthog, kind, clock, harness::trusting_http());
        let connection = harness.connect().await;
        harness.leave(0);
        let session = harness.another_program().session(&connection.id);
        told_and_healed(&harness, &connection, &session, "certificate").await;
    }
}

/// `session` cannot reach PostHog and says why; the harness's own can, a while later.
async fn told_and_healed(
    harness: &Harness,
    connection: &Connection,
    session: &Session,
    told: &str,
) {
    let before = harness.posthog.count(TOKEN);
    let error = session.access_token().await.unwrap_err();
    assert!(matches!(error, SessionError::Offline { .. }), "{error:?}");
    assert!(error.to_string().contains(told), "{error}");
    assert_eq!(harness.posthog.count(TOKEN), before);
    harness.clock.advance(A_WHILE);
    harness.token(connection).await;
}

#[tokio::test]
async fn posthog_asks_for_an_hour_of_patience() {
    let in_seconds: fn() -> Reply =
        || Reply::Response(refusal(429, "slow_down").with("Retry-After", "3600"));
    let as_a_date: fn() -> Reply = || {
        Reply::Response(
            refusal(429, "slow_down")
                .with("Date", "Tue, 24 Nov 2026 18:30:00 GMT")
                .with("Retry-After", "Tue, 24 Nov 2026 19:30:00 GMT"),
        )
    };
    for (kind, busy) in [(Kind::Rotating, in_seconds), (Kind::Keeping, as_a_date)] {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        harness.leave(0);
        harness.posthog.fail(TOKEN, 1, Fault::Before(busy));
        let before = harness.posthog.count(TOKEN);
        let session = harness.session(&connection);
        let asked = std::time::Instant::now();
        for _ in 0..3 {
            let error = session.access_token().await.unwrap_err();
            let SessionError::Busy { retry_after } = error else {
                panic!("{error:?}");
            };
            assert!(retry_after > Duration::from_secs(3500));
        }
        assert!(
            asked.elapsed() < Duration::from_secs(30),
            "it was waited for"
        );
        // Other programs leave it alone too.
        let other = harness.another_program().session(&connection.id);
        other.access_token().await.unwrap_err();
        assert_eq!(harness.posthog.count(TOKEN), before + 1);
        harness.clock.advance(3600 + 900);
        harness.token(&connection).await;
    }
}

#[tokio::test]
async fn a_pause_noted_under_a_wrong_clock_is_not_kept() {
    const YEAR: i64 = 365 * 24 * 3600;
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        // The clock jumps ahead, PostHog cannot be reached, and the clock is put right.
        harness.clock.advance(YEAR);
        harness.posthog.unplug();
        let error = harness
            .session(&connection)
            .access_token()
            .await
            .unwrap_err();
        assert!(matches!(error, SessionError::Offline { .. }), "{error:?}");
        harness.posthog.plug_in();
        harness.clock.advance(-YEAR);
        harness.token(&connection).await;
    }
}

#[tokio::test]
async fn nobody_waits_for_a_refresh_while_the_token_serves() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        harness.leave(300);
        harness
            .posthog
            .fail(TOKEN, 1, Fault::Before(|| Reply::Hang));
        let refreshing = harness.another_program().session(&connection.id);
        let refresh = tokio::spawn(async move { refreshing.access_token().await });
        let before = harness.posthog.count(TOKEN);
        while harness.posthog.count(TOKEN) == before {
            tokio::task::yield_now().await;
        }
        // Another process holds the lock and waits for PostHog; this one goes on.
        harness.token(&connection).await;
        assert!(!refresh.is_finished());
        refresh.await.unwrap().unwrap();
    }
}
