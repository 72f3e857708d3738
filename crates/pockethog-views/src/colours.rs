//! The one colour table: pages, the SVG image and the PNG image take their colours from here.
//!
//! A scheme is two hues, one for the accent and one for the neutrals, worked out in OKLCH (Björn
//! Ottosson, "A perceptual color space for image processing", 2020) so that equal lightness looks
//! equally light in every scheme. Colours leave as hex, because SVG renderers and older browsers
//! understand nothing else. If a colour is outside sRGB its chroma gives way, never its lightness:
//! contrast depends on lightness, and the tests check every pair that is put on screen.

use std::fmt::{self, Write};

use pockethog_core::preferences::Scheme;

/// All schemes, in the order the settings show them.
pub const SCHEMES: [Scheme; 5] = [
    Scheme::Ember,
    Scheme::Lagoon,
    Scheme::Fern,
    Scheme::Plum,
    Scheme::Graphite,
];

/// How many tints an avatar can have; a tint is any number, taken modulo this.
pub(crate) const TINTS: usize = 12;

/// An sRGB colour. Displays as `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Colour(pub [u8; 3]);

/// Light or dark, decided: for images, which cannot ask the system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shade {
    /// Dark text on a light ground.
    Light,
    /// Light text on a dark ground.
    Dark,
}

/// The colours of one scheme in one shade.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    /// Behind everything.
    pub page: Colour,
    /// Cards.
    pub surface: Colour,
    /// Wells inside cards: segmented controls, inputs, secondary buttons.
    pub well: Colour,
    /// What is selected within a well.
    pub lifted: Colour,
    /// Borders and grid lines.
    pub line: Colour,
    /// Text.
    pub ink: Colour,
    /// Text of less weight.
    pub soft: Colour,
    /// Captions; the dashed comparison.
    pub muted: Colour,
    /// The curve, buttons, links.
    pub accent: Colour,
    /// Text on the accent.
    pub accent_ink: Colour,
    /// Bars behind text.
    pub tint: Colour,
    /// More than before.
    pub good: Colour,
    /// Behind [`Palette::good`].
    pub good_ground: Colour,
    /// Less than before; what failed.
    pub bad: Colour,
    /// Behind [`Palette::bad`].
    pub bad_ground: Colour,
    /// What wants attention.
    pub warn: Colour,
    /// Behind [`Palette::warn`].
    pub warn_ground: Colour,
}

/// A hue in degrees and the chroma it is used at.
#[derive(Clone, Copy)]
struct Hue(f64, f64);

impl Palette {
    /// The colours of `scheme` in `shade`.
    pub fn new(scheme: Scheme, shade: Shade) -> Self {
        let (Hue(hue, chroma), Hue(ground, grey)) = hues(scheme);
        let neutral = |lightness, strength: f64| oklch(lightness, grey * strength, ground);
        match shade {
            Shade::Light => Self {
                page: neutral(0.975, 0.8),
                surface: Colour([255, 255, 255]),
                well: neutral(0.955, 0.8),
                lifted: Colour([255, 255, 255]),
                line: neutral(0.905, 0.8),
                ink: neutral(0.205, 1.0),
                soft: neutral(0.4, 1.0),
                muted: neutral(0.52, 1.0),
                accent: readable(neutral(0.955, 0.8), chroma, hue),
                accent_ink: Colour([255, 255, 255]),
                tint: oklch(0.935, chroma * 0.22, hue),
                good: oklch(0.49, 0.14, 152.0),
                good_ground: oklch(0.95, 0.055, 155.0),
                bad: oklch(0.51, 0.19, 25.0),
                bad_ground: oklch(0.94, 0.03, 18.0),
                warn: oklch(0.47, 0.1, 70.0),
                warn_ground: oklch(0.95, 0.05, 85.0),
            },
            Shade::Dark => Self {
                page: neutral(0.155, 0.6),
                surface: neutral(0.21, 0.6),
                well: neutral(0.25, 0.7),
                lifted: neutral(0.32, 0.8),
                line: neutral(0.3, 0.8),
                ink: neutral(0.97, 0.5),
                soft: neutral(0.82, 0.8),
                muted: neutral(0.69, 1.0),
                accent: oklch(0.74, chroma * 0.95, hue),
                accent_ink: neutral(0.16, 0.8),
                tint: oklch(0.32, chroma * 0.4, hue),
                good: oklch(0.8, 0.16, 152.0),
                good_ground: oklch(0.3, 0.06, 155.0),
                bad: oklch(0.74, 0.15, 22.0),
                bad_ground: oklch(0.3, 0.08, 22.0),
                warn: oklch(0.84, 0.13, 85.0),
                warn_ground: oklch(0.3, 0.05, 80.0),
            },
        }
    }

