//! Annotations on the time line of a project.
//!
//! An annotation is read with a version, and written only while that version is current: PostHog takes the last
//! writer's word, so the comparison is ours. Days and times are in the project's time zone.
//! Annotations of a whole organization are left alone: changing one moves it to the project in the address.

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};
use posthog_api::annotations::LONGEST_CONTENT;
use posthog_api::{AnnotationChange, AnnotationScope, Bearer, Client, Error, NewAnnotation};
use ring::digest;
use serde::{Deserialize, Serialize};

use crate::age;

/// Days back that annotations are read for: the longest range of the project page, and a few.
const DAYS_BACK: i64 = 100;

/// Days ahead that an annotation may be. A release can be planned; a typing error is years away.
const DAYS_AHEAD: i64 = 366;

/// An annotation is near a move within six hours of its start, in seconds: a release is noted in the morning, and a link
/// to it is found over lunch.
const NEAR_SECONDS: u64 = 6 * 3600;

/// The annotations of a project around now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotations {
    /// When PostHog was asked.
    pub measured_at: Timestamp,
    /// The annotations, oldest first.
    #[serde(rename = "notes")]
    pub annotations: Vec<Annotation>,
}

/// An annotation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Annotation {
    /// Its number at PostHog.
    pub id: u64,
    /// Its text.
    pub text: String,
    /// The instant it marks.
    pub at: Timestamp,
    /// Given name of who wrote it, if known.
    pub author: Option<String>,
    /// True if it belongs to the whole organization.
    pub organization_wide: bool,
    /// Changes whenever the annotation is changed, here or elsewhere.
    pub version: String,
}

impl Annotations {
    /// Takes in at `now` what has become of the annotation `id`: changed, new, or gone.
    pub fn put(&mut self, id: u64, annotation: Option<Annotation>, now: Timestamp) {
        self.annotations.retain(|known| known.id != id);
        self.annotations.extend(annotation);
        self.annotations
            .sort_by_key(|annotation| (annotation.at, annotation.id));
        self.measured_at = age::trusted(self.measured_at, now).map_or(now, |at| at.max(now));
    }

    /// The annotation that may be about what began at `at`: the nearest one within some hours.
    #[must_use]
    pub fn near(&self, at: Timestamp) -> Option<&Annotation> {
        let apart = |annotation: &Annotation| {
            let seconds = annotation.at.as_second() - at.as_second();
            seconds.unsigned_abs()
        };
        let near = self.annotations.iter();
        let near = near.filter(|annotation| {
            apart(annotation) <= NEAR_SECONDS && !annotation.text.trim().is_empty()
        });
        near.min_by_key(|annotation| apart(annotation))
    }
}

impl Annotation {
    /// An annotation as PostHog's API describes it. `None` if it marks no instant.
    pub fn from_posthog(annotation: &posthog_api::Annotation) -> Option<Self> {
        let at = annotation.date_marker?;
        let text = annotation.content.clone().unwrap_or_default();
        // Old servers do not tell when an annotation was changed; then what it says is its version.
        let version = annotation
            .updated_at
            .map_or_else(|| hash(&format!("{at}\n{text}")), |at| at.to_string());
        Some(Self {
            id: annotation.id,
            at,
            author: annotation
                .created_by
                .as_ref()
                .and_then(|author| author.first_name.clone())
                .filter(|name| !name.trim().is_empty()),
            organization_wide: annotation.scope == AnnotationScope::Organization,
            version,
            text,
        })
    }

    /// Day and time in a time zone, as the form and the command line take them: `2026-11-05`, `14:30`.
    pub fn day_and_time(&self, zone: &TimeZone) -> (String, String) {
        let local = self.at.to_zoned_datetime(zone.clone());
        (
            local.strftime("%Y-%m-%d").to_string(),
            local.strftime("%H:%M").to_string(),
        )
    }
}

/// What a person wrote, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// 1 to 8,192 characters.
    pub text: String,
    /// The instant it marks.
    pub at: Timestamp,
    /// The time as typed, if the zone's clocks leave it out that day and the annotation was moved.
    pub moved_from: Option<DateTime>,
}

