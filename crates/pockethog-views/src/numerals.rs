//! How numbers are written in a locale: the thousands separator and the decimal separator.
//!
//! `LC_ALL`, `LC_NUMERIC` and `LANG` decide, in this order, as everywhere on Unix. The program chooses
//! once at its start; a library or a test that never chooses writes `1,234.5`. The habits are those of
//! CLDR, <https://cldr.unicode.org>, reduced to the two signs.

use std::sync::OnceLock;

static CHOSEN: OnceLock<Numerals> = OnceLock::new();

/// A way to write numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Numerals {
    thousands: &'static str,
    decimal: &'static str,
    /// Fewest digits before the first group: Spanish and Polish leave `1234` whole.
    fewest: usize,
    /// Digits per group beyond the first one: two in India, three elsewhere.
    group: usize,
}

impl Numerals {
    /// `1,234.5`
    pub(crate) const ENGLISH: Self = Self::new(",", ".");

    const fn new(thousands: &'static str, decimal: &'static str) -> Self {
        Self {
            thousands,
            decimal,
            fewest: 4,
            group: 3,
        }
    }

    /// The habits of a locale by its POSIX or BCP 47 name, for example `de_AT.UTF-8`.
    pub(crate) fn of_locale(name: &str) -> Self {
        const NARROW_SPACE: &str = "\u{202f}";
        const SPACE: &str = "\u{a0}";
        let name = name
            .split(['.', '@'])
            .next()
            .unwrap_or_default()
            .replace('-', "_")
            .to_ascii_lowercase();
        let (language, country) = name.split_once('_').unwrap_or((&name, ""));
        match (language, country) {
            ("de" | "it" | "fr" | "rm" | "gsw", "ch") | ("de", "li") => Self::new("’", "."),
            ("en" | "hi" | "bn" | "ta" | "te" | "gu" | "kn" | "ml" | "pa", "in") => Self {
                group: 2,
                ..Self::ENGLISH
            },
            ("pt", "pt") | ("pl", _) => Self {
                fewest: 5,
                ..Self::new(SPACE, ",")
            },
            // The Americas from Mexico to Peru write as their northern neighbour does.
            ("es", country)
                if !matches!(
                    country,
                    "mx" | "us" | "gt" | "hn" | "ni" | "pa" | "pe" | "pr" | "sv" | "do"
                ) =>
            {
                Self {
                    fewest: 5,
                    ..Self::new(".", ",")
                }
            }
            ("de", "at")
            | ("fr", "ca")
            | (
                "sv" | "nb" | "nn" | "no" | "fi" | "et" | "lt" | "lv" | "ru" | "uk" | "be" | "cs"
                | "sk" | "hu" | "bg",
                _,
            ) => Self::new(SPACE, ","),
            (
                "de" | "nl" | "it" | "pt" | "da" | "id" | "tr" | "el" | "ro" | "hr" | "sr" | "sl"
                | "vi" | "ca" | "is",
                _,
            ) => Self::new(".", ","),
            ("fr", _) => Self::new(NARROW_SPACE, ","),
            _ => Self::ENGLISH,
        }
    }

    /// What `LC_ALL`, `LC_NUMERIC` or `LANG` ask for, the first that is set.
    pub fn of_environment() -> Self {
        let name = ["LC_ALL", "LC_NUMERIC", "LANG"]
            .into_iter()
            .filter_map(|variable| std::env::var(variable).ok())
            .find(|value| !value.is_empty());
        name.map_or(Self::ENGLISH, |name| Self::of_locale(&name))
    }

    /// What this process writes in.
    pub fn chosen() -> Self {
        CHOSEN.get().copied().unwrap_or(Self::ENGLISH)
    }

    /// Chooses for the whole process; only the first choice counts.
    pub fn choose(self) {
        CHOSEN.set(self).ok();
    }

    /// A whole number with its thousands set apart.
    pub fn grouped(self, number: u64) -> String {
        let digits = number.to_string();
        if digits.len() < self.fewest {
            return digits;
        }
        let mut text = String::with_capacity(digits.len() * 2);
        for (place, digit) in digits.chars().enumerate() {
            let left = digits.len() - place;
            if place > 0 && left >= 3 && (left - 3).is_multiple_of(self.group) {
                text.push_str(self.thousands);
            }
            text.push(digit);
        }
        text
    }

    /// A number with this many decimals.
    pub(crate) fn decimal(self, number: f64, decimals: usize) -> String {
        format!("{number:.decimals$}").replace('.', self.decimal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_set_apart_as_people_of_the_locale_do() {
        for (locale, expected) in [
            ("C", "1,234,567"),
            ("en_US.UTF-8", "1,234,567"),
            ("de_DE.UTF-8", "1.234.567"),
            ("de_CH", "1’234’567"),
            ("de-AT", "1\u{a0}234\u{a0}567"),
            ("fr_FR.UTF-8", "1\u{202f}234\u{202f}567"),
            ("en_IN", "12,34,567"),
            ("sv_SE", "1\u{a0}234\u{a0}567"),
            ("es_MX", "1,234,567"),
            ("tlh", "1,234,567"),
        ] {
            assert_eq!(
                Numerals::of_locale(locale).grouped(1_234_567),
                expected,
                "{locale}"
            );
        }
    }

    #[test]
    fn spaniards_leave_four_digits_whole() {
        let spanish = Numerals::of_locale("es_ES.UTF-8");
        assert_eq!(spanish.grouped(1234), "1234");
        assert_eq!(spanish.grouped(12_345), "12.345");
    }

    #[test]
    fn short_numbers_have_no_groups() {
        let shown = [0, 999, 1000, 13_538].map(|number| Numerals::ENGLISH.grouped(number));
        assert_eq!(shown, ["0", "999", "1,000", "13,538"]);
    }

    #[test]
    fn decimals_begin_with_the_sign_of_the_locale() {
        assert_eq!(Numerals::of_locale("de_DE").decimal(4.04, 1), "4,0");
        assert_eq!(Numerals::ENGLISH.decimal(4.04, 1), "4.0");
    }
}
