#![allow(clippy::unwrap_used)]
use std::collections::HashMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use sign_in_with_posthog::{ConnectionId, CredentialKind, EndReason, Host, Region};

use super::*;
use pockethog_core::moves::{
    Basis, ByNow, Judged, Lag, Left, Look, Number, Settings, Silent, State, UsualRange,
};
use pockethog_core::preferences::Preferences;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn minutes(minutes: i64) -> SignedDuration {
    SignedDuration::from_mins(minutes)
}

/// A project that is as usual, measured at `now`; its days begin at midnight of UTC.
fn usual(now: Timestamp) -> Judged {
    let day = TimeZone::UTC.to_datetime(now).date();
    let day_began = TimeZone::UTC.to_timestamp(day.at(0, 0, 0, 0)).unwrap();
    let number = |metric| Number {
        metric,
        by_now: Some(ByNow {
            count: 100,
            usual: range(),
            basis: Basis::Weeks(8),
        }),
        whole_day: 200.0,
        state: State::Ordinary,
    };
    Judged {
        measured_at: now,
        settings: Settings::default(),
        date: day,
        day_began,
        day_ends: day_began + 24.hours(),
        numbers: vec![
            number(Metric::Visitors),
            number(Metric::Pageviews),
            number(Metric::Conversion("Paid".into())),
            number(Metric::Conversion(pockethog_core::moves::ERRORS.into())),
        ],
        silent: None,
        last_event_at: Some(now),
        lag: Lag::default(),
        pageviews: Vec::new(),
        usual_hours: Vec::new(),
        usual_hours_from: day_began,
    }
}

fn range() -> UsualRange {
    UsualRange {
        centre: 100.0,
        low: 80,
        high: 120,
    }
}

fn moved(direction: Direction, since: Timestamp) -> State {
    State::Moved(Left {
        direction,
        look: Look::SoFar,
        since,
        count: if direction == Direction::Up { 300 } else { 20 },
        usual: range(),
        continues: false,
    })
}

const VISITORS: usize = 0;
const PAGEVIEWS: usize = 1;
const PAID: usize = 2;
const ERRORS: usize = 3;

/// A device with a number of projects, whose clock is moved.
struct Device {
    now: Timestamp,
    told: Told,
    preferences: Preferences,
    ended: Vec<Ended>,
    projects: Vec<Judged>,
    counts: HashMap<usize, Counts>,
}

impl Device {
    fn new(now: &str, projects: usize) -> Self {
        let now = at(now);
        let mut preferences = Preferences::default();
        preferences.alerts.on = true;
        Self {
            now,
            told: Told::default(),
            preferences,
            ended: Vec::new(),
            projects: vec![usual(now); projects],
            counts: HashMap::new(),
        }
    }

    /// The clock goes on, and every project is measured again and as usual unless something is said about it.
    fn measured_at(&mut self, now: &str) -> &mut Self {
        self.now = at(now);
        for judged in &mut self.projects {
            *judged = usual(self.now);
        }
        self
    }

    fn put(&mut self, project: usize, number: usize, state: State) -> &mut Self {
        self.projects[project].numbers[number].state = state;
        self
    }

    fn down(&mut self, project: usize, since: &str) -> &mut Self {
        self.put(project, VISITORS, moved(Direction::Down, at(since)))
    }

    fn back(&mut self, project: usize, since: &str, was: Direction) -> &mut Self {
        let state = State::BackToUsual { at: at(since), was };
        self.put(project, VISITORS, state)
    }

    fn silent(&mut self, project: usize, since: &str) -> &mut Self {
        self.projects[project].last_event_at = Some(at(since));
        self.projects[project].silent = Some(Silent {
            since: at(since),
            usual_seconds: 600,
        });
        self
    }

    fn news(&mut self) -> Vec<News> {
        let seen: Vec<Seen<'_>> = self
            .projects
            .iter()
            .enumerate()
            .map(|(place, judged)| Seen {
                project: project(place),
                judged: Some(judged),
                counts: self.counts.get(&place).cloned(),
            })
            .collect();
        let clock = (self.now, &TimeZone::UTC);
        decide(&mut self.told, &seen, &self.ended, &self.preferences, clock)
    }

