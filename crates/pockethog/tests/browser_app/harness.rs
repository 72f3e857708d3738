//! A harness for tests of the whole way: an embedded PostHog, the real program with a home folder of its own, and a
//! browser that has opened the address which the program printed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use demo_posthog::{Demo, Instance, Options, Project, Size};
use tempfile::TempDir;
use test_support::browser::Browser;

/// Everything that a test of the whole way needs.
pub struct Harness {
    demo: Option<Demo>,
    app: App,
    /// The path that all pages are below.
    mount: String,
    home: TempDir,
    /// The person's browser.
    pub browser: Browser,
}

/// A running `pockethog`, which ends when dropped.
pub struct App {
    process: Child,
    /// The printed address, which lets a browser in.
    pub opening: String,
}

/// What a person allows on PostHog's page.
#[derive(Clone, Debug, Default)]
pub struct Allow {
    /// The person to log in as, by number; 0 stands for the first.
    pub person: u64,
    /// Only this organization, by its UUID.
    pub organization: Option<String>,
    /// Only these projects.
    pub projects: Vec<u64>,
    /// Scopes to narrow: object and what is left, `annotation` and `read`.
    pub narrowed: Vec<(&'static str, &'static str)>,
}

impl Harness {
    /// With nine small projects of three organizations in the US, so that their events are made at once
    /// by a program that is not optimised, and the demo's usual ones in the EU.
    pub async fn start() -> Self {
        let size = Size::Large {
            organizations: 3,
            projects_each: 3,
        };
        Self::start_with(Options {
            size,
            ..Options::default()
        })
        .await
    }

    /// With another PostHog.
    pub async fn start_with(options: Options) -> Self {
        let demo = Demo::start(options).await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let app = App::start(home.path(), demo.us().address(), demo.eu().address());
        let browser = Browser::start().await;
        browser.open(&app.opening).await;
        let home_page = browser.address().await.path().to_owned();
        let mount = home_page.trim_end_matches('/').to_owned();
        assert!(mount.starts_with("/~"), "{mount}");
        Self {
            demo: Some(demo),
            app,
            mount,
            home,
            browser,
        }
    }

    /// PostHog in the United States.
    pub fn us(&self) -> &Instance {
        self.demo.as_ref().expect("still running").us()
    }

    /// PostHog in the European Union.
    pub fn eu(&self) -> &Instance {
        self.demo.as_ref().expect("still running").eu()
    }

    /// The projects in the EU with few visitors, some of them with names in other scripts.
    pub fn quiet(&self) -> Vec<Project> {
        let projects = &self.eu().world().projects;
        projects
            .iter()
            .filter(|project| project.visitors < 100)
            .cloned()
            .collect()
    }

    /// Access to no more than the quiet projects.
    pub fn quiet_only(&self) -> Allow {
        Allow {
            projects: self.quiet().iter().map(|project| project.id).collect(),
            ..Allow::default()
        }
    }

    /// The program's home folder.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A new address that opens the program, as a second start of it prints one.
    pub fn another_opening(&self) -> String {
        let second = App::start(self.home.path(), self.us().address(), self.eu().address());
        second.opening.clone()
    }

    /// The printed address of the program. It has opened it, and opens nothing again.
    pub fn opening(&self) -> &str {
        &self.app.opening
    }

