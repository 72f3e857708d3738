//! The invented organizations, projects and people.
//!
//! Everything here is made up, and fixed: two runs with one seed show the same numbers.

use std::fmt::Write;

use serde_json::{Value, json};

/// Which of the two regions an instance plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegionName {
    /// US Cloud.
    Us,
    /// EU Cloud.
    Eu,
}

impl RegionName {
    /// `us` or `eu`.
    pub fn key(self) -> &'static str {
        match self {
            Self::Us => "us",
            Self::Eu => "eu",
        }
    }
}

/// How much there is to see.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Size {
    /// 4 organizations and 16 projects over the two regions.
    #[default]
    Standard,
    /// Many organizations in the US region, with few events each.
    Large {
        /// Organizations.
        organizations: u32,
        /// Projects in each.
        projects_each: u32,
    },
}

/// Somebody who can sign in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Number of the user.
    pub id: u64,
    /// UUID of the user: `sub` of an `id_token`.
    pub uuid: String,
    /// Given name.
    pub given_name: String,
    /// Family name.
    pub family_name: String,
    /// E-mail address.
    pub email: String,
}

impl Person {
    /// Given and family name.
    pub fn name(&self) -> String {
        format!("{} {}", self.given_name, self.family_name)
    }
}

/// An organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organization {
    /// UUID.
    pub id: String,
    /// Name.
    pub name: String,
    /// Numbers of the people who belong to it.
    pub members: Vec<u64>,
}

/// A project.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Number.
    pub id: u64,
    /// Name.
    pub name: String,
    /// UUID of its organization.
    pub organization: String,
    /// IANA time zone.
    pub time_zone: String,
    /// Website.
    pub website: String,
    /// Visitors on an ordinary day; 0 makes an empty project.
    pub visitors: u32,
    /// Its filters of "internal and test users".
    pub test_account_filters: Vec<Value>,
}

/// What one region holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct World {
    /// People. The first belongs to every organization; others may not.
    pub people: Vec<Person>,
    /// Organizations.
    pub organizations: Vec<Organization>,
    /// Projects.
    pub projects: Vec<Project>,
}

impl World {
    /// The world of a region.
    pub fn new(region: RegionName, size: Size) -> Self {
        let people = match region {
            RegionName::Us => vec![person(1, "Ada", "Lovelace"), person(2, "Grace", "Hopper")],
            RegionName::Eu => vec![person(1, "Ines", "Okafor"), person(2, "Ada", "Lovelace")],
        };
        match (size, region) {
            (Size::Standard, RegionName::Us) => Self::standard(people, region, &US),
            (Size::Standard | Size::Large { .. }, RegionName::Eu) => {
                Self::standard(people, region, &EU)
            }
            (
                Size::Large {
                    organizations,
                    projects_each,
                },
                RegionName::Us,
            ) => Self::large(people, organizations, projects_each),
        }
    }

    /// The world of a self-hosted PostHog.
    pub fn self_hosted() -> Self {
        let people = vec![person(1, "Ada", "Lovelace"), person(2, "Mary", "Anning")];
        Self::table(people, "self-hosted", 31, &SELF_HOSTED)
    }

    /// A person by number.
    pub fn person(&self, id: u64) -> Option<&Person> {
        self.people.iter().find(|person| person.id == id)
    }

    /// An organization by UUID.
    pub fn organization(&self, id: &str) -> Option<&Organization> {
        self.organizations
            .iter()
            .find(|organization| organization.id == id)
    }

    /// A project by number.
    pub fn project(&self, id: u64) -> Option<&Project> {
        self.projects.iter().find(|project| project.id == id)
    }

    /// The organizations a person belongs to.
    pub fn organizations_of(&self, person: u64) -> impl Iterator<Item = &Organization> {
        self.organizations
            .iter()
            .filter(move |organization| organization.members.contains(&person))
    }

    /// The projects of an organization.
    pub fn projects_of(&self, organization: &str) -> impl Iterator<Item = &Project> {
        self.projects
            .iter()
            .filter(move |project| project.organization == organization)
    }

    /// Whether a person sees a project.
    pub fn sees(&self, person: u64, project: &Project) -> bool {
        self.organization(&project.organization)
            .is_some_and(|organization| organization.members.contains(&person))
    }

    fn standard(people: Vec<Person>, region: RegionName, table: &[Row]) -> Self {
        let base = match region {
            RegionName::Us => 11,
            RegionName::Eu => 21,
        };
        Self::table(people, region.key(), base, table)
    }

    /// Projects are numbered from `base`.
    fn table(people: Vec<Person>, space: &str, base: u64, table: &[Row]) -> Self {
        let mut organizations: Vec<Organization> = Vec::new();
        let mut projects = Vec::new();
        for (nth, (organization, name, website, time_zone, visitors)) in (0..).zip(table) {
            if !organizations
                .iter()
                .any(|known| known.name == *organization)
            {
                organizations.push(Organization {
                    id: uuid(space, organization),
                    name: (*organization).to_owned(),
                    members: if OF_THE_FIRST_PERSON.contains(organization) {
                        vec![1]
                    } else {
                        people.iter().map(|person| person.id).collect()
                    },
                });
            }
            projects.push(Project {
                id: base + nth,
                name: (*name).to_owned(),
                organization: uuid(space, organization),
                time_zone: (*time_zone).to_owned(),
                website: (*website).to_owned(),
                visitors: *visitors,
                test_account_filters: test_account_filters(website),
            });
        }
        Self {
            people,
            organizations,
            projects,
        }
    }

