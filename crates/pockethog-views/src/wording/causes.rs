//! Why a project moved, in a sentence: `+287 from news.ycombinator.com since 13:20, nearly all on /blog/why-we-moved`.

use jiff::tz::TimeZone;
use pockethog_core::causes::{Cause, Contribution, Dimension, Direction, Explanation, Share};

use crate::format::{grouped, hour};
use crate::plain::cut;

/// Columns of a value: a page's address can be as long as a visitor likes.
const WIDEST: usize = 60;

/// Codes and names of countries, as the time zone database has them.
const COUNTRIES: &str = include_str!("countries.tsv");

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Words.
    Words(String),
    /// A number, which may be stressed.
    Figure(String),
    /// What visitors sent, in one harmless line: a page isolates its direction and stresses it. It is never markup.
    Value(String),
}

impl Piece {
    fn words(words: &str) -> Self {
        Self::Words(words.to_owned())
    }
}

/// The pieces in one line.
pub fn text(pieces: &[Piece]) -> String {
    let texts = pieces.iter().map(|piece| match piece {
        Piece::Words(text) | Piece::Figure(text) | Piece::Value(text) => text.as_str(),
    });
    texts.collect()
}

/// What an explanation says, by the clock of the project.
pub fn explanation(of: &Explanation, zone: &TimeZone) -> Vec<Piece> {
    // A day that is quiet has been so for long; a crowd has come at some time.
    let since = match of.question.direction {
        Direction::Up => format!(" since {}", hour(of.question.since, zone)),
        Direction::Down => String::new(),
    };
    let mut pieces = Vec::new();
    match &of.cause {
        Cause::One(only) => {
            name(&mut pieces, only);
            pieces.push(Piece::Words(since));
            if of.pages_alike && only.dimension != Dimension::Page {
                pieces.push(Piece::words("; every page a little"));
            }
        }
        Cause::Within { whole, part, share } => {
            name(&mut pieces, whole);
            match share {
                Share::NearlyAll => {
                    pieces.push(Piece::Words(format!(
                        "{since}, nearly all {}",
                        preposition(part)
                    )));
                    pieces.push(Piece::Value(value(part)));
                }
                Share::Most => {
                    let alike = of.pages_alike
                        && whole.dimension != Dimension::Page
                        && part.dimension != Dimension::Page;
                    let pages = if alike { "every page a little, " } else { "" };
                    pieces.push(Piece::Words(format!("{since}; {pages}")));
                    pieces.push(Piece::Value(value(part)));
                    pieces.push(Piece::words(" most"));
                }
            }
        }
        Cause::Two(first, second) => {
            name(&mut pieces, first);
            pieces.push(Piece::words(" and "));
            name(&mut pieces, second);
            pieces.push(Piece::Words(since));
        }
        Cause::Spread => {
            pieces.push(Piece::Figure(signed(of.difference())));
            pieces.push(Piece::Words(format!(
                " visitors{since}, spread over everything"
            )));
        }
        Cause::NotVisitors => pieces.push(Piece::words("about as many visitors as usual")),
    }
    pieces.retain(|piece| *piece != Piece::Words(String::new()));
    pieces
}

/// `+287 from news.ycombinator.com`
fn name(pieces: &mut Vec<Piece>, of: &Contribution) {
    pieces.push(Piece::Figure(signed(of.visitors)));
    pieces.push(Piece::Words(format!(" {}", preposition(of))));
    pieces.push(Piece::Value(value(of)));
}

fn preposition(of: &Contribution) -> &'static str {
    match of.dimension {
        Dimension::UtmSource => "by campaign ",
        Dimension::Referrer if of.value == "$direct" => "who came ",
        Dimension::Referrer | Dimension::Country => "from ",
        Dimension::Page => "on ",
        Dimension::Device => "on device ",
    }
}

fn value(of: &Contribution) -> String {
    let shown = match of.dimension {
        Dimension::Referrer if of.value == "$direct" => "directly",
        Dimension::Referrer => of.value.strip_prefix("www.").unwrap_or(&of.value),
        Dimension::Country => country(&of.value),
        _ => &of.value,
    };
    cut(shown, WIDEST)
}

/// The name of a country, or its code if that is no country's.
fn country(code: &str) -> &str {
    let mut lines = COUNTRIES.lines().filter_map(|line| line.split_once('\t'));
    lines
        .find(|(known, _)| *known == code)
        .map_or(code, |(_, name)| name)
}

fn signed(count: i64) -> String {
    let sign = if count < 0 { "−" } else { "+" };
    format!("{sign}{}", grouped(count.unsigned_abs()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use pockethog_core::causes::Question;

    use super::*;

    fn of(dimension: Dimension, value: &str, visitors: i64) -> Contribution {
        Contribution {
            dimension,
            value: value.to_owned(),
            visitors,
        }
    }

    fn said(direction: Direction, cause: Cause, pages_alike: bool) -> String {
        let explained = Explanation {
            measured_at: "2026-11-24T18:00:00Z".parse().unwrap(),
            question: Question {
                direction,
                since: "2026-11-24T12:20:00Z".parse().unwrap(),
                hours: None,
                compared_with: vec![7],
                condition: None,
            },
            visitors: 483,
            usual: 170,
            cause,
            pages_alike,
        };
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        text(&explanation(&explained, &zone))
    }

    #[test]
    fn each_kind_of_cause_is_one_sentence() {
        let hacker_news = of(Dimension::Referrer, "news.ycombinator.com", 287);
        let (up, down) = (Direction::Up, Direction::Down);
        let within = |whole, part, share| Cause::Within { whole, part, share };
        for (said, expected) in [
            (
                said(
                    up,
                    within(
                        hacker_news.clone(),
                        of(Dimension::Page, "/blog/why-we-moved", 266),
                        Share::NearlyAll,
                    ),
                    false,
                ),
                "+287 from news.ycombinator.com since 13:20, nearly all on /blog/why-we-moved",
            ),
            (
                said(
                    down,
                    within(
                        of(Dimension::Referrer, "www.google.com", -96),
                        of(Dimension::Country, "DE", -60),
                        Share::Most,
                    ),
                    true,
                ),
                "−96 from google.com; every page a little, Germany most",
            ),
            (
                said(
                    up,
                    Cause::Two(hacker_news.clone(), of(Dimension::Referrer, "$direct", 40)),
                    false,
                ),
                "+287 from news.ycombinator.com and +40 who came directly since 13:20",
            ),
            (
                said(up, Cause::One(of(Dimension::UtmSource, "autumn", 55)), true),
                "+55 by campaign autumn since 13:20; every page a little",
            ),
            (
                said(up, Cause::Spread, false),
                "+313 visitors since 13:20, spread over everything",
            ),
            (
                said(down, Cause::NotVisitors, false),
                "about as many visitors as usual",
            ),
        ] {
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn values_are_one_harmless_line() {
        let page = format!("/\u{202e}<b>\n{}", "x".repeat(500));
        let said = said(
            Direction::Up,
            Cause::One(of(Dimension::Page, &page, 9)),
            false,
        );
        assert!(said.starts_with("+9 on /<b> xxx"), "{said}");
        assert!(said.contains('…') && !said.contains('\u{202e}') && said.len() < 120);
        assert_eq!(country("XX"), "XX");
    }
}
