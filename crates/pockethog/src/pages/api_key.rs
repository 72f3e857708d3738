//! The way in by personal API key: for self-hosted PostHog, and for those who prefer it.

use maud::{Markup, html};

use super::layout::{Notice, Shell, Tone};

/// What the API key form knows. The key itself is never shown again.
#[derive(Clone, Debug, Default)]
pub struct ApiKey {
    /// The shell; its title and its way back are ours.
    pub shell: Shell,
    /// The address as typed.
    pub address: String,
    /// Why the last try failed: one sentence.
    pub error: Option<String>,
}

/// The API key form. Fields: `address`, `key`.
pub fn render(view: &ApiKey) -> Markup {
    let mut shell = view.shell.clone();
    "Use an API key".clone_into(&mut shell.title);
    shell.back = Some("/".to_owned());
    let error = view.error.as_ref().map(|error| Notice {
        tone: Tone::Bad,
        text: error.clone(),
        action: None,
    });
    shell.page(
        "narrow",
        &html! {
            h1 { "Use an API key" }
            p.lead { "For your own PostHog, or where signing in with the browser is not possible." }
            @if let Some(error) = &error { (error.render()) }
            form.card.form method="post" action="/api-key" {
                label.field { span { "Address of PostHog" }
                    input type="text" inputmode="url" name="address" value=(view.address) placeholder="https://posthog.example.com" required autocomplete="off" autocapitalize="off" spellcheck="false" list="hosts" autofocus[view.address.is_empty()];
                }
                datalist #hosts { option value="https://us.posthog.com" { "US Cloud" } option value="https://eu.posthog.com" { "EU Cloud" } }
                label.field { span { "Personal API key" }
                    input type="password" name="key" placeholder="phx_…" required autocomplete="off" spellcheck="false" autofocus[!view.address.is_empty()];
                }
                details.help {
                    summary { "Where do I find it?" }
                    p { "In PostHog, open Settings, then Personal API keys, and create a key with these scopes:" }
                    p.scope-list { @for scope in ["organization:read", "project:read", "query:read", "event_definition:read", "annotation:read", "annotation:write"] { code { (scope) } " " } }
                    p { "With " code { "user:read" } " PocketHog can also show your e-mail address. A project key (phc_…) only sends events and cannot be used here." }
                }
                div.actions { a.button href="/" { "Cancel" } button.button.primary type="submit" { "Connect" } }
            }
            p.muted { "The key is kept in this device’s Vault and is sent to this address alone." }
        },
    )
}
