//! Where the values of settings come from.

use std::collections::BTreeMap;
use std::fmt;

/// Who said a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// A setter, or `Config::new`.
    Code,
    /// `Config::set`.
    Text,
    /// A line of a properties file or text, as errors name it.
    Line(String),
    /// Another setting, or a limit.
    Implied(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code => f.write_str("set in code"),
            Self::Text => f.write_str("set in code, as text"),
            Self::Line(place) => f.write_str(place),
            Self::Implied(why) => write!(f, "because of {why}"),
        }
    }
}

/// The origin of every setting that does not have its default.
#[derive(Clone, Debug, Default)]
pub(super) struct Origins(BTreeMap<String, Origin>);

impl Origins {
    pub(super) fn put(&mut self, key: &str, origin: Origin) {
        self.0.insert(key.to_owned(), origin);
    }

    pub(super) fn forget(&mut self, key: &str) {
        self.0.remove(key);
    }

    pub(super) fn of(&self, key: &str) -> Option<&Origin> {
        self.0.get(key)
    }

    /// Whether the user said it.
    pub(super) fn is_given(&self, key: &str) -> bool {
        let origin = self.of(key);
        origin.is_some_and(|origin| !matches!(origin, Origin::Implied(_)))
    }
}
