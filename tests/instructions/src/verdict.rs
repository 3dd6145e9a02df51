//! How a count compares with the committed one.

use std::fmt;

use crate::counts::Count;

/// How much wider a path's margin is with another compiler, which makes something else of the same
/// source.
const OF_OTHERS: f64 = 0.07;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Verdict {
    Same,
    New,
    Lower {
        percent: f64,
    },
    /// With the thread whose count rose most.
    Higher {
        percent: f64,
        thread: &'static str,
    },
}

impl Verdict {
    pub(crate) fn of(before: Option<Count>, now: &Count, margin: f64, is_foreign: bool) -> Self {
        let margin = margin + if is_foreign { OF_OTHERS } else { 0.0 };
        let Some(before) = before else {
            return Self::New;
        };
        let ratio = now.total() / before.total();
        let percent = (ratio - 1.0) * 100.0;
        if (1.0 - margin..=1.0 + margin).contains(&ratio) {
            return Self::Same;
        }
        if ratio < 1.0 {
            return Self::Lower { percent: -percent };
        }
        let threads = now.by_thread().into_iter().zip(before.by_thread());
        let risen = threads.map(|((thread, now), (_, before))| (thread, now - before));
        let most = risen.max_by(|one, other| one.1.total_cmp(&other.1));
        let thread = most.map_or("", |(thread, _)| thread);
        Self::Higher { percent, thread }
    }

    /// What to do, if anything.
    pub(crate) fn advice(self) -> Option<&'static str> {
        match self {
            Self::Same => None,
            Self::New => Some("a path has no number yet: tests/run instructions --write"),
            Self::Lower { .. } => Some("lower the number: tests/run instructions --write"),
            Self::Higher { .. } => Some(
                "a record got dearer: find out why (callgrind_annotate), or say in the commit what \
                 it buys and write the new number: tests/run instructions --write",
            ),
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Same => f.write_str("as committed"),
            Self::New => f.write_str("NEW"),
            Self::Lower { percent } => write!(f, "LOWER by {percent:.1} %"),
            Self::Higher { percent, thread } => {
                write!(f, "HIGHER by {percent:.1} %, mostly in the {thread} thread")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_count_beyond_the_margin_is_told_with_its_thread() {
        let count = |application: f64, sender: f64| Count {
            application,
            sender,
            ..Count::default()
        };
        let of = |now, is_foreign| Verdict::of(Some(count(800.0, 200.0)), &now, 0.03, is_foreign);
        assert_eq!(of(count(829.0, 200.0), false), Verdict::Same);
        assert_eq!(of(count(771.0, 200.0), false), Verdict::Same);
        assert_eq!(of(count(790.0, 301.0), false).to_string(), HIGHER);
        assert_eq!(of(count(790.0, 290.0), true), Verdict::Same);
        assert_eq!(of(count(760.0, 200.0), false).to_string(), "LOWER by 4.0 %");
        assert_eq!(
            Verdict::of(None, &count(1.0, 1.0), 0.03, true),
            Verdict::New
        );
    }

    const HIGHER: &str = "HIGHER by 9.1 %, mostly in the sender thread";
}
