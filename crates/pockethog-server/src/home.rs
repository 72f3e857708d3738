//! The home page: from the data in memory to what [`pages::home`](pockethog_views::pages::home) draws.

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
use sign_in_with_posthog::{Connection, ConnectionId, CredentialKind};

use super::answer::{PageError, page};
use super::events::{self, Fragment, part};
use super::guard::Admitted;
use super::sign_in::sign_in_screen;
use super::state::State;
use pockethog_core::access;
use pockethog_core::age;
use pockethog_core::discovery::Failure;
use pockethog_core::live::{Change, HomeCache, Interest, Outage, Status};
use pockethog_core::overview::{self, TodaySummary};
use pockethog_core::preferences::{Preferences, ProjectPreferences};
use pockethog_core::project::{Project, ProjectKey};
use pockethog_core::sentence::sentence;
use pockethog_core::snapshot::{KnownDiscovery, View};
use pockethog_views::format::ago;
use pockethog_views::pages::home::{
    self, BestMover, Card, Home, KeyBanner, Numbers, Sort, Total, Trouble, card_id, offline_notice,
};
use pockethog_views::pages::{Shell, StatusLine, encoded, project_path};

/// How long after midnight numbers of the day before are not remarked upon, in seconds.
const MIDNIGHT_GRACE: i64 = 300;

/// `/` and its stream.
pub fn routes() -> Router<Arc<State>> {
    Router::new()
        .route("/", get(show))
        .route("/events/home", get(live))
}

/// What the address says about how to show the cards.
#[derive(Clone, Debug, Default, Deserialize)]
struct Asked {
    #[serde(default)]
    sort: String,
    #[serde(default)]
    filter: String,
    #[serde(default)]
    page: String,
    /// The revision of the board that the page shows.
    #[serde(default)]
    seen: String,
    /// The project that was just hidden.
    #[serde(default)]
    hid: String,
}

/// Numbers that are older than this many seconds show their age, whatever the reason.
const OLD_SECONDS: i64 = 3600;

/// Nobody is online now in numbers that are older than this many seconds.
const NOW_SECONDS: i64 = 900;

impl Asked {
    fn stream(&self, revision: u64) -> String {
        format!(
            "/events/home?sort={}&filter={}&page={}&seen={revision}",
            encoded(&self.sort),
            encoded(&self.filter),
            encoded(&self.page),
        )
    }
}

