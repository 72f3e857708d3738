//! What happens in a visit.

use fastrand::Rng;
use hogql_sqlite::{Exception, Utm, Vitals};

use super::audience::{Audience, SEARCH};
use super::{Event, skewed};
use crate::world::Project;

const PATHS: [&str; 8] = [
    "/",
    "/pricing",
    "/blog/why-we-moved",
    "/docs/getting-started",
    "/features",
    "/changelog",
    "/about",
    "/login",
];
const SCREENS: [&str; 4] = ["Home", "Search", "Detail", "Settings"];

/// Type, operating system, and what a user agent says of it.
const DEVICES: [(&str, &str, usize); 6] = [
    ("Desktop", "Mac OS X", 0),
    ("Desktop", "Windows", 1),
    ("Mobile", "iOS", 2),
    ("Mobile", "Android", 3),
    ("Desktop", "Linux", 4),
    ("Tablet", "iOS", 5),
];
const BROWSERS: [(&str, usize); 4] = [
    ("Chrome", 0),
    ("Safari", 1),
    ("Firefox", 2),
    ("Microsoft Edge", 3),
];
/// By device, then by browser.
const AGENTS: [[&str; 4]; 6] = [
    [
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:145.0) Gecko/20100101 Firefox/145.0",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    ],
    [
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    ],
    [
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.0.0 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/145.0 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) EdgiOS/142.0.0.0 Mobile/15E148 Safari/604.1",
    ],
    [
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile Safari/605.1.15",
        "Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0",
        "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36 EdgA/142.0.0.0",
    ],
    [
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
        "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
    ],
    [
        "Mozilla/5.0 (iPad; CPU OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.0.0 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (iPad; CPU OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (iPad; CPU OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/145.0 Mobile/15E148 Safari/604.1",
        "Mozilla/5.0 (iPad; CPU OS 18_7 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) EdgiOS/142.0.0.0 Mobile/15E148 Safari/604.1",
    ],
];
/// Those that run a page's scripts and are no people.
const CRAWLERS: [&str; 3] = [
    "Mozilla/5.0 (Linux; Android 6.0.1; Nexus 5X Build/MMB29P) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; GPTBot/1.2; +https://openai.com/gptbot)",
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36",
];

const CAMPAIGNS: [Utm<'static>; 3] = [
    Utm {
        source: Some("newsletter"),
        medium: Some("email"),
        campaign: Some("autumn-letter"),
        term: None,
        content: Some("first-link"),
    },
    Utm {
        source: Some("podcast"),
        medium: Some("audio"),
        campaign: Some("small-hours"),
        term: None,
        content: None,
    },
    Utm {
        source: Some("partner"),
        medium: Some("cpc"),
        campaign: Some("directory"),
        term: Some("hedgehog software"),
        content: None,
    },
];

const EXCEPTIONS: [Exception<'static>; 3] = [
    Exception {
        kind: "TypeError",
        message: "Cannot read properties of undefined (reading 'id')",
        fingerprint: "5d1c0a7e",
        handled: false,
    },
    Exception {
        kind: "NetworkError",
        message: "Failed to fetch",
        fingerprint: "b27f9e43",
        handled: true,
    },
    Exception {
        kind: "RangeError",
        message: "Invalid time value",
        fingerprint: "0c84de19",
        handled: false,
    },
];

/// What people do besides looking, and how many of 1,000 sessions do it.
const ACTIONS: [(&str, u32); 5] = [
    ("signed_up", 46),
    ("trial_started", 25),
    ("paid", 10),
    ("invited_teammate", 18),
    ("newsletter_subscribed", 30),
];

/// Each of the twelve ways that two dice for the views of a visit can fall.
const VIEWS_IN_TURN: [u32; 12] = [2, 1, 3, 1, 1, 4, 1, 2, 1, 3, 1, 2];

/// One person in so many works on the project.
const ONE_INTERNAL_OF: u32 = 40;

/// Who stays away today: where they come from, and how many of 100 from Germany and from elsewhere do.
#[derive(Clone, Copy, Debug)]
pub(super) struct DriedUp {
    pub(super) from_germany: u32,
    pub(super) from_elsewhere: u32,
}

/// The visits of a project, one after the other.
pub(super) struct Visits<'a> {
    project: &'a Project,
    audience: Audience,
    dried_up: Option<DriedUp>,
    /// Persons who come back are numbered below this.
    crowd: u32,
    sessions: u32,
    events: Vec<Event>,
}

impl<'a> Visits<'a> {
    pub(super) fn new(project: &'a Project, audience: Audience, dried_up: Option<DriedUp>) -> Self {
        Self {
            project,
            audience,
            dried_up,
            // Fifteen days' visitors, so that people come back.
            crowd: project.visitors.max(2) * 15,
            sessions: 0,
            events: Vec::new(),
        }
    }

    pub(super) fn into_events(self) -> Vec<Event> {
        self.events
    }

