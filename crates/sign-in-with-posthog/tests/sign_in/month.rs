//! Two windows and a widget, for days, while everything that can go wrong goes wrong at random.
//!
//! `SIGN_IN_DAYS` sets how many days pass (4 by default, 30 for the whole month), `SIGN_IN_SEED` repeats
//! a run that failed.

use sign_in_with_posthog::SessionError;

use crate::harness::Harness;
use crate::posthog::{Fault, GRACE, Kind, refusal};
use test_support::{Reply, Response};

const TOKEN: &str = "/oauth/token";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_signed_out_but_by_the_real_ends() {
    let told = |name: &str| {
        let text = std::env::var(name).ok()?;
        text.parse::<u64>().ok()
    };
    let days = told("SIGN_IN_DAYS").unwrap_or(4);
    let seed = told("SIGN_IN_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("SIGN_IN_SEED={seed} SIGN_IN_DAYS={days}");
    for kind in Kind::BOTH {
        live(kind, i64::try_from(days).unwrap(), seed).await;
    }
}

async fn live(kind: Kind, days: i64, seed: u64) {
    let mut dice = fastrand::Rng::with_seed(seed);
    let harness = Harness::new(kind);
    // The usual hour for both, or a client with a week would hardly ever ask.
    harness.posthog.shorten(3600);
    let connection = harness.connect().await;
    let programs = [
        harness.sign_in.clone(),
        harness.another_program(),
        harness.another_program(),
    ];
    let end = harness.clock.now() + days * 24 * 3600;
    let (mut served, mut waited) = (0, 0);
    while harness.clock.now() < end {
        // A nap, or a night with the lid closed.
        let nap = dice.i64(1..2400);
        let night = dice.u8(..) < 8;
        harness.clock.advance(if night { nap * 20 } else { nap });
        let broken = dice.u8(..) < 40;
        if broken {
            break_something(&harness, &mut dice);
        }
        let calls: Vec<_> = (0..6)
            .map(|_| {
                let session = programs[dice.usize(..3)].session(&connection.id);
                tokio::spawn(async move { session.access_token().await })
            })
            .collect();
        for call in calls {
            match call.await.unwrap() {
                Ok(_) => served += 1,
                Err(SessionError::SignedOut(reason)) => {
                    panic!("{kind:?}, seed {seed}: signed out, {reason:?}")
                }
                Err(_) if broken => waited += 1,
                Err(error) => panic!("{kind:?}, seed {seed}: {error:?} with nothing broken"),
            }
        }
        // The trouble is over before the grace is; nobody can do anything about a longer one.
        harness.posthog.heal();
        if broken {
            harness.clock.advance(GRACE / 2);
            let token = programs[dice.usize(..3)].session(&connection.id);
            let token = token.access_token().await;
            let token = token.unwrap_or_else(|error| panic!("{kind:?}, seed {seed}: {error:?}"));
            if !harness.posthog.accepts(token.expose()) {
                let session = programs[dice.usize(..3)].session(&connection.id);
                let token = session.access_token_after_refusal(&token).await;
                let token =
                    token.unwrap_or_else(|error| panic!("{kind:?}, seed {seed}: {error:?}"));
                assert!(
                    harness.posthog.accepts(token.expose()),
                    "{kind:?}, seed {seed}"
                );
            }
        }
    }
    assert!(served > 100, "{kind:?}: only {served} calls were served");
    println!("{kind:?}: {served} calls served, {waited} told to wait");
    // And the real end is still an end.
    harness.posthog.revoke_everything();
    harness.leave(0);
    for program in programs {
        let error = program
            .session(&connection.id)
            .access_token()
            .await
            .unwrap_err();
        assert!(matches!(error, SessionError::SignedOut(_)), "{error:?}");
    }
}

fn break_something(harness: &Harness, dice: &mut fastrand::Rng) {
    let faults: [Fault; 10] = [
        Fault::Before(|| Reply::Close),
        Fault::Before(|| Reply::Response(Response::html(502))),
        Fault::Before(|| Reply::Response(Response::html(200))),
        Fault::Before(|| Reply::Response(Response::html(302).with("Location", "/portal"))),
        Fault::Before(|| Reply::Response(refusal(429, "slow_down").with("Retry-After", "7"))),
        Fault::Before(|| Reply::Response(refusal(401, "invalid_client"))),
        Fault::After(|_| Reply::Close),
        Fault::After(Reply::Half),
        Fault::Edit(|body| body["token_type"] = "mac".into()),
        Fault::Edit(|body| body["id_token"] = "junk".into()),
    ];
    harness
        .posthog
        .fail(TOKEN, dice.usize(1..5), faults[dice.usize(..faults.len())]);
}
