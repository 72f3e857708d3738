//! Signing in and out.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use demo_posthog::{ApiKeyOptions, Consent, Endpoint, Failure, Fault, When};

use crate::harness::{Harness, Started, visit};
use crate::shape::shape;

#[tokio::test(flavor = "multi_thread")]
async fn the_browser_that_is_named_signs_in() {
    let harness = Harness::new().await;
    let fifo = harness.file("address");
    let browser = harness.browser(&fifo);
    let mut command = harness.command(&["login", "us", "--json"]);
    let child = command.env("BROWSER", browser).spawn().unwrap();
    let address = tokio::task::spawn_blocking(move || std::fs::read_to_string(fifo))
        .await
        .unwrap()
        .unwrap();
    // Every user of the machine can read it: no state, no client, nothing that PostHog takes.
    assert!(address.starts_with("http://127.0.0.1:"), "{address}");
    assert!(
        !address.contains("state=") && !address.contains("/oauth/"),
        "{address}"
    );
    let us = harness.demo.us().clone();
    let (stolen, page) = tokio::task::spawn_blocking(move || {
        let started = Started::at(address.trim());
        let redirect = us.consent(&started.location, &Consent::default());
        (visit(&redirect, ""), visit(&redirect, &started.cookie))
    })
    .await
    .unwrap();
    assert!(stolen.starts_with("HTTP/1.1 400"), "{stolen}");
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(
        page.contains("history.replaceState"),
        "the code stays in the address"
    );
    assert!(page.contains("<svg"), "the page has the look of the app");
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["connection"]["host"], "us");
    assert_eq!(document["connection"]["state"], "active");
    insta::assert_snapshot!("login", shape(&document));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_pasted_where_the_browser_is_elsewhere() {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    let harness = Harness::new().await;
    let mut command = harness.command(&["login", "eu", "--no-browser"]);
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut turned_away = false;
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains("/oauth/authorize") {
            let redirect = harness.demo.eu().consent(line.trim(), &Consent::default());
            stdin.write_all(b"nonsense\n").await.unwrap();
            stdin.write_all(redirect.as_bytes()).await.unwrap();
            stdin.write_all(b"\n").await.unwrap();
        }
        turned_away |= line.contains("That address does not work");
    }
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(said.starts_with("Connected to EU Cloud as "), "{said}");
    assert!(turned_away);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_was_opened_by_somebody_else_first_is_told_and_another_serves() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let harness = Harness::new().await;
    let fifo = harness.file("address");
    let browser = harness.browser(&fifo);
    let mut command = harness.command(&["login", "us"]);
    let mut child = command.env("BROWSER", browser).spawn().unwrap();
    let address = tokio::task::spawn_blocking(move || std::fs::read_to_string(fifo));
    let address = address.await.unwrap().unwrap().trim().to_owned();
    let us = harness.demo.us().clone();
    let (thief, own) = tokio::task::spawn_blocking(move || {
        let thief = Started::at(&address);
        let own = visit(&address, "");
        let redirect = us.consent(&thief.location, &Consent::default());
        (visit(&redirect, &thief.cookie), own)
    })
    .await
    .unwrap();
    assert!(own.contains("has already been opened"), "{own}");
    assert!(thief.starts_with("HTTP/1.1 400"), "{thief}");
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        said.push_str(&line);
        if said.contains("Two browsers opened") && line.contains("/start/") {
            let start = line.trim().to_owned();
            let us = harness.demo.us().clone();
            tokio::task::spawn_blocking(move || {
                let own = Started::at(&start);
                visit(&us.consent(&own.location, &Consent::default()), &own.cookie)
            });
        }
    }
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0), "{said}");
}

