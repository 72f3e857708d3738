//! Settings: saved, ordered, exported, imported, and never written over a file that cannot be read.

#![allow(clippy::unwrap_used)]

use demo_posthog::{Consent, Size};
use pockethog_core::preferences::{Mode, Scheme};
use reqwest::StatusCode;

use crate::harness::{App, Harness, location};
use crate::place::signed_in;

async fn import(app: &App, text: &str) -> String {
    let body = format!(
        "--x\r\nContent-Disposition: form-data; name=\"file\"; filename=\"p.toml\"\r\n\r\n{text}\r\n--x--\r\n"
    );
    let answer = app
        .request(reqwest::Method::POST, "/settings/import")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "multipart/form-data; boundary=x")
        .body(body)
        .send()
        .await
        .unwrap();
    assert_eq!(location(&answer), "/settings");
    app.text("/settings").await
}

#[tokio::test]
async fn a_form_changes_what_it_names_and_keeps_comments() {
    let harness = Harness::new().await;
    let file = harness.app.state.live().program().folders.preferences();
    std::fs::write(&file, "# mine\nmode = \"light\" # by day\n").unwrap();
    let fields = [
        ("mode", "dark"),
        ("scheme", "lagoon"),
        ("refresh", "5m"),
        ("week_starts_on", "sunday"),
    ];
    let answer = harness.app.post("/settings", &fields).await;
    assert_eq!(location(&answer), "/settings");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("# mine\nmode = \"dark\" # by day\n"),
        "{text}"
    );
    assert!(text.contains("refresh = \"5m\""), "{text}");
    let page = harness.app.text("/settings").await;
    assert!(page.contains("data-mode=\"dark\"") && page.contains("data-scheme=\"lagoon\""));
}

#[tokio::test]
async fn a_broken_file_is_named_with_its_line_and_never_written_over() {
    let harness = Harness::new().await;
    let file = harness.app.state.live().program().folders.preferences();
    let text = "mode = \"dark\"\nscheme = lava\n";
    std::fs::write(&file, text).unwrap();
    let page = harness.app.text("/settings").await;
    assert!(
        page.contains("line 2") && page.contains("disabled"),
        "{page}"
    );
    harness.app.post("/settings", &[("mode", "light")]).await;
    harness
        .app
        .post("/settings/order", &[("key", "us/1"), ("move", "up")])
        .await;
    let page = import(&harness.app, "mode = \"light\"\n").await;
    assert!(page.contains("has to be fixed first"), "{page}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn what_could_not_be_saved_stays_chosen() {
    let harness = signed_in(&Consent::default()).await;
    let project = format!("/project/us/{}", harness.demo.us().world().projects[0].id);
    let file = harness.app.state.live().program().folders.preferences();
    std::fs::write(&file, "mode = \n").unwrap();
    let fields = [
        ("mode", "dark"),
        ("scheme", "plum"),
        ("refresh", "15m"),
        ("week_starts_on", "sunday"),
    ];
    let answer = harness.app.post("/settings", &fields).await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let page = answer.text().await.unwrap();
    assert_eq!(page.matches("Not saved.").count(), 1, "{page}");
    for chosen in [
        "value=\"dark\" checked",
        "value=\"plum\" checked",
        "value=\"15m\" selected",
        "value=\"sunday\" selected",
    ] {
        assert!(page.contains(chosen), "{chosen}: {page}");
    }
    assert!(
        !page.contains("<fieldset class=\"plain\" disabled"),
        "it can be sent again"
    );

    let back = format!("{project}?range=7d");
    let fields = [
        ("back", back.as_str()),
        ("name", "My shop"),
        ("scheme", "fern"),
        ("favourite", "1"),
    ];
    let answer = harness
        .app
        .post(&format!("{project}/preferences"), &fields)
        .await;
    assert_eq!(answer.status(), StatusCode::CONFLICT);
    let page = answer.text().await.unwrap();
    assert!(page.contains("Not saved."), "{page}");
    for chosen in [
        "id=\"preferences\" open",
        "name=\"name\" value=\"My shop\"",
        "value=\"fern\" selected",
        "name=\"favourite\" value=\"1\" checked",
        "aria-current=\"true\">7d",
    ] {
        assert!(page.contains(chosen), "{chosen}: {page}");
    }
}

#[tokio::test]
async fn a_value_that_this_version_does_not_know_is_named_and_survives_a_change() {
    let harness = Harness::new().await;
    let file = harness.app.state.live().program().folders.preferences();
    std::fs::write(&file, "mode = \"dark\"\nscheme = \"lava\"\n").unwrap();
    let page = harness.app.text("/settings").await;
    assert!(
        page.contains("line 2") && page.contains("data-mode=\"dark\""),
        "{page}"
    );
    harness.app.post("/settings", &[("mode", "light")]).await;
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.contains("mode = \"light\"") && text.contains("lava"),
        "{text}"
    );
}

