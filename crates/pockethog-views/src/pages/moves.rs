//! What has moved, above the cards of the home page.

use jiff::tz::TimeZone;
use maud::{Markup, html};
use pockethog_core::moves::{Kind, Listed};
use pockethog_core::overview::time_zone;
use pockethog_core::project::ProjectKey;
use pockethog_screens::{Card, Home, MoveNote};

use super::layout::avatar;
use super::project_path;
use crate::colours;
use crate::format::grouped;
use crate::moved::{self, Piece, Sentence};

/// So many are listed before the rest is folded.
const MOST: usize = 5;

/// The list, as the event stream replaces it. Its id is `moves`. It is empty if no project can be compared yet.
pub fn render_moves(home: &Home) -> Markup {
    let moves = &home.moves;
    let judged = moves.listed.len() + moves.ordinary;
    let lines: Vec<(&Listed, &Card)> = moves
        .listed
        .iter()
        .filter_map(|listed| {
            let card = home.cards.iter().find(|card| card.key == listed.project)?;
            Some((listed, card))
        })
        .collect();
    let (first, rest) = lines.split_at(lines.len().min(MOST));
    html! {
        div #moves {
            @if judged > 0 && (home.cards.len() > 1 || !lines.is_empty()) {
                section.card.moves aria-labelledby="moves-title" {
                    div.moves-head {
                        h2 #moves-title { b { "What moved" } @if let Some(against) = moved::compared_with(home) { " " span.muted { "against " (against) } } }
                    }
                    @if let Some(together) = moves.together { p.together { (moved::together(together)) } }
                    @if !first.is_empty() {
                        ul { @for (listed, card) in first { (line(home, listed, card)) } }
                    }
                    @if !rest.is_empty() {
                        details {
                            summary { "Show " (grouped(rest.len() as u64)) " more" }
                            ul { @for (listed, card) in rest { (line(home, listed, card)) } }
                        }
                    }
                    p.others { (moved::others(lines.len(), moves.ordinary, moves.unknown)) }
                }
            }
        }
    }
}

fn line(home: &Home, listed: &Listed, card: &Card) -> Markup {
    let (moved, now) = (&listed.moved, home.now);
    let zone = zone(card);
    html! {
        li data-scheme=[card.scheme.map(colours::name)] {
            (avatar(&card.name))
            div.what {
                p.mover {
                    a href=(project_path(&card.key)) title=(card.name) { bdi { (card.name) } }
                    (kind_badge(moved.kind))
                }
                p.why { (sentence(&moved::sentence(moved, listed.explanation.as_ref(), &zone, now))) }
                (note(&card.key, home.notes.get(&card.key)))
            }
            div.much {
                b data-number=(moved.count) { (grouped(moved.count)) }
                small { (moved::beside(moved, now)) }
            }
        }
    }
}

/// The note that a move is near, or a way to add one: the form of the project page, filled in from the move.
pub(super) fn note(key: &ProjectKey, note: Option<&MoveNote>) -> Markup {
    html! {
        @if let Some(note) = note {
            @if let Some(near) = &note.near {
                p.near { (sentence(&moved::near_note(near))) }
            } @else if note.may_write {
                p.near { a.link href={ (project_path(key)) "?note=move" } { "Add a note" } }
            }
        }
    }
}

/// `Spike`, `Drop`, `Silent` or `Back to usual`.
pub(super) fn kind_badge(kind: Kind) -> Markup {
    let class = match kind {
        Kind::Spike => "kind good",
        Kind::Drop => "kind bad",
        Kind::Silent => "kind warn",
        Kind::BackToUsual => "kind",
    };
    html! { span class=(class) { (moved::label(kind)) } }
}

/// A sentence in which what others wrote is text.
pub fn sentence(sentence: &Sentence) -> Markup {
    html! {
        @for piece in &sentence.pieces {
            @match piece {
                Piece::Words(words) => (words),
                Piece::Strong(text) => b { bdi { (text) } },
            }
        }
    }
}

