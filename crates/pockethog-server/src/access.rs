//! Who has access: the codes in opened addresses, and the browser sessions they started.
//!
//! An opened address stays in the argument list of the browser, which every user of the machine can read. So
//! its code opens once and for a short time. On Linux the server answers programs of its own user alone; if the
//! system does not say whose a program is, a code may have been used before the owner's browser came. The
//! second use of a code therefore ends the session that the first one began.
//!
//! A session is a random cookie, of which only a digest is kept. If the peer is known to be the user's own, the
//! cookie outlives the app, and counts in later runs with such peers alone.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard};
use std::time::{Duration, Instant, SystemTime};

use sign_in_with_posthog::Peer;

use super::launch_error::LaunchError;
use super::lock::lock;
use super::persistent::{KeptSession, Persistent};
use super::secret::{Digest, Secret};

/// How long a code is good that is handed to a browser, where its address can be seen.
pub const CODE_LIFE: Duration = Duration::from_secs(60);

/// How long a code is good that is only printed, for a person to copy.
pub const PRINTED_CODE_LIFE: Duration = Duration::from_secs(10 * 60);

/// How long a browser stays let in.
pub const SESSION_LIFE: Duration = Duration::from_secs(180 * 24 * 60 * 60);

/// Sessions at a time; past them the oldest ends.
const MOST_SESSIONS: usize = 64;

/// Codes that are remembered; past them the oldest is forgotten, and opens nothing.
const MOST_CODES: usize = 1024;

/// Codes and sessions.
#[derive(Debug)]
pub struct Access {
    known: Mutex<Known>,
    file: PathBuf,
}

#[derive(Debug)]
struct Known {
    codes: Vec<Code>,
    sessions: Vec<Session>,
    persistent: Persistent,
}

#[derive(Debug)]
struct Code {
    digest: Digest,
    until: Instant,
    used: Option<Use>,
}

#[derive(Clone, Copy, Debug)]
struct Use {
    peer: Peer,
    /// The session that it began, if it did.
    began: Option<Digest>,
}

#[derive(Clone, Copy, Debug)]
struct Session {
    digest: Digest,
    /// Seconds since 1970.
    since: u64,
    /// Whether it is written down for later runs.
    kept: bool,
    /// Whether it is from an earlier run.
    earlier: bool,
}

/// The proof that a browser was let in. Nothing but the check of its cookie makes one.
#[derive(Clone, Copy, Debug)]
pub struct Permit(Digest);

impl Permit {
    /// The session of the browser.
    pub fn session(self) -> Digest {
        self.0
    }
}

/// What an opened address leads to.
#[derive(Debug)]
pub enum Entry {
    /// A new session.
    Begun {
        /// The cookie.
        cookie: Secret,
        /// Whether it is good for later runs too.
        kept: bool,
    },
    /// This browser has a session already.
    AlreadyIn,
    /// There is no such code, or its time is over.
    Expired,
    /// The code was used before.
    Used,
    /// The code was used before, perhaps by somebody else; the session that it began has ended.
    Ended(Digest),
}

impl Access {
    /// With the sessions that earlier runs kept.
    pub fn new(persistent: Persistent, file: PathBuf) -> Self {
        let now = seconds_now();
        let sessions = persistent
            .sessions
            .iter()
            // One that a clock ahead began does not live until that clock's time is reached.
            .filter(|kept| kept.since.abs_diff(now) < SESSION_LIFE.as_secs())
            .filter_map(|kept| {
                Some(Session {
                    digest: Digest::parse(&kept.digest)?,
                    since: kept.since,
                    kept: true,
                    earlier: true,
                })
            })
            .collect();
        Self {
            known: Mutex::new(Known {
                codes: Vec::new(),
                sessions,
                persistent,
            }),
            file,
        }
    }

