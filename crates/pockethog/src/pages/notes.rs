//! Notes on the chart: PostHog calls them annotations. The list below the chart, and the forms to add,
//! change and delete one.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};

use super::project::{ProjectPage, shortened};
use super::{icons, project_path};
use crate::format;

/// The longest text that PostHog takes, in characters.
pub const LONGEST: usize = 8192;

/// An annotation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// Its number at PostHog.
    pub id: u64,
    /// Its text.
    pub text: String,
    /// The instant it marks.
    pub at: Timestamp,
    /// Who wrote it, where that is known.
    pub author: Option<String>,
    /// True where it belongs to the whole organization.
    pub organization_wide: bool,
}

/// What may be done with notes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum NoteAccess {
    /// Read and write.
    #[default]
    Write,
    /// Read only: `annotation:write` was not granted.
    ReadOnly,
    /// Nothing: `annotation:read` was not granted.
    Missing,
    /// They could not be read this time: one sentence.
    Unread(String),
}

/// The form that is open when the page is delivered: after a link without script, or after a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoteDialog {
    /// The note that is changed; none where one is added.
    pub id: Option<u64>,
    /// The text as typed.
    pub text: String,
    /// `2026-11-05`.
    pub date: String,
    /// `14:30`.
    pub time: String,
    /// Why it was not saved: one sentence.
    pub error: Option<String>,
}

impl Note {
    /// `Thu 5 Nov · Marek`.
    pub fn when(&self, zone: &TimeZone) -> String {
        let day = format::weekday(self.at, zone);
        match &self.author {
            Some(author) => format!("{day} · {author}"),
            None => day,
        }
    }
}

impl NoteAccess {
    /// True where a note can be added.
    pub fn may_write(&self) -> bool {
        *self == Self::Write
    }
}

/// The list below the chart.
pub(super) fn list(view: &ProjectPage) -> Markup {
    let address = |query: &str| {
        format!(
            "{}?range={}&{query}",
            project_path(&view.key),
            view.range.name()
        )
    };
    html! {
        div.notes #notes {
            @if !view.notes.is_empty() {
                ol {
                    @for (place, note) in view.notes.iter().enumerate() {
                        li {
                            span.pin aria-hidden="true" { (place + 1) }
                            span.note {
                                bdi { (shortened(&note.text)) }
                                @if note.organization_wide { " " span.badge title="For the whole organization" { "Org" } }
                            }
                            time.muted datetime=(note.at) title=(format::date_time(note.at, &view.zone)) { (format::day(note.at, &view.zone)) }
                            @if view.note_access.may_write() {
                                a.edit href=(address(&format!("note={}", note.id))) data-dialog={ "note-" (note.id) } aria-label={ "Edit note " (place + 1) } { "Edit" }
                            }
                        }
                    }
                }
            }
            @match &view.note_access {
                NoteAccess::Write => a.link.add href=(address("note=new")) data-dialog="add-note" { (icons::plus()) "Add note" },
                NoteAccess::ReadOnly => (missing(view, "Notes can be read but not written: the permission to write annotations was not given.")),
                NoteAccess::Missing => (missing(view, "Notes are not shown: the permission to read annotations was not given.")),
                NoteAccess::Unread(reason) => p.muted { (reason) },
            }
        }
    }
}

/// The forms. Without script, the one that is asked for by address is open.
pub(super) fn dialogs(view: &ProjectPage) -> Markup {
    if !view.note_access.may_write() {
        return html! {};
    }
    let draft = |id: Option<u64>| view.dialog.as_ref().filter(|dialog| dialog.id == id);
    html! {
        (dialog(view, None, draft(None)))
        @for note in &view.notes {
            (dialog(view, Some(note), draft(Some(note.id))))
        }
    }
}

fn dialog(view: &ProjectPage, note: Option<&Note>, draft: Option<&NoteDialog>) -> Markup {
    let project = project_path(&view.key);
    let id = note.map_or_else(|| "add-note".to_owned(), |note| format!("note-{}", note.id));
    let title = if note.is_some() {
        "Edit note"
    } else {
        "Add note"
    };
    let action = match note {
        Some(note) => format!("{project}/annotations/{}", note.id),
        None => format!("{project}/annotations"),
    };
    let filled = match (draft, note) {
        (Some(draft), _) => draft.clone(),
        (None, Some(note)) => NoteDialog {
            id: Some(note.id),
            text: note.text.clone(),
            date: format::date_value(note.at, &view.zone),
            time: format::hour(note.at, &view.zone),
            error: None,
        },
        (None, None) => NoteDialog {
            date: view
                .period
                .as_ref()
                .map(|period| format::date_value(period.measured_at, &view.zone))
                .unwrap_or_default(),
            time: "12:00".to_owned(),
            ..NoteDialog::default()
        },
    };
    html! {
        dialog.card #(id) open[draft.is_some()] aria-labelledby={ (id) "-title" } {
            form method="post" action=(action) {
                h2 id={ (id) "-title" } { (title) }
                @if let Some(error) = &filled.error { p.error role="alert" { (error) } }
                @if note.is_some_and(|note| note.organization_wide) {
                    p.muted { "This note is shown in every project of the organization, and stays there." }
                }
                input type="hidden" name="range" value=(view.range.name());
                label.field { span { "What happened?" }
                    textarea name="text" rows="3" maxlength=(LONGEST) required data-keep=(format!("{}/{id}", view.key)) { (filled.text) }
                }
                div.two {
                    label.field { span { "Date" } input type="date" name="date" value=(filled.date) required; }
                    label.field { span { "Time" } input type="time" name="time" value=(filled.time) required; }
                }
                p.muted { "In the project’s time zone, " (view.zone.iana_name().unwrap_or("UTC")) "." }
                div.actions {
                    @if let Some(note) = note {
                        button.button.danger type="submit" formnovalidate formaction={ (project) "/annotations/" (note.id) "/delete" } { "Delete" }
                    }
                    a.button href={ (project) "?range=" (view.range.name()) } data-close="" { "Cancel" }
                    button.button.primary type="submit" { (if note.is_some() { "Save" } else { "Add note" }) }
                }
            }
        }
    }
}

fn missing(view: &ProjectPage, text: &str) -> Markup {
    html! {
        div.missing {
            p.muted { (text) }
            form method="post" action={ "/connections/" (super::encoded(&view.connection)) "/sign-in" } {
                button.button.small type="submit" { "Give permission" }
            }
        }
    }
}
