//! The alerts that the person has not seen yet, on top of every page that is kept up to date.

use jiff::Timestamp;
use maud::{Markup, html};
use pockethog_alerts::{Alert, News};

use super::icons;
use super::project_path;
use crate::alerts::{text, title};
use crate::format::ago;

/// The id of the element, by which it is replaced.
pub const ID: &str = "alerts";

/// Alerts that are shown by themselves.
const MOST: usize = 3;

/// Alerts as notices, the newest first, with a way to dismiss them. The element is there without any, so that the first
/// one has a place.
pub fn render(alerts: &[Alert], now: Timestamp) -> Markup {
    let newest = alerts.iter().map(|alert| alert.number).max();
    html! {
        section.alerts #(ID) aria-label="Alerts" aria-live="polite" {
            @for alert in alerts.iter().take(MOST) {
                div.notice.warn {
                    (icons::warning())
                    p { b { bdi { (title(&alert.news)) } } " " bdi { (text(&alert.news, now)) } " " small.muted { (ago(alert.at, now)) } }
                    a.button.small href=(path(&alert.news)) { "Open" span.hidden-label { " " (title(&alert.news)) } }
                }
            }
            @if let Some(newest) = newest {
                form.dismiss method="post" action="/alerts/seen" {
                    input type="hidden" name="up_to" value=(newest);
                    @if alerts.len() > MOST { span.muted { "and " (alerts.len() - MOST) " earlier" } }
                    button.button.small type="submit" { @if alerts.len() == 1 { "Dismiss" } @else { "Dismiss all" } }
                }
            }
        }
    }
}

/// The page that shows it.
fn path(news: &News) -> String {
    news.project()
        .map_or_else(|| "/".to_owned(), |project| project_path(&project.key))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use pockethog_alerts::Named;
    use pockethog_core::project::ProjectKey;

    fn alert(number: u64) -> Alert {
        Alert {
            number,
            at: "2026-11-28T12:00:00Z".parse().unwrap(),
            news: News::Goal {
                project: Named {
                    key: ProjectKey {
                        host: "us".into(),
                        id: 12,
                    },
                    name: "<script>alert(1)</script>".into(),
                    time_zone: "UTC".into(),
                },
                goal: "first <img>".parse().unwrap(),
                count: 1,
            },
        }
    }

    #[test]
    fn names_are_data_and_the_newest_are_shown() {
        let now = "2026-11-28T12:03:00Z".parse().unwrap();
        let html = render(&(1..=5).rev().map(alert).collect::<Vec<_>>(), now).0;
        assert!(
            !html.contains("<script>") && !html.contains("<img>"),
            "{html}"
        );
        assert_eq!(html.matches("class=\"notice warn\"").count(), 3);
        assert!(
            html.contains("and 2 earlier") && html.contains("value=\"5\""),
            "{html}"
        );
        let none = render(&[], now).0;
        assert!(
            none.contains("id=\"alerts\"") && !none.contains("form"),
            "{none}"
        );
    }
}
