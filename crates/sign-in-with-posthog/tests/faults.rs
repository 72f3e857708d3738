//! The fault table of docs/reliability.md: each row is a test here, for both kinds of client.
#![allow(clippy::unwrap_used)]

mod posthog;

use posthog::{Fault, PostHog};
use sign_in_with_posthog::{
    AccessToken, Connection, ConnectionState, EndReason, Session, SessionError, SignIn,
};
use tempfile::TempDir;

struct World {
    posthog: PostHog,
    folder: TempDir,
    program: SignIn,
    connection: Connection,
    session: Session,
    first: AccessToken,
}

impl World {
    async fn new(rotating: bool) -> Self {
        let posthog = PostHog::start(rotating);
        let folder = tempfile::tempdir().unwrap();
        let program = posthog.program(folder.path());
        let connection = posthog.sign_in(&program).await;
        let session = program.session(&connection.id);
        let first = session.access_token().await.unwrap();
        posthog.forget_requests();
        Self {
            posthog,
            folder,
            program,
            connection,
            session,
            first,
        }
    }

    /// The access token has run out.
    fn expire(&self) {
        self.posthog.clock.forward(3601);
    }

    /// The access token is about to run out and still serves.
    fn come_due(&self) {
        self.posthog.clock.forward(3100);
    }

    fn state(&self) -> ConnectionState {
        self.program.connections().unwrap()[0].state
    }

    fn record(&self) -> std::path::PathBuf {
        let name = format!("program/vault/{}.sealed", self.connection.id);
        self.folder.path().join(name)
    }

    /// Another process on this device.
    fn sibling(&self) -> Session {
        let program = self.posthog.program(self.folder.path());
        program.session(&self.connection.id)
    }

    /// The fault has passed, time too: the session serves by itself, with a new token.
    async fn heals(&self) {
        self.posthog.fault([]);
        self.posthog.clock.forward(400);
        let token = self.session.access_token().await.unwrap();
        assert_ne!(token.expose(), self.first.expose());
        assert_eq!(self.state(), ConnectionState::Active);
    }
}

/// Runs a row for both kinds of client.
macro_rules! row {
    ($name:ident, $world:ident, $body:block) => {
        mod $name {
            use super::*;
            async fn row($world: World) $body
            #[tokio::test]
            async fn rotating() {
                row(World::new(true).await).await;
            }
            #[tokio::test]
            async fn not_rotating() {
                row(World::new(false).await).await;
            }
        }
    };
}

/// A fault that lasts shows this sentence, ends nothing, and recovers; with a token that still serves
/// nobody notices.
macro_rules! passing {
    ($name:ident, $fault:expr, $sentence:expr) => {
        row!($name, world, {
            world.come_due();
            world.posthog.fault(vec![$fault; 10]);
            let served = world.session.access_token().await.unwrap();
            assert_eq!(served.expose(), world.first.expose());
            world.posthog.clock.forward(601);
            let error = world.session.access_token().await.unwrap_err();
            assert!(error.is_transient(), "{error:?}");
            assert!(error.to_string().contains($sentence), "{error}");
            assert_eq!(world.state(), ConnectionState::Active);
            world.heals().await;
        });
    };
}

