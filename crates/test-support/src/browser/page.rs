//! What a person does with a browser, and what the browser noticed in the meantime.

use std::ffi::OsStr;
use std::path::Path;
use std::time::{Duration, Instant};

use axum::http::Method;
use base64::Engine;
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::driver::Driver;

/// How long a condition may take to become true. Reached only if a test fails.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the browser reports that the person prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// `prefers-color-scheme: light`.
    Light,
    /// `prefers-color-scheme: dark`.
    Dark,
}

impl Look {
    /// `light` or `dark`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A browser with one window and a profile of its own.
pub struct Browser {
    client: Client,
    _driver: Driver,
    _profile: TempDir,
    /// The settings of its fonts, if they are its own.
    fonts: Option<TempDir>,
}

/// A command that WebDriver itself does not have.
#[derive(Debug)]
struct Extension {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Extension {
    fn endpoint(&self, base: &url::Url, id: Option<&str>) -> Result<url::Url, url::ParseError> {
        base.join(&format!("session/{}/{}", id.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &url::Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    /// A new browser, 1280 pixels wide, light.
    pub async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// On a machine like this one that has no Inter.
    pub async fn start_without_inter() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = "<?xml version=\"1.0\"?><!DOCTYPE fontconfig SYSTEM \"fonts.dtd\"><fontconfig>\
            <include>/etc/fonts/fonts.conf</include><selectfont><rejectfont>\
            <glob>*/Inter*</glob><glob>*/inter/*</glob>\
            </rejectfont></selectfont></fontconfig>";
        let file = folder.path().join("fonts.conf");
        std::fs::write(&file, settings).unwrap();
        let mut browser = Self::start_with(&[("FONTCONFIG_FILE", file.as_os_str())]).await;
        browser.fonts = Some(folder);
        browser
    }

    async fn start_with(environment: &[(&str, &OsStr)]) -> Self {
        let driver = Driver::start(environment);
        let profile = tempfile::tempdir().unwrap();
        let options = json!({
            "goog:chromeOptions": { "args": [
                "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
                "--disable-background-networking", "--disable-component-update", "--disable-sync",
                "--disable-dev-shm-usage", "--disable-extensions", "--hide-scrollbars", "--lang=en-US",
                "--force-color-profile=srgb", "--font-render-hinting=none", "--no-proxy-server",
                "--host-resolver-rules=MAP rebound.example 127.0.0.1, MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
                format!("--user-data-dir={}", profile.path().display()),
            ] },
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        });
        let Value::Object(options) = options else {
            unreachable!("written as an object");
        };
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(Capabilities::from_iter(options))
            .connect(&driver.address)
            .await
            .expect("Chromium starts; `cargo xtask prepare` installs it");
        let browser = Self {
            client,
            _driver: driver,
            _profile: profile,
            fonts: None,
        };
        browser.size(1280, 900).await;
        browser.look(Look::Light).await;
        browser
    }

    /// Makes the page exactly `width` by `height` CSS pixels; below 640 as a phone does.
    pub async fn size(&self, width: u32, height: u32) {
        let phone = width < 640;
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone }),
        )
        .await;
    }

    /// Tells pages what the person prefers. Nothing moves, so that a picture is the same each time.
    pub async fn look(&self, look: Look) {
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({ "features": [
                { "name": "prefers-color-scheme", "value": look.name() },
                { "name": "prefers-reduced-motion", "value": "reduce" },
            ] }),
        )
        .await;
    }

    /// Switches the scripts of pages off or on; it holds from the next page on.
    pub async fn scripts(&self, on: bool) {
        self.devtools(
            "Emulation.setScriptExecutionDisabled",
            json!({ "value": !on }),
        )
        .await;
    }

    /// Opens an address and waits until it is loaded.
    pub async fn open(&self, address: &str) {
        self.client.goto(address).await.unwrap();
    }

    /// Where the browser is.
    pub async fn address(&self) -> url::Url {
        self.client.current_url().await.unwrap()
    }

    /// Loads the page again.
    pub async fn reload(&self) {
        self.client.refresh().await.unwrap();
    }

