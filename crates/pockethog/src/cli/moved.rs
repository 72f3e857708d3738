//! `pockethog moved`.

use clap::Args;
use serde_json::{Value, json};

use super::console::{CliError, Console, Exit, Style, Text};
use super::patience::Patience;
use super::projects::{print_failures, print_remedies};
use super::reading::{self, Reading, Wanted};
use pockethog_core::app_context::AppContext;
use pockethog_core::moves::{Direction, Kind, Listed};
use pockethog_core::overview::time_zone;
use pockethog_screens::{Card, Home};
use pockethog_views::format::{counted, grouped};
use pockethog_views::moved::{self, Piece, Sentence};

/// List the projects that have left their usual range, and why.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  pockethog moved
  pockethog moved Acorn us/12
  pockethog moved --json | jq -r '.moved[] | .name + \": \" + .sentence'
What a project is compared with is the preference `compare`, how readily it counts as moved is `sensitivity`.")]
pub struct Moved {
    /// The projects to look at; all that are not hidden by default.
    #[arg(value_name = "PROJECT")]
    projects: Vec<String>,
    #[command(flatten)]
    pub(super) patience: Patience,
}

/// Reads fresh numbers, the closed days that are due and what made projects move, and lists what has moved.
///
/// # Errors
///
/// Nobody is signed in, or there is no such project.
pub async fn run(program: &AppContext, console: &Console, moved: &Moved) -> Result<Exit, CliError> {
    let wanted = Wanted {
        projects: &moved.projects,
        range: None,
        moves: true,
    };
    let reading = reading::read(program, console, wanted).await?;
    let Reading {
        home,
        failures,
        connections,
        ..
    } = &reading;
    if console.is_json() {
        let listed = home.moves.listed.iter();
        let moved: Vec<Value> = listed.filter_map(|listed| entry(home, listed)).collect();
        console.document(&json!({
            "moved": moved,
            "together": home.moves.together.map(|together| json!({
                "direction": match together.direction {
                    Direction::Up => "up",
                    Direction::Down => "down",
                },
                "moved": together.moved,
                "of": together.of,
            })),
            "as_usual": home.moves.ordinary,
            "unknown": home.moves.unknown,
            "failures": failures,
        }));
    } else {
        print(console, home);
        print_failures(console, failures);
        print_remedies(console, connections);
    }
    Ok(Exit::after(failures, home.any_fresh()))
}

/// A move in JSON; docs/cli.md documents the fields.
fn entry(home: &Home, listed: &Listed) -> Option<Value> {
    let card = card(home, listed)?;
    let mut entry = moved::document(&listed.moved);
    entry["host"] = json!(card.key.host);
    entry["id"] = json!(card.key.id);
    entry["key"] = json!(card.key.to_string());
    entry["name"] = json!(card.name);
    entry["causes"] = listed
        .explanation
        .as_ref()
        .map_or(Value::Null, moved::causes);
    entry["sentence"] = json!(sentence(home, card, listed).text());
    let note = home.notes.get(&card.key);
    entry["note"] = json!(note.and_then(|note| note.near.as_ref()));
    Some(entry)
}

fn print(console: &Console, home: &Home) {
    let moves = &home.moves;
    let of = counted(home.cards.len(), "project", "projects");
    let against = moved::compared_with(home);
    match (&against, moves.listed.len()) {
        (Some(against), 0) => console.line(format!("Nothing has moved, compared with {against}.")),
        (Some(against), some) => {
            let have = if some == 1 { "has" } else { "have" };
            console.line(format!(
                "{} of {of} {have} moved, compared with {against}.",
                grouped(some as u64)
            ));
        }
        (None, _) => {}
    }
    if let Some(together) = moves.together {
        console.line(moved::together(together));
    }
    for listed in &moves.listed {
        let Some(card) = card(home, listed) else {
            continue;
        };
        let style = match listed.moved.kind {
            Kind::Spike => Style::Good,
            Kind::Drop => Style::Bad,
            Kind::Silent => Style::Accent,
            Kind::BackToUsual => Style::Faint,
        };
        console.line("");
        let head = Text::styled(style, moved::label(listed.moved.kind))
            .and("  ")
            .and(Text::styled(Style::Strong, &card.name))
            .and("  ")
            .and(grouped(listed.moved.count))
            .and("  ")
            .and(Text::styled(
                Style::Faint,
                moved::beside(&listed.moved, home.now),
            ));
        console.line(head);
        console.hanging(styled(&sentence(home, card, listed)), 0);
        let note = home.notes.get(&card.key);
        if let Some(near) = note.and_then(|note| note.near.as_ref()) {
            console.hanging(styled(&moved::near_note(near)), 0);
        }
    }
    let others = moved::others(moves.listed.len(), moves.ordinary, moves.unknown);
    let is_said = moves.listed.is_empty() && moves.unknown == 0;
    if !(others.is_empty() || is_said) {
        console.line("");
        console.line(others);
    }
}

fn card<'a>(home: &'a Home, listed: &Listed) -> Option<&'a Card> {
    home.cards.iter().find(|card| card.key == listed.project)
}

fn sentence(home: &Home, card: &Card, listed: &Listed) -> Sentence {
    let figures = card.figures();
    let zone = figures.and_then(|figures| time_zone(&figures.time_zone));
    moved::sentence(
        &listed.moved,
        listed.explanation.as_ref(),
        &zone.unwrap_or(jiff::tz::TimeZone::UTC),
        home.now,
    )
}

/// A sentence in which what stands out does so, and nothing from outside steers the terminal.
fn styled(sentence: &Sentence) -> Text {
    let pieces = sentence.pieces.iter().map(|piece| match piece {
        Piece::Words(words) => Text::from(words.as_str()),
        Piece::Strong(text) => Text::styled(Style::Strong, text),
    });
    pieces.reduce(Text::and).unwrap_or_else(|| "".into())
}
