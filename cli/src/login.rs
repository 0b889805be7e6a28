//! Who is logged in on this machine: the files `account.toml`, `device.key` and `machine.token` of the configuration directory.
//!
//! Invariant: files that let their reader act as somebody are written 0600, and refused when others could read them. Absent: asking the server.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use keyvawlt_client::{DeviceKey, MachineToken};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::files::{self, Readers};
use crate::settings::Settings;

/// Which account this machine uses; no secret.
const ACCOUNT_FILE: &str = "account.toml";
/// The key of this device's slot.
const DEVICE_FILE: &str = "device.key";
/// The token of a machine that logged in.
const TOKEN_FILE: &str = "machine.token";
/// Bits of a file's mode that let others in.
const OTHERS: u32 = 0o077;

/// An account, as this machine knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// The server.
    pub addr: String,
    /// The account's id.
    pub account: String,
    /// The address on record.
    pub email: String,
    /// The name for new organizations.
    pub name: String,
}

/// Who a command acts for.
pub enum Login {
    /// A person, by this device's key.
    Device(DeviceKey),
    /// A person who is asked for Secret Key and password every time.
    Asks(Profile),
    /// A machine.
    Machine(MachineToken),
}

impl Login {
    /// The server this login is for.
    pub fn origin(&self) -> &str {
        match self {
            Self::Device(key) => &key.origin,
            Self::Asks(profile) => &profile.addr,
            Self::Machine(token) => &token.origin,
        }
    }
}

/// The files of one configuration directory.
pub struct Files {
    directory: PathBuf,
}

impl Files {
    /// Of the directory that the settings name.
    pub fn of(settings: &Settings) -> Self {
        Self { directory: settings.config_dir.value.clone() }
    }

    /// Who is logged in here. A token in a variable comes first; nobody is a failure.
    pub fn login(&self, settings: &Settings) -> Outcome<Login> {
        if let Some(token) = settings.token()? {
            return Ok(Login::Machine(parse_token(&token)?));
        }
        if let Some(text) = self.read_private(DEVICE_FILE)? {
            return DeviceKey::parse(&text).map(Login::Device).map_err(|fault| self.unusable(DEVICE_FILE, &fault.why));
        }
        if let Some(token) = self.read_private(TOKEN_FILE)? {
            return Ok(Login::Machine(parse_token(&token)?));
        }
        match self.profile()? {
            Some(profile) => Ok(Login::Asks(profile)),
            None => Err(Failure::new(Exit::Unauthenticated, "nobody is logged in on this machine")
                .hint("keyvawlt signup or keyvawlt login; programs set KEYVAWLT_TOKEN")),
        }
    }

    /// Fails when somebody is logged in: a second login would silently replace the first one's key.
    pub fn require_nobody(&self) -> Outcome {
        match [DEVICE_FILE, TOKEN_FILE, ACCOUNT_FILE].into_iter().find(|name| self.directory.join(name).exists()) {
            None => Ok(()),
            Some(name) => Err(Failure::local("somebody is logged in on this machine already")
                .on(self.directory.join(name).display().to_string())
                .code("LOGGED_IN")
                .hint("keyvawlt logout first, or use another --config-dir")),
        }
    }

    /// The account this machine uses.
    pub fn profile(&self) -> Outcome<Option<Profile>> {
        let path = self.directory.join(ACCOUNT_FILE);
        match fs::read_to_string(&path) {
            Ok(text) => toml::from_str(&text).map(Some).map_err(|error| self.unusable(ACCOUNT_FILE, error.message())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::file(&path, "read", &error)),
        }
    }

    /// Makes sure that files can be written here, before anything is made that would be lost.
    pub fn prepare(&self) -> Outcome {
        let probe = ".writable";
        self.write(probe, b"").and_then(|()| self.remove(probe).map(|_| ()))
    }

    /// Remembers the account.
    pub fn save_profile(&self, profile: &Profile) -> Outcome {
        let text = toml::to_string(profile).map_err(|error| Failure::local(format!("cannot write {ACCOUNT_FILE}: {error}")))?;
        self.write(ACCOUNT_FILE, text.as_bytes())
    }

    /// Keeps this device's key.
    pub fn save_device(&self, key: &DeviceKey) -> Outcome {
        self.write(DEVICE_FILE, key.to_text().as_bytes())
    }

    /// Keeps a machine's token, once it parses.
    pub fn save_token(&self, token: &str) -> Outcome {
        parse_token(token)?;
        self.write(TOKEN_FILE, token.as_bytes())
    }

    /// Forgets who is logged in. What was verified stays: it protects the next login.
    pub fn forget(&self) -> Outcome<bool> {
        let mut any = false;
        for name in [DEVICE_FILE, TOKEN_FILE, ACCOUNT_FILE] {
            any |= self.remove(name)?;
        }
        Ok(any)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> Outcome {
        files::private_dir(&self.directory).map_err(|error| {
            Failure::local(format!("cannot create the directory of this device's settings and keys: {error}"))
                .on(self.directory.display().to_string())
                .hint("another one: --config-dir DIR")
        })?;
        let path = self.directory.join(name);
        files::replace(&path, bytes, Readers::Owner).map_err(|error| Failure::file(&path, "write", &error))
    }

    fn remove(&self, name: &str) -> Outcome<bool> {
        let path = self.directory.join(name);
        match fs::remove_file(&path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Failure::file(&path, "remove", &error)),
        }
    }

    fn read_private(&self, name: &str) -> Outcome<Option<Zeroizing<String>>> {
        let path = self.directory.join(name);
        match fs::metadata(&path) {
            Ok(metadata) if metadata.permissions().mode() & OTHERS != 0 => Err(readable_by_others(&path)),
            Ok(_) => match fs::read_to_string(&path) {
                Ok(text) => Ok(Some(Zeroizing::new(text))),
                Err(error) if error.kind() == io::ErrorKind::InvalidData => Err(self.unusable(name, "it is no text")),
                Err(error) => Err(Failure::file(&path, "read", &error)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::file(&path, "read", &error)),
        }
    }

    fn unusable(&self, name: &str, why: &str) -> Failure {
        Failure::new(Exit::KeyUnavailable, format!("the file cannot be used: {why}"))
            .on(self.directory.join(name).display().to_string())
            .hint("restore it, or keyvawlt logout --local-only and log in again")
    }
}

/// Reads a machine's token; says nothing of its text.
pub fn parse_token(token: &str) -> Outcome<MachineToken> {
    MachineToken::parse(token.trim())
        .map_err(|fault| Failure::new(Exit::Unauthenticated, format!("the machine token cannot be used: {}", fault.why)).code("TOKEN"))
}

fn readable_by_others(path: &Path) -> Failure {
    Failure::new(Exit::KeyUnavailable, "other users of this machine can read this key, so it is not used")
        .on(path.display().to_string())
        .hint(format!("chmod 600 {}, and log out and in again if they may have", path.display()))
}
