//! `pockethog` without a command: the app.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use super::console::{CliError, Console, Exit};
use pockethog_core::app_context::AppContext;
use pockethog_device::browser;
use pockethog_server::{App, CODE_LIFE, Launch, PRINTED_CODE_LIFE, launch};
use pockethog_views::alerts::words;

/// How the app is started.
#[derive(Clone, Copy, Debug, Default, clap::Args)]
pub struct AppOptions {
    /// The port on 127.0.0.1; by default that of the last start, if it is free.
    #[arg(
        long,
        env = "POCKETHOG_PORT",
        hide_env_values = true,
        value_name = "PORT"
    )]
    port: Option<u16>,
    /// Print the address instead of opening a browser.
    #[arg(long)]
    no_browser: bool,
}

impl AppOptions {
    /// The port, 0 for any.
    pub(super) fn port(self) -> u16 {
        self.port.unwrap_or(0)
    }

    /// How long the address is good: shorter if it is handed to a browser, where others can see it.
    pub(super) fn code_life(self) -> Duration {
        if self.opens_browser() {
            CODE_LIFE
        } else {
            PRINTED_CODE_LIFE
        }
    }

    fn opens_browser(self) -> bool {
        !self.no_browser && browser::can_open()
    }
}

/// Starts the app, or opens the one that runs already.
///
/// # Errors
///
/// A port or a folder that cannot be used.
pub async fn run(
    program: AppContext,
    console: &Console,
    options: AppOptions,
) -> Result<Exit, CliError> {
    // From here on a Ctrl-C ends what was begun, however early it comes.
    let end = end()?;
    match launch(Arc::new(program), options.port()).await? {
        Launch::Running(app) => {
            let address = app.open_address(options.code_life()).await?;
            open(console, &address, options);
            console.say(match app.other_version() {
                None => "PocketHog is already running.".to_owned(),
                Some(other) => format!(
                    "PocketHog is already running: {other}, and this is {}. Stop it and start it again to use this \
                     one; as a service: `pockethog autostart on`.",
                    env!("CARGO_PKG_VERSION")
                ),
            });
            Ok(Exit::Done)
        }
        Launch::New(app) => serve(app, console, options, end).await,
    }
}

/// Serves until the program is asked to end.
///
/// # Errors
///
/// The listener fails.
pub(super) async fn serve(
    app: App,
    console: &Console,
    options: AppOptions,
    end: impl Future<Output = ()> + Send + 'static,
) -> Result<Exit, CliError> {
    serve_at(app, console, options, end, "/").await
}

/// As [`serve`], with the page at `path` opened first.
///
/// # Errors
///
/// As there.
pub(super) async fn serve_at(
    app: App,
    console: &Console,
    options: AppOptions,
    end: impl Future<Output = ()> + Send + 'static,
    path: &str,
) -> Result<Exit, CliError> {
    // The port is bound, so that a browser which is faster than the first answer waits for it.
    let address = app.open_address_at(options.code_life(), path)?;
    open(console, &address, options);
    console.say("PocketHog is running. Press Ctrl-C to stop it.");
    let live = Arc::clone(app.state().live());
    let alerts = tokio::spawn(pockethog_alerts::run(live, words, |_| {}));
    let served = app.serve(end).await;
    alerts.abort();
    served?;
    Ok(Exit::Done)
}

/// Prints the address and opens it if there is a browser.
pub(super) fn open(console: &Console, address: &str, options: AppOptions) {
    if console.is_json() {
        console.document(&json!({ "address": address }));
    } else {
        console.line(address);
    }
    if options.opens_browser()
        && let Err(error) = browser::open(address)
    {
        console.say(format!(
            "The browser could not be started ({error}); open the address above."
        ));
    }
}

/// Ready at Ctrl-C, and when the system or a closed terminal ends the program. Listens from the call on.
///
/// # Errors
///
/// The system takes no handler.
#[cfg(unix)]
pub(super) fn end() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
    })
}

/// Ready at Ctrl-C.
///
/// # Errors
///
/// The system takes no handler.
#[cfg(not(unix))]
pub(super) fn end() -> std::io::Result<impl Future<Output = ()> + Send + 'static> {
    Ok(async {
        tokio::signal::ctrl_c().await.ok();
    })
}