fn zone(card: &Card) -> TimeZone {
    let figures = card.figures();
    figures
        .and_then(|figures| time_zone(&figures.time_zone))
        .unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::pages::samples::card;
    use pockethog_core::causes::{
        Cause, Contribution, Dimension, Direction, Explanation, Question,
    };
    use pockethog_core::moves::{Basis, Look, Metric, Move, Moves, UsualRange};
    use pockethog_core::overview::LeftOut;

    fn home(name: &str, metric: Metric) -> Home {
        let card = card(1, name, 5, 4);
        let moved = Move {
            kind: Kind::Spike,
            metric,
            since: "2026-11-29T12:20:00Z".parse().unwrap(),
            look: Look::SoFar,
            count: 483,
            usual: Some(UsualRange {
                centre: 170.0,
                low: 150,
                high: 190,
            }),
            basis: Some(Basis::Weeks(8)),
            usual_gap: None,
            continues: false,
        };
        Home {
            now: "2026-11-29T18:00:00Z".parse().unwrap(),
            moves: Moves {
                listed: vec![Listed {
                    project: card.key.clone(),
                    moved,
                    explanation: None,
                }],
                ordinary: 9,
                ..Moves::default()
            },
            cards: vec![card],
            ..Home::default()
        }
    }

    fn explain(home: &mut Home, referrer: &str) {
        let moved = &home.moves.listed[0].moved;
        home.moves.listed[0].explanation = Some(Explanation {
            measured_at: home.now,
            question: Question {
                direction: Direction::Up,
                since: moved.since,
                hours: None,
                compared_with: vec![7],
                until: None,
                usual: Some(170),
                left_out: LeftOut::default(),
            },
            visitors: 483,
            usual: 170,
            cause: Cause::One(Contribution {
                dimension: Dimension::Referrer,
                value: referrer.to_owned(),
                visitors: 287,
            }),
            pages_alike: false,
        });
    }

    #[test]
    fn a_move_says_how_much_and_what_is_usual() {
        let html = render_moves(&home("Snuffle App", Metric::Visitors)).into_string();
        for wanted in [
            "Snuffle App",
            "Spike",
            "+313",
            "since ",
            "12:20",
            "usually 150 – 190",
            "The other 9 projects are as usual.",
        ] {
            assert!(html.contains(wanted), "{wanted}: {html}");
        }
    }

    #[test]
    fn a_move_offers_a_note_or_names_the_one_that_it_is_near() {
        let mut home = home("Snuffle App", Metric::Visitors);
        let key = home.cards[0].key.clone();
        let mut html = |near: Option<&str>, may_write| {
            let near = near.map(ToOwned::to_owned);
            let note = MoveNote { near, may_write };
            home.notes = [(key.clone(), note)].into();
            render_moves(&home).into_string()
        };
        assert!(html(None, true).contains("?note=move"));
        assert!(!html(None, false).contains("Add a note"));
        let near = html(Some("<b>HN</b> front page"), true);
        assert!(
            near.contains("Near your note “") && near.contains("&lt;b&gt;HN"),
            "{near}"
        );
        assert!(!near.contains("Add a note"));
    }

    #[test]
    fn a_move_that_has_been_explained_says_why() {
        let mut home = home("Snuffle App", Metric::Visitors);
        explain(&mut home, "news.ycombinator.com");
        let html = render_moves(&home).into_string();
        assert!(
            html.contains(", mostly from <b><bdi>news.ycombinator.com</bdi></b>"),
            "{html}"
        );
    }

    #[test]
    fn markup_in_names_and_causes_is_text() {
        let odd = "<img src=x onerror=alert(1)>";
        let mut home = home(odd, Metric::Conversion(odd.to_owned()));
        explain(&mut home, odd);
        let html = render_moves(&home).into_string();
        assert!(!html.contains("<img"), "{html}");
    }

    #[test]
    fn nothing_is_said_of_projects_that_cannot_be_compared() {
        let html = render_moves(&Home::default()).into_string();
        assert_eq!(html, "<div id=\"moves\"></div>");
    }
}
