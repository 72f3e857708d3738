//! Where TokenSets and API keys are stored.
//!
//! A Vault stores sealed bytes under a name and knows nothing of what they mean; that is the business of
//! [`crate::record`]. Every call may block, and is made from a thread that may block, under the lock of its
//! Connection.

mod backend;
mod choice;
mod encrypted_file;
mod error;
#[cfg(feature = "keychain")]
mod keychain;
#[cfg(not(feature = "keychain"))]
mod no_keychain;
#[cfg(feature = "keychain")]
mod refusal;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::connection::VaultBackend;
use crate::task::lock;
use backend::Backend;
use choice::{ChoiceFile, Chosen};
use encrypted_file::EncryptedFile;
pub use error::{KeychainError, VaultError};
use keychain::Keychain;
#[cfg(not(feature = "keychain"))]
use no_keychain as keychain;

/// Which Vault to choose when the first record is stored. It does not change one that was chosen;
/// [`crate::SignIn::move_vault`] does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VaultChoice {
    /// The keychain if it works, otherwise the encrypted file.
    #[default]
    Auto,
    /// The encrypted file.
    EncryptedFile,
    /// The keychain, or an error.
    Keychain,
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
    /// The keychain by the name of the folder in it; connected to by the first call.
    keychain: Mutex<Option<(String, Arc<Keychain>)>>,
    /// Where its refusals are remembered.
    folder: PathBuf,
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
            keychain: Mutex::new(None),
            folder: folder.to_owned(),
            patience: Mutex::new(keychain::DEADLINE),
            passed_over: Mutex::new(None),
        }))
    }

    /// The file in `folder` that says which Vault is used, if a newer version of the program wrote it.
    pub(crate) fn newer_choice_in(folder: &Path) -> Option<PathBuf> {
        ChoiceFile::new(folder).newer()
    }

    /// Which Vault was chosen; `None` before the first record.
    pub(crate) fn chosen(&self) -> Result<Option<VaultBackend>, VaultError> {
        Ok(self.0.choice_file.read()?.map(|chosen| chosen.backend))
    }

    /// Which Vault is used; if none was chosen before, it is chosen now.
    pub(crate) fn choose(&self) -> Result<VaultBackend, VaultError> {
        self.chosen_or_choose().map(|chosen| chosen.backend)
    }

    /// The Vault that was chosen; `None` before the first bytes.
    pub(crate) fn opened(&self) -> Result<Option<OpenVault<'_>>, VaultError> {
        let chosen = self.0.choice_file.read()?;
        Ok(chosen.map(|chosen| OpenVault {
            vault: self,
            chosen,
        }))
    }

    /// The Vault that was chosen, or is chosen now.
    pub(crate) fn opened_or_chosen(&self) -> Result<OpenVault<'_>, VaultError> {
        let chosen = self.chosen_or_choose()?;
        Ok(OpenVault {
            vault: self,
            chosen,
        })
    }

    /// Whether the bytes called `key` were sealed on another device, as in a home that several share. Makes no
    /// call to a keychain.
    pub(crate) fn is_of_another_device(&self, key: &str) -> bool {
        let chosen = self.0.choice_file.read().ok().flatten();
        chosen.is_some_and(|chosen| chosen.backend == VaultBackend::EncryptedFile)
            && self.0.encrypted_file.is_of_another_device(key)
    }

    /// Writes, reads and removes a trial entry in the keychain, whichever Vault is in use.
    pub(crate) fn check_keychain(&self) -> Result<(), VaultError> {
        let chosen = self.0.choice_file.read()?;
        let name = chosen.map_or_else(|| "checkup".to_owned(), |chosen| chosen.name);
        self.keychain(&name).probe()
    }

    /// Moves what is called `keys` to `target`; the caller holds their locks. Everything is copied and
    /// compared first, then the choice is written, then the old copies are removed. If this is interrupted at
    /// any point, the Vault that the choice names is complete, and the next move finishes the job.
    pub(crate) fn move_to(&self, target: VaultBackend, keys: &[&str]) -> Result<(), VaultError> {
        let chosen = self.chosen_or_choose()?;
        let other = match target {
            VaultBackend::EncryptedFile => VaultBackend::Keychain,
            VaultBackend::Keychain => VaultBackend::EncryptedFile,
        };
        if chosen.backend != target {
            for &key in keys {
                let Some(bytes) = self.with(other, &chosen.name, |at| at.read(key))? else {
                    continue;
                };
                let copy = self.with(target, &chosen.name, |at| {
                    at.write(key, &bytes)?;
                    at.read(key)
                })?;
                if copy.as_ref() != Some(&bytes) {
                    return Err(VaultError::Corrupt(key.to_owned()));
                }
            }
            self.0.choice_file.write(target, chosen.name.clone())?;
        }
        for &key in keys {
            self.with(other, &chosen.name, |at| at.delete(key))?;
        }
        Ok(())
    }

    /// Forgets which Vault was chosen, and what the encrypted file needs in this folder; `with_key` also the key of
    /// this device. The records are removed before.
    pub(crate) fn erase(&self, with_key: bool) -> Result<(), VaultError> {
        self.0.encrypted_file.erase(with_key)?;
        self.0.choice_file.erase()
    }

    /// Uses the encrypted file from now on and leaves what the keychain holds.
    pub(crate) fn leave_keychain(&self) -> Result<(), VaultError> {
        let chosen = self.chosen_or_choose()?;
        let file = VaultBackend::EncryptedFile;
        self.0.choice_file.write(file, chosen.name)?;
        Ok(())
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
                    tracing::info!(%error, "sign-ins are stored in an encrypted file");
                    *lock(&self.0.passed_over) = Some(error);
                    Ok(VaultBackend::EncryptedFile)
                }
            },
        })
    }

    /// Why this process chose the encrypted file. Returned once, since the user should be notified once.
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
        let patience = *lock(&self.0.patience);
        let keychain = Keychain::new(&self.0.service, name, &self.0.folder, patience);
        let keychain = Arc::new(keychain);
        *known = Some((name.to_owned(), Arc::clone(&keychain)));
        keychain
    }
}

/// The Vault that was chosen, for one or a few calls.
pub(crate) struct OpenVault<'a> {
    vault: &'a Vault,
    chosen: Chosen,
}

impl OpenVault<'_> {
    /// Tells apart the folders of one program.
    pub(crate) fn name(&self) -> &str {
        &self.chosen.name
    }

    /// The bytes called `key`.
    pub(crate) fn read(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        self.with(|at| at.read(key))
    }

    /// Replaces the bytes called `key`.
    pub(crate) fn write(&self, key: &str, bytes: &[u8]) -> Result<(), VaultError> {
        self.with(|at| at.write(key, bytes))
    }

    /// Removes the bytes called `key`.
    pub(crate) fn delete(&self, key: &str) -> Result<(), VaultError> {
        self.with(|at| at.delete(key))
    }

    /// Finds out whether `length` bytes could be written now.
    pub(crate) fn check_writable(&self, length: usize) -> Result<(), VaultError> {
        self.with(|at| at.check_writable(length))
    }

    fn with<T>(
        &self,
        work: impl FnOnce(&dyn Backend) -> Result<T, VaultError>,
    ) -> Result<T, VaultError> {
        self.vault
            .with(self.chosen.backend, &self.chosen.name, work)
    }
}
