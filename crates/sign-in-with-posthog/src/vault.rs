//! Where TokenSets and API keys are stored.
//!
//! A Vault stores one small record per Connection as opaque bytes and knows nothing about tokens; what
//! a record means is [`crate::record`]'s business. Every call may block and is made from a thread that
//! may, under the lock of its Connection.

mod choice;
mod encrypted_file;
mod keychain;
mod refusal;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::connection::ConnectionId;
use crate::file::FileError;
use crate::record::Record;
use crate::record::generations::SeenFiles;
use choice::{ChoiceFile, Chosen};
use encrypted_file::EncryptedFile;
use keychain::Keychain;
use refusal::RefusalFile;

/// Which Vault holds the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VaultBackend {
    /// A file that only this user can read, sealed with a key of this device.
    EncryptedFile,
    /// The operating system's keychain.
    Keychain,
}

impl fmt::Display for VaultBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EncryptedFile => "an encrypted file",
            Self::Keychain if cfg!(target_os = "macos") => "the macOS keychain",
            Self::Keychain if cfg!(windows) => "the Windows Credential Manager",
            Self::Keychain => "the keyring",
        })
    }
}

/// Which Vault to choose when the first record is stored. It does not change one that was chosen;
/// [`crate::SignIn::move_vault`] does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VaultChoice {
    /// The keychain if it works, else the encrypted file.
    #[default]
    Auto,
    /// The encrypted file.
    EncryptedFile,
    /// The keychain, or an error.
    Keychain,
}

/// Why a Vault could not be used. The session is not lost by it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The note of which Vault is used cannot be understood.
    #[error("{}: cannot be read; it says where the sign-ins are kept", .0.display())]
    ChoiceCorrupt(PathBuf),
    /// The record is there and cannot be understood.
    #[error("the stored sign-in {0} cannot be read; sign in again to replace it")]
    Corrupt(String),
    /// A file failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// The keychain failed.
    #[error("the keychain cannot be used: {0}")]
    Keychain(String),
    /// The keychain was reached and did not answer in time.
    #[error("the keychain does not answer")]
    KeychainHangs,
    /// The keychain is locked, and nobody unlocked it in time, or it was declined.
    #[error("the keychain is locked; unlock it and try again")]
    KeychainLocked,
    /// There is no way to the keychain, for this reason.
    #[error("the keychain cannot be reached from here: {0}")]
    KeychainUnreachable(String),
    /// The record was written by a newer version of the program.
    #[error("{0} was written by a newer version of this program; update this one")]
    Newer(String),
    /// No key could be made for this device.
    #[error("this device gives no key to encrypt the sign-in with")]
    NoDeviceKey,
    /// The record is for another Host, or of another kind, than the list of Connections says.
    #[error("{0}")]
    OtherHost(String),
    /// The record is older than one that this device has used: it was restored from a backup.
    #[error("the stored sign-in {0} is older than the last one used on this device; sign in again")]
    Outdated(String),
    /// The record was sealed on another device.
    #[error("the stored sign-in {0} belongs to another device; sign in again on this device")]
    OtherDevice(String),
}

impl VaultError {
    /// Whether the operating system's keychain is the trouble.
    pub fn is_of_keychain(&self) -> bool {
        matches!(
            self,
            Self::Keychain(_)
                | Self::KeychainHangs
                | Self::KeychainLocked
                | Self::KeychainUnreachable(_)
        )
    }
}

/// A place for records.
trait Backend: Send + Sync + fmt::Debug {
    /// The record called `key`.
    fn read(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError>;
    /// Replaces the record called `key`; it is safe on disk when this returns.
    fn write(&self, key: &str, record: &[u8]) -> Result<(), VaultError>;
    /// Removes the record called `key`.
    fn delete(&self, key: &str) -> Result<(), VaultError>;
    /// Finds out whether a record of `length` bytes could be written now, where that does no harm.
    fn check_writable(&self, length: usize) -> Result<(), VaultError>;
}

/// The Vault of a folder. Clones share everything.
#[derive(Clone, Debug)]
pub(crate) struct Vault(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    choice: VaultChoice,
    choice_file: ChoiceFile,
    service: String,
    encrypted_file: EncryptedFile,
    seen: SeenFiles,
    /// The keychain by the name of the folder in it; connected to by the first call.
    keychain: Mutex<Option<(String, Arc<Keychain>)>>,
    refusals: RefusalFile,
    /// How long the keychain may take for one call.
    patience: Mutex<Duration>,
    /// Why the keychain was not chosen, if this process chose.
    passed_over: Mutex<Option<VaultError>>,
}

impl Vault {
    /// The Vault of `folder`, with the device's key in `device_folder` and keychain entries filed
    /// under `service`. Reads and writes nothing.
    pub(crate) fn new(
        folder: &Path,
        device_folder: &Path,
        service: &str,
        choice: VaultChoice,
    ) -> Self {
        Self(Arc::new(Inner {
            choice,
            choice_file: ChoiceFile::new(folder),
            service: service.to_owned(),
            encrypted_file: EncryptedFile::new(folder, device_folder),
            seen: SeenFiles::new(device_folder),
            keychain: Mutex::new(None),
            refusals: RefusalFile::new(folder),
            patience: Mutex::new(keychain::DEADLINE),
            passed_over: Mutex::new(None),
        }))
    }

