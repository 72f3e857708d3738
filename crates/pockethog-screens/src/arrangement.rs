//! Which cards are shown, and in what order.

use std::cmp::Reverse;

use super::card::{Card, Numbers};

/// How a person wants to see the cards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrangement {
    /// The order. If none is asked for, it is the person's own if there is one, or else by visitors.
    pub sort: Option<Sort>,
    /// Only projects whose name or subtitle contains this.
    pub filter: String,
    /// Which page of cards, from 0. Past the end it is the last one.
    pub page: usize,
    /// Cards of a page; `None` for all of them.
    pub page_size: Option<usize>,
}

/// The cards that are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// How they are sorted; favourites come first in any case.
    pub sort: Sort,
    /// Only projects whose name or subtitle contains this.
    pub filter: String,
    /// Which page, from 0.
    pub page: usize,
    /// How many pages there are, at least one.
    pub pages: usize,
    /// How many cards match the filter, on all pages.
    pub found: usize,
    /// The cards of this page, by their places among all.
    pub places: Vec<usize>,
}

/// How cards are sorted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// Most visitors first.
    #[default]
    Visitors,
    /// What has moved first, then what is farthest from its usual.
    Unusual,
    /// Strongest growth first.
    Trend,
    /// By name.
    Name,
    /// As the person arranged them.
    Own,
}

impl Sort {
    /// All of them, as they are offered.
    pub const ALL: [Self; 5] = [
        Self::Visitors,
        Self::Unusual,
        Self::Trend,
        Self::Name,
        Self::Own,
    ];

    /// A stable name, as addresses have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Visitors => "visitors",
            Self::Unusual => "unusual",
            Self::Trend => "trend",
            Self::Name => "name",
            Self::Own => "own",
        }
    }

    /// The sort called `name`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|sort| sort.name() == name)
    }
}

impl Shown {
    /// What is shown of `cards`, which are in the person's own order.
    pub(super) fn of(cards: &[Card], arrangement: &Arrangement, has_own_order: bool) -> Self {
        let usual = if has_own_order {
            Sort::Own
        } else {
            Sort::Visitors
        };
        let sort = arrangement.sort.unwrap_or(usual);
        let filter = arrangement.filter.trim();
        let mut found = matching(cards, filter);
        match sort {
            Sort::Visitors => found.sort_by_key(|(_, card)| Reverse(visitors(card))),
            Sort::Unusual => {
                found.sort_by(|(_, one), (_, other)| surprise(other).total_cmp(&surprise(one)));
            }
            Sort::Trend => {
                found.sort_by(|(_, one), (_, other)| trend(other).total_cmp(&trend(one)));
            }
            Sort::Name => found.sort_by_cached_key(|(_, card)| card.name.to_lowercase()),
            Sort::Own => {}
        }
        found.sort_by_key(|(_, card)| !card.favourite);
        let size = arrangement.page_size.unwrap_or(found.len()).max(1);
        let pages = found.len().div_ceil(size).max(1);
        let page = arrangement.page.min(pages - 1);
        let places = found.iter().map(|(place, _)| *place);
        Self {
            sort,
            filter: filter.to_owned(),
            page,
            pages,
            found: found.len(),
            places: places.skip(page * size).take(size).collect(),
        }
    }
}

/// The cards that match a filter, with their places.
fn matching<'a>(cards: &'a [Card], filter: &str) -> Vec<(usize, &'a Card)> {
    let wanted = filter.to_lowercase();
    cards
        .iter()
        .enumerate()
        .filter(|(_, card)| {
            format!("{} {}", card.name, card.subtitle)
                .to_lowercase()
                .contains(&wanted)
        })
        .collect()
}

/// The visitors of a project that had any event, if they are known.
fn visitors(card: &Card) -> Option<u64> {
    match &card.numbers {
        Numbers::Known(figures) => Some(figures.now.visitors),
        _ => None,
    }
}

/// How far a project is from its usual; one of which that is unknown comes last.
fn surprise(card: &Card) -> f64 {
    match &card.numbers {
        Numbers::Known(figures) => figures.surprise(),
        _ => f64::MIN,
    }
}

/// Growth: a project that is new comes first, and one whose growth is unknown last.
fn trend(card: &Card) -> f64 {
    match &card.numbers {
        Numbers::Known(figures) => {
            let change = figures.change();
            let new = if change.is_new() { f64::MAX } else { -1e6 };
            change.percent().unwrap_or(new)
        }
        _ => f64::MIN,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples;

    fn names(cards: &[Card], arrangement: &Arrangement) -> Vec<String> {
        let shown = Shown::of(cards, arrangement, false);
        let places = shown.places.into_iter();
        places.map(|place| cards[place].name.clone()).collect()
    }

    fn card(name: &str, visitors: u64, before: u64) -> Card {
        samples::card(1, name, visitors, before)
    }

    #[test]
    fn favourites_come_first_whatever_the_sort() {
        let mut cards = [card("b", 10, 10), card("c", 5, 1), card("a", 1, 1)];
        cards[2].favourite = true;
        let sorted = |sort| {
            let arrangement = Arrangement {
                sort: Some(sort),
                ..Arrangement::default()
            };
            names(&cards, &arrangement).concat()
        };
        assert_eq!(sorted(Sort::Visitors), "abc");
        assert_eq!(sorted(Sort::Trend), "acb");
        assert_eq!(sorted(Sort::Name), "abc");
        assert_eq!(sorted(Sort::Own), "abc");
    }

    #[test]
    fn what_is_new_grew_most_and_what_is_unknown_comes_last() {
        let mut cards = [
            card("gone", 0, 0),
            card("loading", 9, 1),
            card("grown", 9, 3),
            card("new", 1, 0),
        ];
        cards[1].numbers = Numbers::Loading;
        let arrangement = Arrangement {
            sort: Some(Sort::Trend),
            ..Arrangement::default()
        };
        assert_eq!(
            names(&cards, &arrangement),
            ["new", "grown", "gone", "loading"]
        );
    }

    #[test]
    fn without_a_choice_the_persons_own_order_is_used_if_there_is_one() {
        let cards = [card("few", 1, 1), card("many", 9, 9)];
        let shown = |has_own_order| Shown::of(&cards, &Arrangement::default(), has_own_order);
        assert_eq!(shown(false).places, [1, 0]);
        assert_eq!(shown(false).sort, Sort::Visitors);
        assert_eq!(shown(true).places, [0, 1]);
        assert_eq!(shown(true).sort, Sort::Own);
    }

    #[test]
    fn a_filter_ignores_case_and_looks_at_the_website_too() {
        let cards = [card("Acorn", 1, 1), card("Burrow", 1, 1)];
        let arrangement = Arrangement {
            filter: " BURROW.ex ".to_owned(),
            ..Arrangement::default()
        };
        assert_eq!(names(&cards, &arrangement), ["Burrow"]);
    }

    #[test]
    fn a_page_past_the_end_is_the_last_one() {
        let cards: Vec<Card> = (0..500).map(|id| samples::card(id, "p", id, 1)).collect();
        let arrangement = Arrangement {
            page: 99,
            page_size: Some(120),
            ..Arrangement::default()
        };
        let shown = Shown::of(&cards, &arrangement, false);
        assert_eq!((shown.page, shown.pages, shown.found), (4, 5, 500));
        assert_eq!(shown.places, (0..20).rev().collect::<Vec<_>>());
        let none = Shown::of(&[], &arrangement, false);
        assert_eq!((none.page, none.pages, none.found), (0, 1, 0));
    }
}