/// A key at US Cloud, and then a sign-in there with this consent.
async fn login_over_a_key(consent: &Consent<'_>) -> (Harness, serde_json::Value, String) {
    let harness = Harness::new().await;
    let key = harness.demo.us().create_api_key(ApiKeyOptions::default());
    harness
        .run_with_input(&["login", "us", "--api-key"], &key)
        .await
        .ended(0);
    harness.run(&["projects"]).await.ended(0);
    let run = harness
        .login(harness.demo.us(), "us", consent)
        .await
        .ended(0);
    (harness, run.json(), run.err)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_in_takes_the_place_of_the_key_for_the_same_host() {
    let (harness, document, said) = login_over_a_key(&Consent::default()).await;
    assert_eq!(document["removed_keys"].as_array().unwrap().len(), 1);
    assert!(said.contains("your API key is no longer used"), "{said}");
    let status = harness.run(&["status", "--json"]).await.ended(0).json();
    let kinds: Vec<_> = status["connections"].as_array().unwrap().iter().collect();
    assert_eq!(kinds.len(), 1, "{status}");
    assert_eq!(kinds[0]["kind"], "oauth");
    let projects = harness.run(&["projects", "--json"]).await.ended(0).json();
    let expected = harness.demo.us().world().projects.len();
    assert_eq!(projects["projects"].as_array().unwrap().len(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_sign_in_of_somebody_else_the_key_is_used_again() {
    let (harness, document, said) = login_over_a_key(&Consent::default()).await;
    let id = document["connection"]["id"].as_str().unwrap();
    assert!(document["removed_keys"][0].is_string(), "{document}");
    assert!(
        said.contains("removed from this device after a day"),
        "{said}"
    );
    let run = harness.run(&["logout", id, "--not-me", "--json"]).await;
    assert_eq!(
        run.ended(0).json()["restored_keys"],
        document["removed_keys"]
    );
    let status = harness.run(&["status", "--json"]).await.ended(0).json();
    let connections = status["connections"].as_array().unwrap();
    assert_eq!(connections.len(), 1, "{status}");
    assert_eq!(connections[0]["kind"], "api_key");
    let projects = harness.run(&["projects", "--json"]).await.ended(0).json();
    let expected = harness.demo.us().world().projects.len();
    assert_eq!(projects["projects"].as_array().unwrap().len(), expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_deleted_at_posthog_goes_and_that_is_said() {
    for reach in [
        demo_posthog::Reach::All,
        demo_posthog::Reach::Projects(vec![11]),
    ] {
        let harness = Harness::new().await;
        let key = harness.demo.us().create_api_key(ApiKeyOptions::default());
        harness
            .run_with_input(&["login", "us", "--api-key"], &key)
            .await
            .ended(0);
        harness.run(&["projects"]).await.ended(0);
        harness.demo.us().delete_api_key(&key);
        let consent = Consent {
            reach: reach.clone(),
            ..Consent::default()
        };
        let run = harness
            .login(harness.demo.us(), "us", &consent)
            .await
            .ended(0);
        let said = &run.err;
        assert!(said.contains("no longer accepts your API key"), "{said}");
        assert!(!said.contains("just now"), "{said}");
        let (gone, stays) = match reach {
            demo_posthog::Reach::All => (1, 0),
            _ => (0, 1),
        };
        let document = run.json();
        assert_eq!(document["removed_keys"].as_array().unwrap().len(), gone);
        assert_eq!(document["kept_keys"].as_array().unwrap().len(), stays);
        assert_eq!(
            said.contains("that only it could read"),
            stays == 1,
            "{said}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_reach_posthog_will_not_say_stays_and_the_reason_is_said() {
    let harness = Harness::new().await;
    let key = harness.demo.us().create_api_key(ApiKeyOptions::default());
    harness
        .run_with_input(&["login", "us", "--api-key"], &key)
        .await
        .ended(0);
    harness.demo.us().fail_next(Failure {
        endpoint: Endpoint::OrganizationProjects,
        times: 100,
        what: Fault::Status {
            code: 403,
            body: r#"{"type":"authentication_error","code":"permission_denied","detail":"No."}"#
                .to_owned(),
            content_type: "application/json".to_owned(),
            retry_after: None,
        },
        when: When::Before,
    });
    let run = harness
        .login(harness.demo.us(), "us", &Consent::default())
        .await;
    let run = run.ended(0);
    assert!(
        run.err.contains("does not say everything that it can read"),
        "{run:?}"
    );
    assert!(!run.err.contains("just now"), "{run:?}");
    assert_eq!(run.json()["kept_keys"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_whose_list_failed_before_is_listed_again_before_it_goes() {
    let harness = Harness::new().await;
    let key = harness.demo.us().create_api_key(ApiKeyOptions::default());
    harness
        .run_with_input(&["login", "us", "--api-key"], &key)
        .await
        .ended(0);
    harness.run(&["projects"]).await.ended(0);
    // As an attempt without a network leaves it: an empty list.
    let path = harness.file("home/cache/snapshots.sqlite");
    let database = rusqlite::Connection::open(path).unwrap();
    database.execute("DELETE FROM projects", []).unwrap();
    drop(database);
    let consent = Consent {
        reach: demo_posthog::Reach::Projects(vec![11]),
        ..Consent::default()
    };
    let run = harness
        .login(harness.demo.us(), "us", &consent)
        .await
        .ended(0);
    assert!(run.err.contains("The key is kept for"), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_reaches_more_than_the_sign_in_stays_and_that_is_said() {
    let consent = Consent {
        reach: demo_posthog::Reach::Projects(vec![11]),
        ..Consent::default()
    };
    let (harness, document, said) = login_over_a_key(&consent).await;
    assert_eq!(document["kept_keys"].as_array().unwrap().len(), 1, "{said}");
    assert!(said.contains("The key is kept for"), "{said}");
    assert!(said.contains("pockethog logout us-"), "{said}");
    let status = harness.run(&["status", "--json"]).await.ended(0).json();
    assert_eq!(status["connections"].as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_consent_changes_nothing() {
    let harness = Harness::new().await;
    let deny = Consent {
        deny: true,
        ..Consent::default()
    };
    let run = harness.login(harness.demo.us(), "us", &deny).await.ended(1);
    assert_eq!(run.json()["error"]["kind"], "failed");
    assert!(run.err.contains("denied"), "{run:?}");
    harness.run(&["status"]).await.ended(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_read_from_standard_input_with_blanks_around_it() {
    let harness = Harness::new().await;
    let key = harness.demo.us().create_api_key(ApiKeyOptions::default());
    let run = harness
        .run_with_input(
            &["login", "us", "--api-key", "--json"],
            &format!("  {key} \n"),
        )
        .await
        .ended(0);
    assert_eq!(run.json()["connection"]["kind"], "api_key");
    assert!(!run.out.contains(&key) && !run.err.contains(&key));
    harness.run(&["projects"]).await.ended(0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_does_not_fit_is_told_why() {
    let harness = Harness::new().await;
    let us = harness.demo.us();
    let key = us.create_api_key(ApiKeyOptions::default());
    let narrow = us.create_api_key(ApiKeyOptions {
        scopes: "project:read".to_owned(),
        ..ApiKeyOptions::default()
    });
    for (host, typed, expected) in [
        ("eu", key.as_str(), "another region"),
        ("us", "phx_wrong", "does not accept"),
        ("us", "phc_abc", "personal key starts with phx_"),
        ("us", " ", "missing"),
        ("us", narrow.as_str(), "query:read"),
    ] {
        let arguments = ["login", host, "--api-key", "--json"];
        let run = harness.run_with_input(&arguments, typed).await.ended(1);
        let message = run.json()["error"]["message"].to_string();
        assert!(message.contains(expected), "{typed}: {message}");
    }
    harness.run(&["status"]).await.ended(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_none_is_told_what_to_write() {
    let harness = Harness::new().await;
    for (typed, expected) in [
        ("posthog.example.org", "https://posthog.example.org"),
        (
            "https://posthog.example.org/project/1",
            "write https://posthog.example.org",
        ),
        ("http://posthog.example.org", "plain http"),
        ("", "missing"),
        ("https://", "not an address"),
        ("de", "the two regions of PostHog Cloud"),
        ("EU Cloud", "the two regions of PostHog Cloud"),
    ] {
        let run = harness.run(&["login", typed, "--api-key"]).await.ended(2);
        assert!(run.err.contains(expected), "{typed}: {run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_host_and_without_a_terminal_the_hosts_are_named() {
    let harness = Harness::new().await;
    let run = harness.run(&["login"]).await.ended(2);
    assert!(run.err.contains("pockethog login us"), "{run:?}");
    let run = harness.run(&["login", "--json"]).await.ended(2);
    assert_eq!(run.json()["error"]["kind"], "usage");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_misbehaves_is_a_sentence() {
    let harness = Harness::new().await;
    for what in [Fault::Html502, Fault::BrokenJson, Fault::Drop] {
        harness.demo.us().fail_next(Failure {
            endpoint: Endpoint::Metadata,
            times: 4,
            what: what.clone(),
            when: When::Before,
        });
        let run = harness.run(&["login", "us", "--no-browser"]).await.ended(1);
        assert!(run.err.contains("pockethog: "), "{what:?}: {run:?}");
        assert!(!run.err.contains("panicked"), "{what:?}: {run:?}");
        harness.demo.us().heal();
    }
    let mut command = harness.command(&["login", "us", "--no-browser"]);
    // Nobody listens on the discard port of this device.
    command.env("POCKETHOG_US_URL", "http://127.0.0.1:9");
    let output = command.output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_out_revokes_and_needs_a_sign_in_again() {
    let harness = Harness::signed_in().await;
    let status = harness.run(&["status", "--json"]).await.ended(0);
    insta::assert_snapshot!("status", shape(&status.json()));
    harness.demo.us().reset_counters();
    let run = harness.run(&["logout", "--json"]).await.ended(0);
    assert_eq!(run.json()["signed_out"].as_array().unwrap().len(), 1);
    let run = harness.run(&["projects", "--json"]).await.ended(4);
    assert_eq!(run.json()["error"]["kind"], "sign_in_needed");
    assert!(
        run.err
            .contains("To sign in again, run `pockethog login us`"),
        "{run:?}"
    );
    assert!(!run.err.contains("login eu"), "{run:?}");
    let run = harness.run(&["logout"]).await.ended(0);
    assert!(run.out.contains("Nobody is signed in"));
    harness.run(&["logout", "eu"]).await.ended(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_sign_in_is_told_with_its_reason() {
    let harness = Harness::signed_in().await;
    harness.run(&["projects"]).await.ended(0);
    harness.demo.us().revoke_all();
    let run = harness.run(&["projects"]).await.ended(4);
    assert!(run.err.contains("pockethog login"), "{run:?}");
    harness.run(&["status"]).await.ended(4);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_out_that_posthog_did_not_confirm_says_where_the_application_can_be_removed() {
    let harness = Harness::signed_in().await;
    harness.demo.us().fail_next(Failure {
        endpoint: Endpoint::Revocation,
        times: 10,
        what: Fault::Html502,
        when: When::Before,
    });
    let run = harness.run(&["logout"]).await.ended(5);
    let page = format!(
        "{}/settings/user-connected-apps",
        harness.demo.us().address()
    );
    assert!(run.out.contains("Signed out of US Cloud"), "{run:?}");
    assert!(run.err.contains(&page), "{run:?}");
    harness.run(&["projects"]).await.ended(4);
}

#[cfg(unix)]
#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_while_waiting_for_the_browser_changes_nothing() {
    use tokio::io::{AsyncBufReadExt, BufReader};
    let harness = Harness::new().await;
    let mut child = harness
        .command(&["login", "us", "--no-browser"])
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = String::new();
    while let Some(line) = lines.next_line().await.unwrap() {
        if line.contains("paste that page") {
            let id = child.id().unwrap().to_string();
            let sent = std::process::Command::new("kill")
                .args(["-INT", &id])
                .status();
            assert!(sent.unwrap().success());
        }
        said.push_str(&line);
    }
    let waited = tokio::time::timeout(Duration::from_secs(60), child.wait()).await;
    let status = waited.unwrap().unwrap();
    // Either it was told and said so, or the signal came before it listened for it.
    assert!(
        status.code() == Some(1) || status.code().is_none(),
        "{said}"
    );
    harness.run(&["status"]).await.ended(4);
}
