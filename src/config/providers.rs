//! Values by reference, `${file:/path:key}`: Java's config providers, those that ship with Kafka.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use zeroize::Zeroizing;

use crate::config::reference::{self, Piece, Reference};
use crate::config::secret::append;
use crate::config::validate::wrong;
use crate::config::value::Setting;
use crate::config::{Config, keys};
use crate::error::Error;

/// All that one value may have after its references were resolved.
const VALUE_BYTES_MAX: usize = 4 << 20;
const PACKAGE: &str = "org.apache.kafka.common.config.provider";

/// What `config.providers` and its family say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Providers {
    /// The names, of which only these can be referred to.
    pub(super) names: Vec<String>,
    kinds: BTreeMap<String, Kind>,
    pub(super) allowed_paths: BTreeMap<String, Vec<PathBuf>>,
    /// The alternatives of `allowlist.pattern`, each cut at its `.*`.
    pub(super) allowed_variables: BTreeMap<String, Vec<Vec<String>>>,
    /// Names that gave a value already: a limit that comes later would have come too late.
    used: BTreeSet<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A key of a properties file, or a whole file.
    File,
    /// A file of a directory.
    Directory,
    /// An environment variable.
    Variable,
}

const KINDS: [(&str, &str, Kind); 3] = [
    ("file", "FileConfigProvider", Kind::File),
    ("dir", "DirectoryConfigProvider", Kind::Directory),
    ("env", "EnvVarConfigProvider", Kind::Variable),
];

impl Config {
    /// `config.providers=file,env`
    pub(super) fn read_providers(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let names: Vec<String> = setting.list().map(str::to_owned).collect();
        if !names.iter().all(|name| name.chars().all(named)) {
            return Err(setting.wrong("has a name with other characters than letters and digits"));
        }
        self.providers.names = names;
        Ok(())
    }

    /// `config.providers.NAME.class`, `.param.allowed.paths` and `.param.allowlist.pattern`
    pub(super) fn read_provider(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        let rest = setting.key.strip_prefix("config.providers.");
        let (name, what) = rest
            .and_then(|rest| rest.split_once('.'))
            .unwrap_or_default();
        let name = name.to_owned();
        let before = self.providers.clone();
        let providers = &mut self.providers;
        match what {
            "class" => drop(providers.kinds.insert(name.clone(), kind(setting)?)),
            "param.allowed.paths" => {
                providers
                    .allowed_paths
                    .insert(name.clone(), paths(setting)?);
            }
            "param.allowlist.pattern" => {
                providers
                    .allowed_variables
                    .insert(name.clone(), patterns(setting)?);
            }
            _ => {
                return Err(setting.refused(
                    "a provider has class, param.allowed.paths and param.allowlist.pattern here: \
                     leave this out",
                ));
            }
        }
        if self.providers.used.contains(&name) && self.providers != before {
            return Err(setting.refused(
                "a value was taken from this provider already: say what it may do before",
            ));
        }
        Ok(())
    }

    /// The value with what its references stand for, `None` if it has none; they are not looked for
    /// in what they stand for.
    pub(super) fn resolve(
        &mut self,
        key: &str,
        value: &str,
    ) -> Result<Option<Zeroizing<String>>, Error> {
        // What is no key may be a piece of a secret, and is not repeated in an error from here.
        if key.starts_with("config.providers") || keys::find(key).is_none() {
            return Ok(None);
        }
        let (mut resolved, mut is_changed) = (Zeroizing::default(), false);
        for piece in reference::pieces(value) {
            let text = match piece {
                Piece::Text(text) => text,
                Piece::Reference(reference) if self.providers.has(reference.provider) => {
                    let text = self
                        .providers
                        .look_up(&reference)
                        .map_err(|what| wrong(format!("{key}: {}: {what}", reference.shown())))?;
                    self.providers.used.insert(reference.provider.to_owned());
                    is_changed = true;
                    append(&mut resolved, &text);
                    ""
                }
                Piece::Reference(reference) => {
                    self.warn(taken_as_it_stands(key, &reference));
                    reference.text
                }
            };
            append(&mut resolved, text);
            if resolved.len() > VALUE_BYTES_MAX {
                return Err(wrong(format!(
                    "{key}: its references come to more than 4 MiB"
                )));
            }
        }
        Ok(is_changed.then_some(resolved))
    }

