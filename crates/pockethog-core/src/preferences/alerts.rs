//! What a person wants to be told of, and when.

pub use pockethog_device::quiet_hours::{NoQuietHours, QuietHours};
pub use pockethog_numbers::goal::{Goal, NoGoal};
use serde::{Deserialize, Serialize};

/// The alerts of this device: the table `[alerts]`. Version 0.1.0 does not know it: not written unless chosen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Alerts {
    /// Whether anything is told at all. Off unless the person turns it on: PocketHog then asks PostHog for numbers while
    /// nobody looks, and interrupts.
    pub on: bool,
    /// Whether desktop notifications are shown.
    pub desktop: bool,
    /// Whether a rise of errors is told: people with an exception are counted beside the conversions.
    pub errors: bool,
    /// When nothing is told, by the clock of this device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quiet_hours: Option<QuietHours>,
    /// A program of the person's own with its arguments: it gets each alert as JSON. Never set by a page.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
}

impl Default for Alerts {
    fn default() -> Self {
        Self {
            on: false,
            desktop: true,
            errors: false,
            quiet_hours: None,
            command: Vec::new(),
        }
    }
}
