//! Records in sealed files, for devices without a keychain.
//!
//! The key is derived from the machine id and from a file of random bytes outside the program's folder. If the
//! folder is copied, synced or restored to another device, nothing in it can be opened there. It does not protect
//! against a program that runs as the same user; no file could.

use std::path::{Path, PathBuf};

use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use super::backend::Backend;
use super::error::VaultError;
use crate::file;

/// First bytes of every file.
const MAGIC: &[u8; 4] = b"SIPH";
/// Version of the layout.
const VERSION: u8 = 1;
/// Bytes that name the key a file was sealed with.
const KEY_NAME: usize = 8;
/// Bytes before the sealed part: magic, version, name of the key, nonce.
const HEAD: usize = MAGIC.len() + 1 + KEY_NAME + NONCE_LEN;
/// Bytes in the device's key file.
const DEVICE_KEY: usize = 32;
/// More bytes than any record has sealed, or the device's key file.
const LARGEST: u64 = 64 << 10;

/// One sealed file per record.
#[derive(Debug)]
pub(super) struct EncryptedFile {
    folder: PathBuf,
    device_key: PathBuf,
    machine_id: Vec<u8>,
}

struct Key {
    name: [u8; KEY_NAME],
    key: LessSafeKey,
}

impl EncryptedFile {
    /// Records in `folder`, the device's key in `device_folder`.
    pub(super) fn new(folder: &Path, device_folder: &Path) -> Self {
        Self {
            folder: folder.join("vault"),
            device_key: device_folder.join("device.key"),
            machine_id: machine_id(),
        }
    }

    fn path(&self, key: &str) -> PathBuf {
        self.folder.join(format!("{key}.sealed"))
    }

    /// Whether the record is sealed with the key of another device. False if that is unknown.
    pub(super) fn is_of_another_device(&self, key: &str) -> bool {
        let Ok(Some(sealed)) = file::read(&self.path(key), LARGEST) else {
            return false;
        };
        let name = sealed
            .strip_prefix(MAGIC)
            .and_then(|rest| rest.strip_prefix(&[VERSION]))
            .and_then(|rest| rest.get(..KEY_NAME));
        match (name, self.key()) {
            (Some(name), Ok(own)) => own.is_none_or(|own| own.name != name),
            _ => false,
        }
    }

    /// Removes the folder of the records and, `with_key`, the device's key with its folder.
    pub(super) fn erase(&self, with_key: bool) -> Result<(), VaultError> {
        file::remove_folder(&self.folder)?;
        if with_key {
            file::remove(&self.device_key)?;
            // Something of another program stays.
            self.device_key.parent().map(std::fs::remove_dir);
        }
        Ok(())
    }

    /// The device's key; `None` if this device has none.
    fn key(&self) -> Result<Option<Key>, VaultError> {
        let Some(bytes) = file::read(&self.device_key, LARGEST)?.map(Zeroizing::new) else {
            return Ok(None);
        };
        if bytes.len() != DEVICE_KEY {
            return Ok(None);
        }
        Ok(Some(derive(&bytes, &self.machine_id)))
    }

    fn key_or_new(&self) -> Result<Key, VaultError> {
        // Looked at once: a key that another process makes in between is there, and not of the wrong length.
        let found = file::read(&self.device_key, LARGEST)?.map(Zeroizing::new);
        let mut random = Zeroizing::new([0; DEVICE_KEY]);
        fill(random.as_mut_slice())?;
        match found {
            Some(bytes) if bytes.len() == DEVICE_KEY => {}
            // Nothing was ever sealed with it.
            Some(_) => file::write(&self.device_key, random.as_slice())?,
            // Two processes may get here at once; the key of the first is used by both.
            None => {
                file::write_if_absent(&self.device_key, random.as_slice())?;
            }
        }
        self.key()?.ok_or(VaultError::NoDeviceKey)
    }
}

impl Backend for EncryptedFile {
    fn read(&self, key: &str) -> Result<Option<Zeroizing<Vec<u8>>>, VaultError> {
        let Some(sealed) = file::read(&self.path(key), LARGEST)? else {
            return Ok(None);
        };
        let Some(rest) = sealed.strip_prefix(MAGIC) else {
            return Err(VaultError::Corrupt(key.to_owned()));
        };
        match rest.first() {
            Some(&VERSION) if sealed.len() > HEAD => {}
            Some(&version) if version > VERSION => return Err(VaultError::Newer(key.to_owned())),
            _ => return Err(VaultError::Corrupt(key.to_owned())),
        }
        let (name, rest) = rest[1..].split_at(KEY_NAME);
        let (nonce, body) = rest.split_at(NONCE_LEN);
        let Some(opening_key) = self.key()?.filter(|known| known.name == name) else {
            return Err(VaultError::OtherDevice(key.to_owned()));
        };
        let nonce = Nonce::try_assume_unique_for_key(nonce)
            .map_err(|_| VaultError::Corrupt(key.to_owned()))?;
        let mut body = Zeroizing::new(body.to_vec());
        let length = opening_key
            .key
            .open_in_place(nonce, Aad::from(key.as_bytes()), &mut body)
            .map_err(|_| VaultError::Corrupt(key.to_owned()))?
            .len();
        body.truncate(length);
        Ok(Some(body))
    }

