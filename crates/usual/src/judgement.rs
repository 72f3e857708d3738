//! What an attentive person has seen of a day.

use serde::{Deserialize, Serialize};

use crate::fit::{Look, Seen};
use crate::range::{Basis, Direction, Range};

/// A number leaves its range, or is back, once two closed slots in a row say so.
const IN_A_ROW: usize = 2;
/// A number that has left is back inside once it is within this share of the way from the centre to the edge.
const BACK_WITHIN: f64 = 0.8;
/// The day so far says that a day is ordinary once this share of a usual day has passed.
const TELLING_SHARE: f64 = 0.25;

/// A count beside its usual range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Usual {
    /// What was counted: so far, or in the last hours.
    pub count: f64,
    /// What is usual. While the number is [`State::Moved`], the edge that it crossed is where it comes back.
    pub range: Range,
    /// What the range comes from.
    pub basis: Basis,
}

/// A number that has left its range.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Move {
    /// More or less than usual.
    pub direction: Direction,
    /// Which look shows it.
    pub look: Look,
    /// In which of the slots that have passed today it was first outside, counted from 0.
    pub since: usize,
    /// What was counted.
    pub count: f64,
    /// What is usual.
    pub range: Range,
    /// Whether the day before ended like this.
    pub continues: bool,
}

impl Move {
    /// How much more or less than usual, as a share; `None` if nothing is usual.
    pub fn change(&self) -> Option<f64> {
        self.range.change(self.count)
    }
}

/// Where a number is after the slots that have closed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// There is nothing to compare with.
    Unknown,
    /// Inside its range, or outside for a single slot.
    Ordinary,
    /// Outside.
    Moved(Move),
    /// It had moved and is inside again.
    BackToUsual {
        /// The slot that settled it, counted from 0 among those that have passed today.
        at: usize,
        /// Where it had been.
        was: Direction,
    },
}

/// A change of state, to be told once.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The slot at whose end it was seen, counted from 0 among those that have passed today.
    pub at: usize,
    /// [`State::Moved`] or [`State::BackToUsual`].
    pub to: State,
}

/// All that the closed slots of a day say about a number. The same slots give the same judgement, however often and by
/// whichever process it is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// Where the number is now.
    pub state: State,
    /// The day so far.
    pub by_now: Option<Usual>,
    /// The last hour.
    pub last_hour: Option<Usual>,
    /// The last hour and a half.
    #[serde(default)]
    pub last_ninety_minutes: Option<Usual>,
    /// The last six hours.
    pub last_six_hours: Option<Usual>,
    /// The last twelve hours.
    #[serde(default)]
    pub last_twelve_hours: Option<Usual>,
    /// What happened today, in order. The date and [`Change::at`] name each for good.
    pub changes: Vec<Change>,
}

impl Judgement {
    /// The first move of the day.
    pub fn first_move(&self) -> Option<Move> {
        self.changes.iter().find_map(|change| match change.to {
            State::Moved(moved) => Some(moved),
            _ => None,
        })
    }

    /// The direction in which the number is moved now; to be handed to the judgement of the next day.
    pub fn direction(&self) -> Option<Direction> {
        match self.state {
            State::Moved(moved) => Some(moved.direction),
            _ => None,
        }
    }

    /// Reads all looks at the end of each closed slot, in order. `usual_day` is what usually comes on the whole day.
    pub(crate) fn of(
        looks: Vec<Vec<Seen>>,
        usual_day: f64,
        basis: Option<Basis>,
        carried: Option<Direction>,
    ) -> Self {
        let mut reader = Reader::new(carried, usual_day);
        let mut last_looks = Vec::new();
        for (at, seen) in looks.into_iter().enumerate() {
            reader.read(at, &seen);
            last_looks = seen;
        }
        let Some(basis) = basis else {
            return Self {
                state: State::Unknown,
                by_now: None,
                last_hour: None,
                last_ninety_minutes: None,
                last_six_hours: None,
                last_twelve_hours: None,
                changes: Vec::new(),
            };
        };
        let usual = |look: Look| {
            let seen = last_looks.iter().find(|seen| seen.look == look)?;
            Some(Usual {
                count: seen.count,
                range: reader.range(seen),
                basis,
            })
        };
        Self {
            by_now: usual(Look::SoFar),
            last_hour: usual(Look::LastHour),
            last_ninety_minutes: usual(Look::LastNinetyMinutes),
            last_six_hours: usual(Look::LastSixHours),
            last_twelve_hours: usual(Look::LastTwelveHours),
            state: reader.state,
            changes: reader.changes,
        }
    }
}

/// Reads slot after slot.
struct Reader {
    watches: Vec<Watch>,
    carried: Option<Carried>,
    usual_day: f64,
    state: State,
    changes: Vec<Change>,
}

/// One look: whether it is outside.
struct Watch {
    look: Look,
    /// The side it was on at the last slot, and since when.
    outside: Option<(Direction, usize)>,
    inside_in_a_row: usize,
    moved: Option<Left>,
}

