//! `pockethog login`: sign in from a terminal.
//!
//! Three ways end in the same place: the browser comes back to a listener on this device, the person
//! pastes the address that the browser ended on, or types an API key.

use std::io::{self, IsTerminal};

use clap::Args;
use serde_json::json;
use sign_in_with_posthog::{
    Arrival, Attempt, AuthorizationResponse, CompleteError, Connection, Host, LoopbackListener,
    Page, Scopes,
};
use tokio::sync::mpsc;

use super::console::{CliError, Console, Exit, Progress, Text};
use super::{api_key, status};
use crate::accounts::{self, EMAIL_SCOPE};
use crate::browser;
use crate::program::Program;

/// Sign in at PostHog in the browser, or with a personal API key.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog login us
  pockethog login eu --no-browser                              over SSH or in a container
  pockethog login https://posthog.example.org --api-key        asks for the key without echo
  pockethog login us --api-key --json < key.txt")]
pub struct Login {
    /// `us`, `eu`, or the address of your own PostHog, like `https://posthog.example.org`
    host: String,
    /// Use a personal API key, asked for without echo or read from standard input.
    #[arg(long)]
    api_key: bool,
    /// Print the address instead of opening a browser.
    #[arg(long)]
    no_browser: bool,
    /// Also ask for your e-mail address, to show it.
    #[arg(long)]
    with_email: bool,
}

/// Signs in.
///
/// # Errors
///
/// Whatever kept the sign-in from ending well.
pub async fn run(program: &Program, console: &Console, login: &Login) -> Result<Exit, CliError> {
    let host = program.clouds.parse(&login.host).map_err(CliError::usage)?;
    let connection = if login.api_key {
        let key = api_key::read(console, &host)?;
        let progress = Progress::new(format!("Asking {} about the key …", host.name()));
        let adding = program.sign_in.add_api_key(&host, &key);
        console.watch_in_time(&progress, adding).await??
    } else {
        by_browser(program, console, login, &host).await?
    };
    report(console, &connection);
    Ok(Exit::Done)
}

async fn by_browser(
    program: &Program,
    console: &Console,
    login: &Login,
    host: &Host,
) -> Result<Connection, CliError> {
    let extra = Scopes::parse(if login.with_email { EMAIL_SCOPE } else { "" });
    let listener = LoopbackListener::bind().await?;
    let redirect_uri = listener.redirect_uri();
    let progress = Progress::new(format!("Preparing the sign-in at {} …", host.name()));
    let beginning = program.sign_in.begin(host, &redirect_uri, &extra);
    let attempt = console.watch_in_time(&progress, beginning).await??;
    let address = attempt.authorization_url();
    let opened =
        !login.no_browser && browser::can_open() && browser::open(address.as_str()).is_ok();
    if opened {
        console.say(&format!(
            "Your browser opens {}. If it does not, open this address:",
            host.name()
        ));
    } else {
        console.say("Open this address in a browser:");
    }
    console.say(Text::from("").below(format!("  {address}")).below(""));
    let may_paste = login.no_browser || io::stdin().is_terminal();
    if may_paste {
        console.say(
            "If the browser ends on a page that it cannot reach, paste that page's address here:",
        );
    }
    tokio::select! {
        arrival = listener.wait(&attempt) => match arrival {
            Some(arrival) => finish(program, &attempt, arrival).await,
            None => Err(CliError::failed(CompleteError::Expired)),
        },
        pasted = pasted(console, &attempt), if may_paste => {
            Ok(program.sign_in.complete(&attempt, &pasted).await?)
        }
        _ = tokio::signal::ctrl_c() => {
            Err(CliError::failed("the sign-in was cancelled; nothing has changed"))
        }
    }
}

/// Exchanges the code, then tells the browser the truth.
async fn finish(
    program: &Program,
    attempt: &Attempt,
    arrival: Arrival,
) -> Result<Connection, CliError> {
    let result = program.sign_in.complete(attempt, &arrival.response).await;
    arrival.finish(Page::of(&result)).await;
    Ok(result?)
}

/// An address that belongs to this sign-in; others are turned away with a sentence.
async fn pasted(console: &Console, attempt: &Attempt) -> AuthorizationResponse {
    let mut lines = typed_lines();
    while let Some(line) = lines.recv().await {
        if line.trim().is_empty() {
            continue;
        }
        let response = AuthorizationResponse::parse_pasted(&line)
            .and_then(|response| attempt.accepts(&response).map(|()| response));
        match response {
            Ok(response) => return response,
            Err(error) => console.say(&format!("That is not it: {error}")),
        }
    }
    // No more input; the browser may still come back.
    std::future::pending().await
}

/// Lines from standard input, read by a thread of its own: a read cannot be cancelled, and nothing
/// must wait for it when the browser was faster.
fn typed_lines() -> mpsc::UnboundedReceiver<String> {
    let (sender, lines) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in io::stdin().lines() {
            let Ok(line) = line else { break };
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

fn report(console: &Console, connection: &Connection) {
    if console.is_json() {
        console.document(&json!({ "connection": status::describe(connection) }));
        return;
    }
    console.line(&format!(
        "Connected to {} as {}.",
        connection.host.name(),
        connection.account.label()
    ));
    let missing = accounts::missing_scopes(connection);
    if !missing.is_empty() {
        console.say(&format!(
            "Not granted: {}. What needs them is switched off.",
            missing.join(", ")
        ));
    }
}
