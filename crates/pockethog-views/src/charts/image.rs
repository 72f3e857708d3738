//! The image widget as one self-contained SVG, in three sizes.
//!
//! It is self-contained: concrete colours, no style sheet, no script, no reference to anything outside. Text
//! names Inter, which the PNG renderer embeds; a viewer without it takes its own sans-serif.

use maud::{Markup, PreEscaped, html};
use unicode_width::UnicodeWidthStr;

use super::curve::{short, smooth_path, smooth_path_with_end};
use crate::colours::{Colour, Palette, Shade};
use crate::format;
use pockethog_core::overview::Change;
use pockethog_core::preferences::Scheme;

/// Text is set in this family, or in what the viewer has.
const FAMILY: &str = "Inter, 'Inter V', ui-sans-serif, system-ui, sans-serif";

/// Projects that the large size shows below.
const ROWS: usize = 5;

/// Space around everything.
const PAD: f64 = 20.0;

/// How large an image is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// 200 × 200: name, number, change, curve.
    Small,
    /// 420 × 240: also the comparison, annotations and dates.
    #[default]
    Medium,
    /// 420 × 420: also more projects below.
    Large,
}

/// What an image shows.
#[derive(Clone, Debug, Default)]
pub struct WidgetImage {
    /// How large.
    pub size: Size,
    /// Colour scheme.
    pub scheme: Scheme,
    /// True for a dark ground.
    pub dark: bool,
    /// A project's name, or `All projects`.
    pub title: String,
    /// What the number counts: `visitors today`, `last 30 days`.
    pub caption: String,
    /// The number and its change, or one sentence if there is none: `Sign in again`.
    pub figure: Figure,
    /// What has to be said beside the figure: how old it is, or what a person can do about a message.
    pub remark: String,
    /// What the curve is, if the caption does not say it: `per hour, last 24 hours`.
    pub curve_title: String,
    /// The curve, oldest first.
    pub values: Vec<u64>,
    /// True if the last value is of a day that is not over: the way to it is dotted.
    pub running: bool,
    /// The dashed comparison, place by place; empty for none. The small size has no room for it.
    pub before: Vec<u64>,
    /// Annotations, from 0 at the first point to 1 at the last.
    pub annotations: Vec<f64>,
    /// Names of places below the curve.
    pub axis: Vec<(usize, String)>,
    /// More projects, with number and change; the large size shows the first five, and how many there are besides.
    pub rows: Vec<(String, String, Change)>,
}

/// The number, or why there is not one.
#[derive(Clone, Debug, PartialEq)]
pub enum Figure {
    /// A formatted number and its change.
    Number(String, Option<Change>),
    /// One short sentence.
    Message(String),
}

impl Default for Figure {
    fn default() -> Self {
        Self::Message("No data yet".to_owned())
    }
}

impl Size {
    /// Width and height in CSS pixels.
    pub fn pixels(self) -> (f64, f64) {
        match self {
            Self::Small => (200.0, 200.0),
            Self::Medium => (420.0, 240.0),
            Self::Large => (420.0, 420.0),
        }
    }

    /// The size called `small`, `medium` or `large`.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "small" => Some(Self::Small),
            "medium" => Some(Self::Medium),
            "large" => Some(Self::Large),
            _ => None,
        }
    }
}

