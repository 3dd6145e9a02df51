//! The seeded bugs of tests/mutants still fit the sources, and name tests that exist.

use std::fs;

use super::{collect, root};

#[test]
fn every_seeded_bug_fits_the_sources_and_names_its_test() {
    let mut count = 0;
    for entry in fs::read_dir(root().join("tests/mutants")).unwrap() {
        let path = entry.unwrap().path();
        if path
            .extension()
            .is_some_and(|extension| extension == "patch")
        {
            let patch = fs::read_to_string(&path).unwrap();
            assert_eq!(patch_faults(&patch, &source), [""; 0], "{path:?}");
            count += 1;
        }
    }
    assert!(count >= 12, "{count} seeded bugs");
}

#[test]
fn a_seeded_bug_that_went_stale_is_found() {
    let file = |path: &str| (path == "src/a.rs").then(|| "one\ntwo\nthree\n".to_owned());
    let good = "bug: two is missing\ntest: --lib tidy::mutants::source\n\n+++ b/src/a.rs\n\
                @@ -1,3 +1,2 @@\n one\n-two\n three\n";
    assert_eq!(patch_faults(good, &file), [""; 0]);
    for (from, to, said) in [
        ("bug: ", "", "no line `bug: `"),
        ("test: ", "", "no line `test: `"),
        ("::source", "::sauce", "no test sauce"),
        ("-two", "-ten", "src/a.rs does not have this: one ten three"),
        ("src/a", "src/b", "no file src/b.rs"),
    ] {
        let faults = patch_faults(&good.replacen(from, to, 1), &file);
        assert!(
            faults.iter().any(|fault| fault == said),
            "{said}: {faults:?}"
        );
    }
}

fn source(path: &str) -> Option<String> {
    fs::read_to_string(root().join(path)).ok()
}

fn patch_faults(patch: &str, source: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let mut faults = Vec::new();
    let line = |key: &str| patch.lines().find_map(|line| line.strip_prefix(key));
    if line("bug: ").is_none() {
        faults.push("no line `bug: `".into());
    }
    match line("test: ").and_then(|arguments| arguments.rsplit("::").next()) {
        None => faults.push("no line `test: `".into()),
        Some(name) if !is_function(name) => faults.push(format!("no test {name}")),
        Some(_) => {}
    }
    for file in patch.split("+++ b/").skip(1) {
        let (path, hunks) = file.split_once('\n').unwrap_or((file, ""));
        let Some(text) = source(path) else {
            faults.push(format!("no file {path}"));
            continue;
        };
        let text: Vec<&str> = text.lines().collect();
        for hunk in hunks
            .split("\n@@ ")
            .map(|hunk| hunk.trim_start_matches("@@ "))
        {
            let old = hunk
                .lines()
                .skip(1)
                .take_while(|line| !line.starts_with("diff "));
            let old = old.filter_map(|line| line.strip_prefix([' ', '-']));
            let old: Vec<&str> = old.filter(|line| !line.starts_with("-- a/")).collect();
            if !text.windows(old.len().max(1)).any(|lines| lines == old) {
                faults.push(format!("{path} does not have this: {}", old.join(" ")));
            }
        }
    }
    faults
}

/// True if a file of the sources or the tests has a function of that name.
fn is_function(name: &str) -> bool {
    let mut files = Vec::new();
    for folder in ["src", "tests"] {
        collect(&root().join(folder), &mut files);
    }
    let wanted = format!("fn {name}(");
    files.iter().any(|source| source.raw.contains(&wanted))
}
