//! A month in a minute: two instances of the app and a widget, with faults from a printed seed.
//! `SIGN_IN_SEED` runs one month again.
#![allow(clippy::unwrap_used)]

mod posthog;

use posthog::{Fault, PostHog};
use sign_in_with_posthog::{ConnectionState, SessionError};

const HOUR: i64 = 3600;

fn faults(random: &mut fastrand::Rng) -> Vec<Fault> {
    let busy = Fault::Answer(503, "Retry-After: 0\r\n", "");
    let portal = Fault::Answer(200, "", "<html>Welcome</html>");
    let client = Fault::Answer(401, "", r#"{"error":"invalid_client"}"#);
    // A lost answer alone is asked for again; one that stays lost beyond the grace is the one loss
    // that nobody can avoid, so it is not among these.
    match random.u8(0..10) {
        0 => vec![Fault::Lost],
        1 => vec![Fault::Half],
        2 => vec![Fault::Close],
        3 => vec![busy; 5],
        4 => vec![portal; 5],
        5 => vec![client; 5],
        6 => vec![Fault::Scope(None)],
        _ => vec![],
    }
}

async fn a_month(rotating: bool) {
    let told = std::env::var("SIGN_IN_SEED").ok();
    let seed = told.map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SIGN_IN_SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let posthog = PostHog::start(rotating);
    let folder = tempfile::tempdir().unwrap();
    let apps = [
        posthog.program(folder.path()),
        posthog.program(folder.path()),
    ];
    let connection = posthog.sign_in(&apps[0]).await;
    let end = 30 * 24 * HOUR;
    let (mut now, mut served, mut waited) = (0, 0, 0);
    while now < end {
        // Now and then the laptop sleeps for a weekend, or its clock is put right.
        let step = match random.u8(0..20) {
            0 => 60 * HOUR,
            1 => -120,
            _ => random.i64(60..8 * HOUR),
        };
        now += step;
        posthog.clock.forward(step);
        posthog.fault(faults(&mut random));
        // A widget is a new process each time.
        let widget = posthog.program(folder.path());
        let sessions = [&apps[0], &apps[1], &widget].map(|program| program.session(&connection.id));
        let (a, b, c) = tokio::join!(
            sessions[0].access_token(),
            sessions[1].access_token(),
            sessions[2].access_token()
        );
        for result in [a, b, c] {
            match result {
                Ok(token) if random.u8(0..10) == 0 => {
                    posthog.fault([]);
                    let again = sessions[0].access_token_after_refusal(&token).await;
                    assert!(!signed_out(&again), "seed {seed}: {again:?}");
                }
                Ok(_) => served += 1,
                Err(_) if !signed_out(&result) => waited += 1,
                Err(error) => panic!("seed {seed}, hour {}: {error}", now / HOUR),
            }
        }
        let state = apps[0].connections().unwrap()[0].state;
        assert_eq!(state, ConnectionState::Active, "seed {seed}");
    }
    println!("served {served}, waited {waited}");
    assert!(served > waited, "seed {seed}: {served} {waited}");

    // And the real end is still an end.
    posthog.fault([]);
    posthog.clock.forward(2 * HOUR);
    posthog.state.lock().unwrap().revoked = true;
    let result = apps[1].session(&connection.id).access_token().await;
    assert!(signed_out(&result), "seed {seed}: {result:?}");
}

fn signed_out<T>(result: &Result<T, SessionError>) -> bool {
    matches!(result, Err(SessionError::SignedOut(_)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_with_a_rotating_client() {
    a_month(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_month_with_a_client_that_does_not_rotate() {
    a_month(false).await;
}