    /// A visit that begins at an instant.
    pub(super) fn visit(&mut self, random: &mut Rng, start: i64, is_now: bool) {
        self.sessions += 1;
        if random.u32(0..70) == 0 {
            self.crawl(random, start);
            return;
        }
        let person = random.u32(0..self.crowd);
        let referrer = self.audience.referrer(random);
        let mut base = self.first_view(person, start);
        base.referring_domain = Some(referrer);
        base.utm = (random.u32(0..12) == 0).then(|| skewed(random, &CAMPAIGNS_BY_NUMBER));
        let stays_away = self.dried_up.filter(|_| is_now && referrer == SEARCH);
        if let Some(dried_up) = stays_away {
            let of_hundred = match base.country {
                Some("DE") => dried_up.from_germany,
                _ => dried_up.from_elsewhere,
            };
            if random.u32(0..100) < of_hundred {
                return;
            }
        }
        // One to four. Today they come in turn, so that views are as usual as visits are.
        let views = if is_now {
            VIEWS_IN_TURN[self.sessions as usize % VIEWS_IN_TURN.len()]
        } else {
            1 + random.u32(0..4).saturating_sub(random.u32(0..3))
        };
        for nth in 0..views {
            if base.event == "$screen" {
                base.screen = Some(skewed(random, &SCREENS));
            } else {
                base.pathname = Some(skewed(random, &PATHS));
            }
            self.events.push(base);
            if nth == 0 {
                self.measure(random, &base);
            }
            base.timestamp += random.i64(4..180);
            base.referring_domain = None;
        }
        self.act(random, &base);
    }

    /// What a program reports besides views.
    fn measure(&mut self, random: &mut Rng, base: &Event) {
        let chance = random.u32(0..160);
        let later = Event {
            timestamp: base.timestamp + 3,
            referring_domain: None,
            ..*base
        };
        if chance < 2 {
            self.events.push(Event {
                event: "$exception",
                exception: Some(skewed(random, &EXCEPTIONS_BY_NUMBER)),
                ..later
            });
        } else if chance < 16 && base.event == "$pageview" {
            let mut slow = |least: u16, spread: u16| {
                // Most pages are quick, and a few are not.
                Some(least + random.u16(0..spread).min(random.u16(0..spread)))
            };
            let (fcp, lcp, inp, cls) = (
                slow(300, 2600),
                slow(900, 4200),
                slow(24, 420),
                slow(0, 240),
            );
            self.events.push(Event {
                event: "$web_vitals",
                vitals: Some(Vitals { lcp, inp, fcp, cls }),
                ..later
            });
        }
    }

    fn act(&mut self, random: &mut Rng, base: &Event) {
        for (action, of_thousand) in ACTIONS {
            if random.u32(0..1000) < of_thousand {
                self.events.push(Event {
                    event: action,
                    amount: (action == "paid").then(|| random.u32(9..90)),
                    ..*base
                });
            }
        }
    }

    /// A crawler looks at one page, and is a new person each time.
    fn crawl(&mut self, random: &mut Rng, start: i64) {
        let stranger = self.crowd + self.sessions;
        self.events.push(Event {
            pathname: Some(skewed(random, &PATHS)),
            referring_domain: Some("$direct"),
            country: Some("US"),
            browser: Some("Chrome"),
            language: Some("en-US"),
            user_agent: Some(skewed(random, &CRAWLERS)),
            ..Event::pageview(start, stranger, self.sessions)
        });
    }

    /// The view that a visit of this person begins with, without its page.
    fn first_view(&self, person: u32, start: i64) -> Event {
        Event {
            internal: person < self.crowd && person % ONE_INTERNAL_OF == 7,
            ..first_view(self.project, self.audience, person, self.sessions, start)
        }
    }
}

/// References into tables, which events hold.
const CAMPAIGNS_BY_NUMBER: [&Utm<'static>; 3] = [&CAMPAIGNS[0], &CAMPAIGNS[1], &CAMPAIGNS[2]];
const EXCEPTIONS_BY_NUMBER: [&Exception<'static>; 3] =
    [&EXCEPTIONS[0], &EXCEPTIONS[1], &EXCEPTIONS[2]];

/// The view that a visit begins with: the device, the home and the habits of its person.
pub(super) fn first_view(
    project: &Project,
    audience: Audience,
    person: u32,
    session: u32,
    start: i64,
) -> Event {
    let mut habits = Rng::with_seed(u64::from(person) ^ project.id << 32);
    let (device, os, of_device) = skewed(&mut habits, &DEVICES);
    let in_app = device == "Mobile" && habits.u32(0..10) == 0;
    let (country, language) = audience.home(&mut habits);
    let browser = (!in_app).then(|| skewed(&mut habits, &BROWSERS));
    Event {
        event: if in_app { "$screen" } else { "$pageview" },
        pathname: None,
        country,
        device,
        browser: browser.map(|(name, _)| name),
        os,
        language,
        // An app sends none.
        user_agent: browser.map(|(_, of_browser)| AGENTS[of_device][of_browser]),
        ..Event::pageview(start, person, session)
    }
}
