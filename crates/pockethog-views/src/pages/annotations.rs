//! Annotations on the chart. The list below the chart, and the forms to add,
//! change and delete one.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use maud::{Markup, html};
use posthog_api::annotations::LONGEST_CONTENT;

use super::{encoded, icons, project_path};
use crate::format;
use crate::wording;
use pockethog_core::annotations::Annotation;
use pockethog_core::overview::Range;
use pockethog_core::project::ProjectKey;
use pockethog_core::snapshot::Trouble;
use pockethog_screens::{AnnotationAccess, Remedy};

/// The annotation that was just saved: the browser need not keep its text any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SavedAnnotation {
    /// One that was added. Its form had no number yet.
    Added,
    /// The annotation with this number, which was changed.
    Changed(u64),
}

impl SavedAnnotation {
    fn id(self) -> Option<u64> {
        match self {
            Self::Added => None,
            Self::Changed(id) => Some(id),
        }
    }
}

/// What the list of annotations and its forms are drawn from.
#[derive(Clone, Copy, Debug)]
pub(super) struct AnnotationPanel<'a> {
    /// Whose annotations.
    pub(super) key: &'a ProjectKey,
    /// The range of the page, which stays the same when a form is sent.
    pub(super) range: Range,
    /// The project's time zone.
    pub(super) zone: &'a TimeZone,
    /// When the page is made.
    pub(super) now: Timestamp,
    /// Annotations of the range, oldest first.
    pub(super) annotations: &'a [Annotation],
    /// What may be done with them.
    pub(super) access: AnnotationAccess,
    /// How a permission that is missing can be given.
    pub(super) remedy: Remedy,
    /// The Connection that reads them, as addresses name it.
    pub(super) connection: &'a str,
    /// Why they are not fresh.
    pub(super) trouble: Option<&'a Trouble>,
    /// The form that is open.
    pub(super) dialog: Option<&'a AnnotationDialog>,
    /// The annotation that was just saved.
    pub(super) saved: Option<SavedAnnotation>,
}

/// The form that is open when the page is delivered: after a link without script, or after a refusal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AnnotationDialog {
    /// The annotation that is changed; none if one is added.
    pub id: Option<u64>,
    /// The version of the annotation that was read.
    pub version: String,
    /// The text as typed.
    pub text: String,
    /// `2026-11-05`.
    pub date: String,
    /// `14:30`.
    pub time: String,
    /// Why it was not saved: one sentence.
    pub error: Option<String>,
    /// The annotation as somebody else has changed it in the meantime.
    pub theirs: Option<Annotation>,
}

impl AnnotationDialog {
    /// The form to change an annotation.
    pub fn of(annotation: &Annotation, zone: &TimeZone) -> Self {
        let (date, time) = annotation.day_and_time(zone);
        Self {
            id: Some(annotation.id),
            version: annotation.version.clone(),
            text: annotation.text.clone(),
            date,
            time,
            ..Self::default()
        }
    }

    /// What the script keeps a text under that is being written.
    fn kept_as(&self, view: &AnnotationPanel<'_>) -> String {
        kept_as(view, self.id)
    }
}

/// `Thu 5 Nov · Marek`.
pub(super) fn when(annotation: &Annotation, zone: &TimeZone) -> String {
    let day = format::weekday(annotation.at, zone);
    match &annotation.author {
        Some(author) => format!("{day} · {author}"),
        None => day,
    }
}

/// The list below the chart.
pub(super) fn list(view: &AnnotationPanel<'_>) -> Markup {
    let address = |query: &str| {
        format!(
            "{}?range={}&{query}",
            project_path(view.key),
            view.range.name()
        )
    };
    let any_organization_wide = view
        .annotations
        .iter()
        .any(|annotation| annotation.organization_wide);
    html! {
        div.notes #notes {
            @if !view.annotations.is_empty() {
                ol {
                    @for (place, annotation) in view.annotations.iter().enumerate() {
                        li {
                            span.pin aria-hidden="true" { (place + 1) }
                            span.note {
                                (text(annotation))
                                @if annotation.organization_wide { " " span.badge title="For the whole organization" { "Org" } }
                            }
                            time.muted datetime=(annotation.at) title=(format::date_time(annotation.at, view.zone)) { (format::day(annotation.at, view.zone)) }
                            @if view.access.may_write() && !annotation.organization_wide {
                                a.edit href=(address(&format!("note={}", annotation.id))) data-dialog={ "note-" (annotation.id) } aria-label={ "Edit annotation " (place + 1) } { "Edit" }
                            }
                        }
                    }
                }
            }
            @match view.access {
                AnnotationAccess::Write => a.link.add href=(address("note=new")) data-dialog="add-note" { (icons::plus()) "Add annotation" },
                AnnotationAccess::ReadOnly => (missing(view, "Annotations can be read but not written, because the permission annotation:write was not granted.")),
                AnnotationAccess::Missing => (missing(view, "Annotations are not shown, because the permission annotation:read was not granted.")),
            }
            @if view.access.may_write() && any_organization_wide {
                p.muted.aside { "Annotations marked Org belong to the whole organization and can only be changed in PostHog." }
            }
            @if let Some(trouble) = view.trouble { p.muted.aside { (wording::project::annotation_trouble(trouble)) } }
        }
    }
}

