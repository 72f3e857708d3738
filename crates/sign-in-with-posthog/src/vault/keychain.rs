//! Records in the operating system's keychain.
//!
//! A keychain may wait without end for a person to unlock it, and a message bus may accept a connection and never
//! reply. Every call is therefore made on a separate thread and given up after a deadline. A call that has not
//! begun by then is never made, so that a queue that starts moving again cannot write a stale record. The step that
//! a call was at shows the cause. A refusal is remembered for a minute (see `refusal`); until then the user is not
//! prompted again.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::Duration;

use keyring_core::api::CredentialStore;
use keyring_core::{Entry, Error};
use zeroize::Zeroizing;

use super::backend::Backend;
use super::error::{KeychainError, VaultError};
use super::refusal::{Refusal, RefusalFile};

/// How long a keychain may take for one call, unless the program has less time.
pub(super) const DEADLINE: Duration = Duration::from_secs(3);

/// How the keychain of an operating system is used.
#[derive(Clone, Copy)]
struct Access {
    /// Connects to the keychain.
    connect: fn() -> keyring_core::Result<Arc<CredentialStore>>,
    /// Whether it is locked, without prompting the user; `None` if that is unknown.
    is_locked: fn() -> Option<bool>,
}

type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// The keychain of this user, with a thread of its own that starts with the first call.
pub(super) struct Keychain {
    /// What the entries are filed under: the name of the program.
    service: String,
    /// Tells apart the folders of one program.
    folder_name: String,
    access: Access,
    deadline: Duration,
    refusals: RefusalFile,
    /// A person was asked to unlock it: once per program is enough.
    has_asked: Arc<AtomicBool>,
    threads: Mutex<Threads>,
}

/// The thread that makes the calls, and one before it that still waits for a person.
#[derive(Default)]
struct Threads {
    current: Option<Thread>,
    asking: Option<Arc<Progress>>,
}

#[derive(Clone)]
struct Thread {
    jobs: mpsc::Sender<Job>,
    progress: Arc<Progress>,
}

/// What the thread is doing, for those who wait for it.
#[derive(Default)]
struct Progress {
    step: AtomicU8,
    /// A call was given up and is still under way.
    is_stuck: AtomicBool,
}

struct Worker {
    access: Access,
    store: Option<Arc<CredentialStore>>,
    progress: Arc<Progress>,
}

/// Which step a call is at: what it waits for if it does not end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Step {
    Idle,
    Connecting,
    Unlocking,
    Working,
}

impl Progress {
    fn is_at(&self, step: Step) {
        self.step.store(step as u8, Ordering::SeqCst);
        if step == Step::Idle {
            self.is_stuck.store(false, Ordering::SeqCst);
        }
    }

    fn step(&self) -> Step {
        match self.step.load(Ordering::SeqCst) {
            1 => Step::Connecting,
            2 => Step::Unlocking,
            3 => Step::Working,
            _ => Step::Idle,
        }
    }

    /// The step at which a call that was given up still is.
    fn stuck_at(&self) -> Option<Step> {
        let is_stuck = self.is_stuck.load(Ordering::SeqCst);
        is_stuck
            .then(|| self.step())
            .filter(|step| *step != Step::Idle)
    }
}

impl Step {
    /// What it means that a call does not get beyond this step.
    fn refusal(self) -> Refusal {
        match self {
            Self::Connecting => Refusal::Unreachable(format!("{} does not answer", bus())),
            Self::Unlocking => Refusal::Locked,
            Self::Working | Self::Idle => Refusal::Silent,
        }
    }
}

impl Keychain {
    /// The keychain of this user, for the folder of this name. Refusals are remembered in `folder`.
    pub(super) fn new(service: &str, folder_name: &str, folder: &Path, deadline: Duration) -> Self {
        let access = Access { connect, is_locked };
        let refusals = RefusalFile::new(folder);
        Self::with(service, folder_name, access, deadline, refusals)
    }

    fn with(
        service: &str,
        folder_name: &str,
        access: Access,
        deadline: Duration,
        refusals: RefusalFile,
    ) -> Self {
        Self {
            service: service.to_owned(),
            folder_name: folder_name.to_owned(),
            access,
            deadline: deadline.min(DEADLINE),
            refusals,
            has_asked: Arc::default(),
            threads: Mutex::default(),
        }
    }

