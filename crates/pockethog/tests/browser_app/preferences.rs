//! Settings: what a person chooses is shown at once, kept in the file, and never lost.

use demo_posthog::{Options, Size};

use crate::browser::accessibility::violations;
use crate::browser::layout::misfits;
use crate::harness::{Allow, Stage};

/// A stage on the settings page, with some projects to arrange.
async fn in_settings() -> Stage {
    let stage = Stage::set().await;
    stage.sign_in("us", &Allow::default()).await;
    stage.complete(stage.us().world().projects.len()).await;
    stage.go("/settings").await;
    stage
}

/// The preferences file.
fn file(stage: &Stage) -> std::path::PathBuf {
    stage.home().join("pockethog/preferences.toml")
}

/// A stage on the settings page with more projects than a page holds.
async fn with_many() -> Stage {
    let size = Size::Large {
        organizations: 2,
        projects_each: 35,
    };
    let stage = Stage::set_with(Options {
        size,
        ..Options::default()
    })
    .await;
    stage.sign_in("us", &Allow::default()).await;
    stage.browser.shows("70 projects").await;
    stage.go("/settings").await;
    stage
}

async fn order(stage: &Stage) -> Vec<String> {
    stage.browser.texts("[data-order] .grow > a bdi").await
}

#[tokio::test(flavor = "multi_thread")]
async fn scheme_and_mode_hold_on_every_page() {
    let stage = in_settings().await;
    stage
        .browser
        .click("label:has([name=mode][value=dark])")
        .await;
    stage
        .browser
        .click("label:has([name=scheme][value=plum])")
        .await;
    stage
        .browser
        .until("document.documentElement.dataset.scheme === 'plum'")
        .await;
    for path in ["/settings", "/", "/connections"] {
        stage.go(path).await;
        stage
            .browser
            .until("document.documentElement.dataset.mode === 'dark' && document.documentElement.dataset.scheme === 'plum'")
            .await;
    }
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_chosen_about_a_project_applies_at_once() {
    let stage = in_settings().await;
    let browser = &stage.browser;
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
    stage.go("/").await;
    browser.find("#cards .fav").await;
    assert_eq!(stage.projects().await[0], "My shop");
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choice_that_cannot_be_saved_is_said_beside_it() {
    let stage = in_settings().await;
    std::fs::write(file(&stage), "mode = \n").unwrap();
    stage
        .browser
        .click("label:has([name=mode][value=dark])")
        .await;
    stage.browser.shows("Not saved.").await;
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_arranged_by_keyboard() {
    let stage = in_settings().await;
    let before = order(&stage).await;
    stage
        .browser
        .run(
            "document.querySelector('[data-order] li:nth-child(2) [aria-label$=\" up\"]').focus()",
            vec![],
        )
        .await;
    stage.browser.press("Enter").await;
    let second = serde_json::json!(before[1]);
    stage
        .browser
        .until(&format!(
            "document.querySelector('[data-order] .grow > a bdi').textContent === {second}"
        ))
        .await;
    let after = order(&stage).await;
    assert_eq!((&after[0], &after[1]), (&before[1], &before[0]));
    assert_eq!(after[2..], before[2..]);
    // The way up ends here, so the focus is on the way down: one more Enter takes it back.
    stage
        .browser
        .until(&format!(
            "document.activeElement.getAttribute('aria-label') === 'Move ' + {second} + ' down'"
        ))
        .await;
    stage.browser.press("Enter").await;
    stage
        .browser
        .until(&format!(
            "document.querySelector('[data-order] .grow > a bdi').textContent !== {second}"
        ))
        .await;
    assert_eq!(order(&stage).await, before);
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_arranged_by_dragging() {
    let stage = in_settings().await;
    let before = order(&stage).await;
    let places = stage
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
    stage
        .browser
        .drag((at(0, 0), at(0, 1)), (at(1, 0), at(1, 1)))
        .await;
    let third = serde_json::json!(before[2]);
    stage
        .browser
        .until(&format!(
            "document.querySelector('[data-order] .grow > a bdi').textContent === {third}"
        ))
        .await;
    // What the page shows has to be what is kept.
    let kept = format!("{before:?}");
    for _ in 0..100 {
        if order(&stage).await[0] == before[2]
            && std::fs::read_to_string(file(&stage)).is_ok_and(|text| text.contains("order"))
        {
            break;
        }
        stage.browser.reload().await;
    }
    stage.browser.reload().await;
    assert_eq!(order(&stage).await[0], before[2], "before: {kept}");
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_projects_are_searched_as_one_types_and_moved_far() {
    let stage = with_many().await;
    let browser = &stage.browser;
    assert_eq!(order(&stage).await.len(), 50);
    browser.fill("[data-search]", "site 1069").await;
    browser.shows("1 of 70 projects").await;
    assert_eq!(order(&stage).await, ["Site 1069"]);
    browser
        .until("document.activeElement.matches('[data-search]')")
        .await;
    browser.fill("#project-list [name=place]", "2").await;
    browser.press("Enter").await;
    browser
        .until("document.querySelector('[name=place]').defaultValue === '2'")
        .await;
    assert_eq!(order(&stage).await, ["Site 1069"], "the search stays");
    stage.go("/settings").await;
    let moved = order(&stage).await;
    assert_eq!(moved[..3], ["Site 1001", "Site 1069", "Site 1002"]);
    browser.click(".pager [rel=next]").await;
    browser.shows("Page 2 of 2").await;
    assert_eq!(order(&stage).await.len(), 20);
    // Over the edge of a page: the focus goes along with the project.
    let first = order(&stage).await[0].clone();
    browser
        .click("[data-order] li:first-child [aria-label$=' up']")
        .await;
    browser.shows("Page 1 of 2").await;
    assert_eq!(order(&stage).await[49], first);
    browser
        .until(&format!(
            "document.activeElement.getAttribute('aria-label') === 'Move {first} up'"
        ))
        .await;
    assert!(violations(browser).await.is_empty());
    browser.size(320, 800).await;
    assert_eq!(misfits(browser).await, Vec::<String>::new());
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_projects_are_searched_and_moved_without_scripts() {
    let stage = with_many().await;
    let browser = &stage.browser;
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
    stage.go("/settings").await;
    assert_eq!(order(&stage).await[0], "Site 1069");
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
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hidden_project_leaves_the_home_screen_and_can_come_back() {
    let stage = in_settings().await;
    let all = order(&stage).await.len();
    stage.browser.click("[data-order] li .grow > a").await;
    stage
        .browser
        .until("document.querySelector('#preferences')?.open")
        .await;
    stage.browser.click("#preferences [name=hidden]").await;
    stage
        .browser
        .until("document.querySelector('#preferences .saved').textContent")
        .await;
    stage.go("/").await;
    stage.complete(all - 1).await;
    stage.browser.click(".tools a.muted").await;
    stage.browser.shows("hidden").await;
    assert_eq!(order(&stage).await.len(), all);
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_exported_is_imported_again() {
    let stage = in_settings().await;
    stage
        .browser
        .click("label:has([name=scheme][value=fern])")
        .await;
    stage
        .browser
        .until("document.documentElement.dataset.scheme === 'fern'")
        .await;
    let exported = stage
        .browser
        .run_to_its_end(
            "const done = arguments[arguments.length - 1]; fetch(document.querySelector('a[download]').href).then((answer) => answer.text()).then(done)",
            vec![],
        )
        .await;
    let copy = stage.home().join("copy.toml");
    std::fs::write(&copy, exported.as_str().unwrap()).unwrap();
    stage
        .browser
        .click("label:has([name=scheme][value=ember])")
        .await;
    stage
        .browser
        .until("document.documentElement.dataset.scheme === 'ember'")
        .await;
    stage.browser.choose_file("input[type=file]", &copy).await;
    stage
        .browser
        .click("form[action$='/settings/import'] button[type=submit]")
        .await;
    stage
        .browser
        .until("document.documentElement.dataset.scheme === 'fern'")
        .await;
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_file_is_named_with_its_line_and_never_overwritten() {
    let stage = in_settings().await;
    let broken = "mode = \"dark\"\n\nscheme = \"lava\"\n";
    std::fs::write(file(&stage), broken).unwrap();
    stage.go("/settings").await;
    stage.browser.shows("line 3").await;
    stage.go("/").await;
    stage.browser.find("#cards li").await;
    stage.browser.shows("line 3").await;
    assert_eq!(std::fs::read_to_string(file(&stage)).unwrap(), broken);
    stage.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_imported_changes_nothing() {
    let stage = in_settings().await;
    let copy = stage.home().join("copy.toml");
    std::fs::write(&copy, "scheme = \"plum\"\nmode = 7\n").unwrap();
    stage.browser.choose_file("input[type=file]", &copy).await;
    stage
        .browser
        .click("form[action$='/settings/import'] button[type=submit]")
        .await;
    stage.browser.shows("line 2").await;
    stage.go("/").await;
    stage
        .browser
        .until("document.documentElement.dataset.scheme === 'ember'")
        .await;
    stage.browser.finish().await;
}
