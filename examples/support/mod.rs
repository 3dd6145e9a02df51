//! What the examples share: settings from the command line, and a logger that writes to stderr.

#![allow(dead_code, reason = "each example uses its own part of this")]

use std::ffi::OsString;
use std::fmt::Display;
use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;

use lexopt::prelude::*;
use log::{LevelFilter, Log, Metadata, Record};
use milena::{Config, Error};

/// The exit code of a command line that makes no sense.
pub(crate) const USAGE_ERROR: u8 = 2;

/// The settings that a command line gave, as Kafka's own tools take them.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) bootstrap: Option<String>,
    pub(crate) files: Vec<PathBuf>,
    /// `name=value`, as it was written.
    pub(crate) properties: Vec<(String, String)>,
}

impl Settings {
    /// Takes one `name=value` of the command line.
    pub(crate) fn add_property(&mut self, text: OsString) -> Result<(), lexopt::Error> {
        let text = text.into_string()?;
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| format!("{text:?} is not name=value"))?;
        self.properties.push((name.to_owned(), value.to_owned()));
        Ok(())
    }

    /// What the command line says of one setting.
    pub(crate) fn property(&self, name: &str) -> Option<&str> {
        let mut given = self.properties.iter().rev();
        let found = given.find(|(other, _)| other.trim() == name)?;
        Some(found.1.trim())
    }

    /// A producer's settings: what is said on the command line holds over what is in the files, and
    /// that over the defaults of the library.
    pub(crate) fn config(&self) -> Result<Config, Error> {
        self.config_over(|config| config)
    }

    /// The same over defaults of the tool's own.
    pub(crate) fn config_over(&self, defaults: fn(Config) -> Config) -> Result<Config, Error> {
        // No servers is not an error yet: a file, or a property, may name them.
        let bootstrap = self.bootstrap.as_deref().unwrap_or_default();
        let mut config = defaults(Config::new(bootstrap));
        for file in &self.files {
            config = config.set_file(file)?;
        }
        for (name, value) in &self.properties {
            config = config.set(name, value)?;
        }
        match &self.bootstrap {
            Some(servers) => config.set("bootstrap.servers", servers),
            None => Ok(config),
        }
    }
}

/// Where an example that needs no Kafka sends: to a cluster of the user's, if he names one.
pub(crate) struct Place {
    pub(crate) bootstrap: Option<String>,
    pub(crate) topic: String,
}

impl Place {
    /// `None` if help was asked for.
    fn parse(topic: &str) -> Result<Option<Self>, lexopt::Error> {
        let (mut bootstrap, mut topic) = (None, topic.to_owned());
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(None),
                Long("bootstrap" | "bootstrap-server") => {
                    bootstrap = Some(parser.value()?.string()?)
                }
                Long("topic") => topic = parser.value()?.string()?,
                _ => return Err(argument.unexpected()),
            }
        }
        Ok(Some(Self { bootstrap, topic }))
    }
}

/// The main function of an example that takes a [`Place`], and `topic` unless another is named.
pub(crate) fn run(
    usage: &str,
    topic: &str,
    example: impl FnOnce(&Place) -> Result<(), Error>,
) -> ExitCode {
    log_to_stderr();
    let place = match Place::parse(topic) {
        Ok(Some(place)) => place,
        Ok(None) => {
            println!("{usage}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return usage_error(error),
    };
    match example(&place) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The number in an option's value.
pub(crate) fn number<T: FromStr<Err: Display>>(value: OsString) -> Result<T, lexopt::Error> {
    let text = value.into_string()?;
    let number = text.parse();
    number.map_err(|error| format!("{text:?} is not a number that fits here: {error}").into())
}

/// Tells what is wrong with the command line, and where help is.
pub(crate) fn usage_error(error: impl Display) -> ExitCode {
    eprintln!("{error}; --help tells what there is");
    ExitCode::from(USAGE_ERROR)
}

/// Shows the warnings and errors of the library, which it hands to the `log` crate.
///
/// A program uses the logger that it has anyway; `MILENA_LOG=debug` shows more here.
pub(crate) fn log_to_stderr() {
    static LOGGER: Stderr = Stderr;
    let wanted = std::env::var("MILENA_LOG").ok();
    let level = wanted.and_then(|level| LevelFilter::from_str(&level).ok());
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(level.unwrap_or(LevelFilter::Warn));
    }
}

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        eprintln!("{}: {}", record.level(), record.args());
    }

    fn flush(&self) {}
}
