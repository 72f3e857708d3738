//! Who may talk to the app.

#![allow(clippy::unwrap_used)]

use base64::Engine;
use demo_posthog::Endpoint;
use reqwest::header::{HOST, ORIGIN, SET_COOKIE};
use reqwest::{Method, StatusCode};
use sign_in_with_posthog::Peer;
use tokio::io::AsyncWriteExt;

use crate::harness::{App, Harness};

#[tokio::test]
async fn without_the_cookie_a_page_says_how_to_open_pockethog_and_nothing_else() {
    let harness = Harness::signed_in().await;
    let project = &harness.demo.us().world().projects[0].name;
    harness.app.home_until(|page| page.contains(project)).await;
    for path in ["/", "/settings", "/events/home", "/api-key", "/nowhere"] {
        let address = harness.app.address(path);
        let answer = harness.app.browser.get(address).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{path}");
        let text = answer.text().await.unwrap();
        assert!(text.contains("Run pockethog"), "{text}");
        assert!(!text.contains(project) && !text.contains("Lovelace"));
    }
}

#[tokio::test]
async fn a_cookie_of_another_value_opens_nothing() {
    let harness = Harness::new().await;
    let (name, _) = harness.app.cookie.split_once('=').unwrap();
    for cookie in [
        format!("{name}="),
        format!("{name}=AAAA"),
        harness.app.cookie.replacen("pockethog", "pockethog2", 1),
    ] {
        let answer = harness
            .app
            .browser
            .get(harness.app.address("/"))
            .header("cookie", &cookie)
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{cookie}");
    }
}

#[tokio::test]
async fn the_opened_address_becomes_a_cookie_and_is_cleaned() {
    let harness = Harness::new().await;
    let address = harness.app.another_address().await;
    let answer = harness.app.browser.get(&address).send().await.unwrap();
    assert_eq!(crate::harness::location(&answer), "/");
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly") && cookie.contains("; SameSite=Lax"));
    let secret = address.rsplit('/').next().unwrap();
    assert!(!cookie.contains(secret), "the cookie is another secret");
    let wrong = format!("{}/open/{}", harness.app.origin, "A".repeat(secret.len()));
    let answer = harness.app.browser.get(wrong).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    assert!(!answer.headers().contains_key(SET_COOKIE));
}

#[tokio::test]
async fn a_foreign_host_name_is_turned_away_whatever_it_asks() {
    let harness = Harness::new().await;
    let port = harness.app.state.port();
    for host in [
        format!("evil.example:{port}"),
        "127.0.0.1".to_owned(),
        format!("127.0.0.1:{}", port ^ 1),
    ] {
        for path in ["/", "/assets/app.js", "/callback?code=a&state=b"] {
            let answer = harness
                .app
                .request(Method::GET, path)
                .header(HOST, &host)
                .send()
                .await
                .unwrap();
            assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{host}");
        }
    }
}

