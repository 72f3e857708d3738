//! The numbers of `pockethog overview` on a terminal, and as a table for other programs.

use jiff::Timestamp;

use crate::cli::cards;
use crate::cli::console::{Console, Style};
use crate::cli::table::{self, Cell, Column};
use pockethog_core::overview::{Change, Counts, Range, change_percent};
use pockethog_screens::{Card, Figures, Home};
use pockethog_views::charts::blocks;
use pockethog_views::format::{ago, arrow, grouped};
use pockethog_views::moved;

/// More projects than this are a table.
const MOST_CARDS: usize = 24;

/// What is to be printed.
pub(super) struct Printout<'a> {
    pub(super) home: &'a Home,
    pub(super) range: Option<Range>,
    /// Of which projects the total is if all of them are counted: `all projects`.
    pub(super) whose: String,
}

impl Printout<'_> {
    /// Prints cards or a table, whatever fits, or everything for another program.
    pub(super) fn print(&self, console: &Console) {
        let cards = self.home.cards.len();
        match console.columns() {
            _ if cards == 0 => {}
            None => self.print_separated(console),
            Some(columns) if cards <= MOST_CARDS => self.print_cards(console, columns),
            Some(_) => self.print_table(console),
        }
    }

    fn print_table(&self, console: &Console) {
        let now = self.home.now;
        let mut rows: Vec<Vec<Cell>> = self.home.cards.iter().map(|card| row(card, now)).collect();
        if self.home.cards.len() > 1 {
            let (whose, number, (style, beside)) = self.headline();
            rows.push(vec![
                Cell::styled(Style::Strong, format!("Total of {whose}")),
                Cell::styled(Style::Strong, number),
                Cell::styled(style, beside),
                Cell::new(""),
            ]);
        }
        let against = match self.range {
            None => "by now",
            Some(_) => "before",
        };
        let title = self.title();
        let columns = [
            Column::text("Project"),
            Column::number(&title),
            Column::number(against),
            Column::whole(""),
        ];
        table::print(console, &columns, &rows);
    }

    fn title(&self) -> String {
        format!("Visitors {}", self.range.map_or("today", Range::name))
    }

    /// For a file or another program: everything that is known, numbers without separators.
    fn print_separated(&self, console: &Console) {
        let Home {
            now, cards, total, ..
        } = self.home;
        let total = &total.sum;
        let number = |number: Option<u64>| number.map_or_else(missing, |number| number.to_string());
        let figures = |counts: Option<(Counts, Counts)>| {
            let (now, before) = counts.unzip();
            let change =
                counts.and_then(|(now, before)| change_percent(now.visitors, before.visitors));
            [
                number(now.map(|now| now.visitors)),
                number(before.map(|before| before.visitors)),
                change.map_or_else(missing, |percent| format!("{percent:.1}")),
                number(now.map(|now| now.pageviews)),
                number(before.map(|before| before.pageviews)),
            ]
        };
        let time = |at: Option<Timestamp>| at.map_or_else(missing, |at| at.to_string());
        let mut rows: Vec<Vec<Cell>> = Vec::with_capacity(cards.len() + 1);
        for card in cards {
            let reason = card.trouble.as_ref().map(|trouble| trouble.reason.as_str());
            let known = card.figures();
            let mut row = vec![card.key.to_string(), card.name.clone()];
            row.extend(figures(known.map(|known| (known.now, known.before))));
            row.extend([
                number(known.and_then(|known| known.online)),
                time(known.map(|known| known.measured_at)),
                known.and_then(|known| age(known, *now)).unwrap_or_default(),
                reason.unwrap_or_default().to_owned(),
            ]);
            rows.push(row.iter().map(Cell::new).collect());
        }
        if cards.len() > 1 {
            let whose = total.partly().unwrap_or_else(|| self.whose.clone());
            let mut row = vec![String::new(), format!("Total of {whose}")];
            row.extend(figures(total.sums));
            row.extend([number(total.online), time(total.measured_at)]);
            row.extend([String::new(), String::new()]);
            rows.push(row.iter().map(Cell::new).collect());
        }
        let title = self.title();
        let before = match self.range {
            None => "Yesterday by now",
            Some(_) => "Before",
        };
        let titles = [
            "Key",
            "Project",
            &title,
            before,
            "Change %",
            "Pageviews",
            "Pageviews before",
            "Online",
            "Measured",
            "Age",
            "Trouble",
        ];
        table::print(console, &titles.map(Column::text), &rows);
    }

    fn print_cards(&self, console: &Console, columns: usize) {
        let home = self.home;
        if home.cards.len() > 1 {
            let (whose, number, beside) = self.headline();
            let head = cards::Card {
                title: format!("{} · {whose}", self.title()),
                number,
                beside,
                is_old: !home.any_fresh(),
                curve: Vec::new(),
            };
            let note = match self.range {
                _ if head.is_old => String::new(),
                None => format!("vs. {}", moved::total_change(home).1),
                Some(_) => "vs. the period before".to_owned(),
            };
            let last = home.total.sum.online.map_or_else(String::new, |online| {
                format!("● {} online", grouped(online))
            });
            cards::print_head(console, columns, &head, &note, &last);
        }
        let cards: Vec<cards::Card> = home.cards.iter().map(|card| self.card(card)).collect();
        cards::print(console, columns, &cards);
    }

    fn card(&self, card: &Card) -> cards::Card {
        let title = card.name.clone();
        match card.figures() {
            None => cards::Card {
                title,
                number: missing(),
                beside: (Style::Faint, "no numbers".to_owned()),
                is_old: false,
                curve: Vec::new(),
            },
            Some(figures) => cards::Card {
                title,
                number: grouped(figures.now.visitors),
                beside: beside(figures, self.home.now),
                is_old: figures.stale.is_some(),
                curve: figures.curve.clone(),
            },
        }
    }

    /// Of which projects the total is, its number, and its change or its age. A dash if nothing is known.
    fn headline(&self) -> (String, String, (Style, String)) {
        let total = &self.home.total.sum;
        let whose = total.partly().unwrap_or_else(|| self.whose.clone());
        let Some((now, _)) = total.sums else {
            return (whose, missing(), (Style::Faint, "no numbers".to_owned()));
        };
        let beside = match total.measured_at {
            Some(oldest) if !self.home.any_fresh() => (Style::Faint, ago(oldest, self.home.now)),
            _ if self.range.is_none() => changed(moved::total_change(self.home).0),
            _ => changed(total.change().unwrap_or(Change::NONE)),
        };
        (whose, grouped(now.visitors), beside)
    }
}

