//! The home page and its event stream: draws a [`Home`], and sends what of it has changed.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use axum::Router;
use axum::extract::{Query, State as Extract};
use axum::response::Response;
use axum::routing::get;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::Markup;
use serde::Deserialize;
use sign_in_with_posthog::Connection;

use super::answer::{PageError, page};
use super::events::{self, Fragment, part};
use super::guard::Admitted;
use super::sign_in::sign_in_screen;
use super::state::State;
use pockethog_core::live::{Change, Interest, Live};
use pockethog_core::project::ProjectKey;
use pockethog_core::snapshot::{SnapshotError, View};
use pockethog_screens::{Arrangement, Card, Home, Sort};
use pockethog_views::pages::card::{card_id, render_card};
use pockethog_views::pages::home::{self, HomePage, PAGE};
use pockethog_views::pages::moves::render_moves;
use pockethog_views::pages::total::render_total;
use pockethog_views::pages::{StatusLine, encoded};

/// `/` and its stream.
pub fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/", get(show))
        .route("/events/home", get(live))
}

/// How the address asks for the cards to be shown.
#[derive(Clone, Debug, Default, Deserialize)]
struct HomeQuery {
    #[serde(default)]
    sort: String,
    #[serde(default)]
    filter: String,
    #[serde(default)]
    page: String,
    /// The revision of the home that the page shows.
    #[serde(default)]
    seen: String,
    /// The project that was just hidden.
    #[serde(default)]
    hid: String,
}

impl HomeQuery {
    fn arrangement(&self) -> Arrangement {
        Arrangement {
            sort: Sort::from_name(&self.sort),
            filter: self.filter.clone(),
            page: self.page.parse().unwrap_or(0),
            page_size: Some(PAGE),
        }
    }

    fn stream(&self, revision: u64) -> String {
        format!(
            "/events/home?sort={}&filter={}&page={}&seen={revision}",
            encoded(&self.sort),
            encoded(&self.filter),
            encoded(&self.page),
        )
    }

    /// What the home page shows now.
    fn home(&self, live: &Live, connections: &[Connection]) -> Result<Home, SnapshotError> {
        Home::of_live(live, connections, &self.arrangement(), Timestamp::now())
    }
}

async fn show(state: Admitted, Query(query): Query<HomeQuery>) -> Result<Response, PageError> {
    state
        .blocking(move |state| {
            let connections = state.live().connections()?;
            // Access that has ended by itself leads here once, with the reason; after that all projects are
            // shown, those of the ended connection in grey, and the reason above them.
            if !connections.iter().any(Connection::is_active) || state.announce_ends(&connections) {
                return Ok(sign_in_screen(state, &connections));
            }
            let mut shell = state.shell();
            let home = query.home(state.live(), &connections)?;
            let interest = Interest::Home(home.shown_keys());
            state.live().refresher().watch_briefly(interest);
            shell.stream = Some(query.stream(home.revision));
            Ok(page(home::render(&HomePage {
                shell,
                home,
                viewer: TimeZone::system(),
                just_hidden: just_hidden(state, &query.hid)?,
            })))
        })
        .await
}

/// The project that an address says was just hidden, with its name, if it is hidden still.
fn just_hidden(state: &State, key: &str) -> Result<Option<(ProjectKey, String)>, PageError> {
    if key.is_empty() {
        return Ok(None);
    }
    let (preferences, _) = state.live().preferences();
    let projects = state.live().snapshots().projects()?;
    Ok(projects
        .into_iter()
        .find(|project| project.key.to_string() == key && preferences.project(&project.key).hidden)
        .map(|project| {
            let name = preferences.name_of(&project).to_owned();
            (project.key, name)
        }))
}

async fn live(Extract(state): Extract<Arc<State>>, Query(query): Query<HomeQuery>) -> Response {
    let watch = state.live().refresher().watch(Interest::Home(Vec::new()));
    let mut sent = Sent {
        query,
        first: true,
        ..Sent::default()
    };
    events::stream_watching(&state, watch, move |state, watch, changes| {
        let (interest, parts) = sent.parts(state, changes);
        if let Some(interest) = interest {
            watch.look_at(interest);
        }
        parts
    })
}