const REFUSED: &str = r#"{"error":"invalid_client","error_description":"no such client"}"#;
passing!(connection_closed, Fault::Close, "offline");
passing!(http_500, Fault::Answer(500, "", "oops"), "busy");
passing!(http_502_with_html, Fault::Answer(502, "", "<html>"), "busy");
passing!(
    http_503_retry_after,
    Fault::Answer(503, "Retry-After: 0\r\n", ""),
    "busy"
);
passing!(
    http_429,
    Fault::Answer(429, "Retry-After: 0\r\n", "{}"),
    "busy"
);
passing!(http_408, Fault::Answer(408, "", ""), "busy");
passing!(http_425, Fault::Answer(425, "", ""), "busy");
passing!(
    http_500_saying_invalid_grant,
    Fault::Answer(500, "", r#"{"error":"invalid_grant"}"#),
    "busy"
);
passing!(
    http_403_with_html,
    Fault::Answer(403, "", "<html>blocked</html>"),
    "offline"
);
passing!(http_404, Fault::Answer(404, "", ""), "offline");
passing!(
    http_400_without_json,
    Fault::Answer(400, "", "bad"),
    "offline"
);
passing!(http_401_without_json, Fault::Answer(401, "", ""), "offline");
passing!(
    captive_portal_redirect,
    Fault::Answer(302, "Location: http://127.0.0.1:9/\r\n", ""),
    "offline"
);
passing!(
    captive_portal_page,
    Fault::Answer(200, "", "<html>Welcome</html>"),
    "offline"
);
passing!(empty_200, Fault::Answer(200, "", ""), "offline");
passing!(
    json_of_another_shape,
    Fault::Answer(200, "", "[1,2]"),
    "offline"
);
passing!(
    no_access_token,
    Fault::Answer(200, "", r#"{"token_type":"Bearer"}"#),
    "offline"
);
passing!(
    empty_access_token,
    Fault::Answer(200, "", r#"{"access_token":"","token_type":"Bearer"}"#),
    "offline"
);
passing!(
    another_token_type,
    Fault::Answer(200, "", r#"{"access_token":"a","token_type":"mac"}"#),
    "offline"
);
passing!(
    token_of_the_wrong_type,
    Fault::Answer(200, "", r#"{"access_token":5,"token_type":"Bearer"}"#),
    "offline"
);
passing!(
    invalid_client,
    Fault::Answer(401, "", REFUSED),
    "no such client"
);
passing!(
    unauthorized_client,
    Fault::Answer(400, "", r#"{"error":"unauthorized_client"}"#),
    "unauthorized_client"
);
passing!(
    unsupported_grant_type,
    Fault::Answer(400, "", r#"{"error":"unsupported_grant_type"}"#),
    "unsupported_grant_type"
);
passing!(
    invalid_scope,
    Fault::Answer(400, "", r#"{"error":"invalid_scope"}"#),
    "invalid_scope"
);
passing!(
    invalid_request,
    Fault::Answer(400, "", r#"{"error":"invalid_request"}"#),
    "invalid_request"
);
passing!(
    temporarily_unavailable,
    Fault::Answer(400, "", r#"{"error":"temporarily_unavailable"}"#),
    "busy"
);
passing!(
    an_unknown_error,
    Fault::Answer(400, "", r#"{"error":"teapot"}"#),
    "teapot"
);

/// A fault that passes by itself within the transaction: nobody notices, and nobody waits long.
macro_rules! unnoticed {
    ($name:ident, $fault:expr) => {
        row!($name, world, {
            world.expire();
            world.posthog.fault([$fault]);
            let token = world.session.access_token().await.unwrap();
            assert_ne!(token.expose(), world.first.expose());
            assert_eq!(world.posthog.count("/oauth/token/"), 2);
        });
    };
}

unnoticed!(a_lost_answer_is_asked_for_again, Fault::Lost);
unnoticed!(half_an_answer_is_asked_for_again, Fault::Half);
unnoticed!(one_500_is_asked_again, Fault::Answer(500, "", ""));

/// The session ends, for this reason, and stays ended, for sibling processes too.
async fn ends(world: &World, reason: EndReason) {
    let ended = |error| matches!(error, SessionError::SignedOut(told) if told == reason);
    assert!(ended(world.session.access_token().await.unwrap_err()));
    assert_eq!(world.state(), ConnectionState::Ended(reason));
    world.posthog.forget_requests();
    assert!(ended(world.sibling().access_token().await.unwrap_err()));
    assert_eq!(world.posthog.count("/oauth/token/"), 0);
}

row!(invalid_grant_ends, world, {
    world.expire();
    world.posthog.state.lock().unwrap().revoked = true;
    ends(&world, EndReason::RevokedOrExpired).await;
});

row!(invalid_grant_with_200_ends, world, {
    world.expire();
    let refusal = r#"{"error":"invalid_grant"}"#;
    world.posthog.fault([Fault::Answer(200, "", refusal)]);
    ends(&world, EndReason::RevokedOrExpired).await;
});

row!(an_empty_scope_ends, world, {
    world.expire();
    world.posthog.fault([Fault::Scope(Some(""))]);
    ends(&world, EndReason::Narrowed).await;
});

row!(a_smaller_scope_ends, world, {
    world.expire();
    world
        .posthog
        .fault([Fault::Scope(Some("openid user:read"))]);
    ends(&world, EndReason::Narrowed).await;
    assert!(world.posthog.count("/oauth/revoke/") <= 2);
});

row!(an_absent_scope_means_as_before, world, {
    world.expire();
    world.posthog.fault([Fault::Scope(None)]);
    world.session.access_token().await.unwrap();
    let grant = &world.program.connections().unwrap()[0].grant;
    assert_eq!(grant.scopes.to_string(), posthog::SCOPES);
});

row!(an_absent_refresh_token_keeps_the_old_one, world, {
    if world.posthog.state.lock().unwrap().rotating {
        // Rotated and not told: inside the grace the old one is answered with the new one.
        world.posthog.state.lock().unwrap().lifetime = 60;
    }
    world.expire();
    world.posthog.fault([Fault::NoRefreshToken]);
    world.session.access_token().await.unwrap();
    world.posthog.clock.forward(61);
    world.session.access_token().await.unwrap();
    assert_eq!(world.state(), ConnectionState::Active);
});

row!(expires_in_as_text, world, {
    world.expire();
    world.posthog.fault([Fault::ExpiresIn("\"3600\"")]);
    world.session.access_token().await.unwrap();
    world.posthog.forget_requests();
    world.session.access_token().await.unwrap();
    assert_eq!(world.posthog.count("/oauth/token/"), 0);
});

row!(a_refused_token_is_refreshed_once_for_all, world, {
    let (refused, session) = (&world.first, &world.session);
    let (one, two) = tokio::join!(
        session.access_token_after_refusal(refused),
        session.access_token_after_refusal(refused)
    );
    assert_eq!(one.unwrap().expose(), two.unwrap().expose());
    assert_eq!(world.posthog.count("/oauth/token/"), 1);
});

row!(a_sibling_that_has_refreshed_is_followed, world, {
    let sibling = world.sibling();
    let new = sibling
        .access_token_after_refusal(&world.first)
        .await
        .unwrap();
    let seen = world
        .session
        .access_token_after_refusal(&world.first)
        .await
        .unwrap();
    assert_eq!(seen.expose(), new.expose());
    assert_eq!(world.posthog.count("/oauth/token/"), 1);
});

row!(
    tokens_refused_as_soon_as_issued_are_no_endless_loop,
    world,
    {
        let mut token = world.first.clone();
        for _ in 0..10 {
            match world.session.access_token_after_refusal(&token).await {
                Ok(next) => token = next,
                Err(error) => {
                    assert!(matches!(error, SessionError::Configuration(_)), "{error:?}");
                    assert!(world.posthog.count("/oauth/token/") <= 3);
                    assert_eq!(world.state(), ConnectionState::Active);
                    return;
                }
            }
        }
        panic!("ten refreshes in a row");
    }
);

row!(
    tokens_refused_as_soon_as_renewed_are_no_endless_loop,
    world,
    {
        // The first refresh is long after the sign-in: what counts is when the refused token was issued.
        world.expire();
        let mut token = world.session.access_token().await.unwrap();
        for _ in 0..10 {
            match world.session.access_token_after_refusal(&token).await {
                Ok(next) => token = next,
                Err(error) => {
                    assert!(matches!(error, SessionError::Configuration(_)), "{error:?}");
                    return;
                }
            }
        }
        panic!("ten refreshes in a row");
    }
);

row!(a_new_sign_in_ends_the_pause_after_refused_tokens, world, {
    let mut token = world.first.clone();
    while let Ok(next) = world.session.access_token_after_refusal(&token).await {
        token = next;
    }
    // Within the same minute, by another program of this device.
    let program = world.posthog.program(world.folder.path());
    world.posthog.sign_in(&program).await;
    let fresh = world.session.access_token().await.unwrap();
    assert_ne!(fresh.expose(), token.expose());
    let after = world.session.access_token_after_refusal(&token).await;
    assert_eq!(after.unwrap().expose(), fresh.expose());
    let renewed = world.session.access_token_after_refusal(&fresh).await;
    assert_ne!(renewed.unwrap().expose(), fresh.expose());
});

row!(a_clock_that_goes_back_refreshes, world, {
    world.posthog.clock.forward(-86_400);
    let token = world.session.access_token().await.unwrap();
    assert_ne!(token.expose(), world.first.expose());
});

row!(a_clock_that_jumps_a_year_refreshes, world, {
    world.posthog.clock.forward(365 * 86_400);
    world.session.access_token().await.unwrap();
    assert_eq!(world.state(), ConnectionState::Active);
});

row!(asleep_for_a_week, world, {
    world.posthog.clock.forward(7 * 86_400);
    world.posthog.fault(vec![Fault::Close; 3]);
    world.session.access_token().await.unwrap_err();
    world.heals().await;
});

row!(the_caller_goes_away_and_the_refresh_goes_on, world, {
    world.expire();
    let mut call = Box::pin(world.session.access_token());
    let polled = tokio::time::timeout(std::time::Duration::ZERO, &mut call).await;
    assert!(polled.is_err());
    drop(call);
    world.session.access_token().await.unwrap();
    assert_eq!(world.posthog.count("/oauth/token/"), 1);
});

row!(signed_out_here, world, {
    world.program.sign_out(&world.connection.id).await.unwrap();
    assert_eq!(world.posthog.count("/oauth/revoke/"), 2);
    ends(&world, EndReason::SignedOut).await;
});

row!(signed_out_by_a_sibling, world, {
    let sibling = world.posthog.program(world.folder.path());
    sibling.sign_out(&world.connection.id).await.unwrap();
    ends(&world, EndReason::SignedOut).await;
});

row!(signing_in_again_revives_it, world, {
    world.program.sign_out(&world.connection.id).await.unwrap();
    world.posthog.sign_in(&world.program).await;
    world.session.access_token().await.unwrap();
    world.sibling().access_token().await.unwrap();
});

row!(removed_by_a_sibling, world, {
    let sibling = world.posthog.program(world.folder.path());
    sibling.remove(&world.connection.id).await.unwrap();
    let error = world.session.access_token().await.unwrap_err();
    assert!(matches!(error, SessionError::SignedOut(_)), "{error:?}");
});

/// The record is unusable: said, not ended, not overwritten; signing in again replaces it.
async fn unusable_record(world: &World, bytes: &[u8], sentence: &str) {
    std::fs::write(world.record(), bytes).unwrap();
    let session = world.sibling();
    let error = session.access_token().await.unwrap_err();
    assert!(error.to_string().contains(sentence), "{error}");
    assert_eq!(std::fs::read(world.record()).unwrap(), bytes);
    assert_eq!(world.posthog.count("/oauth/token/"), 0);
    world.posthog.sign_in(&world.program).await;
    session.access_token().await.unwrap();
}

row!(an_empty_record, world, {
    unusable_record(&world, b"", "cannot be read").await;
});

row!(a_corrupt_record, world, {
    unusable_record(&world, b"SIPH\x01garbage", "cannot be read").await;
});

row!(a_record_with_a_changed_byte, world, {
    let mut bytes = std::fs::read(world.record()).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    unusable_record(&world, &bytes, "cannot be read").await;
});

row!(a_record_of_a_newer_version, world, {
    unusable_record(&world, b"SIPH\x02later", "newer version").await;
});

row!(the_wrong_device, world, {
    let bytes = std::fs::read(world.record()).unwrap();
    let key = world.folder.path().join("device/device.key");
    let own = std::fs::read(&key).unwrap();
    std::fs::write(&key, [7; 32]).unwrap();
    // The list says so before anybody asks for a token, and everybody reads the same list.
    let lost = ConnectionState::Ended(EndReason::RecordLost);
    assert_eq!(world.state(), lost);
    let error = world.sibling().access_token().await.unwrap_err();
    assert!(
        error.to_string().contains("Sign in again on this device"),
        "{error}"
    );
    assert_eq!(std::fs::read(world.record()).unwrap(), bytes);
    // On the device that it belongs to it goes on.
    std::fs::write(&key, own).unwrap();
    assert_eq!(world.state(), ConnectionState::Active);
    world.sibling().access_token().await.unwrap();
});

row!(a_record_that_is_gone, world, {
    std::fs::remove_file(world.record()).unwrap();
    let error = world.sibling().access_token().await.unwrap_err();
    assert!(matches!(
        error,
        SessionError::SignedOut(EndReason::RecordLost)
    ));
});

row!(a_note_of_the_vault_from_a_newer_version, world, {
    let note = world.folder.path().join("program/vault.json");
    let old = std::fs::read(&note).unwrap();
    std::fs::write(&note, r#"{"version":9}"#).unwrap();
    // Another process does not even open it, and changes nothing.
    let opened = SignIn::open(world.posthog.config(world.folder.path()));
    let error = opened.map(drop).unwrap_err();
    assert!(error.to_string().contains("newer version"), "{error}");
    assert_eq!(std::fs::read(&note).unwrap(), br#"{"version":9}"#);
    std::fs::write(&note, old).unwrap();
    world.sibling().access_token().await.unwrap();
});

row!(a_disk_that_cannot_be_written, world, {
    world.expire();
    let vault = world.folder.path().join("program/vault");
    let read_only = ReadOnly::new(&vault);
    let error = world.session.access_token().await.unwrap_err();
    assert!(matches!(error, SessionError::Record(_)), "{error:?}");
    assert_eq!(world.posthog.count("/oauth/token/"), 0, "nothing is spent");
    drop(read_only);
    world.heals().await;
});

row!(
    a_disk_that_cannot_be_written_while_the_token_serves,
    world,
    {
        world.come_due();
        let read_only = ReadOnly::new(&world.folder.path().join("program/vault"));
        let served = world.session.access_token().await.unwrap();
        assert_eq!(served.expose(), world.first.expose());
        drop(read_only);
        world.heals().await;
    }
);

/// A folder in which nothing new can be made while this lives.
struct ReadOnly(std::path::PathBuf);

impl ReadOnly {
    fn new(folder: &std::path::Path) -> Self {
        let this = Self(folder.to_owned());
        this.run("chmod", "0500");
        if tempfile::NamedTempFile::new_in(folder).is_ok() {
            // The superuser writes past the mode.
            this.run("chattr", "+i");
        }
        assert!(tempfile::NamedTempFile::new_in(folder).is_err());
        this
    }

    fn run(&self, program: &str, argument: &str) {
        let mut command = std::process::Command::new(program);
        let output = command.arg(argument).arg(&self.0).output();
        // Only the result counts: `chattr` is not everywhere, and not everywhere needed.
        drop(output);
    }
}

impl Drop for ReadOnly {
    fn drop(&mut self) {
        self.run("chattr", "-i");
        self.run("chmod", "0700");
    }
}