/// Why an annotation cannot be saved as it was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DraftError {
    /// No text.
    #[error("An annotation needs a text.")]
    Empty,
    /// More than a year ahead.
    #[error("{day} is more than a year ahead. Is the year right?")]
    FarAhead {
        /// The day as typed.
        day: String,
    },
    /// Not a day, or one beyond all calendars.
    #[error("“{day}” is not a day. Write it as 2026-11-05.")]
    NoDay {
        /// What was typed.
        day: String,
    },
    /// Not a time of day.
    #[error("“{time}” is not a time of day. Write it as 14:30.")]
    NoTime {
        /// What was typed.
        time: String,
    },
    /// PostHog does not take it.
    #[error("The text has {length} characters; PostHog allows at most {LONGEST_CONTENT}.")]
    TooLong {
        /// Its length in characters.
        length: usize,
    },
}

impl Draft {
    /// Reads what a person wrote. A time that occurs twice that day is the first one; one that does
    /// not occur is as much later as the clocks are put forward.
    ///
    /// # Errors
    ///
    /// See [`DraftError`].
    pub fn parse(
        text: &str,
        day: &str,
        time: &str,
        zone: &TimeZone,
        now: Timestamp,
    ) -> Result<Self, DraftError> {
        let text = checked(text)?;
        let day = day.trim();
        let no_day = || DraftError::NoDay {
            day: day.to_owned(),
        };
        let date: Date = day.parse().map_err(|_| no_day())?;
        let time: Time = time.trim().parse().map_err(|_| DraftError::NoTime {
            time: time.trim().to_owned(),
        })?;
        let typed = date.to_datetime(time);
        let ambiguous = zone.to_ambiguous_timestamp(typed);
        let left_out = matches!(ambiguous.offset(), AmbiguousOffset::Gap { .. });
        let at = ambiguous.compatible().map_err(|_| no_day())?;
        if at > now.saturating_add((DAYS_AHEAD * 24).hours()).unwrap_or(now) {
            return Err(DraftError::FarAhead {
                day: day.to_owned(),
            });
        }
        Ok(Self {
            text,
            at,
            moved_from: left_out.then_some(typed),
        })
    }

    /// A text at an instant.
    ///
    /// # Errors
    ///
    /// A text that PostHog does not take.
    pub fn new(text: &str, at: Timestamp) -> Result<Self, DraftError> {
        Ok(Self {
            text: checked(text)?,
            at,
            moved_from: None,
        })
    }

    fn as_annotation(&self, id: u64) -> Annotation {
        Annotation {
            id,
            text: self.text.clone(),
            at: self.at,
            author: None,
            organization_wide: false,
            version: String::new(),
        }
    }

    /// A sentence about a time that was moved, if it was.
    pub fn remark(&self, zone: &TimeZone) -> Option<String> {
        let typed = self.moved_from?;
        let saved = self.at.to_zoned_datetime(zone.clone());
        Some(format!(
            "{} does not exist on {} in {}, because the clocks go forward; the annotation is at {}.",
            typed.strftime("%H:%M"),
            typed.strftime("%-d %b"),
            zone.iana_name().unwrap_or("UTC"),
            saved.strftime("%H:%M"),
        ))
    }
}

/// Why an annotation was not changed.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChangeError {
    /// PostHog or the network said no.
    #[error(transparent)]
    Api(#[from] Error),
    /// Somebody else changed it since it was read.
    #[error("somebody else has changed this annotation in the meantime")]
    Conflict(Box<Annotation>),
    /// It is not there any longer.
    #[error("this annotation has been deleted in the meantime")]
    Gone,
    /// It belongs to the whole organization.
    #[error("this annotation belongs to the whole organization; change it in PostHog")]
    OrganizationWide,
}

/// The annotations of a project from a hundred days ago to a year ahead, organization-wide ones included.
///
/// # Errors
///
/// What PostHog or the network said.
pub async fn read<B: Bearer>(
    client: &Client<B>,
    project: u64,
    now: Timestamp,
) -> Result<Annotations, Error> {
    let at = |days: i64| now.saturating_add((days * 24).hours()).unwrap_or(now);
    let found = client
        .annotations(project, at(-DAYS_BACK), at(DAYS_AHEAD + 1))
        .await?;
    Ok(Annotations {
        measured_at: now,
        annotations: found.iter().filter_map(Annotation::from_posthog).collect(),
    })
}

