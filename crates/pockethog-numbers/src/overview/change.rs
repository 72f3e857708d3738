//! The change of a number compared with an earlier one, and whether it is more than chance.

use super::change_percent;

/// How many standard deviations a difference of counts has to be to get a colour.
const BEYOND_CHANCE: f64 = 2.0;

/// A number beside the number it is compared with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Change {
    kind: Kind,
    by_chance: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Nothing to compare with, and nothing now.
    NoData,
    /// Something now, nothing before.
    New,
    /// In percent; 0 if nothing changed.
    Percent(f64),
}

/// Nothing to compare.
impl Default for Change {
    fn default() -> Self {
        Self::NONE
    }
}

impl Change {
    /// Nothing to compare.
    pub const NONE: Self = Self {
        kind: Kind::NoData,
        by_chance: true,
    };

    /// The change from `before` to `now`, which are counts.
    ///
    /// A count of independent visits varies by its square root from day to day, and the difference of two counts
    /// by the root of their sum. What is less than twice that is as likely as not to be chance.
    pub fn between(now: u64, before: u64) -> Self {
        let kind = match change_percent(now, before) {
            Some(percent) => Kind::Percent(percent),
            None if now > 0 => Kind::New,
            None => Kind::NoData,
        };
        let (now, before) = (now as f64, before as f64);
        Self {
            kind,
            by_chance: (now - before).abs() <= BEYOND_CHANCE * (now + before).sqrt(),
        }
    }

    /// The change of a count from the middle of what is usual; it has a colour exactly if it is outside.
    pub fn from_usual(count: u64, centre: f64, is_outside: bool) -> Self {
        let kind = if centre > 0.0 {
            Kind::Percent((count as f64 - centre) / centre * 100.0)
        } else if count > 0 {
            Kind::New
        } else {
            Kind::NoData
        };
        Self {
            kind,
            by_chance: !is_outside,
        }
    }

    /// The same without a colour: nothing says whether it is unusual.
    #[must_use]
    pub fn uncoloured(self) -> Self {
        Self {
            by_chance: true,
            ..self
        }
    }

    /// The growth in percent. `None` if there is nothing to compare with.
    pub fn percent(self) -> Option<f64> {
        match self.kind {
            Kind::Percent(percent) => Some(percent),
            Kind::New | Kind::NoData => None,
        }
    }

    /// True if there is something now and was nothing before.
    pub fn is_new(self) -> bool {
        self.kind == Kind::New
    }

    /// 1 for more, -1 for less, 0 for neither as far as the shown digits tell.
    pub fn direction(self) -> i8 {
        match self.kind {
            Kind::New => 1,
            Kind::Percent(percent) if percent >= 0.05 => 1,
            Kind::Percent(percent) if percent <= -0.05 => -1,
            Kind::NoData | Kind::Percent(_) => 0,
        }
    }

    /// The colour: 1 for good, -1 for bad, 0 for a change that may be chance.
    pub fn tone(self) -> i8 {
        if self.by_chance { 0 } else { self.direction() }
    }
}

/// The colour of the difference between two shares, each a count out of a total: 1, -1, or 0 for what may be
/// chance.
pub fn share_tone((now, of): (u64, u64), (before, of_before): (u64, u64)) -> i8 {
    if of == 0 || of_before == 0 {
        return 0;
    }
    let (now, of) = (now as f64, of as f64);
    let (before, of_before) = (before as f64, of_before as f64);
    let apart = now / of - before / of_before;
    // What both shares would be if they were the same; people can convert without a view.
    let same = ((now + before) / (of + of_before)).min(1.0);
    let deviation = (same * (1.0 - same) * (1.0 / of + 1.0 / of_before)).sqrt();
    match apart {
        _ if apart.abs() < 0.0005 || apart.abs() <= BEYOND_CHANCE * deviation => 0,
        _ if apart > 0.0 => 1,
        _ => -1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_that_may_be_chance_has_no_colour() {
        for (now, before, tone) in [
            (1_i64, 2_i64, 0),
            (4, 0, 0),
            (5, 0, 1),
            (0, 5, -1),
            (12, 9, 0),
            (103, 100, 0),
            (140, 100, 1),
            (60, 100, -1),
            (13_538, 13_012, 1),
        ] {
            let change = Change::between(now.unsigned_abs(), before.unsigned_abs());
            assert_eq!(change.tone(), tone, "{before} → {now}");
            assert_eq!(
                i64::from(change.direction()),
                (now - before).signum(),
                "{before} → {now}"
            );
        }
        assert_eq!(share_tone((3, 40), (1, 38)), 0);
        assert_eq!(share_tone((300, 4000), (100, 3800)), 1);
        assert_eq!(share_tone((100, 3800), (300, 4000)), -1);
        assert_eq!(share_tone((1, 0), (0, 0)), 0);
    }
}
