//! What is done on a card: its menu, its curve, and the way to a project and back.

use serde_json::json;
use test_support::browser::accessibility::violations;
use test_support::browser::layout::misfits;

use crate::harness::{Allow, Harness};

/// A harness on the home screen with all its numbers.
async fn at_home() -> Harness {
    let harness = Harness::start().await;
    harness.sign_in("us", &Allow::default()).await;
    harness.complete(harness.us().world().projects.len()).await;
    harness
}

/// The middle of an element, in the window.
async fn middle(harness: &Harness, css: &str) -> (f64, f64) {
    let place = harness
        .browser
        .run(
            "const node = document.querySelector(arguments[0]); node.scrollIntoView({ block: 'center' });
             const box = node.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]",
            vec![json!(css)],
        )
        .await;
    (place[0].as_f64().unwrap(), place[1].as_f64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finger_hides_a_project_on_its_card_and_takes_it_back() {
    let harness = at_home().await;
    let browser = &harness.browser;
    browser.size(390, 844).await;
    let before = harness.projects().await;
    let (x, y) = middle(&harness, "#cards li .menu summary").await;
    browser.tap(x, y).await;
    browser.find("#cards li .menu[open]").await;
    assert_eq!(misfits(browser).await, Vec::<String>::new());
    assert_eq!(violations(browser).await, Vec::<String>::new());
    let small = browser
        .run(
            "return [...document.querySelectorAll('.menu[open] summary, .menu[open] button, .menu[open] input[type=text]')]
               .filter((node) => { const box = node.getBoundingClientRect(); return box.height < 44 || box.width < 44; })
               .map((node) => node.outerHTML)",
            vec![],
        )
        .await;
    assert_eq!(small, json!([]), "too small for a finger");
    let (x, y) = middle(&harness, ".menu[open] button[value=hide]").await;
    browser.tap(x, y).await;
    browser
        .shows("is hidden and no longer part of the total")
        .await;
    harness.complete(before.len() - 1).await;
    assert!(!harness.projects().await.contains(&before[0]));
    let (x, y) = middle(&harness, ".notice button[value=show]").await;
    browser.tap(x, y).await;
    harness.complete(before.len()).await;
    let mut after = harness.projects().await;
    after.sort();
    let mut all = before;
    all.sort();
    assert_eq!(after, all);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_menu_of_a_card_works_by_keyboard() {
    let harness = at_home().await;
    let browser = &harness.browser;
    let last = harness.projects().await.pop().unwrap();
    browser
        .run(
            "document.querySelector('#cards li:last-child .menu summary').focus()",
            vec![],
        )
        .await;
    browser.press("Enter").await;
    browser.find("#cards li:last-child .menu[open]").await;
    browser.press("Escape").await;
    browser.gone(".menu[open]").await;
    browser
        .until("document.activeElement.matches('#cards li:last-child .menu summary')")
        .await;
    browser.press("Enter").await;
    browser.press("Tab").await;
    browser.press("Enter").await;
    browser.find("#cards li:first-child .fav").await;
    harness.complete(harness.us().world().projects.len()).await;
    assert_eq!(harness.projects().await[0], last);
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_menu_of_a_card_works_without_scripts() {
    let harness = at_home().await;
    let browser = &harness.browser;
    browser.scripts(false).await;
    harness.go("/?sort=name").await;
    browser.click("#cards li:first-child .menu summary").await;
    browser
        .fill("#cards li:first-child .menu [name=name]", "Zebra")
        .await;
    browser
        .click("#cards li:first-child .menu .rename button")
        .await;
    browser
        .until("document.querySelector('#cards li:last-child h3 bdi')?.textContent === 'Zebra'")
        .await;
    assert!(
        browser
            .address()
            .await
            .query()
            .unwrap()
            .contains("sort=name")
    );
    browser.click("#cards li:last-child .menu summary").await;
    browser
        .click("#cards li:last-child .menu button[value=hide]")
        .await;
    browser.shows("Zebra is hidden").await;
    browser.click(".notice button[value=show]").await;
    browser.gone(".notice button[value=show]").await;
    assert!(harness.projects().await.contains(&"Zebra".to_owned()));
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_curve_of_a_card_tells_day_and_number_under_the_pointer() {
    let harness = at_home().await;
    let browser = &harness.browser;
    let (x, y) = middle(&harness, "#cards li .spark").await;
    browser.point(x, y).await;
    let said = browser.text("#cards li .tip").await;
    let expected = browser
        .run(
            "const spark = document.querySelector('#cards li .spark'), days = spark.dataset.days.split(' ');
             const box = spark.getBoundingClientRect();
             const place = Math.round((arguments[0] - box.left) / box.width * (days.length - 1));
             const day = new Date(spark.dataset.today + 'T12:00Z'); day.setUTCDate(day.getUTCDate() - (days.length - 1 - place));
             return [days[place], String(day.getUTCDate()), day.toLocaleDateString('en-GB', { month: 'short', timeZone: 'UTC' })]",
            vec![json!(x)],
        )
        .await;
    for part in expected.as_array().unwrap() {
        assert!(said.contains(part.as_str().unwrap()), "{said}: {expected}");
    }
    browser.point(1.0, 1.0).await;
    browser.gone("#cards li .tip").await;
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sort_filter_and_range_are_there_after_leaving_and_coming_back() {
    let harness = at_home().await;
    let browser = &harness.browser;
    browser.click(".tools .segments a[href*='sort=name']").await;
    browser.until("location.search.includes('sort=name')").await;
    browser.fill(".filter input", "Site 100").await;
    browser
        .until("location.search.includes('filter=Site')")
        .await;
    browser.press("Enter").await;
    browser.find(".ranges").await;
    browser.click(".ranges a[href*='7d']").await;
    browser
        .until("document.querySelector('.ranges [aria-current]')?.textContent === '7d'")
        .await;
    // To the list and to another project.
    browser.click(".brand").await;
    browser
        .until("location.search.includes('sort=name') && location.search.includes('filter=Site')")
        .await;
    browser.click("#cards li:nth-child(2) h3 a").await;
    browser
        .until("document.querySelector('.ranges [aria-current]')?.textContent === '7d'")
        .await;
    harness.browser.finish_without_errors().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn escape_empties_the_filter_and_enter_opens_what_is_found() {
    let harness = at_home().await;
    let browser = &harness.browser;
    browser.press("/").await;
    browser
        .until("document.activeElement.matches('.filter input')")
        .await;
    browser.fill(".filter input", "Site 1003").await;
    browser.shows("1 project").await;
    browser.press("Escape").await;
    browser.shows("9 projects").await;
    browser.fill(".filter input", "Site 1003").await;
    browser.press("Enter").await;
    browser
        .until("document.querySelector('.title h1')?.textContent.includes('Site 1003')")
        .await;
    harness.browser.finish_without_errors().await;
}