    fn large(people: Vec<Person>, organizations: u32, projects_each: u32) -> Self {
        const ZONES: [&str; 4] = ["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata"];
        let organizations: Vec<Organization> = (1..=organizations)
            .map(|nth| Organization {
                id: uuid("us", &format!("large {nth}")),
                name: format!("Organization {nth:03}"),
                members: people.iter().map(|person| person.id).collect(),
            })
            .collect();
        let mut projects = Vec::new();
        let mut id = 1000;
        for organization in &organizations {
            for nth in 0..projects_each {
                id += 1;
                projects.push(Project {
                    id,
                    name: format!("Site {id}"),
                    organization: organization.id.clone(),
                    time_zone: ZONES[nth as usize % ZONES.len()].to_owned(),
                    website: format!("site-{id}.example"),
                    visitors: 1 + nth % 4,
                    test_account_filters: Vec::new(),
                });
            }
        }
        Self {
            people,
            organizations,
            projects,
        }
    }
}

/// Organization, project, website, time zone, visitors a day.
type Row = (&'static str, &'static str, &'static str, &'static str, u32);

const US: [Row; 9] = [
    (
        "Burrow Labs",
        "Burrow Docs",
        "docs.burrow.example",
        "America/New_York",
        620,
    ),
    (
        "Burrow Labs",
        "Nightjar API",
        "api.nightjar.example",
        "UTC",
        260,
    ),
    (
        "Burrow Labs",
        "Snuffle App",
        "snuffle.example",
        "America/Los_Angeles",
        140,
    ),
    (
        "Burrow Labs",
        "Pebble POS",
        "pebblepos.example",
        "America/Sao_Paulo",
        300,
    ),
    (
        "Thistle & Co",
        "Thistle & Co",
        "thistle.example",
        "America/New_York",
        250,
    ),
    (
        "Thistle & Co",
        "Windfall Games",
        "windfall.example",
        "Asia/Kolkata",
        46,
    ),
    ("Thistle & Co", "Quiet Corner", "quiet.example", "UTC", 0),
    (
        "Thistle & Co",
        "The International Society for the Study, Appreciation and Careful Relocation of Hedgerow Mammals (Staging)",
        "society.example",
        "Australia/Adelaide",
        12,
    ),
    (
        "Thistle & Co",
        "Kiwi Trails",
        "kiwi.example",
        "Pacific/Auckland",
        90,
    ),
];

/// Organizations that the second person of a region does not see.
const OF_THE_FIRST_PERSON: [&str; 2] = ["Thistle & Co", "Sett Studio"];

const EU: [Row; 7] = [
    (
        "Hedgerow GmbH",
        "Acorn Market",
        "acornmarket.example",
        "Europe/Berlin",
        980,
    ),
    (
        "Hedgerow GmbH",
        "Quillcast",
        "quillcast.example",
        "Europe/London",
        410,
    ),
    (
        "Hedgerow GmbH",
        "Hedgerow Blog",
        "hedgerow.example",
        "Europe/Berlin",
        380,
    ),
    (
        "Hedgerow GmbH",
        "Fernway Travel",
        "fernway.example",
        "Europe/Lisbon",
        540,
    ),
    (
        "Hedgerow GmbH",
        "はりねずみカフェ",
        "harinezumi.example",
        "Asia/Tokyo",
        75,
    ),
    (
        "Hedgerow GmbH",
        "Dormouse Beta",
        "beta.dormouse.example",
        "Europe/Helsinki",
        9,
    ),
    (
        "Sett Studio",
        "مقهى القنفذ",
        "qunfudh.example",
        "Asia/Dubai",
        58,
    ),
];

const SELF_HOSTED: [Row; 3] = [
    (
        "Lantern Co-op",
        "Lantern Wiki",
        "wiki.lantern.example",
        "Europe/Paris",
        170,
    ),
    (
        "Lantern Co-op",
        "Lantern Shop",
        "shop.lantern.example",
        "Europe/Paris",
        95,
    ),
    (
        "Lantern Co-op",
        "Ferry Times",
        "ferry.example",
        "America/Halifax",
        40,
    ),
];

/// People with an address at the website, and programs that run on a developer's machine.
fn test_account_filters(website: &str) -> Vec<Value> {
    vec![
        json!({
            "key": "email",
            "type": "person",
            "value": format!("@{website}"),
            "operator": "not_icontains",
        }),
        json!({
            "key": "$host",
            "type": "event",
            "value": "^(localhost|127\\.0\\.0\\.1)($|:)",
            "operator": "not_regex",
        }),
    ]
}

fn person(id: u64, given_name: &str, family_name: &str) -> Person {
    Person {
        id,
        uuid: uuid("person", &format!("{given_name} {family_name} {id}")),
        given_name: given_name.to_owned(),
        family_name: family_name.to_owned(),
        email: format!("{}@example.com", given_name.to_lowercase()),
    }
}

/// A UUID that depends on a name only.
pub(crate) fn uuid(space: &str, name: &str) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, format!("{space}\n{name}").as_bytes());
    let hex = hash
        .as_ref()
        .iter()
        .take(16)
        .fold(String::new(), |mut hex, byte| {
            // Writing into a String cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
    format!(
        "{}-{}-4{}-a{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[13..16],
        &hex[17..20],
        &hex[20..32]
    )
}
