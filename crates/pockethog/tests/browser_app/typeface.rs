//! The typeface that the real program serves, on a machine that has none.

use serde_json::json;

use crate::harness::Harness;

/// Every file of the typeface that the page has loaded: what asked for it, and the bytes that came over the network.
const LOADED: &str = "return performance.getEntriesByType('resource')
    .filter((entry) => entry.name.endsWith('.woff2'))
    .map((entry) => [entry.name.split('/').pop().replace(/-[0-9a-f]{12}/, ''), entry.initiatorType, entry.transferSize > 0])";

#[tokio::test(flavor = "multi_thread")]
async fn the_typeface_is_preloaded_once_and_kept() {
    let harness = Harness::start().await;
    let browser = &harness.browser;
    browser.until("document.fonts.status === 'loaded'").await;
    let used = browser
        .run(
            "return [...document.fonts].filter((face) => face.status === 'loaded').map((face) => face.family)",
            vec![],
        )
        .await;
    assert_eq!(
        used,
        json!(["Inter"]),
        "one file is enough for our own words"
    );
    let first = browser.run(LOADED, vec![]).await;
    assert_eq!(first, json!([["inter-latin.woff2", "link", true]]));
    harness.go("/api-key").await;
    browser.until("document.fonts.status === 'loaded'").await;
    let second = browser.run(LOADED, vec![]).await;
    assert_eq!(second, json!([["inter-latin.woff2", "link", false]]));
    harness.browser.finish_without_errors().await;
}