async fn show(state: Admitted, Query(asked): Query<Asked>) -> Result<Response, PageError> {
    state
        .blocking(move |state| {
            let connections = state.live().connections()?;
            // Access that has ended by itself leads here once, with the reason; after that all projects are
            // shown, those of the ended connection in grey, and the reason above them.
            if !connections.iter().any(Connection::is_active) || state.ends_to_tell(&connections) {
                return Ok(sign_in_screen(state, &connections));
            }
            let shell = state.shell();
            let (view, revision) = view(state, &asked, &connections, shell)?;
            let interest = Interest::Home(home::shown_keys(&view));
            state.live().refresher().watch_briefly(interest);
            let mut view = view;
            view.shell.stream = Some(asked.stream(revision));
            view.just_hidden = just_hidden(state, &asked.hid)?;
            Ok(page(home::render(&view)))
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

async fn live(Extract(state): Extract<Arc<State>>, Query(asked): Query<Asked>) -> Response {
    let watch = state.live().refresher().watch(Interest::Home(Vec::new()));
    let mut sent = Sent {
        asked,
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
    asked: Asked,
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
        // No call of `State::shell`: a notice is for a page that is read as a whole.
        let Ok((view, revision)) = view(state, &self.asked, &connections, Shell::default()) else {
            return (None, Vec::new());
        };
        let mut parts = Vec::new();
        let shown = home::shown_keys(&view);
        let loading = view
            .cards
            .iter()
            .any(|card| card.numbers == Numbers::Loading);
        let up_to_date = self.first && self.asked.seen == revision.to_string();
        let other_cards = |this: &Self| {
            let now: HashSet<&ProjectKey> = shown.iter().collect();
            let then: HashSet<&ProjectKey> = this.shown.iter().collect();
            now != then || view.cards.len() != this.all
        };
        // Once the first numbers are in, the cards are put into their order.
        let settled = self.loading && !loading && shown != self.shown;
        let whole = if self.first {
            !up_to_date
        } else {
            other_cards(self) || settled
        };
        let total = home::render_total(&view.total);
        let troubles = home::render_troubles(&view.troubles);
        let cards = home::shown_cards(&view);
        let back = home::own_address(&view);
        if whole {
            parts.push(part("home", &home::render_content(&view)));
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
        if !view.cards.is_empty() {
            consider("total", &total);
            consider("troubles", &troubles);
        }
        let all_cards = whole
            || self.first
            || changes.iter().any(|change| {
                matches!(
                    change,
                    Change::Projects | Change::Status | Change::SignedOut(_)
                )
            });
        for card in cards {
            // What is old grows older.
            if all_cards
                || card.is_old()
                || changes.contains(&Change::View(card.key.clone(), View::Today))
            {
                consider(&card_id(&card.key), &home::render_card(card, Some(&back)));
            }
        }
        if let Some(status) = &view.shell.status {
            let text = format!("{}{}", status.name, status.text);
            let fingerprint = hashed(&text);
            let told = self.parts.insert("status".to_owned(), fingerprint);
            let moved = changes
                .iter()
                .any(|change| matches!(change, Change::Progress { .. }));
            if told != Some(fingerprint) || moved {
                parts.push(events::status(status));
            }
        }
        let moved = !silent && !self.first && !loading && shown != self.shown;
        if moved {
            let ids: Vec<String> = shown.iter().map(card_id).collect();
            parts.push(events::order(&ids));
        }
        self.first = false;
        self.all = view.cards.len();
        let interest = (silent || moved).then(|| {
            self.loading = loading;
            self.shown.clone_from(&shown);
            Interest::Home(shown)
        });
        (interest, parts)
    }
}

fn fingerprint(markup: &Markup) -> u64 {
    hashed(&markup.0)
}

fn hashed(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// What the home page shows, and the revision of the board that it was made from.
fn view(
    state: &State,
    asked: &Asked,
    connections: &[Connection],
    shell: Shell,
) -> Result<(Home, u64), PageError> {
    let now = Timestamp::now();
    let live = state.live();
    let (preferences, _) = live.preferences();
    // Before the projects: a list that comes in in the meantime has its projects among them.
    let discoveries = live.discoveries(connections)?;
    let board = live.cache()?;
    let projects = arranged(&board, &preferences, connections);
    let several_hosts = {
        let mut hosts = projects
            .iter()
            .map(|(project, ..)| project.key.host.as_str());
        let first = hosts.next();
        hosts.any(|host| Some(host) != first)
    };
    let mut cards = Vec::with_capacity(projects.len());
    let mut hidden = 0;
    let mut parts = Vec::with_capacity(projects.len());
    let fresh = fresh_seconds(&preferences);
    for (project, chosen, connection) in &projects {
        if chosen.hidden {
            hidden += 1;
            continue;
        }
        let glance = board.glance(&project.key);
        let name = chosen.name.as_deref().unwrap_or(&project.name);
        let readable = connection.is_active() && connection.grant.scopes.allows("query:read");
        let outage = state.live().refresher().outage(&connection.id);
        let mut part = TodaySummary::part(glance, readable);
        if let Some(figures) = &mut part.figures
            && (outage.is_some() || age::is_at_least(figures.measured_at, NOW_SECONDS, now))
        {
            figures.online = None;
        }
        parts.push(part);
        cards.push(Card {
            key: project.key.clone(),
            name: name.to_owned(),
            subtitle: project
                .website
                .clone()
                .or_else(|| project.organization_name.clone())
                .unwrap_or_else(|| connection.host.name()),
            host: several_hosts.then(|| access::host_label(connection)),
            favourite: chosen.favourite,
            scheme: chosen.scheme,
            numbers: numbers(
                project,
                connection,
                glance,
                board.trouble(&project.key),
                outage.as_ref(),
                fresh,
                now,
            ),
        });
    }
    let total = total(&parts, &cards, now);
    let revision = board.revision;
    drop(parts);
    let mut view = Home {
        shell,
        total,
        cards,
        sort: Sort::from_name(&asked.sort).unwrap_or(if preferences.order.is_empty() {
            Sort::Visitors
        } else {
            Sort::Own
        }),
        has_own_order: !preferences.order.is_empty(),
        filter: asked.filter.trim().to_owned(),
        page: asked.page.parse().unwrap_or(0),
        hidden,
        just_hidden: None,
        troubles: Vec::new(),
        banners: banners(&preferences, connections, now),
    };
    let oldest = {
        let ended = |card: &&Card| matches!(&card.numbers, Numbers::Known { ended: true, .. });
        let shown = home::shown_cards(&view);
        let measured = shown
            .iter()
            .filter(|card| !ended(card))
            .filter_map(|card| board.glance(&card.key))
            .map(|glance| glance.measured_at);
        age::oldest(measured, now)
    };
    let known = view.total.sum.sums.is_some();
    let mut status = live.status(connections, &preferences, oldest, now);
    let waits = view
        .cards
        .iter()
        .any(|card| card.numbers == Numbers::Loading);
    if !known && !waits && !view.cards.is_empty() {
        view.total.unread = true;
        if status == Status::Live {
            status = Status::Unread;
        }
    }
    if waits && status == Status::Live {
        // The refresher has not come to them yet; whatever it does next, they are not here.
        let missing = |card: &&Card| card.numbers == Numbers::Loading;
        let total = view.cards.len();
        let done = total - view.cards.iter().filter(missing).count();
        status = Status::Loading { done, total };
    }
    let never_discovered = |connection: &Connection| {
        connection.is_active() && !discoveries.contains_key(&connection.id)
    };
    let undiscovered = !known && view.cards.is_empty() && connections.iter().any(never_discovered);
    if undiscovered && !matches!(status, Status::Offline(_) | Status::Busy(_)) {
        status = Status::Loading { done: 0, total: 0 };
    }
    view.troubles = troubles(state, connections, &discoveries, status, known);
    if let (Status::Offline(_), Some(oldest)) = (&status, oldest) {
        view.shell.notices.push(offline_notice(&ago(oldest, now)));
    }
    view.shell.status = Some(StatusLine::new(&status, now));
    Ok((view, revision))
}

/// The last numbers, for the sign-in screen once no connection is active any longer.
pub(super) fn last_cards(
    state: &State,
    connections: &[Connection],
) -> Result<Vec<Card>, PageError> {
    let (view, _) = view(state, &Asked::default(), connections, Shell::default())?;
    Ok(home::shown_cards(&view).into_iter().cloned().collect())
}

/// How old numbers may be, in seconds, while everything goes its usual way.
fn fresh_seconds(preferences: &Preferences) -> i64 {
    i64::try_from(preferences.refresh.seconds())
        .unwrap_or(i64::MAX / 4)
        .saturating_mul(2)
        + 15
}

/// The projects that are shown with what was chosen about them: favourites, then as ordered by hand, then by
/// name.
fn arranged<'a>(
    board: &'a HomeCache,
    preferences: &Preferences,
    connections: &'a [Connection],
) -> Vec<(&'a Project, ProjectPreferences, &'a Connection)> {
    let shown: HashMap<&ConnectionId, &Connection> = connections
        .iter()
        .filter(|connection| access::is_shown(connection))
        .map(|connection| (&connection.id, connection))
        .collect();
    let places: HashMap<&str, usize> = preferences
        .order
        .iter()
        .enumerate()
        .map(|(place, key)| (key.as_str(), place))
        .collect();
    let mut projects: Vec<_> = board
        .projects
        .iter()
        .filter_map(|project| {
            let connection = *shown.get(&project.connection)?;
            let key = project.key.to_string();
            let chosen = preferences.projects.get(&key).cloned().unwrap_or_default();
            let place = places.get(key.as_str()).copied().unwrap_or(usize::MAX);
            Some(((!chosen.favourite, place), (project, chosen, connection)))
        })
        .collect();
    projects.sort_by_key(|(place, _)| *place);
    projects.into_iter().map(|(_, project)| project).collect()
}

fn numbers(
    project: &Project,
    connection: &Connection,
    glance: Option<&TodaySummary>,
    trouble: Option<&pockethog_core::snapshot::Trouble>,
    outage: Option<&Outage>,
    fresh: i64,
    now: Timestamp,
) -> Numbers {
    let ended = connection.ended_by_itself();
    let Some(glance) = glance else {
        if let Some(reason) = ended {
            return Numbers::Unreadable(reason.sentence().to_owned());
        }
        if !connection.grant.scopes.allows("query:read") {
            return Numbers::Unreadable(
                "Numbers are not shown, because the permission query:read was not granted."
                    .to_owned(),
            );
        }
        return match (trouble, outage) {
            (Some(trouble), _) => Numbers::Unreadable(sentence(&trouble.reason)),
            (None, Some(outage)) => Numbers::Unreadable(sentence(outage.reason())),
            (None, None) if project.has_events == Some(false) => Numbers::Empty,
            (None, None) => Numbers::Loading,
        };
    };
    let nothing =
        glance.visitors == 0 && glance.before == 0 && glance.days.iter().all(|&day| day == 0);
    if nothing && project.has_events == Some(false) {
        return Numbers::Empty;
    }
    let failed = trouble
        .filter(|trouble| age::trusted(trouble.at, now) >= age::trusted(glance.measured_at, now));
    let is_old = |seconds| age::is_at_least(glance.measured_at, seconds, now);
    let from = format!("Numbers from {}.", ago(glance.measured_at, now));
    let stale = match (failed, outage) {
        _ if ended.is_some() => Some(format!("Signed out. {from}")),
        (Some(failed), None) => Some(format!("{} {from}", sentence(&failed.reason))),
        // If the whole connection is in trouble, the header or the notice above says so, once.
        (_, Some(_)) if is_old(fresh) => Some(from),
        // Right after midnight the new numbers are on their way.
        _ if is_old(OLD_SECONDS) || (is_old(MIDNIGHT_GRACE) && now >= glance.day().ends()) => {
            Some(from)
        }
        _ => None,
    };
    Numbers::Known {
        visitors: glance.visitors,
        before: glance.before,
        days: glance.days.clone(),
        today: Some(glance.date()),
        stale,
        ended: ended.is_some(),
        unknown_zone: (!glance.time_zone_known).then(|| glance.time_zone.clone()),
    }
}

/// The total of the projects that are shown.
fn total(parts: &[overview::Part<'_>], cards: &[Card], now: Timestamp) -> Total {
    let sum = overview::Total::of(parts, now);
    let best_mover = sum.best_mover.and_then(|place| {
        let card = cards.get(place)?;
        let figures = parts.get(place)?.figures.as_ref()?;
        Some(BestMover {
            name: card.name.clone(),
            path: project_path(&card.key),
            change: overview::Change::between(figures.now.visitors, figures.before.visitors),
        })
    });
    Total {
        sum,
        unread: false,
        best_mover,
        zone: Some(TimeZone::system()),
    }
}

fn troubles(
    state: &State,
    connections: &[Connection],
    discoveries: &HashMap<ConnectionId, KnownDiscovery>,
    status: Status,
    known: bool,
) -> Vec<Trouble> {
    let sign_in = || Some(("Sign in again".to_owned(), "/sign-in".to_owned()));
    let mut troubles = Vec::new();
    let everything_is_down = matches!(status, Status::Offline(_) | Status::Busy(_));
    for connection in connections {
        if let Some(reason) = connection.ended_by_itself() {
            troubles.push(Trouble {
                what: access::name(connection),
                reason: reason.sentence().to_owned(),
                action: sign_in(),
            });
        }
        if !connection.is_active() {
            continue;
        }
        let outage = state.live().refresher().outage(&connection.id);
        if let Some(outage) = &outage
            && !(everything_is_down && known)
        {
            troubles.push(Trouble {
                what: connection.host.name(),
                reason: sentence(outage.reason()),
                action: None,
            });
        }
        if !connection.grant.scopes.allows("query:read") {
            troubles.push(Trouble {
                what: connection.host.name(),
                reason: "Numbers are not shown, because the permission query:read was not granted."
                    .to_owned(),
                action: Some(("Change access".to_owned(), "/connections".to_owned())),
            });
        }
        let failures = discoveries
            .get(&connection.id)
            .map(|found| found.failures.as_slice())
            .unwrap_or_default();
        let whole_host = |failure: &Failure| failure.what == connection.host.name();
        troubles.extend(
            failures
                .iter()
                .filter(|failure| outage.is_none() || !(failure.transient && whole_host(failure)))
                .map(|failure| Trouble {
                    reason: sentence(&failure.reason),
                    action: failure.needs_sign_in.then(sign_in).flatten(),
                    what: unread(&failure.what),
                }),
        );
    }
    troubles
}

/// What could not be read, before the sentence that says why.
pub(super) fn unread(what: &str) -> String {
    format!("{what} could not be read")
}

/// Connections by API key at US or EU Cloud, unless the person said otherwise.
fn banners(
    preferences: &Preferences,
    connections: &[Connection],
    now: Timestamp,
) -> Vec<KeyBanner> {
    connections
        .iter()
        .filter(|connection| connection.is_active())
        .filter(|connection| connection.kind == CredentialKind::ApiKey)
        .filter(|connection| connection.host.region().is_some())
        .filter(|connection| {
            preferences
                .banner
                .get(connection.id.as_str())
                .is_none_or(|banner| banner.shows_at(now))
        })
        .map(|connection| KeyBanner {
            connection: connection.id.to_string(),
            host: connection.host.name(),
        })
        .collect()
}
