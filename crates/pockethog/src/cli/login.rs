//! `pockethog login`: sign in from a terminal.
//!
//! Three ways end in the same place: the browser comes back to a listener on this device, the person
//! pastes the address that the browser ended on, or types an API key.

use std::io::{self, IsTerminal};
use std::time::Duration;

use clap::Args;
use serde_json::json;
use sign_in_with_posthog::{
    Arrival, Attempt, AuthorizationResponse, CompleteError, Connection, Host, Look,
    LoopbackListener, Page, Scopes,
};
use tokio::sync::mpsc;
use url::Url;

use super::console::{CliError, Console, Exit, Progress, Text};
use super::{api_key, status};
use pockethog_core::accounts::{self, EMAIL_SCOPE};
use pockethog_core::app_context::AppContext;
use pockethog_core::key_swap::{self, Outcome};
use pockethog_core::preferences::Preferences;
use pockethog_device::browser;
use pockethog_views::pages;
use pockethog_views::wording;

/// How long the lists of projects may take before an API key is kept.
const SWAP_TIME: Duration = Duration::from_secs(20);

/// Sign in to PostHog in the browser, or with a personal API key.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog login                                              asks which PostHog
  pockethog login us
  pockethog login eu --no-browser                              over SSH or in a container
  pockethog login https://posthog.example.org --api-key        asks for the key without echo
  pockethog login us --api-key --json < key.txt")]
pub struct Login {
    /// `us`, `eu`, or the address of your own PostHog, like `https://posthog.example.org`; asked for on a
    /// terminal if it is left out
    host: Option<String>,
    /// Use a personal API key, asked for without echo or read from standard input.
    #[arg(long)]
    api_key: bool,
    /// Print the address instead of opening a browser.
    #[arg(long)]
    no_browser: bool,
    /// Also ask PostHog for your e-mail address, and show it.
    #[arg(long)]
    with_email: bool,
}

/// Signs in.
///
/// # Errors
///
/// Whatever kept the sign-in from ending well.
pub async fn run(program: &AppContext, console: &Console, login: &Login) -> Result<Exit, CliError> {
    let host = chosen_host(program, console, login)?;
    let connection = if login.api_key {
        let key = api_key::read(console, &host)?;
        let progress = Progress::new(format!("Checking the key with {} …", host.name()));
        let adding = program.sign_in.add_api_key(&host, &key);
        console.watch_in_time(&progress, adding).await??
    } else {
        by_browser(program, console, login, &host).await?
    };
    let keys = if login.api_key {
        Keys::default()
    } else {
        replace_keys(program, console, &connection).await?
    };
    report(console, &connection, &keys);
    if let Some(notice) = program.sign_in.take_vault_notice() {
        console.say(&notice);
    }
    Ok(Exit::Done)
}

/// The host that was named, or that the person names when asked.
fn chosen_host(program: &AppContext, console: &Console, login: &Login) -> Result<Host, CliError> {
    if let Some(typed) = &login.host {
        return parsed_host(program, typed).map_err(CliError::usage);
    }
    if console.is_json() || !io::stdin().is_terminal() {
        return Err(CliError::usage(
            "say which PostHog to sign in to: `pockethog login us`, `pockethog login eu`, or `pockethog login` with the address of your own",
        ));
    }
    console.say(
        "Which PostHog do you use? Type us or eu for PostHog Cloud, or the address of your own.",
    );
    for line in io::stdin().lines() {
        match parsed_host(program, &line?) {
            Ok(host) => return Ok(host),
            Err(sentence) => console.say(format!("{sentence}:")),
        }
    }
    Err(CliError::usage(
        "no PostHog was chosen; nothing has changed",
    ))
}

fn parsed_host(program: &AppContext, typed: &str) -> Result<Host, String> {
    let typed = typed.trim();
    program.clouds.parse(typed).map_err(|error| {
        // Somebody means a country, or a region that there is not.
        if !typed.is_empty() && !typed.contains(['.', ':', '/']) {
            format!(
                "“{typed}” is neither us nor eu, the two regions of PostHog Cloud; for your own PostHog, type \
                 its address, like https://posthog.example.org"
            )
        } else {
            error.to_string()
        }
    })
}

async fn by_browser(
    program: &AppContext,
    console: &Console,
    login: &Login,
    host: &Host,
) -> Result<Connection, CliError> {
    let extra = Scopes::parse(if login.with_email { EMAIL_SCOPE } else { "" });
    let listener = LoopbackListener::bind()
        .await?
        .with_look(look(program.is_demo()));
    let redirect_uri = listener.redirect_uri();
    let progress = Progress::new(format!("Preparing the sign-in at {} …", host.name()));
    let beginning = program.sign_in.begin(host, &redirect_uri, &extra);
    let attempt = console.watch_in_time(&progress, beginning).await??;
    // Every user of this machine can read the arguments of the browser, so it gets the start address alone.
    let start = attempt.start_url();
    let opened = !login.no_browser && browser::can_open() && browser::open(start.as_str()).is_ok();
    let may_paste = login.no_browser || io::stdin().is_terminal();
    say_where(console, host, &attempt, opened, may_paste);
    let said_contested = async {
        attempt.contested().await;
        console.say(with_address(
            "Two browsers opened the address that your browser was started with. If you opened only one, the \
             other belongs to somebody else on this machine; it gained nothing. Continue at",
            &attempt.printed_start_url(),
        ));
        std::future::pending::<()>().await;
    };
    tokio::select! {
        arrival = listener.wait(&attempt) => match arrival {
            Some(arrival) => finish(program, &attempt, arrival).await,
            None => Err(nobody_came(program, &attempt).await),
        },
        pasted = pasted(console, &attempt), if may_paste => {
            Ok(program.sign_in.complete(&attempt, &pasted).await?)
        }
        () = said_contested => Err(CliError::failed(CompleteError::Expired)),
        _ = tokio::signal::ctrl_c() => {
            Err(CliError::failed("the sign-in was cancelled; nothing has changed"))
        }
    }
}

