//! Runs everything with logging at TRACE and looks for every secret that ever existed.
#![allow(clippy::unwrap_used, clippy::format_push_string)]

mod posthog;

use std::io::Write;
use std::sync::{Arc, Mutex};

use posthog::{Fault, PostHog};
use secrecy::SecretString;
use sign_in_with_posthog::Scopes;
use tracing_subscriber::fmt::MakeWriter;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// Everything in a folder and below, file after file.
fn everything_in(folder: &std::path::Path, into: &mut Vec<u8>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        into.extend_from_slice(path.to_string_lossy().as_bytes());
        if path.is_dir() {
            everything_in(&path, into);
        } else {
            into.extend(std::fs::read(&path).unwrap());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_a_log_a_debug_output_an_error_or_a_file() {
    let log = Log::default();
    tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(log.clone())
        .with_ansi(false)
        .init();
    let posthog = PostHog::start(true).await;
    let folder = tempfile::tempdir().unwrap();
    let program = posthog.program(folder.path());
    let mut seen = String::new();

    let redirect = "http://127.0.0.1:1/callback".parse().unwrap();
    let (host, scopes) = (posthog.host(), Scopes::default());
    let attempt = program.begin(&host, &redirect, &scopes).await.unwrap();
    let response = posthog.browse(attempt.authorization_url()).await;
    seen += &format!("{attempt:?}{response:?}{program:?}");
    let connection = program.complete(&attempt, &response).await.unwrap();
    let again = program.complete(&attempt, &response).await.unwrap_err();
    let session = program.session(&connection.id);
    seen += &format!("{connection:?}{again:?}{again}{session:?}");

    let faults = [
        Fault::Close,
        Fault::Lost,
        Fault::Half,
        Fault::Answer(500, "", "oops"),
        Fault::Answer(401, "", r#"{"error":"invalid_client"}"#),
    ];
    for fault in faults {
        posthog.clock.forward(4000);
        posthog.fault([fault]);
        let result = session.access_token().await;
        seen += &format!("{result:?}");
        if let Err(error) = result {
            seen += &error.to_string();
        }
    }
    posthog.clock.forward(4000);
    let token = session.access_token().await.unwrap();
    let next = session.access_token_after_refusal(&token).await.unwrap();
    seen += &format!("{token:?}{next:?}");

    let keys = ["phx_good_secret_key", "phx_wrong_secret_key"];
    for key in keys {
        let result = program.add_api_key(&host, &SecretString::from(key)).await;
        seen += &format!("{result:?}");
    }
    everything_in(folder.path(), log.0.lock().unwrap().as_mut());
    program.sign_out(&connection.id).await.unwrap();
    posthog.sign_in(&program).await;
    posthog.clock.forward(4000);
    posthog.state.lock().unwrap().revoked = true;
    seen += &format!("{:?}", session.access_token().await.unwrap_err());
    everything_in(folder.path(), log.0.lock().unwrap().as_mut());

    let log = log.0.lock().unwrap();
    seen += &String::from_utf8_lossy(&log);
    assert!(seen.contains("refresh failed"), "the log was written");
    let secrets = posthog.state.lock().unwrap().secrets.clone();
    assert!(secrets.len() > 10, "{}", secrets.len());
    for secret in secrets.iter().map(String::as_str).chain(keys) {
        let place = seen.find(secret);
        let around = place.map(|at| seen[at.saturating_sub(200)..at].to_owned());
        assert_eq!(around, None, "{secret} is shown");
    }
}