    /// A code that is good for `life`.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn new_code(&self, life: Duration) -> Result<Secret, LaunchError> {
        let code = Secret::random().ok_or(LaunchError::NoRandomNumbers)?;
        self.register(code.digest(), life, Instant::now());
        Ok(code)
    }

    /// Makes a code good for `life`. One that was known before stays as it is.
    pub fn register(&self, code: Digest, life: Duration, now: Instant) {
        let mut known = self.known();
        if known.codes.iter().any(|known| known.digest == code) {
            return;
        }
        if known.codes.len() >= MOST_CODES {
            known.codes.remove(0);
        }
        known.codes.push(Code {
            digest: code,
            until: now + life,
            used: None,
        });
    }

    /// The permit of a browser that has one of these `cookies`.
    pub fn permit(&self, cookies: &[&str], peer: Peer) -> Option<Permit> {
        self.known().session(cookies, peer).map(Permit)
    }

    /// What the address with `code` leads to for a browser that has `cookies`.
    ///
    /// # Errors
    ///
    /// The system gives no random numbers.
    pub fn enter(
        &self,
        code: &str,
        cookies: &[&str],
        peer: Peer,
        now: Instant,
    ) -> Result<Entry, LaunchError> {
        let digest = Digest::of(code);
        let mut known = self.known();
        let session = known.session(cookies, peer);
        let Some(code) = known.codes.iter_mut().find(|known| known.digest == digest) else {
            return Ok(Entry::Expired);
        };
        if let Some(first) = code.used {
            // A reload, or the way back.
            if session.is_some() && session == first.began {
                return Ok(Entry::AlreadyIn);
            }
            let ours = first.peer == Peer::Own && peer == Peer::Own;
            return Ok(match first.began {
                Some(began) if !ours => {
                    known.end(began);
                    self.save(&mut known);
                    Entry::Ended(began)
                }
                _ if session.is_some() => Entry::AlreadyIn,
                _ => Entry::Used,
            });
        }
        if code.until < now {
            return Ok(Entry::Expired);
        }
        if session.is_some() {
            code.used = Some(Use { peer, began: None });
            return Ok(Entry::AlreadyIn);
        }
        let cookie = Secret::random().ok_or(LaunchError::NoRandomNumbers)?;
        code.used = Some(Use {
            peer,
            began: Some(cookie.digest()),
        });
        let kept = peer == Peer::Own;
        known.begin(cookie.digest(), kept);
        if kept {
            self.save(&mut known);
        }
        Ok(Entry::Begun { cookie, kept })
    }

    fn save(&self, known: &mut Known) {
        known.persistent.sessions = known
            .sessions
            .iter()
            .filter(|session| session.kept)
            .map(|session| KeptSession {
                digest: session.digest.text(),
                since: session.since,
            })
            .collect();
        known.persistent.save(&self.file);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        lock(&self.known)
    }
}

impl Known {
    fn session(&self, cookies: &[&str], peer: Peer) -> Option<Digest> {
        let digests: Vec<Digest> = cookies.iter().map(|cookie| Digest::of(cookie)).collect();
        self.sessions
            .iter()
            .find(|session| {
                digests.contains(&session.digest) && (!session.earlier || peer == Peer::Own)
            })
            .map(|session| session.digest)
    }

    fn begin(&mut self, digest: Digest, kept: bool) {
        if self.sessions.len() >= MOST_SESSIONS {
            self.sessions.remove(0);
        }
        self.sessions.push(Session {
            digest,
            since: seconds_now(),
            kept,
            earlier: false,
        });
    }

    fn end(&mut self, digest: Digest) {
        self.sessions.retain(|session| session.digest != digest);
    }
}