    /// Clears the browser's cookies.
    pub async fn clear_cookies(&self) {
        self.devtools("Network.clearBrowserCookies", json!({}))
            .await;
    }

    /// The first element that matches, once there is one.
    pub async fn find(&self, css: &str) -> Element {
        self.patiently(css, || async {
            self.client.find(Locator::Css(css)).await.ok()
        })
        .await
    }

    /// Clicks the first element that matches, once there is one that can be clicked.
    pub async fn click(&self, css: &str) {
        self.patiently(css, || async {
            let found = self.client.find(Locator::Css(css)).await.ok()?;
            found.click().await.ok()
        })
        .await;
    }

    /// Replaces what a field holds by typing.
    pub async fn fill(&self, css: &str, text: &str) {
        self.patiently(css, || async {
            let field = self.client.find(Locator::Css(css)).await.ok()?;
            field.clear().await.ok()?;
            field.send_keys(text).await.ok()
        })
        .await;
    }

    /// The text that a person sees in the first element that matches.
    pub async fn text(&self, css: &str) -> String {
        self.patiently(css, || async {
            let found = self.client.find(Locator::Css(css)).await.ok()?;
            found.text().await.ok()
        })
        .await
    }

    /// The text of every element that matches, in the order of the page; hidden ones too.
    pub async fn texts(&self, css: &str) -> Vec<String> {
        let found = self
            .run(
                "return [...document.querySelectorAll(arguments[0])].map((node) => node.textContent.trim())",
                vec![json!(css)],
            )
            .await;
        serde_json::from_value(found).unwrap()
    }

    /// True if an element matches now.
    pub async fn has(&self, css: &str) -> bool {
        self.client.find(Locator::Css(css)).await.is_ok()
    }

    /// Waits until no element matches.
    pub async fn gone(&self, css: &str) {
        self.patiently(&format!("no {css}"), || async {
            (!self.has(css).await).then_some(())
        })
        .await;
    }

    /// Waits until a JavaScript expression is true.
    pub async fn until(&self, expression: &str) {
        let script = format!("return Boolean({expression})");
        self.patiently(expression, || async {
            let answer = self.client.execute(&script, vec![]).await.ok()?;
            (answer == Value::Bool(true)).then_some(())
        })
        .await;
    }

    /// Waits until the page shows `text` somewhere.
    pub async fn shows(&self, text: &str) {
        let text = json!(text);
        self.until(&format!(
            "document.body && document.body.innerText.includes({text})"
        ))
        .await;
    }

    /// Waits until the browser is at a path.
    pub async fn at(&self, path: &str) {
        let path = json!(path);
        self.until(&format!("location.pathname === {path}")).await;
    }

    /// Runs a script in the page and gives what it returns.
    pub async fn run(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.unwrap()
    }

    /// Runs a script that calls its last argument when it has an answer.
    pub async fn run_to_its_end(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute_async(script, arguments).await.unwrap()
    }

    /// Presses a key: `Tab`, `Enter`, `Escape`, ` `, `ArrowRight`.
    pub async fn press(&self, key: &str) {
        self.press_with(key, false).await;
    }

    /// Presses a key, with the shift key held or not.
    pub async fn press_with(&self, key: &str, shift: bool) {
        self.press_modified(key, if shift { 8 } else { 0 }).await;
    }

    /// Presses a key while the control key is held.
    pub async fn press_with_control(&self, key: &str) {
        self.press_modified(key, 2).await;
    }

    async fn press_modified(&self, key: &str, modifiers: u8) {
        let (code, number, text) = match key {
            "Tab" => ("Tab", 9, ""),
            "Enter" => ("Enter", 13, "\r"),
            "Escape" => ("Escape", 27, ""),
            " " => ("Space", 32, " "),
            "ArrowRight" => ("ArrowRight", 39, ""),
            "ArrowLeft" => ("ArrowLeft", 37, ""),
            "/" => ("Slash", 191, "/"),
            other => panic!("the key {other} has no number here"),
        };
        let mut event = json!({
            "type": if text.is_empty() { "rawKeyDown" } else { "keyDown" },
            "key": key, "code": code, "windowsVirtualKeyCode": number,
            "modifiers": modifiers,
        });
        if !text.is_empty() {
            event["text"] = json!(text);
        }
        self.devtools("Input.dispatchKeyEvent", event.clone()).await;
        event["type"] = json!("keyUp");
        self.devtools("Input.dispatchKeyEvent", event).await;
    }