impl WidgetImage {
    /// The whole SVG document.
    pub fn svg(&self) -> String {
        let shade = if self.dark { Shade::Dark } else { Shade::Light };
        let palette = Palette::new(self.scheme, shade);
        let (width, height) = self.size.pixels();
        let drawn = html! {
            svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height) viewBox={ "0 0 " (width) " " (height) }
                role="img" aria-label=(self.spoken()) font-family=(FAMILY) {
                linearGradient id="fill" x1="0" y1="0" x2="0" y2="1" {
                    stop offset="0" stop-color=(palette.accent) stop-opacity="0.28" {}
                    stop offset="1" stop-color=(palette.accent) stop-opacity="0.02" {}
                }
                rect width=(width) height=(height) rx="20" fill=(palette.surface) {}
                @match self.size {
                    Size::Small => (self.small(&palette)),
                    Size::Medium => (self.medium(&palette)),
                    Size::Large => { (self.medium(&palette)) (self.list(&palette)) }
                }
            }
        };
        drawn.into_string()
    }

    /// Everything that is written in the image.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        // Names that are not shown must not cost a look at the machine's fonts.
        let shown = if self.size == Size::Large { ROWS } else { 0 };
        let rows = self.rows.iter().take(shown).map(|(name, ..)| name.as_str());
        [
            &*self.title,
            &*self.caption,
            &*self.remark,
            &*self.curve_title,
        ]
        .into_iter()
        .chain(rows)
    }

    fn small(&self, palette: &Palette) -> Markup {
        html! {
            (text(&fitted(&self.title, 160.0, 13.0), Text { x: 20.0, y: 36.0, size: 13.0, weight: 600, colour: palette.ink, end: false }))
            @match &self.figure {
                Figure::Number(number, change) => {
                    (text(number, Text { x: 19.0, y: 76.0, size: fitting(number, 160.0, 34.0), weight: 700, colour: palette.ink, end: false }))
                    @if let Some(change) = change { (badge(*change, palette, 20.0, 88.0, false)) }
                    (text(&fitted(&self.remark, 160.0, 11.0), Text { x: 20.0, y: 128.0, size: 11.0, weight: 500, colour: palette.warn, end: false }))
                    @let top = if self.remark.is_empty() { 124.0 } else { 140.0 };
                    (self.curve(palette, (0.0, 200.0), (top, 184.0)))
                }
                Figure::Message(message) => {
                    (text(&fitted(message, 160.0, 16.0), Text { x: 20.0, y: 70.0, size: 16.0, weight: 600, colour: palette.soft, end: false }))
                    (self.explanation(palette, 94.0, 160.0, 5))
                }
            }
        }
    }

    fn medium(&self, palette: &Palette) -> Markup {
        let caption = text(
            &self.caption,
            Text {
                x: 400.0,
                y: 34.0,
                size: 12.0,
                weight: 450,
                colour: palette.muted,
                end: true,
            },
        );
        let room = 360.0 - width(&self.caption, 12.0);
        html! {
            (text(&fitted(&self.title, room, 14.0), Text { x: 20.0, y: 34.0, size: 14.0, weight: 600, colour: palette.ink, end: false }))
            (caption)
            @match &self.figure {
                Figure::Number(number, change) => {
                    (text(number, Text { x: 19.0, y: 74.0, size: fitting(number, 260.0, 36.0), weight: 700, colour: palette.ink, end: false }))
                    @if let Some(change) = change { (badge(*change, palette, 400.0, 50.0, true)) }
                    (text(&self.curve_title, Text { x: 20.0, y: 94.0, size: 11.0, weight: 450, colour: palette.muted, end: false }))
                    @let room = 370.0 - width(&self.curve_title, 11.0);
                    (text(&fitted(&self.remark, room, 11.0), Text { x: 400.0, y: 94.0, size: 11.0, weight: 500, colour: palette.warn, end: true }))
                }
                Figure::Message(message) => {
                    (text(&fitted(message, 370.0, 22.0), Text { x: 20.0, y: 78.0, size: 22.0, weight: 650, colour: palette.soft, end: false }))
                    (self.explanation(palette, 104.0, 380.0, 6))
                }
            }
            @for annotation in self.annotations.iter().filter(|annotation| (0.0..=1.0).contains(*annotation)) {
                @let x = short(PAD + annotation * 380.0);
                line x1=(x) x2=(x) y1="102" y2="204" stroke=(palette.muted) stroke-dasharray="2.5 2.5" {}
                circle cx=(x) cy="96" r="3.5" fill=(palette.muted) {}
            }
            @if !self.values.is_empty() || !self.before.is_empty() {
                line x1="20" x2="400" y1="204" y2="204" stroke=(palette.line) {}
            }
            (self.curve(palette, (PAD, 400.0), (102.0, 204.0)))
            @for (place, name) in &self.axis {
                @let x = PAD + 380.0 * self.across(*place);
                @let half = width(name, 11.0) / 2.0;
                (text(name, Text { x: x.clamp(PAD, 400.0 - half) , y: 225.0, size: 11.0, weight: 450, colour: palette.muted, end: false }.centred(half)))
            }
        }
    }

    /// The remark below a message, over several lines.
    fn explanation(&self, palette: &Palette, top: f64, room: f64, most: usize) -> Markup {
        html! {
            @for (place, line) in wrapped(&self.remark, room, 12.0, most).iter().enumerate() {
                (text(line, Text { x: PAD, y: top + place as f64 * 18.0, size: 12.0, weight: 450, colour: palette.muted, end: false }))
            }
        }
    }

    fn list(&self, palette: &Palette) -> Markup {
        let more = self.rows.len().saturating_sub(ROWS);
        let pitch = if more > 0 { 28.0 } else { 31.0 };
        html! {
            @if !self.rows.is_empty() { line x1="20" x2="400" y1="244" y2="244" stroke=(palette.line) {} }
            @for (place, (name, number, change)) in self.rows.iter().take(ROWS).enumerate() {
                @let y = 268.0 + place as f64 * pitch;
                (text(&fitted(name, 180.0, 13.0), Text { x: 20.0, y, size: 13.0, weight: 500, colour: palette.ink, end: false }))
                (text(number, Text { x: 318.0, y, size: 13.0, weight: 650, colour: palette.ink, end: true }))
                (badge(*change, palette, 400.0, y - 15.0, true))
            }
            @if more > 0 {
                (text(&format!("+{more} more"), Text { x: 20.0, y: 268.0 + ROWS as f64 * pitch - 2.0, size: 11.0, weight: 450, colour: palette.muted, end: false }))
            }
        }
    }

    /// The curve within these edges: left and right, top and bottom.
    fn curve(
        &self,
        palette: &Palette,
        (left, right): (f64, f64),
        (top, bottom): (f64, f64),
    ) -> Markup {
        let most = self
            .values
            .iter()
            .chain(&self.before)
            .copied()
            .max()
            .unwrap_or(0)
            .max(1) as f64;
        let points = |values: &[u64]| -> Vec<(f64, f64)> {
            values
                .iter()
                .enumerate()
                .map(|(place, &value)| {
                    let x = left + (right - left) * self.across(place);
                    (x, bottom - (bottom - top) * value as f64 / most)
                })
                .collect()
        };
        let now = points(&self.values);
        let line = smooth_path(&now);
        let (over, running) = if self.running {
            smooth_path_with_end(&now)
        } else {
            (line.clone(), String::new())
        };
        let drawn = |path: &str, dashes: Option<&str>| {
            html! {
                @if !path.is_empty() {
                    path fill="none" stroke=(palette.accent) stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round" stroke-dasharray=[dashes] d=(path) {}
                }
            }
        };
        html! {
            @if self.before.len() > 1 && self.size != Size::Small {
                path fill="none" stroke=(palette.muted) stroke-width="1.4" stroke-dasharray="5 4" stroke-linecap="round" d=(smooth_path(&points(&self.before))) {}
            }
            @if let Some(&(end_x, end_y)) = now.last() {
                @if now.len() > 1 {
                    path fill="url(#fill)" d={ (line) "L" (short(end_x)) " " (short(bottom)) "H" (short(left)) "Z" } {}
                    (drawn(&over, None))
                    (drawn(&running, Some("0.1 5")))
                }
                @if self.size != Size::Small {
                    circle cx=(short(end_x)) cy=(short(end_y)) r="4.5" fill=(palette.accent) stroke=(palette.surface) stroke-width="2" {}
                }
            }
        }
    }

    /// From 0 at the first place to 1 at the last.
    fn across(&self, place: usize) -> f64 {
        let places = self.values.len().max(self.before.len());
        (place as f64 / places.saturating_sub(1).max(1) as f64).min(1.0)
    }

    fn spoken(&self) -> String {
        let spoken = match &self.figure {
            Figure::Number(number, Some(change)) => format!(
                "{}: {number}, {}, {}",
                printable(&self.title),
                self.caption,
                format::spoken(*change)
            ),
            Figure::Number(number, None) => {
                format!("{}: {number}, {}", printable(&self.title), self.caption)
            }
            Figure::Message(message) => format!("{}: {message}", printable(&self.title)),
        };
        if self.remark.is_empty() {
            spoken
        } else {
            format!("{spoken}. {}", printable(&self.remark))
        }
    }
}

