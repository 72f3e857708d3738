//! What the screen of a project says about numbers and annotations that are missing or old.

use crate::format::ago;
use crate::sentence::sentence;
use pockethog_core::snapshot::Trouble;
use pockethog_screens::ProjectScreen;

/// Why the numbers are missing or not those of now, and how old they are.
pub fn trouble(screen: &ProjectScreen) -> Option<String> {
    let measured = screen.period.as_ref().map(|period| period.measured_at);
    let age = measured.map(|at| format!("The numbers are from {}.", ago(at, screen.now)));
    match (screen.ended, &screen.trouble) {
        // That access has ended, and why, is said on top.
        (Some(reason), _) => Some(age.unwrap_or_else(|| reason.sentence().to_owned())),
        (None, Some(trouble)) => {
            let reason = sentence(&trouble.reason);
            Some(match age {
                Some(age) => format!("{reason} {age}"),
                None => reason,
            })
        }
        (None, None) => None,
    }
}

/// Why the annotations are missing or old.
pub fn annotation_trouble(trouble: &Trouble) -> String {
    let reason = sentence(&trouble.reason);
    format!("Annotations could not be refreshed: {reason}")
}