    /// Moves the pointer to a place of the window, in CSS pixels.
    pub async fn point(&self, x: f64, y: f64) {
        self.mouse("mouseMoved", x, y, 0).await;
    }

    /// Presses and releases the left button at a place of the window.
    pub async fn click_at(&self, x: f64, y: f64) {
        self.mouse("mouseMoved", x, y, 0).await;
        self.mouse("mousePressed", x, y, 1).await;
        self.mouse("mouseReleased", x, y, 1).await;
    }

    /// Touches a place of the window with a finger, shortly.
    pub async fn tap(&self, x: f64, y: f64) {
        self.devtools(
            "Emulation.setTouchEmulationEnabled",
            json!({ "enabled": true }),
        )
        .await;
        let touch = json!([{ "x": x, "y": y }]);
        for (kind, points) in [("touchStart", touch), ("touchEnd", json!([]))] {
            self.devtools(
                "Input.dispatchTouchEvent",
                json!({ "type": kind, "touchPoints": points }),
            )
            .await;
        }
    }

    /// Lets pages move, as they do for most people.
    pub async fn motion(&self) {
        self.devtools(
            "Emulation.setEmulatedMedia",
            json!({ "features": [{ "name": "prefers-reduced-motion", "value": "no-preference" }] }),
        )
        .await;
    }

    /// A script that runs in every page from the next one on, before the page's own.
    pub async fn before_every_page(&self, script: &str) {
        self.devtools(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({ "source": script }),
        )
        .await;
    }

    /// Drags from one place of the window to another, as far as the page can tell: what the system would
    /// do between the two is taken over by the test.
    pub async fn drag(&self, from: (f64, f64), to: (f64, f64)) {
        self.devtools("Input.setInterceptDrags", json!({ "enabled": true }))
            .await;
        for (kind, x, y) in [
            ("mouseMoved", from.0, from.1),
            ("mousePressed", from.0, from.1),
            ("mouseMoved", from.0, from.1 - 4.0),
            ("mouseMoved", from.0, from.1 - 12.0),
        ] {
            self.devtools(
                "Input.dispatchMouseEvent",
                json!({ "type": kind, "x": x, "y": y, "button": "left", "buttons": 1, "clickCount": 1 }),
            )
            .await;
        }
        for kind in ["dragEnter", "dragOver", "drop"] {
            self.devtools(
                "Input.dispatchDragEvent",
                json!({ "type": kind, "x": to.0, "y": to.1, "data": { "items": [], "dragOperationsMask": 1 } }),
            )
            .await;
        }
        self.mouse("mouseReleased", to.0, to.1, 1).await;
        self.devtools("Input.setInterceptDrags", json!({ "enabled": false }))
            .await;
    }

    /// Chooses a file of this machine in a file field.
    pub async fn choose_file(&self, css: &str, file: &Path) {
        let field = self.find(css).await;
        field.send_keys(&file.display().to_string()).await.unwrap();
    }

    async fn mouse(&self, kind: &str, x: f64, y: f64, clicks: u32) {
        self.devtools(
            "Input.dispatchMouseEvent",
            json!({ "type": kind, "x": x, "y": y, "clickCount": clicks,
                "button": if clicks > 0 { "left" } else { "none" } }),
        )
        .await;
    }

    /// A PNG of the window, which is made as tall as the page for it, but at most `tallest` pixels.
    pub async fn picture(&self, width: u32, height: u32, tallest: u32) -> Vec<u8> {
        self.size(width, height).await;
        let page = self
            .run(
                "// What lies behind a dialog is darkened as far as the window goes.
                 return document.querySelector('dialog[open]') ? 0 : document.documentElement.scrollHeight",
                vec![],
            )
            .await;
        let page = u32::try_from(page.as_u64().unwrap()).unwrap();
        self.size(width, page.clamp(height, tallest)).await;
        let answer = self
            .devtools("Page.captureScreenshot", json!({ "format": "png" }))
            .await;
        base64::engine::general_purpose::STANDARD
            .decode(answer["data"].as_str().unwrap())
            .unwrap()
    }

