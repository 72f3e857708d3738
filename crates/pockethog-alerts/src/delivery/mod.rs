//! Brings alerts to the person: by a desktop notification, and by a command of their own.
//!
//! An alert is decided on and recorded before it gets here. A channel that fails takes
//! nothing from the others; how it went is noted, and `doctor` says so.

mod command;
#[cfg(all(target_os = "linux", feature = "notifications"))]
mod desktop;

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use pockethog_core::app_context::AppContext;
use pockethog_core::live::Live;
use pockethog_core::preferences::Alerts;
use tokio::sync::mpsc;

pub use command::find_program;

use crate::{Alert, Channel, Outcome, Store, follow};

/// How long a command of the person's own may take.
pub const COMMAND_LIMIT: Duration = Duration::from_secs(10);

/// Whether the process stays, and so can hear of a click on a notification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stay {
    /// It does.
    Stays,
    /// It is about to end.
    Ends,
}

/// An alert in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Words {
    /// What happened and where, on one line without control characters.
    pub title: String,
    /// How much, since when, what to do; as the title.
    pub text: String,
    /// All of it as one JSON document.
    pub document: String,
}

/// Makes the words of an alert, at an instant.
pub type Wording = fn(&Alert, Timestamp) -> Words;

/// The ways to the person.
#[derive(Debug)]
pub struct Delivery {
    store: Store,
    wording: Wording,
    #[cfg(all(target_os = "linux", feature = "notifications"))]
    desktop: desktop::Desktop,
}

impl Delivery {
    /// For this device, or for a demo on it.
    pub fn new(program: &AppContext, stay: Stay, wording: Wording) -> Self {
        #[cfg(not(all(target_os = "linux", feature = "notifications")))]
        let _ = stay;
        Self {
            store: Store::new(&program.folders),
            wording,
            #[cfg(all(target_os = "linux", feature = "notifications"))]
            desktop: desktop::Desktop::new(
                stay,
                // What is clicked on in a demo is a page of the demo.
                program.is_demo().then(|| program.folders.config.clone()),
            ),
        }
    }

    /// Brings these alerts to the person, by each channel that is chosen.
    pub async fn deliver(&self, chosen: &Alerts, alerts: &[Alert]) {
        tokio::join!(self.notify(chosen, alerts), self.command(chosen, alerts));
    }

    #[cfg(all(target_os = "linux", feature = "notifications"))]
    async fn notify(&self, chosen: &Alerts, alerts: &[Alert]) {
        if !chosen.desktop {
            return;
        }
        for alert in alerts {
            let shown = self.show(alert).await;
            self.note(Channel::Desktop, shown);
        }
    }

    #[cfg(all(target_os = "linux", feature = "notifications"))]
    async fn show(&self, alert: &Alert) -> Result<(), String> {
        let words = (self.wording)(alert, Timestamp::now());
        let project = alert.news.project().map(|project| project.key.clone());
        self.desktop.show(&words, project).await
    }

    /// Other systems have no notifications here.
    #[cfg(not(all(target_os = "linux", feature = "notifications")))]
    async fn notify(&self, _: &Alerts, _: &[Alert]) {}

    async fn command(&self, chosen: &Alerts, alerts: &[Alert]) {
        if chosen.command.is_empty() {
            return;
        }
        for alert in alerts {
            let words = (self.wording)(alert, alert.at);
            let document = format!("{}\n", words.document);
            let ran = command::run(&chosen.command, document.as_bytes(), COMMAND_LIMIT).await;
            self.note(Channel::Command, ran);
        }
    }

    fn note(&self, channel: Channel, ended: Result<(), String>) {
        let outcome = Outcome {
            at: Timestamp::now(),
            failure: ended.err(),
        };
        if let Some(failure) = &outcome.failure {
            tracing::warn!(?channel, failure, "an alert could not be delivered");
        }
        if let Err(error) = self.store.note(channel, outcome) {
            tracing::warn!(%error, "how an alert was delivered cannot be noted");
        }
    }
}

/// Looks after the alerts until the app ends. `said` hears of each alert that this process tells.
pub async fn run(live: Arc<Live>, wording: Wording, mut said: impl FnMut(&Alert) + Send) {
    let (sender, mut told) = mpsc::unbounded_channel::<Vec<Alert>>();
    let delivery = Delivery::new(live.program(), Stay::Stays, wording);
    let preferences = Arc::clone(&live);
    let delivering = async move {
        while let Some(alerts) = told.recv().await {
            let (preferences, _) = preferences.preferences();
            delivery.deliver(&preferences.alerts, &alerts).await;
        }
    };
    let following = async move {
        // A command that hangs keeps nothing from being noticed.
        let deliver = |alerts: Vec<Alert>| {
            alerts.iter().for_each(&mut said);
            sender.send(alerts).ok();
        };
        follow(live, deliver).await;
    };
    tokio::join!(following, delivering);
}
