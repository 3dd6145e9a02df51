//! The table of settings in the guide, compared with what Kafka's own jar says of them.

use std::collections::BTreeMap;

use crate::kafka::readers::run_java;

const GUIDE: &str = include_str!("../../src/guide/settings.md");
const NEWER: &str = " (from Kafka 4.4 on)";

/// Type and range, and default, as the guide writes them.
type Said = (String, String);

#[test]
#[ignore = "needs Java: run tests/run"]
fn the_settings_in_the_guide_are_those_of_kafkas_jar() {
    let kafkas = settings_of_kafka();
    assert!(kafkas.len() > 100, "{kafkas:?}");
    let (newer, ours): (Vec<_>, Vec<_>) = settings_of_the_guide()
        .into_iter()
        .partition(|(key, _)| key.ends_with(NEWER));
    for (key, _) in newer {
        let key = key.trim_end_matches(NEWER);
        let is_known = kafkas.contains_key(key);
        assert!(!is_known, "{key} is in this jar: take it out of SINCE_4_4");
    }
    let ours: BTreeMap<String, Said> = ours.into_iter().collect();
    for (key, said) in &kafkas {
        assert_eq!(Some(said), ours.get(key), "{key}: the jar, then the guide");
    }
    let unknown: Vec<&String> = ours.keys().filter(|k| !kafkas.contains_key(*k)).collect();
    assert!(unknown.is_empty(), "the jar does not know {unknown:?}");
}

fn settings_of_kafka() -> BTreeMap<String, Said> {
    let text = run_java("ProducerSettings.java", &[]).expect("Java's settings");
    let line = |line: &str| {
        let mut words = line.split('\t').map(str::to_owned);
        let mut next = || words.next().expect("a word of ProducerSettings.java");
        let (key, kind, default, values) = (next(), next(), next(), next());
        // The guide leaves out lists of words.
        let range = Some(values).filter(|values| values.contains("..."));
        let kind = format!("{kind} {}", range.unwrap_or_default());
        let default = match default.as_str() {
            "null" => "(none)".to_owned(),
            "" => "(empty)".to_owned(),
            _ => default,
        };
        (key, (kind.trim_end().to_owned(), default))
    };
    text.lines().map(line).collect()
}

fn settings_of_the_guide() -> Vec<(String, Said)> {
    let all = GUIDE.split("\n# Settings of Java's producer\n").nth(1);
    let javas = all.and_then(|rest| rest.split("\n# ").next());
    let rows = javas.expect("Java's settings").lines();
    let rows = rows.filter(|line| line.starts_with("| `"));
    rows.map(|line| {
        let cells: Vec<String> = line
            .split(" | ")
            .map(|cell| cell.replace('`', ""))
            .collect();
        let key = cells[0].trim_start_matches("| ").to_owned();
        (key, (cells[4].clone(), cells[3].clone()))
    })
    .collect()
}