/// Adds an annotation to one project, and returns it as it is there.
///
/// # Errors
///
/// What PostHog or the network said.
pub async fn add<B: Bearer>(
    client: &Client<B>,
    project: u64,
    draft: &Draft,
) -> Result<Annotation, Error> {
    let new = NewAnnotation {
        content: draft.text.clone(),
        date_marker: draft.at,
    };
    let made = client.create_annotation(project, &new).await?;
    Ok(Annotation::from_posthog(&made).unwrap_or_else(|| draft.as_annotation(made.id)))
}

/// Changes an annotation that is still at `version`, and returns it as it is then. Its instant is kept to
/// the second where day and time stay the same.
///
/// # Errors
///
/// See [`ChangeError`].
pub async fn edit<B: Bearer>(
    client: &Client<B>,
    project: u64,
    id: u64,
    version: &str,
    draft: &Draft,
    zone: &TimeZone,
) -> Result<Annotation, ChangeError> {
    let now = current(client, project, id).await?;
    if now.version != version {
        return Err(ChangeError::Conflict(Box::new(now)));
    }
    let wanted = Annotation {
        at: draft.at,
        ..now.clone()
    };
    let change = AnnotationChange {
        content: (draft.text != now.text).then(|| draft.text.clone()),
        date_marker: (wanted.day_and_time(zone) != now.day_and_time(zone)).then_some(draft.at),
        deleted: None,
    };
    if change == AnnotationChange::default() {
        return Ok(now);
    }
    let changed = client.change_annotation(project, id, &change).await?;
    Ok(Annotation::from_posthog(&changed).unwrap_or(wanted))
}

/// Deletes an annotation and returns it, for [`bring_back`]. One that is gone already is no error: `None`.
///
/// # Errors
///
/// See [`ChangeError`].
pub async fn delete<B: Bearer>(
    client: &Client<B>,
    project: u64,
    id: u64,
) -> Result<Option<Annotation>, ChangeError> {
    let annotation = match current(client, project, id).await {
        Err(ChangeError::Gone) => return Ok(None),
        found => found?,
    };
    client
        .change_annotation(project, id, &deleted(true))
        .await?;
    Ok(Some(annotation))
}

/// Takes a deletion back, and returns the annotation as it is then.
///
/// # Errors
///
/// What PostHog or the network said.
pub async fn bring_back<B: Bearer>(
    client: &Client<B>,
    project: u64,
    id: u64,
) -> Result<Option<Annotation>, Error> {
    let back = client
        .change_annotation(project, id, &deleted(false))
        .await?;
    Ok(Annotation::from_posthog(&back))
}

/// The annotation as it is at PostHog, if it may be changed from here.
async fn current<B: Bearer>(
    client: &Client<B>,
    project: u64,
    id: u64,
) -> Result<Annotation, ChangeError> {
    let annotation = match client.annotation(project, id).await {
        Err(Error::NotFound(_)) => return Err(ChangeError::Gone),
        found => found?,
    };
    match annotation.scope {
        _ if annotation.deleted => Err(ChangeError::Gone),
        AnnotationScope::Organization => Err(ChangeError::OrganizationWide),
        _ => Annotation::from_posthog(&annotation).ok_or(ChangeError::Gone),
    }
}

fn deleted(deleted: bool) -> AnnotationChange {
    AnnotationChange {
        deleted: Some(deleted),
        ..AnnotationChange::default()
    }
}

/// A text that PostHog takes.
fn checked(text: &str) -> Result<String, DraftError> {
    let text = clean(text);
    if text.is_empty() {
        return Err(DraftError::Empty);
    }
    let length = text.chars().count();
    if length > LONGEST_CONTENT {
        return Err(DraftError::TooLong { length });
    }
    Ok(text)
}

/// Line ends as PostHog writes them, no characters that a database refuses, nothing blank around.
fn clean(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    let shown = |c: &char| !c.is_control() || matches!(c, '\n' | '\t');
    lines
        .chars()
        .filter(shown)
        .collect::<String>()
        .trim()
        .to_owned()
}

