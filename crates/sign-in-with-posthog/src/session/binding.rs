//! Whether a stored credential is for the Host and the kind that the list of Connections names.
//!
//! The list is a file in clear. Whoever can change it, or a mistaken edit, must not be able to send a token or
//! a key to another address: a credential is handed out only for the Host and the kind that are sealed in its
//! record. Tokens name their Host by the token endpoint; a key has its Host beside it.

use crate::connection::{Connection, ConnectionId, CredentialKind};
use crate::host::Host;
use crate::record::OtherHost;

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

    /// Whether the name of a record was made from this Host, kind and account. It replaces the Host in a record from
    /// before the Host was sealed with the key.
    pub(super) fn explains(&self, id: &ConnectionId) -> bool {
        self.is_usual && self.kind == CredentialKind::ApiKey && self.id == *id
    }

    /// Refuses a credential of `kind` for `issuer`, stored as `id`, unless it is what the caller wants.
    pub(super) fn check(
        &self,
        id: &ConnectionId,
        kind: CredentialKind,
        issuer: Option<&str>,
    ) -> Result<(), OtherHost> {
        let right_host = match issuer {
            Some(issuer) => issuer == self.issuer,
            None => self.explains(id),
        };
        if kind == self.kind && right_host {
            return Ok(());
        }
        Err(OtherHost {
            kind,
            sealed: issuer.map(ToOwned::to_owned),
            listed: self.issuer.clone(),
        })
    }
}