    fn named(&self) -> [(&'static str, Colour); 17] {
        [
            ("page", self.page),
            ("surface", self.surface),
            ("well", self.well),
            ("lifted", self.lifted),
            ("line", self.line),
            ("ink", self.ink),
            ("soft", self.soft),
            ("muted", self.muted),
            ("accent", self.accent),
            ("accent-ink", self.accent_ink),
            ("tint", self.tint),
            ("good", self.good),
            ("good-ground", self.good_ground),
            ("bad", self.bad),
            ("bad-ground", self.bad_ground),
            ("warn", self.warn),
            ("warn-ground", self.warn_ground),
        ]
    }
}

/// The name that preferences and `data-scheme` use.
pub fn name(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Ember => "ember",
        Scheme::Fern => "fern",
        Scheme::Graphite => "graphite",
        Scheme::Lagoon => "lagoon",
        Scheme::Plum => "plum",
    }
}

/// The name that people read.
pub fn title(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Ember => "Ember",
        Scheme::Fern => "Fern",
        Scheme::Graphite => "Graphite",
        Scheme::Lagoon => "Lagoon",
        Scheme::Plum => "Plum",
    }
}

/// Letter and ground of the avatar with this tint.
pub(crate) fn avatar(tint: usize, shade: Shade) -> (Colour, Colour) {
    // Steps of the golden angle keep neighbouring tints apart.
    let hue = (28.0 + (tint % TINTS) as f64 * 137.507_764).rem_euclid(360.0);
    match shade {
        Shade::Light => (oklch(0.42, 0.11, hue), oklch(0.93, 0.05, hue)),
        Shade::Dark => (oklch(0.84, 0.09, hue), oklch(0.33, 0.065, hue)),
    }
}

/// The avatar tint of a project: the same on every screen and every device.
pub(crate) fn tint_of(name: &str) -> usize {
    // FNV-1a: std's hasher is free to differ between releases.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    usize::try_from(hash % TINTS as u64).unwrap_or(0)
}

/// The CSS variables of every scheme and tint. A `data-scheme` on any element colours what is inside.
pub fn css() -> String {
    let mut css = String::with_capacity(8192);
    for scheme in SCHEMES {
        let light = Palette::new(scheme, Shade::Light).named();
        let dark = Palette::new(scheme, Shade::Dark).named();
        let root = if scheme == Scheme::default() {
            ":root,"
        } else {
            ""
        };
        let _ = write!(css, "{root}[data-scheme={}]{{", name(scheme));
        for ((variable, light), (_, dark)) in light.into_iter().zip(dark) {
            let _ = write!(css, "--{variable}:light-dark({light},{dark});");
        }
        css.push_str("}\n");
    }
    for tint in 0..TINTS {
        let (ink, ground) = avatar(tint, Shade::Light);
        let (dark_ink, dark_ground) = avatar(tint, Shade::Dark);
        let _ = writeln!(
            css,
            ".tint-{tint}{{color:light-dark({ink},{dark_ink});background:light-dark({ground},{dark_ground})}}"
        );
    }
    css
}

/// WCAG 2.2 contrast ratio, 1 to 21.
pub fn contrast(one: Colour, other: Colour) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [red, green, blue] = self.0;
        write!(f, "#{red:02x}{green:02x}{blue:02x}")
    }
}

/// Accent and ground of a scheme.
fn hues(scheme: Scheme) -> (Hue, Hue) {
    match scheme {
        Scheme::Ember => (Hue(42.0, 0.175), Hue(75.0, 0.009)),
        Scheme::Lagoon => (Hue(252.0, 0.16), Hue(235.0, 0.011)),
        Scheme::Fern => (Hue(155.0, 0.13), Hue(150.0, 0.009)),
        Scheme::Plum => (Hue(324.0, 0.17), Hue(318.0, 0.012)),
        Scheme::Graphite => (Hue(275.0, 0.025), Hue(265.0, 0.008)),
    }
}

/// The colour, with as much of its chroma as sRGB can show.
fn oklch(lightness: f64, chroma: f64, hue: f64) -> Colour {
    let (mut low, mut high) = (0.0, chroma);
    if let Some(colour) = srgb(lightness, chroma, hue) {
        return colour;
    }
    for _ in 0..20 {
        let middle = f64::midpoint(low, high);
        if srgb(lightness, middle, hue).is_some() {
            low = middle;
        } else {
            high = middle;
        }
    }
    srgb(lightness, low, hue).unwrap_or(Colour([128, 128, 128]))
}

/// The lightest colour of a hue that can be read on a light ground. Hues differ in this: a green has to
/// be darker than an orange.
fn readable(ground: Colour, chroma: f64, hue: f64) -> Colour {
    (0..40)
        .map(|step| oklch(0.6 - 0.005 * f64::from(step), chroma, hue))
        .find(|&colour| contrast(colour, ground) >= 4.5)
        .unwrap_or(Colour([0; 3]))
}

