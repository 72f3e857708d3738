//! What goes into a database: a project and its events.

/// What a query has to know of the project whose events it reads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its number. The identifiers of sessions, persons and events differ from those of another project.
    pub id: u64,
    /// IANA name of its time zone, for example `Europe/Berlin`. Days start in it; a name that is not known counts
    /// as UTC.
    pub time_zone: String,
    /// Host of its website, for example `docs.example`.
    pub website: String,
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
    /// `utm_source`, of visits that a campaign brought.
    pub campaign: Option<&'a str>,
    /// `amount` of a payment.
    pub amount: Option<u32>,
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
            campaign: None,
            amount: None,
        }
    }
}