#[tokio::test]
async fn a_forward_with_another_number_says_which_number_to_forward() {
    let harness = Harness::new().await;
    let port = harness.app.state.port();
    for host in [
        format!("127.0.0.1:{}", port ^ 1),
        format!("localhost:{}", port ^ 1),
    ] {
        let answer = harness.app.request(Method::GET, "/").header(HOST, &host);
        let text = answer.send().await.unwrap().text().await.unwrap();
        let advice = format!("ssh -L {port}:127.0.0.1:{port}");
        assert!(text.contains(&advice), "{text}");
        assert!(!text.contains(&harness.app.mount), "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_without_cookie_make_room_and_the_owners_stream_stays() {
    let harness = Harness::signed_in().await;
    let mut stream = harness.app.stream("/events/home").await;
    stream.next().await;
    // More than there may be, which ask and never read.
    let mut idle = Vec::new();
    for _ in 0..300 {
        let address = ("127.0.0.1", harness.app.state.port());
        let mut one = tokio::net::TcpStream::connect(address).await.unwrap();
        one.write_all(b"GET /nothing HTTP/1.1\r\n").await.ok();
        idle.push(one);
    }
    let page = harness.app.get("/settings").await;
    assert_eq!(page.status(), StatusCode::OK);
    harness
        .app
        .state
        .live()
        .announce(pockethog_core::live::Change::Status);
    stream.next().await;
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let harness = Harness::new().await;
    let own = harness.app.origin.clone();
    let attacks = [
        [("sec-fetch-site", "cross-site"), ("origin", own.as_str())],
        [("sec-fetch-site", "same-site"), ("origin", own.as_str())],
        [("x-none", ""), ("origin", "https://evil.example")],
        [("x-none", ""), ("origin", "null")],
    ];
    for headers in attacks {
        let mut request = harness.app.request(Method::POST, "/sign-in/us");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{headers:?}");
    }
    assert_eq!(harness.demo.us().counters().count(Endpoint::Any), 0);
    let answer = harness
        .app
        .request(Method::POST, "/sign-in/us")
        .header(ORIGIN, &own)
        .header("content-type", "application/x-www-form-urlencoded")
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn reading_never_begins_a_sign_in() {
    let harness = Harness::new().await;
    for path in ["/sign-in/us", "/sign-in/eu", "/sign-in/host"] {
        let answer = harness.app.get(path).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
    }
    assert_eq!(harness.demo.us().counters().count(Endpoint::Any), 0);
}

#[tokio::test]
async fn every_answer_carries_the_strict_headers() {
    let harness = Harness::new().await;
    for path in ["/", "/nowhere", "/assets/style.css", "/callback?x=1"] {
        let answer = harness.app.get(path).await;
        let header = |name: &str| {
            let value = answer.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        let policy = header("content-security-policy");
        for part in [
            "default-src 'none'",
            "script-src 'self';",
            "style-src 'self';",
            "font-src 'self';",
            "frame-ancestors 'none'",
            "base-uri 'none'",
            "form-action 'self';",
        ] {
            assert!(policy.contains(part), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(!policy.contains("http"), "no form leads anywhere else");
        assert_eq!(header("x-content-type-options"), "nosniff");
        assert_eq!(header("x-frame-options"), "DENY");
        assert_eq!(header("referrer-policy"), "same-origin");
        assert!(!header("cache-control").is_empty());
    }
    let page = harness.app.get("/").await;
    assert_eq!(page.headers()["cache-control"], "no-store");
}

#[tokio::test]
async fn a_browser_keeps_the_typeface_and_asks_for_nothing_else_of_it() {
    let harness = Harness::new().await;
    let style = harness.app.text("/assets/style.css").await;
    let files: Vec<&str> = style
        .split("url(")
        .skip(1)
        .filter_map(|rest| rest.split(')').next())
        .collect();
    assert_eq!(files.len(), 3, "{files:?}");
    for file in &files {
        let answer = harness.app.get(&format!("/assets/{file}")).await;
        assert_eq!(answer.status(), StatusCode::OK, "{file}");
        assert_eq!(answer.headers()["content-type"], "font/woff2");
        let kept = &answer.headers()["cache-control"];
        assert_eq!(kept, "public, max-age=31536000, immutable");
        // It is compressed as it is.
        assert!(!answer.headers().contains_key("content-encoding"));
    }
    let page = harness.app.text("/").await;
    let preload = format!(
        "as=\"font\" type=\"font/woff2\" crossorigin href=\"/assets/{}\"",
        files[0]
    );
    assert!(page.contains(&preload), "{page}");
}

#[tokio::test]
async fn what_is_too_long_is_not_read() {
    let harness = Harness::new().await;
    let answer = harness
        .app
        .get(&format!("/?filter={}", "a".repeat(20_000)))
        .await;
    assert_eq!(answer.status(), StatusCode::URI_TOO_LONG);
    let long = "a".repeat(300 * 1024);
    let answer = harness
        .app
        .post("/api-key", &[("address", "us"), ("key", &long)])
        .await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test]
async fn pages_are_below_a_path_that_no_other_server_of_the_machine_knows() {
    let harness = Harness::signed_in().await;
    let address = harness.app.another_address().await;
    let answer = harness.app.browser.get(address).send().await.unwrap();
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    assert!(harness.app.mount.len() > 20, "{}", harness.app.mount);
    assert!(
        cookie.contains(&format!("; Path={};", harness.app.mount)),
        "other ports of 127.0.0.1 get no cookie with another path: {cookie}"
    );
    let home = harness
        .app
        .home_until(|page| page.contains("id=\"cards\""))
        .await;
    let project = home.split("href=\"/project/").nth(1).unwrap();
    let project = format!("/project/{}", project.split('"').next().unwrap());
    for path in [
        "/",
        "/settings",
        "/connections",
        "/api-key",
        "/sign-in",
        &project,
    ] {
        let page = harness.app.get(path).await.text().await.unwrap();
        // What a form sends back to us is no address that a browser follows.
        let page = page.replace(" value=\"/", "");
        for link in page.split("=\"").skip(1) {
            let elsewhere = !link.starts_with('/') || link.starts_with("/assets/");
            assert!(
                elsewhere || link.starts_with(&harness.app.mount),
                "{path}: {link:.80}"
            );
        }
    }
    let mut stream = harness.app.get("/events/home").await;
    let first = stream.chunk().await.unwrap().unwrap();
    assert!(!String::from_utf8_lossy(&first).contains("href=\\\"/project"));
    // At the root there is no page, cookie or not.
    let root = |site: &'static str| {
        let asked = harness
            .app
            .browser
            .get(format!("{}/settings", harness.app.origin));
        let asked = asked.header("cookie", &harness.app.cookie);
        asked.header("sec-fetch-site", site).send()
    };
    for site in ["cross-site", "same-site"] {
        let answer = root(site).await.unwrap();
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
        assert!(!answer.text().await.unwrap().contains(&harness.app.mount));
    }
    // A person who types the address is led on, if the system says that it is the owner.
    let answer = root("none").await.unwrap();
    if Peer::is_known_here() {
        assert_eq!(answer.status(), StatusCode::TEMPORARY_REDIRECT);
        assert_eq!(crate::harness::location(&answer), "/settings");
    } else {
        assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    }
}

#[tokio::test]
async fn addresses_stay_the_same_from_run_to_run() {
    let mut harness = Harness::new().await;
    let before = harness.app.mount.clone();
    let (us, eu) = (harness.demo.us().address(), harness.demo.eu().address());
    let elsewhere = tempfile::tempdir().unwrap();
    let other = App::start(elsewhere.path(), us, eu).await;
    assert_ne!(other.mount, before, "every home has its own");
    std::mem::replace(&mut harness.app, other).end().await;
    let again = App::start(harness.home.path(), us, eu).await;
    assert_eq!(again.mount, before);
}

#[tokio::test]
async fn a_stranger_sees_no_account_and_takes_no_notice_away() {
    let harness = Harness::signed_in().await;
    let saved = harness.app.post("/settings", &[("mode", "dark")]).await;
    assert_eq!(saved.status(), StatusCode::SEE_OTHER);
    for path in [
        "/",
        "/callback",
        "/callback?x=1",
        "/callback?code=a&state=b",
        "/callback?error=access_denied&state=b",
        "/assets/nothing",
        "/assets/app.js",
        "/open/",
        "/open/nothing",
        "/running",
        "/running?nonce=a",
        "/settings",
        "/nowhere",
    ] {
        for start in [harness.app.origin.clone(), harness.app.address("")] {
            let stranger = harness.app.browser.get(format!("{start}{path}"));
            let stranger = stranger.header("sec-fetch-site", "none");
            let text = stranger.send().await.unwrap().text().await.unwrap();
            assert!(!text.contains("Lovelace"), "{path}: {text}");
            // The script has the word among its own, for everybody alike.
            let is_script = path == "/assets/app.js";
            assert!(is_script || !text.contains("Saved"), "{path}: {text}");
            // Only one whom the system knows as the owner is led on.
            assert!(!text.contains("/~"), "{path}: {text}");
        }
    }
    let settings = harness.app.text("/settings").await;
    assert!(settings.contains("Saved") && settings.contains("Lovelace"));
}

#[tokio::test]
async fn what_only_looks_at_an_opened_address_does_not_use_it_up() {
    let harness = Harness::new().await;
    let address = harness.app.another_address().await;
    let head = harness.app.browser.head(&address).send().await.unwrap();
    assert_eq!(head.status(), StatusCode::FORBIDDEN);
    let ahead = harness.app.browser.get(&address);
    let ahead = ahead.header("sec-purpose", "prefetch").send().await;
    assert_eq!(ahead.unwrap().status(), StatusCode::FORBIDDEN);
    let opened = harness.app.browser.get(&address).send().await.unwrap();
    assert_eq!(opened.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_cookie_outlives_the_app_where_the_system_says_whose_the_browser_is() {
    let mut harness = Harness::signed_in().await;
    let (us, eu) = (harness.demo.us().address(), harness.demo.eu().address());
    let (cookie, before) = (harness.app.cookie.clone(), harness.app.address("/settings"));
    let elsewhere = tempfile::tempdir().unwrap();
    let other = App::start(elsewhere.path(), us, eu).await;
    std::mem::replace(&mut harness.app, other).end().await;
    let again = App::start(harness.home.path(), us, eu).await;
    assert_eq!(again.address("/settings") == before, Peer::is_known_here());
    let bookmark = again.browser.get(again.address("/settings"));
    let answer = bookmark.header("cookie", &cookie).send().await.unwrap();
    assert_eq!(answer.status().is_success(), Peer::is_known_here());
}

#[tokio::test]
async fn what_a_script_shows_comes_with_a_proof_for_its_page() {
    let harness = Harness::signed_in().await;
    let page = harness.app.get("/settings").await.text().await.unwrap();
    let attribute = |page: &str, name: &str| {
        let value = page.split(&format!("data-{name}=\"")).nth(1).unwrap();
        value.split('"').next().unwrap().to_owned()
    };
    let (name, key) = (attribute(&page, "page"), attribute(&page, "key"));
    let other = harness.app.get("/settings").await.text().await.unwrap();
    assert_ne!(attribute(&other, "key"), key, "every page has its own");
    // As the script reckons.
    let proof = |parts: &[&str]| {
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key.as_bytes());
        let mut message = Vec::new();
        for part in parts {
            message.extend_from_slice(&(part.len() as u64).to_be_bytes());
            message.extend_from_slice(part.as_bytes());
        }
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, &message))
    };
    let asked = harness.app.request(Method::GET, "/settings?filter=a");
    let asked = asked.header("x-pockethog-page", &name);
    let answer = asked.header("x-pockethog-nonce", "once").send().await;
    let answer = answer.unwrap();
    let given = answer.headers()["x-pockethog-proof"]
        .to_str()
        .unwrap()
        .to_owned();
    let text = answer.text().await.unwrap();
    assert_eq!(given, proof(&["answer", "once", &text]));
    let mut stream = harness
        .app
        .get(&format!("/events/home?page={name}&nonce=once"))
        .await;
    let mut events = String::new();
    while !events.contains("\n\n") {
        let chunk = stream.chunk().await.unwrap().unwrap();
        events.push_str(std::str::from_utf8(&chunk).unwrap());
    }
    let event = events.split("\n\n").next().unwrap();
    let field = |name: &str| {
        let mut lines = event.lines();
        lines
            .find_map(|line| line.strip_prefix(name))
            .unwrap()
            .trim()
    };
    let (place, given) = field("id:").split_once(' ').unwrap();
    assert_eq!(place, "0");
    let expected = proof(&["event", "once", "0", field("event:"), field("data:")]);
    assert_eq!(given, expected);
}

/// Acting as another user needs the superuser.
#[cfg(target_os = "linux")]
mod another_user {
    use std::os::unix::process::CommandExt;
    use std::process::{Command, Stdio};

    use super::*;

    /// A user id that no account of the machine has.
    const STRANGER: u32 = 54_321;

    /// Sends a request to a port of 127.0.0.1 as another user and returns what comes back.
    fn ask_as_stranger(port: u16, path: &str, cookie: &str) -> String {
        let request = format!(
            "GET {path} HTTP/1.1\\r\\nHost: 127.0.0.1:{port}\\r\\nCookie: {cookie}\\r\\nConnection: close\\r\\n\\r\\n"
        );
        let script = format!(
            "exec 3<>/dev/tcp/127.0.0.1/{port}; printf '{request}' >&3; timeout 20 cat <&3; true"
        );
        let asked = Command::new("bash")
            .args(["-c", &script])
            .uid(STRANGER)
            .gid(STRANGER)
            .current_dir("/")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        String::from_utf8_lossy(&asked.stdout).into_owned()
    }

    fn is_root() -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        status.lines().any(|line| line.starts_with("Uid:\t0\t0\t"))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn gets_nothing_with_the_right_code_or_the_right_cookie() {
        if !is_root() {
            eprintln!("only the superuser can act as another user: not tried");
            return;
        }
        let harness = Harness::signed_in().await;
        let port = harness.app.state.port();
        let fresh = harness.app.another_address().await;
        let code = fresh.strip_prefix(&harness.app.origin).unwrap().to_owned();
        for path in [
            code,
            format!("{}/", harness.app.mount),
            "/".to_owned(),
            "/running?nonce=a".to_owned(),
            "/callback?x=1".to_owned(),
        ] {
            let cookie = harness.app.cookie.clone();
            let asked = tokio::task::spawn_blocking(move || ask_as_stranger(port, &path, &cookie));
            let answer = asked.await.unwrap();
            let refused = answer.starts_with("HTTP/1.1 403") || answer.is_empty();
            assert!(refused && answer.len() < 300, "{answer}");
            assert!(!answer.contains("Lovelace") && !answer.contains(&harness.app.mount));
        }
        // And the code is as good as before for its owner.
        let opened = harness.app.browser.get(&fresh).send().await.unwrap();
        assert_eq!(opened.status(), StatusCode::SEE_OTHER);
    }
}
