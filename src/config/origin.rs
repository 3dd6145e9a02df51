//! Where the values of settings come from.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Who said a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A setter, or `Config::new`.
    Code,
    /// `Config::set`.
    Text,
    /// A line of a properties file or text, or an environment variable, as errors name it.
    Place(String),
    /// Another setting, or a limit.
    Implied(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code => f.write_str("set in code"),
            Self::Text => f.write_str("set in code, as text"),
            Self::Place(place) => f.write_str(place),
            Self::Implied(why) => write!(f, "because of {why}"),
        }
    }
}

/// The origin of every setting that does not have its default.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins {
    all: BTreeMap<String, Origin>,
    /// The keys whose values came by reference, and are never shown.
    hidden: BTreeSet<String>,
}

impl Origins {
    pub(super) fn put(&mut self, key: &str, origin: Origin) {
        self.all.insert(key.to_owned(), origin);
        self.hidden.remove(key);
    }

    /// Notes that the value of `key` must not be shown.
    pub(super) fn hide(&mut self, key: &str) {
        self.hidden.insert(key.to_owned());
    }

    pub(super) fn is_hidden(&self, key: &str) -> bool {
        self.hidden.contains(key)
    }

    pub(super) fn forget(&mut self, key: &str) {
        self.all.remove(key);
        self.hidden.remove(key);
    }

    pub(super) fn of(&self, key: &str) -> Option<&Origin> {
        self.all.get(key)
    }

    /// Whether the user said it.
    pub(super) fn is_given(&self, key: &str) -> bool {
        let origin = self.of(key);
        origin.is_some_and(|origin| !matches!(origin, Origin::Implied(_)))
    }
}
