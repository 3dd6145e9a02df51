//! Settings from a properties file.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use zeroize::{Zeroize, Zeroizing};

use crate::config::origin::Origin;
use crate::config::{Config, keys, properties};
use crate::error::{Error, ErrorKind};

/// Room for every setting with long lists of certificates, and a bound for a path that names
/// something else.
const FILE_BYTES_MAX: u64 = 4 << 20;

impl Config {
    /// Settings from a properties file as Apache Kafka's tools take it; it must set
    /// `bootstrap.servers`.
    ///
    /// The syntax is that of `java.util.Properties`, in UTF-8. If a key comes twice, its last value
    /// holds and a warning tells. Values may stand elsewhere, `${file:/path:key}`, where
    /// `config.providers` says so (see [`set`](Self::set)). Everything that the file does not set
    /// has its default of [`Config::new`]. For a file without `bootstrap.servers`, see
    /// [`set_file`](Self::set_file).
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] if the file cannot be read or has something that [`set`](Self::set)
    /// refuses; the message names file, line and key, and never shows a password.
    ///
    /// ```no_run
    /// let config = milena::Config::from_file("producer.properties")?;
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, Error> {
        let name = path.as_ref().display().to_string();
        Self::with_defaults()
            .apply(&read(path.as_ref())?, &|line| format!("{name}:{line}"))?
            .with_servers()
            .map_err(|error| error.context(&name))
    }

    /// Settings from the text of a properties file; it must set `bootstrap.servers`.
    ///
    /// See [`from_file`](Self::from_file).
    ///
    /// # Errors
    ///
    /// As [`from_file`](Self::from_file); the message names line and key.
    ///
    /// ```
    /// use milena::Config;
    ///
    /// # fn main() -> Result<(), milena::Error> {
    /// let config = Config::from_properties("
    ///     bootstrap.servers = kafka-1:9092, kafka-2:9092
    ///     acks = all
    /// ")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_properties(text: &str) -> Result<Self, Error> {
        Self::with_defaults()
            .apply(text, &|line| format!("line {line}"))?
            .with_servers()
            .map_err(|error| error.context("the properties"))
    }

    /// Adds what a properties file sets to these settings.
    ///
    /// For the files that Kafka's tools take beside `--bootstrap-server`, which hold credentials
    /// and little else.
    ///
    /// # Errors
    ///
    /// As [`from_file`](Self::from_file), but the file need not set `bootstrap.servers`.
    ///
    /// ```no_run
    /// use milena::Config;
    ///
    /// let config = Config::new("kafka-1:9093").set_file("client.properties")?;
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn set_file(self, path: impl AsRef<Path>) -> Result<Self, Error> {
        let name = path.as_ref().display().to_string();
        self.apply(&read(path.as_ref())?, &|line| format!("{name}:{line}"))
    }

    /// Adds what the text of a properties file sets to these settings.
    ///
    /// # Errors
    ///
    /// As [`from_properties`](Self::from_properties), but the text need not set
    /// `bootstrap.servers`.
    pub fn set_properties(self, text: &str) -> Result<Self, Error> {
        self.apply(text, &|line| format!("line {line}"))
    }

    fn apply(mut self, text: &str, place: &dyn Fn(usize) -> String) -> Result<Self, Error> {
        let mut properties = properties::parse(text).map_err(|malformed| {
            Error::new(ErrorKind::Config, malformed.what).context(place(malformed.line))
        })?;
        let last: HashMap<String, usize> = properties
            .iter()
            .map(|property| (property.key.clone(), property.line))
            .collect();
        let mut entries = Vec::new();
        for property in &mut properties {
            let here = place(property.line);
            let line = last[property.key.as_str()];
            if line == property.line {
                let (key, value) = (property.key.clone(), std::mem::take(&mut property.value));
                entries.push((key, value, Origin::Place(here)));
            } else if keys::find(&property.key).is_some() {
                let key = &property.key;
                self.warn(format!(
                    "{here}: {key} is set again in line {line}, which holds"
                ));
            }
        }
        self.give_all(entries)
    }

    pub(super) fn with_servers(self) -> Result<Self, Error> {
        if self.bootstrap_servers.is_empty() {
            return Err(Error::new(
                ErrorKind::Config,
                "bootstrap.servers is missing: set it to host:port of one broker or more",
            ));
        }
        Ok(self)
    }
}

fn read(path: &Path) -> Result<Zeroizing<String>, Error> {
    read_text(path).map_err(|what| {
        let message = format!("cannot read the settings in {}: {what}", path.display());
        Error::new(ErrorKind::Config, message)
    })
}

/// The text of a file that a value refers to, or what is wrong with it. Devices and pipes, which
/// may never end or never begin, are refused.
pub(super) fn read_regular(path: &Path) -> Result<Zeroizing<String>, String> {
    let metadata = std::fs::metadata(path).map_err(|error| error.to_string());
    let advice = "create it, or correct the path";
    let metadata = metadata.map_err(|error| format!("cannot read the file: {error}: {advice}"))?;
    if !metadata.is_file() {
        return Err("it is not a file".to_owned());
    }
    read_text(path).map_err(|what| format!("cannot read the file: {what}"))
}

fn read_text(path: &Path) -> Result<Zeroizing<String>, String> {
    let bytes = read_bytes(path).map_err(|error| error.to_string())?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err("it is larger than 4 MiB".to_owned());
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let wrong = error.utf8_error().valid_up_to();
        let bytes = Zeroizing::new(error.into_bytes());
        let good = bytes.iter().take(wrong);
        let line = 1 + good.filter(|byte| **byte == b'\n').count();
        format!(
            "line {line} is not UTF-8; save the file as UTF-8, or write \\u00e9 for such characters"
        )
    });
    text.map(Zeroizing::new)
}

/// All of a file, into memory that has room for it from the start, lest it moves and leaves a copy.
fn read_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len().min(FILE_BYTES_MAX);
    let mut bytes = Vec::with_capacity(length as usize + 2);
    let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => {
            bytes.zeroize();
            Err(error)
        }
    }
}