/// Where the person can sign in: on this device, or on another one, whose browser cannot come back here.
fn say_where(console: &Console, host: &Host, attempt: &Attempt, opened: bool, may_paste: bool) {
    let here = attempt.printed_start_url();
    if opened {
        let name = host.name();
        let text = format!(
            "{name} should open in your browser. If it does not, open this address on this device:"
        );
        console.say(with_address(&text, &here));
    } else if may_paste {
        console.say(with_address(
            "Open this address in a browser on any device:",
            attempt.authorization_url(),
        ));
        console.say(with_address(
            "Or open this one in a browser on this device, which comes back by itself:",
            &here,
        ));
    } else {
        console.say(with_address(
            "Open this address in a browser on this device:",
            &here,
        ));
    }
    if may_paste {
        console.say(
            "If the browser ends on a page that it cannot reach, paste that page's address here:",
        );
    }
}

/// An address on a line of its own.
fn with_address(text: &str, address: &Url) -> Text {
    Text::from(text)
        .below("")
        .below(format!("  {address}"))
        .below("")
}

/// Why nobody answered: if PostHog has forgotten this device, it has said so to the browser alone.
async fn nobody_came(program: &AppContext, attempt: &Attempt) -> CliError {
    if program.sign_in.was_forgotten(attempt).await {
        return CliError::failed(format!(
            "{} no longer knew PocketHog on this device; run the same command again",
            attempt.host().name()
        ));
    }
    CliError::failed(CompleteError::Expired)
}

/// The page that the browser ends on looks like the app's own.
fn look(demo: bool) -> Look {
    Look {
        style: pages::sign_in_style(demo),
        mark: Some(pages::ICON.to_owned()),
    }
}

/// Lets the sign-in take the place of the API keys for the same host, as the page does. Returns those that
/// are gone and those that stay.
async fn replace_keys(
    program: &AppContext,
    console: &Console,
    new: &Connection,
) -> Result<Keys, CliError> {
    let mut keys = Keys::default();
    for key in key_swap::keys_at(program, &new.host)? {
        let progress = Progress::new("Moving the projects of your API key to the sign-in …");
        let swapping = swap(program, &key, new);
        let outcome = console.watch(&progress, swapping).await;
        let mut sentence = wording::key_swap(&outcome, new);
        if outcome.is_gone() {
            keys.removed.push(key.id.to_string());
        } else {
            keys.kept.push(key.id.to_string());
        }
        if !outcome.is_gone() && !matches!(outcome, Outcome::Ended(..)) {
            sentence = format!(
                "{sentence} Remove it with `pockethog logout {}` once you no longer need it.",
                key.id
            );
        }
        console.say(sentence);
    }
    Ok(keys)
}

#[derive(Debug, Default)]
struct Keys {
    removed: Vec<String>,
    kept: Vec<String>,
}

async fn swap(program: &AppContext, key: &Connection, new: &Connection) -> Outcome {
    let mut snapshots = match program.snapshots() {
        Ok(snapshots) => snapshots,
        Err(error) => return Outcome::NotHandedOver(error),
    };
    let finding = key_swap::find(program, key, new);
    let found = match tokio::time::timeout(SWAP_TIME, finding).await {
        Ok(Ok(found)) => found,
        Ok(Err(outcome)) => return outcome,
        Err(_) => return Outcome::NotListed,
    };
    let left = match key_swap::hand_over(program, &mut snapshots, key, new, &found) {
        Ok(left) => left,
        Err(error) => return Outcome::NotHandedOver(error),
    };
    let outcome = key_swap::set_aside(program, key, new, &found, left).await;
    if outcome.is_gone() {
        let preferences = program.folders.preferences();
        let preferred = Preferences::update(&preferences, |preferences| {
            key_swap::forget_banner(preferences, key);
        });
        if let Err(error) = key_swap::forget(&mut snapshots, key) {
            tracing::warn!(%error, "the projects of the replaced key are still listed");
        }
        if let Err(error) = preferred {
            tracing::warn!(%error, "the answer to the key's banner is still stored");
        }
    }
    outcome
}

/// Exchanges the code, then tells the browser the truth.
async fn finish(
    program: &AppContext,
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
            Err(error) => console.say(format!("That address does not work: {error}")),
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

fn report(console: &Console, connection: &Connection, keys: &Keys) {
    if console.is_json() {
        console.document(&json!({
            "connection": status::describe(connection),
            "removed_keys": keys.removed,
            "kept_keys": keys.kept,
        }));
        return;
    }
    console.line(format!(
        "Connected to {} as {}.",
        connection.host.name(),
        connection.account.label()
    ));
    console.say(format!(
        "Not you? `pockethog logout {} --not-me` removes this account from the device{}.",
        connection.id,
        if keys.removed.is_empty() {
            ""
        } else {
            ", and your API key is used again"
        }
    ));
    let missing = accounts::missing_scopes(connection);
    if !missing.is_empty() {
        console.say(format!(
            "Not granted: {}. Features that need these permissions are switched off. To grant them, run `pockethog login {}`.",
            missing.join(", "),
            connection.host.key()
        ));
    }
}
