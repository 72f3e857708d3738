//! Everything that the program says or writes, searched for every secret there was.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use sign_in_with_posthog::AuthorizationResponse;
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::Harness;
use crate::posthog::{Fault, Kind, refusal};
use test_support::Reply;

const TOKEN: &str = "/oauth/token";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_logged_printed_or_left_in_clear() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .init();
    let mut said = String::new();
    let mut secrets = vec!["phx_right".to_owned(), "phx_wrong".to_owned()];
    let mut folders = Vec::new();
    for kind in Kind::BOTH {
        let harness = Harness::new(kind);
        everything(&harness, &mut said).await;
        secrets.extend(harness.posthog.secrets());
        folders.push(harness);
    }
    assert!(secrets.len() > 20, "the search is for nothing");
    said.push_str(&log.text());
    assert!(said.contains("refresh failed"), "nothing was logged");
    for harness in &folders {
        files(harness.folder(), &mut |path, bytes| {
            said.push_str(&path.display().to_string());
            said.push_str(&String::from_utf8_lossy(bytes));
        });
    }
    for secret in secrets {
        assert!(
            !said.contains(&secret),
            "{secret} was found:\n{}",
            around(&said, &secret)
        );
    }
}

/// A life: refused, forged, signed in, refreshed, refused, narrowed, signed out, with a key.
async fn everything(harness: &Harness, said: &mut String) {
    use std::fmt::Write as _;
    let mut say = |thing: &dyn std::fmt::Debug| writeln!(said, "{thing:?}").unwrap();

    let attempt = harness.begin().await;
    say(&attempt);
    harness.sign_in.was_forgotten(&attempt).await;
    let forged = AuthorizationResponse::parse_query("code=x&state=y").unwrap();
    say(&harness
        .sign_in
        .complete(&attempt, &forged)
        .await
        .unwrap_err());
    let junk: fn() -> Reply = || Reply::Response(refusal(400, "invalid_grant"));
    harness.posthog.fail(TOKEN, 1, Fault::Before(junk));
    let response = harness.agree(&attempt);
    say(&response);
    say(&harness
        .sign_in
        .complete(&attempt, &response)
        .await
        .unwrap_err());
    say(&harness.sign_in.complete(&attempt, &response).await);
    // Broken answers that hold real tokens.
    let halves: [Fault; 3] = [
        Fault::After(Reply::Half),
        Fault::Edit(|body| body["access_token"] = serde_json::json!([body["access_token"]])),
        Fault::Edit(|body| body["token_type"] = body["refresh_token"].clone()),
    ];
    for fault in halves {
        let attempt = harness.begin().await;
        let response = harness.agree(&attempt);
        harness.posthog.fail(TOKEN, 1, fault);
        let error = harness.sign_in.complete(&attempt, &response).await;
        let error = error.unwrap_err();
        say(&error);
        say(&error.to_string());
    }

    let connection = harness.connect().await;
    say(&connection);
    say(&serde_json::to_string(&connection).unwrap());
    say(&harness.sign_in);
    let session = harness.session(&connection);
    say(&session);
    for fault in halves {
        harness.posthog.fail(TOKEN, 1, fault);
        harness.leave(0);
        say(&session.access_token().await);
        harness.clock.advance(60);
    }
    let token = session.access_token().await.unwrap();
    say(&token);
    let token = session.access_token_after_refusal(&token).await;
    say(&token);
    let narrow = Fault::Edit(|body| body["scope"] = "openid".into());
    harness.posthog.fail(TOKEN, 1, narrow);
    harness.leave(0);
    say(&session.access_token().await.unwrap_err());

    harness.connect().await;
    harness.sign_in.sign_out(&connection.id).await.unwrap();
    for key in ["phx_right", "phx_wrong"] {
        say(&harness
            .sign_in
            .add_api_key(&harness.host(), &key.into())
            .await);
    }
    harness.connect().await;
    harness.posthog.revoke_everything();
    harness.leave(0);
    say(&session.access_token().await.unwrap_err());
    harness.connect().await;
}

fn files(folder: &Path, visit: &mut dyn FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, visit);
        } else {
            visit(&path, &std::fs::read(&path).unwrap());
        }
    }
}

fn around(text: &str, secret: &str) -> String {
    let at = text.find(secret).unwrap_or_default();
    text.get(at.saturating_sub(300)..(at + 300).min(text.len()))
        .unwrap_or_default()
        .to_owned()
}

/// A log that is kept in memory.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}