/// OKLCH to sRGB; nothing if a channel leaves the gamut.
fn srgb(lightness: f64, chroma: f64, hue: f64) -> Option<Colour> {
    let (sin, cos) = hue.to_radians().sin_cos();
    let (a, b) = (chroma * cos, chroma * sin);
    let long = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let medium = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let short = (lightness - 0.089_484_177_5 * a - 1.291_485_548_0 * b).powi(3);
    let linear = [
        4.076_741_662_1 * long - 3.307_711_591_3 * medium + 0.230_969_929_2 * short,
        -1.268_438_004_6 * long + 2.609_757_401_1 * medium - 0.341_319_396_5 * short,
        -0.004_196_086_3 * long - 0.703_418_614_7 * medium + 1.707_614_701_0 * short,
    ];
    let inside = linear.iter().all(|&c| (-0.000_5..=1.000_5).contains(&c));
    inside.then(|| Colour(linear.map(encoded)))
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to 0..=255 and rounded"
)]
fn encoded(linear: f64) -> u8 {
    let linear = linear.clamp(0.0, 1.0);
    let curved = if linear <= 0.003_130_8 {
        12.92 * linear
    } else {
        1.055 * linear.powf(1.0 / 2.4) - 0.055
    };
    (curved * 255.0).round() as u8
}

fn luminance(colour: Colour) -> f64 {
    let [red, green, blue] = colour.0.map(|channel| {
        let channel = f64::from(channel) / 255.0;
        if channel <= 0.040_45 {
            channel / 12.92
        } else {
            ((channel + 0.055) / 1.055).powf(2.4)
        }
    });
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every pair of text and ground that a page or image shows, with what WCAG asks of it.
    fn pairs(p: &Palette) -> Vec<(&'static str, Colour, Colour, f64)> {
        vec![
            ("ink on page", p.ink, p.page, 7.0),
            ("ink on surface", p.ink, p.surface, 7.0),
            ("ink on well", p.ink, p.well, 7.0),
            ("ink on lifted", p.ink, p.lifted, 7.0),
            ("ink on tint", p.ink, p.tint, 7.0),
            ("soft on page", p.soft, p.page, 4.5),
            ("soft on surface", p.soft, p.surface, 4.5),
            ("soft on well", p.soft, p.well, 4.5),
            ("muted on page", p.muted, p.page, 4.5),
            ("muted on surface", p.muted, p.surface, 4.5),
            ("muted on well", p.muted, p.well, 4.5),
            ("accent on page", p.accent, p.page, 4.5),
            ("accent on surface", p.accent, p.surface, 4.5),
            ("accent on well", p.accent, p.well, 4.5),
            ("accent ink on accent", p.accent_ink, p.accent, 4.5),
            ("page on ink", p.page, p.ink, 7.0),
            ("good on its ground", p.good, p.good_ground, 4.5),
            ("good on surface", p.good, p.surface, 4.5),
            ("good dot on page", p.good, p.page, 3.0),
            ("bad on its ground", p.bad, p.bad_ground, 4.5),
            ("bad on surface", p.bad, p.surface, 4.5),
            ("warn on its ground", p.warn, p.warn_ground, 4.5),
            ("ink on warn ground", p.ink, p.warn_ground, 4.5),
            ("ink on bad ground", p.ink, p.bad_ground, 4.5),
            ("soft on warn ground", p.soft, p.warn_ground, 4.5),
        ]
    }

    #[test]
    fn every_pair_of_every_scheme_has_enough_contrast() {
        let mut failures = Vec::new();
        for scheme in SCHEMES {
            for shade in [Shade::Light, Shade::Dark] {
                for (what, ink, ground, wanted) in pairs(&Palette::new(scheme, shade)) {
                    let found = contrast(ink, ground);
                    if found < wanted {
                        failures.push(format!(
                            "{} {shade:?}: {what} has {found:.2}, wants {wanted}",
                            title(scheme)
                        ));
                    }
                }
            }
        }
        assert!(failures.is_empty(), "{failures:#?}");
    }

    #[test]
    fn every_avatar_has_enough_contrast() {
        for tint in 0..TINTS {
            for shade in [Shade::Light, Shade::Dark] {
                let (ink, ground) = avatar(tint, shade);
                let found = contrast(ink, ground);
                assert!(found >= 4.5, "tint {tint} {shade:?}: {found:.2}");
            }
        }
    }

    #[test]
    fn known_colours_convert() {
        assert_eq!(oklch(1.0, 0.0, 0.0).to_string(), "#ffffff");
        assert_eq!(oklch(0.0, 0.0, 0.0).to_string(), "#000000");
        // CSS Color 4 gives red as oklch(0.62796 0.25768 29.234).
        assert_eq!(oklch(0.62796, 0.25768, 29.234).to_string(), "#ff0000");
    }

    #[test]
    fn contrast_spans_1_to_21() {
        let (black, white) = (Colour([0; 3]), Colour([255; 3]));
        assert!((contrast(black, white) - 21.0).abs() < 1e-9);
        assert!((contrast(white, white) - 1.0).abs() < 1e-9);
    }
}
