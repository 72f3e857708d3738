//! Records in the operating system's keychain.
//!
//! A keychain may wait for a person to unlock it, for ever if nobody is there. Every call is therefore
//! made on a thread of the keychain's own and given up after a deadline; a call that has not begun by
//! then is never made, so that a stale record cannot be written late by a queue that comes unstuck.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use keyring_core::api::CredentialStore;
use keyring_core::{Entry, Error};
use zeroize::Zeroizing;

use super::{Backend, VaultError};

/// How long a keychain may take for one call.
pub(super) const DEADLINE: Duration = Duration::from_secs(3);

/// Connects to the keychain.
type Connect = fn() -> keyring_core::Result<Arc<CredentialStore>>;
type Job = Box<dyn FnOnce(&mut Worker) + Send>;

/// The keychain of this user, with a thread of its own that starts with the first call.
pub(super) struct Keychain {
    /// What the entries are filed under: the name of the program.
    service: String,
    /// Tells apart the folders of one program.
    folder_name: String,
    connect: Connect,
    deadline: Duration,
    jobs: Mutex<Option<mpsc::Sender<Job>>>,
}

struct Worker {
    connect: Connect,
    store: Option<Arc<CredentialStore>>,
}

impl Keychain {
    pub(super) fn new(service: &str, folder_name: &str) -> Self {
        Self::with(service, folder_name, connect, DEADLINE)
    }

    fn with(service: &str, folder_name: &str, connect: Connect, deadline: Duration) -> Self {
        Self {
            service: service.to_owned(),
            folder_name: folder_name.to_owned(),
            connect,
            deadline,
            jobs: Mutex::new(None),
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
            _ => Err(VaultError::Keychain(
                "it does not keep what is stored in it".to_owned(),
            )),
        }
    }

    /// Runs `work` on the keychain's thread.
    fn run<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<Option<T>, VaultError> {
        let (service, user) = (self.service.clone(), format!("{}/{key}", self.folder_name));
        let given_up = Arc::new(AtomicBool::new(false));
        let cancelled = Arc::clone(&given_up);
        let (answer, answers) = mpsc::sync_channel(1);
        let job: Job = Box::new(move |worker| {
            if cancelled.load(Ordering::SeqCst) {
                return;
            }
            let result = worker
                .entry(&service, &user)
                .and_then(|entry| work(&entry))
                .map(Some);
            let result = match result {
                Err(Error::NoEntry) => Ok(None),
                // A bus that went away is connected to anew by the next call.
                Err(error @ Error::PlatformFailure(_)) => {
                    worker.store = None;
                    Err(error)
                }
                other => other,
            };
            // Nobody waits any more once the deadline is over.
            drop(answer.try_send(result.map_err(|error| told(&error))));
        });
        self.send(job)?;
        match answers.recv_timeout(self.deadline) {
            Ok(result) => result,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                given_up.store(true, Ordering::SeqCst);
                Err(VaultError::KeychainHangs)
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                *self.jobs.lock().unwrap_or_else(PoisonError::into_inner) = None;
                Err(VaultError::Keychain("it stopped working".to_owned()))
            }
        }
    }

    fn send(&self, job: Job) -> Result<(), VaultError> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        if jobs.is_none() {
            let (sender, receiver) = mpsc::channel::<Job>();
            let mut worker = Worker {
                connect: self.connect,
                store: None,
            };
            std::thread::Builder::new()
                .name("keychain".to_owned())
                .spawn(move || {
                    for job in receiver {
                        job(&mut worker);
                    }
                })
                .map_err(|error| VaultError::Keychain(error.to_string()))?;
            *jobs = Some(sender);
        }
        if jobs.as_ref().is_some_and(|jobs| jobs.send(job).is_ok()) {
            return Ok(());
        }
        *jobs = None;
        Err(VaultError::Keychain("it stopped working".to_owned()))
    }
}

impl Worker {
    fn entry(&mut self, service: &str, user: &str) -> keyring_core::Result<Entry> {
        let store = match &self.store {
            Some(store) => Arc::clone(store),
            None => Arc::clone(self.store.insert((self.connect)()?)),
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

/// What a keychain's error says, without what it may carry: some hold the entry's bytes.
fn told(error: &Error) -> VaultError {
    match error {
        Error::NoStorageAccess(_) => VaultError::KeychainLocked,
        Error::PlatformFailure(source) => VaultError::Keychain(source.to_string()),
        Error::TooLong(_, limit) => {
            VaultError::Keychain(format!("it holds no more than {limit} bytes per entry"))
        }
        Error::Ambiguous(_) => {
            VaultError::Keychain("it holds several entries of the same name".to_owned())
        }
        _ => VaultError::Keychain("it refuses the entry".to_owned()),
    }
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

    fn hanging() -> keyring_core::Result<Arc<CredentialStore>> {
        loop {
            std::thread::park();
        }
    }

    fn absent() -> keyring_core::Result<Arc<CredentialStore>> {
        Err(Error::PlatformFailure("no bus".into()))
    }

    #[test]
    fn an_entry_is_written_read_and_removed() {
        let keychain = Keychain::with("Program", "one", mock, DEADLINE);
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
    fn a_keychain_that_hangs_is_given_up_with_a_sentence() {
        let keychain = Keychain::with("Program", "one", hanging, Duration::from_millis(20));
        for _ in 0..2 {
            let error = keychain.read("us-1").unwrap_err();
            assert!(matches!(error, VaultError::KeychainHangs));
            assert!(error.to_string().contains("unlock"));
        }
    }

    #[test]
    fn a_keychain_that_is_absent_says_so() {
        let keychain = Keychain::with("Program", "one", absent, DEADLINE);
        let error = keychain.probe().unwrap_err();
        assert!(error.to_string().contains("no bus"), "{error}");
    }
}
