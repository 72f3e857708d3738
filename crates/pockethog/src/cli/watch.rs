//! `pockethog watch`: alerts without the app.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use pockethog_alerts::{self as alerts, Alert, Delivery, Stay, read_due};
use pockethog_core::app_context::AppContext;
use pockethog_core::live::{self, Live};
use pockethog_core::preferences::Preferences;
use pockethog_views::alerts::{document, text, title, words};

use super::app;
use super::console::{CliError, Console, Exit, Style, Text};

/// Tell what is out of the ordinary: a project that moves or falls silent, a goal, more errors, the end of a sign-in.
#[derive(Clone, Copy, Debug, clap::Args)]
#[command(after_help = "\
Alerts have to be turned on first, on the settings page or by `pockethog config set alerts.on true`.
The app tells the same while it runs; each alert is told by one process of this device, once.

Examples:
  pockethog watch
  pockethog watch --json | while read -r alert; do echo \"$alert\"; done
  pockethog watch --once                    for cron or a timer, every 5 minutes or so")]
pub struct Watch {
    /// Look once, tell what there is to tell, and end.
    #[arg(long)]
    once: bool,
    /// With --once: how long to wait for PostHog in total, for example 10s or 2m.
    #[arg(
        long,
        value_name = "TIME",
        value_parser = super::duration::duration,
        default_value = "25s"
    )]
    timeout: Duration,
}

/// Watches until the program is asked to end, or once.
///
/// # Errors
///
/// Alerts are turned off, or what is known cannot be read.
pub async fn run(program: AppContext, console: &Console, watch: Watch) -> Result<Exit, CliError> {
    let (preferences, problem) = program.preferences();
    if let Some(problem) = problem {
        console.remark(&format!("preferences: {problem}"));
        if problem.is_whole() {
            return Ok(Exit::Failed);
        }
    }
    if !preferences.alerts.on {
        return Err(CliError::failed(
            "alerts are turned off; to turn them on, run `pockethog config set alerts.on true`",
        ));
    }
    let program = Arc::new(program);
    if watch.once {
        return once(&program, console, &preferences, watch.timeout).await;
    }
    let end = app::end()?;
    let live = Live::new(program)?;
    let refreshing = tokio::spawn(live::run(Arc::clone(&live)));
    if is_signed_out(&live)? {
        console.say("Nobody is signed in. Sign in with `pockethog login`; until then there is nothing to tell.");
    }
    console.say("Watching. Press Ctrl-C to stop.");
    tokio::select! {
        () = alerts::run(Arc::clone(&live), words, |alert| print(console, alert)) => {}
        () = end => {}
    }
    live.close();
    refreshing.abort();
    Ok(Exit::Done)
}

fn is_signed_out(live: &Live) -> Result<bool, CliError> {
    let connections = live.connections()?;
    Ok(!connections
        .iter()
        .any(sign_in_with_posthog::Connection::is_active))
}

/// Reads what is due, by the rules of the app and of the widgets, and tells what there is to tell.
async fn once(
    program: &Arc<AppContext>,
    console: &Console,
    preferences: &Preferences,
    patience: Duration,
) -> Result<Exit, CliError> {
    let deadline = Instant::now() + patience;
    let read = read_due(program, preferences, deadline);
    let in_time = tokio::time::timeout_at(deadline.into(), read).await;
    let late = in_time.is_err();
    in_time.unwrap_or(Ok(()))?;
    let live = Live::new(Arc::clone(program))?;
    let alerts = alerts::tell(&live, Timestamp::now())?;
    for alert in &alerts {
        print(console, alert);
    }
    let delivery = Delivery::new(program, Stay::Ends, words);
    delivery.deliver(&preferences.alerts, &alerts).await;
    if is_signed_out(&live)? {
        return Ok(Exit::SignInNeeded);
    }
    if late {
        console.say(format!(
            "PostHog did not answer within {} s; what was known by then was looked at.",
            patience.as_secs()
        ));
        return Ok(Exit::Partly);
    }
    Ok(Exit::Done)
}

fn print(console: &Console, alert: &Alert) {
    if console.is_json() {
        console.document_line(&document(alert));
        return;
    }
    let news = &alert.news;
    let line = Text::styled(Style::Strong, title(news))
        .and(". ")
        .and(text(news, alert.at));
    console.line(line);
    console.flush();
}