fn hash(text: &str) -> String {
    let hash = digest::digest(&digest::SHA256, text.as_bytes());
    let bytes = hash.as_ref().iter().take(8);
    let number = bytes.fold(0_u64, |number, &byte| number << 8 | u64::from(byte));
    format!("{number:016x}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn now() -> Timestamp {
        "2026-03-01T12:00:00Z".parse().unwrap()
    }

    fn parse(text: &str, day: &str, time: &str, zone: &str) -> Result<Draft, DraftError> {
        Draft::parse(text, day, time, &TimeZone::get(zone).unwrap(), now())
    }

    #[test]
    fn the_nearest_note_within_six_hours_of_a_move_is_near_it() {
        let note = |id: u64, at: &str| Annotation {
            id,
            text: format!("note {id}"),
            at: at.parse().unwrap(),
            author: None,
            organization_wide: false,
            version: String::new(),
        };
        let annotations = Annotations {
            measured_at: now(),
            annotations: vec![
                note(1, "2026-03-01T05:00:00Z"),
                note(2, "2026-03-01T09:00:00Z"),
                note(3, "2026-03-01T16:30:00Z"),
            ],
        };
        let near = |at: &str| annotations.near(at.parse().unwrap()).map(|near| near.id);
        assert_eq!(near("2026-03-01T10:00:00Z"), Some(2));
        assert_eq!(near("2026-03-01T22:30:00Z"), Some(3));
        assert_eq!(near("2026-03-01T22:31:00Z"), None);
    }

    #[test]
    fn a_time_is_that_of_the_project() {
        let draft = parse("x", "2026-02-05", "14:30", "Asia/Kolkata").unwrap();
        assert_eq!(draft.at.to_string(), "2026-02-05T09:00:00Z");
        assert_eq!(draft.moved_from, None);
    }

    #[test]
    fn a_time_that_the_clocks_leave_out_is_moved_and_said_so() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let draft = parse("x", "2026-03-29", "02:30", "Europe/Berlin").unwrap();
        assert_eq!(draft.at.to_string(), "2026-03-29T01:30:00Z");
        assert_eq!(
            draft.remark(&zone).unwrap(),
            "02:30 does not exist on 29 Mar in Europe/Berlin, because the clocks go forward; \
             the annotation is at 03:30."
        );
    }

    #[test]
    fn a_time_that_occurs_twice_is_the_first_one() {
        let draft = parse("x", "2026-10-25", "02:30", "Europe/Berlin").unwrap();
        assert_eq!(draft.at.to_string(), "2026-10-25T00:30:00Z");
    }

    #[test]
    fn length_is_counted_in_characters() {
        let text = "ü".repeat(LONGEST_CONTENT);
        assert_eq!(
            parse(&text, "2026-02-05", "14:30", "UTC").unwrap().text,
            text
        );
        let error = parse(&format!("{text}ü"), "2026-02-05", "14:30", "UTC").unwrap_err();
        assert_eq!(error, DraftError::TooLong { length: 8193 });
    }

    #[test]
    fn blanks_are_no_text_and_line_ends_are_one_character() {
        let error = parse(" \r\n\t ", "2026-02-05", "14:30", "UTC").unwrap_err();
        assert_eq!(error, DraftError::Empty);
        let draft = parse(" a\r\nb\0 ", "2026-02-05", "14:30", "UTC").unwrap();
        assert_eq!(draft.text, "a\nb");
    }

    #[test]
    fn a_planned_day_is_fine_and_the_far_future_is_not() {
        assert!(parse("x", "2026-12-24", "09:00", "UTC").is_ok());
        let error = parse("x", "2206-03-01", "09:00", "UTC").unwrap_err();
        assert!(error.to_string().contains("more than a year ahead"));
    }

    #[test]
    fn what_is_no_day_or_time_is_named() {
        for (day, time) in [
            ("2026-02-30", "09:00"),
            ("", "09:00"),
            ("2026-02-01", "25:00"),
        ] {
            assert!(parse("x", day, time, "UTC").is_err(), "{day} {time}");
        }
    }

    #[test]
    fn without_a_date_of_change_the_content_is_the_version() {
        let annotation = |content: &str| {
            let annotation = serde_json::from_value(serde_json::json!({
                "id": 1, "content": content, "date_marker": "2026-02-05T00:00:00Z", "scope": "project"
            }))
            .unwrap();
            Annotation::from_posthog(&annotation).unwrap()
        };
        assert_eq!(annotation("a").version, annotation("a").version);
        assert_ne!(annotation("a").version, annotation("b").version);
    }
}
