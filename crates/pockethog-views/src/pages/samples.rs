//! Cards for the tests of the pages.

use jiff::Timestamp;
use pockethog_core::overview::Counts;
use pockethog_core::project::ProjectKey;
use pockethog_screens::{Card, Figures, Numbers};
use sign_in_with_posthog::{ConnectionId, CredentialKind, Host, Region};

/// A card with numbers of now.
pub(crate) fn card(id: u64, name: &str, visitors: u64, before: u64) -> Card {
    let counts = |visitors| Counts {
        visitors,
        pageviews: visitors,
    };
    Card {
        key: ProjectKey {
            host: "us".to_owned(),
            id,
        },
        connection: ConnectionId::new(&Host::cloud(Region::Us), CredentialKind::OAuth, "ada"),
        name: name.to_owned(),
        subtitle: format!("{name}.example"),
        host: None,
        favourite: false,
        scheme: None,
        numbers: Numbers::Known(Figures {
            measured_at: Timestamp::UNIX_EPOCH,
            now: counts(visitors),
            before: counts(before),
            online: None,
            curve: vec![1, 2, 3],
            today: None,
            time_zone: "UTC".to_owned(),
            usual: None,
            moved: None,
            stale: None,
            unknown_zone: None,
        }),
        trouble: None,
    }
}
