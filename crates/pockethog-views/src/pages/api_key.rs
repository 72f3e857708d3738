//! Signing in with a personal API key: for self-hosted PostHog, and for those who prefer it.

use maud::{Markup, html};

use super::icons;
use super::layout::{Notice, Shell, Tone};

/// What the API key form knows. The key itself is never shown again.
#[derive(Clone, Debug, Default)]
pub struct ApiKey {
    /// The shell; its title and its way back are ours.
    pub shell: Shell,
    /// Hosts to choose from: their issuer and their name. Any other may be typed.
    pub hosts: Vec<(String, String)>,
    /// The address as typed.
    pub address: String,
    /// Why the last try failed.
    pub fault: Option<Fault>,
}

/// Why a try failed, in one sentence, by what has to be fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The address.
    Address(String),
    /// The key.
    Key(String),
    /// Neither.
    Other(String),
}

/// The API key form. Fields: `address`, `key`.
pub fn render(view: &ApiKey) -> Markup {
    let mut shell = view.shell.clone();
    "Use an API key".clone_into(&mut shell.title);
    shell.back = Some("/".to_owned());
    let (mut address_fault, mut key_fault, mut other_fault) = (None, None, None);
    match &view.fault {
        Some(Fault::Address(text)) => address_fault = Some(text),
        Some(Fault::Key(text)) => key_fault = Some(text),
        Some(Fault::Other(text)) => {
            other_fault = Some(Notice {
                tone: Tone::Bad,
                text: text.clone(),
                action: None,
            });
        }
        None => {}
    }
    let to_key = view.fault.is_some() && address_fault.is_none();
    shell.page(
        "narrow",
        &html! {
            h1 { "Use an API key" }
            p.lead { "For a PostHog that you host yourself, or if you cannot sign in with the browser." }
            @if let Some(fault) = &other_fault { (fault.render()) }
            form.card.form method="post" action="/api-key" {
                label.field { span { "Address of PostHog" }
                    input #address type="text" inputmode="url" name="address" value=(view.address) placeholder="https://posthog.example.com" required autocomplete="off" autocapitalize="off" spellcheck="false" list="hosts" autofocus[!to_key] aria-invalid=[address_fault.map(|_| "true")] aria-describedby=[address_fault.map(|_| "address-fault")];
                    @if let Some(fault) = address_fault { span.fault #address-fault role="alert" { (icons::warning()) (fault) } }
                }
                datalist #hosts { @for (issuer, name) in &view.hosts { option value=(issuer) { (name) } } }
                label.field { span { "Personal API key" }
                    input #key type="password" name="key" placeholder="phx_…" required autocomplete="off" spellcheck="false" autofocus[to_key] aria-invalid=[key_fault.map(|_| "true")] aria-describedby=[key_fault.map(|_| "key-fault")];
                    @if let Some(fault) = key_fault { span.fault #key-fault role="alert" { (icons::warning()) (fault) } }
                }
                details.help {
                    summary { "Where do I find the key?" }
                    p { "In PostHog, open Settings, then Personal API keys, and create a key with these scopes:" }
                    p.scope-list { @for scope in ["organization:read", "project:read", "query:read", "event_definition:read", "annotation:read", "annotation:write"] { code { (scope) } " " } }
                    p { "With " code { "user:read" } " PocketHog can also show your e-mail address. A project key (phc_…) only sends events and cannot be used here." }
                }
                div.actions { a.button href="/" { "Cancel" } button.button.primary type="submit" { "Connect" } }
                p.quiet { button.link type="submit" formaction="/sign-in/host" formnovalidate { "Sign in with the browser at this address instead" } }
            }
            p.muted { "The key is stored on this device, in the keychain or encrypted, and is sent only to this address." }
        },
    )
}