    /// What is told, in short.
    fn told(&mut self) -> Vec<String> {
        self.news().iter().map(short).collect()
    }
}

fn project(place: usize) -> Named {
    Named {
        key: ProjectKey {
            host: "us".into(),
            id: place as u64,
        },
        name: format!("Project {place}"),
        time_zone: "UTC".into(),
    }
}

fn short(news: &News) -> String {
    let subject = |subject: &Subject| match subject {
        Subject::Silent => "silent".to_owned(),
        Subject::Number { metric, direction } => format!("{metric:?} {direction:?}"),
    };
    match news {
        News::Moved { project, moved } => {
            format!(
                "{} {}",
                project.key.id,
                subject(&Subject::of(moved).unwrap())
            )
        }
        News::Back { project, was, .. } => format!("{} back from {}", project.key.id, subject(was)),
        News::Together {
            direction,
            moved,
            of,
        } => format!("{moved} of {of} {direction:?}"),
        News::TogetherBack { direction } => format!("all back from {direction:?}"),
        News::Goal {
            project,
            goal,
            count,
        } => format!("{} goal {goal}: {count}", project.key.id),
        News::Ended { name, .. } => format!("ended {name}"),
    }
}

const NOTHING: [&str; 0] = [];

#[test]
fn a_move_is_told_once_and_its_end_once() {
    let mut device = Device::new("2026-11-28T13:00:00Z", 2);
    device.down(1, "2026-11-28T12:15:00Z");
    assert_eq!(device.told(), ["1 Visitors Down"]);
    assert_eq!(device.told(), NOTHING);
    // Late events move the start a little, and it lasts.
    device
        .measured_at("2026-11-28T15:00:00Z")
        .down(1, "2026-11-28T12:45:00Z");
    assert_eq!(device.told(), NOTHING);
    device
        .measured_at("2026-11-28T16:05:00Z")
        .back(1, "2026-11-28T16:00:00Z", Direction::Down);
    assert_eq!(device.told(), ["1 back from Visitors Down"]);
    assert_eq!(device.told(), NOTHING);
    // It comes again within the hour: the same event.
    device
        .measured_at("2026-11-28T17:00:00Z")
        .down(1, "2026-11-28T16:45:00Z");
    assert_eq!(device.told(), NOTHING);
    // In the evening it is another one.
    device
        .measured_at("2026-11-28T20:00:00Z")
        .down(1, "2026-11-28T19:30:00Z");
    assert_eq!(device.told(), ["1 Visitors Down"]);
    // And the other way.
    device.measured_at("2026-11-28T20:30:00Z").put(
        1,
        VISITORS,
        moved(Direction::Up, at("2026-11-28T20:15:00Z")),
    );
    assert_eq!(device.told(), ["1 Visitors Up"]);
}

#[test]
fn nothing_is_told_unless_it_is_turned_on_and_of_what_the_person_wants_to_hear() {
    let mut device = Device::new("2026-11-28T13:00:00Z", 3);
    for place in 0..2 {
        device.down(place, "2026-11-28T12:15:00Z");
    }
    device.preferences.alerts.on = false;
    assert_eq!(device.told(), NOTHING);
    assert_eq!(device.told, Told::default());
    device.preferences.alerts.on = true;
    device.preferences.project_mut(&project(0).key).muted = true;
    device.preferences.project_mut(&project(1).key).hidden = true;
    assert_eq!(device.told(), NOTHING);
    device.preferences.project_mut(&project(0).key).muted = false;
    assert_eq!(device.told(), ["0 Visitors Down"]);
}

