//! Whether a page fits its window.

use super::Browser;

/// From the smallest phone to a large screen.
pub const WIDTHS: [u32; 5] = [320, 390, 768, 1280, 1920];

/// What sticks out of the window, is cut off without an ellipsis, or with one and without a title that has the rest; a
/// line for each.
pub async fn misfits(browser: &Browser) -> Vec<String> {
    let found = browser
        .run(
            "const width = document.documentElement.clientWidth;
             const found = [];
             const name = (node) => `<${node.tagName.toLowerCase()} class=\"${node.getAttribute('class') ?? ''}\"> “${node.textContent.trim().slice(0, 40)}”`;
             if (document.documentElement.scrollWidth > width || document.body.scrollWidth > width)
               found.push(`the page scrolls sideways: ${document.documentElement.scrollWidth} of ${width}`);
             const scrolls = (node) => { for (let up = node; up; up = up.parentElement) {
               const style = getComputedStyle(up);
               if (/auto|scroll/.test(style.overflowX) || (style.overflowX === 'hidden' && style.textOverflow === 'ellipsis')) return true; }
               return false; };
             for (const node of document.body.querySelectorAll('*')) {
               if (node.closest('.hidden-label, .skip, [hidden], datalist, dialog:not([open]), details:not([open]) > :not(summary)')) continue;
               const style = getComputedStyle(node);
               if (style.visibility === 'hidden' || style.display === 'none') continue;
               if (node instanceof SVGElement && !(node instanceof SVGSVGElement)) continue;
               const box = node.getBoundingClientRect();
               if (box.width === 0) continue;
               if (!(node instanceof SVGElement) && (box.right > width + 1 || box.left < -1) && !scrolls(node))
                 found.push(`${name(node)} reaches from ${Math.round(box.left)} to ${Math.round(box.right)} of ${width}`);
               const hasText = [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim());
               if (hasText && /hidden|clip/.test(style.overflowX) && style.textOverflow !== 'ellipsis'
                   && style.webkitLineClamp === 'none' && node.scrollWidth > node.clientWidth + 1)
                 found.push(`${name(node)} is cut off`);
               if (hasText && style.textOverflow === 'ellipsis' && node.scrollWidth > node.clientWidth && !node.closest('[title]'))
                 found.push(`${name(node)} is cut off, and no title has the rest`);
               if (hasText && style.display !== 'inline' && !scrolls(node) && node.scrollWidth > node.clientWidth + 1
                   && style.overflowX === 'visible')
                 found.push(`${name(node)} runs out of its box by ${node.scrollWidth - node.clientWidth}`);
             }
             return found",
            vec![],
        )
        .await;
    serde_json::from_value(found).unwrap()
}
