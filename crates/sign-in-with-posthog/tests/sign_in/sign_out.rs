//! Leaving: by the user's own hand, in PostHog's settings, on a sibling's word.

use sign_in_with_posthog::{AccessToken, Connection, ConnectionState, EndReason, SessionError};
use tokio::task::JoinHandle;

use crate::harness::Harness;
use crate::posthog::{Fault, Kind, refusal};
use test_support::Reply;

const TOKEN: &str = "/oauth/token";
const REVOKE: &str = "/oauth/revoke";

#[tokio::test]
async fn signing_out_revokes_and_says_so_from_then_on() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        let token = harness.token(&connection).await;
        harness.sign_in.sign_out(&connection.id).await.unwrap();
        assert!(!harness.posthog.accepts(token.expose()), "{kind:?}");
        let error = harness
            .session(&connection)
            .access_token()
            .await
            .unwrap_err();
        assert!(matches!(
            error,
            SessionError::SignedOut(EndReason::SignedOut)
        ));
        let known = harness.sign_in.connections().unwrap();
        assert_eq!(known[0].state, ConnectionState::Ended(EndReason::SignedOut));
    }
}

#[tokio::test]
async fn rule_v1_signing_out_works_while_posthog_cannot_be_reached() {
    let harness = Harness::new(Kind::Rotating);
    let connection = harness.connect().await;
    harness.posthog.unplug();
    harness.sign_in.sign_out(&connection.id).await.unwrap();
    harness.posthog.plug_in();
    let error = harness
        .session(&connection)
        .access_token()
        .await
        .unwrap_err();
    assert!(matches!(
        error,
        SessionError::SignedOut(EndReason::SignedOut)
    ));
}

#[tokio::test]
async fn rule_v1_a_revocation_that_fails_is_not_shown() {
    let harness = Harness::new(Kind::Keeping);
    let connection = harness.connect().await;
    harness
        .posthog
        .fail(REVOKE, 2, Fault::Before(|| Reply::Close));
    harness.sign_in.sign_out(&connection.id).await.unwrap();
}

#[tokio::test]
async fn rule_v2_a_sibling_with_the_token_in_memory_cannot_bring_the_session_back() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        let sibling = harness.another_program().session(&connection.id);
        sibling.access_token().await.unwrap();
        harness.sign_in.sign_out(&connection.id).await.unwrap();
        let before = harness.posthog.count(TOKEN);
        for seconds in [0, kind.lifetime()] {
            harness.clock.advance(seconds);
            let error = sibling.access_token().await.unwrap_err();
            assert!(matches!(
                error,
                SessionError::SignedOut(EndReason::SignedOut)
            ));
        }
        assert_eq!(harness.posthog.count(TOKEN), before);
    }
}

#[tokio::test]
async fn a_sign_out_waits_for_a_refresh_under_way_and_ends_what_it_brought() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        harness.leave(0);
        let sibling = harness.another_program().session(&connection.id);
        let refresh = tokio::spawn(async move { sibling.access_token().await });
        let signed_out = harness.sign_in.sign_out(&connection.id).await;
        signed_out.unwrap();
        // Whichever came first, nothing that PostHog takes is left.
        if let Ok(token) = refresh.await.unwrap() {
            assert!(!harness.posthog.accepts(token.expose()), "{kind:?}");
        }
        let error = harness
            .session(&connection)
            .access_token()
            .await
            .unwrap_err();
        assert!(matches!(
            error,
            SessionError::SignedOut(EndReason::SignedOut)
        ));
    }
}

#[tokio::test]
async fn an_access_removed_in_posthogs_settings_ends_the_session_with_its_reason() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        let refused = harness.token(&connection).await;
        harness.posthog.revoke_everything();
        let session = harness.session(&connection);
        let error = session
            .access_token_after_refusal(&refused)
            .await
            .unwrap_err();
        assert!(
            matches!(error, SessionError::SignedOut(EndReason::RevokedOrExpired)),
            "{kind:?}: {error:?}"
        );
        // And it is not asked about again.
        let before = harness.posthog.count(TOKEN);
        session.access_token().await.unwrap_err();
        assert_eq!(harness.posthog.count(TOKEN), before);
    }
}

#[tokio::test]
async fn an_ended_session_does_not_write_the_list_again() {
    let harness = Harness::new(Kind::Rotating);
    let connection = harness.connect().await;
    harness.sign_in.sign_out(&connection.id).await.unwrap();
    let list = harness.folder().join("sign-in/connections.json");
    let written = || std::fs::metadata(&list).unwrap().modified().unwrap();
    let before = written();
    for _ in 0..3 {
        harness
            .session(&connection)
            .access_token()
            .await
            .unwrap_err();
    }
    assert_eq!(written(), before);
}

#[tokio::test]
async fn signing_in_again_after_an_end_starts_afresh() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        let session = harness.session(&connection);
        harness.posthog.revoke_everything();
        harness.leave(0);
        session.access_token().await.unwrap_err();
        let again = harness.connect().await;
        assert_eq!(again.id, connection.id);
        assert!(harness.sign_in.connections().unwrap()[0].is_active());
        let token = session.access_token().await.unwrap();
        assert!(harness.posthog.accepts(token.expose()));
    }
}

#[tokio::test]
async fn refusals_without_end_pause_a_sign_in_until_the_next_one_and_no_longer() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        let session = harness.session(&connection);
        let mut refreshes = 0;
        let error = loop {
            let token = session.access_token().await.unwrap();
            match session.access_token_after_refusal(&token).await {
                Ok(_) => refreshes += 1,
                Err(error) => break error,
            }
            assert!(refreshes < 10, "{kind:?}");
        };
        assert!(matches!(error, SessionError::Configuration(_)), "{error:?}");
        assert!(error.to_string().contains("sign in again"), "{error}");
        harness.connect().await;
        let token = session.access_token().await.unwrap();
        let next = session.access_token_after_refusal(&token).await.unwrap();
        assert!(harness.posthog.accepts(next.expose()), "{kind:?}");
    }
}

