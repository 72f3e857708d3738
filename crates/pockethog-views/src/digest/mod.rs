//! The digest: closed days of all projects on one page, to be mailed, read aloud or worked on.
//!
//! The four formats say the same in the same words, which are made here once. What others wrote is kept apart in the
//! [`Sentence`]s: each format cleans and escapes it in its own way.

mod html;
mod json;
mod markdown;
mod text;

#[cfg(test)]
mod samples;

use jiff::civil::Date;
use pockethog_core::digest::Span;
use pockethog_core::discovery::Failure;
use pockethog_core::moves::{Direction, Kind};
use pockethog_core::overview::Row;
use pockethog_screens::{Digest, DigestMove, DigestProject, Figure};

pub use html::html;
pub use json::json;
pub use markdown::markdown;
pub use text::text;

use crate::format::{ago, counted, grouped, hour};
use crate::moved::{self, Sentence};
use crate::plain::cut;
use crate::sentence;

/// Columns of what others wrote: a page's address can be as long as a visitor likes.
const WIDEST: usize = 80;

/// Pages and referrers that a format for people shows of each project.
const MOST: usize = 5;

/// `Tuesday 24 November 2026`, `16 – 22 November 2026`; in words if the projects have different days.
fn days(digest: &Digest) -> String {
    let mut all = digest.projects.iter().map(|one| (one.from, one.until));
    let first = all.next();
    let same = first.filter(|first| all.all(|other| other == *first));
    match (digest.span, same) {
        (Span::Day, Some((_, day))) => long(day),
        (Span::Week, Some((from, until))) => {
            format!(
                "{} – {}",
                from.strftime("%-d %B"),
                until.strftime("%-d %B %Y")
            )
        }
        (Span::Day, None) => "the last closed day of each project".to_owned(),
        (Span::Week, None) => "the last seven closed days of each project".to_owned(),
    }
}

/// The days of one project, if they are not those of all.
fn own_days(digest: &Digest, project: &DigestProject) -> Option<String> {
    let same = digest
        .projects
        .iter()
        .all(|other| (other.from, other.until) == (project.from, project.until));
    (!same).then(|| match digest.span {
        Span::Day => long(project.until),
        Span::Week => format!("{} – {}", short(project.from), short(project.until)),
    })
}

fn long(day: Date) -> String {
    day.strftime("%A %-d %B %Y").to_string()
}

fn short(day: Date) -> String {
    day.strftime("%a %-d %b").to_string()
}

/// `the day before`.
fn before(span: Span) -> &'static str {
    match span {
        Span::Day => "the day before",
        Span::Week => "the week before",
    }
}

/// All visitors in one sentence.
fn total(digest: &Digest) -> Sentence {
    let start = Sentence::default();
    let all = digest.projects.len();
    if digest.counted == 0 {
        return start.words("Nothing is known of these days.");
    }
    let projects = if digest.counted == all {
        counted(all, "project", "projects")
    } else {
        let of = counted(all, "project", "projects");
        format!("{} of {of}", grouped(digest.counted as u64))
    };
    let said = start
        .strong(grouped(digest.total.count))
        .words(format!(" visitors in {projects}"));
    match digest.total.before {
        Some(count) => said.words(format!("; {} {}.", grouped(count), before(digest.span))),
        None => said.words("."),
    }
}

/// How many projects have moved, and how many not.
fn summary(digest: &Digest) -> Option<String> {
    let mut moved: Vec<usize> = digest.moves.iter().map(|one| one.project).collect();
    moved.sort_unstable();
    moved.dedup();
    let said = moved::others(moved.len(), digest.ordinary, digest.unknown);
    (!said.is_empty()).then(|| match digest.span {
        Span::Day => said
            .replace(" is as usual.", " was as usual.")
            .replace(" are as usual.", " were as usual."),
        Span::Week => said
            .replace(" is as usual.", " was as usual on all days.")
            .replace(" are as usual.", " were as usual on all days."),
    })
}

