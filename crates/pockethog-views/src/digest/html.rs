//! The digest as one page of HTML that a mail program shows as a browser does: no script, nothing from outside.
//!
//! Mail programs drop what they do not know, so the light colours are attributes of each element, and the dark ones
//! follow in a style sheet for those that keep it.

use maud::{DOCTYPE, Markup, html};
use pockethog_core::discovery::Failure;
use pockethog_core::moves::{Direction, Kind};
use pockethog_screens::{Digest, DigestMove, DigestProject, Figure};

use super::{
    beside, days, figures, lists, moved_on, mover, own_days, remark, summary, total, unread,
};
use crate::format::grouped;
use crate::moved;
use crate::pages::moves::sentence;
use crate::plain::plain;
use crate::sentence::capitalised;

const STYLE: &str = "\
body { -webkit-text-size-adjust: 100%; }
td, th { vertical-align: baseline; }
a { color: inherit; }
@media (prefers-color-scheme: dark) {
body, .page { background: #17171a !important; color: #f1f1f3 !important; }
.card { background: #222226 !important; border-color: #3a3a40 !important; }
.muted { color: #b0b0b9 !important; }
.good { color: #62d293 !important; }
.bad { color: #ff9389 !important; }
.warn { color: #f2b84b !important; }
}
@media print { .card { break-inside: avoid; } }
";

const PAGE: &str = "margin:0;padding:0;background:#f5f4f2;color:#1c1c1f;\
                    font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,Helvetica,Arial,sans-serif;";
const COLUMN: &str = "max-width:640px;margin:0 auto;padding:24px 16px;overflow-wrap:anywhere;";
const CARD: &str = "background:#ffffff;border:1px solid #dddbd6;border-radius:12px;padding:14px 18px;margin:0 0 14px;";
const H1: &str = "font-size:24px;line-height:1.25;margin:0 0 4px;";
const H2: &str = "font-size:18px;line-height:1.3;margin:0 0 6px;";
const H3: &str = "font-size:14px;margin:12px 0 2px;";
const LIST: &str = "list-style:none;margin:0;padding:0;";
const MUTED: &str = "color:#5b5b66;";
const TABLE: &str = "border-collapse:collapse;width:100%;";
const NAME: &str = "text-align:left;font-weight:400;padding:2px 12px 2px 0;";
const COUNT: &str = "text-align:right;font-weight:600;padding:2px 12px 2px 0;white-space:nowrap;font-variant-numeric:tabular-nums;";
const BESIDE: &str = "text-align:right;padding:2px 0;color:#5b5b66;white-space:nowrap;";

/// The digest as a page.
#[must_use]
pub fn html(digest: &Digest, failures: &[Failure]) -> String {
    let days = days(digest);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="supported-color-schemes" content="light dark";
                meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'";
                meta name="referrer" content="no-referrer";
                title { "PocketHog, " (days) }
                style { (maud::PreEscaped(STYLE)) }
            }
            body style=(PAGE) {
                main.page style=(COLUMN) {
                    h1 style=(H1) { (capitalised(&days)) }
                    p style="margin:0 0 18px;" { (sentence(&total(digest))) }
                    (moves(digest))
                    @for project in &digest.projects { (card(digest, project)) }
                    (not_read(failures))
                    p.muted style=(MUTED) { "Made by PocketHog, an independent client of PostHog. The numbers are those of the closed days of each project, in its own time zone." }
                }
            }
        }
    };
    page.into_string() + "\n"
}

fn moves(digest: &Digest) -> Markup {
    let line = |one: &DigestMove| -> Markup {
        let Some(project) = mover(digest, one) else {
            return html! {};
        };
        let kind = one.closed.moved.kind;
        let (class, colour) = match kind {
            Kind::Spike => ("good", "color:#19703f;"),
            Kind::Drop => ("bad", "color:#b3261e;"),
            Kind::Silent => ("warn", "color:#8a5300;"),
            Kind::BackToUsual => ("muted", MUTED),
        };
        html! {
            li style="margin:0 0 10px;" {
                b { bdi { (plain(&project.name)) } } " "
                span class=(class) style={ "font-weight:600;" (colour) } { (moved::label(kind)) }
                br;
                (sentence(&moved_on(digest, project, one)))
            }
        }
    };
    let said = summary(digest);
    html! {
        @if !digest.moves.is_empty() || said.is_some() {
            section.card style=(CARD) {
                h2 style=(H2) { "What moved" }
                @if !digest.moves.is_empty() { ul style=(LIST) { @for one in &digest.moves { (line(one)) } } }
                @if let Some(said) = said { p.muted style={ "margin:0;" (MUTED) } { (said) } }
            }
        }
    }
}

fn card(digest: &Digest, project: &DigestProject) -> Markup {
    html! {
        section.card style=(CARD) {
            h2 style=(H2) { bdi { (plain(&project.name)) } }
            @if let Some(days) = own_days(digest, project) { p.muted style={ "margin:0;" (MUTED) } { (days) } }
            @if let Some(remark) = remark(digest, project) { p.warn style="margin:0;color:#8a5300;" { (remark) } }
            @let figures = figures(project);
            @if !figures.is_empty() {
                table style=(TABLE) {
                    tbody { @for (name, figure) in &figures { (row(digest, name, figure)) } }
                }
            }
            @for (title, rows) in lists(project) {
                h3 style=(H3) { (title) }
                table style=(TABLE) {
                    tbody {
                        @for (label, count) in &rows {
                            tr {
                                th scope="row" style=(NAME) { bdi { (label) } }
                                td style={ (COUNT) "padding-right:0;" } { (count) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn row(digest: &Digest, name: &str, figure: &Figure) -> Markup {
    let (class, colour) = match figure.outside {
        Some(Direction::Up) => (Some("good"), "color:#19703f;"),
        Some(Direction::Down) => (Some("bad"), "color:#b3261e;"),
        None => (None, ""),
    };
    html! {
        tr {
            th scope="row" style=(NAME) { bdi { (name) } }
            td class=[class] style={ (COUNT) (colour) } { (grouped(figure.count)) }
            td.muted style=(BESIDE) { (beside(figure, digest.span)) }
        }
    }
}

fn not_read(failures: &[Failure]) -> Markup {
    html! {
        @if !failures.is_empty() {
            section.card style=(CARD) {
                h2 style=(H2) { "Not read" }
                ul style=(LIST) { @for failure in failures { li { (sentence(&unread(failure))) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::samples;
    use super::*;

    #[test]
    fn a_day_as_html() {
        insta::assert_snapshot!(html(&samples::day(), &samples::failures()));
    }

    #[test]
    fn a_page_asks_for_nothing_and_runs_nothing() {
        for digest in [samples::day(), samples::week(), samples::hostile()] {
            let page = html(&digest, &samples::failures());
            for word in [
                "<script", "<img", "<link", "src=", "href=", "url(", "@import",
            ] {
                assert!(!page.contains(word), "{word} in {page}");
            }
        }
    }

    #[test]
    fn what_others_wrote_is_text() {
        let page = html(&samples::hostile(), &[]);
        assert!(page.contains("&lt;script&gt;"), "{page}");
        assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'));
    }
}
