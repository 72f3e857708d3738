//! A PostHog that only a proxy can reach: only a SOCKS server can resolve its name, and connects to TLS in front of
//! the embedded PostHog.

#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use demo_posthog::ApiKeyOptions;
use test_support::tls::{SelfSigned, TlsFront};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;

use crate::harness::{Harness, Run};

/// No resolver knows it (RFC 6761).
const NAME: &str = "posthog.invalid";

type Asked = Arc<Mutex<Vec<(String, u16)>>>;

#[tokio::test(flavor = "multi_thread")]
async fn a_posthog_that_only_a_socks_proxy_reaches_is_read_through_it() {
    let harness = Harness::new().await;
    let certificate = harness.file("certificate.pem");
    let posthog = tls_before(posthog_of(&harness), &certificate).await;
    let (proxy, asked) = socks_server(posthog).await;
    let proxied = |variable: &str, value: &str, arguments: &[&str]| {
        let mut command = harness.command(arguments);
        command
            .env("POCKETHOG_US_URL", format!("https://{NAME}"))
            .env("SSL_CERT_FILE", &certificate)
            .env(variable, value);
        command
    };

    let key = harness.demo.us().create_api_key(ApiKeyOptions::default());
    let address = format!("socks5h://{proxy}");
    let login = proxied("ALL_PROXY", &address, &["login", "us", "--api-key"]);
    with_input(login, &key).await.ended(0);
    for (variable, address) in [
        ("ALL_PROXY", format!("socks5h://{proxy}")),
        ("https_proxy", format!("socks://{proxy}/")),
    ] {
        asked.lock().unwrap().clear();
        let command = proxied(variable, &address, &["overview", "--json"]);
        let overview = with_input(command, "").await.ended(0).json();
        assert_eq!(overview["failures"], serde_json::json!([]), "{variable}");
        let asked = asked.lock().unwrap();
        assert!(!asked.is_empty(), "{variable}: the proxy was not asked");
        assert!(asked.iter().all(|to| *to == (NAME.to_owned(), 443)));
    }

    // A slip of the pen is named, and nothing is sent past the proxy that was meant.
    asked.lock().unwrap().clear();
    let command = proxied("ALL_PROXY", "sock5://x", &["overview"]);
    let run = with_input(command, "").await;
    assert_ne!(run.code, 0, "{run:?}");
    assert!(
        run.err
            .contains("the value of ALL_PROXY is not the address of a proxy"),
        "{run:?}"
    );
    let command = proxied("ALL_PROXY", "sock5://x", &["doctor"]);
    let run = with_input(command, "").await;
    assert!(
        run.out
            .contains("the value of ALL_PROXY is not the address of a proxy"),
        "{run:?}"
    );
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn loopback_is_reached_without_the_proxy() {
    let harness = Harness::new().await;
    let (proxy, asked) = socks_server(posthog_of(&harness)).await;
    for value in [format!("socks5h://{proxy}"), "sock5://x".to_owned()] {
        let mut login = harness.command(&["login", "us", "--api-key"]);
        login.env("ALL_PROXY", value);
        let key = harness.demo.us().create_api_key(ApiKeyOptions::default());
        with_input(login, &key).await.ended(0);
    }
    assert!(asked.lock().unwrap().is_empty());
}

fn posthog_of(harness: &Harness) -> SocketAddr {
    let address = harness.demo.us().address();
    address.trim_start_matches("http://").parse().unwrap()
}

async fn with_input(mut command: Command, input: &str) -> Run {
    let mut child = command.stdin(std::process::Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).await.ok();
    drop(stdin);
    Run::of(child.wait_with_output().await.unwrap())
}

/// Ends TLS for [`NAME`] before `target`; its certificate is written to a file.
async fn tls_before(target: SocketAddr, certificate: &Path) -> SocketAddr {
    let made = SelfSigned::for_name(NAME);
    std::fs::write(certificate, &made.certificate).unwrap();
    let front = TlsFront::bind(made.server_config()).await;
    let address = front.address();
    front.lead_to(target);
    address
}

/// A SOCKS 5 server (RFC 1928) that leads every name to `target`, and what it was asked for.
async fn socks_server(target: SocketAddr) -> (SocketAddr, Asked) {
    let asked = Asked::default();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let heard = Arc::clone(&heard);
            tokio::spawn(async move { serve(client, target, &heard).await.ok() });
        }
    });
    (address, asked)
}

async fn serve(mut client: TcpStream, target: SocketAddr, asked: &Asked) -> std::io::Result<()> {
    // Version and methods; the answer is "no authentication".
    let mut greeting = [0; 2];
    client.read_exact(&mut greeting).await?;
    let mut methods = vec![0; usize::from(greeting[1])];
    client.read_exact(&mut methods).await?;
    assert!(greeting[0] == 5 && methods.contains(&0));
    client.write_all(&[5, 0]).await?;
    // CONNECT by domain name: version, command, reserved, kind, length, name, port.
    let mut request = [0; 5];
    client.read_exact(&mut request).await?;
    assert_eq!(request[..4], [5, 1, 0, 3], "not a CONNECT by name");
    let mut name = vec![0; usize::from(request[4])];
    client.read_exact(&mut name).await?;
    let port = client.read_u16().await?;
    let name = String::from_utf8(name).unwrap();
    asked.lock().unwrap().push((name, port));
    client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    let mut server = TcpStream::connect(target).await?;
    copy_bidirectional(&mut client, &mut server).await?;
    Ok(())
}