/// A look that has left its range.
#[derive(Clone, Copy)]
struct Left {
    direction: Direction,
    since: usize,
    seen_at: usize,
}

/// A move of the day before that nobody has called off.
struct Carried {
    direction: Direction,
    inside_in_a_row: usize,
}

impl Reader {
    fn new(carried: Option<Direction>, usual_day: f64) -> Self {
        Self {
            watches: Look::ALL.map(Watch::new).into(),
            carried: carried.map(|direction| Carried {
                direction,
                inside_in_a_row: 0,
            }),
            usual_day,
            state: State::Ordinary,
            changes: Vec::new(),
        }
    }

    fn read(&mut self, at: usize, looks: &[Seen]) {
        for seen in looks {
            if let Some(watch) = self
                .watches
                .iter_mut()
                .find(|watch| watch.look == seen.look)
            {
                watch.read(at, seen);
            }
        }
        let before = match self.state {
            State::Moved(moved) => Some(moved),
            _ => None,
        };
        match (self.outermost(looks), before) {
            (Some(moved), before) => {
                let continues = self.carried.take().map(|carried| carried.direction);
                let news = before.is_none_or(|before| before.direction != moved.direction);
                let continues = match before {
                    Some(before) if !news => before.continues,
                    _ => continues == Some(moved.direction),
                };
                self.state = State::Moved(Move { continues, ..moved });
                if news {
                    self.changes.push(Change { at, to: self.state });
                }
            }
            (None, Some(before)) => self.back(at, before.direction),
            (None, None) => {
                let inside = looks
                    .iter()
                    .find(|seen| seen.look == Look::SoFar)
                    .is_some_and(|seen| {
                        seen.range.centre >= TELLING_SHARE * self.usual_day
                            && seen.range.drawn_in(BACK_WITHIN).side(seen.count).is_none()
                    });
                if let Some(carried) = &mut self.carried {
                    carried.inside_in_a_row = if inside {
                        carried.inside_in_a_row + 1
                    } else {
                        0
                    };
                    if carried.inside_in_a_row >= IN_A_ROW {
                        let was = carried.direction;
                        self.carried = None;
                        self.back(at, was);
                    }
                }
            }
        }
    }

    fn back(&mut self, at: usize, was: Direction) {
        self.state = State::BackToUsual { at, was };
        self.changes.push(Change { at, to: self.state });
    }

    /// What the look says that has left its range last; it began when the first one left in the same direction.
    fn outermost(&self, looks: &[Seen]) -> Option<Move> {
        let left = |watch: &Watch| Some((watch.look, watch.moved?));
        let (look, last) = self
            .watches
            .iter()
            .filter_map(left)
            .max_by_key(|(_, left)| left.seen_at)?;
        let since = self
            .watches
            .iter()
            .filter_map(|watch| watch.moved)
            .filter(|left| left.direction == last.direction)
            .map(|left| left.since)
            .min()?;
        let seen = looks.iter().find(|seen| seen.look == look)?;
        Some(Move {
            direction: last.direction,
            look,
            since,
            count: seen.count,
            range: self.range(seen),
            continues: false,
        })
    }

    /// The range with the edge where a number that has left comes back.
    fn range(&self, seen: &Seen) -> Range {
        let watch = self.watches.iter().find(|watch| watch.look == seen.look);
        watch.map_or(seen.range, |watch| watch.range(seen))
    }
}

impl Watch {
    fn new(look: Look) -> Self {
        Self {
            look,
            outside: None,
            inside_in_a_row: 0,
            moved: None,
        }
    }

    fn range(&self, seen: &Seen) -> Range {
        let inner = seen.range.drawn_in(BACK_WITHIN);
        match self.moved.map(|left| left.direction) {
            Some(Direction::Up) => Range {
                high: inner.high,
                ..seen.range
            },
            Some(Direction::Down) => Range {
                low: inner.low,
                ..seen.range
            },
            None => seen.range,
        }
    }

    fn read(&mut self, at: usize, seen: &Seen) {
        if let Some(left) = self.moved {
            if self.range(seen).side(seen.count) == Some(left.direction) {
                self.inside_in_a_row = 0;
            } else {
                self.inside_in_a_row += 1;
            }
            if self.inside_in_a_row >= IN_A_ROW {
                self.moved = None;
            }
        }
        self.outside = match (seen.range.side(seen.count), self.outside) {
            (Some(now), Some((before, since))) if now == before => Some((now, since)),
            (Some(now), _) => Some((now, at)),
            (None, _) => None,
        };
        if let (None, Some((direction, since))) = (self.moved, self.outside)
            && at + 1 >= since + IN_A_ROW
        {
            self.moved = Some(Left {
                direction,
                since,
                seen_at: at,
            });
            self.inside_in_a_row = 0;
        }
    }
}
