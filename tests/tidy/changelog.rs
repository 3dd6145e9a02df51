//! CHANGELOG.md keeps the form of Keep a Changelog.

use std::fs;

use super::root;

#[test]
fn the_changelog_keeps_its_form() {
    let changelog = fs::read_to_string(root().join("CHANGELOG.md")).unwrap();
    assert_eq!(changelog_faults(&changelog), [""; 0]);
    let good =
        "# Changelog\n\n## [Unreleased]\n\n## [0.1.0] - 2030-01-31\n\n### Added\n\n- A\n  b\n";
    assert_eq!(changelog_faults(good), [""; 0]);
    for (from, to, said) in [
        ("# Changelog\n", "", "line 1: not `# Changelog`"),
        (
            "[Unreleased]",
            "[0.2.0] - 2030-02-01",
            "line 3: not `## [Unreleased]`",
        ),
        (" - 2030-01-31", "", "line 5: not `## [x.y.z] - YYYY-MM-DD`"),
        ("Added", "News", "line 7: not a section of Keep a Changelog"),
        ("- A\n  b\n", "", "line 7: an empty section"),
    ] {
        let bad = good.replacen(from, to, 1);
        let faults = changelog_faults(&bad);
        assert!(
            faults.iter().any(|fault| fault == said),
            "{said}: {faults:?}"
        );
    }
}

fn changelog_faults(text: &str) -> Vec<String> {
    let sections = [
        "Added",
        "Changed",
        "Deprecated",
        "Removed",
        "Fixed",
        "Security",
    ];
    let mut faults = Vec::new();
    let mut fault = |index: usize, said: &str| faults.push(format!("line {}: {said}", index + 1));
    if text.lines().next() != Some("# Changelog") {
        fault(0, "not `# Changelog`");
    }
    let (mut versions, mut open_section) = (0, None);
    for (index, line) in text.lines().enumerate() {
        if line.starts_with('#')
            && let Some(empty) = open_section.take()
        {
            fault(empty, "an empty section");
        }
        if let Some(version) = line.strip_prefix("## ") {
            versions += 1;
            match versions {
                1 if version != "[Unreleased]" => fault(index, "not `## [Unreleased]`"),
                2.. if !is_dated_version(version) => fault(index, "not `## [x.y.z] - YYYY-MM-DD`"),
                _ => {}
            }
        } else if let Some(section) = line.strip_prefix("### ") {
            open_section = Some(index);
            if !sections.contains(&section) {
                fault(index, "not a section of Keep a Changelog");
            }
        } else if line.len() > 2 && line.starts_with("- ") {
            open_section = None;
        }
    }
    if let Some(empty) = open_section {
        fault(empty, "an empty section");
    }
    faults
}

fn is_dated_version(text: &str) -> bool {
    let shape = |text: &str| text.replace(|c: char| c.is_ascii_digit(), "9");
    let Some((version, date)) = text.split_once(" - ") else {
        return false;
    };
    let version = version
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'));
    let numbers = version.unwrap_or_default().split('.');
    let numbers = numbers
        .filter(|number| number.parse::<u32>().is_ok())
        .count();
    numbers == 3 && shape(date) == "9999-99-99"
}