#[tokio::test]
async fn a_removed_connection_leaves_nothing_behind() {
    let harness = Harness::new(Kind::Keeping);
    let connection = harness.connect().await;
    let sibling = harness.another_program().session(&connection.id);
    sibling.access_token().await.unwrap();
    harness.sign_in.remove(&connection.id).await.unwrap();
    assert!(harness.sign_in.connections().unwrap().is_empty());
    let error = sibling.access_token().await.unwrap_err();
    assert!(matches!(
        error,
        SessionError::SignedOut(EndReason::RecordLost)
    ));
    let vault = harness.folder().join("sign-in/vault");
    assert_eq!(std::fs::read_dir(vault).unwrap().count(), 0);
}

#[tokio::test]
async fn concurrent_refusals_cause_one_refresh() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        let refused = harness.token(&connection).await;
        let before = harness.posthog.count(TOKEN);
        let programs = [harness.another_program(), harness.another_program()];
        let calls = (0..100).map(|number| {
            let session = programs[number % 2].session(&connection.id);
            let refused = refused.clone();
            tokio::spawn(async move { session.access_token_after_refusal(&refused).await })
        });
        for call in calls.collect::<Vec<_>>() {
            let token = call.await.unwrap().unwrap();
            assert!(harness.posthog.accepts(token.expose()));
        }
        assert_eq!(harness.posthog.count(TOKEN) - before, 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_refresh_outlives_the_caller_that_asked_for_it() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        harness.leave(0);
        let session = harness.session(&connection);
        let before = harness.posthog.count(TOKEN);
        // Dropped while the request is on its way.
        let call = session.access_token();
        tokio::pin!(call);
        while harness.posthog.count(TOKEN) == before {
            tokio::select! {
                biased;
                _ = &mut call => break,
                () = tokio::task::yield_now() => {}
            }
        }
        harness.token(&connection).await;
        assert_eq!(harness.posthog.count(TOKEN) - before, 1, "{kind:?}");
    }
}

/// A refresh of another program that has no answer yet, on a file system whose locks do not hold: the lock
/// file is taken away under it.
async fn refresh_without_lock(
    harness: &Harness,
    connection: &Connection,
) -> JoinHandle<Result<AccessToken, SessionError>> {
    harness
        .posthog
        .fail(TOKEN, 1, Fault::Before(|| Reply::Hang));
    let refreshing = harness.another_program().session(&connection.id);
    let before = harness.posthog.count(TOKEN);
    let refresh = tokio::spawn(async move { refreshing.access_token().await });
    while harness.posthog.count(TOKEN) == before {
        tokio::task::yield_now().await;
    }
    let lock = format!("sign-in/locks/{}.lock", connection.id);
    std::fs::remove_file(harness.folder().join(lock)).unwrap();
    refresh
}

/// Rule V3: a refresh that ends after a sign-out brings nothing back.
#[tokio::test]
async fn rule_v3_a_refresh_that_was_overtaken_by_a_sign_out_brings_nothing_back() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        harness.leave(0);
        let refresh = refresh_without_lock(&harness, &connection).await;
        // Nothing is revoked, so that the refresh succeeds.
        harness
            .posthog
            .fail(REVOKE, 2, Fault::Before(|| Reply::Close));
        harness.sign_in.sign_out(&connection.id).await.unwrap();
        let error = refresh.await.unwrap().unwrap_err();
        assert!(
            matches!(error, SessionError::SignedOut(EndReason::SignedOut)),
            "{kind:?}: {error:?}"
        );
        assert_eq!(harness.posthog.count(REVOKE), 4, "{kind:?}");
        let error = harness
            .session(&connection)
            .access_token()
            .await
            .unwrap_err();
        assert!(matches!(
            error,
            SessionError::SignedOut(EndReason::SignedOut)
        ));
    }
}

/// Rule V3 again: what was refreshed in the meantime is followed, and the refusal of a spent token ends nothing.
#[tokio::test]
async fn rule_v3_a_refusal_counts_only_for_the_generation_that_was_used() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        harness.leave(0);
        let refresh = refresh_without_lock(&harness, &connection).await;
        let new = harness.session(&connection).access_token().await.unwrap();
        let spent = Fault::Before(|| Reply::Response(refusal(400, "invalid_grant")));
        harness.posthog.fail(TOKEN, 1, spent);
        let followed = refresh.await.unwrap().unwrap();
        assert_eq!(followed.expose(), new.expose(), "{kind:?}");
    }
}

#[tokio::test]
async fn a_program_that_is_uninstalled_leaves_nothing_of_its_sign_ins() {
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        let connection = harness.connect().await;
        harness.sign_in.sign_out(&connection.id).await.unwrap();
        harness.connect().await;
        harness.sign_in.erase().await.unwrap();
        assert!(harness.sign_in.connections().unwrap().is_empty());
        assert_eq!(harness.sign_in.vault().unwrap(), None);
        let mut folders = vec![harness.folder().to_owned()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_none_or(|ending| ending != "lock") {
                    files.push(path);
                }
            }
        }
        assert!(files.is_empty(), "{files:?}");
        // Nothing to remove is no error, and the next sign-in begins with a new device.
        harness.sign_in.erase().await.unwrap();
        let again = harness.connect().await;
        harness.token(&again).await;
    }
}
