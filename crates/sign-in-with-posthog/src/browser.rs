//! Which browser a sign-in belongs to.
//!
//! Every user of a machine can read the arguments of a running program, so whatever a browser is started
//! with is known to all of them. That is why it is never the authorization address, which holds `state`, but
//! a start address on loopback that serves once: it gives the browser a cookie, and only then sends it to
//! PostHog. The callback takes no response without that cookie. A response from any other browser, with
//! another person's account or with an error, changes nothing.
//!
//! If another user opens the start address first, the person's own browser is the second and shows a warning. The
//! cookie of the first one is void from then on.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

use crate::secret::{random, same_secret};
use crate::task::lock;

/// Start addresses of one sign-in: one to start a browser with, one to print.
const ADDRESSES: usize = 2;

/// The browser of one sign-in. Clones are the same one.
#[derive(Clone)]
pub(crate) struct Browser(Arc<Shared>);

struct Shared {
    cookie: String,
    cookie_seconds: i64,
    ids: [SecretString; ADDRESSES],
    bound: Mutex<Bound>,
    contested: watch::Sender<bool>,
}

#[derive(Default)]
struct Bound {
    opened: [bool; ADDRESSES],
    /// What the browser's cookie has to hold, and the address that it came by.
    by: Option<(SecretString, Option<usize>)>,
}

/// What a start address answers.
pub(crate) enum Start {
    /// The browser may go on with these cookies, values of `Set-Cookie`.
    GoOn(Vec<String>),
    /// Another browser was here before. Neither of the two is trusted.
    Contested,
    /// Not an address of this sign-in.
    Unknown,
}

impl Browser {
    /// A browser whose cookies live `cookie_seconds`.
    pub(crate) fn new(cookie_seconds: i64) -> Self {
        let tag: String = random().expose_secret().chars().take(16).collect();
        Self(Arc::new(Shared {
            cookie: format!("sign-in-{tag}"),
            cookie_seconds,
            ids: [random(), random()],
            bound: Mutex::default(),
            contested: watch::Sender::new(false),
        }))
    }

    /// The path of the start address that a browser is started with.
    pub(crate) fn opened_path(&self) -> String {
        format!("/start/{}", self.0.ids[0].expose_secret())
    }

    /// The path of the start address that is printed.
    pub(crate) fn printed_path(&self) -> String {
        format!("/start/{}", self.0.ids[1].expose_secret())
    }

    /// Whether `id` is the one of [`Browser::opened_path`].
    pub(crate) fn is_opened_id(&self, id: &str) -> bool {
        same_secret(id, self.0.ids[0].expose_secret())
    }

    /// Somebody opens `/start/{id}`.
    pub(crate) fn start(&self, id: &str, cookies: &[&str]) -> Start {
        let known = |known: &SecretString| same_secret(id, known.expose_secret());
        let Some(place) = self.0.ids.iter().position(known) else {
            return Start::Unknown;
        };
        let mut bound = self.bound();
        if let Some((value, _)) = &bound.by
            && self.holds(cookies, value)
        {
            // The same browser once more: a reload, or a click on the printed address.
            return Start::GoOn(vec![
                self.callback_cookie(value),
                self.start_cookie(value, id),
            ]);
        }
        let opened = bound.opened.get_mut(place);
        if opened.is_some_and(|opened| !std::mem::replace(opened, true)) {
            let value = random();
            let cookies = vec![self.callback_cookie(&value), self.start_cookie(&value, id)];
            bound.by = Some((value, Some(place)));
            return Start::GoOn(cookies);
        }
        // Whoever came by the other address is not affected.
        if bound.by.as_ref().is_some_and(|(_, by)| *by == Some(place)) {
            bound.by = None;
            self.0.contested.send_replace(true);
        }
        Start::Contested
    }

    /// Binds to a browser that is known to be the person's own. Returns a value of `Set-Cookie`.
    pub(crate) fn bind(&self) -> String {
        let mut bound = self.bound();
        let (value, _) = bound.by.get_or_insert_with(|| (random(), None));
        self.callback_cookie(value)
    }

    /// Whether `Cookie` headers are those of the browser that was started.
    pub(crate) fn is(&self, cookies: &[&str]) -> bool {
        let bound = self.bound();
        bound
            .by
            .as_ref()
            .is_some_and(|(value, _)| self.holds(cookies, value))
    }

    /// A value of `Set-Cookie` that removes the cookie.
    pub(crate) fn farewell(&self) -> String {
        format!(
            "{}=; Path=/callback; HttpOnly; SameSite=Lax; Max-Age=0",
            self.0.cookie
        )
    }

