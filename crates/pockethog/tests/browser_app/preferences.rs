//! Settings: what the user chooses is shown at once, stored in the file, and never lost.

use demo_posthog::{Options, Size};
use test_support::browser::accessibility::violations;
use test_support::browser::layout::misfits;

use crate::harness::{Allow, Harness};

/// A harness on the settings page, with some projects to arrange.
async fn in_settings() -> Harness {
    let harness = Harness::start().await;
    harness.sign_in("us", &Allow::default()).await;
    harness.complete(harness.us().world().projects.len()).await;
    harness.go("/settings").await;
    harness
}

/// The preferences file.
fn file(harness: &Harness) -> std::path::PathBuf {
    harness.home().join("pockethog/preferences.toml")
}

/// A harness on the settings page with more projects than a page holds.
async fn with_many() -> Harness {
    let size = Size::Large {
        organizations: 2,
        projects_each: 35,
    };
    let harness = Harness::start_with(Options {
        size,
        ..Options::default()
    })
    .await;
    harness.sign_in("us", &Allow::default()).await;
    harness.browser.shows("70 projects").await;
    harness.go("/settings").await;
    harness
}

async fn order(harness: &Harness) -> Vec<String> {
    harness.browser.texts("[data-order] .grow > a bdi").await
}

#[tokio::test(flavor = "multi_thread")]
async fn scheme_and_mode_hold_on_every_page() {
    let harness = in_settings().await;
    harness
        .browser
        .click("label:has([name=mode][value=dark])")
        .await;
    harness
        .browser
        .click("label:has([name=scheme][value=plum])")
        .await;
    harness
        .browser
        .until("document.documentElement.dataset.scheme === 'plum'")
        .await;
    for path in ["/settings", "/", "/connections"] {
        harness.go(path).await;
        harness
            .browser
            .until("document.documentElement.dataset.mode === 'dark' && document.documentElement.dataset.scheme === 'plum'")
            .await;
    }
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_chosen_about_a_project_applies_at_once() {
    let harness = in_settings().await;
    let browser = &harness.browser;
    browser.click("[data-order] li .grow > a").await;
    browser
        .until("document.querySelector('#preferences')?.open")
        .await;
    assert!(
        !browser
            .has("#preferences button[type=submit]:not([hidden])")
            .await
    );
    browser.click("#preferences [name=favourite]").await;
    browser.find(".title .fav").await;
    browser.fill("#preferences [name=name]", "My shop").await;
    browser.press("Enter").await;
    browser
        .until("document.querySelector('.title h1').textContent.includes('My shop')")
        .await;
    browser
        .click("#preferences [name=scheme] option[value=fern]")
        .await;
    browser
        .until("document.documentElement.dataset.scheme === 'fern'")
        .await;
    harness.go("/").await;
    browser.find("#cards .fav").await;
    assert_eq!(harness.projects().await[0], "My shop");
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_that_cannot_be_saved_is_said_beside_it() {
    let harness = in_settings().await;
    std::fs::write(file(&harness), "mode = \n").unwrap();
    harness
        .browser
        .click("label:has([name=mode][value=dark])")
        .await;
    harness.browser.shows("Not saved.").await;
    let chosen = "return document.querySelector('[name=mode][value=dark]').checked";
    assert_eq!(
        harness.browser.run(chosen, vec![]).await,
        serde_json::json!(true)
    );
    // The browser notes the refusal.
    let errors = harness.browser.errors().await;
    assert!(
        errors.iter().all(|error| error.contains("409")),
        "{errors:?}"
    );
    harness.browser.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_arranged_by_keyboard() {
    let harness = in_settings().await;
    let before = order(&harness).await;
    harness
        .browser
        .run(
            "document.querySelector('[data-order] li:nth-child(2) [aria-label$=\" up\"]').focus()",
            vec![],
        )
        .await;
    harness.browser.press("Enter").await;
    let second = serde_json::json!(before[1]);
    harness
        .browser
        .until(&format!(
            "document.querySelector('[data-order] .grow > a bdi').textContent === {second}"
        ))
        .await;
    let after = order(&harness).await;
    assert_eq!((&after[0], &after[1]), (&before[1], &before[0]));
    assert_eq!(after[2..], before[2..]);
    // The way up ends here, so the focus is on the way down: one more Enter takes it back.
    harness
        .browser
        .until(&format!(
            "document.activeElement.getAttribute('aria-label') === 'Move ' + {second} + ' down'"
        ))
        .await;
    harness.browser.press("Enter").await;
    harness
        .browser
        .until(&format!(
            "document.querySelector('[data-order] .grow > a bdi').textContent !== {second}"
        ))
        .await;
    assert_eq!(order(&harness).await, before);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_arranged_by_dragging() {
    let harness = in_settings().await;
    let before = order(&harness).await;
    let places = harness
        .browser
        .run(
            "const rows = [...document.querySelectorAll('[data-order] li')];
             rows[0].scrollIntoView({ block: 'start' });
             return [2, 0].map((nth) => { const box = rows[nth].querySelector('.grip').getBoundingClientRect();
               const row = rows[nth].getBoundingClientRect(); return [box.left + 2, nth ? box.top + 6 : row.top + 4]; })",
            vec![],
        )
        .await;
    let at = |nth: usize, axis: usize| places[nth][axis].as_f64().unwrap();
    harness
        .browser
        .drag((at(0, 0), at(0, 1)), (at(1, 0), at(1, 1)))
        .await;
    let third = serde_json::json!(before[2]);
    harness
        .browser
        .until(&format!(
            "document.querySelector('[data-order] .grow > a bdi').textContent === {third}"
        ))
        .await;
    // What the page shows has to be what is kept.
    let kept = format!("{before:?}");
    for _ in 0..100 {
        if order(&harness).await[0] == before[2]
            && std::fs::read_to_string(file(&harness)).is_ok_and(|text| text.contains("order"))
        {
            break;
        }
        harness.browser.reload().await;
    }
    harness.browser.reload().await;
    assert_eq!(order(&harness).await[0], before[2], "before: {kept}");
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_projects_are_searched_as_one_types_and_moved_far() {
    let harness = with_many().await;
    let browser = &harness.browser;
    assert_eq!(order(&harness).await.len(), 50);
    browser.fill("[data-search]", "site 1069").await;
    browser.shows("1 of 70 projects").await;
    assert_eq!(order(&harness).await, ["Site 1069"]);
    browser
        .until("document.activeElement.matches('[data-search]')")
        .await;
    browser.fill("#project-list [name=place]", "2").await;
    browser.press("Enter").await;
    browser
        .until("document.querySelector('[name=place]').defaultValue === '2'")
        .await;
    assert_eq!(order(&harness).await, ["Site 1069"], "the search stays");
    harness.go("/settings").await;
    let moved = order(&harness).await;
    assert_eq!(moved[..3], ["Site 1001", "Site 1069", "Site 1002"]);
    browser.click(".pager [rel=next]").await;
    browser.shows("Page 2 of 2").await;
    assert_eq!(order(&harness).await.len(), 20);
    // Over the edge of a page: the focus goes along with the project.
    let first = order(&harness).await[0].clone();
    browser
        .click("[data-order] li:first-child [aria-label$=' up']")
        .await;
    browser.shows("Page 1 of 2").await;
    assert_eq!(order(&harness).await[49], first);
    browser
        .until(&format!(
            "document.activeElement.getAttribute('aria-label') === 'Move {first} up'"
        ))
        .await;
    assert!(violations(browser).await.is_empty());
    browser.size(320, 800).await;
    assert_eq!(misfits(browser).await, Vec::<String>::new());
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_projects_are_searched_and_moved_without_scripts() {
    let harness = with_many().await;
    let browser = &harness.browser;
    browser.scripts(false).await;
    browser.reload().await;
    browser.fill("[data-search]", "site 1069").await;
    browser.press("Enter").await;
    browser.shows("1 of 70 projects").await;
    browser.fill("#project-list [name=place]", "1").await;
    browser.press("Enter").await;
    browser
        .until("document.activeElement?.matches('[name=place][value=\"1\"]')")
        .await;
    harness.go("/settings").await;
    assert_eq!(order(&harness).await[0], "Site 1069");
    browser
        .click("[data-order] li:nth-child(3) [aria-label$=' up']")
        .await;
    // The button had the focus before the answer came as well.
    browser
        .until("document.querySelectorAll('[data-order] .grow > a bdi')[1]?.textContent === 'Site 1002'")
        .await;
    browser
        .until("document.activeElement?.getAttribute('aria-label') === 'Move Site 1002 up'")
        .await;
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_project_leaves_the_home_screen_and_can_come_back() {
    let harness = in_settings().await;
    let all = order(&harness).await.len();
    harness.browser.click("[data-order] li .grow > a").await;
    harness
        .browser
        .until("document.querySelector('#preferences')?.open")
        .await;
    harness.browser.click("#preferences [name=hidden]").await;
    harness
        .browser
        .until("document.querySelector('#preferences .saved').textContent")
        .await;
    harness.go("/").await;
    harness.complete(all - 1).await;
    harness.browser.click(".tools a.muted").await;
    harness.browser.shows("hidden").await;
    assert_eq!(order(&harness).await.len(), all);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_exported_is_imported_again() {
    let harness = in_settings().await;
    harness
        .browser
        .click("label:has([name=scheme][value=fern])")
        .await;
    harness
        .browser
        .until("document.documentElement.dataset.scheme === 'fern'")
        .await;
    let exported = harness
        .browser
        .run_to_its_end(
            "const done = arguments[arguments.length - 1]; fetch(document.querySelector('a[download]').href).then((answer) => answer.text()).then(done)",
            vec![],
        )
        .await;
    let copy = harness.home().join("copy.toml");
    std::fs::write(&copy, exported.as_str().unwrap()).unwrap();
    harness
        .browser
        .click("label:has([name=scheme][value=ember])")
        .await;
    harness
        .browser
        .until("document.documentElement.dataset.scheme === 'ember'")
        .await;
    harness.browser.choose_file("input[type=file]", &copy).await;
    harness
        .browser
        .click("form[action$='/settings/import'] button[type=submit]")
        .await;
    harness
        .browser
        .until("document.documentElement.dataset.scheme === 'fern'")
        .await;
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_named_with_its_line_and_never_overwritten() {
    let harness = in_settings().await;
    let broken = "mode = \"dark\"\n\nscheme = \"lava\"\n";
    std::fs::write(file(&harness), broken).unwrap();
    harness.go("/settings").await;
    harness.browser.shows("line 3").await;
    harness.go("/").await;
    harness.browser.find("#cards li").await;
    harness.browser.shows("line 3").await;
    assert_eq!(std::fs::read_to_string(file(&harness)).unwrap(), broken);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_imported_changes_nothing() {
    let harness = in_settings().await;
    let copy = harness.home().join("copy.toml");
    std::fs::write(&copy, "scheme = \"plum\"\nmode = 7\n").unwrap();
    harness.browser.choose_file("input[type=file]", &copy).await;
    harness
        .browser
        .click("form[action$='/settings/import'] button[type=submit]")
        .await;
    harness.browser.shows("line 2").await;
    harness.go("/").await;
    harness
        .browser
        .until("document.documentElement.dataset.scheme === 'ember'")
        .await;
    harness.browser.finish().await;
}
