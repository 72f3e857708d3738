//! The card of a project.

use jiff::Timestamp;
use maud::{Markup, html};

use super::layout::avatar;
use super::{card_menu, element_id, icons, moves, project_path};
use crate::charts::sparkline;
use crate::colours;
use crate::format::{self, grouped};
use crate::moved;
use crate::wording;
use pockethog_core::moves::{Kind, Metric};
use pockethog_core::overview::Change;
use pockethog_core::project::ProjectKey;
use pockethog_screens::{Card, Figures, Numbers};

/// One card as it looks at `now`; the event stream replaces it as a whole. Its id is [`card_id`]. It has a menu that
/// leads back to the page `back`, if one is given.
pub fn render_card(card: &Card, now: Timestamp, back: Option<&str>) -> Markup {
    let id = card_id(&card.key);
    let text = format!("{} {}", card.name, card.subtitle).to_lowercase();
    html! {
        li.card.project.old[card.is_old()] #(id) data-scheme=[card.scheme.map(colours::name)] data-text=(text) {
            (avatar(&card.name))
            div.name {
                h3 {
                    a href=(project_path(&card.key)) title=(card.name) { bdi { (card.name) } }
                    @if card.favourite { span.fav title="Favourite" { (icons::star()) span.hidden-label { "Favourite" } } }
                }
                p.subtitle {
                    @if let Some(host) = &card.host { span.badge title=(host) { (host) } }
                    bdi title=(card.subtitle) { (card.subtitle) }
                }
            }
            @if let Some(back) = back { (card_menu::render(&card.key, &card.name, card.favourite, back)) }
            @match &card.numbers {
                Numbers::Loading => {
                    p.number { span.bone { "0,000" } span.hidden-label { "Loading" } }
                    p.change { span.bone { "00.0%" } }
                    div.spark.bone-chart aria-hidden="true" {}
                }
                Numbers::Empty(_) => {
                    p.message { "No events yet" }
                    svg.spark.flat aria-hidden="true" { line x1="0" x2="100%" y1="92%" y2="92%" {} }
                }
                Numbers::Unreadable(reason) => p.message.failed { (icons::warning()) span { (wording::home::unreadable(card, reason)) } },
                Numbers::Known(figures) => (known(card, figures, now)),
            }
        }
    }
}

fn known(card: &Card, figures: &Figures, now: Timestamp) -> Markup {
    let visitors = figures.now.visitors;
    html! {
        p.number.long[visitors >= 1_000_000] { span data-number=(visitors) { (grouped(visitors)) } span.hidden-label { " visitors today" } }
        p.change title=[against(figures)] {
            @match &figures.moved {
                // The change of visitors has its colour; whatever else has moved is named.
                Some(moved) if moved.kind == Kind::Silent || moved.metric != Metric::Visitors => (moves::kind_badge(moved.kind)),
                _ => {},
            }
            (change_badge(figures.change()))
        }
        (sparkline(&card_id(&card.key), &figures.curve, figures.today))
        @if figures.stale.is_some() || figures.unknown_zone.is_some() {
            p.stale {
                (icons::warning())
                span {
                    @if let Some(zone) = &figures.unknown_zone {
                        span title="This version of PocketHog does not know the project’s time zone. Days begin when PostHog says." { "Unknown time zone, days in " (zone) "." }
                        " "
                    }
                    @if let Some(stale) = figures.stale { (wording::home::stale(card, figures, stale, now)) }
                }
            }
        }
    }
}

/// What the change is compared with, and what is usual.
fn against(figures: &Figures) -> Option<String> {
    let today = figures.today?;
    Some(match figures.usual {
        Some(by_now) => format!(
            "vs. {}: {}",
            moved::against(by_now.basis, today),
            moved::usually(by_now.usual)
        ),
        None => "vs. yesterday by now".to_owned(),
    })
}

/// The element id of a project's card.
pub fn card_id(key: &ProjectKey) -> String {
    element_id("card", key)
}

/// A change with its direction, in words for those who hear it.
pub(super) fn change_badge(change: Change) -> Markup {
    let class = match change.tone() {
        1 => "delta good",
        -1 => "delta bad",
        _ => "delta",
    };
    html! {
        span class=(class) {
            @match change.direction() {
                1 => (icons::up()),
                -1 => (icons::down()),
                _ => {},
            }
            span aria-hidden="true" { (format::change(change)) }
            span.hidden-label { (format::spoken(change)) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pages::samples::card;

    #[test]
    fn an_unknown_zone_is_said_on_the_card() {
        let mut card = card(1, "Acorn", 5, 4);
        if let Numbers::Known(figures) = &mut card.numbers {
            figures.unknown_zone = Some("UTC+05:30".to_owned());
        }
        let html = render_card(&card, Timestamp::UNIX_EPOCH, None).into_string();
        assert!(
            html.contains("Unknown time zone, days in UTC+05:30."),
            "{html}"
        );
    }

    #[test]
    fn a_name_with_markup_is_text() {
        let card = card(1, "<img src=x onerror=alert(1)>", 1, 1);
        let html = render_card(&card, Timestamp::UNIX_EPOCH, Some("/")).into_string();
        assert!(!html.contains("<img"), "{html}");
    }
}
