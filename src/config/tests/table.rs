//! The table of all settings, src/guide/settings.md: made from the tables of the code.

use std::fmt::Write as _;
use std::path::Path;

use super::super::effective::{EFFECTIVE, NOTHING};
use super::super::java::{JAVA, SINCE_4_4};
use super::super::keys::Treatment::{self, Ignored, Read, Refused};
use super::super::keys::{self, KEYS};
use super::super::librdkafka::{Answer, LIBRDKAFKA};
use super::super::security_keys::SECURITY_KEYS;
use super::Config;
use super::{config, refusal};

/// Rewrites the committed table where it is set.
const WRITE: &str = "MILENA_WRITE_SETTINGS";

#[test]
fn the_settings_in_the_guide_are_those_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/guide/settings.md");
    let made = guide();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&path, &made).expect("write src/guide/settings.md");
    }
    let committed = std::fs::read_to_string(&path).expect("read src/guide/settings.md");
    let mut lines = committed.lines().zip(made.lines());
    let first = lines.find(|(old, new)| old != new);
    assert!(
        committed == made,
        "src/guide/settings.md is not what the code does: \
         run {WRITE}=1 cargo test --lib the_settings_in_the_guide\n{first:#?}"
    );
}

#[test]
fn every_setting_that_is_read_has_a_value_to_show() {
    for (key, treatment) in KEYS.iter().chain(SECURITY_KEYS) {
        let is_shown = EFFECTIVE.iter().any(|(name, ..)| name == key);
        let is_read = matches!(treatment, Read(_));
        assert_eq!(
            is_shown, is_read,
            "{key}: src/config/effective.rs has the settings that are read, and no others"
        );
    }
}

/// The ranges are Kafka's own: tests/kafka/settings.rs compares them with its jar.
#[test]
fn numbers_that_are_used_have_javas_range() {
    let mut count = 0;
    for (key, kind, _, range) in JAVA {
        let is_number = matches!(*kind, "int" | "long");
        if !is_number || !matches!(keys::find(key), Some(Read(_))) {
            continue;
        }
        count += 1;
        let largest = match *kind {
            "int" => i128::from(i32::MAX),
            _ => i128::from(i64::MAX),
        };
        let numbers = |text: &str| text.trim_matches(['[', ']']).parse::<i128>().ok();
        let (list, others) = range.split_once(" or ").unwrap_or((range, ""));
        let mut ends = list.split(',').filter_map(numbers);
        let least = ends.next();
        let most = ends.next().unwrap_or(largest);
        let accepted = |number: i128| config().set(key, &number.to_string()).is_ok();
        assert!(accepted(most) && !accepted(most + 1), "{key}: {most}");
        if let Some(least) = least {
            let below = least - 1;
            assert!(accepted(least) && !accepted(below), "{key}: {least}");
        }
        if let Some(other) = numbers(others) {
            assert!(accepted(other) && !accepted(other - 1), "{key}: {other}");
        }
    }
    assert!(count >= 20, "{count}");
}

#[test]
fn every_setting_of_librdkafkas_producer_is_answered() {
    let golden = include_str!("../../../tests/golden/librdkafka.txt");
    let mut names: Vec<&str> = LIBRDKAFKA.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    let mut all: Vec<&str> = golden.lines().filter(|l| !l.starts_with('#')).collect();
    all.sort_unstable();
    assert_eq!(names, all);
    assert!(names.len() > 150);
    for (name, answer) in LIBRDKAFKA {
        let is_known = keys::find(name).is_some();
        match answer {
            Answer::Shared(difference) => assert!(is_known && !difference.is_empty(), "{name}"),
            Answer::Renamed(java, difference) => {
                let mut javas = java.split([',', ' ']).filter(|word| word.contains('.'));
                assert!(
                    *java == "acks" || *java == "retries" || javas.all(is_key),
                    "{name}"
                );
                let expected =
                    format!("{name}: this is librdkafka's name, Java's is {java}: {difference}");
                assert_eq!(refusal(name, "hush"), expected);
            }
            Answer::Without(why) => {
                let expected =
                    format!("{name}: only librdkafka has this setting: leave it out; {why}");
                assert_eq!(refusal(name, "hush"), expected);
            }
        }
    }
}

#[test]
fn the_table_tells_used_ignored_and_refused_settings_apart() {
    let table = guide();
    for expected in [
        "| `acks` | used | `1` | `all` | `string` | ",
        "| `batch.size` | used | `65536` | `16384` | `int [0,...]` | ",
        "| `transactional.id` | refused |  | (none) | `string` | ",
        "| `metrics.num.samples` | ignored |  | `2` | `int [1,...]` | metrics here are ",
        "| `client.rack` (from Kafka 4.4 on) | used | ",
        "| `bootstrap.servers` | used | required | required | `list` |  |",
        "| `full.buffer.policy` | used | `block` | ",
        "| `message.timeout.ms` | `delivery.timeout.ms` | default 300000 there, 120000 here; ",
    ] {
        assert!(table.contains(&format!("\n{expected}")), "{expected}");
    }
}

