//! Why a project moved, as the end of the sentence that says how: `, mostly from news.ycombinator.com, nearly all on
//! /blog/why-we-moved`.

use pockethog_core::causes::{Cause, Contribution, Dimension, Explanation, Share};
use pockethog_core::moves::Metric;

use super::{Sentence, signed};
use crate::plain::cut;

/// Columns of a value: a page's address can be as long as a visitor likes.
const WIDEST: usize = 60;

/// Codes and names of countries, as the time zone database has them.
const COUNTRIES: &str = include_str!("countries.tsv");

/// How a sentence about a move of `metric` goes on if the move has been explained.
pub(super) fn because(explanation: &Explanation, metric: &Metric) -> Sentence {
    let start = Sentence::default();
    let difference = explanation.difference() as f64;
    if explanation.cause == Cause::NotVisitors {
        // Of visitors themselves there is nothing to add: they are back, or were few.
        return match metric {
            Metric::Visitors => start,
            _ => start.words(", with about as many visitors as usual"),
        };
    }
    let start = match metric {
        Metric::Visitors => start,
        _ => start
            .words("; ")
            .strong(signed(difference))
            .words(" visitors"),
    };
    let part = |all: i64| {
        let much = all as f64 * 2.0 * difference.signum() >= difference.abs();
        if much { ", mostly " } else { ", in part " }
    };
    match &explanation.cause {
        Cause::One(only) => {
            let said = named(start.words(part(only.visitors)), only);
            if explanation.pages_alike && only.dimension != Dimension::Page {
                said.words("; every page a little")
            } else {
                said
            }
        }
        Cause::Within {
            whole,
            part: of,
            share,
        } => {
            let said = named(start.words(part(whole.visitors)), whole);
            match share {
                Share::NearlyAll => named(said.words(", nearly all "), of),
                Share::Most => {
                    let no_page = ![whole.dimension, of.dimension].contains(&Dimension::Page);
                    let alike = explanation.pages_alike && no_page;
                    said.words(if alike {
                        "; every page a little, "
                    } else {
                        "; "
                    })
                    .strong(value(of))
                    .words(" most")
                }
            }
        }
        Cause::Two(first, second) => {
            let both = first.visitors.saturating_add(second.visitors);
            let said = named(start.words(part(both)), first).words(" and ");
            // "on /pricing and /docs" needs its preposition once.
            if preposition(first) == preposition(second) {
                said.strong(value(second))
            } else {
                named(said, second)
            }
        }
        Cause::Spread => start.words(", spread over everything"),
        Cause::NotVisitors => start,
    }
}

/// The value that explains most, as a note about it would call it: `news.ycombinator.com`. `None` if there is none.
pub(super) fn name(explanation: &Explanation) -> Option<String> {
    let first = explanation.cause.contributions().into_iter().next()?;
    Some(value(first)).filter(|name| !name.trim().is_empty())
}

/// `from news.ycombinator.com`
fn named(said: Sentence, of: &Contribution) -> Sentence {
    let said = match preposition(of) {
        "" => said,
        words => said.words(words),
    };
    said.strong(value(of))
}

fn preposition(of: &Contribution) -> &'static str {
    match of.dimension {
        Dimension::UtmSource => "by campaign ",
        Dimension::Referrer if of.value == DIRECT => "",
        Dimension::Referrer | Dimension::Country => "from ",
        Dimension::Page | Dimension::Device => "on ",
    }
}

/// What PostHog has for the referring domain of a visitor without one.
const DIRECT: &str = "$direct";