    /// Every name has a class, and every class and limit a name that it fits.
    pub(super) fn check_providers(&mut self) -> Result<(), Error> {
        let providers = self.providers.clone();
        for name in &providers.names {
            let Some(kind) = providers.kind(name) else {
                return Err(wrong(format!(
                    "config.providers names {name}, which is not file, dir or env: set \
                     config.providers.{name}.class to {PACKAGE}.FileConfigProvider, \
                     DirectoryConfigProvider or EnvVarConfigProvider"
                )));
            };
            let (other, limits) = match kind {
                Kind::Variable => ("allowed.paths", providers.allowed_paths.contains_key(name)),
                _ => (
                    "allowlist.pattern",
                    providers.allowed_variables.contains_key(name),
                ),
            };
            if limits {
                return Err(wrong(format!(
                    "config.providers.{name}.param.{other}: it limits nothing, the provider's \
                     class has no such parameter"
                )));
            }
        }
        let given = providers.kinds.keys();
        let given = given.chain(providers.allowed_paths.keys());
        let given: BTreeSet<_> = given.chain(providers.allowed_variables.keys()).collect();
        for name in given.into_iter().filter(|name| !providers.has(name)) {
            self.note(format!(
                "config.providers.{name} has no effect: config.providers does not name {name}"
            ));
        }
        Ok(())
    }
}

/// As Java does it; said, because it is seldom meant.
fn taken_as_it_stands(key: &str, reference: &Reference<'_>) -> String {
    // Another name may be a piece of a password.
    match KINDS.iter().find(|(name, ..)| *name == reference.provider) {
        Some((name, ..)) => format!(
            "{key}: ${{{name}:...}} is taken as it stands, because config.providers does not name \
             {name}: set config.providers={name} before it"
        ),
        None => format!(
            "{key}: ${{...:...}} is taken as it stands, because config.providers does not name \
             what stands before the colon"
        ),
    }
}

impl Providers {
    pub(super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    pub(super) fn kind(&self, name: &str) -> Option<Kind> {
        let mut known = KINDS.iter();
        let of_name = known.find(|(known, ..)| *known == name);
        let given = self.kinds.get(name).copied();
        given.or(of_name.map(|(.., kind)| *kind))
    }
}

fn kind(setting: &Setting<'_>) -> Result<Kind, Error> {
    let class = setting.value;
    let class = class
        .strip_prefix(PACKAGE)
        .map_or(class, |rest| rest.trim_start_matches('.'));
    let found = KINDS.iter().find(|(_, known, _)| *known == class);
    found.map(|(.., kind)| *kind).ok_or_else(|| {
        setting.wrong(
            "is a class of Java, which this producer cannot run: FileConfigProvider, \
             DirectoryConfigProvider and EnvVarConfigProvider of \
             org.apache.kafka.common.config.provider are known",
        )
    })
}

/// Absolute paths that exist, as Java asks for.
fn paths(setting: &Setting<'_>) -> Result<Vec<PathBuf>, Error> {
    let paths: Vec<PathBuf> = setting.list().map(|path| normal(Path::new(path))).collect();
    if !paths.iter().all(|path| path.is_absolute() && path.exists()) {
        return Err(setting.wrong("has a path that is not absolute, or does not exist"));
    }
    if paths.is_empty() {
        return Err(setting.wrong("names no path: leave it out to allow all"));
    }
    Ok(paths)
}

/// A regular expression of names and `.*` in alternatives.
fn patterns(setting: &Setting<'_>) -> Result<Vec<Vec<String>>, Error> {
    let pieces =
        |pattern: &str| -> Vec<String> { pattern.split(".*").map(str::to_owned).collect() };
    let patterns: Vec<Vec<String>> = setting.value.split('|').map(pieces).collect();
    let plain = |piece: &String| piece.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    match patterns.iter().flatten().all(plain) {
        true => Ok(patterns),
        false => Err(setting.wrong(
            "is more than this producer takes of regular expressions: names, with .* in them, \
             and | between them",
        )),
    }
}

/// Without `.` and `..`, by the text alone.
pub(super) fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir if normal.file_name().is_some() => {
                normal.pop();
            }
            // The parent of the root is the root.
            Component::ParentDir if normal.has_root() => {}
            other => normal.push(other),
        }
    }
    normal
}