fn seconds_now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn access(home: &tempfile::TempDir) -> Access {
        let file = home.path().join("page-server.json");
        Access::new(Persistent::open(&file).unwrap(), file)
    }

    fn begun(entry: Entry) -> Secret {
        match entry {
            Entry::Begun { cookie, .. } => cookie,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_code_opens_once_and_not_for_long() {
        let home = tempfile::tempdir().unwrap();
        let (access, now) = (access(&home), Instant::now());
        let code = access.new_code(CODE_LIFE).unwrap();
        let enter = |code: &str, now| access.enter(code, &[], Peer::Own, now).unwrap();
        assert!(matches!(enter("another", now), Entry::Expired));
        let late = now + CODE_LIFE + Duration::from_secs(1);
        assert!(matches!(enter(code.expose(), late), Entry::Expired));
        let cookie = begun(enter(code.expose(), now));
        assert!(access.permit(&[cookie.expose()], Peer::Own).is_some());
        assert!(matches!(enter(code.expose(), now), Entry::Used));
        // Made good again by somebody who repeats an old request: it stays used.
        access.register(code.digest(), CODE_LIFE, now);
        assert!(matches!(enter(code.expose(), now), Entry::Used));
        assert!(access.permit(&[cookie.expose()], Peer::Own).is_some());
        assert!(access.permit(&["", code.expose()], Peer::Own).is_none());
    }

    #[test]
    fn a_second_use_ends_the_session_if_nobody_knows_whose_the_first_was() {
        let home = tempfile::tempdir().unwrap();
        let (access, now) = (access(&home), Instant::now());
        for (first, second) in [
            (Peer::Unknown, Peer::Unknown),
            (Peer::Unknown, Peer::Own),
            (Peer::Own, Peer::Unknown),
        ] {
            let code = access.new_code(CODE_LIFE).unwrap();
            let enter =
                |cookies: &[&str], peer| access.enter(code.expose(), cookies, peer, now).unwrap();
            let cookie = begun(enter(&[], first));
            // The same browser may load the address again.
            let again = enter(&[cookie.expose()], first);
            assert!(matches!(again, Entry::AlreadyIn));
            assert!(matches!(enter(&[], second), Entry::Ended(_)));
            assert!(access.permit(&[cookie.expose()], first).is_none());
        }
    }

    #[test]
    fn a_session_that_a_clock_far_ahead_began_is_not_kept() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("page-server.json");
        let life = SESSION_LIFE.as_secs();
        let lives = |since| {
            let mut persistent = Persistent::open(&file).unwrap();
            persistent.sessions = vec![KeptSession {
                digest: Secret::random().unwrap().digest().text(),
                since,
            }];
            let access = Access::new(persistent, file.clone());
            access.known().sessions.len() == 1
        };
        assert!(lives(seconds_now() - life / 2));
        assert!(!lives(seconds_now() - life));
        assert!(!lives(seconds_now() + 2 * life));
        // A device without a battery for its clock begins in the past.
        assert!(lives(seconds_now() + life / 2));
    }

    #[test]
    fn a_session_of_an_earlier_run_counts_with_the_users_own_programs_alone() {
        let home = tempfile::tempdir().unwrap();
        let (first, now) = (access(&home), Instant::now());
        let cookie_of = |peer| {
            let code = first.new_code(CODE_LIFE).unwrap();
            begun(first.enter(code.expose(), &[], peer, now).unwrap())
        };
        let (own, unknown) = (cookie_of(Peer::Own), cookie_of(Peer::Unknown));
        assert!(first.permit(&[unknown.expose()], Peer::Unknown).is_some());
        let second = access(&home);
        assert!(second.permit(&[own.expose()], Peer::Own).is_some());
        assert!(second.permit(&[own.expose()], Peer::Unknown).is_none());
        assert!(second.permit(&[unknown.expose()], Peer::Own).is_none());
        let stored = std::fs::read_to_string(home.path().join("page-server.json")).unwrap();
        assert!(!stored.contains(own.expose()), "only the digest is stored");
    }

    #[test]
    fn a_browser_that_is_in_stays_in_with_its_own_session() {
        let home = tempfile::tempdir().unwrap();
        let (access, now) = (access(&home), Instant::now());
        let [first, second] = [0, 1].map(|_| access.new_code(CODE_LIFE).unwrap());
        let cookie = begun(access.enter(first.expose(), &[], Peer::Own, now).unwrap());
        for _ in 0..2 {
            let entry = access.enter(second.expose(), &[cookie.expose()], Peer::Own, now);
            assert!(matches!(entry.unwrap(), Entry::AlreadyIn));
        }
    }
}
