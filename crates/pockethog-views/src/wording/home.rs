//! What the home screen says about numbers that are missing or old.

use jiff::Timestamp;

use crate::format::ago;
use crate::sentence::sentence;
use pockethog_core::discovery::Failure;
use pockethog_screens::{Card, Figures, Problem, Stale, Unreadable};

/// Why there are no numbers, and nothing that is said of all.
const NOT_GRANTED: &str =
    "Numbers are not shown, because the permission query:read was not granted.";

/// Why a card has no numbers.
pub fn unreadable(card: &Card, reason: &Unreadable) -> String {
    match reason {
        Unreadable::SignedOut(reason) => reason.sentence().to_owned(),
        Unreadable::NotGranted => NOT_GRANTED.to_owned(),
        Unreadable::Failed => failed(card),
        Unreadable::Outage(reason) => sentence(reason),
    }
}

/// Why the numbers of a card are not those of now, and how old they are.
pub fn stale(card: &Card, figures: &Figures, stale: Stale, now: Timestamp) -> String {
    let from = format!("Numbers from {}.", ago(figures.measured_at, now));
    match stale {
        Stale::SignedOut => format!("Signed out. {from}"),
        Stale::Failed => format!("{} {from}", failed(card)),
        Stale::Old => from,
    }
}

/// What a problem is about, and why, as a heading and a sentence.
pub fn problem(problem: &Problem) -> (String, String) {
    match problem {
        Problem::SignedOut { name, reason, .. } => (name.clone(), reason.sentence().to_owned()),
        Problem::Outage { host, reason, .. } => (host.clone(), sentence(reason)),
        Problem::NotGranted { host, .. } => (host.clone(), NOT_GRANTED.to_owned()),
        Problem::NotListed { failure, .. } => not_listed(failure),
    }
}

/// What could not be listed, and why, as a heading and a sentence.
pub fn not_listed(failure: &Failure) -> (String, String) {
    let what = format!("{} could not be read", failure.what);
    (what, sentence(&failure.reason))
}

fn failed(card: &Card) -> String {
    let trouble = card.trouble.as_ref();
    trouble.map_or_else(String::new, |trouble| sentence(&trouble.reason))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pages::samples::card;
    use pockethog_core::discovery::Cause;
    use pockethog_core::snapshot::Trouble;
    use sign_in_with_posthog::EndReason;

    #[test]
    fn old_numbers_say_why_and_how_old_they_are() {
        let mut card = card(1, "Acorn", 5, 4);
        card.trouble = Some(Trouble {
            at: Timestamp::UNIX_EPOCH,
            reason: "PostHog is busy (502)".to_owned(),
            transient: true,
            cause: Cause::Busy,
            retry_at: None,
        });
        let now = Timestamp::from_second(720).unwrap();
        let figures = card.figures().unwrap();
        let said = |reason| stale(&card, figures, reason, now);
        assert_eq!(
            said(Stale::SignedOut),
            "Signed out. Numbers from 12 min ago."
        );
        assert_eq!(
            said(Stale::Failed),
            "PostHog is busy (502). Numbers from 12 min ago."
        );
        assert_eq!(said(Stale::Old), "Numbers from 12 min ago.");
        assert_eq!(
            unreadable(&card, &Unreadable::Failed),
            "PostHog is busy (502)."
        );
        let ended = EndReason::Narrowed;
        assert_eq!(
            unreadable(&card, &Unreadable::SignedOut(ended)),
            ended.sentence()
        );
    }
}
