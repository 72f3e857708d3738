#![allow(clippy::unwrap_used)]

use super::*;
use crate::config::Config;
use crate::connection::{Account, ConnectionState, Grant, VaultBackend};
use crate::host::{Host, Region};
use crate::scope::Scopes;
use crate::vault::VaultChoice;

fn connection(host: Host) -> Connection {
    Connection {
        id: ConnectionId::new(&host, CredentialKind::ApiKey, "7"),
        host,
        kind: CredentialKind::ApiKey,
        account: Account {
            subject: "7".into(),
            name: None,
            email: None,
        },
        grant: Grant::default(),
        state: ConnectionState::Active,
        vault: VaultBackend::EncryptedFile,
        signed_in_at: 0,
        last_refresh_at: None,
        expires_at: None,
        ended_at: None,
    }
}

fn device(folder: &std::path::Path) -> Arc<Device> {
    let mut config = Config::new(folder.join("program"), "Test", Scopes::default());
    config.vault = VaultChoice::EncryptedFile;
    config.device_folder = Some(folder.join("device"));
    Arc::new(Device::open(config).unwrap())
}

fn session_of(device: &Arc<Device>, connection: &Connection) -> Session {
    let shared = Arc::new(Shared::new(connection.id.clone()));
    Session::new(Arc::clone(device), shared, Some(connection))
}

/// A key as it was stored before its Host was sealed with it.
#[tokio::test]
async fn an_old_key_serves_its_host_and_has_it_sealed_at_its_first_use() {
    let folder = tempfile::tempdir().unwrap();
    let device = device(folder.path());
    let connection = connection(Host::cloud(Region::Eu));
    let key = Content::ApiKey {
        key: "phx_old".into(),
        issuer: None,
    };
    let old = Record::new(1, key);
    device.records.write(&connection.id, &old).unwrap();
    let elsewhere = Host::cloud_at(Region::Eu, "https://evil.example.org").unwrap();
    let mut moved = connection.clone();
    moved.host = elsewhere;
    for host in [moved.host.clone(), Host::cloud(Region::Us)] {
        moved.host = host;
        let refused = session_of(&device, &moved).access_token().await;
        assert!(
            matches!(refused, Err(SessionError::OtherHost(_))),
            "{refused:?}"
        );
    }
    let token = session_of(&device, &connection).access_token().await;
    assert_eq!(token.unwrap().issuer(), Some("https://eu.posthog.com"));
    let sealed = device.records.read(&connection.id).unwrap().unwrap();
    assert!(matches!(
        sealed.content,
        Content::ApiKey { issuer: Some(issuer), .. } if issuer == "https://eu.posthog.com"
    ));
}