    /// The program's origin, `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        let address = url::Url::parse(&self.app.opening).unwrap();
        address.origin().ascii_serialization()
    }

    /// The whole address of one of the program's pages, of which the path below the mount is known, or all
    /// of it from a link.
    pub fn page(&self, path: &str) -> String {
        let path = path.strip_prefix(&self.mount).unwrap_or(path);
        format!("{}{}{path}", self.origin(), self.mount)
    }

    /// Goes to one of the program's pages.
    pub async fn go(&self, path: &str) {
        self.browser.open(&self.page(path)).await;
    }

    /// Waits until the browser is back at one of the program's own pages.
    pub async fn at(&self, path: &str) {
        let origin = serde_json::json!(self.origin());
        let path = serde_json::json!(format!("{}{path}", self.mount));
        self.browser
            .until(&format!(
                "location.origin === {origin} && location.pathname === {path} && document.readyState === 'complete'"
            ))
            .await;
    }

    /// Takes PostHog away, as when the network is gone.
    pub fn stop_posthog(&mut self) {
        self.demo = None;
    }

    /// Ends the program under the open page.
    pub fn end_program(&mut self) {
        self.app.end();
    }

    /// Ends the program and starts it again with the same home folder and the same PostHog.
    pub async fn restart(&mut self, us: &str, eu: &str) {
        self.app.end();
        // The open page noticed that, as it should; what is reported later counts.
        self.browser.open("about:blank").await;
        self.browser.errors().await;
        self.app = App::start(self.home.path(), us, eu);
        self.browser.open(&self.app.opening).await;
    }

    /// Ends the program at once, while its page stays open.
    pub fn kill(&mut self) {
        self.app.end();
    }

    /// Starts the program again, while its page stays open.
    pub fn start_again(&mut self) {
        self.app = App::start(self.home.path(), self.us().address(), self.eu().address());
    }

    /// From the sign-in screen through PostHog's page to the home screen.
    pub async fn sign_in(&self, region: &str, allow: &Allow) {
        self.browser
            .click(&format!("button[formaction$=\"/sign-in/{region}\"]"))
            .await;
        self.consent(allow).await;
        self.at("/").await;
    }

    /// Logs in at PostHog where it asks, chooses what is allowed, and authorizes.
    pub async fn consent(&self, allow: &Allow) {
        let browser = &self.browser;
        self.log_in(allow.person.max(1)).await;
        if let Some(organization) = &allow.organization {
            browser.click("label[for=access-organization]").await;
            browser
                .click(&format!("label[for='organization-{organization}']"))
                .await;
        }
        if !allow.projects.is_empty() {
            browser.click("label[for=access-project]").await;
            for project in &allow.projects {
                browser
                    .click(&format!("label[for='project-{project}']"))
                    .await;
            }
        }
        for (object, left) in &allow.narrowed {
            browser
                .click(&format!("label[for='scope-{object}-{left}']"))
                .await;
        }
        browser.click("#authorize").await;
    }

    /// Logs in at PostHog, unless the browser is logged in there already.
    pub async fn log_in(&self, person: u64) {
        let browser = &self.browser;
        browser
            .until("document.querySelector('#login-as-1, #authorize')")
            .await;
        if browser.has("#login-as-1").await {
            browser.click(&format!("#login-as-{person}")).await;
        }
        browser.find("#authorize").await;
    }

    /// Loads the page again until it has an element: what a person does whose scripts are off.
    pub async fn reload_until(&self, css: &str) {
        for _ in 0..100 {
            if self.browser.has(css).await {
                return;
            }
            self.browser.reload().await;
        }
        panic!("a hundred loads bring no {css}");
    }

    /// The names on the cards of the home screen, as they are there.
    pub async fn projects(&self) -> Vec<String> {
        self.browser.texts("#cards h3 bdi").await
    }

    /// Waits until the home screen has `count` cards, and none without its numbers.
    pub async fn complete(&self, count: usize) {
        self.browser
            .until(&format!(
                "document.querySelectorAll('#cards > li').length === {count} && !document.querySelector('#cards .bone')"
            ))
            .await;
    }
}

impl App {
    /// Starts the program with nothing of the person who runs the test.
    pub fn start(home: &Path, us: &str, eu: &str) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_pockethog"))
            .env("HOME", home)
            .env("POCKETHOG_HOME", home.join("pockethog"))
            .env("POCKETHOG_US_URL", us)
            .env("POCKETHOG_EU_URL", eu)
            .env_remove("BROWSER")
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY")
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("XDG_RUNTIME_DIR")
            .env_remove("XDG_STATE_HOME")
            .env_remove("POCKETHOG_CLIENT_ID")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("pockethog starts");
        let (found, address) = std::sync::mpsc::channel();
        for stream in [
            Box::new(process.stdout.take().expect("piped")) as Box<dyn std::io::Read + Send>,
            Box::new(process.stderr.take().expect("piped")),
        ] {
            let found = found.clone();
            // Reads on after the address, so that the program never waits for a reader.
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let address = line
                        .split_whitespace()
                        .find(|word| word.starts_with("http://127.0.0.1:"));
                    if let Some(address) = address {
                        found.send(address.to_owned()).ok();
                    }
                }
            });
        }
        drop(found);
        let opening = address
            .recv()
            .expect("pockethog prints its address before it ends");
        Self { process, opening }
    }

    fn end(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Drop for App {
    fn drop(&mut self) {
        self.end();
    }
}
