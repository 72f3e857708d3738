//! Whether alerts reach the person.

use jiff::Timestamp;

use super::Finding;
use pockethog_alerts::{Channel, Store, find_program};
use pockethog_core::preferences::Preferences;
use pockethog_device::folders::Folders;
use pockethog_views::format::ago;

/// Whether alerts reach the person, by what came of the last ones.
pub(super) fn alerts(folders: &Folders) -> Finding {
    let what = "Alerts";
    let (preferences, _) = Preferences::load(&folders.preferences());
    let chosen = preferences.alerts;
    if !chosen.on {
        return Finding::ok(what, "turned off");
    }
    let told = match Store::new(folders).read() {
        Ok(told) => told,
        Err(error) => {
            let advice = "Until that is fixed nothing is told.";
            return Finding::fail(what, error.to_string(), advice);
        }
    };
    if let Some(program) = chosen.command.first()
        && find_program(program).is_none()
    {
        return Finding::warn(
            what,
            format!("there is no program “{program}”, which gets each alert"),
            "Set it again with `pockethog config set alerts.command`.",
        );
    }
    let of = |channel| {
        told.outcome(channel)
            .filter(|outcome| outcome.failure.is_some())
    };
    let now = Timestamp::now();
    if !chosen.command.is_empty()
        && let Some(failed) = of(Channel::Command)
    {
        let reason = failed.failure.as_deref().unwrap_or_default();
        return Finding::warn(
            what,
            format!("{}, the command: {reason}", ago(failed.at, now)),
            "The alert was shown on the page all the same. Try the command in a terminal; it gets JSON on standard input.",
        );
    }
    if chosen.desktop
        && let Some(failed) = of(Channel::Desktop)
    {
        let reason = failed.failure.as_deref().unwrap_or_default();
        return Finding::warn(
            what,
            format!("{}: {reason}", ago(failed.at, now)),
            "Run PocketHog inside the desktop session, or turn notifications off with `pockethog config set \
             alerts.desktop false`.",
        );
    }
    Finding::ok(
        what,
        match told.recent.last() {
            Some(last) => format!("turned on; the last one {}", ago(last.at, now)),
            None => "turned on; nothing was told yet".to_owned(),
        },
    )
}
