//! Alerts in words and as JSON: the same in a notification, on the page, in a terminal and for a command.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use pockethog_alerts::{Alert, News, Subject, Words};
use pockethog_core::moves::{Direction, Kind, Metric, Together};
use pockethog_core::overview::time_zone;
use serde_json::{Value, json};

use crate::format::{grouped, hour};
use crate::moved::{self, beside, document as move_document, noun, sentence};
use crate::plain::plain;
use crate::wording::login_command_at;

/// The name of what an alert is about, in JSON: docs/alerts.md lists them.
#[must_use]
pub fn kind(news: &News) -> &'static str {
    match news {
        News::Moved { moved, .. } if moved.metric.is_errors() => "errors",
        News::Moved { moved, .. } => moved::key(moved.kind),
        News::Back { .. } | News::TogetherBack { .. } => moved::key(Kind::BackToUsual),
        News::Together { .. } => "together",
        News::Goal { .. } => "goal",
        News::Ended { .. } => "access_ended",
    }
}

/// The alert in a few words. It names the project.
#[must_use]
pub fn title(news: &News) -> String {
    match news {
        News::Moved { project, moved } => match (moved.kind, moved.direction()) {
            (Kind::Silent, _) => format!("{} is silent", project.name),
            (_, Some(direction)) => {
                format!("{}: {}", project.name, than_usual(&moved.metric, direction))
            }
            (_, None) => format!("{}: back to usual", project.name),
        },
        News::Back { project, was, .. } => match was {
            Subject::Silent => format!("{}: events arrive again", project.name),
            Subject::Number { metric, .. } => {
                format!("{}: {} back to usual", project.name, noun(metric))
            }
        },
        News::Together {
            direction,
            moved,
            of,
        } => {
            let where_to = match direction {
                Direction::Up => "above",
                Direction::Down => "below",
            };
            let (moved, of) = (grouped(*moved as u64), grouped(*of as u64));
            format!("{moved} of {of} projects {where_to} usual")
        }
        News::TogetherBack { .. } => "The projects are back to usual".to_owned(),
        News::Goal { project, goal, .. } => match (&goal.metric, goal.count) {
            (Metric::Conversion(event), 1) => format!("{}: first “{event}” today", project.name),
            (metric, count) => {
                format!(
                    "{}: {} {} today",
                    project.name,
                    grouped(count),
                    noun(metric)
                )
            }
        },
        News::Ended { name, .. } => format!("Access ended: {name}"),
    }
}

/// What else there is to say, at `now`: how much, since when, what to do.
#[must_use]
pub fn text(news: &News, now: Timestamp) -> String {
    match news {
        News::Moved { project, moved } => {
            // A move is told as soon as it is seen, which is before PostHog was asked what made it.
            let said = sentence(moved, None, &zone(&project.time_zone), now).text();
            match (moved.kind, beside(moved, now)) {
                (Kind::Spike | Kind::Drop, usual) if !usual.is_empty() => {
                    format!("{said}; {usual}.")
                }
                _ => said,
            }
        }
        News::Back { project, since, .. } => {
            format!("Since {}.", hour(*since, &zone(&project.time_zone)))
        }
        News::Together {
            direction,
            moved,
            of,
        } => moved::together(Together {
            direction: *direction,
            moved: *moved,
            of: *of,
        }),
        News::TogetherBack { direction } => match direction {
            Direction::Up => "They had been above their usual range at the same time.".to_owned(),
            Direction::Down => "They had been below their usual range at the same time.".to_owned(),
        },
        News::Goal { goal, count, .. } => {
            let counted = match goal.metric {
                Metric::Conversion(_) => format!("{} so far", people(*count)),
                _ => format!("{} {} so far", grouped(*count), noun(&goal.metric)),
            };
            format!("{counted}.")
        }
        News::Ended {
            reason, host, by, ..
        } => {
            let command = login_command_at(host, *by);
            format!("{} In a terminal: `{command}`.", reason.sentence())
        }
    }
}

/// The alert for a notification and for a command, at `now`.
#[must_use]
pub fn words(alert: &Alert, now: Timestamp) -> Words {
    Words {
        title: plain(&title(&alert.news)).into_owned(),
        text: plain(&text(&alert.news, now)).into_owned(),
        document: document(alert).to_string(),
    }
}

