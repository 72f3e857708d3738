//! Every page in every state, in a real browser: accessible, within its window, readable in both modes,
//! without an error, and usable by keyboard.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use pockethog_views::pages;
use serde_json::json;
use test_support::browser::accessibility::{stops_without_visible_focus, unreadable, violations};
use test_support::browser::layout::{WIDTHS, misfits};
use test_support::browser::{self, Browser, Look};
use tools::screens;

/// What the app's own server sends, so that a page that needs more is noticed.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

#[tokio::test(flavor = "multi_thread")]
async fn sign_in_screens_and_settings_pass_everywhere() {
    let most = ["home", "project", "conversions"];
    check(|name| !most.iter().any(|kind| name.starts_with(kind))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn home_screens_pass_everywhere() {
    check(|name| name.starts_with("home")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn project_screens_pass_everywhere() {
    check(|name| name.starts_with("project") || name.starts_with("conversions")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_with_faults_is_noticed() {
    let page = "data:text/html,<html><body style='margin:0'><img src='http://elsewhere.example/x.png'>\
        <p style='color:%23ccc;background:%23fff'>pale</p><p style='width:2000px'>wide</p>\
        <button style='outline:none'>Go</button><script>undefinedFunction()</script>";
    let browser = Browser::start().await;
    browser.open(page).await;
    let rules = violations(&browser).await.join("\n");
    assert!(
        rules.contains("image-alt") && rules.contains("color-contrast"),
        "{rules}"
    );
    assert!(unreadable(&browser).await[0].starts_with("color-contrast"));
    assert!(!misfits(&browser).await.is_empty());
    assert_eq!(stops_without_visible_focus(&browser).await.len(), 1);
    let errors = browser.errors().await.join("\n");
    assert!(errors.contains("undefinedFunction"), "{errors}");
    let strangers = browser.strangers().await;
    assert_eq!(strangers, ["http://elsewhere.example/x.png"]);
    browser.finish().await;
}

/// The states of the app, each as it is in `docs/screens`. Those with `true` are shown dark as well.
const STATES: [(&str, bool); 35] = [
    ("sign-in", true),
    ("sign-in-reason", false),
    ("api-key", false),
    ("api-key-error", false),
    ("home", true),
    ("home-lagoon", false),
    ("home-fern", false),
    ("home-plum", false),
    ("home-loading-first", false),
    ("home-loading", true),
    ("home-offline", false),
    ("home-troubles", true),
    ("home-names", false),
    ("home-one", false),
    ("home-many", false),
    ("home-no-match", false),
    ("home-nothing", false),
    ("home-all-failed", false),
    ("project", true),
    ("project-day", false),
    ("project-quarter", false),
    ("project-loading", false),
    ("project-trouble", false),
    ("project-empty", false),
    ("project-note", true),
    ("project-conflict", false),
    ("project-undo", false),
    ("project-unreadable", false),
    ("conversions", false),
    ("conversions-missing", false),
    ("settings", true),
    ("settings-broken", false),
    ("connections", true),
    ("not-found", false),
    ("unknown-project", false),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_state_has_its_picture() {
    if browser::screens::wanted() {
        let address = serve().await;
        let browser = Browser::start().await;
        for (name, dark) in STATES {
            browser.open(&format!("{address}/{name}")).await;
            let looks: &[Look] = if dark {
                &[Look::Light, Look::Dark]
            } else {
                &[Look::Light]
            };
            browser::screens::take(&browser, name, looks).await;
        }
        browser.finish_without_errors().await;
    }
    let shown = std::fs::read_to_string(browser::screens::folder().join("README.md")).unwrap();
    for (name, dark) in STATES {
        for width in ["390", "1280"] {
            for look in ["light", "dark"].into_iter().take(1 + usize::from(dark)) {
                let file = format!("{name}-{width}-{look}.png");
                assert!(browser::screens::folder().join(&file).exists(), "{file}");
                assert!(shown.contains(&file), "README.md does not show {file}");
            }
        }
    }
}

/// axe-core at a phone's and a desktop's width, readable in both modes, and the layout at every width.
async fn check(wanted: impl Fn(&str) -> bool) {
    let address = serve().await;
    let browser = Browser::start().await;
    let mut found = Vec::new();
    for (name, _) in screens::all() {
        if !wanted(name) {
            continue;
        }
        browser.open(&format!("{address}/{name}")).await;
        for width in WIDTHS {
            browser.size(width, 900).await;
            for misfit in misfits(&browser).await {
                found.push(format!("{name} at {width}: {misfit}"));
            }
            if ![390, 1280].contains(&width) {
                continue;
            }
            for violation in violations(&browser).await {
                found.push(format!("{name} at {width}: {violation}"));
            }
            browser.look(Look::Dark).await;
            for violation in unreadable(&browser).await {
                found.push(format!("{name} at {width}, dark: {violation}"));
            }
            browser.look(Look::Light).await;
        }
        for error in browser.errors().await {
            found.push(format!("{name}: {error}"));
        }
    }
    browser.finish().await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn keyboard_focus_is_visible_at_every_stop() {
    let address = serve().await;
    let browser = Browser::start().await;
    let mut found = Vec::new();
    for name in [
        "sign-in",
        "api-key",
        "home-one",
        "project-undo",
        "project-note",
        "conversions",
        "settings",
        "connections",
        "not-found",
    ] {
        browser.open(&format!("{address}/{name}")).await;
        for stop in stops_without_visible_focus(&browser).await {
            found.push(format!("{name}: {stop}"));
        }
    }
    browser.finish_without_errors().await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_screen_fits_with_scripts_off() {
    let address = serve().await;
    let browser = Browser::start().await;
    browser.scripts(false).await;
    let mut found = Vec::new();
    for (name, _) in screens::all() {
        browser.open(&format!("{address}/{name}")).await;
        for width in [320, 1280] {
            browser.size(width, 900).await;
            for misfit in misfits(&browser).await {
                found.push(format!("{name} at {width}: {misfit}"));
            }
        }
    }
    browser.finish_without_errors().await;
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// Most machines with Linux have no Inter and would show a wider typeface.
#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_inter_shows_the_same_pages() {
    let address = serve().await;
    let usual = Browser::start().await;
    let without = Browser::start_without_inter().await;
    let local = "return (async () => { const face = new FontFace('Local', 'local(\"Inter\"), local(\"Inter Regular\")');
        return await face.load().then(() => true, () => false) })()";
    assert_eq!(without.run(local, vec![]).await, json!(false));
    for (name, width) in [("home-names", 1280), ("project", 390), ("settings", 1280)] {
        let mut places = Vec::new();
        for browser in [&usual, &without] {
            browser.size(width, 900).await;
            browser.open(&format!("{address}/{name}")).await;
            browser
                .until("document.fonts.status === 'loaded' && document.fonts.check('16px Inter')")
                .await;
            places.push(browser.run(PLACES, vec![]).await);
        }
        assert!(places[0].as_array().unwrap().len() > 40, "{name}");
        assert_eq!(places[0], places[1], "{name}");
        // The fallback is another face: equal places are no accident.
        let with_fallback = without
            .run(&format!("for (const face of [...document.fonts]) document.fonts.delete(face); document.querySelector('link[rel=stylesheet]').sheet.deleteRule(0); {PLACES}"), vec![])
            .await;
        assert_ne!(places[1], with_fallback, "{name}");
    }
    usual.finish_without_errors().await;
    without.finish_without_errors().await;
}

/// Where every element is that has words of its own, with their letters.
const PLACES: &str = "return [...document.querySelectorAll('body *')]
    .filter((node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
    .map((node) => { const box = node.getBoundingClientRect();
        return [node.textContent, box.x, box.y, box.width, box.height].join(' ') })";

#[tokio::test(flavor = "multi_thread")]
async fn a_long_table_says_how_much_more_there_is_and_shows_it_without_scripts() {
    let address = serve().await;
    let browser = Browser::start().await;
    browser.scripts(false).await;
    browser.open(&format!("{address}/project")).await;
    browser.click("#as-table summary").await;
    let rows = "return [...document.querySelectorAll('#as-table tbody tr')].filter((row) => row.offsetHeight > 0).length";
    assert_eq!(browser.run(rows, vec![]).await, json!(10));
    let hint = browser.text("#as-table .rest label").await;
    assert_eq!(hint, "and 20 more · show all");
    browser.click("#as-table .rest label").await;
    assert_eq!(browser.run(rows, vec![]).await, json!(30));
    let cut = "return [...document.querySelectorAll('#as-table .scroll')].some((box) => box.scrollHeight > box.clientHeight + 1)";
    assert_eq!(browser.run(cut, vec![]).await, json!(false));
    browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paper_has_a_title_and_a_date_and_no_controls() {
    let address = serve().await;
    let browser = Browser::start().await;
    let shown = "return [...document.querySelectorAll(arguments[0])]
        .filter((node) => node.getClientRects().length).map((node) => node.outerHTML.slice(0, 120))";
    for name in ["home", "project", "project-note"] {
        browser.open(&format!("{address}/{name}")).await;
        let on_screen = browser.run(shown, vec![json!(".printed")]).await;
        assert_eq!(on_screen, json!([]), "{name}");
        browser
            .devtools("Emulation.setEmulatedMedia", json!({ "media": "print" }))
            .await;
        let printed = browser.text(".printed").await;
        let title = browser
            .run("return document.title.split(' · ')[0]", vec![])
            .await;
        assert!(printed.contains(title.as_str().unwrap()), "{printed}");
        assert!(printed.contains("23 November 2026"), "{printed}");
        let controls = "button, input:not(.hidden-label), select, summary, .icon-button, .edit, dialog, .status, .segments";
        let controls = browser.run(shown, vec![json!(controls)]).await;
        assert_eq!(controls, json!([]), "{name}");
        browser
            .devtools("Emulation.setEmulatedMedia", json!({ "media": "" }))
            .await;
    }
    browser.finish_without_errors().await;
}

/// What counts up must not jump about.
#[tokio::test(flavor = "multi_thread")]
async fn figures_in_columns_are_of_one_width() {
    let address = serve().await;
    let browser = Browser::start_without_inter().await;
    browser.open(&format!("{address}/home")).await;
    let widths = browser
        .run(
            "const node = document.querySelector('footer p').appendChild(document.createElement('span'));
             const width = (figures, text) => { node.className = figures; node.textContent = text; return node.getBoundingClientRect().width };
             return [width('delta', '1111'), width('delta', '0000'), width('', '1111'), width('', '0000')]",
            vec![],
        )
        .await;
    assert_eq!(widths[0], widths[1], "tabular");
    assert_ne!(widths[2], widths[3], "proportional");
    browser.finish_without_errors().await;
}

/// Serves the gallery on a free port of loopback, as long as the test runs.
async fn serve() -> String {
    let screens: Arc<Vec<_>> = Arc::new(
        screens::all()
            .into_iter()
            .map(|(name, page)| (name, page.into_string()))
            .collect(),
    );
    let screen = move |Path(name): Path<String>| {
        let page = screens
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, page)| page.clone());
        async move {
            let mut answer: Response = match page {
                Some(page) => Html(page).into_response(),
                None => StatusCode::NOT_FOUND.into_response(),
            };
            answer
                .headers_mut()
                .insert(header::CONTENT_SECURITY_POLICY, POLICY.parse().unwrap());
            answer
        }
    };
    let asset = |kind: &'static str, body: String| {
        get(move || async move { ([(header::CONTENT_TYPE, kind)], body) })
    };
    let routes = Router::new()
        .route("/assets/style.css", asset("text/css", pages::style_sheet()))
        .route(
            "/assets/app.js",
            asset("text/javascript", pages::SCRIPT.to_owned()),
        )
        .route(
            "/assets/icon.svg",
            asset("image/svg+xml", pages::ICON.to_owned()),
        )
        .route("/{name}", get(screen));
    let routes = pages::typeface::faces()
        .iter()
        .fold(routes, |routes, face| {
            let font = get(|| async { ([(header::CONTENT_TYPE, "font/woff2")], face.bytes) });
            routes.route(&format!("{}{}", pages::typeface::FOLDER, face.name), font)
        });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, routes).await });
    address
}
