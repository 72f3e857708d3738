//! What has moved, in words and as JSON: the same on the page, in a terminal, in a notification and in a digest.
//!
//! A [`Sentence`] keeps apart what PocketHog says and what others wrote (pages, referrers, names of events): a page
//! escapes both, a terminal cleans both, and neither takes a word from outside for one of its own.

mod causes;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use pockethog_core::causes::{Cause, Contribution, Explanation, Share};
use pockethog_core::moves::{
    Basis, ByNow, Direction, Kind, Look, Metric, Move, Together, UsualRange,
};
use pockethog_core::overview::Change;
use pockethog_screens::Home;
use serde_json::{Value, json};

use crate::format::{counted, grouped, hour};
use crate::plain::cut;

/// Columns of a note that is named in a sentence.
const WIDEST_NOTE: usize = 80;

/// A sentence in pieces.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sentence {
    /// In their order, with the blanks between them.
    pub pieces: Vec<Piece>,
}

/// A piece of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// PocketHog's words.
    Words(String),
    /// What stands out: a number, a time, or a name from outside.
    Strong(String),
}

impl Sentence {
    /// Adds words.
    #[must_use]
    pub fn words(mut self, words: impl Into<String>) -> Self {
        self.pieces.push(Piece::Words(words.into()));
        self
    }

    /// Adds what stands out.
    #[must_use]
    pub fn strong(mut self, text: impl Into<String>) -> Self {
        self.pieces.push(Piece::Strong(text.into()));
        self
    }

    /// Adds the pieces of another one.
    #[must_use]
    pub fn then(mut self, more: Self) -> Self {
        self.pieces.extend(more.pieces);
        self
    }

    /// The sentence as text. What others wrote in it is as they wrote it.
    #[must_use]
    pub fn text(&self) -> String {
        let pieces = self.pieces.iter().map(|piece| match piece {
            Piece::Words(text) | Piece::Strong(text) => text.as_str(),
        });
        pieces.collect()
    }
}

/// `Spike`, `Drop`, `Silent` or `Back to usual`.
#[must_use]
pub fn label(kind: Kind) -> &'static str {
    match kind {
        Kind::Spike => "Spike",
        Kind::Drop => "Drop",
        Kind::Silent => "Silent",
        Kind::BackToUsual => "Back to usual",
    }
}

/// The name of a kind in JSON, in classes and in files.
#[must_use]
pub fn key(kind: Kind) -> &'static str {
    match kind {
        Kind::Spike => "spike",
        Kind::Drop => "drop",
        Kind::Silent => "silent",
        Kind::BackToUsual => "back_to_usual",
    }
}

/// What a count is of: `visitors`, `pageviews`, `people with errors`, or the name of the event in quotation marks.
#[must_use]
pub fn noun(metric: &Metric) -> String {
    match metric {
        Metric::Visitors => "visitors".to_owned(),
        Metric::Pageviews => "pageviews".to_owned(),
        metric if metric.is_errors() => "people with errors".to_owned(),
        Metric::Conversion(event) => format!("“{event}”"),
    }
}

/// What today is compared with, on the `date` of the project: `a usual Sunday by now`.
#[must_use]
pub fn against(basis: Basis, date: Date) -> String {
    match basis {
        Basis::Weeks(_) => format!("a usual {} by now", weekday(date)),
        Basis::LastWeek => format!("last {} by now", weekday(date)),
        Basis::Yesterday => "yesterday by now".to_owned(),
    }
}

/// `usually 150 – 190`.
#[must_use]
pub fn usually(usual: UsualRange) -> String {
    format!("usually {}", range(usual))
}

/// `150 – 190`; one number if the range has only one.
#[must_use]
pub fn range(usual: UsualRange) -> String {
    if usual.low >= usual.high {
        return grouped(usual.low);
    }
    format!("{} – {}", grouped(usual.low), grouped(usual.high))
}

/// What all cards of today are compared with, if it is the same for all: `a usual Sunday by now`. `None` if nothing is
/// known that they could be compared with.
#[must_use]
pub fn compared_with(home: &Home) -> Option<String> {
    let mut all = home.cards.iter().filter_map(|card| {
        let figures = card.figures()?;
        let kind = match figures.usual?.basis {
            Basis::Weeks(_) => Basis::Weeks(0),
            other => other,
        };
        Some((kind, figures.today?))
    });
    let first = all.next()?;
    Some(if all.all(|other| other == first) {
        against(first.0, first.1)
    } else {
        "what is usual by now".to_owned()
    })
}

