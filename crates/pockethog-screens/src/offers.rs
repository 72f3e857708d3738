//! Offers to sign in instead of using an API key.

use jiff::Timestamp;
use sign_in_with_posthog::{Connection, ConnectionId, CredentialKind};

use pockethog_core::preferences::Preferences;

/// An API key whose user could sign in instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignInOffer {
    /// The Connection by API key.
    pub connection: ConnectionId,
    /// `US Cloud` or `EU Cloud`.
    pub host: String,
}

impl SignInOffer {
    /// Whether the user of this Connection can be asked to sign in instead: with a key for US or EU Cloud.
    pub fn concerns(connection: &Connection) -> bool {
        connection.kind == CredentialKind::ApiKey && connection.host.region().is_some()
    }

    /// The offers that the person has neither dismissed nor put off.
    pub(super) fn all(
        preferences: &Preferences,
        connections: &[Connection],
        now: Timestamp,
    ) -> Vec<Self> {
        let wanted = |connection: &&Connection| {
            let answer = preferences.banner.get(connection.id.as_str());
            answer.is_none_or(|banner| banner.shows_at(now))
        };
        connections
            .iter()
            .filter(|connection| connection.is_active() && Self::concerns(connection))
            .filter(wanted)
            .map(|connection| Self {
                connection: connection.id.clone(),
                host: connection.host.name(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use sign_in_with_posthog::{ConnectionState, EndReason, Host, Region};

    use super::*;
    use crate::samples::{at, connection};
    use pockethog_core::preferences::Banner;

    #[test]
    fn a_key_for_a_cloud_is_offered_a_sign_in_unless_the_person_said_otherwise() {
        let mut key = connection("ada", "query:read");
        key.kind = CredentialKind::ApiKey;
        let mut preferences = Preferences::default();
        let offers = |preferences: &Preferences, connection: &Connection| {
            SignInOffer::all(preferences, std::slice::from_ref(connection), at(10)).len()
        };
        assert_eq!(offers(&preferences, &key), 1);
        let mut self_hosted = key.clone();
        self_hosted.host = Host::self_hosted("https://posthog.example").unwrap();
        assert_eq!(self_hosted.host.region(), None::<Region>);
        assert_eq!(offers(&preferences, &self_hosted), 0);
        let mut ended = key.clone();
        ended.state = ConnectionState::Ended(EndReason::ApiKeyRejected);
        assert_eq!(offers(&preferences, &ended), 0);
        assert_eq!(offers(&preferences, &connection("ada", "query:read")), 0);
        let banner = Banner {
            dismissed: true,
            ..Banner::default()
        };
        preferences.banner.insert(key.id.to_string(), banner);
        assert_eq!(offers(&preferences, &key), 0);
    }
}
