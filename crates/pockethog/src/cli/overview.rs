//! `pockethog overview`.

mod print;

use std::collections::BTreeMap;

use clap::Args;
use serde::Serialize;
use serde_json::Value;
use sign_in_with_posthog::Connection;

use self::print::Printout;
use super::console::{CliError, Console, Exit};
use super::patience::Patience;
use super::projects::{print_failures, print_remedies};
use super::reading::{self, Known, Numbers, Reading, Wanted};
use pockethog_core::app_context::AppContext;
use pockethog_core::discovery::Failure;
use pockethog_core::moves::ByNow;
use pockethog_core::overview::Range;
use pockethog_core::preferences::Preferences;
use pockethog_screens::Card;
use pockethog_views::format::counted;
use pockethog_views::moved;
use pockethog_views::report::{self, Entry};
use pockethog_views::wording;

/// Show the numbers of your projects.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog overview                     today, every project
  pockethog overview --range 30d Acorn   the last 30 days of one project
  pockethog overview --json | jq .total.visitors
PROJECT is a number, a name, part of a name, or a key like us/12.")]
pub struct Overview {
    /// The projects to show; all that are not hidden by default.
    #[arg(value_name = "PROJECT")]
    projects: Vec<String>,
    /// The last 24 hours, or 7, 30 or 90 days, compared with the period before; today by default.
    #[arg(long, value_name = "RANGE", value_parser = ["24h", "7d", "30d", "90d"])]
    range: Option<String>,
    #[command(flatten)]
    pub(super) patience: Patience,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Document<'a> {
    range: &'a str,
    total: Value,
    projects: Vec<Entry<'a>>,
    failures: &'a [Failure],
}

/// Reads fresh numbers and prints them; what could not be read is printed as it was last, with its age.
///
/// # Errors
///
/// Nobody is signed in, or there is no such project.
pub async fn run(
    program: &AppContext,
    console: &Console,
    overview: &Overview,
) -> Result<Exit, CliError> {
    let range = overview.range.as_deref().and_then(Range::from_name);
    let reading = reading::read(
        program,
        console,
        Wanted {
            projects: &overview.projects,
            range,
            moves: false,
        },
    )
    .await?;
    let Reading {
        home,
        failures,
        connections,
        preferences,
        ..
    } = &reading;
    let known = reading.known();
    if console.is_json() {
        let mut total = report::total(&home.total.sum);
        if range.is_none() {
            let usual = home.total.usual.map(|total| ByNow {
                count: total.count,
                usual: total.usual,
                basis: total.basis,
            });
            total["usual"] = usual.map_or(Value::Null, moved::usual_document);
        }
        console.document(&Document {
            range: range.map_or("today", Range::name),
            total,
            projects: home
                .cards
                .iter()
                .filter_map(|card| Some(known.get(&card.key)?.entry(card, preferences)))
                .collect(),
            failures,
        });
    } else {
        if home.cards.is_empty() && connections.iter().any(Connection::is_active) {
            console.say("No project was granted.");
        }
        let printout = Printout {
            home,
            range,
            whose: match overview.projects.as_slice() {
                [_, ..] => counted(home.cards.len(), "project", "projects"),
                [] => "all projects".to_owned(),
            },
        };
        printout.print(console);
        for card in &home.cards {
            if let Some(known) = known.get(&card.key) {
                print::remark_on_zone(console, card, &known.project.time_zone);
            }
        }
        let shown = home.cards.iter().filter_map(|card| known.get(&card.key));
        say_what_is_left_out(console, shown.filter_map(|known| left_out(known)));
        print_failures(console, failures);
        print_remedies(console, connections);
    }
    Ok(Exit::after(failures, home.any_fresh()))
}

/// Says how many of the numbers leave something out.
fn say_what_is_left_out(console: &Console, words: impl Iterator<Item = &'static str>) {
    let mut said: BTreeMap<&str, usize> = BTreeMap::new();
    for words in words {
        *said.entry(words).or_default() += 1;
    }
    for (words, count) in said {
        let whose = counted(count, "project", "projects");
        console.say(format!("Numbers of {whose} are {words}."));
    }
}

/// Whose events its numbers leave out.
fn left_out(known: &Known) -> Option<&'static str> {
    match known.numbers.as_ref()? {
        Numbers::Today(today) => wording::left_out(today.asked.left_out, today.lacks_bots),
        Numbers::Period(period) => wording::left_out(period.left_out, period.lacks_bots),
    }
}

impl Known {
    fn entry<'a>(&'a self, card: &'a Card, preferences: &'a Preferences) -> Entry<'a> {
        let (project, trouble) = (&self.project, card.trouble.as_ref());
        let entry = match &self.numbers {
            Some(Numbers::Period(period)) => {
                Entry::period(project, preferences, Some(period), trouble)
            }
            Some(Numbers::Today(today)) => Entry::today(project, preferences, Some(today), trouble),
            None => Entry::today(project, preferences, None, trouble),
        };
        let entry = entry.stale(card.figures().is_some() && !card.is_fresh());
        if let Some(Numbers::Period(_)) = &self.numbers {
            return entry;
        }
        let figures = card.figures();
        let usual = figures.and_then(|figures| figures.usual);
        entry.judged(usual, figures.and_then(|figures| figures.moved.as_ref()))
    }
}
