//! Alerts on the pages: what is shown until it is dismissed, and what the forms can choose and cannot.

#![allow(clippy::unwrap_used)]

use demo_posthog::Consent;
use jiff::Timestamp;
use pockethog_alerts::{Named, News, Store};
use pockethog_core::live::Change;
use pockethog_core::project::ProjectKey;

use crate::harness::{Harness, location};
use crate::place::signed_in;

const BOXES: [(&str, &str); 3] = [("alerts", "shown"), ("alerts_on", "1"), ("mode", "dark")];

fn goal(name: &str) -> News {
    News::Goal {
        project: Named {
            key: ProjectKey {
                host: "us".to_owned(),
                id: 12,
            },
            name: name.to_owned(),
            time_zone: "UTC".to_owned(),
        },
        goal: "first Paid".parse().unwrap(),
        count: 1,
    }
}

#[tokio::test]
async fn what_was_told_by_any_process_is_shown_until_it_is_dismissed() {
    let harness = signed_in(&Consent::default()).await;
    let app = &harness.app;
    let store = Store::new(&app.state.live().program().folders);
    let told = store
        .tell(Timestamp::now(), |_| vec![goal("<b>Acorn</b>")])
        .unwrap();
    let page = app.text("/").await;
    assert!(!page.contains("Acorn&lt;"), "turned off");
    app.state
        .live()
        .prefer(|preferences| preferences.alerts.on = true)
        .unwrap();
    let page = app.text("/").await;
    assert!(
        page.contains("&lt;b&gt;Acorn&lt;/b&gt;: first “Paid” today"),
        "{page}"
    );
    assert!(page.contains("href=\"/project/us/12\""), "{page}");

    let mut changes = app.state.live().subscribe();
    let number = told[0].number.to_string();
    let answer = app
        .post("/alerts/seen", &[("up_to", number.as_str())])
        .await;
    assert_eq!(location(&answer), "/");
    assert_eq!(changes.recv().await.unwrap(), Change::Alerts);
    assert!(!app.text("/").await.contains("&lt;b&gt;Acorn"));
    // The next one is shown again.
    store
        .tell(Timestamp::now(), |_| vec![goal("Burrow")])
        .unwrap();
    assert!(app.text("/").await.contains("Burrow: first"));
}

#[tokio::test]
async fn the_form_turns_alerts_on_and_no_form_names_a_program() {
    let harness = Harness::new().await;
    let app = &harness.app;
    let alerts = || app.state.live().preferences().0.alerts;
    let command = vec!["mine".to_owned()];
    app.state
        .live()
        .prefer(|preferences| preferences.alerts.command.clone_from(&command))
        .unwrap();
    let fields = [
        &BOXES[..],
        &[
            ("alerts_quiet_hours", "22:00 - 7:00"),
            ("alerts_command", "evil"),
            ("command", "evil"),
            ("alerts.command", "evil"),
        ],
    ];
    app.post("/settings", &fields.concat()).await;
    let chosen = alerts();
    assert!(chosen.on && !chosen.desktop);
    assert_eq!(chosen.quiet_hours.unwrap().to_string(), "22:00-07:00");
    assert_eq!(chosen.command, command);
    let page = app.text("/settings").await;
    assert!(page.contains("value=\"22:00-07:00\""), "{page}");

    // What makes no sense is said, and everything else is saved.
    let fields = [
        &BOXES[..2],
        &[("mode", "light"), ("alerts_quiet_hours", "late")],
    ];
    app.post("/settings", &fields.concat()).await;
    let page = app.text("/settings").await;
    assert!(page.contains("“late” is no span of quiet hours"), "{page}");
    assert!(page.contains("data-mode=\"light\""));
    assert_eq!(alerts().quiet_hours, chosen.quiet_hours);
    // A form without the alerts leaves them as they are.
    app.post("/settings", &[("mode", "dark")]).await;
    assert!(alerts().on);
}

#[tokio::test]
async fn a_goal_that_is_no_number_is_said_and_the_old_ones_stay() {
    let harness = signed_in(&Consent::default()).await;
    let app = &harness.app;
    let id = harness.demo.us().world().projects[0].id;
    let key = ProjectKey {
        host: "us".to_owned(),
        id,
    };
    let path = format!("/project/us/{id}/preferences");
    let page = format!("/project/us/{id}");
    let chosen = || app.state.live().preferences().0.project(&key);
    let send = async |goals: &str| {
        let fields = [
            ("back", page.as_str()),
            ("name", "Acorn"),
            ("muted", "1"),
            ("goals", goals),
        ];
        app.post(&path, &fields).await;
        app.text(&page).await
    };
    assert!(
        send("1,000 visitors\r\n\r\n50 pageviews\r\n")
            .await
            .contains("Saved.")
    );
    assert_eq!(chosen().goals.len(), 2);
    assert!(chosen().muted);
    let answer = send("many visitors").await;
    assert!(answer.contains("“many visitors” is no goal"), "{answer}");
    assert_eq!(chosen().goals.len(), 2);
    let answer = send("first Paid").await;
    assert!(
        answer.contains("“Paid” is not a conversion of this project"),
        "{answer}"
    );
    assert_eq!(chosen().goals.len(), 1);
}
