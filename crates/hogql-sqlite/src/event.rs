//! What goes into a database: a project and its events.

use serde_json::Value;

/// What a query has to know of the project whose events it reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Project {
    /// Its number. The identifiers of sessions, persons and events differ from those of another project.
    pub id: u64,
    /// IANA name of its time zone, for example `Europe/Berlin`. Days start in it; a name that is not known counts
    /// as UTC.
    pub time_zone: String,
    /// Host of its website, for example `docs.example`.
    pub website: String,
    /// The filters of its "internal and test users", as PostHog's `test_account_filters` has them: what
    /// `filters.filterTestAccounts` applies.
    pub test_account_filters: Vec<Value>,
}

/// One event, as the demo of a website or of a mobile app needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// When, in Unix seconds.
    pub timestamp: i64,
    /// Its name.
    pub event: &'a str,
    /// Number of the person, in the project.
    pub person: u32,
    /// Number of the session, in the project.
    pub session: u32,
    /// `$pathname`, on the web.
    pub pathname: Option<&'a str>,
    /// `$screen_name`, in a mobile app.
    pub screen: Option<&'a str>,
    /// `$referring_domain`; `None` stands for the project's own website, on all views but the first.
    pub referring_domain: Option<&'a str>,
    /// `$geoip_country_code`, if it is known.
    pub country: Option<&'a str>,
    /// `$device_type`.
    pub device: &'a str,
    /// `$browser`.
    pub browser: Option<&'a str>,
    /// `$os`.
    pub os: &'a str,
    /// `$browser_language`, for example `de-AT`.
    pub language: Option<&'a str>,
    /// `$raw_user_agent`, of events that a browser or a crawler sent. PostHog decides by it what is a bot, and takes
    /// what has none for one.
    pub user_agent: Option<&'a str>,
    /// The `utm_…` values, of visits that a campaign brought.
    pub utm: Option<&'a Utm<'a>>,
    /// Whether the person belongs to the project's own team: such a person has an address at its website.
    pub internal: bool,
    /// `amount` of a payment.
    pub amount: Option<u32>,
    /// What an `$exception` is about.
    pub exception: Option<&'a Exception<'a>>,
    /// What a `$web_vitals` measured.
    pub vitals: Option<Vitals>,
}

/// The values of a campaign that brought a visit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Utm<'a> {
    /// `utm_source`.
    pub source: Option<&'a str>,
    /// `utm_medium`.
    pub medium: Option<&'a str>,
    /// `utm_campaign`.
    pub campaign: Option<&'a str>,
    /// `utm_term`.
    pub term: Option<&'a str>,
    /// `utm_content`.
    pub content: Option<&'a str>,
}

impl<'a> Utm<'a> {
    /// All of them, in this order: source, medium, campaign, term, content.
    pub(crate) fn values(&self) -> [Option<&'a str>; 5] {
        [
            self.source,
            self.medium,
            self.campaign,
            self.term,
            self.content,
        ]
    }
}

/// An error that a program ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exception<'a> {
    /// Its type, for example `TypeError`.
    pub kind: &'a str,
    /// What it says.
    pub message: &'a str,
    /// `$exception_fingerprint`: the same for errors that are one issue.
    pub fingerprint: &'a str,
    /// Whether the program caught it.
    pub handled: bool,
}

/// How fast a page was. Each value may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Largest Contentful Paint, in milliseconds.
    pub lcp: Option<u16>,
    /// Interaction to Next Paint, in milliseconds.
    pub inp: Option<u16>,
    /// First Contentful Paint, in milliseconds.
    pub fcp: Option<u16>,
    /// Cumulative Layout Shift, in thousandths.
    pub cls: Option<u16>,
}

impl<'a> Event<'a> {
    /// A view of `/` in a desktop browser that says nothing about itself: a start for struct update syntax.
    pub const fn pageview(timestamp: i64, person: u32, session: u32) -> Event<'a> {
        Event {
            timestamp,
            event: "$pageview",
            person,
            session,
            pathname: Some("/"),
            screen: None,
            referring_domain: None,
            country: None,
            device: "Desktop",
            browser: None,
            os: "Linux",
            language: None,
            user_agent: None,
            utm: None,
            internal: false,
            amount: None,
            exception: None,
            vitals: None,
        }
    }
}
