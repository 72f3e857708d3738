//! The usual range of a count at this time of this weekday, and whether today has left it.
//!
//! Everything here is arithmetic on plain data: it opens no file, asks no clock and knows neither PostHog nor
//! a database. docs/metrics.md defines the words, gives the formulas and names the sources.
//!
//! 1. A [`Day`] holds the counts of a closed day by wall time. [`mark_days`] marks those that were out of the ordinary.
//! 2. A [`Baseline`] is fitted to up to [`HISTORY_DAYS`] of them, once for each number and day.
//! 3. [`Baseline::judge`] reads the closed quarters of [`Today`] in order and answers with a [`Judgement`]: the
//!    usual range by now and of the last hours, and whether the number has left it.
//! 4. [`UsualGaps`] knows how long a project is quiet at this hour, and [`together()`] whether most projects moved at once.
//!
//! ```
//! use jiff::civil::date;
//! use usual::{Baseline, Basis, Compare, Day, Sensitivity, State, Today};
//!
//! // Eight weeks of a project with 20 visitors in every quarter of an hour.
//! let today = date(2026, 11, 27);
//! let mut days: Vec<Day> = (1..=56)
//!     .rev()
//!     .map(|ago| Day::new(today - jiff::Span::new().days(ago), vec![20.0; 96]))
//!     .collect();
//! usual::mark_days(&mut days);
//! let baseline = Baseline::new(&days, today, Compare::Usual, Sensitivity::Normal);
//!
//! // It is 12:00, and for two hours nobody has come.
//! let mut counts = vec![20.0; 40];
//! counts.extend([0.0; 8]);
//! let judgement = baseline.judge(&Today::new(today, counts), None);
//! let by_now = judgement.by_now.expect("there are eight weeks to compare with");
//! assert_eq!((by_now.range.centre.round(), by_now.basis), (960.0, Basis::Weeks(8)));
//! assert!(matches!(judgement.state, State::Moved(moved) if moved.direction == usual::Direction::Down));
//! ```

mod baseline;
mod chance;
mod day;
mod fit;
mod gaps;
mod judgement;
mod level;
mod range;
mod statistics;
mod together;

pub use baseline::{Baseline, Compare, Sensitivity, mark_days};
pub use day::{Day, Mark, Today, wall_slots};
pub use fit::Look;
pub use gaps::{GapDay, Silence, UsualGaps};
pub use judgement::{Change, Judgement, Move, State, Usual};
pub use range::{Basis, Direction, Range};
pub use together::{Together, together};

/// The most closed days that a [`Baseline`] is fitted to: eight of each weekday.
pub const HISTORY_DAYS: usize = 56;
