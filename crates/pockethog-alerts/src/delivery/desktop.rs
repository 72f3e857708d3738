//! Desktop notifications by D-Bus, as the Desktop Notifications Specification 1.2 describes them.
//!
//! The summary is plain text; the body may be markup if the server says so, and is escaped then. A click on a
//! notification opens the project's page: in the app that runs, or in one that is started for it.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use pockethog_core::project::ProjectKey;
use tokio::process::Command;
use tokio::sync::Mutex as Turn;
use tokio::task::JoinHandle;
use zbus::zvariant::Value;
use zbus::{Connection, MatchRule, Message, MessageStream};

use super::{Stay, Words};

const NAME: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";

/// How long the notification server may take to answer, or the bus to start it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The action of a click on the notification itself.
const CLICK: &str = "default";

/// Lets the server decide how long it is shown.
const AS_USUAL: i32 = -1;

/// The projects of the notifications that are shown, by the server's number; `None` opens the home page.
type Shown = Arc<Mutex<HashMap<u32, Option<ProjectKey>>>>;

/// The notification server of this desktop session.
#[derive(Debug)]
pub(super) struct Desktop {
    stay: Stay,
    /// The home that a page is opened of, if it is not the person's own.
    home: Option<PathBuf>,
    session: Turn<Option<Session>>,
}

#[derive(Debug)]
struct Session {
    connection: Connection,
    shown: Shown,
    clicks: Option<JoinHandle<()>>,
}

impl Desktop {
    /// Connects when something is shown for the first time.
    pub(super) fn new(stay: Stay, home: Option<PathBuf>) -> Self {
        Self {
            stay,
            home,
            session: Turn::new(None),
        }
    }

    /// Shows a notification.
    ///
    /// # Errors
    ///
    /// A sentence: there is no desktop session, or no notification server.
    pub(super) async fn show(
        &self,
        words: &Words,
        project: Option<ProjectKey>,
    ) -> Result<(), String> {
        let mut session = self.session.lock().await;
        let shown =
            tokio::time::timeout(PATIENCE, self.try_to_show(&mut session, words, project)).await;
        let failure = match shown {
            Ok(Ok(())) => return Ok(()),
            Ok(Err(error)) => error.to_string(),
            Err(_) => format!("no answer within {} s", PATIENCE.as_secs()),
        };
        // The bus or the server may be another one the next time.
        *session = None;
        Err(format!("no notification could be shown: {failure}"))
    }

    async fn try_to_show(
        &self,
        session: &mut Option<Session>,
        words: &Words,
        project: Option<ProjectKey>,
    ) -> zbus::Result<()> {
        let session = match session {
            Some(session) => session,
            None => session.insert(Session::open(self.stay, self.home.clone()).await?),
        };
        session.show(self.stay, words, project).await
    }
}

impl Session {
    async fn open(stay: Stay, home: Option<PathBuf>) -> zbus::Result<Self> {
        let connection = Connection::session().await?;
        let shown = Shown::default();
        let clicks = match stay {
            Stay::Stays => {
                let rule = MatchRule::builder()
                    .msg_type(zbus::message::Type::Signal)
                    .interface(NAME)?
                    .path(PATH)?
                    .build();
                let signals = MessageStream::for_match_rule(rule, &connection, None).await?;
                Some(tokio::spawn(hear(signals, Arc::clone(&shown), home)))
            }
            Stay::Ends => None,
        };
        Ok(Self {
            connection,
            shown,
            clicks,
        })
    }

    async fn show(
        &self,
        stay: Stay,
        words: &Words,
        project: Option<ProjectKey>,
    ) -> zbus::Result<()> {
        // Asked each time: a server can be replaced while this program runs.
        let answer = self.call("GetCapabilities", &()).await?;
        let capabilities: Vec<String> = answer.body().deserialize()?;
        let can = |what: &str| capabilities.iter().any(|known| known == what);
        let summary = words.title.as_str();
        let body = if can("body-markup") {
            escaped(&words.text)
        } else {
            words.text.clone()
        };
        let actions = match stay {
            Stay::Stays if can("actions") => vec![CLICK, "Open"],
            _ => Vec::new(),
        };
        let hints: HashMap<&str, Value<'_>> = HashMap::from([
            ("desktop-entry", Value::from("pockethog")),
            ("urgency", Value::from(1_u8)),
        ]);
        let notification = (
            "PocketHog",
            0_u32,
            "pockethog",
            summary,
            body,
            actions,
            hints,
            AS_USUAL,
        );
        let answer = self.call("Notify", &notification).await?;
        let number: u32 = answer.body().deserialize()?;
        lock(&self.shown).insert(number, project);
        Ok(())
    }

    async fn call<T>(&self, method: &str, body: &T) -> zbus::Result<Message>
    where
        T: serde::Serialize + zbus::zvariant::DynamicType,
    {
        self.connection
            .call_method(Some(NAME), PATH, Some(NAME), method, body)
            .await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(clicks) = &self.clicks {
            clicks.abort();
        }
    }
}

/// Opens what is clicked on, and forgets what is closed.
async fn hear(mut signals: MessageStream, shown: Shown, home: Option<PathBuf>) {
    while let Some(signal) = signals.next().await {
        let Ok(signal) = signal else { continue };
        let header = signal.header();
        let body = signal.body();
        match header.member().map(zbus::names::MemberName::as_str) {
            Some("ActionInvoked") => {
                let Ok((number, action)) = body.deserialize::<(u32, String)>() else {
                    continue;
                };
                let project = lock(&shown).get(&number).cloned();
                if let Some(project) = project
                    && action == CLICK
                    && let Err(error) = open(project.as_ref(), home.as_deref())
                {
                    tracing::warn!(%error, "the page of a notification could not be opened");
                }
            }
            Some("NotificationClosed") => {
                if let Ok((number, _)) = body.deserialize::<(u32, u32)>() {
                    lock(&shown).remove(&number);
                }
            }
            _ => {}
        }
    }
}

/// Opens a project's page as `pockethog open` does: in the app that runs, or in one that it starts.
fn open(project: Option<&ProjectKey>, home: Option<&Path>) -> std::io::Result<()> {
    let mut program = Command::new(std::env::current_exe()?);
    program.arg("open");
    if let Some(project) = project {
        program.arg(project.to_string());
    }
    if let Some(home) = home {
        program.env("POCKETHOG_HOME", home);
    }
    // It may become the app, which outlives this process.
    let opening = program
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0);
    opening.spawn().map(drop)
}

/// Escaped for the body, which is XML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