/// How a line of text is set.
#[derive(Clone, Copy)]
struct Text {
    x: f64,
    y: f64,
    size: f64,
    weight: u16,
    colour: Colour,
    /// True if `x` is its end.
    end: bool,
}

impl Text {
    /// Moves the start so that `x` becomes the middle, but never beyond the left edge.
    fn centred(mut self, half: f64) -> Self {
        self.x = (self.x - half).max(PAD);
        self
    }
}

fn text(content: &str, text: Text) -> Markup {
    if content.is_empty() {
        return html! {};
    }
    // The PNG renderer sets the weight by the font's axis, viewers by the weight; it must not be an
    // inline style, which the pages' policy forbids.
    html! {
        text x=(short(text.x)) y=(short(text.y)) font-size=(text.size) font-weight=(text.weight / 100 * 100)
            font-variation-settings={ "'wght' " (text.weight) } fill=(text.colour) text-anchor=[text.end.then_some("end")] { (printable(content)) }
    }
}

/// A change with a triangle on its ground; `x` is its right edge where `end`.
fn badge(change: Change, palette: &Palette, x: f64, y: f64, end: bool) -> Markup {
    let label = format::change(change);
    let direction = change.direction();
    let arrow = if direction == 0 { 0.0 } else { 13.0 };
    let wide = width(&label, 12.0) + arrow + 18.0;
    let left = if end { x - wide } else { x };
    let (ink, ground) = match change.tone() {
        1 => (palette.good, palette.good_ground),
        -1 => (palette.bad, palette.bad_ground),
        _ => (palette.soft, palette.well),
    };
    let (a, b, top, foot) = (left + 9.0, left + 19.0, y + 7.0, y + 15.5);
    let triangle = if direction == 1 {
        format!("M{a:.1} {foot}H{b:.1}L{:.1} {top}Z", left + 14.0)
    } else {
        format!("M{a:.1} {top}H{b:.1}L{:.1} {foot}Z", left + 14.0)
    };
    html! {
        rect x=(short(left)) y=(short(y)) width=(short(wide)) height="23" rx="11.5" fill=(ground) {}
        @if direction != 0 { path fill=(ink) d=(PreEscaped(triangle)) {} }
        (text(&label, Text { x: left + 9.0 + arrow, y: y + 15.8, size: 12.0, weight: 650, colour: ink, end: false }))
    }
}

