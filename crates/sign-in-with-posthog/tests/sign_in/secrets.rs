//! Everything that the program says or writes, searched for every secret there was.

use std::io::{self, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use sign_in_with_posthog::AuthorizationResponse;
use tracing_subscriber::fmt::MakeWriter;

use crate::harness::Desk;
use crate::posthog::{Fault, Kind, refusal};
use crate::server::Wire;

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
        let desk = Desk::new(kind);
        everything(&desk, &mut said).await;
        secrets.extend(desk.posthog.secrets());
        folders.push(desk);
    }
    assert!(secrets.len() > 20, "the search is for nothing");
    said.push_str(&log.text());
    assert!(said.contains("refresh failed"), "nothing was logged");
    for desk in &folders {
        files(desk.folder(), &mut |path, bytes| {
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
async fn everything(desk: &Desk, said: &mut String) {
    use std::fmt::Write as _;
    let mut say = |thing: &dyn std::fmt::Debug| writeln!(said, "{thing:?}").unwrap();

    let attempt = desk.begin().await;
    say(&attempt);
    desk.sign_in.was_forgotten(&attempt).await;
    let forged = AuthorizationResponse::parse_query("code=x&state=y").unwrap();
    say(&desk.sign_in.complete(&attempt, &forged).await.unwrap_err());
    let junk: fn() -> Wire = || Wire::Answer(refusal(400, "invalid_grant"));
    desk.posthog.fail(TOKEN, 1, Fault::Before(junk));
    let response = desk.agree(&attempt);
    say(&response);
    say(&desk
        .sign_in
        .complete(&attempt, &response)
        .await
        .unwrap_err());
    say(&desk.sign_in.complete(&attempt, &response).await);
    // Broken answers that hold real tokens.
    let halves: [Fault; 3] = [
        Fault::After(Wire::Half),
        Fault::Edit(|body| body["access_token"] = serde_json::json!([body["access_token"]])),
        Fault::Edit(|body| body["token_type"] = body["refresh_token"].clone()),
    ];
    for fault in halves {
        let attempt = desk.begin().await;
        let response = desk.agree(&attempt);
        desk.posthog.fail(TOKEN, 1, fault);
        let error = desk.sign_in.complete(&attempt, &response).await;
        let error = error.unwrap_err();
        say(&error);
        say(&error.to_string());
    }

    let connection = desk.connect().await;
    say(&connection);
    say(&serde_json::to_string(&connection).unwrap());
    say(&desk.sign_in);
    let session = desk.session(&connection);
    say(&session);
    for fault in halves {
        desk.posthog.fail(TOKEN, 1, fault);
        desk.leave(0);
        say(&session.access_token().await);
        desk.clock.advance(60);
    }
    let token = session.access_token().await.unwrap();
    say(&token);
    let token = session.access_token_after_refusal(&token).await;
    say(&token);
    let narrow = Fault::Edit(|body| body["scope"] = "openid".into());
    desk.posthog.fail(TOKEN, 1, narrow);
    desk.leave(0);
    say(&session.access_token().await.unwrap_err());

    desk.connect().await;
    desk.sign_in.sign_out(&connection.id).await.unwrap();
    for key in ["phx_right", "phx_wrong"] {
        say(&desk.sign_in.add_api_key(&desk.host(), &key.into()).await);
    }
    desk.connect().await;
    desk.posthog.revoke_everything();
    desk.leave(0);
    say(&session.access_token().await.unwrap_err());
    desk.connect().await;
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