/// What a page shows, as far as its stream knows.
#[derive(Default)]
struct Sent {
    query: HomeQuery,
    first: bool,
    shown: Vec<ProjectKey>,
    all: usize,
    loading: bool,
    /// Fingerprints by element id.
    parts: HashMap<String, u64>,
}

impl Sent {
    fn parts(
        &mut self,
        state: &Arc<State>,
        changes: &[Change],
    ) -> (Option<Interest>, Vec<Fragment>) {
        let Ok(connections) = state.live().connections() else {
            return (None, Vec::new());
        };
        if !connections.iter().any(Connection::is_active) {
            return (None, vec![events::signed_out()]);
        }
        let Ok(home) = self.query.home(state.live(), &connections) else {
            return (None, Vec::new());
        };
        let viewer = TimeZone::system();
        let mut parts = Vec::new();
        let shown = home.shown_keys();
        let loading = home.is_loading();
        let up_to_date = self.first && self.query.seen == home.revision.to_string();
        let other_cards = |this: &Self| {
            let now: HashSet<&ProjectKey> = shown.iter().collect();
            let then: HashSet<&ProjectKey> = this.shown.iter().collect();
            now != then || home.cards.len() != this.all
        };
        // Once the first numbers are in, the cards are put into their order.
        let settled = self.loading && !loading && shown != self.shown;
        let whole = if self.first {
            !up_to_date
        } else {
            other_cards(self) || settled
        };
        let total = render_total(&home, &viewer);
        let moves_list = render_moves(&home);
        let problems = home::render_problems(&home.problems);
        let back = home::own_address(&home);
        if whole {
            parts.push(part("home", &home::render_content(&home, &viewer)));
        }
        // What was just sent as a whole, or is on the page already, is only taken note of.
        let silent = whole || up_to_date;
        let mut consider = |id: &str, markup: &Markup| {
            let fingerprint = fingerprint(markup);
            let known = self.parts.insert(id.to_owned(), fingerprint);
            if known != Some(fingerprint) && !silent {
                parts.push(part(id, markup));
            }
        };
        if !home.cards.is_empty() {
            consider("total", &total);
            consider("moves", &moves_list);
            consider("troubles", &problems);
        }
        let all_cards = whole
            || self.first
            || changes.iter().any(|change| {
                matches!(
                    change,
                    Change::Projects | Change::Status | Change::SignedOut(_)
                )
            });
        for card in home.shown_cards() {
            // What is old grows older.
            if all_cards || card.is_old() || changes.iter().any(|change| is_of(change, card)) {
                let markup = render_card(card, home.now, Some(&back));
                consider(&card_id(&card.key), &markup);
            }
        }
        let status = StatusLine::new(&home.status, home.now);
        let fingerprint = hashed(&format!("{}{}", status.name, status.text));
        let sent = self.parts.insert("status".to_owned(), fingerprint);
        let progressed = changes
            .iter()
            .any(|change| matches!(change, Change::Progress { .. }));
        if sent != Some(fingerprint) || progressed {
            parts.push(events::status(&status));
        }
        let moved = !silent && !self.first && !loading && shown != self.shown;
        if moved {
            let ids: Vec<String> = shown.iter().map(card_id).collect();
            parts.push(events::order(&ids));
        }
        self.first = false;
        self.all = home.cards.len();
        let interest = (silent || moved).then(|| {
            self.loading = loading;
            self.shown.clone_from(&shown);
            Interest::Home(shown)
        });
        (interest, parts)
    }
}

/// Whether a change may be of what a card shows: today's numbers, or the closed days that they are compared with.
fn is_of(change: &Change, card: &Card) -> bool {
    let views = [View::Today, View::History];
    matches!(change, Change::View(key, view) if *key == card.key && views.contains(view))
}

fn fingerprint(markup: &Markup) -> u64 {
    hashed(&markup.0)
}

fn hashed(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}
