//! TLS before the embedded PostHog, so that HTTP/2 is agreed on as with the real one. It passes bytes
//! through and counts connections and handshakes.

use std::error::Error;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Environment variable that names the folder of the certificate and its key.
pub const FOLDER: &str = "POCKETHOG_BENCH_KEYS";

/// Makes a certificate for 127.0.0.1 and returns where it is stored.
pub fn write_certificate(folder: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
    let certificate = folder.join("certificate.pem");
    fs::write(&certificate, made.cert.pem())?;
    fs::write(folder.join("key.pem"), made.signing_key.serialize_pem())?;
    Ok(certificate)
}

/// A listener that does not know yet where it forwards to.
pub struct Front {
    listener: TcpListener,
    acceptor: TlsAcceptor,
    handshakes: Arc<AtomicUsize>,
}

impl Front {
    /// Binds a port.
    pub async fn bind() -> Result<Self, Box<dyn Error>> {
        let folder = PathBuf::from(std::env::var_os(FOLDER).ok_or("no certificate was made")?);
        let certificate = CertificateDer::from_pem_file(folder.join("certificate.pem"))?;
        let key = PrivateKeyDer::from_pem_file(folder.join("key.pem"))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self {
            listener: TcpListener::bind("127.0.0.1:0").await?,
            acceptor: TlsAcceptor::from(Arc::new(config)),
            handshakes: Arc::default(),
        })
    }

    /// `https://127.0.0.1:PORT`.
    pub fn address(&self) -> Result<String, Box<dyn Error>> {
        Ok(format!("https://{}", self.listener.local_addr()?))
    }

    /// Passes everything on to `target`; returns the count of handshakes.
    pub fn lead_to(self, target: SocketAddr) -> Arc<AtomicUsize> {
        let handshakes = Arc::clone(&self.handshakes);
        tokio::spawn(async move {
            while let Ok((client, _)) = self.listener.accept().await {
                let (acceptor, handshakes) = (self.acceptor.clone(), Arc::clone(&self.handshakes));
                tokio::spawn(async move {
                    client.set_nodelay(true).ok();
                    let (Ok(mut client), Ok(mut server)) =
                        tokio::join!(acceptor.accept(client), TcpStream::connect(target))
                    else {
                        return;
                    };
                    handshakes.fetch_add(1, Ordering::SeqCst);
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
