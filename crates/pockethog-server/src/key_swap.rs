//! Migrating from an API key to the sign-in that takes its place.

use std::sync::Arc;
use std::time::Duration;

use sign_in_with_posthog::Connection;

use super::state::State;
use pockethog_core::key_swap::{self, Outcome};
use pockethog_core::live::Change;
use pockethog_views::pages::layout::{Notice, Tone};
use pockethog_views::wording;

/// How long the way back from PostHog's page may wait for the list of projects.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lets the Connection `new` take the place of `key` as far as it reaches, and says what became of the key.
pub async fn swap(state: &Arc<State>, key: &Connection, new: &Connection) {
    let outcome = swapped(state, key, new).await;
    let mut text = wording::key_swap(&outcome, new);
    let (tone, action) = match &outcome {
        Outcome::Replaced => (Tone::Good, None),
        Outcome::NotListed => {
            text.push_str(" To replace it, choose “Sign in” in the banner again.");
            (Tone::Warn, None)
        }
        Outcome::NotHandedOver(_) => (Tone::Warn, None),
        Outcome::Ended(_, left) if left.is_empty() => (Tone::Warn, None),
        Outcome::Ended(..)
        | Outcome::KeptFor(_)
        | Outcome::NotKnown(_)
        | Outcome::NotRemoved(_) => {
            let connections = ("Connections".to_owned(), "/connections".to_owned());
            (Tone::Warn, Some(connections))
        }
    };
    state.say(Notice { tone, text, action });
    state.live().announce(Change::Projects);
}

async fn swapped(state: &Arc<State>, key: &Connection, new: &Connection) -> Outcome {
    let finding = key_swap::find(state.live().program(), key, new);
    let found = match tokio::time::timeout(PATIENCE, finding).await {
        Ok(Ok(found)) => found,
        Ok(Err(outcome)) => return outcome,
        Err(_) => return Outcome::NotListed,
    };
    let (from, to) = (key.clone(), new.clone());
    let handed = state
        .blocking(move |state| {
            let mut snapshots = state.live().snapshots();
            let left =
                key_swap::hand_over(state.live().program(), &mut snapshots, &from, &to, &found)?;
            Ok((found, left))
        })
        .await;
    let (found, left) = match handed {
        Ok(handed) => handed,
        Err(error) => return Outcome::NotHandedOver(error),
    };
    let outcome = key_swap::set_aside(state.live().program(), key, new, &found, left).await;
    if outcome.is_gone() {
        let gone = key.clone();
        let tidied = state
            .blocking(move |state| {
                let forgotten = key_swap::forget(&mut state.live().snapshots(), &gone);
                let preferred = state
                    .live()
                    .prefer(|preferences| key_swap::forget_banner(preferences, &gone));
                forgotten.map(|()| preferred.is_ok())
            })
            .await;
        if let Err(error) = tidied {
            tracing::warn!(%error, "the projects of the replaced key are still listed");
        }
    }
    outcome
}