    /// Ready once the address that a browser was started with has been opened by two browsers.
    pub(crate) async fn contested(&self) {
        let mut contested = self.0.contested.subscribe();
        // The sender lives as long as this does.
        drop(contested.wait_for(|contested| *contested).await);
    }

    fn holds(&self, cookies: &[&str], value: &SecretString) -> bool {
        cookies
            .iter()
            .flat_map(|cookies| cookies.split(';'))
            .filter_map(|cookie| cookie.trim().split_once('='))
            .any(|(name, held)| name == self.0.cookie && same_secret(held, value.expose_secret()))
    }

    fn callback_cookie(&self, value: &SecretString) -> String {
        self.cookie(value, "/callback")
    }

    /// Lets the same browser open its start address again.
    fn start_cookie(&self, value: &SecretString, id: &str) -> String {
        self.cookie(value, &format!("/start/{id}"))
    }

    /// `Lax` and not `Strict`: PostHog leads back to the callback from another site.
    fn cookie(&self, value: &SecretString, path: &str) -> String {
        format!(
            "{}={}; Path={path}; HttpOnly; SameSite=Lax; Max-Age={}",
            self.0.cookie,
            value.expose_secret(),
            self.0.cookie_seconds
        )
    }

    fn bound(&self) -> MutexGuard<'_, Bound> {
        lock(&self.0.bound)
    }
}

impl fmt::Debug for Browser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Browser").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn id(path: &str) -> &str {
        path.strip_prefix("/start/").unwrap()
    }

    /// The `Cookie` header of the browser that got these; `None` if it got none.
    fn cookie(start: &Start) -> Option<String> {
        match start {
            Start::GoOn(cookies) => Some(cookies[0].split(';').next().unwrap().to_owned()),
            _ => None,
        }
    }

    #[test]
    fn the_browser_that_was_started_is_known_by_its_cookie_and_no_other_is() {
        let browser = Browser::new(600);
        assert!(!browser.is(&[]));
        let held = cookie(&browser.start(id(&browser.opened_path()), &[])).unwrap();
        assert!(browser.is(&[&held]));
        assert!(browser.is(&["theme=dark", &format!("a=b; {held}")]));
        let (name, _) = held.split_once('=').unwrap();
        for other in ["", name, &format!("{name}="), &format!("{held}x"), "x=y"] {
            assert!(!browser.is(&[other]), "{other}");
        }
        assert!(!Browser::new(600).is(&[&held]));
    }

    #[test]
    fn a_second_browser_at_the_same_address_makes_the_first_one_void() {
        let browser = Browser::new(600);
        let path = browser.opened_path();
        let thief = cookie(&browser.start(id(&path), &[])).unwrap();
        assert!(matches!(browser.start(id(&path), &[]), Start::Contested));
        assert!(!browser.is(&[&thief]));
        assert!(*browser.0.contested.borrow());
        // Not even with the cookie does it begin again.
        assert!(matches!(
            browser.start(id(&path), &[&thief]),
            Start::Contested
        ));
        // The printed address, which nobody else has seen, still serves, and the thief cannot end that.
        let own = cookie(&browser.start(id(&browser.printed_path()), &[])).unwrap();
        assert!(matches!(
            browser.start(id(&path), &[&thief]),
            Start::Contested
        ));
        assert!(browser.is(&[&own]) && !browser.is(&[&thief]));
    }

    #[test]
    fn the_same_browser_may_open_its_address_again() {
        let browser = Browser::new(600);
        let path = browser.opened_path();
        let held = cookie(&browser.start(id(&path), &[])).unwrap();
        for path in [path, browser.printed_path()] {
            let again = browser.start(id(&path), &[&held]);
            assert_eq!(cookie(&again).as_ref(), Some(&held));
        }
        assert!(browser.is(&[&held]));
    }

    #[test]
    fn what_is_no_start_address_starts_nothing() {
        let browser = Browser::new(600);
        assert!(matches!(browser.start("guess", &[]), Start::Unknown));
        assert!(matches!(browser.start("", &[]), Start::Unknown));
        assert!(!browser.is_opened_id("guess"));
    }

    #[test]
    fn the_cookie_is_for_the_callback_alone_and_goes_with_the_sign_in() {
        let browser = Browser::new(600);
        let set = browser.bind();
        for part in [
            "; Path=/callback;",
            "; HttpOnly",
            "; SameSite=Lax",
            "; Max-Age=600",
        ] {
            assert!(set.contains(part), "{set}");
        }
        assert_eq!(set, browser.bind(), "a reload keeps it");
        let (name, _) = set.split_once('=').unwrap();
        assert!(browser.farewell().starts_with(&format!("{name}=;")));
    }
}