/// The change of the total of today and what it is compared with: what is usual by now, and of how many projects if some
/// cannot be compared; if none can, the day before. It has no colour: only a project moves.
#[must_use]
pub fn total_change(home: &Home) -> (Change, String) {
    if let Some(total) = home.total.usual {
        let change = Change::from_usual(total.count, total.usual.centre, false);
        let against = compared_with(home).unwrap_or_else(|| "what is usual by now".to_owned());
        let counted = home.total.sum.counted();
        if total.projects < counted {
            return (
                change,
                format!("{against} · {} of {counted} projects", total.projects),
            );
        }
        return (change, against);
    }
    let change = home.total.sum.change().unwrap_or(Change::NONE);
    (change.uncoloured(), "yesterday by now".to_owned())
}

/// The same in a few words, without a full stop, for a bar.
#[must_use]
pub fn short(moved: &Move, zone: &TimeZone, now: Timestamp) -> String {
    let since = clock(moved.since, zone, now);
    match moved.kind {
        Kind::Silent => format!("no event since {since}"),
        Kind::BackToUsual => format!("back to usual since {since}"),
        Kind::Spike | Kind::Drop => {
            let usual = moved.usual.map(|usual| format!(" ({})", usually(usual)));
            how(moved, zone, now).text() + &usual.unwrap_or_default()
        }
    }
}

/// How much and since when, by the clock of the project, and what contributed, if that is known.
#[must_use]
pub fn sentence(
    moved: &Move,
    explanation: Option<&Explanation>,
    zone: &TimeZone,
    now: Timestamp,
) -> Sentence {
    let said = how(moved, zone, now);
    match explanation {
        Some(explanation) => said.then(causes::because(explanation, &moved.metric)),
        None => said,
    }
}

/// What contributed to a move, as the end of a sentence about it.
#[must_use]
pub fn because(explanation: &Explanation, moved: &Move) -> Sentence {
    causes::because(explanation, &moved.metric)
}

fn how(moved: &Move, zone: &TimeZone, now: Timestamp) -> Sentence {
    let since = clock(moved.since, zone, now);
    let start = Sentence::default();
    match moved.kind {
        Kind::Silent => {
            let quiet = start.words("No event since ").strong(since).words(".");
            let Some(gap) = moved.usual_gap else {
                return quiet;
            };
            let weekday = weekday(zone.to_datetime(now).date());
            quiet.words(format!(
                " At this time of a {weekday} it is not usually quiet for longer than {}.",
                duration(gap)
            ))
        }
        Kind::BackToUsual => start.words("Back to usual since ").strong(since).words("."),
        Kind::Spike | Kind::Drop => {
            let said = start
                .strong(difference(moved))
                .words(format!(" {}", noun(&moved.metric)));
            match moved.look.hours() {
                Some(1) => said.words(" in the last hour"),
                Some(hours) => said.words(format!(" in the last {hours} hours")),
                None if moved.continues => said.words(", as on the day before"),
                None => said.words(" since ").strong(since),
            }
        }
    }
}

/// `+287` or `−96`: how many more or fewer than the middle of what is usual.
#[must_use]
pub fn difference(moved: &Move) -> String {
    let centre = moved.usual.map_or(0.0, |usual| usual.centre);
    signed(moved.count as f64 - centre)
}

/// `+287` or `−96`.
#[must_use]
pub fn signed(difference: f64) -> String {
    let sign = if difference < 0.0 { '−' } else { '+' };
    format!("{sign}{}", grouped(whole(difference.abs())))
}

/// `Near your note “HN front page”.`
#[must_use]
pub fn near_note(note: &str) -> Sentence {
    Sentence::default()
        .words("Near your note “")
        .strong(cut(note, WIDEST_NOTE))
        .words("”.")
}

/// The text that a note about a move begins with: what made it, if that is known, and otherwise what it is.
#[must_use]
pub fn note_text(moved: &Move, explanation: Option<&Explanation>) -> String {
    let cause = explanation.and_then(causes::name);
    cause.unwrap_or_else(|| match moved.kind {
        Kind::Silent => label(Kind::Silent).to_owned(),
        kind => format!(
            "{} of {}",
            label(kind),
            cut(&noun(&moved.metric), WIDEST_NOTE)
        ),
    })
}