#[test]
fn what_still_matters_is_told_after_the_quiet_hours_and_nothing_else() {
    let mut device = Device::new("2026-11-28T23:00:00Z", 3);
    device.preferences.alerts.quiet_hours = Some("22:00-07:00".parse().unwrap());
    device
        .silent(0, "2026-11-28T22:10:00Z")
        .down(1, "2026-11-28T22:15:00Z");
    assert_eq!(device.told(), NOTHING);
    device
        .measured_at("2026-11-29T06:59:00Z")
        .silent(0, "2026-11-28T22:10:00Z");
    assert_eq!(device.told(), NOTHING);
    device
        .measured_at("2026-11-29T07:00:00Z")
        .silent(0, "2026-11-28T22:10:00Z");
    assert_eq!(device.told(), ["0 silent"]);
}

#[test]
fn a_device_that_was_asleep_tells_what_lasts_and_not_what_has_passed() {
    let mut device = Device::new("2026-11-28T10:00:00Z", 3);
    device
        .down(0, "2026-11-28T09:15:00Z")
        .down(1, "2026-11-28T09:15:00Z");
    assert_eq!(device.told().len(), 2);
    // It wakes up. What is stored is from before, and says nothing.
    device.now = at("2026-11-28T10:50:00Z");
    device.down(2, "2026-11-28T09:30:00Z");
    assert_eq!(device.told(), NOTHING);
    device
        .measured_at("2026-11-28T19:00:00Z")
        .back(0, "2026-11-28T11:00:00Z", Direction::Down)
        .back(1, "2026-11-28T18:45:00Z", Direction::Down)
        .put(
            2,
            PAGEVIEWS,
            moved(Direction::Up, at("2026-11-28T12:00:00Z")),
        );
    assert_eq!(
        device.told(),
        ["2 Pageviews Up", "1 back from Visitors Down"]
    );
}

#[test]
fn a_clock_that_is_set_back_a_day_tells_nothing_twice() {
    let mut device = Device::new("2026-11-27T13:00:00Z", 2);
    device.down(0, "2026-11-27T12:15:00Z");
    assert_eq!(device.told(), ["0 Visitors Down"]);
    device
        .measured_at("2026-11-27T15:00:00Z")
        .back(0, "2026-11-27T14:45:00Z", Direction::Down);
    assert_eq!(device.told(), ["0 back from Visitors Down"]);
    device
        .measured_at("2026-11-28T13:00:00Z")
        .silent(1, "2026-11-28T12:00:00Z");
    let goals = vec!["first Paid".parse().unwrap()];
    device.preferences.project_mut(&project(0).key).goals = goals;
    let counts = |now: Timestamp| Counts {
        measured_at: now,
        day_began: usual(now).day_began,
        numbers: vec![(Metric::Conversion("Paid".into()), 1)],
    };
    device.counts.insert(0, counts(device.now));
    assert_eq!(device.told(), ["1 silent", "0 goal first Paid: 1"]);

    for (now, back) in [
        ("2026-11-27T13:00:00Z", false),
        ("2026-11-27T14:00:00Z", false),
        ("2026-11-27T15:00:00Z", true),
    ] {
        device.measured_at(now);
        if back {
            device.back(0, "2026-11-27T14:45:00Z", Direction::Down);
        } else {
            device.down(0, "2026-11-27T12:15:00Z");
        }
        device.counts.clear();
        assert_eq!(device.told(), NOTHING, "{now}");
    }
    device
        .measured_at("2026-11-28T14:00:00Z")
        .silent(1, "2026-11-28T12:00:00Z");
    device.counts.insert(0, counts(device.now));
    assert_eq!(device.told(), NOTHING);
}

#[test]
fn a_clock_that_was_far_ahead_keeps_nothing_from_being_told() {
    let mut device = Device::new("2027-11-28T13:00:00Z", 1);
    device.down(0, "2027-11-28T12:15:00Z");
    assert_eq!(device.told(), ["0 Visitors Down"]);
    device
        .measured_at("2026-11-28T13:00:00Z")
        .down(0, "2026-11-28T12:15:00Z");
    assert_eq!(device.told(), ["0 Visitors Down"]);
}