fn is_key(name: &str) -> bool {
    KEYS.iter()
        .chain(SECURITY_KEYS)
        .any(|(key, _)| *key == name)
}

const START: &str = "\
Every setting: what becomes of it here, and the defaults of both producers.

A test makes this page from the tables that the code reads settings by, and another compares it with
what Kafka's own jar says. Values are in Java's units, as [`Config::set`] and the properties files
take them; [`Config::explain`] shows what a program's settings come to.

- *used*: it is read, and checked against Java's range.
- *ignored*: it has no effect, and a warning says why ([`Config::warnings`]), unless the value asks
  for what happens anyway.
- *refused*: it is an error that says why, unless the value asks for what happens anyway: to go
  without what it asks for would do harm.

[`Config::set`]: crate::Config::set
[`Config::explain`]: crate::Config::explain
[`Config::warnings`]: crate::Config::warnings

# Settings of Java's producer
";

const OTHERS: &str = "
# Settings that Java's producer lacks

| setting | here | default here | what to know |
|---|---|---|---|
";

const OF_TOPICS: &str = "\
| `topic.NAME.compression.type` | used | that of `compression.type` | for the topic NAME alone |
| `topic.NAME.full.buffer.policy` | used | that of `full.buffer.policy` | for the topic NAME alone |

`Config::close_timeout` (30 s) has no name as text.
";

const FOREIGN: &str = "
# librdkafka's settings

A name that is librdkafka's alone is refused, with this answer. One that both have counts as Java's.

| setting of librdkafka | here | what to know |
|---|---|---|
";

fn guide() -> String {
    let mut text = String::from(START);
    for (title, range) in [
        ("Delivery, batches, connections and metadata", 0..54),
        ("TLS", 54..73),
        ("SASL", 73..JAVA.len()),
    ] {
        let _ = writeln!(text, "\n## {title}\n");
        text += "| setting | here | default here | Java's default | Java's type | what to know |\n";
        text += "|---|---|---|---|---|---|\n";
        text.extend(JAVA[range].iter().map(row));
    }
    text += OTHERS;
    for (key, treatment) in KEYS.iter().chain(SECURITY_KEYS) {
        if !JAVA.iter().any(|(name, ..)| name == key) {
            let (here, default, note) = here(key, *treatment);
            let _ = writeln!(text, "| `{key}` | {here} | {default} | {note} |");
        }
    }
    text += OF_TOPICS;
    text += FOREIGN;
    for (name, answer) in LIBRDKAFKA {
        let (here, note) = match answer {
            Answer::Shared(note) => ("the same name".to_owned(), *note),
            Answer::Renamed(java, note) => (code(java), *note),
            Answer::Without(note) => ("none".to_owned(), *note),
        };
        let note = match note.contains("required") {
            // An option of a login module in full.
            true => format!("`{note}`"),
            false => note.to_owned(),
        };
        let _ = writeln!(text, "| `{name}` | {here} | {note} |");
    }
    text
}

/// What becomes of a setting, its default, and what to know.
fn here(key: &str, treatment: Treatment) -> (&'static str, String, String) {
    match treatment {
        Read(_) => {
            let own = EFFECTIVE.iter().find(|(name, ..)| *name == key);
            let (_, value, note) = own.unwrap_or_else(|| panic!("{key} is not in EFFECTIVE"));
            (
                "used",
                code(&value(&Config::with_defaults())),
                (*note).to_owned(),
            )
        }
        Ignored { fine, why } => ("ignored", String::new(), reason(why, fine)),
        Refused { fine, why } => ("refused", String::new(), reason(why, fine)),
    }
}

fn row((key, kind, java, range): &(&str, &str, &str, &str)) -> String {
    let treatment = keys::find(key).unwrap_or_else(|| panic!("{key} is not known"));
    let (here, default, why) = here(key, treatment);
    let default = match default.as_str() {
        NOTHING if *java == "required" => "required".into(),
        _ => default,
    };
    let java = match *java {
        "required" => "required".into(),
        "null" => NOTHING.into(),
        "" => "(empty)".into(),
        value => code(value),
    };
    let kind = format!("{kind} {range}");
    let since = match SINCE_4_4.contains(key) {
        true => " (from Kafka 4.4 on)",
        false => "",
    };
    let kind = code(kind.trim_end());
    format!("| `{key}`{since} | {here} | {default} | {java} | {kind} | {why} |\n")
}

fn reason(why: &str, fine: &[&str]) -> String {
    let fine: Vec<String> = fine
        .iter()
        .filter(|v| !v.is_empty())
        .map(|v| code(v))
        .collect();
    match fine.is_empty() {
        true => why.replace("${...}", "`${...}`"),
        false => format!("{why} ({} passes)", fine.join(" or ")),
    }
}

fn code(text: &str) -> String {
    match text {
        NOTHING => NOTHING.into(),
        text => format!("`{text}`"),
    }
}