/// Beside the sentence: what is usual, or for how long it has been silent.
#[must_use]
pub fn beside(moved: &Move, now: Timestamp) -> String {
    match (moved.kind, moved.usual) {
        (Kind::Silent, _) => {
            let seconds = now.as_second().saturating_sub(moved.since.as_second());
            format!("{} ago", duration(u64::try_from(seconds).unwrap_or(0)))
        }
        (_, Some(usual)) => usually(usual),
        (_, None) => String::new(),
    }
}

/// Most projects moved in one direction, in one sentence.
#[must_use]
pub fn together(together: Together) -> String {
    let direction = match together.direction {
        Direction::Up => "above",
        Direction::Down => "below",
    };
    format!(
        "{} of {} projects are {direction} their usual range at the same time: something that they share may be the reason.",
        grouped(together.moved as u64),
        grouped(together.of as u64)
    )
}

/// How many projects are as usual, and how many cannot be judged.
#[must_use]
pub fn others(listed: usize, ordinary: usize, unknown: usize) -> String {
    let as_usual = match (listed, ordinary) {
        (_, 0) => None,
        (0, 1) => Some("The project is as usual.".to_owned()),
        (0, all) if unknown == 0 => Some(format!(
            "All {} projects are as usual.",
            grouped(all as u64)
        )),
        (_, 1) => Some("The other project is as usual.".to_owned()),
        (0, some) => Some(format!("{} projects are as usual.", grouped(some as u64))),
        (_, some) => Some(format!(
            "The other {} projects are as usual.",
            grouped(some as u64)
        )),
    };
    let have = if unknown == 1 { "has" } else { "have" };
    let new = (unknown > 0).then(|| {
        let projects = counted(unknown, "project", "projects");
        format!("{projects} {have} nothing to compare with yet.")
    });
    let sentences: Vec<String> = as_usual.into_iter().chain(new).collect();
    sentences.join(" ")
}

/// What is usual by now as JSON, with the count that is compared with it; docs/cli.md documents the fields.
#[must_use]
pub fn usual_document(by_now: ByNow) -> Value {
    let (basis, weeks) = basis(Some(by_now.basis));
    let percent = by_now.usual.change_percent(by_now.count);
    json!({
        "count": by_now.count,
        "centre": rounded(by_now.usual.centre),
        "low": by_now.usual.low,
        "high": by_now.usual.high,
        "change_percent": percent.map(rounded),
        "compared_with": basis,
        "weeks": weeks,
    })
}

fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// What a comparison comes from, and of how many weeks.
fn basis(basis: Option<Basis>) -> (Option<&'static str>, Option<usize>) {
    match basis {
        Some(Basis::Weeks(weeks)) => (Some("usual"), Some(weeks)),
        Some(Basis::LastWeek) => (Some("last_week"), None),
        Some(Basis::Yesterday) => (Some("yesterday"), None),
        None => (None, None),
    }
}

/// A move as JSON; docs/cli.md documents the fields.
#[must_use]
pub fn document(moved: &Move) -> Value {
    let (basis, weeks) = basis(moved.basis);
    let (metric, event) = match &moved.metric {
        Metric::Visitors => ("visitors", None),
        Metric::Pageviews => ("pageviews", None),
        Metric::Conversion(event) => ("conversion", Some(event)),
    };
    json!({
        "kind": key(moved.kind),
        "metric": metric,
        "event": event,
        "since": moved.since,
        "window": match moved.look {
            Look::SoFar => "day_so_far",
            Look::LastHour => "last_hour",
            Look::LastNinetyMinutes => "last_ninety_minutes",
            Look::LastSixHours => "last_six_hours",
            Look::LastTwelveHours => "last_twelve_hours",
        },
        "count": moved.count,
        "usual": moved.usual.map(|usual| json!({
            "centre": rounded(usual.centre),
            "low": usual.low,
            "high": usual.high,
        })),
        "compared_with": basis,
        "weeks": weeks,
        "usual_gap_seconds": moved.usual_gap,
        "since_the_day_before": moved.continues,
    })
}

/// What made it move, as JSON; docs/cli.md documents the fields.
#[must_use]
pub fn causes(explanation: &Explanation) -> Value {
    let (kind, share) = match &explanation.cause {
        Cause::One(_) => ("one", None),
        Cause::Within { share, .. } => {
            let share = match share {
                Share::NearlyAll => "nearly_all",
                Share::Most => "most",
            };
            ("within", Some(share))
        }
        Cause::Two(..) => ("two", None),
        Cause::Spread => ("spread", None),
        Cause::NotVisitors => ("not_visitors", None),
    };
    let value = |of: &Contribution| {
        json!({
            "dimension": of.dimension.name(),
            "value": of.value,
            "visitors": of.visitors,
        })
    };
    let values = explanation.cause.contributions();
    json!({
        "kind": kind,
        "values": values.into_iter().map(value).collect::<Vec<_>>(),
        "share": share,
        "pages_alike": explanation.pages_alike,
        "visitors": explanation.visitors,
        "usual": explanation.usual,
        "measured_at": explanation.measured_at,
    })
}

