//! The user's decision about an authorization request: which Reach, which scopes, or no.
//!
//! The page's form and [`crate::Instance::consent`] end in the same [`Decision::settle`].

use std::collections::BTreeMap;

use super::authorize::Authorization;
use crate::region::Region;
use crate::region::grants::{CODE_LIFETIME, Code};
use crate::region::reach::Reach;
use crate::region::scopes;
use crate::request::{every, last};

/// What a person decides, for tests without a browser.
#[derive(Clone, Debug)]
pub struct Consent<'a> {
    /// Number of the person who is logged in.
    pub person: u64,
    /// What the access token will reach.
    pub reach: Reach,
    /// The scopes that stay ticked, of those asked for; `None` leaves all. `openid`, `profile`, `email` and
    /// `introspection` cannot be unticked.
    pub scopes: Option<&'a str>,
    /// Say no.
    pub deny: bool,
}

impl Default for Consent<'_> {
    /// The first person says yes to everything.
    fn default() -> Self {
        Self {
            person: 1,
            reach: Reach::All,
            scopes: None,
            deny: false,
        }
    }
}

/// What may be done to one kind of object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Level {
    None,
    Read,
    Write,
}

impl Level {
    /// The value of its radio button.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    fn from_key(key: &str) -> Option<Self> {
        match key {
            "none" => Some(Self::None),
            "read" => Some(Self::Read),
            "write" => Some(Self::Write),
            _ => None,
        }
    }
}

/// One object on the consent page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) object: String,
    /// The most that was asked for.
    pub(crate) asked: Level,
    /// Both reading and writing were asked for by name.
    pub(crate) both: bool,
    /// The user cannot lower it.
    pub(crate) required: bool,
}

/// The objects of a request, in the order in which they were asked for.
pub(crate) fn rows(authorization: &Authorization) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for scope in &authorization.scopes {
        let Some((object, action)) = scope.split_once(':') else {
            continue;
        };
        let level = if action == "write" {
            Level::Write
        } else {
            Level::Read
        };
        let required = authorization.client.scopes.contains(scope);
        match rows.iter_mut().find(|row| row.object == object) {
            Some(row) => {
                row.both = row.asked != level;
                row.asked = row.asked.max(level);
                row.required |= required;
            }
            None => rows.push(Row {
                object: object.to_owned(),
                asked: level,
                both: false,
                required,
            }),
        }
    }
    rows
}

/// A yes with its limits.
#[derive(Clone, Debug)]
pub(crate) struct Decision {
    pub(crate) person: u64,
    pub(crate) reach: Reach,
    pub(crate) scopes: Vec<String>,
    pub(crate) auth_time: i64,
}

impl Decision {
    /// Reads the page's form. The error is a sentence for the page.
    pub(crate) fn read(
        region: &Region,
        authorization: &Authorization,
        person: u64,
        auth_time: i64,
        form: &[(String, String)],
    ) -> Result<Self, &'static str> {
        let reach = match last(form, "access_level") {
            Some("all") => Reach::All,
            Some("organization") => {
                Reach::Organizations(every(form, "organization").map(ToOwned::to_owned).collect())
            }
            Some("project") => Reach::Projects(
                every(form, "project")
                    .map(|project| project.parse().map_err(|_| "That is no project."))
                    .collect::<Result<_, _>>()?,
            ),
            _ => return Err("Choose what the application may access."),
        };
        check_reach(region, person, &reach)?;
        let chosen: BTreeMap<&str, Level> = form
            .iter()
            .filter_map(|(name, value)| {
                Some((name.strip_prefix("scope.")?, Level::from_key(value)?))
            })
            .collect();
        Ok(Self {
            person,
            reach,
            scopes: lowered(authorization, |row| {
                chosen.get(row.object.as_str()).copied()
            }),
            auth_time,
        })
    }

    /// Reads a decision that a test made.
    pub(crate) fn from_consent(
        region: &Region,
        authorization: &Authorization,
        consent: &Consent<'_>,
    ) -> Result<Self, &'static str> {
        check_reach(region, consent.person, &consent.reach)?;
        let kept = consent.scopes.map(scopes::split);
        let level = |row: &Row| {
            let kept = kept.as_ref()?;
            let has = |action: &str| kept.contains(&format!("{}:{action}", row.object));
            Some(if has("write") {
                Level::Write
            } else if has("read") {
                Level::Read
            } else {
                Level::None
            })
        };
        Ok(Self {
            person: consent.person,
            reach: consent.reach.clone(),
            scopes: lowered(authorization, level),
            auth_time: region.clock.seconds(),
        })
    }

    /// The redirect back with a code.
    pub(crate) fn settle(self, region: &Region, authorization: &Authorization) -> String {
        let code = Code {
            client_id: authorization.client.id.clone(),
            redirect_uri: authorization.redirect_uri.clone(),
            challenge: authorization.challenge.clone(),
            nonce: authorization.nonce.clone(),
            person: self.person,
            scopes: self.scopes,
            reach: self.reach,
            auth_time: self.auth_time,
            expires_at: region.clock.seconds() + CODE_LIFETIME,
        };
        authorization.grant(region, code)
    }
}