    /// Which Vault was chosen; `None` before the first record.
    pub(crate) fn chosen(&self) -> Result<Option<VaultBackend>, VaultError> {
        Ok(self.0.choice_file.read()?.map(|chosen| chosen.backend))
    }

    /// Which Vault the records lie in, chosen now where none is.
    pub(crate) fn choose(&self) -> Result<VaultBackend, VaultError> {
        self.chosen_or_choose().map(|chosen| chosen.backend)
    }

    /// The record of a Connection.
    ///
    /// An older one than this device has used is refused, unless its credential is still in use.
    pub(crate) fn read(&self, id: &ConnectionId) -> Result<Option<Record>, VaultError> {
        let Some(chosen) = self.0.choice_file.read()? else {
            return Ok(None);
        };
        let (name, key) = (chosen.name.as_str(), id.as_str());
        // Before the record: a writer notes after it has written.
        let seen = self.0.seen.read(name, key);
        let Some(bytes) = self.with(chosen.backend, name, |at| at.read(key))? else {
            return Ok(None);
        };
        let mut record = Record::parse(key, &bytes)?;
        match &seen {
            Some(seen) if seen.generation > record.generation => {
                if !seen.is_of(&record) {
                    return Err(VaultError::Outdated(key.to_owned()));
                }
                record.generation = seen.generation;
            }
            _ => self.0.seen.note(name, key, seen.as_ref(), &record),
        }
        Ok(Some(record))
    }

    /// Whether the record of a Connection was sealed on another device, as in a home that several share. Asks no
    /// keychain.
    pub(crate) fn is_of_another_device(&self, id: &ConnectionId) -> bool {
        let chosen = self.0.choice_file.read().ok().flatten();
        chosen.is_some_and(|chosen| chosen.backend == VaultBackend::EncryptedFile)
            && self.0.encrypted_file.is_of_another_device(id.as_str())
    }

    /// The generation that the next record of a Connection has to exceed, as far as this device knows.
    pub(crate) fn generation_seen(&self, id: &ConnectionId) -> u64 {
        let chosen = self.0.choice_file.read().ok().flatten();
        let seen = chosen.and_then(|chosen| self.0.seen.read(&chosen.name, id.as_str()));
        seen.map_or(0, |seen| seen.generation)
    }

    /// Replaces the record of a Connection.
    pub(crate) fn write(&self, id: &ConnectionId, record: &Record) -> Result<(), VaultError> {
        let chosen = self.chosen_or_choose()?;
        let (name, key) = (chosen.name.as_str(), id.as_str());
        self.with(chosen.backend, name, |at| at.write(key, &record.to_bytes()))?;
        let seen = self.0.seen.read(name, key);
        self.0.seen.note(name, key, seen.as_ref(), record);
        Ok(())
    }

    /// Removes the record of a Connection.
    pub(crate) fn delete(&self, id: &ConnectionId) -> Result<(), VaultError> {
        let Some(chosen) = self.0.choice_file.read()? else {
            return Ok(());
        };
        self.with(chosen.backend, &chosen.name, |at| at.delete(id.as_str()))
    }

    /// Writes, reads and removes a trial entry in the keychain, whichever Vault is in use.
    pub(crate) fn check_keychain(&self) -> Result<(), VaultError> {
        let chosen = self.0.choice_file.read()?;
        let name = chosen.map_or_else(|| "checkup".to_owned(), |chosen| chosen.name);
        self.keychain(&name).probe()
    }

    /// Finds out, before PostHog is asked for new tokens, whether they could be stored.
    pub(crate) fn check_writable(&self, record: &Record) -> Result<(), VaultError> {
        let chosen = self.chosen_or_choose()?;
        self.with(chosen.backend, &chosen.name, |at| {
            at.check_writable(record.to_bytes().len())
        })
    }