#[test]
fn a_day_that_continues_like_the_one_before_is_no_news() {
    let mut device = Device::new("2026-11-28T23:30:00Z", 1);
    device.down(0, "2026-11-28T18:00:00Z");
    assert_eq!(device.told(), ["0 Visitors Down"]);
    device.measured_at("2026-11-29T03:00:00Z");
    assert_eq!(device.told(), NOTHING, "a new day is not back to usual");
    let continues = |since: &str| match moved(Direction::Down, at(since)) {
        State::Moved(left) => State::Moved(Left {
            continues: true,
            ..left
        }),
        state => state,
    };
    device.measured_at("2026-11-29T09:00:00Z");
    device.put(0, VISITORS, continues("2026-11-29T08:00:00Z"));
    assert_eq!(device.told(), NOTHING);
    device
        .measured_at("2026-11-29T14:00:00Z")
        .back(0, "2026-11-29T13:45:00Z", Direction::Down);
    assert_eq!(device.told(), ["0 back from Visitors Down"]);
}

#[test]
fn silence_is_told_alone_and_what_follows_from_it_is_not() {
    let mut device = Device::new("2026-11-28T13:00:00Z", 1);
    device
        .silent(0, "2026-11-28T12:00:00Z")
        .down(0, "2026-11-28T12:15:00Z");
    assert_eq!(device.told(), ["0 silent"]);
    device
        .measured_at("2026-11-28T14:00:00Z")
        .down(0, "2026-11-28T12:15:00Z");
    assert_eq!(device.told(), ["0 back from silent"]);
    device
        .measured_at("2026-11-28T14:15:00Z")
        .down(0, "2026-11-28T12:15:00Z");
    assert_eq!(device.told(), NOTHING);
}

#[test]
fn a_project_is_named_once_for_its_traffic_and_again_for_what_does_not_follow_from_it() {
    let since = at("2026-11-28T12:15:00Z");
    let mut device = Device::new("2026-11-28T13:00:00Z", 3);
    for number in [VISITORS, PAGEVIEWS, PAID] {
        device.put(0, number, moved(Direction::Down, since));
    }
    device.put(1, PAID, moved(Direction::Down, since));
    device.put(1, VISITORS, moved(Direction::Up, since));
    device.put(2, ERRORS, moved(Direction::Up, since));
    assert_eq!(
        device.told(),
        [
            "0 Visitors Down",
            "1 Visitors Up",
            "1 Conversion(\"Paid\") Down",
            "2 Conversion(\"$exception\") Up"
        ]
    );
    // Fewer errors are no news, and neither is their end.
    device.measured_at("2026-11-28T14:00:00Z");
    device.put(
        1,
        ERRORS,
        moved(Direction::Down, at("2026-11-28T13:30:00Z")),
    );
    assert_eq!(device.told(), NOTHING);
}

#[test]
fn most_projects_moving_together_are_one_alert_and_so_is_their_return() {
    let mut device = Device::new("2026-11-28T13:00:00Z", 5);
    device.down(0, "2026-11-28T12:00:00Z");
    assert_eq!(device.told(), ["0 Visitors Down"]);
    device.measured_at("2026-11-28T13:15:00Z");
    for place in 0..4 {
        device.down(place, "2026-11-28T12:15:00Z");
    }
    assert_eq!(device.told(), ["4 of 5 Down"]);
    device.measured_at("2026-11-28T13:30:00Z");
    for place in 0..5 {
        device.down(place, "2026-11-28T12:15:00Z");
    }
    assert_eq!(device.told(), NOTHING, "one more joins");
    device.measured_at("2026-11-28T14:00:00Z");
    for place in 0..4 {
        device.back(place, "2026-11-28T13:45:00Z", Direction::Down);
    }
    device.down(4, "2026-11-28T12:15:00Z");
    assert_eq!(device.told(), ["0 back from Visitors Down"]);
    device
        .measured_at("2026-11-28T14:15:00Z")
        .back(4, "2026-11-28T14:00:00Z", Direction::Down);
    assert_eq!(device.told(), ["all back from Down"]);
    // The next day it is news again.
    device.measured_at("2026-11-29T13:15:00Z");
    for place in 0..4 {
        device.down(place, "2026-11-29T12:15:00Z");
    }
    assert_eq!(device.told(), ["4 of 5 Down"]);
}