/// About how wide text is. Inter's digits and letters are near 0.6 em, wide scripts 1.1.
fn width(text: &str, size: f64) -> f64 {
    text.width() as f64 * size * 0.59
}

/// The size at which `text` fits into `room`, at most `size`.
fn fitting(text: &str, room: f64, size: f64) -> f64 {
    (size * room / width(text, size).max(1.0)).min(size).round()
}

/// The text, cut with an ellipsis if it is wider than `room`.
fn fitted(text: &str, room: f64, size: f64) -> String {
    if width(text, size) <= room {
        return text.to_owned();
    }
    let mut cut = String::new();
    for character in text.chars() {
        cut.push(character);
        if width(&cut, size) + size > room {
            break;
        }
    }
    format!("{}…", cut.trim_end())
}

/// The text in lines of at most `room`, cut with an ellipsis after the last one.
fn wrapped(text: &str, room: f64, size: f64, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let full = lines.len() == most;
        if let Some(line) = lines.last_mut() {
            if width(&format!("{line} {word}"), size) <= room {
                line.push(' ');
                line.push_str(word);
                continue;
            }
            if full {
                line.push('…');
                break;
            }
        }
        lines.push(fitted(word, room, size));
    }
    lines
}

/// XML has no place for control characters.
fn printable(text: &str) -> String {
    text.chars()
        .filter(|character| {
            !character.is_control() && !matches!(character, '\u{fffe}' | '\u{ffff}')
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(size: Size) -> WidgetImage {
        WidgetImage {
            size,
            title: "Acorn <Market> & Söhne".to_owned(),
            caption: "last 30 days".to_owned(),
            figure: Figure::Number("125,686".to_owned(), Some(Change::between(1219, 1000))),
            values: vec![30, 50, 40, 60],
            before: vec![20, 30, 35, 40],
            annotations: vec![0.5],
            axis: vec![(0, "21 Nov".to_owned()), (3, "24 Nov".to_owned())],
            rows: vec![(
                "Quillcast".to_owned(),
                "1,670".to_owned(),
                Change::between(9470, 10_000),
            )],
            ..WidgetImage::default()
        }
    }

    #[test]
    fn a_medium_image() {
        insta::assert_snapshot!(image(Size::Medium).svg());
    }

    #[test]
    fn a_long_name_ends_in_an_ellipsis() {
        let name = fitted(&"hedgehog ".repeat(20), 160.0, 13.0);
        assert!(name.ends_with('…') && width(&name, 13.0) <= 165.0, "{name}");
        assert_eq!(fitted("Acorn", 160.0, 13.0), "Acorn");
    }

    #[test]
    fn a_long_sentence_is_wrapped_and_cut() {
        let sentence = "Your access was revoked or has expired. Sign in again to continue.";
        let lines = wrapped(sentence, 160.0, 12.0, 5);
        assert!(lines.iter().all(|line| width(line, 12.0) <= 160.0));
        assert_eq!(lines.join(" "), sentence);
        let cut = wrapped(sentence, 160.0, 12.0, 2);
        assert!(cut.len() == 2 && cut[1].ends_with('…'), "{cut:?}");
    }

    #[test]
    fn control_characters_do_not_break_the_document() {
        let mut image = image(Size::Small);
        image.title = "a\u{0}b\u{b}".to_owned();
        assert!(image.svg().contains(">ab<"));
    }
}