/// The first line; the rest unfolds.
fn text(annotation: &Annotation) -> Markup {
    let short = shortened(&annotation.text);
    html! {
        @if short == annotation.text { bdi { (short) } }
        @else { details { summary { bdi { (short) } } p.whole { bdi { (annotation.text) } } } }
    }
}

/// The forms. Without script, the one that is asked for by address is open.
pub(super) fn dialogs(view: &AnnotationPanel<'_>) -> Markup {
    if !view.access.may_write() {
        return html! {};
    }
    let open = view.dialog;
    let is_open = |id: Option<u64>| open.is_some_and(|dialog| dialog.id == id);
    let new = AnnotationDialog {
        date: format::date_value(view.now, view.zone),
        time: "12:00".to_owned(),
        ..AnnotationDialog::default()
    };
    html! {
        @if let Some(saved) = view.saved { span hidden data-saved=(kept_as(view, saved.id())) {} }
        @if let Some(open) = open { (dialog(view, open, true)) }
        @if !is_open(None) { (dialog(view, &new, false)) }
        @for annotation in view.annotations.iter().filter(|annotation| !annotation.organization_wide && !is_open(Some(annotation.id))) {
            (dialog(view, &AnnotationDialog::of(annotation, view.zone), false))
        }
    }
}

fn dialog(view: &AnnotationPanel<'_>, form: &AnnotationDialog, open: bool) -> Markup {
    let project = project_path(view.key);
    let element = element(form.id);
    let action = match form.id {
        Some(id) => format!("{project}/annotations/{id}"),
        None => format!("{project}/annotations"),
    };
    let (title, save) = match (form.id, &form.theirs) {
        (None, _) => ("Add annotation", "Add annotation"),
        (Some(_), None) => ("Edit annotation", "Save"),
        (Some(_), Some(_)) => ("Edit annotation", "Save mine"),
    };
    html! {
        dialog.card #(element) open[open] aria-labelledby={ (element) "-title" } {
            form method="post" action=(action) {
                h2 id={ (element) "-title" } { (title) }
                @if let Some(error) = &form.error { p.error role="alert" { (error) } }
                @if let Some(theirs) = &form.theirs {
                    figure.theirs {
                        figcaption.muted { "In PostHog now, " (format::date_time(theirs.at, view.zone)) }
                        blockquote { bdi { (theirs.text) } }
                    }
                }
                input type="hidden" name="range" value=(view.range.name());
                input type="hidden" name="version" value=(form.version);
                label.field { span { (if form.theirs.is_some() { "Your text" } else { "What happened?" }) }
                    textarea name="text" rows="3" maxlength=(LONGEST_CONTENT) required dir="auto" data-keep=(form.kept_as(view)) { "\n" (form.text) }
                }
                div.two {
                    label.field { span { "Date" } input type="date" name="date" value=(form.date) required; }
                    label.field { span { "Time" } input type="time" name="time" value=(form.time) required; }
                }
                p.muted { "In the project’s time zone, " (view.zone.iana_name().unwrap_or("UTC")) "." }
                div.actions {
                    @if let Some(id) = form.id {
                        button.button.danger type="submit" formnovalidate formaction={ (project) "/annotations/" (id) "/delete" } { "Delete" }
                    }
                    a.button href={ (project) "?range=" (view.range.name()) } data-close="" { (if form.theirs.is_some() { "Keep theirs" } else { "Cancel" }) }
                    button.button.primary type="submit" { (save) }
                }
            }
        }
    }
}

/// The first line, at most 80 characters.
pub(super) fn shortened(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    if line.chars().count() <= 80 {
        return line.to_owned();
    }
    let mut short: String = line.chars().take(79).collect();
    short.push('…');
    short
}

fn element(id: Option<u64>) -> String {
    id.map_or_else(|| "add-note".to_owned(), |id| format!("note-{id}"))
}

fn kept_as(view: &AnnotationPanel<'_>, id: Option<u64>) -> String {
    format!("{}/{}", view.key, element(id))
}

/// Says what is missing, and leads to where it can be given.
pub(super) fn missing(view: &AnnotationPanel<'_>, text: &str) -> Markup {
    html! {
        div.missing {
            p.muted { (text) }
            @match view.remedy {
                Remedy::SignIn => form method="post" action={ "/connections/" (encoded(view.connection)) "/sign-in" } {
                    button.button.small type="submit" { "Give permission" }
                },
                Remedy::NewKey => a.button.small href="/api-key" { "Enter a key that has this permission" },
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_annotation_is_shortened_by_characters() {
        assert_eq!(shortened("Launch\nwith details"), "Launch");
        assert_eq!(shortened(&"ü".repeat(200)).chars().count(), 80);
    }
}
