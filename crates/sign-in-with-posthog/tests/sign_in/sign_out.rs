//! Leaving: by the user's own hand, in PostHog's settings, on a sibling's word.

use sign_in_with_posthog::{AccessToken, Connection, ConnectionState, EndReason, SessionError};
use tokio::task::JoinHandle;

use crate::harness::Desk;
use crate::posthog::{Fault, Kind, refusal};
use crate::server::Wire;

const TOKEN: &str = "/oauth/token";
const REVOKE: &str = "/oauth/revoke";

#[tokio::test]
async fn signing_out_revokes_and_says_so_from_then_on() {
    for kind in Kind::BOTH {
        let desk = Desk::new(kind);
        let connection = desk.connect().await;
        let token = desk.token(&connection).await;
        desk.sign_in.sign_out(&connection.id).await.unwrap();
        assert!(!desk.posthog.accepts(token.expose()), "{kind:?}");
        let error = desk.session(&connection).access_token().await.unwrap_err();
        assert!(matches!(
            error,
            SessionError::SignedOut(EndReason::SignedOut)
        ));
        let known = desk.sign_in.connections().unwrap();
        assert_eq!(known[0].state, ConnectionState::Ended(EndReason::SignedOut));
    }
}

#[tokio::test]
async fn rule_v1_signing_out_works_while_posthog_cannot_be_reached() {
    let desk = Desk::new(Kind::Rotating);
    let connection = desk.connect().await;
    desk.posthog.unplug();
    desk.sign_in.sign_out(&connection.id).await.unwrap();
    desk.posthog.plug_in();
    let error = desk.session(&connection).access_token().await.unwrap_err();
    assert!(matches!(
        error,
        SessionError::SignedOut(EndReason::SignedOut)
    ));
}

#[tokio::test]
async fn rule_v1_a_revocation_that_fails_is_not_shown() {
    let desk = Desk::new(Kind::Keeping);
    let connection = desk.connect().await;
    desk.posthog.fail(REVOKE, 2, Fault::Before(|| Wire::Close));
    desk.sign_in.sign_out(&connection.id).await.unwrap();
}

#[tokio::test]
async fn rule_v2_a_sibling_with_the_token_in_memory_cannot_bring_the_session_back() {
    for kind in Kind::BOTH {
        let desk = Desk::new(kind);
        let connection = desk.connect().await;
        let sibling = desk.another_program().session(&connection.id);
        sibling.access_token().await.unwrap();
        desk.sign_in.sign_out(&connection.id).await.unwrap();
        let before = desk.posthog.count(TOKEN);
        for seconds in [0, kind.lifetime()] {
            desk.clock.advance(seconds);
            let error = sibling.access_token().await.unwrap_err();
            assert!(matches!(
                error,
                SessionError::SignedOut(EndReason::SignedOut)
            ));
        }
        assert_eq!(desk.posthog.count(TOKEN), before);
    }
}

#[tokio::test]
async fn a_sign_out_waits_for_a_refresh_under_way_and_ends_what_it_brought() {
    for kind in Kind::BOTH {
        let desk = Desk::new(kind);
        let connection = desk.connect().await;
        desk.leave(0);
        let sibling = desk.another_program().session(&connection.id);
        let refresh = tokio::spawn(async move { sibling.access_token().await });
        let signed_out = desk.sign_in.sign_out(&connection.id).await;
        signed_out.unwrap();
        // Whichever came first, nothing that PostHog takes is left.
        if let Ok(token) = refresh.await.unwrap() {
            assert!(!desk.posthog.accepts(token.expose()), "{kind:?}");
        }
        let error = desk.session(&connection).access_token().await.unwrap_err();
        assert!(matches!(
            error,
            SessionError::SignedOut(EndReason::SignedOut)
        ));
    }
}

#[tokio::test]
async fn an_access_removed_in_posthogs_settings_ends_the_session_with_its_reason() {
    for kind in Kind::BOTH {
        let desk = Desk::new(kind);
        let connection = desk.connect().await;
        let refused = desk.token(&connection).await;
        desk.posthog.revoke_everything();
        let session = desk.session(&connection);
        let error = session
            .access_token_after_refusal(&refused)
            .await
            .unwrap_err();
        assert!(
            matches!(error, SessionError::SignedOut(EndReason::RevokedOrExpired)),
            "{kind:?}: {error:?}"
        );
        // And it is not asked about again.
        let before = desk.posthog.count(TOKEN);
        session.access_token().await.unwrap_err();
        assert_eq!(desk.posthog.count(TOKEN), before);
    }
}

#[tokio::test]
async fn an_ended_session_does_not_write_the_list_again() {
    let desk = Desk::new(Kind::Rotating);
    let connection = desk.connect().await;
    desk.sign_in.sign_out(&connection.id).await.unwrap();
    let list = desk.folder().join("sign-in/connections.json");
    let written = || std::fs::metadata(&list).unwrap().modified().unwrap();
    let before = written();
    for _ in 0..3 {
        desk.session(&connection).access_token().await.unwrap_err();
    }
    assert_eq!(written(), before);
}