    /// Moves the records of `ids` to `target`, whose locks the caller holds: copied and compared
    /// first, then the choice is written down, then the old ones are removed. Cut anywhere, the
    /// records are whole where the choice says, and the next move finishes the job.
    pub(crate) fn move_to(
        &self,
        target: VaultBackend,
        ids: &[ConnectionId],
    ) -> Result<(), VaultError> {
        let chosen = self.chosen_or_choose()?;
        let other = match target {
            VaultBackend::EncryptedFile => VaultBackend::Keychain,
            VaultBackend::Keychain => VaultBackend::EncryptedFile,
        };
        if chosen.backend != target {
            for id in ids {
                let key = id.as_str();
                let Some(record) = self.with(other, &chosen.name, |at| at.read(key))? else {
                    continue;
                };
                let copy = self.with(target, &chosen.name, |at| {
                    at.write(key, &record)?;
                    at.read(key)
                })?;
                if copy.as_ref() != Some(&record) {
                    return Err(VaultError::Corrupt(key.to_owned()));
                }
            }
            self.0.choice_file.write(target, chosen.name.clone())?;
        }
        for id in ids {
            self.with(other, &chosen.name, |at| at.delete(id.as_str()))?;
        }
        Ok(())
    }

    /// Uses the encrypted file from now on and leaves what the keychain holds: for one that is gone. Answers
    /// those of `ids` that have no record in the file.
    pub(crate) fn leave_keychain(
        &self,
        ids: Vec<ConnectionId>,
    ) -> Result<Vec<ConnectionId>, VaultError> {
        let chosen = self.chosen_or_choose()?;
        let file = VaultBackend::EncryptedFile;
        self.0.choice_file.write(file, chosen.name)?;
        let mut lost = ids;
        lost.retain(|id| !matches!(self.read(id), Ok(Some(_))));
        Ok(lost)
    }

    fn chosen_or_choose(&self) -> Result<Chosen, VaultError> {
        self.0.choice_file.read_or(|name| match self.0.choice {
            VaultChoice::EncryptedFile => Ok(VaultBackend::EncryptedFile),
            VaultChoice::Keychain => {
                self.keychain(name).probe()?;
                Ok(VaultBackend::Keychain)
            }
            VaultChoice::Auto => match self.keychain(name).probe() {
                Ok(()) => Ok(VaultBackend::Keychain),
                Err(error) => {
                    tracing::info!(%error, "sign-ins are kept in an encrypted file");
                    *lock(&self.0.passed_over) = Some(error);
                    Ok(VaultBackend::EncryptedFile)
                }
            },
        })
    }

    /// Why this process chose the encrypted file, once: a person wants to be told, and not each time.
    pub(crate) fn take_passed_over(&self) -> Option<VaultError> {
        lock(&self.0.passed_over).take()
    }

    /// Gives the keychain less time for a call.
    pub(crate) fn limit_keychain(&self, patience: Duration) {
        *lock(&self.0.patience) = patience.min(keychain::DEADLINE);
    }

    fn with<T>(
        &self,
        backend: VaultBackend,
        name: &str,
        work: impl FnOnce(&dyn Backend) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        match backend {
            VaultBackend::EncryptedFile => work(&self.0.encrypted_file),
            VaultBackend::Keychain => work(self.keychain(name).as_ref()),
        }
    }

    fn keychain(&self, name: &str) -> Arc<Keychain> {
        let mut known = lock(&self.0.keychain);
        if let Some((_, keychain)) = known.as_ref().filter(|(known, _)| known == name) {
            return Arc::clone(keychain);
        }
        let refusals = self.0.refusals.clone();
        let patience = *lock(&self.0.patience);
        let keychain = Keychain::new(&self.0.service, name, refusals, patience);
        let keychain = Arc::new(keychain);
        *known = Some((name.to_owned(), Arc::clone(&keychain)));
        keychain
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where this device's key is stored unless the program says otherwise: with the user's local state, which
/// is not synced between devices.
pub fn default_device_folder() -> Option<PathBuf> {
    let set = |name: &str| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let state = if cfg!(windows) {
        set("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        set("HOME").map(|home| home.join("Library/Application Support"))
    } else {
        set("XDG_STATE_HOME").or_else(|| set("HOME").map(|home| home.join(".local/state")))
    };
    state.map(|state| state.join("sign-in-with-posthog"))
}