    /// Writes, reads and removes an entry: only a keychain that does all three is chosen.
    pub(super) fn probe(&self) -> Result<(), VaultError> {
        const KEY: &str = "trial";
        const VALUE: &[u8] = b"a trial entry, safe to remove";
        self.write(KEY, VALUE)?;
        let read = self.read(KEY)?;
        self.delete(KEY)?;
        match read {
            Some(value) if value.as_slice() == VALUE => Ok(()),
            _ => Err(VaultError::Keychain(KeychainError::Forgetful)),
        }
    }

    /// Runs `work` on the keychain's thread, unless that was refused within the last minute.
    fn run<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<Option<T>, VaultError> {
        match self.refusals.recent() {
            // It may have been unlocked since, which is found out without asking for it.
            None | Some(Refusal::Locked) => {}
            Some(refusal) => return Err(refusal.into()),
        }
        let (thread, is_asking) = self.thread()?;
        let (service, user) = (self.service.clone(), format!("{}/{key}", self.folder_name));
        let given_up = Arc::new(AtomicBool::new(false));
        let cancelled = Arc::clone(&given_up);
        let (refusals, has_asked) = (self.refusals.clone(), Arc::clone(&self.has_asked));
        let (answer, answers) = mpsc::sync_channel(1);
        let job: Job = Box::new(move |worker| {
            if cancelled.load(Ordering::SeqCst) {
                return;
            }
            // Whoever was before in the queue may have been refused.
            let remembered = refusals.recent();
            let may_ask = remembered.is_none() && !is_asking;
            let may_ask = may_ask.then_some(has_asked.as_ref());
            let result = worker.call(&service, &user, may_ask, work);
            match &result {
                Ok(_) if remembered.is_some() || cancelled.load(Ordering::SeqCst) => {
                    refusals.forget();
                }
                Err(VaultError::KeychainLocked) if remembered.is_none() => {
                    refusals.remember(Refusal::Locked);
                }
                _ => {}
            }
            worker.progress.is_at(Step::Idle);
            // Nobody waits any more once the deadline is over.
            drop(answer.try_send(result));
        });
        let stopped = || VaultError::Keychain(KeychainError::Stopped);
        thread.jobs.send(job).map_err(|_| stopped())?;
        match answers.recv_timeout(self.deadline) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                given_up.store(true, Ordering::SeqCst);
                thread.progress.is_stuck.store(true, Ordering::SeqCst);
                let refusal = thread.progress.step().refusal();
                self.refusals.remember(refusal.clone());
                Err(refusal.into())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                self.threads().current = None;
                Err(stopped())
            }
        }
    }

    /// The thread to ask, and whether an earlier one still waits for a person to unlock the keychain: then
    /// nobody is asked again. A thread that is stuck at anything else stays the only one.
    fn thread(&self) -> Result<(Thread, bool), VaultError> {
        let mut threads = self.threads();
        let stuck = threads.current.as_ref();
        match stuck.and_then(|thread| thread.progress.stuck_at()) {
            None => {}
            Some(Step::Unlocking) => {
                threads.asking = threads.current.take().map(|thread| thread.progress);
            }
            Some(step) => return Err(step.refusal().into()),
        }
        let is_asking = threads
            .asking
            .as_ref()
            .is_some_and(|progress| progress.step() != Step::Idle);
        if let Some(thread) = &threads.current {
            return Ok((thread.clone(), is_asking));
        }
        let (jobs, queue) = mpsc::channel::<Job>();
        let progress = Arc::new(Progress::default());
        let mut worker = Worker {
            access: self.access,
            store: None,
            progress: Arc::clone(&progress),
        };
        std::thread::Builder::new()
            .name("keychain".to_owned())
            .spawn(move || {
                for job in queue {
                    job(&mut worker);
                }
            })
            .map_err(|error| VaultError::Keychain(KeychainError::Thread(error)))?;
        let thread = Thread { jobs, progress };
        threads.current = Some(thread.clone());
        Ok((thread, is_asking))
    }

    fn threads(&self) -> MutexGuard<'_, Threads> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Worker {
    /// Makes one call. Asks for a locked keychain to be unlocked if it may, and notes that.
    fn call<T>(
        &mut self,
        service: &str,
        user: &str,
        may_ask: Option<&AtomicBool>,
        work: impl FnOnce(&Entry) -> keyring_core::Result<T>,
    ) -> Result<Option<T>, VaultError> {
        self.progress.is_at(Step::Connecting);
        let entry = self.entry(service, user).map_err(unreachable)?;
        let is_locked = (self.access.is_locked)() == Some(true);
        if is_locked && may_ask.is_none_or(|has_asked| has_asked.swap(true, Ordering::SeqCst)) {
            return Err(VaultError::KeychainLocked);
        }
        self.progress.is_at(if is_locked {
            Step::Unlocking
        } else {
            Step::Working
        });
        match work(&entry) {
            Ok(value) => Ok(Some(value)),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => {
                // A bus that went away is connected to again by the next call.
                if matches!(error, Error::PlatformFailure(_)) {
                    self.store = None;
                }
                Err(without_secrets(error))
            }
        }
    }

    fn entry(&mut self, service: &str, user: &str) -> keyring_core::Result<Entry> {
        let store = match &self.store {
            Some(store) => Arc::clone(store),
            None => Arc::clone(self.store.insert((self.access.connect)()?)),
        };
        let modifiers: HashMap<&str, &str> = if cfg!(target_os = "windows") {
            // The default would roam to other devices of a domain.
            HashMap::from([("persistence", "Local")])
        } else {
            HashMap::new()
        };
        store.build(service, user, Some(&modifiers))
    }
}