/// The scopes after the user's changes. A row that nothing was said about stays as it was asked for.
fn lowered(authorization: &Authorization, chosen: impl Fn(&Row) -> Option<Level>) -> Vec<String> {
    let mut granted: Vec<String> = authorization
        .scopes
        .iter()
        .filter(|scope| !scope.contains(':'))
        .cloned()
        .collect();
    for row in rows(authorization) {
        let level = match chosen(&row) {
            Some(level) if !row.required => level.min(row.asked),
            _ => row.asked,
        };
        let scope = |action: &str| format!("{}:{action}", row.object);
        match level {
            Level::None => {}
            Level::Read => granted.push(scope("read")),
            Level::Write => {
                if row.both {
                    granted.push(scope("read"));
                }
                granted.push(scope("write"));
            }
        }
    }
    granted
}

/// Only what the person sees can be granted, and something has to be.
fn check_reach(region: &Region, person: u64, reach: &Reach) -> Result<(), &'static str> {
    let world = &region.world;
    match reach {
        Reach::All => Ok(()),
        Reach::Organizations(ids) if ids.is_empty() => Err("Choose at least one organization."),
        Reach::Organizations(ids) => ids
            .iter()
            .all(|id| world.organizations_of(person).any(|known| known.id == *id))
            .then_some(())
            .ok_or("You do not belong to one of these organizations."),
        Reach::Projects(ids) if ids.is_empty() => Err("Choose at least one project."),
        Reach::Projects(ids) => ids
            .iter()
            .all(|id| {
                world
                    .project(*id)
                    .is_some_and(|project| world.sees(person, project))
            })
            .then_some(())
            .ok_or("You do not have access to one of these projects."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::region::clients::{Client, Kind};

    fn authorization(asked: &str, required: &str) -> Authorization {
        Authorization {
            client: Client {
                id: "x".to_owned(),
                kind: Kind::Dynamic,
                name: "x".to_owned(),
                redirect_uris: Vec::new(),
                scopes: scopes::split(required),
                secret: None,
            },
            redirect_uri: String::new(),
            state: None,
            scopes: scopes::split(asked),
            challenge: String::new(),
            nonce: None,
            required_access_level: None,
            team: None,
            auto: false,
        }
    }

    #[test]
    fn read_and_write_of_an_object_are_one_row() {
        let rows = rows(&authorization(
            "openid annotation:read annotation:write",
            "",
        ));
        assert_eq!(rows.len(), 1);
        assert!(rows.iter().all(|row| row.both && row.asked == Level::Write));
    }

    #[test]
    fn lowering_a_row_lowers_its_scopes_and_openid_stays() {
        let asked = authorization("openid annotation:read annotation:write query:read", "");
        let lower = |level| lowered(&asked, |row| (row.object == "annotation").then_some(level));
        assert_eq!(
            lower(Level::Read),
            ["openid", "annotation:read", "query:read"]
        );
        assert_eq!(lower(Level::None), ["openid", "query:read"]);
        assert_eq!(
            lower(Level::Write),
            [
                "openid",
                "annotation:read",
                "annotation:write",
                "query:read"
            ]
        );
    }

    #[test]
    fn write_alone_grants_write_alone() {
        let asked = authorization("annotation:write", "");
        assert_eq!(lowered(&asked, |_| None), ["annotation:write"]);
    }

    #[test]
    fn a_required_row_cannot_be_lowered() {
        let asked = authorization("query:read", "query:read");
        assert_eq!(lowered(&asked, |_| Some(Level::None)), ["query:read"]);
    }
}
