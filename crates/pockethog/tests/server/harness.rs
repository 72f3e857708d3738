//! An embedded PostHog, an app on it, and a browser that keeps its cookie.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use demo_posthog::{Consent, Demo, Instance, Options, Size};
use pockethog_core::accounts::Clouds;
use pockethog_core::app_context::AppContext;
use pockethog_device::folders::Folders;
use pockethog_server::{CODE_LIFE, Launch, State, launch};
use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longer than anything here takes, so that a test which hangs fails.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// What these tests look at is which numbers come when, not how many events they count.
const FEW_EVENTS: Size = Size::Large {
    organizations: 2,
    projects_each: 4,
};

/// An app and its surroundings.
pub struct Harness {
    pub demo: Demo,
    pub home: TempDir,
    pub app: App,
}

impl Harness {
    pub async fn new() -> Self {
        Self::with(FEW_EVENTS).await
    }

    /// With a PostHog of another size.
    pub async fn with(size: Size) -> Self {
        let demo = Demo::start(Options {
            size,
            ..Options::default()
        });
        let demo = demo.await.unwrap();
        let home = tempfile::tempdir().unwrap();
        let app = App::start(home.path(), demo.us().address(), demo.eu().address()).await;
        Self { demo, home, app }
    }

    /// Signs in at US Cloud and is on the home page.
    pub async fn signed_in() -> Self {
        let harness = Self::new().await;
        let end = harness.sign_in("us", &Consent::default()).await;
        assert_eq!(location(&end), "/");
        harness
    }

    pub fn region(&self, region: &str) -> &Instance {
        match region {
            "us" => self.demo.us(),
            _ => self.demo.eu(),
        }
    }

    /// Presses a button, decides on PostHog's page, comes back.
    pub async fn sign_in(&self, region: &str, consent: &Consent<'_>) -> Response {
        let begun = self.app.post(&format!("/sign-in/{region}"), &[]).await;
        assert_eq!(begun.status(), StatusCode::SEE_OTHER);
        let address = self.app.leads_to(&begun).await;
        let back = self.region(region).consent(&address, consent);
        self.app.follow(&back).await
    }
}

/// A running app and a browser that it let in.
pub struct App {
    pub state: Arc<State>,
    pub origin: String,
    /// The path that all pages are below.
    pub mount: String,
    /// The address that let the browser in. It opens nothing again.
    pub open_address: String,
    pub cookie: String,
    /// Those of sign-ins, which the browser sends to the callback alone.
    pub callback_cookies: Mutex<Vec<String>>,
    pub browser: Client,
    end: Option<oneshot::Sender<()>>,
    served: JoinHandle<std::io::Result<()>>,
}

impl App {
    pub async fn start(home: &Path, us: &str, eu: &str) -> Self {
        let program = open(home, us, eu);
        let Launch::New(app) = launch(Arc::new(program), 0).await.unwrap() else {
            panic!("one runs already");
        };
        let state = Arc::clone(app.state());
        let open_address = app.open_address(CODE_LIFE).unwrap();
        let (end, ended) = oneshot::channel::<()>();
        let served = tokio::spawn(app.serve(async {
            ended.await.ok();
        }));
        let origin = state.address().as_str().trim_end_matches('/').to_owned();
        let browser = browser();
        let opened = browser.get(&open_address).send().await.unwrap();
        assert_eq!(opened.status(), StatusCode::SEE_OTHER);
        let mount = state.mount().path().to_owned();
        let cookie = opened.headers()[SET_COOKIE].to_str().unwrap();
        let cookie = cookie.split(';').next().unwrap().to_owned();
        Self {
            state,
            origin,
            mount,
            open_address,
            cookie,
            callback_cookies: Mutex::default(),
            browser,
            end: Some(end),
            served,
        }
    }

    /// A new address that opens the app, as a second `pockethog` gets it.
    pub async fn another_address(&self) -> String {
        let home = self.state.live().program().folders.config.clone();
        let second = open(&home, "http://127.0.0.1:9", "http://127.0.0.1:9");
        let Launch::Running(app) = launch(Arc::new(second), 0).await.unwrap() else {
            panic!("two of them run");
        };
        app.open_address(CODE_LIFE).await.unwrap()
    }

    /// Ends it as Ctrl-C does.
    pub async fn end(mut self) {
        self.end.take().unwrap().send(()).unwrap();
        tokio::time::timeout(PATIENCE, self.served)
            .await
            .unwrap()
            .unwrap()
            .unwrap();
    }

    /// The whole address of a page, or of what is at the root.
    pub fn address(&self, path: &str) -> String {
        if path.starts_with("/assets/") || path.starts_with("/callback") {
            return format!("{}{path}", self.origin);
        }
        format!("{}{}{path}", self.origin, self.mount)
    }

