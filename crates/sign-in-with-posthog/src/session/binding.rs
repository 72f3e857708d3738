//! What a credential is for, as sealed with it, against what the list of Connections says.
//!
//! The list is a file in clear. Whoever can change it, or a mistaken edit, must not be able to send a token or
//! a key to another address: a credential is handed out only for the Host and the kind that are sealed in its
//! record. Tokens name their Host by the token endpoint; a key has its Host beside it.

use super::{Cached, Session, SessionError};
use crate::connection::{Connection, ConnectionId, CredentialKind};
use crate::host::Host;
use crate::record::{Content, TokenSet};

/// What a caller wants a credential for.
#[derive(Clone, Debug)]
pub(super) struct Binding {
    pub(super) issuer: String,
    kind: CredentialKind,
    /// What the Connection would be called that has this Host, kind and account.
    id: ConnectionId,
    /// Whether the Host is what its name says: a region at its own address, or a self-hosted one.
    is_usual: bool,
}

impl Binding {
    pub(super) fn new(connection: &Connection) -> Self {
        let host = &connection.host;
        let own = |region| Host::cloud(region).issuer() == host.issuer() || host.is_loopback();
        Self {
            issuer: host.issuer(),
            kind: connection.kind,
            id: ConnectionId::new(host, connection.kind, &connection.account.subject),
            is_usual: host.region().is_none_or(own),
        }
    }

    /// Whether the name of a record was made from this Host, kind and account. It stands in for the Host in
    /// a record from before that was sealed with the key.
    pub(super) fn explains(&self, id: &ConnectionId) -> bool {
        self.is_usual && self.kind == CredentialKind::ApiKey && self.id == *id
    }

    fn check(&self, id: &ConnectionId, kind: CredentialKind, issuer: Option<&str>) -> Check {
        let right_host = match issuer {
            Some(issuer) => issuer == self.issuer,
            None => self.explains(id),
        };
        if kind == self.kind && right_host {
            Ok(())
        } else {
            Err(self.refused(kind, issuer))
        }
    }

    fn refused(&self, kind: CredentialKind, issuer: Option<&str>) -> SessionError {
        let what = match kind {
            CredentialKind::OAuth => "The stored sign-in",
            CredentialKind::ApiKey => "The stored API key",
        };
        let of = issuer.map_or_else(String::new, |issuer| format!(" is for {issuer} and"));
        SessionError::OtherHost(format!(
            "{what}{of} does not belong to the account at {} that connections.json lists; it is not sent. \
             Sign in again.",
            self.issuer
        ))
    }
}

type Check = Result<(), SessionError>;

impl Session {
    /// Refuses a credential that is not for the Connection of this Session.
    pub(crate) fn check(&self, content: &Content) -> Check {
        let Some(binding) = &self.binding else {
            return Ok(());
        };
        match content {
            Content::Tokens(tokens) => self.check_tokens(tokens),
            Content::ApiKey { issuer, .. } => {
                binding.check(&self.shared.id, CredentialKind::ApiKey, issuer.as_deref())
            }
            Content::Ended { .. } => Ok(()),
        }
    }

    /// As [`Session::check`].
    pub(super) fn check_tokens(&self, tokens: &TokenSet) -> Check {
        let issuer = tokens.issuer();
        self.binding.as_ref().map_or(Ok(()), |binding| {
            binding.check(&self.shared.id, CredentialKind::OAuth, Some(&issuer))
        })
    }

    /// Whether a remembered token is for the Connection of this Session.
    pub(super) fn allows(&self, cached: &Cached) -> bool {
        let token = &cached.token;
        self.binding.as_ref().is_none_or(|binding| {
            let checked = binding.check(&self.shared.id, token.kind(), token.issuer());
            checked.is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::connection::{Account, ConnectionState, Grant};
    use crate::host::Region;
    use crate::record::Record;
    use crate::scope::Scopes;
    use crate::sign_in::{Config, SignIn};
    use crate::vault::{VaultBackend, VaultChoice};

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

    fn program(folder: &std::path::Path) -> SignIn {
        // The second call in a process finds it installed.
        drop(rustls::crypto::ring::default_provider().install_default());
        let http = reqwest::Client::new();
        let mut config = Config::new(folder.join("program"), http, "Test", Scopes::default());
        config.vault = VaultChoice::EncryptedFile;
        config.device_folder = Some(folder.join("device"));
        SignIn::open(config).unwrap()
    }

    /// A key as it was stored before its Host was sealed with it.
    #[tokio::test]
    async fn an_old_key_serves_its_host_and_has_it_sealed_at_its_first_use() {
        let folder = tempfile::tempdir().unwrap();
        let program = program(folder.path());
        let connection = connection(Host::cloud(Region::Eu));
        let key = Content::ApiKey {
            key: "phx_old".into(),
            issuer: None,
        };
        let old = Record::new(1, key);
        program.0.vault.write(&connection.id, &old).unwrap();
        let elsewhere = Host::cloud_at(Region::Eu, "https://evil.example.org").unwrap();
        let mut moved = connection.clone();
        moved.host = elsewhere;
        for host in [moved.host.clone(), Host::cloud(Region::Us)] {
            moved.host = host;
            let refused = program.session_of(&moved).access_token().await;
            assert!(
                matches!(refused, Err(SessionError::OtherHost(_))),
                "{refused:?}"
            );
        }
        let token = program.session_of(&connection).access_token().await;
        assert_eq!(token.unwrap().issuer(), Some("https://eu.posthog.com"));
        let sealed = program.0.vault.read(&connection.id).unwrap().unwrap();
        assert!(matches!(
            sealed.content,
            Content::ApiKey { issuer: Some(issuer), .. } if issuer == "https://eu.posthog.com"
        ));
    }
}
