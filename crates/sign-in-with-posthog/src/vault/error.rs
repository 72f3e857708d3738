//! Why a Vault could not be used.

use std::io;
use std::path::PathBuf;

use crate::file::FileError;

/// Why a Vault could not be used. The session is not lost by it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VaultError {
    /// The file that says which Vault is used (`vault.json`) cannot be understood.
    ///
    /// Nothing is read or written until it is repaired. If it is moved away, the next sign-in chooses again.
    #[error("{}: cannot be read; it says where the sign-ins are stored", path.display())]
    ChoiceCorrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The stored bytes are damaged.
    ///
    /// Signing in again replaces them.
    #[error("the stored sign-in {0} cannot be read; sign in again to replace it")]
    Corrupt(String),
    /// A file could not be read or written; see there.
    #[error(transparent)]
    File(#[from] FileError),
    /// The keychain answered with an error.
    ///
    /// Restarting the keychain's service or signing in to the desktop again may help.
    #[error("the keychain cannot be used: {0}")]
    Keychain(#[source] KeychainError),
    /// The keychain was reached and did not answer in time.
    ///
    /// A retry can succeed. For a minute no further call is made to it.
    #[error("the keychain does not answer")]
    KeychainHangs,
    /// The keychain is locked, and it was not unlocked in time, or the user declined.
    ///
    /// A retry succeeds once it is unlocked.
    #[error("the keychain is locked; unlock it and try again")]
    KeychainLocked,
    /// The keychain cannot be reached from this process, with the reason. The reason is text, since it may have
    /// been found by another process within the last minute.
    ///
    /// On Linux the process needs the address of the desktop's session bus.
    #[error("the keychain cannot be reached from here: {0}")]
    KeychainUnreachable(String),
    /// It was written by a newer version of the program, which has to be used instead.
    #[error("{0} was written by a newer version of this program; update this one")]
    Newer(String),
    /// The operating system gave no random bytes for this device's key, or the key was lost while in use.
    #[error(
        "the key for the encrypted file could not be created on this device, so the sign-in cannot be stored"
    )]
    NoDeviceKey,
    /// The bytes were sealed on another device.
    ///
    /// They still serve there. On this device the user has to sign in again.
    #[error("the stored sign-in {0} belongs to another device; sign in again on this device")]
    OtherDevice(String),
}

impl VaultError {
    /// Whether the cause is the operating system's keychain.
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

/// What is wrong with a keychain that was reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeychainError {
    /// It holds more than one entry of the same name, made by another program. Removing them helps.
    #[error("it contains several entries with the same name")]
    Ambiguous,
    /// It returned something else than was stored in it, so it is not used.
    #[error("it loses what is stored in it")]
    Forgetful,
    /// The operating system reports an error.
    #[error("{0}")]
    Platform(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It refuses the entry for another reason. The cause is left out: it may hold the entry's bytes.
    #[error("it refuses the entry")]
    Refused,
    /// The thread that makes the calls has ended. A retry starts another one.
    #[error("its thread has ended; try again")]
    Stopped,
    /// The thread that makes the calls could not be started.
    #[error("{0}")]
    Thread(#[source] io::Error),
    /// The entry is larger than the keychain allows, in bytes.
    #[error("it stores at most {0} bytes per entry")]
    TooLong(u32),
}