    /// Opens another tab and goes there; the first one stays open.
    pub async fn second_tab(&self, address: &str) {
        let tab = self.client.new_window(true).await.unwrap();
        self.client.switch_to_window(tab.handle).await.unwrap();
        self.open(address).await;
    }

    /// Opens another window, which leaves the others visible.
    pub async fn second_window(&self, address: &str) {
        let window = self.client.new_window(false).await.unwrap();
        self.client.switch_to_window(window.handle).await.unwrap();
        self.open(address).await;
    }

    /// Goes to the tab that was opened first.
    pub async fn first_tab(&self) {
        let tabs = self.client.windows().await.unwrap();
        self.client
            .switch_to_window(tabs.into_iter().next().unwrap())
            .await
            .unwrap();
    }

    /// Every address that was asked for since the last call.
    pub async fn requests(&self) -> Vec<String> {
        self.log("performance")
            .await
            .iter()
            .filter_map(|entry| {
                let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
                let message = &event["message"];
                (message["method"] == "Network.requestWillBeSent").then(|| {
                    message["params"]["request"]["url"]
                        .as_str()
                        .unwrap_or_default()
                        .to_owned()
                })
            })
            .collect()
    }

    /// Errors that pages reported since the last call: of scripts, of the content security policy, of
    /// files that did not load. A transition between two pages that a further page cuts short is none:
    /// Chromium reports it, and nobody can catch it.
    pub async fn errors(&self) -> Vec<String> {
        self.log("browser")
            .await
            .iter()
            .filter(|entry| entry["level"] == "SEVERE")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .filter(|message| !message.contains("Transition was aborted"))
            .collect()
    }

    /// Addresses outside of this machine that pages asked for since the last call.
    pub async fn strangers(&self) -> Vec<String> {
        let mut requests = self.requests().await;
        requests.retain(|address| !is_at_home(address));
        requests
    }

    /// Ends the session, after checking that no page asked another host than loopback for anything.
    pub async fn finish(self) {
        let strange = self.strangers().await;
        self.client.clone().close().await.ok();
        assert!(strange.is_empty(), "a page asked elsewhere: {strange:?}");
    }

    /// Like [`Browser::finish`], where no page may have reported an error either.
    pub async fn finish_without_errors(self) {
        let errors = self.errors().await;
        self.finish().await;
        assert!(errors.is_empty(), "a page reported errors: {errors:#?}");
    }

    async fn log(&self, kind: &str) -> Vec<Value> {
        let answer = self
            .client
            .issue_cmd(Extension {
                path: "se/log",
                body: json!({ "type": kind }),
            })
            .await
            .unwrap();
        answer.as_array().cloned().unwrap_or_default()
    }

    /// A command of the Chrome DevTools Protocol.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        self.client
            .issue_cmd(Extension {
                path: "goog/cdp/execute",
                body: json!({ "cmd": command, "params": parameters }),
            })
            .await
            .unwrap_or_else(|error: CmdError| panic!("{command}: {error}"))
    }

    /// Asks again and again, and says where the browser was when it gives up.
    async fn patiently<T, F>(&self, what: &str, mut ask: impl FnMut() -> F) -> T
    where
        F: Future<Output = Option<T>>,
    {
        let start = Instant::now();
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            if start.elapsed() > PATIENCE {
                let place = self.client.current_url().await;
                let text = self
                    .client
                    .execute("return document.body?.innerText.slice(0, 1500)", vec![])
                    .await;
                panic!("waited in vain for: {what}\nat {place:?}\nwith {text:?}");
            }
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }
}

/// True for loopback and for what the browser makes itself.
fn is_at_home(address: &str) -> bool {
    let Ok(address) = url::Url::parse(address) else {
        return false;
    };
    match address.scheme() {
        "http" | "https" | "ws" | "wss" => address.host_str() == Some("127.0.0.1"),
        "data" | "blob" | "about" | "chrome" | "chrome-error" | "devtools" => true,
        _ => false,
    }
}
