//! What a reference stands for: a key of a file, a file, or an environment variable.

use std::ffi::OsString;
use std::path::Path;

use zeroize::Zeroizing;

use crate::config::providers::{Kind, Providers, normal};
use crate::config::reference::Reference;
use crate::config::{file, properties};

impl Providers {
    /// What a reference stands for, or what is wrong with it and what to do.
    pub(super) fn look_up(&self, reference: &Reference<'_>) -> Result<Zeroizing<String>, String> {
        let Reference { path, key, .. } = *reference;
        match self.kind(reference.provider) {
            None => Err(format!(
                "config.providers.{}.class is missing: set it before",
                reference.provider
            )),
            Some(Kind::Variable) if !path.is_empty() => {
                Err("a variable has no path: write ${NAME:VARIABLE}".to_owned())
            }
            Some(Kind::Variable) => self.variable(reference.provider, key),
            Some(Kind::Directory) => {
                let is_name = !key.is_empty() && Path::new(key).file_name() == Some(key.as_ref());
                if path.is_empty() || !is_name {
                    return Err("write ${NAME:DIRECTORY:FILE}, the name of a file in it".to_owned());
                }
                self.whole(reference.provider, &Path::new(path).join(key))
            }
            Some(Kind::File) if path.is_empty() => self.whole(reference.provider, Path::new(key)),
            Some(Kind::File) => {
                let text = self.text(reference.provider, Path::new(path))?;
                let all = properties::parse(&text)
                    .map_err(|malformed| format!("line {}: {}", malformed.line, malformed.what))?;
                let found = all.into_iter().rev().find(|property| property.key == key);
                found.map(|property| property.value).ok_or_else(|| {
                    "the file has no such key: add it, or correct the name".to_owned()
                })
            }
        }
    }

    fn variable(&self, provider: &str, name: &str) -> Result<Zeroizing<String>, String> {
        let allowed = self.allowed_variables.get(provider);
        if allowed.is_some_and(|patterns| !patterns.iter().any(|it| matches(it, name))) {
            return Err(format!(
                "config.providers.{provider}.param.allowlist.pattern does not allow it"
            ));
        }
        match std::env::var_os(name).map(OsString::into_string) {
            Some(Ok(value)) => Ok(Zeroizing::new(value)),
            Some(Err(_)) => Err("the value of the variable is not UTF-8".to_owned()),
            None => Err(
                "there is no such environment variable: set it for this process, or correct the \
                 name"
                    .to_owned(),
            ),
        }
    }

    /// A whole file, without the end of its last line, which editors and `echo` add.
    fn whole(&self, provider: &str, path: &Path) -> Result<Zeroizing<String>, String> {
        let mut text = self.text(provider, path)?;
        if text.ends_with('\n') {
            text.pop();
        }
        if text.ends_with('\r') {
            text.pop();
        }
        Ok(text)
    }

    fn text(&self, provider: &str, path: &Path) -> Result<Zeroizing<String>, String> {
        let mut path = path.to_owned();
        if let Some(allowed) = self.allowed_paths.get(provider) {
            path = normal(&path);
            if !allowed.iter().any(|start| path.starts_with(start)) {
                return Err(format!(
                    "config.providers.{provider}.param.allowed.paths does not allow it"
                ));
            }
        }
        file::read_regular(&path)
    }
}

/// Whether the whole name is the pieces with anything between them.
fn matches(pieces: &[String], name: &str) -> bool {
    let [first, between @ .., last] = pieces else {
        return pieces.first().is_some_and(|piece| piece == name);
    };
    let Some(mut rest) = name.strip_prefix(first.as_str()) else {
        return false;
    };
    for piece in between {
        let Some(at) = rest.find(piece.as_str()) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
    }
    rest.ends_with(last.as_str())
}