/// An alert as JSON; docs/alerts.md documents the fields.
#[must_use]
pub fn document(alert: &Alert) -> Value {
    let news = &alert.news;
    let project = news.project().map(|project| {
        json!({
            "key": project.key.to_string(),
            "name": project.name,
            "time_zone": project.time_zone,
        })
    });
    let moved = match news {
        News::Moved { moved, .. } => Some(move_document(moved)),
        _ => None,
    };
    let (since, was) = match news {
        News::Back { since, was, .. } => (Some(since), Some(was_key(was))),
        _ => (None, None),
    };
    let goal = match news {
        News::Goal { goal, count, .. } => Some(json!({ "goal": goal.to_string(), "count": count })),
        _ => None,
    };
    let together = match news {
        News::Together {
            direction,
            moved,
            of,
        } => Some(json!({ "direction": direction_key(*direction), "moved": moved, "of": of })),
        _ => None,
    };
    let connection = match news {
        News::Ended {
            connection,
            name,
            reason,
            host,
            by,
        } => Some(json!({
            "id": connection.to_string(),
            "name": name,
            "reason": reason,
            "sign_in_with": login_command_at(host, *by),
        })),
        _ => None,
    };
    json!({
        "number": alert.number,
        "at": alert.at,
        "kind": kind(news),
        "title": title(news),
        "text": text(news, alert.at),
        "project": project,
        "move": moved,
        "was": was,
        "since": since,
        "goal": goal,
        "together": together,
        "connection": connection,
    })
}

fn was_key(was: &Subject) -> &'static str {
    match was {
        Subject::Silent => "silent",
        Subject::Number { metric, .. } if metric.is_errors() => "errors",
        Subject::Number {
            direction: Direction::Up,
            ..
        } => "spike",
        Subject::Number {
            direction: Direction::Down,
            ..
        } => "drop",
    }
}

fn direction_key(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}

/// `more visitors than usual`.
fn than_usual(metric: &Metric, direction: Direction) -> String {
    let much = match direction {
        Direction::Up => "more",
        Direction::Down => "fewer",
    };
    format!("{much} {} than usual", noun(metric))
}

fn people(count: u64) -> String {
    match count {
        1 => "1 person".to_owned(),
        count => format!("{} people", grouped(count)),
    }
}

fn zone(name: &str) -> TimeZone {
    time_zone(name).unwrap_or(TimeZone::UTC)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use pockethog_alerts::Named;
    use pockethog_core::moves::{Basis, ERRORS, Look, Move, UsualRange};
    use pockethog_core::project::ProjectKey;
    use sign_in_with_posthog::{CredentialKind, Host, Region};

    fn project() -> Named {
        Named {
            key: ProjectKey {
                host: "us".into(),
                id: 12,
            },
            name: "Acorn <Market>".into(),
            time_zone: "Europe/Berlin".into(),
        }
    }

    fn moved(kind: Kind, metric: Metric) -> News {
        News::Moved {
            project: project(),
            moved: Move {
                kind,
                metric,
                since: "2026-11-28T12:15:00Z".parse().unwrap(),
                look: Look::SoFar,
                count: 457,
                usual: Some(UsualRange {
                    centre: 580.0,
                    low: 540,
                    high: 620,
                }),
                basis: Some(Basis::Weeks(8)),
                usual_gap: Some(540),
                continues: false,
            },
        }
    }

    fn all() -> Vec<News> {
        let back = |was| News::Back {
            project: project(),
            was,
            since: "2026-11-28T16:00:00Z".parse().unwrap(),
        };
        let goal = |goal: &str, count| News::Goal {
            project: project(),
            goal: goal.parse().unwrap(),
            count,
        };
        vec![
            moved(Kind::Drop, Metric::Visitors),
            moved(Kind::Spike, Metric::Conversion("Paid".into())),
            moved(Kind::Spike, Metric::Conversion(ERRORS.into())),
            moved(Kind::Silent, Metric::Visitors),
            back(Subject::Silent),
            back(Subject::Number {
                metric: Metric::Visitors,
                direction: Direction::Down,
            }),
            goal("1000 visitors", 1003),
            goal("first Paid", 1),
            goal("20 Paid", 21),
            News::Together {
                direction: Direction::Down,
                moved: 9,
                of: 14,
            },
            News::TogetherBack {
                direction: Direction::Down,
            },
            News::Ended {
                connection: serde_json::from_value(json!("us-1")).unwrap(),
                name: "US Cloud as Ada Lovelace".into(),
                reason: serde_json::from_value(json!("revoked_or_expired")).unwrap(),
                host: Host::cloud(Region::Us),
                by: CredentialKind::OAuth,
            },
        ]
    }

    #[test]
    fn every_alert_says_what_happened_where_and_since_when() {
        let now = "2026-11-28T17:00:00Z".parse().unwrap();
        let lines = all()
            .into_iter()
            .map(|news| format!("{}: {} | {}\n", kind(&news), title(&news), text(&news, now)));
        insta::assert_snapshot!(lines.collect::<String>());
    }

    #[test]
    fn every_alert_as_json() {
        let documents = (1..).zip(all()).map(|(number, news)| {
            let document = document(&Alert {
                number,
                at: "2026-11-28T17:00:00Z".parse().unwrap(),
                news,
            });
            format!("{document}\n")
        });
        insta::assert_snapshot!(documents.collect::<String>());
    }
}
