//! Settings: saved, ordered, exported, imported, and never written over a file that is not understood.

#![allow(clippy::unwrap_used)]

use demo_posthog::Consent;
use pockethog::preferences::{Mode, Scheme};
use reqwest::StatusCode;

use crate::desk::{App, Desk, location};
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
    let desk = Desk::new().await;
    let file = desk.app.state.program().folders.preferences();
    std::fs::write(&file, "# mine\nmode = \"light\" # by day\n").unwrap();
    let fields = [
        ("mode", "dark"),
        ("scheme", "lagoon"),
        ("refresh", "5m"),
        ("week_starts_on", "sunday"),
    ];
    let answer = desk.app.post("/settings", &fields).await;
    assert_eq!(location(&answer), "/settings");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(
        text.starts_with("# mine\nmode = \"dark\" # by day\n"),
        "{text}"
    );
    assert!(text.contains("refresh = \"5m\""), "{text}");
    let page = desk.app.text("/settings").await;
    assert!(page.contains("data-mode=\"dark\"") && page.contains("data-scheme=\"lagoon\""));
}

#[tokio::test]
async fn a_broken_file_is_named_with_its_line_and_never_written_over() {
    let desk = Desk::new().await;
    let file = desk.app.state.program().folders.preferences();
    let text = "mode = \"dark\"\nscheme = \"lava\"\n";
    std::fs::write(&file, text).unwrap();
    let page = desk.app.text("/settings").await;
    assert!(
        page.contains("line 2") && page.contains("disabled"),
        "{page}"
    );
    desk.app.post("/settings", &[("mode", "light")]).await;
    desk.app
        .post("/settings/order", &[("key", "us/1"), ("move", "up")])
        .await;
    let page = import(&desk.app, "mode = \"light\"\n").await;
    assert!(page.contains("has to be mended first"), "{page}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), text);
}

#[tokio::test]
async fn what_is_exported_can_be_imported() {
    let desk = Desk::new().await;
    let file = desk.app.state.program().folders.preferences();
    let text = "# mine\nmode = \"dark\"\n";
    std::fs::write(&file, text).unwrap();
    let exported = desk.app.get("/settings/export").await;
    assert!(
        exported.headers()["content-disposition"]
            .to_str()
            .unwrap()
            .contains("attachment")
    );
    let exported = exported.text().await.unwrap();
    assert_eq!(exported, text);
    let page = import(&desk.app, "scheme = \"plum\"\n").await;
    assert!(page.contains("Imported."), "{page}");
    assert_eq!(desk.app.state.preferences().0.scheme, Scheme::Plum);
    import(&desk.app, &exported).await;
    assert_eq!(desk.app.state.preferences().0.mode, Mode::Dark);
}

#[tokio::test]
async fn an_import_that_is_not_understood_is_refused_with_its_line() {
    let desk = Desk::new().await;
    let page = import(&desk.app, "mode = \"dark\"\n\nnonsense = <b>\n").await;
    assert!(
        page.contains("Not saved. The imported file, line 3"),
        "{page}"
    );
    assert!(!page.contains("<b>\n"), "{page}");
    assert_eq!(desk.app.state.preferences().0.mode, Mode::Auto);
}

#[tokio::test]
async fn projects_are_ordered_by_dragging_and_by_buttons() {
    let desk = signed_in(&Consent::default()).await;
    let keys = |desk: &Desk| desk.app.state.preferences().0.order;
    let world = desk.demo.us().world();
    let (a, b) = (
        format!("us/{}", world.projects[2].id),
        format!("us/{}", world.projects[0].id),
    );
    let answer = desk
        .app
        .post("/settings/order", &[("key", &*a), ("key", &*b)])
        .await;
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(keys(&desk)[..2], [a.clone(), b.clone()]);
    assert_eq!(keys(&desk).len(), world.projects.len());
    let answer = desk
        .app
        .post("/settings/order", &[("key", &*b), ("move", "up")])
        .await;
    assert_eq!(location(&answer), "/settings#projects");
    assert_eq!(keys(&desk)[..2], [b, a]);
}
