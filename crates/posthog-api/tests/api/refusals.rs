//! Every status and every broken answer: what it is called, and how often it is asked again.

use std::time::Duration;

use posthog_api::{AnnotationChange, Client, Error, Limits, NewAnnotation, Patience, RateLimiter};
use serde_json::json;

use test_support::{Reply, Response, ScriptedServer};

use crate::harness::{Credential, Replacement, client};

fn project() -> Response {
    Response::json(200, &json!({"id": 7, "name": "Rocket"}))
}

/// The error of a server that always replies so, and how often it was asked.
async fn refused(reply: impl Into<Reply>) -> (Error, usize) {
    let reply = reply.into();
    let server = ScriptedServer::start(move |_| reply.clone());
    let error = client(&server).project(7).await.unwrap_err();
    (error, server.count())
}

/// How often a server is asked whose first answer is `reply`, and what comes of it.
async fn once(reply: impl Into<Reply>) -> (Result<String, Error>, usize) {
    let reply = reply.into();
    let server = ScriptedServer::start(move |request| match request.number {
        0 => reply.clone(),
        _ => project().into(),
    });
    let result = client(&server).project(7).await;
    (result.map(|project| project.name), server.count())
}

#[tokio::test]
async fn a_missing_thing_is_told_with_posthogs_words() {
    let (error, asked) = refused(Response::refusal(404, "not_found", "Project not found.")).await;
    assert!(matches!(error, Error::NotFound(_)), "{error:?}");
    assert_eq!(
        error.to_string(),
        "PostHog cannot find it: Project not found."
    );
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn other_refusals_are_final() {
    for (status, body) in [
        (
            400,
            r#"{"type":"validation_error","code":"invalid_input","detail":"no","attr":"x"}"#,
        ),
        (
            402,
            r#"{"type":"server_error","code":"payment_required","detail":"no"}"#,
        ),
        (405, ""),
        (410, "<html></html>"),
        (422, r#"{"detail": ["a", "b"], "code": 5}"#),
    ] {
        let mut answer = Response::html(status);
        answer.body = body.into();
        let (error, asked) = refused(answer).await;
        let Error::Invalid { status: told, .. } = error else {
            panic!("{status}: {error:?}");
        };
        assert_eq!((told, asked), (status, 1));
        assert!(!error.is_transient() && !error.needs_sign_in());
    }
}

#[tokio::test]
async fn server_errors_are_transient_and_not_hammered() {
    for (status, most) in [
        (500, 1),
        (501, 1),
        (504, 1),
        (512, 1),
        (513, 1),
        (520, 1),
        (502, 2),
    ] {
        let (error, asked) = refused(Response::html(status)).await;
        assert!(error.is_transient(), "{status}: {error:?}");
        assert!(error.to_string().contains(&status.to_string()), "{error}");
        assert!(!error.to_string().contains("Bad gateway"), "{error}");
        assert_eq!(asked, most, "{status}");
    }
}

#[tokio::test]
async fn a_single_bad_gateway_is_asked_again() {
    let (result, asked) = once(Response::html(502)).await;
    assert_eq!(result.unwrap(), "Rocket");
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn a_503_is_asked_again_when_it_says_so() {
    let busy = Response::refusal(503, "database_unavailable", "busy").with("Retry-After", "0");
    let (result, asked) = once(busy.clone()).await;
    assert_eq!(result.unwrap(), "Rocket");
    assert_eq!(asked, 2);
    let (error, asked) = refused(busy).await;
    assert!(
        matches!(error, Error::Busy { status: 503, .. }),
        "{error:?}"
    );
    assert_eq!(asked, 3);
}

#[tokio::test]
async fn a_503_without_a_time_is_asked_again_a_little_later() {
    let (result, asked) = once(Response::html(503)).await;
    assert_eq!(result.unwrap(), "Rocket");
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn a_429_is_asked_again_after_its_time() {
    let throttled = Response::refusal(429, "throttled", "slow down").with("Retry-After", "1");
    let started = std::time::Instant::now();
    let (result, asked) = once(throttled).await;
    assert_eq!(result.unwrap(), "Rocket");
    assert_eq!(asked, 2);
    assert!(started.elapsed() >= std::time::Duration::from_secs(1));
}

#[tokio::test]
async fn a_429_without_a_time_is_asked_again_too() {
    let (result, asked) = once(Response::refusal(429, "throttled", "3 at a time")).await;
    assert_eq!(result.unwrap(), "Rocket");
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn a_429_for_longer_is_told_and_keeps_every_clone_quiet() {
    let throttled = Response::refusal(429, "throttled", "slow down").with("Retry-After", "57");
    let server = ScriptedServer::start(move |_| throttled.clone().into());
    let client = client(&server);
    for _ in 0..3 {
        let error = client.clone().project(7).await.unwrap_err();
        let wait = error.retry_after().unwrap().as_secs();
        assert!((50..=57).contains(&wait), "{error:?}");
        assert!(error.is_transient());
    }
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn retry_after_may_be_a_date() {
    let throttled = Response::refusal(429, "throttled", "slow down")
        .with("Date", "Tue, 24 Nov 2026 18:00:00 GMT")
        .with("Retry-After", "Tue, 24 Nov 2026 18:02:05 GMT");
    let (error, asked) = refused(throttled).await;
    assert_eq!(error.retry_after().unwrap().as_secs(), 125);
    assert_eq!(
        error.to_string(),
        "PostHog asked us to slow down, for 3 minutes"
    );
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_retry_after_that_makes_no_sense_is_none() {
    for odd in ["soon", "-5", "1e9", "99999999999999999999999"] {
        let busy = Response::refusal(504, "timeout", "x").with("Retry-After", odd);
        let (error, _) = refused(busy).await;
        assert_eq!(error.retry_after(), None, "{odd}");
    }
    let busy = Response::refusal(504, "timeout", "x").with("Retry-After", "9999999999");
    let (error, _) = refused(busy).await;
    assert_eq!(error.retry_after().unwrap().as_secs(), 24 * 3600);
}

#[tokio::test]
async fn a_200_that_is_no_answer_says_so() {
    let bodies = [
        "",
        "<html>",
        "{\"id\": 7",
        "[]",
        "{\"id\": \"seven\", \"name\": \"x\"}",
        "null",
    ];
    for body in bodies {
        let mut answer = project();
        answer.body = body.into();
        let (error, asked) = refused(answer).await;
        assert!(matches!(error, Error::BadAnswer(_)), "{body}: {error:?}");
        assert!(error.is_transient());
        assert_eq!(asked, 1, "{body}");
    }
}

#[tokio::test]
async fn an_answer_cut_in_the_middle_is_asked_for_again_once() {
    let (result, asked) = once(Reply::Half(project())).await;
    assert_eq!(result.unwrap(), "Rocket");
    assert_eq!(asked, 2);
    let (error, asked) = refused(Reply::Half(project())).await;
    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn a_connection_closed_without_an_answer_is_tried_again_once() {
    let (error, asked) = refused(Reply::Close).await;
    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    assert_eq!(asked, 2);
}

#[tokio::test]
async fn an_unreachable_host_is_named() {
    let base = format!("http://{}", test_support::unused_address());
    let client = Client::new(
        test_support::http::client(),
        base.parse().unwrap(),
        Credential::new(Replacement::Next),
        RateLimiter::new(Limits::OAUTH),
    );
    let error = client.project(7).await.unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("127.0.0.1 could not be reached"),
        "{error}"
    );
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    let (error, asked) = refused(Reply::Endless(200)).await;
    assert!(error.to_string().contains("16 MiB"), "{error}");
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn an_answer_that_drips_is_bounded_by_its_time_as_a_whole() {
    let server = ScriptedServer::start(|_| Reply::Dripping(200));
    let client = client(&server).with_patience(Patience {
        answer: Duration::from_millis(300),
        ..Patience::default()
    });
    let error = client.project(7).await.unwrap_err();
    assert!(
        error.to_string().contains("did not finish its response"),
        "{error}"
    );
    assert!(matches!(error, Error::Unreachable(_)), "{error:?}");
    assert_eq!(server.count(), 1, "it would take as long again");
}

#[tokio::test]
async fn a_request_ends_in_its_time_however_often_it_is_tried() {
    let server = ScriptedServer::start(|_| Response::html(503).into());
    let client = client(&server).with_patience(Patience {
        request: Duration::from_millis(500),
        ..Patience::default()
    });
    let error = client.project(7).await.unwrap_err();
    assert!(
        matches!(error, Error::Busy { status: 503, .. }),
        "{error:?}"
    );
    assert_eq!(server.count(), 1, "the next try would begin too late");
}

#[tokio::test]
async fn a_refusal_without_end_is_still_a_refusal() {
    let (error, asked) = refused(Reply::Endless(404)).await;
    assert!(matches!(error, Error::NotFound(_)), "{error:?}");
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_refusal_whose_words_are_lost_is_still_a_refusal() {
    let words = Response::refusal(404, "not_found", "Project not found.");
    let (error, asked) = refused(Reply::Half(words)).await;
    assert!(matches!(error, Error::NotFound(_)), "{error:?}");
    assert_eq!(asked, 1);
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_leaks_nothing() {
    for status in [301, 302, 303, 307, 308] {
        let elsewhere = ScriptedServer::start(|_| project().into());
        let target = format!("{}/api/projects/7/", elsewhere.base());
        let answer = Response::html(status).with("Location", target);
        let (error, asked) = refused(answer).await;
        assert!(
            matches!(error, Error::Redirected(told) if told == status),
            "{error:?}"
        );
        assert_eq!((asked, elsewhere.count()), (1, 0));
    }
}

#[tokio::test]
async fn an_answer_from_another_address_is_refused_whatever_the_http_client_does() {
    let elsewhere = ScriptedServer::start(|_| project().into());
    let target = format!("{}/api/projects/7/", elsewhere.base());
    let server =
        ScriptedServer::start(move |_| Response::html(307).with("Location", target.clone()).into());
    // As reqwest comes: it follows redirects.
    let redirects = reqwest::redirect::Policy::default();
    let following = test_support::http::client_builder().redirect(redirects);
    let client = Client::new(
        following.build().unwrap(),
        server.base().parse().unwrap(),
        Credential::new(Replacement::Next),
        RateLimiter::new(Limits::OAUTH),
    );
    let error = client.project(7).await.unwrap_err();
    assert!(matches!(error, Error::Redirected(_)), "{error:?}");
}

#[tokio::test]
async fn a_write_is_not_repeated_where_it_may_have_taken_effect() {
    let replies: [Reply; 5] = [
        Reply::Close,
        Reply::Half(Response::json(201, &json!({"id": 1}))),
        Response::html(502).into(),
        Response::html(503).into(),
        Response::html(504).into(),
    ];
    for reply in replies {
        let server = ScriptedServer::start(move |_| reply.clone());
        let note = NewAnnotation {
            content: "Release".into(),
            date_marker: "2026-11-20T09:00:00Z".parse().unwrap(),
        };
        let error = client(&server).create_annotation(7, &note).await;
        assert!(error.unwrap_err().is_transient());
        assert_eq!(server.count(), 1);
    }
}

#[tokio::test]
async fn a_write_is_repeated_where_it_certainly_had_no_effect() {
    for status in [429, 503] {
        let server = ScriptedServer::start(move |request| match request.number {
            0 => Response::refusal(status, "throttled", "wait")
                .with("Retry-After", "0")
                .into(),
            _ => Response::json(200, &json!({"id": 3, "deleted": true})).into(),
        });
        let change = AnnotationChange {
            deleted: Some(true),
            ..AnnotationChange::default()
        };
        let note = client(&server).change_annotation(7, 3, &change).await;
        assert!(note.unwrap().deleted);
        assert_eq!(server.count(), 2);
    }
}