/// What visitors sent, in one harmless line.
fn value(of: &Contribution) -> String {
    let shown = match (of.dimension, of.value.as_str()) {
        (Dimension::Referrer, DIRECT) => "direct visits",
        (Dimension::Referrer, domain) => domain.strip_prefix("www.").unwrap_or(domain),
        (Dimension::Country, code) => country(code),
        (Dimension::Device, "Desktop") => "computers",
        (Dimension::Device, "Mobile") => "phones",
        (Dimension::Device, "Tablet") => "tablets",
        (_, value) => value,
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use pockethog_core::causes::{Direction, Question};
    use pockethog_core::overview::LeftOut;

    use super::*;

    fn of(dimension: Dimension, value: &str, visitors: i64) -> Contribution {
        Contribution {
            dimension,
            value: value.to_owned(),
            visitors,
        }
    }

    fn explained(visitors: u64, cause: Cause) -> Explanation {
        Explanation {
            measured_at: "2026-11-24T18:00:00Z".parse().unwrap(),
            question: Question {
                direction: Direction::Up,
                since: "2026-11-24T12:20:00Z".parse().unwrap(),
                hours: None,
                compared_with: vec![7],
                until: None,
                usual: None,
                left_out: LeftOut::default(),
            },
            visitors,
            usual: 200,
            cause,
            pages_alike: true,
        }
    }

    fn said(visitors: u64, cause: Cause) -> String {
        because(&explained(visitors, cause), &Metric::Visitors).text()
    }

    #[test]
    fn each_kind_of_cause_ends_the_sentence() {
        use Dimension::{Country, Device, Page, Referrer, UtmSource};
        let hacker_news = of(Referrer, "news.ycombinator.com", 287);
        let within = |whole, part, share| Cause::Within { whole, part, share };
        for (said, expected) in [
            (
                said(
                    487,
                    within(
                        hacker_news.clone(),
                        of(Page, "/blog/why-we-moved", 266),
                        Share::NearlyAll,
                    ),
                ),
                ", mostly from news.ycombinator.com, nearly all on /blog/why-we-moved",
            ),
            (
                said(
                    104,
                    within(
                        of(Referrer, "www.google.com", -80),
                        of(Country, "DE", -60),
                        Share::Most,
                    ),
                ),
                ", mostly from google.com; every page a little, Germany most",
            ),
            (
                said(
                    500,
                    Cause::Two(hacker_news.clone(), of(Referrer, "$direct", 40)),
                ),
                ", mostly from news.ycombinator.com and direct visits",
            ),
            (
                said(
                    500,
                    Cause::Two(of(Page, "/pricing", 150), of(Page, "/docs", 90)),
                ),
                ", mostly on /pricing and /docs",
            ),
            (
                said(355, Cause::One(of(UtmSource, "autumn", 55))),
                ", in part by campaign autumn; every page a little",
            ),
            (
                said(250, Cause::One(of(Referrer, "$direct", 50))),
                ", mostly direct visits; every page a little",
            ),
            (
                said(250, Cause::One(of(Device, "Mobile", 50))),
                ", mostly on phones; every page a little",
            ),
            (said(513, Cause::Spread), ", spread over everything"),
            (said(201, Cause::NotVisitors), ""),
        ] {
            assert_eq!(said, expected);
        }
    }

    #[test]
    fn a_move_of_another_number_says_how_many_visitors_came() {
        let paid = Metric::Conversion("Paid".to_owned());
        let said = |visitors, cause| because(&explained(visitors, cause), &paid).text();
        let hacker_news = of(Dimension::Referrer, "news.ycombinator.com", 287);
        assert_eq!(
            said(
                487,
                Cause::Two(hacker_news, of(Dimension::Referrer, "bsky.app", 40))
            ),
            "; +287 visitors, mostly from news.ycombinator.com and bsky.app"
        );
        assert_eq!(
            said(201, Cause::NotVisitors),
            ", with about as many visitors as usual"
        );
    }

    #[test]
    fn values_are_one_harmless_line() {
        let page = format!("/\u{202e}<b>\n{}", "x".repeat(500));
        let said = said(209, Cause::One(of(Dimension::Page, &page, 9)));
        assert!(said.starts_with(", mostly on /<b> xxx"), "{said}");
        assert!(said.contains('…') && !said.contains('\u{202e}') && said.len() < 120);
        assert_eq!(country("XX"), "XX");
    }
}
