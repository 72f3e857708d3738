//! When people come, and what kind of people.

use fastrand::Rng;
use jiff::civil::Weekday;

use super::skewed;

/// Where visitors come from, the most frequent first.
const REFERRERS: [&str; 6] = [
    "$direct",
    SEARCH,
    "news.ycombinator.com",
    "github.com",
    "duckduckgo.com",
    "bsky.app",
];

/// The domain of the search engine.
pub(super) const SEARCH: &str = "www.google.com";

/// A country, and the language that most browsers there ask for.
pub(super) type Home = (Option<&'static str>, Option<&'static str>);

const HOMES: [Home; 9] = [
    (Some("US"), Some("en-US")),
    (Some("DE"), Some("de-DE")),
    (Some("GB"), Some("en-GB")),
    (Some("IN"), Some("en-IN")),
    (Some("FR"), Some("fr-FR")),
    (Some("BR"), Some("pt-BR")),
    (Some("JP"), Some("ja-JP")),
    (Some("NZ"), Some("en-NZ")),
    (None, None),
];

/// Visits by hour of the day, in relation to one another: people at work …
const WORKING: [u32; 24] = [
    7, 6, 5, 5, 5, 6, 9, 14, 22, 30, 36, 39, 38, 40, 42, 40, 37, 33, 30, 28, 25, 20, 15, 10,
];
/// … people all over the world …
const WORLDWIDE: [u32; 24] = [
    18, 18, 17, 17, 17, 18, 19, 20, 21, 22, 23, 23, 24, 24, 24, 24, 23, 23, 22, 22, 21, 20, 20, 19,
];
/// … and tills that never sleep.
const ALWAYS: [u32; 24] = [1; 24];

/// The visitors of a project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// People at work, from everywhere.
    Readers,
    /// The same, but most of them find the project with a search engine.
    Searchers,
    /// Travellers: from all over the world, most of them from Germany, and by way of a search engine.
    Travellers,
    /// Tills, which report all day long.
    Tills,
}

impl Audience {
    /// Who visits the project of this name.
    pub(super) fn of(project: &str) -> Self {
        match project {
            "Fernway Travel" => Self::Travellers,
            "Pebble POS" => Self::Tills,
            "Thistle & Co" => Self::Searchers,
            _ => Self::Readers,
        }
    }

    /// Whether visits come evenly.
    pub(super) fn is_steady(self) -> bool {
        self == Self::Tills
    }

    /// How much of a weekday's visits a day has.
    pub(super) fn of_weekday(self, day: Weekday) -> f64 {
        let weekend = match self {
            Self::Readers | Self::Searchers => 0.55,
            Self::Travellers | Self::Tills => 0.85,
        };
        match day {
            Weekday::Monday | Weekday::Thursday => 1.0,
            Weekday::Tuesday | Weekday::Wednesday => 1.04,
            Weekday::Friday => 0.93,
            Weekday::Saturday => weekend,
            Weekday::Sunday => weekend + 0.04,
        }
    }

    /// The second of the day before which this share of its visits has begun.
    pub(super) fn second_of_day(self, share: f64) -> i64 {
        let rhythm = match self {
            Self::Readers | Self::Searchers => &WORKING,
            Self::Travellers => &WORLDWIDE,
            Self::Tills => &ALWAYS,
        };
        let total: u32 = rhythm.iter().sum();
        let mut left = share.clamp(0.0, 1.0) * f64::from(total);
        for (hour, weight) in (0..).zip(rhythm) {
            let weight = f64::from(*weight);
            if left < weight {
                #[expect(clippy::cast_possible_truncation, reason = "less than an hour")]
                let second = (left / weight * 3600.0) as i64;
                return hour * 3600 + second;
            }
            left -= weight;
        }
        86_399
    }

    /// Where a visit comes from.
    pub(super) fn referrer(self, random: &mut Rng) -> &'static str {
        let searches = matches!(self, Self::Travellers | Self::Searchers);
        if searches && random.u32(0..100) < 62 {
            return SEARCH;
        }
        skewed(random, &REFERRERS)
    }

    /// Where a person lives, by the habits of the person.
    pub(super) fn home(self, habits: &mut Rng) -> Home {
        if self == Self::Travellers && habits.u32(0..100) < 40 {
            return HOMES[1];
        }
        skewed(habits, &HOMES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_day_follow_its_rhythm() {
        let half = |audience: Audience| audience.second_of_day(0.5) / 3600;
        assert_eq!(half(Audience::Tills), 12);
        assert_eq!(half(Audience::Readers), 14);
        assert_eq!(Audience::Readers.second_of_day(0.0), 0);
        assert_eq!(Audience::Readers.second_of_day(1.0), 86_399);
    }
}
