//! The pages: pure functions from plain data to HTML.
//!
//! Nothing here reads a clock, a file or the network. Every page works without its script: sorting,
//! ranges and settings are links and forms. The Content-Security-Policy allows styles, scripts and
//! typefaces from `/assets/` alone, so no element carries a `style` or an event attribute.

pub mod alerts;
pub mod annotations;
pub mod api_key;
pub mod card;
mod card_menu;
pub mod chooser;
pub mod connections;
pub mod home;
pub mod icons;
pub mod layout;
pub mod message;
pub mod moves;
pub mod order;
pub mod project;
mod rest;
#[cfg(test)]
pub(crate) mod samples;
pub mod settings;
pub mod sign_in;
pub mod total;
pub mod typeface;

pub use layout::{Shell, StatusLine};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// What is encoded: all but the unreserved characters (RFC 3986 section 2.3).
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// The script of every page, at `/assets/app.js`.
pub const SCRIPT: &str = include_str!("app.js");

/// The icon of every page, at `/assets/icon.svg`.
pub const ICON: &str = include_str!("icon.svg");

/// The style sheet of every page, at `/assets/style.css`: the typeface, the colour table, then the rules.
pub fn style_sheet() -> String {
    let mut css = typeface::css();
    css.push_str(&crate::colours::css());
    css.push_str(include_str!("style.css"));
    css
}

/// The colours of the app for the one page of a sign-in in the terminal, which loads nothing, and in a demo the
/// words that say so.
pub fn sign_in_style(demo: bool) -> String {
    let mut css = crate::colours::css();
    css.push_str(":root{color-scheme:light dark}body{background:var(--page);color:var(--ink)}main{background:var(--surface);border-color:var(--line)}p{color:var(--soft)}");
    if demo {
        css.push_str("main::before{content:'Demo · invented data';display:block;margin-bottom:1rem;color:var(--soft);font-size:.8rem}");
    }
    css
}

/// The address of a project's page.
pub fn project_path(key: &pockethog_core::project::ProjectKey) -> String {
    format!("/project/{}/{}", encoded(&key.host), key.id)
}

/// An element id of a project: letters, digits and hyphens, different for every project.
pub(crate) fn element_id(prefix: &str, key: &pockethog_core::project::ProjectKey) -> String {
    let host: String = key
        .host
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("_{byte:02x}")
            }
        })
        .collect();
    format!("{prefix}-{host}-{}", key.id)
}

/// Percent-encoding of a path segment or query value.
pub fn encoded(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pockethog_core::project::ProjectKey;

    #[test]
    fn a_self_hosted_address_is_one_segment() {
        let key = ProjectKey {
            host: "https://hog.example/base".to_owned(),
            id: 7,
        };
        assert_eq!(
            project_path(&key),
            "/project/https%3A%2F%2Fhog.example%2Fbase/7"
        );
        assert_eq!(
            element_id("card", &key),
            "card-https_3a_2f_2fhog_2eexample_2fbase-7"
        );
    }

    #[test]
    fn no_asset_names_another_host_or_an_inline_style() {
        for asset in [style_sheet().as_str(), SCRIPT] {
            assert!(!asset.contains("http://") && !asset.contains("https://"));
            assert!(!asset.contains("@import"));
        }
    }
}
