//! The accessibility rules of axe-core, and what axe cannot see: that keyboard focus is visible.

use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::Browser;

/// What axe-core finds on the page by all of its rules, a line for each element.
pub async fn violations(browser: &Browser) -> Vec<String> {
    found(browser, json!({})).await
}

/// What axe-core finds by its rule about contrast, the only one that colours can break.
pub async fn unreadable(browser: &Browser) -> Vec<String> {
    found(browser, json!({ "runOnly": ["color-contrast"] })).await
}

/// Cards past the 24th are left out: they are like those before, and their number makes axe slow.
async fn found(browser: &Browser, options: Value) -> Vec<String> {
    if browser.run("return !window.axe", vec![]).await == json!(true) {
        browser.run(axe(), vec![]).await;
    }
    let found = browser
        .run_to_its_end(
            "const [options, done] = arguments;
             axe.run({ exclude: ['#cards > li:nth-child(n+25)'] }, { resultTypes: ['violations'], ...options }).then(
               (result) => done(result.violations.flatMap((rule) => rule.nodes.map((node) =>
                 `${rule.id}: ${node.target.join(' ')} (${node.any.concat(node.all, node.none).map((check) => check.message).join('; ')})`))),
               (error) => done([String(error)]))",
            vec![options],
        )
        .await;
    serde_json::from_value(found).unwrap()
}

fn axe() -> &'static str {
    static SOURCE: OnceLock<String> = OnceLock::new();
    SOURCE.get_or_init(|| {
        let file = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../target/peers/axe/node_modules/axe-core/axe.min.js");
        std::fs::read_to_string(&file).unwrap_or_else(|error| {
            panic!(
                "{}: {error}; `cargo xtask prepare` puts it there",
                file.display()
            )
        })
    })
}

/// Walks the page with the tab key and gives every stop where the focus cannot be seen.
pub async fn stops_without_visible_focus(browser: &Browser) -> Vec<String> {
    let mut bad = Vec::new();
    browser
        .run(
            "document.activeElement?.blur(); window.seen = new Set()",
            vec![],
        )
        .await;
    for _ in 0..200 {
        browser.press("Tab").await;
        let stop = browser
            .run(
                "const node = document.activeElement;
                 if (!node || node === document.body || window.seen.has(node)) return null;
                 window.seen.add(node);
                 const shown = (it) => { if (!it) return false; const style = getComputedStyle(it);
                   return style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1; };
                 const ring = [node, node.nextElementSibling, node.closest('.card'), node.closest('label')].some(shown);
                 const box = (node.nextElementSibling && node.classList.contains('hidden-label') ? node.nextElementSibling : node).getBoundingClientRect();
                 const inside = box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth;
                 return [ring && inside, `${node.outerHTML.slice(0, 120)} ring: ${ring}, inside the window: ${inside}`]",
                vec![],
            )
            .await;
        if stop.is_null() {
            break;
        }
        if stop[0] == json!(false) {
            bad.push(stop[1].as_str().unwrap_or_default().to_owned());
        }
    }
    bad
}