#[test]
fn a_goal_is_told_once_a_day_by_fresh_numbers() {
    let mut device = Device::new("2026-11-28T13:00:00Z", 1);
    device.preferences.project_mut(&project(0).key).goals = vec![
        "1000 visitors".parse().unwrap(),
        "first Paid".parse().unwrap(),
    ];
    let count = |device: &mut Device, now: &str, measured: &str, visitors, paid| {
        device.measured_at(now);
        let counts = Counts {
            measured_at: at(measured),
            day_began: usual(at(measured)).day_began,
            numbers: vec![
                (Metric::Visitors, visitors),
                (Metric::Conversion("Paid".into()), paid),
            ],
        };
        device.counts.insert(0, counts);
        device.told()
    };
    let fresh =
        |device: &mut Device, now: &str, visitors, paid| count(device, now, now, visitors, paid);
    assert_eq!(fresh(&mut device, "2026-11-28T13:00:00Z", 999, 0), NOTHING);
    assert_eq!(
        fresh(&mut device, "2026-11-28T13:01:00Z", 1000, 0),
        ["0 goal 1000 visitors: 1000"]
    );
    assert_eq!(
        fresh(&mut device, "2026-11-28T13:02:00Z", 1001, 1),
        ["0 goal first Paid: 1"]
    );
    assert_eq!(fresh(&mut device, "2026-11-28T13:03:00Z", 2000, 9), NOTHING);
    assert_eq!(fresh(&mut device, "2026-11-29T00:01:00Z", 0, 0), NOTHING);
    assert_eq!(
        count(
            &mut device,
            "2026-11-29T14:00:00Z",
            "2026-11-29T13:50:00Z",
            3000,
            0
        ),
        NOTHING,
        "ten minutes old"
    );
    assert_eq!(
        count(
            &mut device,
            "2026-11-29T14:00:00Z",
            "2026-11-29T13:51:00Z",
            3000,
            0
        ),
        ["0 goal 1000 visitors: 3000"]
    );
}

#[test]
fn the_end_of_a_sign_in_is_told_once_and_again_after_the_next_sign_in() {
    let mut device = Device::new("2026-11-28T13:00:00Z", 0);
    let ended = |signed_in_at, ended_at: &str| Ended {
        connection: ConnectionId::new(&Host::cloud(Region::Us), CredentialKind::OAuth, "ada"),
        signed_in_at,
        ended_at: Some(at(ended_at)),
        name: "US Cloud as Ada".into(),
        reason: EndReason::RevokedOrExpired,
        host: Host::cloud(Region::Us),
        by: CredentialKind::OAuth,
    };
    device.ended = vec![ended(1, "2026-11-28T12:59:00Z")];
    assert_eq!(device.told(), ["ended US Cloud as Ada"]);
    assert_eq!(device.told(), NOTHING);
    device.ended = vec![ended(2, "2026-11-28T13:30:00Z")];
    device.measured_at("2026-11-28T13:31:00Z");
    assert_eq!(device.told(), ["ended US Cloud as Ada"]);
    device.ended = vec![ended(3, "2026-11-26T13:30:00Z")];
    assert_eq!(device.told(), NOTHING, "two days ago");
}

