//! HTTP clients for tests.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

/// A client that follows no redirect and uses no proxy.
pub fn client() -> reqwest::Client {
    client_builder().build().unwrap()
}

/// The settings of [`client`], for a test that changes one.
pub fn client_builder() -> reqwest::ClientBuilder {
    install_crypto();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(5))
}

/// Chooses ring for TLS in this process. A second call finds it chosen.
pub fn install_crypto() {
    drop(rustls::crypto::ring::default_provider().install_default());
}

/// An address on loopback that refuses connections: it was free a moment ago.
pub fn unused_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}
