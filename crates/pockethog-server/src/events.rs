//! Notifies open pages of changes, by server-sent events.
//!
//! Each event carries a proof for the page that asked ([`super::proof`]).
//!
//! A page names its stream in `data-stream`. The stream announces what the page looks at, so that the
//! refresher asks for it first, and sends `part` (an element by id and its new HTML), `progress` and
//! `status` events, which app.js takes in. Closing the page ends the stream and with it the interest.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::ops::RangeFrom;
use std::sync::Arc;
use std::time::Duration;

use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use jiff::Timestamp;
use maud::Markup;
use serde_json::{Value, json};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::mount::Mount;
use super::proof::{Prover, Slot};
use super::state::State;
use pockethog_core::live::{Change, Interest, Watch};
use pockethog_views::pages::{StatusLine, alerts};

/// How long changes are gathered before a page hears of them: a burst makes one event, not fifty.
const GATHER: Duration = Duration::from_millis(60);

/// A sign of life this often, so that both sides notice a connection that went.
const HEARTBEAT: Duration = Duration::from_secs(20);

/// A server-sent event for app.js.
#[derive(Clone, Debug)]
pub struct Fragment {
    name: &'static str,
    data: Data,
}

#[derive(Clone, Debug)]
enum Data {
    Plain(Value),
    Markup { id: String, html: String },
}

/// Replaces the element `id` by `html`, whose outermost element carries the same id.
pub fn part(id: &str, html: &Markup) -> Fragment {
    Fragment {
        name: "part",
        data: Data::Markup {
            id: id.to_owned(),
            html: html.0.clone(),
        },
    }
}

/// Puts the cards into another order, by their element ids.
pub(super) fn order(ids: &[String]) -> Fragment {
    named("order", json!(ids))
}

/// Shows how far a refresh is.
pub(super) fn progress(done: usize, total: usize) -> Fragment {
    named("progress", json!({ "done": done, "total": total }))
}

/// Shows the state of the numbers.
pub(super) fn status(status: &StatusLine) -> Fragment {
    named(
        "status",
        json!({ "state": status.name, "text": status.text }),
    )
}

/// Leads the page to the sign-in screen.
pub(super) fn signed_out() -> Fragment {
    named("status", json!({ "state": "signed-out", "text": "" }))
}

fn named(name: &'static str, data: Value) -> Fragment {
    Fragment {
        name,
        data: Data::Plain(data),
    }
}

impl Fragment {
    /// As it is sent: with its addresses below `mount`, and as its id the proof for the page.
    fn event(self, mount: &Mount, prover: Option<&Prover>, place: u64) -> Event {
        let data = match self.data {
            Data::Plain(data) => data,
            Data::Markup { id, html } => json!({ "id": id, "html": mount.html(&html) }),
        };
        let data = data.to_string();
        let event = Event::default().event(self.name);
        let event = match prover {
            Some(prover) => event.id(format!("{place} {}", prover.event(place, self.name, &data))),
            None => event,
        };
        event.data(data)
    }
}

/// Answers with a stream. As long as it is open, the refresher looks after `interest`; `parts` makes the
/// page's events out of the changes, on a thread that may block. It is called once at first with no
/// changes, to bring a page up to date that was rendered a while ago.
pub fn stream(
    state: &Arc<State>,
    interest: Interest,
    mut parts: impl FnMut(&Arc<State>, &[Change]) -> Vec<Fragment> + Send + 'static,
) -> Response {
    let watch = state.live().refresher().watch(interest);
    stream_watching(state, watch, move |state, _, changes| parts(state, changes))
}

/// As [`stream()`], for a page whose interest changes as it goes.
pub(super) fn stream_watching(
    state: &Arc<State>,
    watch: Watch,
    mut parts: impl FnMut(&Arc<State>, &Watch, &[Change]) -> Vec<Fragment> + Send + 'static,
) -> Response {
    let receiver = state.live().subscribe();
    let watch = Arc::new(watch);
    let (sender, events) = tokio::sync::mpsc::channel::<Vec<Fragment>>(4);
    let producer = Arc::clone(state);
    tokio::spawn(async move {
        let mut receiver = receiver;
        let mut changes = Vec::new();
        loop {
            let (state, watch) = (Arc::clone(&producer), Arc::clone(&watch));
            let made = tokio::task::spawn_blocking(move || {
                let mut made = parts(&state, &watch, &changes);
                // At first a page may be older than what was told.
                if changes.is_empty() || changes.contains(&Change::Alerts) {
                    let shown = alerts::render(&state.unseen_alerts(), Timestamp::now());
                    made.push(part(alerts::ID, &shown));
                }
                (made, parts, changes)
            });
            let Ok((of_page, back, gathered)) = made.await else {
                return;
            };
            parts = back;
            changes = gathered;
            // Progress first: the page's own status has the last word.
            let mut made: Vec<Fragment> = changes
                .iter()
                .filter_map(|change| match change {
                    Change::Progress { done, total } => Some(progress(*done, *total)),
                    _ => None,
                })
                .collect();
            made.extend(of_page);
            changes.clear();
            if !made.is_empty() && sender.send(made).await.is_err() {
                return;
            }
            tokio::select! {
                gathered = gather(&mut receiver) => match gathered {
                    Some(gathered) => changes = gathered,
                    None => return,
                },
                () = sender.closed() => return,
                () = producer.live().closed() => return,
            }
        }
    });
    let slot = Slot::default();
    let provers = Arc::clone(&slot);
    let places = 0_u64..;
    let events = stream::unfold(
        (events, VecDeque::new(), places, Arc::clone(state), provers),
        |(mut events, mut queue, mut places, state, provers): (
            _,
            VecDeque<Fragment>,
            _,
            Arc<State>,
            Slot,
        )| async move {
            while queue.is_empty() {
                queue.extend(tokio::sync::mpsc::Receiver::recv(&mut events).await?);
            }
            let place = RangeFrom::next(&mut places)?;
            let event = queue
                .pop_front()?
                .event(state.mount(), provers.get(), place);
            Some((
                Ok::<_, Infallible>(event),
                (events, queue, places, state, provers),
            ))
        },
    );
    let mut response = Sse::new(events)
        .keep_alive(KeepAlive::new().interval(HEARTBEAT))
        .into_response();
    response.extensions_mut().insert(slot);
    response
}

/// The next changes, each once. `None` when there will be none.
async fn gather(receiver: &mut tokio::sync::broadcast::Receiver<Change>) -> Option<Vec<Change>> {
    let mut changes = Vec::new();
    let mut until: Option<Instant> = None;
    loop {
        let next = match until {
            None => receiver.recv().await,
            Some(until) => match tokio::time::timeout_at(until, receiver.recv()).await {
                Ok(next) => next,
                Err(_) => return Some(changes),
            },
        };
        match next {
            Ok(change) => {
                if matches!(change, Change::Progress { .. }) {
                    changes.retain(|known| !matches!(known, Change::Progress { .. }));
                }
                if !changes.contains(&change) {
                    changes.push(change);
                }
            }
            // So much at once that some was dropped: everything may have changed.
            Err(RecvError::Lagged(_)) => changes.push(Change::Projects),
            Err(RecvError::Closed) => return (!changes.is_empty()).then_some(changes),
        }
        until.get_or_insert_with(|| Instant::now() + GATHER);
    }
}