/// Whatever happens, in whatever order and whatever the clock does: nothing is told twice, nothing is over that was not
/// told, and nothing is told by old numbers or in quiet hours.
#[test]
fn whatever_happens_an_event_is_told_once() {
    let seed =
        std::env::var("SEED").map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    for _ in 0..200 {
        let mut device = Device::new("2026-11-28T08:00:00Z", 4);
        let zone = TimeZone::UTC;
        if random.bool() {
            device.preferences.alerts.quiet_hours = Some("22:00-07:00".parse().unwrap());
        }
        let mut told: Vec<(u64, Subject, Timestamp)> = Vec::new();
        let mut open: HashMap<u64, i32> = HashMap::new();
        let mut since: Vec<Option<(Direction, Timestamp)>> = vec![None; 4];
        for _ in 0..150 {
            let step = match random.u8(0..20) {
                0 => -24 * 60,
                1 => 9 * 60,
                _ => i64::from(random.u8(1..30)),
            };
            device.now += minutes(step);
            if step < 0 {
                since.fill(None);
            }
            let now = device.now;
            for (place, since) in since.iter_mut().enumerate() {
                let mut judged = usual(now);
                *since = since.filter(|(_, at)| *at >= judged.day_began);
                match (*since, random.u8(0..12)) {
                    (None, 0) => *since = Some((Direction::Up, now - minutes(30))),
                    (None, 1) => *since = Some((Direction::Down, now - minutes(30))),
                    (Some((was, _)), 0) => {
                        judged.numbers[VISITORS].state = State::BackToUsual { at: now, was };
                        *since = None;
                    }
                    _ => {}
                }
                if let Some((direction, at)) = *since {
                    judged.numbers[VISITORS].state = moved(direction, at);
                }
                if random.u8(0..6) == 0 {
                    judged.measured_at = now - minutes(10);
                }
                device.projects[place] = judged;
            }
            let hours = device.preferences.alerts.quiet_hours;
            let quiet = hours.is_some_and(|hours| hours.contains(now, &zone));
            for news in device.news() {
                assert!(!quiet, "in quiet hours");
                match news {
                    News::Moved { project, moved } => {
                        let judged = &device.projects[usize::try_from(project.key.id).unwrap()];
                        assert!(judged.measured_at == now, "old numbers");
                        let event = (project.key.id, Subject::of(&moved).unwrap(), moved.since);
                        assert!(!told.contains(&event), "{event:?} twice");
                        told.push(event);
                        *open.entry(project.key.id).or_default() += 1;
                    }
                    News::Back { project, .. } => {
                        let open = open.entry(project.key.id).or_default();
                        *open -= 1;
                        assert!(*open >= 0, "back from nothing");
                    }
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn eight_processes_at_once_tell_once() {
    let folder = tempfile::tempdir().unwrap();
    let folders = pockethog_device::folders::Folders::below(folder.path().to_owned());
    let store = Store::new(&folders);
    let now = at("2026-11-28T13:00:00Z");
    let tell = || {
        let mut device = Device::new("2026-11-28T13:00:00Z", 3);
        device
            .down(0, "2026-11-28T12:15:00Z")
            .silent(1, "2026-11-28T12:15:00Z");
        store
            .tell(now, |told| {
                std::mem::swap(told, &mut device.told);
                let news = device.news();
                std::mem::swap(told, &mut device.told);
                news
            })
            .unwrap()
    };
    let told: Vec<Alert> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8).map(|_| scope.spawn(tell)).collect();
        all.into_iter()
            .flat_map(|one| one.join().unwrap())
            .collect()
    });
    let mut numbers: Vec<u64> = told.iter().map(|alert| alert.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2]);
    let kept = store.read().unwrap();
    assert_eq!(kept.recent.len(), 2);
    assert_eq!(kept.unseen(minutes(60), now).len(), 2);
    store.see(1).unwrap();
    assert_eq!(store.read().unwrap().unseen(minutes(60), now).len(), 1);
}

#[test]
fn what_was_told_survives_a_damaged_file_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let folders = pockethog_device::folders::Folders::below(folder.path().to_owned());
    let store = Store::new(&folders);
    std::fs::create_dir_all(&folders.state).unwrap();
    std::fs::write(folders.alerts(), "{ not ours").unwrap();
    assert_eq!(store.read().unwrap(), Told::default());
    let outcome = Outcome {
        at: at("2026-11-28T13:00:00Z"),
        failure: Some("no such program".into()),
    };
    store.note(Channel::Command, outcome.clone()).unwrap();
    assert_eq!(
        store.read().unwrap().outcome(Channel::Command),
        Some(&outcome)
    );
    let aside = folders.alerts().with_extension("damaged.json");
    assert_eq!(std::fs::read_to_string(aside).unwrap(), "{ not ours");
}
