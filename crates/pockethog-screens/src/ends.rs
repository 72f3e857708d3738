//! Sign-ins that have ended by themselves, and which of these ends the person has been told of.

use std::collections::HashSet;

use sign_in_with_posthog::{Connection, ConnectionId, EndReason};

/// The end of a sign-in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// Which Connection.
    pub connection: ConnectionId,
    /// `US Cloud`, `EU Cloud` or the host.
    pub host: String,
    /// Why.
    pub reason: EndReason,
}

/// The Connections that have ended by themselves.
pub fn ends(connections: &[Connection]) -> Vec<End> {
    let ended = connections.iter().filter_map(|connection| {
        Some(End {
            connection: connection.id.clone(),
            host: connection.host.name(),
            reason: connection.ended_by_itself()?,
        })
    });
    ended.collect()
}

/// The ends that a surface has told the person of, by Connection and time of sign-in: each is told once.
#[derive(Debug, Default)]
pub struct AnnouncedEnds(HashSet<(ConnectionId, i64)>);

impl AnnouncedEnds {
    /// Whether one of these Connections has ended since the last time. Now all of them count as announced.
    pub fn announce(&mut self, connections: &[Connection]) -> bool {
        let mut any = false;
        for connection in connections {
            if connection.ended_by_itself().is_some() {
                any |= self
                    .0
                    .insert((connection.id.clone(), connection.signed_in_at));
            }
        }
        any
    }
}

#[cfg(test)]
mod tests {
    use sign_in_with_posthog::ConnectionState;

    use super::*;
    use crate::samples::connection;

    #[test]
    fn an_end_is_announced_once_for_each_sign_in() {
        let mut announced = AnnouncedEnds::default();
        let mut ada = connection("ada", "query:read");
        assert!(!announced.announce(std::slice::from_ref(&ada)));
        ada.state = ConnectionState::Ended(EndReason::RevokedOrExpired);
        let both = [ada.clone(), connection("marek", "query:read")];
        assert!(announced.announce(&both));
        assert!(!announced.announce(&both));
        ada.signed_in_at += 1;
        assert!(announced.announce(std::slice::from_ref(&ada)));
        ada.state = ConnectionState::Ended(EndReason::SignedOut);
        ada.signed_in_at += 1;
        assert!(!announced.announce(&[ada]), "the person did that");
    }
}