/// The time of day; with the day, if that is not today's.
fn clock(at: Timestamp, zone: &TimeZone, now: Timestamp) -> String {
    let (day, today) = (zone.to_datetime(at).date(), zone.to_datetime(now).date());
    if day == today {
        return hour(at, zone);
    }
    if today.yesterday().is_ok_and(|yesterday| yesterday == day) {
        return format!("{} yesterday", hour(at, zone));
    }
    format!("{} on {}", hour(at, zone), crate::format::weekday(at, zone))
}

/// `9 minutes`, `2 h 18 min`.
fn duration(seconds: u64) -> String {
    match seconds.div_ceil(60) {
        0 | 1 => "1 minute".to_owned(),
        minutes @ 2..60 => format!("{minutes} minutes"),
        minutes if minutes.is_multiple_of(60) => format!("{} h", minutes / 60),
        minutes => format!("{} h {} min", minutes / 60, minutes % 60),
    }
}

fn weekday(date: Date) -> String {
    date.strftime("%A").to_string()
}

/// A count from arithmetic, rounded. What is negative or no number is 0.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // bounded on both sides
pub(crate) fn whole(count: f64) -> u64 {
    if count.is_finite() && count > 0.0 {
        count.round().min(9e15) as u64
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn now() -> Timestamp {
        "2026-11-29T18:00:00Z".parse().unwrap()
    }

    fn moved(kind: Kind, since: &str) -> Move {
        Move {
            kind,
            metric: Metric::Visitors,
            since: since.parse().unwrap(),
            look: Look::SoFar,
            count: 457,
            usual: Some(UsualRange {
                centre: 580.0,
                low: 540,
                high: 1620,
            }),
            basis: Some(Basis::Weeks(8)),
            usual_gap: Some(540),
            continues: false,
        }
    }

    fn said(moved: &Move) -> String {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        sentence(moved, None, &zone, now()).text()
    }

    #[test]
    fn each_kind_says_how_much_and_since_when() {
        let drop = moved(Kind::Drop, "2026-11-29T12:15:00Z");
        assert_eq!(said(&drop), "−123 visitors since 13:15");
        assert_eq!(beside(&drop, now()), "usually 540 – 1,620");
        let silent = moved(Kind::Silent, "2026-11-29T15:42:00Z");
        assert_eq!(
            said(&silent),
            "No event since 16:42. At this time of a Sunday it is not usually quiet for longer than 9 minutes."
        );
        assert_eq!(beside(&silent, now()), "2 h 18 min ago");
        let back = moved(Kind::BackToUsual, "2026-11-29T17:00:00Z");
        assert_eq!(said(&back), "Back to usual since 18:00.");
        let hour = Move {
            look: Look::LastHour,
            metric: Metric::Conversion("Paid".into()),
            ..drop
        };
        assert_eq!(said(&hour), "−123 “Paid” in the last hour");
    }

    #[test]
    fn a_time_of_another_day_names_the_day() {
        let yesterday = moved(Kind::Silent, "2026-11-28T21:10:00Z");
        assert!(said(&yesterday).starts_with("No event since 22:10 yesterday."));
        let before = moved(Kind::Silent, "2026-11-27T21:10:00Z");
        assert!(said(&before).starts_with("No event since 22:10 on Fri 27 Nov."));
    }

    #[test]
    fn what_was_compared_with_is_named_by_its_day() {
        let sunday = "2026-11-29".parse().unwrap();
        assert_eq!(against(Basis::Weeks(8), sunday), "a usual Sunday by now");
        assert_eq!(against(Basis::LastWeek, sunday), "last Sunday by now");
        assert_eq!(against(Basis::Yesterday, sunday), "yesterday by now");
    }

    #[test]
    fn the_others_are_counted_in_words() {
        assert_eq!(others(3, 9, 0), "The other 9 projects are as usual.");
        assert_eq!(others(0, 12, 0), "All 12 projects are as usual.");
        assert_eq!(
            others(1, 1, 1),
            "The other project is as usual. 1 project has nothing to compare with yet."
        );
        assert_eq!(
            others(0, 0, 2),
            "2 projects have nothing to compare with yet."
        );
    }
}
