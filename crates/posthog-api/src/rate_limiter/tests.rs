//! The limiter on a clock that the test moves.

#![allow(clippy::unwrap_used)]
use super::window::MINUTE;
use super::*;

fn query(project: u64, organization: &str) -> Lane {
    Lane::Query {
        project,
        organization: Some(organization.to_owned()),
    }
}

async fn is_free(limiter: &RateLimiter, lane: &Lane) -> bool {
    tokio::time::timeout(Duration::from_millis(20), limiter.place(lane))
        .await
        .is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_pause_ends_by_itself() {
    let limiter = RateLimiter::new(Limits::OAUTH);
    assert_eq!(limiter.pause_of(1), None);
    limiter.throttled(&query(1, "a"), Duration::from_secs(57));
    assert_eq!(limiter.pause_of(1), Some(Duration::from_secs(57)));
    tokio::time::advance(Duration::from_secs(58)).await;
    assert_eq!(limiter.pause_of(1), None);
}

#[tokio::test(start_paused = true)]
async fn a_pause_goes_on_while_the_device_sleeps() {
    let limiter = RateLimiter::new(Limits::OAUTH);
    // A machine that has just started has no earlier instants.
    tokio::time::advance(Duration::from_secs(36_000)).await;
    limiter.throttled(&query(1, "o"), Duration::from_secs(3600));
    limiter.pause_all(Duration::from_secs(600));
    limiter.slept(Duration::from_secs(660));
    assert_eq!(limiter.pause(), None);
    assert_eq!(limiter.pause_of(1), Some(Duration::from_secs(2940)));
    limiter.slept(Duration::from_secs(8 * 3600));
    assert_eq!(limiter.pause_of(1), None);
}

#[tokio::test(start_paused = true)]
async fn a_shorter_pause_does_not_end_a_longer_one() {
    let limiter = RateLimiter::new(Limits::OAUTH);
    limiter.throttled(&query(1, "a"), Duration::from_secs(57));
    limiter.throttled(&query(1, "a"), Duration::from_secs(1));
    assert_eq!(limiter.pause_of(1), Some(Duration::from_secs(57)));
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_one_project_leaves_everything_else_alone() {
    let limiter = RateLimiter::new(Limits::API_KEY);
    limiter.throttled(&query(1, "a"), Duration::from_secs(3600));
    assert!(limiter.admit(&Lane::Request).await.is_ok());
    assert!(limiter.admit(&query(2, "a")).await.is_ok());
    let refused = limiter.admit(&query(1, "a")).await;
    assert!(matches!(refused, Err(Error::RateLimited { .. })));
    assert_eq!(limiter.pause(), None);
}

#[tokio::test(start_paused = true)]
async fn a_pause_of_the_other_requests_leaves_queries_alone() {
    let limiter = RateLimiter::new(Limits::API_KEY);
    limiter.throttled(&Lane::Request, Duration::from_secs(57));
    assert!(limiter.admit(&query(2, "b")).await.is_ok());
    limiter.pause_all(Duration::from_secs(57));
    for lane in [Lane::Request, query(2, "b")] {
        let refused = limiter.admit(&lane).await;
        assert!(matches!(refused, Err(Error::RateLimited { .. })));
    }
}

#[tokio::test(start_paused = true)]
async fn a_spent_read_budget_is_named_and_is_its_projects_own() {
    let limiter = RateLimiter::new(Limits::API_KEY);
    limiter.has_read_too_much(&query(1, "a"), Duration::from_secs(1800));
    let Err(Error::ReadBudget { retry_after }) = limiter.admit(&query(1, "a")).await else {
        panic!("the budget is not spent");
    };
    assert_eq!(retry_after, Some(Duration::from_secs(1800)));
    assert_eq!(limiter.rest_of(1), Duration::from_secs(1800));
    assert!(limiter.admit(&query(2, "a")).await.is_ok());
    let usual = Limits::API_KEY.queries_per_hour;
    assert_eq!(limiter.queries_per_hour(Some("a")), usual);
}

#[tokio::test(start_paused = true)]
async fn a_read_budget_that_runs_low_slows_its_project_down_before_the_refusal() {
    let limiter = RateLimiter::new(Limits::API_KEY);
    let reading = |remaining| Reading {
        read: Some(142_000_000),
        remaining: Some(remaining),
    };
    limiter.note_reading(&query(1, "a"), reading(480_000_000_000));
    assert_eq!(limiter.rest_of(1), Duration::ZERO);
    limiter.note_reading(&query(1, "a"), reading(142_000_000));
    assert!(limiter.rest_of(1) >= Duration::from_secs(25));
    assert!(matches!(
        limiter.admit(&query(1, "a")).await,
        Err(Error::ReadBudget { .. })
    ));
    assert_eq!(limiter.rest_of(2), Duration::ZERO);
    tokio::time::advance(Duration::from_secs(120)).await;
    assert!(limiter.admit(&query(1, "a")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_short_pause_is_waited_out() {
    let limiter = RateLimiter::new(Limits::OAUTH);
    limiter.throttled(&query(1, "a"), Duration::from_secs(5));
    let started = Instant::now();
    limiter.admit(&query(1, "a")).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn an_organization_has_its_own_bound() {
    let limiter = RateLimiter::new(Limits {
        queries_at_once_per_organization: 1,
        ..Limits::OAUTH
    });
    let _held = limiter.place(&query(1, "a")).await;
    assert!(is_free(&limiter, &query(2, "b")).await);
    assert!(!is_free(&limiter, &query(3, "a")).await);
}

#[tokio::test(start_paused = true)]
async fn a_key_runs_three_queries_of_a_project_at_once() {
    let limiter = RateLimiter::new(Limits::API_KEY);
    let mut held = Vec::new();
    for _ in 0..3 {
        held.push(limiter.place(&query(1, "a")).await);
    }
    assert!(!is_free(&limiter, &query(1, "a")).await);
    assert!(is_free(&limiter, &query(2, "a")).await);
    held.pop();
    assert!(is_free(&limiter, &query(1, "a")).await);
}

#[tokio::test(start_paused = true)]
async fn a_keys_minute_is_waited_for_and_never_exceeded() {
    let limiter = RateLimiter::new(Limits::API_KEY);
    let started = Instant::now();
    for _ in 0..Limits::API_KEY.queries_per_minute {
        limiter.admit(&query(1, "a")).await.unwrap();
    }
    assert_eq!(started.elapsed(), Duration::ZERO);
    limiter.admit(&query(2, "b")).await.unwrap();
    assert!(started.elapsed() >= MINUTE);
}

#[tokio::test(start_paused = true)]
async fn a_spent_hour_is_told_with_its_end() {
    let limiter = RateLimiter::new(Limits::OAUTH);
    for _ in 0..Limits::OAUTH.queries_per_hour {
        limiter.admit(&query(1, "a")).await.unwrap();
    }
    assert_eq!(limiter.queries_left(Some("a")), 0);
    tokio::time::advance(Duration::from_secs(600)).await;
    let Err(Error::BudgetSpent { retry_after }) = limiter.admit(&query(1, "a")).await else {
        panic!("the hour is not spent");
    };
    assert_eq!(retry_after, Duration::from_secs(3_000));
    // Another organization has its own.
    assert!(limiter.admit(&query(9, "b")).await.is_ok());
    tokio::time::advance(retry_after).await;
    assert_eq!(
        limiter.queries_left(Some("a")),
        Limits::OAUTH.queries_per_hour
    );
    assert!(limiter.admit(&query(1, "a")).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn the_old_hourly_limit_is_learnt_from_the_refusals_of_two_projects() {
    let limiter = RateLimiter::new(Limits::API_KEY);
    for _ in 0..120 {
        limiter.admit(&query(1, "a")).await.unwrap();
    }
    let usual = Limits::API_KEY.queries_per_hour;
    for _ in 0..3 {
        limiter.throttled(&query(1, "a"), Duration::from_secs(3_590));
        assert_eq!(limiter.queries_per_hour(Some("a")), usual, "one project");
    }
    limiter.throttled(&query(2, "a"), Duration::from_secs(3_590));
    assert_eq!(limiter.queries_per_hour(Some("a")), OLD_QUERIES_PER_HOUR);
    assert_eq!(limiter.queries_left(Some("a")), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_for_some_seconds_teaches_nothing() {
    let limiter = RateLimiter::new(Limits::API_KEY);
    limiter.throttled(&query(1, "a"), Duration::from_secs(57));
    limiter.throttled(&query(2, "a"), Duration::from_secs(57));
    let usual = Limits::API_KEY.queries_per_hour;
    assert_eq!(limiter.queries_per_hour(Some("a")), usual);
}