#[tokio::test]
async fn signing_in_again_after_an_end_starts_afresh() {
    for kind in Kind::BOTH {
        let desk = Desk::new(kind);
        let connection = desk.connect().await;
        let session = desk.session(&connection);
        desk.posthog.revoke_everything();
        desk.leave(0);
        session.access_token().await.unwrap_err();
        let again = desk.connect().await;
        assert_eq!(again.id, connection.id);
        assert!(desk.sign_in.connections().unwrap()[0].is_active());
        let token = session.access_token().await.unwrap();
        assert!(desk.posthog.accepts(token.expose()));
    }
}

#[tokio::test]
async fn a_removed_connection_leaves_nothing_behind() {
    let desk = Desk::new(Kind::Keeping);
    let connection = desk.connect().await;
    let sibling = desk.another_program().session(&connection.id);
    sibling.access_token().await.unwrap();
    desk.sign_in.remove(&connection.id).await.unwrap();
    assert!(desk.sign_in.connections().unwrap().is_empty());
    let error = sibling.access_token().await.unwrap_err();
    assert!(matches!(
        error,
        SessionError::SignedOut(EndReason::RecordLost)
    ));
    let vault = desk.folder().join("sign-in/vault");
    assert_eq!(std::fs::read_dir(vault).unwrap().count(), 0);
}

#[tokio::test]
async fn concurrent_refusals_cause_one_refresh() {
    for kind in Kind::BOTH {
        let desk = Desk::new(kind);
        let connection = desk.connect().await;
        let refused = desk.token(&connection).await;
        let before = desk.posthog.count(TOKEN);
        let programs = [desk.another_program(), desk.another_program()];
        let calls = (0..100).map(|number| {
            let session = programs[number % 2].session(&connection.id);
            let refused = refused.clone();
            tokio::spawn(async move { session.access_token_after_refusal(&refused).await })
        });
        for call in calls.collect::<Vec<_>>() {
            let token = call.await.unwrap().unwrap();
            assert!(desk.posthog.accepts(token.expose()));
        }
        assert_eq!(desk.posthog.count(TOKEN) - before, 1, "{kind:?}");
    }
}

#[tokio::test]
async fn a_refresh_outlives_the_caller_that_asked_for_it() {
    for kind in Kind::BOTH {
        let desk = Desk::new(kind);
        let connection = desk.connect().await;
        desk.leave(0);
        let session = desk.session(&connection);
        let before = desk.posthog.count(TOKEN);
        // Dropped while the request is on its way.
        let call = session.access_token();
        tokio::pin!(call);
        while desk.posthog.count(TOKEN) == before {
            tokio::select! {
                biased;
                _ = &mut call => break,
                () = tokio::task::yield_now() => {}
            }
        }
        desk.token(&connection).await;
        assert_eq!(desk.posthog.count(TOKEN) - before, 1, "{kind:?}");
    }
}

/// A refresh of another program that has no answer yet, on a file system whose locks do not hold: the lock
/// file is taken away under it.
async fn refresh_without_lock(
    desk: &Desk,
    connection: &Connection,
) -> JoinHandle<Result<AccessToken, SessionError>> {
    desk.posthog.fail(TOKEN, 1, Fault::Before(|| Wire::Hang));
    let refreshing = desk.another_program().session(&connection.id);
    let before = desk.posthog.count(TOKEN);
    let refresh = tokio::spawn(async move { refreshing.access_token().await });
    while desk.posthog.count(TOKEN) == before {
        tokio::task::yield_now().await;
    }
    let lock = format!("sign-in/locks/{}.lock", connection.id);
    std::fs::remove_file(desk.folder().join(lock)).unwrap();
    refresh
}

/// Rule V3: a refresh that ends after a sign-out brings nothing back.
#[tokio::test]
async fn rule_v3_a_refresh_that_was_overtaken_by_a_sign_out_brings_nothing_back() {
    for kind in Kind::BOTH {
        let desk = Desk::new(kind);
        let connection = desk.connect().await;
        desk.leave(0);
        let refresh = refresh_without_lock(&desk, &connection).await;
        // Nothing is revoked, so that the refresh succeeds.
        desk.posthog.fail(REVOKE, 2, Fault::Before(|| Wire::Close));
        desk.sign_in.sign_out(&connection.id).await.unwrap();
        let error = refresh.await.unwrap().unwrap_err();
        assert!(
            matches!(error, SessionError::SignedOut(EndReason::SignedOut)),
            "{kind:?}: {error:?}"
        );
        assert_eq!(desk.posthog.count(REVOKE), 4, "{kind:?}");
        let error = desk.session(&connection).access_token().await.unwrap_err();
        assert!(matches!(
            error,
            SessionError::SignedOut(EndReason::SignedOut)
        ));
    }
}

/// Rule V3 again: what was refreshed meanwhile is followed, and the refusal of a spent token ends nothing.
#[tokio::test]
async fn rule_v3_a_refusal_counts_only_for_the_generation_that_was_used() {
    for kind in Kind::BOTH {
        let desk = Desk::new(kind);
        let connection = desk.connect().await;
        desk.leave(0);
        let refresh = refresh_without_lock(&desk, &connection).await;
        let new = desk.session(&connection).access_token().await.unwrap();
        let spent = Fault::Before(|| Wire::Answer(refusal(400, "invalid_grant")));
        desk.posthog.fail(TOKEN, 1, spent);
        let followed = refresh.await.unwrap().unwrap();
        assert_eq!(followed.expose(), new.expose(), "{kind:?}");
    }
}