impl Backend for Keychain {
    fn read(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.run(key, |entry| entry.get_secret().map(Zeroizing::new))
    }

    fn write(&self, key: &str, record: &[u8]) -> Result<(), VaultError> {
        let record = Zeroizing::new(record.to_vec());
        self.run(key, move |entry| entry.set_secret(&record))
            .map(|_| ())
    }

    fn delete(&self, key: &str) -> Result<(), VaultError> {
        self.run(key, Entry::delete_credential).map(|_| ())
    }

    fn check_writable(&self, _length: usize) -> Result<(), VaultError> {
        // It was unlocked to read the record a moment ago; a trial write could land late.
        Ok(())
    }
}

impl fmt::Debug for Keychain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keychain")
            .field("service", &self.service)
            .field("folder_name", &self.folder_name)
            .finish_non_exhaustive()
    }
}

/// A keychain's error, without what may hold the entry's bytes.
fn without_secrets(error: Error) -> VaultError {
    VaultError::Keychain(match error {
        Error::NoStorageAccess(_) => return VaultError::KeychainLocked,
        Error::PlatformFailure(source) => KeychainError::Platform(source),
        Error::TooLong(_, limit) => KeychainError::TooLong(limit),
        Error::Ambiguous(_) => KeychainError::Ambiguous,
        _ => KeychainError::Refused,
    })
}

/// Why the keychain cannot be reached.
fn unreachable(error: Error) -> VaultError {
    match error {
        Error::PlatformFailure(source) => {
            VaultError::KeychainUnreachable(format!("{}: {source}", bus()))
        }
        error => without_secrets(error),
    }
}

/// What leads to the keychain, as people may look for it.
fn bus() -> String {
    if !cfg!(target_os = "linux") {
        return "the keychain's service".to_owned();
    }
    match std::env::var("DBUS_SESSION_BUS_ADDRESS") {
        Ok(address) if !address.is_empty() => format!("D-Bus at {address}"),
        _ => "D-Bus (DBUS_SESSION_BUS_ADDRESS is not set)".to_owned(),
    }
}

/// Whether the collection that new entries go to is locked.
#[cfg(target_os = "linux")]
fn is_locked() -> Option<bool> {
    use secret_service::EncryptionType;
    use secret_service::blocking::SecretService;

    let service = SecretService::connect(EncryptionType::Plain).ok()?;
    let collection = service.get_default_collection().ok()?;
    collection.is_locked().ok()
}

#[cfg(not(target_os = "linux"))]
fn is_locked() -> Option<bool> {
    None
}

#[cfg(target_os = "linux")]
fn connect() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(zbus_secret_service_keyring_store::Store::new()?)
}