/// A number that is not known is no zero.
fn missing() -> String {
    "–".to_owned()
}

fn row(card: &Card, now: Timestamp) -> Vec<Cell> {
    let name = &card.name;
    let Some(figures) = card.figures() else {
        return vec![
            Cell::styled(Style::Strong, name),
            Cell::styled(Style::Faint, "–"),
            Cell::styled(Style::Faint, "–"),
            Cell::styled(Style::Faint, "no numbers"),
        ];
    };
    let (style, beside) = beside(figures, now);
    let curve = &figures.curve;
    let skip = curve.len().saturating_sub(30);
    let curve = blocks(curve.iter().skip(skip).copied());
    let number = grouped(figures.now.visitors);
    let (number, curve) = match figures.stale {
        Some(_) => (
            Cell::styled(Style::Faint, number),
            Cell::styled(Style::Faint, curve),
        ),
        None => (Cell::new(number), Cell::styled(Style::Accent, curve)),
    };
    vec![
        Cell::styled(Style::Strong, name),
        number,
        Cell::styled(style, beside),
        curve,
    ]
}

/// How old numbers are that are not of now.
fn age(figures: &Figures, now: Timestamp) -> Option<String> {
    figures.stale.map(|_| ago(figures.measured_at, now))
}

/// The change, or the age of numbers that are old.
fn beside(figures: &Figures, now: Timestamp) -> (Style, String) {
    match age(figures, now) {
        Some(age) => (Style::Faint, age),
        None => changed(figures.change()),
    }
}

fn changed(change: Change) -> (Style, String) {
    let style = match change.tone() {
        1 => Style::Good,
        -1 => Style::Bad,
        _ => Style::Faint,
    };
    (style, arrow(change))
}

/// Says, on standard error, that the days of a project are PostHog's and not ours, if they are.
pub(super) fn remark_on_zone(console: &Console, card: &Card, zone: &str) {
    let shown = card
        .figures()
        .and_then(|figures| figures.unknown_zone.as_ref());
    if let Some(shown) = shown {
        console.say(format!(
            "{}: this version of PocketHog does not know the time zone {zone} as PostHog does. Days begin when \
             PostHog says, and times are shown in {shown}.",
            card.name
        ));
    }
}