    fn write(&self, key: &str, record: &[u8]) -> Result<(), VaultError> {
        let sealing_key = self.key_or_new()?;
        let mut nonce = [0; NONCE_LEN];
        fill(&mut nonce)?;
        let mut body = Zeroizing::new(record.to_vec());
        let tag = sealing_key
            .key
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(key.as_bytes()),
                &mut body,
            )
            .map_err(|_| VaultError::Corrupt(key.to_owned()))?;
        let mut sealed = Vec::with_capacity(HEAD + body.len() + tag.as_ref().len());
        sealed.extend_from_slice(MAGIC);
        sealed.push(VERSION);
        sealed.extend_from_slice(&sealing_key.name);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        sealed.extend_from_slice(tag.as_ref());
        Ok(file::write(&self.path(key), &sealed)?)
    }

    fn delete(&self, key: &str) -> Result<(), VaultError> {
        Ok(file::remove(&self.path(key))?)
    }

    fn check_writable(&self, length: usize) -> Result<(), VaultError> {
        Ok(file::check_writable(&self.folder, length + HEAD + 16)?)
    }
}

fn fill(bytes: &mut [u8]) -> Result<(), VaultError> {
    SystemRandom::new()
        .fill(bytes)
        .map_err(|_| VaultError::NoDeviceKey)
}

fn derive(device_key: &[u8], machine_id: &[u8]) -> Key {
    struct Length(usize);
    impl KeyType for Length {
        fn len(&self) -> usize {
            self.0
        }
    }
    let secret = Salt::new(HKDF_SHA256, machine_id).extract(device_key);
    let expand = |what: &[u8], out: &mut [u8]| {
        secret
            .expand(&[what], Length(out.len()))
            .and_then(|okm| okm.fill(out))
            .expect("a few bytes are within the limit of HKDF");
    };
    let mut bytes = Zeroizing::new([0; 32]);
    expand(b"sign-in-with-posthog record", bytes.as_mut_slice());
    let mut name = [0; KEY_NAME];
    expand(b"sign-in-with-posthog key name", &mut name);
    let key = UnboundKey::new(&AES_256_GCM, bytes.as_slice()).expect("the key has 32 bytes");
    Key {
        name,
        key: LessSafeKey::new(key),
    }
}

/// The id of this installation from systemd or D-Bus. Empty on other systems, where the key file alone binds.
fn machine_id() -> Vec<u8> {
    ["/etc/machine-id", "/var/lib/dbus/machine-id"]
        .iter()
        .find_map(|path| file::read(Path::new(path), LARGEST).ok().flatten())
        .map(|id| id.trim_ascii().to_vec())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const RECORD: &[u8] = b"{\"access_token\":\"pha_secret\"}";

    fn vault(place: &Path, machine: &str) -> EncryptedFile {
        EncryptedFile {
            folder: place.join("folder/vault"),
            device_key: place.join("device/device.key"),
            machine_id: machine.into(),
        }
    }

    #[test]
    fn a_record_comes_back_and_is_not_in_clear_on_disk() {
        let place = tempfile::tempdir().unwrap();
        let vault = vault(place.path(), "m");
        vault.write("us-1", RECORD).unwrap();
        assert_eq!(vault.read("us-1").unwrap().unwrap().as_slice(), RECORD);
        let sealed = std::fs::read(vault.path("us-1")).unwrap();
        assert!(!sealed.windows(4).any(|part| part == b"pha_"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            for (path, wanted) in [
                (vault.path("us-1"), 0o600),
                (vault.folder.clone(), 0o700),
                (vault.device_key.clone(), 0o600),
                (place.path().join("device"), 0o700),
            ] {
                let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
                assert_eq!(mode, wanted, "{}", path.display());
            }
        }
    }

    #[test]
    fn a_copy_on_another_device_opens_nothing() {
        let place = tempfile::tempdir().unwrap();
        vault(place.path(), "one").write("us-1", RECORD).unwrap();
        let other_machine = vault(place.path(), "two");
        assert!(matches!(
            other_machine.read("us-1"),
            Err(VaultError::OtherDevice(_))
        ));
        std::fs::remove_file(place.path().join("device/device.key")).unwrap();
        let no_key = vault(place.path(), "one");
        assert!(matches!(
            no_key.read("us-1"),
            Err(VaultError::OtherDevice(_))
        ));
    }

    #[test]
    fn any_changed_byte_and_a_record_under_another_name_are_refused() {
        let place = tempfile::tempdir().unwrap();
        let vault = vault(place.path(), "m");
        vault.write("us-1", RECORD).unwrap();
        let sealed = std::fs::read(vault.path("us-1")).unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            std::fs::write(vault.path("us-1"), &changed).unwrap();
            assert!(vault.read("us-1").is_err(), "byte {at}");
            std::fs::write(vault.path("us-1"), &sealed[..at]).unwrap();
            assert!(vault.read("us-1").is_err(), "cut at {at}");
        }
        std::fs::write(vault.path("us-2"), &sealed).unwrap();
        assert!(matches!(vault.read("us-2"), Err(VaultError::Corrupt(_))));
    }

    #[test]
    fn a_file_of_a_newer_version_is_told_from_a_broken_one() {
        let place = tempfile::tempdir().unwrap();
        let vault = vault(place.path(), "m");
        std::fs::create_dir_all(&vault.folder).unwrap();
        std::fs::write(vault.path("k"), b"SIPH\x02anything").unwrap();
        assert!(matches!(vault.read("k"), Err(VaultError::Newer(_))));
    }

    #[test]
    fn processes_that_start_at_once_agree_on_one_key() {
        let place = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let path = place.path();
                scope.spawn(move || {
                    vault(path, "m")
                        .write(&format!("us-{number}"), RECORD)
                        .unwrap();
                });
            }
        });
        for number in 0..8 {
            let read = vault(place.path(), "m").read(&format!("us-{number}"));
            assert_eq!(read.unwrap().unwrap().as_slice(), RECORD);
        }
    }
}