    pub fn request(&self, method: reqwest::Method, path: &str) -> RequestBuilder {
        self.browser
            .request(method, self.address(path))
            .header(COOKIE, self.cookies(path.starts_with("/callback")))
    }

    fn cookies(&self, for_callback: bool) -> String {
        if !for_callback {
            return self.cookie.clone();
        }
        self.callback_cookies.lock().unwrap().join("; ")
    }

    /// Goes from the answer to a sign-in button over the app's own page, keeps the cookie, and returns the
    /// address at PostHog that the page leads to.
    pub async fn leads_to(&self, begun: &Response) -> String {
        let path = location(begun);
        assert!(path.starts_with("/start/"), "{path}");
        let page = self.get(&path).await;
        assert_eq!(page.status(), StatusCode::OK);
        let cookie = page.headers()[SET_COOKIE].to_str().unwrap().to_owned();
        assert!(cookie.contains("; Path=/callback;"), "{cookie}");
        let cookie = cookie.split(';').next().unwrap().to_owned();
        self.callback_cookies.lock().unwrap().push(cookie);
        let page = page.text().await.unwrap();
        let (_, rest) = page.split_once("content=\"0;url=").unwrap();
        let (address, _) = rest.split_once('"').unwrap();
        address.replace("&amp;", "&")
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(reqwest::Method::GET, path)
            .send()
            .await
            .unwrap()
    }

    /// A page, with its addresses as its template has them.
    pub async fn text(&self, path: &str) -> String {
        let text = self.get(path).await.text().await.unwrap();
        text.replace(&self.mount, "")
    }

    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.request(reqwest::Method::POST, path)
            .header("sec-fetch-site", "same-origin")
            .form(fields)
            .send()
            .await
            .unwrap()
    }

    /// Follows a whole address, as the browser follows a redirect.
    pub async fn follow(&self, address: &str) -> Response {
        self.browser
            .get(address)
            .header(COOKIE, self.cookies(address.contains("/callback")))
            .send()
            .await
            .unwrap()
    }

    /// Reads the stream of the home page until `enough` says so about what came so far, or the home page
    /// itself is enough.
    pub async fn home_until(&self, enough: impl Fn(&str) -> bool) -> String {
        let mut stream = self.stream("/events/home").await;
        let reading = async {
            loop {
                let page = self.text("/").await;
                if enough(&page) {
                    return page;
                }
                stream.next().await;
            }
        };
        tokio::time::timeout(PATIENCE, reading).await.unwrap()
    }

    pub async fn stream(&self, path: &str) -> Stream {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK);
        Stream {
            answer,
            left: String::new(),
            mount: self.mount.clone(),
        }
    }
}

/// Server-sent events, one by one.
pub struct Stream {
    answer: Response,
    left: String,
    mount: String,
}

impl Stream {
    /// Name and data of the next event.
    pub async fn next(&mut self) -> (String, String) {
        let next = async {
            loop {
                if let Some((event, rest)) = self.left.split_once("\n\n") {
                    let (event, rest) = (event.to_owned(), rest.to_owned());
                    self.left = rest;
                    let field = |name: &str| {
                        event
                            .lines()
                            .find_map(|line| line.strip_prefix(name))
                            .map(|value| value.trim_start().to_owned())
                    };
                    if let (Some(name), Some(data)) = (field("event:"), field("data:")) {
                        return (name, data.replace(&self.mount, ""));
                    }
                    continue;
                }
                let chunk = self.answer.chunk().await.unwrap().unwrap();
                self.left.push_str(std::str::from_utf8(&chunk).unwrap());
            }
        };
        tokio::time::timeout(PATIENCE, next).await.unwrap()
    }

    /// The next event that `wanted` takes.
    pub async fn until(&mut self, wanted: impl Fn(&str, &str) -> bool) -> (String, String) {
        loop {
            let (name, data) = self.next().await;
            if wanted(&name, &data) {
                return (name, data);
            }
        }
    }
}

pub fn open(home: &Path, us: &str, eu: &str) -> AppContext {
    let clouds = Clouds::at(us, eu).unwrap();
    AppContext::open_apart(Folders::below(home.to_owned()), clouds).unwrap()
}

/// A browser as far as HTTP goes: it follows no redirects by itself.
pub fn browser() -> Client {
    // The crypto provider is set by the program's own client.
    pockethog_device::http::client().unwrap();
    Client::builder()
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .unwrap()
}

/// Where an answer leads; a page of the app by its path below the mount.
pub fn location(answer: &Response) -> String {
    let location = answer.headers()[LOCATION].to_str().unwrap();
    match location.strip_prefix("/~") {
        Some(mounted) => format!("/{}", mounted.split_once('/').unwrap().1),
        None => location.to_owned(),
    }
}
