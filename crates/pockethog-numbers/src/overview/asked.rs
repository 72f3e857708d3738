//! What numbers depend on besides the events.

use serde::{Deserialize, Serialize};

use super::hogql::CONVERSION_COLUMNS;

/// Conversion events that are counted by quarter of an hour. The page lets a person choose ten of them; a file can
/// name more.
pub const MOST_CONVERSIONS: usize = CONVERSION_COLUMNS.len();

/// What the numbers of a project depend on besides its events. Numbers are comparable only if they were asked for in the
/// same way.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// The project's time zone, as PostHog names it.
    pub time_zone: String,
    /// The chosen conversion events, at most [`MOST_CONVERSIONS`].
    pub conversions: Vec<String>,
}

impl Asked {
    /// What is asked of a project in this zone with these conversion events.
    pub fn new(time_zone: &str, conversions: &[String]) -> Self {
        Self {
            time_zone: time_zone.to_owned(),
            conversions: conversions.iter().take(MOST_CONVERSIONS).cloned().collect(),
        }
    }
}
