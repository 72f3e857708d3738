//! TLS in front of a plain server: it passes bytes through and counts handshakes.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// A certificate that no device trusts unless configured to, and its key, both as PEM.
#[derive(Clone, Debug)]
pub struct SelfSigned {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl SelfSigned {
    /// Makes a certificate for a host name or an address.
    pub fn for_name(name: &str) -> Self {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        Self {
            certificate: made.cert.pem(),
            key: made.signing_key.serialize_pem(),
        }
    }

    /// A server that shows the certificate and offers HTTP/2 and HTTP/1.1.
    pub fn server_config(&self) -> ServerConfig {
        let certificate = CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config
    }
}

/// A listener for TLS that does not yet know the server behind it.
pub struct TlsFront {
    listener: TcpListener,
    acceptor: TlsAcceptor,
}

impl TlsFront {
    /// Binds a port on loopback.
    pub async fn bind(config: ServerConfig) -> Self {
        Self {
            listener: TcpListener::bind("127.0.0.1:0").await.unwrap(),
            acceptor: TlsAcceptor::from(Arc::new(config)),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap()
    }

    /// Passes everything on to `target`, and returns the count of handshakes.
    pub fn lead_to(self, target: SocketAddr) -> Arc<AtomicUsize> {
        let handshakes = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&handshakes);
        tokio::spawn(async move {
            while let Ok((client, _)) = self.listener.accept().await {
                let (acceptor, counted) = (self.acceptor.clone(), Arc::clone(&counted));
                tokio::spawn(async move {
                    client.set_nodelay(true).ok();
                    let (Ok(mut client), Ok(mut server)) =
                        tokio::join!(acceptor.accept(client), TcpStream::connect(target))
                    else {
                        return;
                    };
                    counted.fetch_add(1, Ordering::SeqCst);
                    server.set_nodelay(true).ok();
                    tokio::io::copy_bidirectional(&mut client, &mut server)
                        .await
                        .ok();
                });
            }
        });
        handshakes
    }
}
