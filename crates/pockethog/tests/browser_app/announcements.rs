//! Screen readers announce numbers in words, once, and not while they count up.

use crate::harness::{Allow, Harness};
use crate::home::overtake;

/// Notes what changes in regions that are read out, and how often a number does.
const LISTENER: &str = "
    window.heard = []; window.counted = 0; window.spoilt = [];
    new MutationObserver((changes) => {
      for (const { target } of changes) {
        const node = target.nodeType === 1 ? target : target.parentElement;
        const region = node?.closest('[aria-live], [role=status], [role=alert], output');
        if (node?.closest('[data-number]')) { window.counted += 1; if (region) window.spoilt.push(node.outerHTML); }
        if (region?.classList.contains('hidden-label')) window.heard.push(region.textContent);
      }
    }).observe(document, { subtree: true, childList: true, characterData: true });";

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_counts_up_is_said_once_in_words_when_it_has_settled() {
    let harness = Harness::start().await;
    harness.sign_in("us", &Allow::default()).await;
    harness.complete(harness.us().world().projects.len()).await;
    let browser = &harness.browser;
    browser.motion().await;
    browser.before_every_page(LISTENER).await;
    browser.reload().await;
    browser
        .until("document.querySelector('#status').dataset.state === 'live'")
        .await;
    let last = harness.projects().await.pop().unwrap();
    overtake(&harness, &last);
    browser
        .until("Number(document.querySelector('#total [data-number]').dataset.number) >= 1000000")
        .await;
    browser.until("window.heard.length > 0").await;
    let seen = browser
        .run(
            "return [window.heard, document.querySelector('#total').dataset.say, window.counted, window.spoilt]",
            vec![],
        )
        .await;
    assert_eq!(seen[0], serde_json::json!([seen[1]]), "{seen}");
    assert!(
        seen[1].as_str().unwrap().contains("visitors today"),
        "{seen}"
    );
    assert!(seen[2].as_u64().unwrap() > 2, "nothing counted up: {seen}");
    assert_eq!(seen[3], serde_json::json!([]));
    harness.browser.finish_without_errors().await;
}