#[cfg(target_os = "macos")]
fn connect() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(windows)]
fn connect() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(windows_native_keyring_store::Store::new()?)
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn connect() -> keyring_core::Result<Arc<CredentialStore>> {
    Err(Error::NotSupportedByStore(
        "no keychain is known for this system".to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn mock() -> keyring_core::Result<Arc<CredentialStore>> {
        Ok(keyring_core::mock::Store::new()?)
    }

    fn forever() -> ! {
        loop {
            std::thread::park();
        }
    }

    const WELL: Access = Access {
        connect: mock,
        is_locked: || Some(false),
    };
    const SILENT_BUS: Access = Access {
        connect: || forever(),
        is_locked: || None,
    };
    const NO_BUS: Access = Access {
        connect: || Err(Error::PlatformFailure("no such file".into())),
        is_locked: || None,
    };

    const SHORT: Duration = Duration::from_millis(20);

    fn keychain(folder: &std::path::Path, access: Access, deadline: Duration) -> Keychain {
        let refusals = RefusalFile::new(folder);
        Keychain::with("Program", "one", access, deadline, refusals)
    }

    #[test]
    fn an_entry_is_written_read_and_removed() {
        let folder = tempfile::tempdir().unwrap();
        let keychain = keychain(folder.path(), WELL, DEADLINE);
        keychain.probe().unwrap();
        assert!(keychain.read("us-1").unwrap().is_none());
        keychain.write("us-1", b"secret").unwrap();
        assert_eq!(
            keychain.read("us-1").unwrap().unwrap().as_slice(),
            b"secret"
        );
        keychain.delete("us-1").unwrap();
        keychain.delete("us-1").unwrap();
        assert!(keychain.read("us-1").unwrap().is_none());
    }

    #[test]
    fn a_bus_that_says_nothing_is_named_and_asked_once() {
        let folder = tempfile::tempdir().unwrap();
        let first = keychain(folder.path(), SILENT_BUS, SHORT);
        let error = first.read("us-1").unwrap_err();
        assert!(matches!(error, VaultError::KeychainUnreachable(_)));
        assert!(error.to_string().contains("cannot be reached"), "{error}");
        // Another process does not wait within the same minute; it would wait without end.
        let next = keychain(folder.path(), SILENT_BUS, Duration::MAX);
        for keychain in [&first, &next] {
            let error = keychain.read("us-1").unwrap_err();
            assert!(matches!(error, VaultError::KeychainUnreachable(_)));
        }
    }

    #[test]
    fn a_keychain_that_nobody_unlocks_is_locked_and_nobody_is_asked_again() {
        use std::sync::atomic::AtomicUsize;
        static CALLS: AtomicUsize = AtomicUsize::new(0);
        let locked = Access {
            connect: mock,
            is_locked: || Some(true),
        };
        let folder = tempfile::tempdir().unwrap();
        let ask = |keychain: &Keychain| {
            keychain.run("us-1", |_| -> keyring_core::Result<()> {
                CALLS.fetch_add(1, Ordering::SeqCst);
                forever()
            })
        };
        let first = keychain(folder.path(), locked, SHORT);
        let next = keychain(folder.path(), locked, DEADLINE);
        for keychain in [&first, &first, &next] {
            let error = ask(keychain).unwrap_err();
            assert!(matches!(error, VaultError::KeychainLocked), "{error:?}");
            assert!(error.to_string().contains("unlock"), "{error}");
        }
        assert_eq!(CALLS.load(Ordering::SeqCst), 1);
        // Unlocked within the minute it serves at once.
        let unlocked = keychain(folder.path(), WELL, DEADLINE);
        unlocked.write("us-1", b"secret").unwrap();
        assert_eq!(unlocked.refusals.recent(), None);
    }

    #[test]
    fn a_keychain_that_is_open_and_does_not_answer_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let keychain = keychain(folder.path(), WELL, SHORT);
        let hangs = |_: &Entry| -> keyring_core::Result<()> { forever() };
        let error = keychain.run("us-1", hangs).unwrap_err();
        assert!(matches!(error, VaultError::KeychainHangs), "{error:?}");
    }

    #[test]
    fn a_keychain_that_is_absent_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let keychain = keychain(folder.path(), NO_BUS, DEADLINE);
        let error = keychain.probe().unwrap_err();
        assert!(error.to_string().contains("no such file"), "{error}");
        assert!(error.to_string().contains("cannot be reached"), "{error}");
    }
}