/// How a project moved on a day: how much, since when, because of what.
fn moved_on(digest: &Digest, project: &DigestProject, one: &DigestMove) -> Sentence {
    let start = match digest.span {
        Span::Day => Sentence::default(),
        Span::Week => Sentence::default().words(format!("{}: ", short(one.date))),
    };
    let moved = &one.closed.moved;
    let since = hour(moved.since, &project.zone);
    let noun = match &moved.metric {
        pockethog_core::moves::Metric::Conversion(event) => Sentence::default()
            .words(" “")
            .strong(cut(event, WIDEST))
            .words("”"),
        other => Sentence::default().words(format!(" {}", moved::noun(other))),
    };
    if moved.kind == Kind::BackToUsual {
        let was = match one.closed.was {
            Some(Direction::Down) => "Below",
            _ => "Above",
        };
        let said = start
            .words(format!("{was} the usual range for a time"))
            .words(", back to usual at ")
            .strong(since)
            .words("; ")
            .strong(grouped(moved.count))
            .then(noun)
            .words(" in all");
        return noted(said.words("."), one);
    }
    let mut said = start.strong(grouped(moved.count)).then(noun);
    said = match moved.look.hours() {
        Some(1) => said.words(" in the last hour of the day"),
        Some(hours) => said.words(format!(" in the last {hours} hours of the day")),
        None => said,
    };
    if let Some(usual) = moved.usual {
        said = said.words(format!(", {}", moved::usually(usual)));
    }
    if moved.continues {
        said = said.words(", as on the day before");
    }
    if !moved.continues && moved.look.hours().is_none() {
        said = said.words(", since ").strong(since);
    }
    if let Some(explanation) = &one.explanation {
        said = said.then(moved::because(explanation, moved));
    }
    noted(said.words("."), one)
}

/// Names a note near it.
fn noted(said: Sentence, one: &DigestMove) -> Sentence {
    match &one.note {
        Some(note) => said.words(" ").then(moved::near_note(note)),
        None => said,
    }
}

/// `usually 150 – 190`, or `170 the day before`.
fn beside(figure: &Figure, span: Span) -> String {
    match (figure.usual, figure.before) {
        (Some(usual), _) => moved::usually(usual),
        (None, Some(count)) => format!("{} {}", grouped(count), before(span)),
        (None, None) => String::new(),
    }
}

/// The numbers of a project with their names: visitors, pageviews, then the conversions.
fn figures(project: &DigestProject) -> Vec<(String, Figure)> {
    let own = [
        ("Visitors", project.visitors),
        ("Pageviews", project.pageviews),
    ];
    let own = own
        .into_iter()
        .filter_map(|(name, figure)| Some((name.to_owned(), figure?)));
    let chosen = project.conversions.iter();
    own.chain(chosen.map(|(name, figure)| (cut(name, WIDEST), *figure)))
        .collect()
}

/// The lists of a project that have anything in them, with their titles.
fn lists(project: &DigestProject) -> Vec<(&'static str, Vec<(String, String)>)> {
    let lists = [
        ("Best pages", &project.pages),
        ("New referrers", &project.new_referrers),
    ];
    let row = |row: &Row| (cut(&row.label, WIDEST), grouped(row.visitors));
    lists
        .into_iter()
        .filter_map(|(title, list)| {
            let rows: Vec<_> = list.as_ref()?.iter().take(MOST).map(row).collect();
            (!rows.is_empty()).then_some((title, rows))
        })
        .collect()
}

/// What is to be known about the numbers of a project: that they are old, or not there.
fn remark(digest: &Digest, project: &DigestProject) -> Option<String> {
    if let Some(measured) = project.measured_at.filter(|_| project.is_old) {
        return Some(format!("Read {}.", ago(measured, digest.now)));
    }
    match (project.measured_at, project.visitors) {
        (None, None) => Some("No numbers of these days.".to_owned()),
        (None, Some(_)) => Some("Pages and referrers could not be read.".to_owned()),
        _ => None,
    }
}

/// What could not be read, as a line.
fn unread(failure: &Failure) -> Sentence {
    Sentence::default()
        .strong(cut(&failure.what, WIDEST))
        .words(": ")
        .strong(cut(&sentence::sentence(&failure.reason), 400))
}

/// The project that has moved.
fn mover<'a>(digest: &'a Digest, one: &DigestMove) -> Option<&'a DigestProject> {
    digest.projects.get(one.project)
}