#[tokio::test]
async fn what_is_exported_can_be_imported() {
    let harness = Harness::new().await;
    let file = harness.app.state.live().program().folders.preferences();
    let text = "# mine\nmode = \"dark\"\n";
    std::fs::write(&file, text).unwrap();
    let exported = harness.app.get("/settings/export").await;
    assert!(
        exported.headers()["content-disposition"]
            .to_str()
            .unwrap()
            .contains("attachment")
    );
    let exported = exported.text().await.unwrap();
    assert_eq!(exported, text);
    let page = import(&harness.app, "scheme = \"plum\"\n").await;
    assert!(page.contains("Imported."), "{page}");
    assert_eq!(
        harness.app.state.live().preferences().0.scheme,
        Scheme::Plum
    );
    import(&harness.app, &exported).await;
    assert_eq!(harness.app.state.live().preferences().0.mode, Mode::Dark);
}

#[tokio::test]
async fn an_import_that_is_not_understood_is_refused_with_its_line() {
    let harness = Harness::new().await;
    let page = import(&harness.app, "mode = \"dark\"\n\nnonsense = <b>\n").await;
    assert!(
        page.contains("Not saved. The imported file, line 3"),
        "{page}"
    );
    assert!(!page.contains("<b>\n"), "{page}");
    assert_eq!(harness.app.state.live().preferences().0.mode, Mode::Auto);
}

#[tokio::test]
async fn projects_are_ordered_beside_each_other_and_by_place() {
    let harness = signed_in(&Consent::default()).await;
    let keys = |harness: &Harness| harness.app.state.live().preferences().0.order;
    let projects = &harness.demo.us().world().projects;
    let key = |nth: usize| format!("us/{}", projects[nth].id);
    let [a, b, c] = [key(0), key(1), key(2)];
    let order = async |fields: &[(&str, &str)]| {
        let answer = harness.app.post("/settings/order", fields).await;
        location(&answer)
    };
    order(&[("key", &*c), ("before", &*a)]).await;
    assert_eq!(keys(&harness)[..3], [c.clone(), a.clone(), b.clone()]);
    assert_eq!(keys(&harness).len(), projects.len());
    order(&[("key", &*c), ("after", &*a)]).await;
    assert_eq!(keys(&harness)[..3], [a.clone(), c.clone(), b.clone()]);
    let shown = order(&[("key", &*b), ("place", "1")]).await;
    assert_eq!(keys(&harness)[..3], [b.clone(), a, c]);
    // The answer leads to where the project is now, with the focus on what moved it.
    let page = harness.app.text(&shown).await;
    assert!(page.contains(&format!("data-key=\"{b}\"")), "{page}");
    let before = keys(&harness);
    let shown = order(&[("key", &*b), ("place", "first")]).await;
    assert!(
        harness
            .app
            .text(&shown)
            .await
            .contains("a whole number; 1 is the first")
    );
    assert_eq!(keys(&harness), before);
}

#[tokio::test]
async fn many_projects_are_searched_and_paged_and_a_move_counts_in_the_whole_list() {
    let harness = Harness::with(Size::Large {
        organizations: 2,
        projects_each: 35,
    })
    .await;
    harness.sign_in("us", &Consent::default()).await;
    let projects = &harness.demo.us().world().projects;
    let last = projects.last().unwrap();
    harness
        .app
        .home_until(|page| page.contains("70 projects"))
        .await;
    let shown = |page: &str| page.matches("<li data-key").count();
    let first_page = harness.app.text("/settings").await;
    assert_eq!(shown(&first_page), 50);
    assert!(
        first_page.contains("Page 1 of 2") && !first_page.contains(&last.name),
        "{first_page}"
    );
    assert_eq!(shown(&harness.app.text("/settings?page=1").await), 20);
    let found = harness.app.text("/settings?filter=site+106").await;
    assert_eq!(shown(&found), 10);
    assert!(found.contains("10 of 70 projects"), "{found}");
    let none = harness.app.text("/settings?filter=zebra").await;
    assert!(none.contains("No project matches"), "{none}");

    let (moved, passed) = (format!("us/{}", last.id), format!("us/{}", projects[60].id));
    let fields = [
        ("key", &*moved),
        ("before", &*passed),
        ("filter", "site 10"),
    ];
    let answer = harness.app.post("/settings/order", &fields).await;
    let order = harness.app.state.live().preferences().0.order;
    let place = order.iter().position(|key| *key == moved).unwrap();
    assert_eq!(order[place + 1], passed);
    let page = harness.app.text(&location(&answer)).await;
    assert!(page.contains(&format!("data-key=\"{moved}\"")), "{page}");
    assert!(page.contains("value=\"site 10\""), "the search stays");
}
