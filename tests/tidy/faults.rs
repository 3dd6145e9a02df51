//! tests/faults.md names tests that exist.

use std::collections::HashSet;
use std::fs;

use super::root;

#[test]
fn every_row_of_the_fault_table_names_tests_that_exist() {
    let table = fs::read_to_string(root().join("tests/faults.md")).unwrap();
    assert_eq!(table_faults(&table), [""; 0]);
    let here = "tidy/faults::table_faults";
    let good = format!("| A-01 | it | `{here}`, words |\n| A-02 | it | none: why |\n");
    assert_eq!(table_faults(&good), [""; 0]);
    for (from, to, said) in [
        ("A-02", "A-01", "line 2: row A-01 is there twice"),
        (
            "none: why",
            "later",
            "line 2: neither a test nor `none: ` and why",
        ),
        (
            "::t",
            "::un",
            "line 1: no test `tidy/faults::unable_faults`",
        ),
        (
            "y/f",
            "y/v",
            "line 1: no file for `tidy/vaults::table_faults`",
        ),
    ] {
        let faults = table_faults(&good.replacen(from, to, 1));
        assert!(
            faults.iter().any(|fault| fault == said),
            "{said}: {faults:?}"
        );
    }
}

fn table_faults(table: &str) -> Vec<String> {
    let (mut faults, mut seen) = (Vec::new(), HashSet::new());
    for (index, line) in table.lines().enumerate() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, row, _, tests, _] = cells[..] else {
            continue;
        };
        if row == "row" || row.starts_with("--") {
            continue;
        }
        let mut fault = |text: String| faults.push(format!("line {}: {text}", index + 1));
        if !seen.insert(row) {
            fault(format!("row {row} is there twice"));
        }
        let named: Vec<&str> = tests.split('`').skip(1).step_by(2).collect();
        if named.is_empty() && !tests.starts_with("none: ") {
            fault("neither a test nor `none: ` and why".into());
        }
        for test in named {
            match (test.split_once("::"), source_of(test)) {
                (Some((_, name)), Some(source)) => {
                    if !source.contains(&format!("fn {name}(")) {
                        fault(format!("no test `{test}`"));
                    }
                }
                _ => fault(format!("no file for `{test}`")),
            }
        }
    }
    faults
}

/// The file that `path::name` is in; paths begin in `tests/`, or with `src/`.
fn source_of(test: &str) -> Option<String> {
    let (path, _) = test.split_once("::")?;
    let candidates = [format!("tests/{path}.rs"), format!("{path}.rs")];
    let mut found = candidates
        .iter()
        .map(|path| fs::read_to_string(root().join(path)));
    found.find_map(Result::ok)
}
