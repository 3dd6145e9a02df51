//! The sources as data: rules that no compiler checks. Each rule is a function from a source to its
//! violations, and each is shown a bad sample beside the real sources.

#[path = "tidy/changelog.rs"]
mod changelog;
#[path = "tidy/faults.rs"]
mod faults;
#[path = "tidy/layers.rs"]
mod layers;
#[path = "tidy/lex.rs"]
mod lex;
#[path = "tidy/mutants.rs"]
mod mutants;

use std::fs;
use std::path::Path;

use lex::{code_of, is_word, item_len, paths, without_tests, words};

const COLUMNS_MAX: usize = 100;
const FILE_LINES_MAX: usize = 500;
const FUNCTION_LINES_MAX: usize = 70;

/// One file: as it is, and with everything blanked that is not code, or not live code. Offsets and
/// line numbers agree in all three.
struct Source {
    path: String,
    raw: String,
    /// Comments, strings and character literals blanked.
    code: String,
    /// The same without test items; empty for files that hold tests only.
    live: String,
}

impl Source {
    fn new(path: &str, raw: &str) -> Self {
        let code = code_of(raw);
        let is_test = !path.starts_with("src/")
            || path.starts_with("src/sim/")
            || path.contains("/tests/")
            || path.ends_with("/tests.rs");
        let live = if is_test {
            String::new()
        } else {
            without_tests(&code)
        };
        Self {
            path: path.into(),
            raw: raw.into(),
            code,
            live,
        }
    }

    /// `path:line: text` for the byte at `offset`.
    fn at(&self, offset: usize, text: impl std::fmt::Display) -> String {
        let line = self.raw[..offset].matches('\n').count() + 1;
        format!("{}:{line}: {text}", self.path)
    }

    /// `wire/buf` for `src/wire/buf.rs`, `wire` for `src/wire/mod.rs`.
    fn module(&self) -> &str {
        let path = self.path.trim_start_matches("src/").trim_end_matches(".rs");
        path.trim_end_matches("/mod")
    }
}

#[test]
fn lines_fit_a_screen() {
    hold(lines_too_long);
    let long = format!("//{}\n{}\n", "x".repeat(98), "é".repeat(101));
    assert_eq!(lines_too_long(&sample(&long)), ["src/x.rs:2: 101 columns"]);
}

fn lines_too_long(source: &Source) -> Vec<String> {
    let lines = source.raw.lines().enumerate();
    let long = lines.filter(|(_, line)| line.chars().count() > COLUMNS_MAX);
    let told = |(index, line): (usize, &str)| {
        format!(
            "{}:{}: {} columns",
            source.path,
            index + 1,
            line.chars().count()
        )
    };
    long.map(told).collect()
}

#[test]
fn files_are_short() {
    hold(file_too_long);
    assert_eq!(file_too_long(&sample(&"\n".repeat(500))), [""; 0]);
    assert_eq!(
        file_too_long(&sample(&"\n".repeat(501))),
        ["src/x.rs: 501 lines"]
    );
}

fn file_too_long(source: &Source) -> Vec<String> {
    let lines = source.raw.lines().count();
    let told = (lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines", source.path));
    told.into_iter().collect()
}

#[test]
fn functions_fit_a_screen() {
    hold(functions_too_long);
    let function = |lines: usize| {
        format!(
            "fn f(a: [u8; 2])\n{{{}}}\nfn g();\n",
            "\n".repeat(lines - 2)
        )
    };
    assert_eq!(functions_too_long(&sample(&function(70))), [""; 0]);
    assert_eq!(
        functions_too_long(&sample(&function(71))),
        ["src/x.rs:1: fn f has 71 lines"]
    );
    let in_tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", function(99));
    assert_eq!(functions_too_long(&sample(&in_tests)), [""; 0]);
}

fn functions_too_long(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for start in words(&source.live, "fn") {
        let rest = &source.live[start..];
        let name: String = rest[2..]
            .trim_start()
            .chars()
            .take_while(|c| is_word(*c))
            .collect();
        let lines = rest[..item_len(rest)].lines().count();
        // A type such as `fn(u8)` has no name.
        if !name.is_empty() && lines > FUNCTION_LINES_MAX {
            found.push(source.at(start, format_args!("fn {name} has {lines} lines")));
        }
    }
    found
}

#[test]
fn nothing_is_left_to_do() {
    hold(unfinished);
    let note = concat!("// TO", "DO: later\nfn f() { to", "do!() }");
    let bad = ["src/x.rs:1: unfinished", "src/x.rs:2: unfinished"];
    assert_eq!(unfinished(&sample(note)), bad);
    assert_eq!(
        unfinished(&sample(concat!("// FIX", "ME\n// see fixmes"))),
        bad[..1]
    );
}

fn unfinished(source: &Source) -> Vec<String> {
    let in_comments = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("XX", "X"),
    ];
    let in_comments = in_comments
        .into_iter()
        .flat_map(|word| words(&source.raw, word));
    let in_code = ["todo!", "unimplemented!"];
    let in_code = in_code
        .into_iter()
        .flat_map(|word| words(&source.code, word));
    let all = in_comments.chain(in_code);
    all.map(|offset| source.at(offset, "unfinished")).collect()
}

#[test]
fn the_library_does_not_print() {
    hold(prints);
    let bad = "fn f() {\n    println!(\"dbg!\");\n    // print!\n    std::dbg!(1);\n}";
    assert_eq!(
        prints(&sample(bad)),
        ["src/x.rs:2: println!", "src/x.rs:4: dbg!"]
    );
    assert_eq!(prints(&Source::new("tests/x.rs", bad)), [""; 0]);
}

fn prints(source: &Source) -> Vec<String> {
    let names = ["println!", "print!", "eprintln!", "eprint!", "dbg!"];
    let all = names
        .into_iter()
        .flat_map(|name| words(&source.live, name).map(move |at| (at, name)));
    all.map(|(offset, name)| source.at(offset, name)).collect()
}

#[test]
fn nothing_is_unwrapped_without_a_proof() {
    hold(unproven);
    let bad = "fn f() {
        a.unwrap();
        a.unwrap_err();
        a.expect(text);
        a.expect(\"oops\");
        a.expect(\"the length was checked above\");
        a.unwrap_or(1).map(Option::unwrap);
    }
    #[cfg(test)]
    mod tests {
        fn g() { a.unwrap(); }
    }
    #[cfg(test)]
    fn h() { a.unwrap() }";
    let told = [
        "src/x.rs:2: unwrap without a proof",
        "src/x.rs:7: unwrap without a proof",
        "src/x.rs:3: unwrap_err without a proof",
        "src/x.rs:4: expect without a proof",
        "src/x.rs:5: expect without a proof",
    ];
    assert_eq!(unproven(&sample(bad)), told);
}

fn unproven(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    for name in ["unwrap", "unwrap_err", "expect", "expect_err"] {
        for offset in words(&source.live, name) {
            let is_called = source.live[..offset].ends_with(['.', ':']);
            let argument = &source.raw[offset + name.len()..];
            if is_called && !(name.starts_with("expect") && is_proof(argument)) {
                found.push(source.at(offset, format_args!("{name} without a proof")));
            }
        }
    }
    found
}

/// Whether an argument list begins with a message that can be a reason: three words or more.
fn is_proof(argument: &str) -> bool {
    let text = argument.strip_prefix('(').map(str::trim_start);
    let message = text.and_then(|text| text.strip_prefix('"')?.split('"').next());
    message.is_some_and(|message| message.split_whitespace().count() >= 3)
}

#[test]
fn only_time_reads_a_clock() {
    hold(clocks);
    let bad = "fn f() { Instant::now();\nstd::time::SystemTime::now();\nstart.elapsed() }";
    let told = [
        "src/x.rs:1: reads a clock",
        "src/x.rs:2: reads a clock",
        "src/x.rs:3: reads a clock",
    ];
    assert_eq!(clocks(&sample(bad)), told);
    assert_eq!(clocks(&Source::new("src/time.rs", bad)), [""; 0]);
}

fn clocks(source: &Source) -> Vec<String> {
    if source.path == "src/time.rs" {
        return Vec::new();
    }
    let mut found: Vec<usize> = ["Instant::now", "SystemTime::now", "elapsed()"]
        .into_iter()
        .flat_map(|name| words(&source.live, name))
        .collect();
    found.sort_unstable();
    found
        .into_iter()
        .map(|offset| source.at(offset, "reads a clock"))
        .collect()
}

#[test]
fn locks_come_from_sync() {
    hold(foreign_locks);
    let bad = "use std::sync::{Arc, atomic::AtomicU32, Mutex};
        type A = std::sync::Condvar;
        use std::sync;";
    let told = [
        "src/x.rs:1: std/sync/Mutex instead of crate::sync",
        "src/x.rs:2: std/sync/Condvar instead of crate::sync",
        "src/x.rs:3: std/sync instead of crate::sync",
    ];
    assert_eq!(foreign_locks(&sample(bad)), told);
    assert_eq!(foreign_locks(&Source::new("src/sync.rs", bad)), [""; 0]);
}

fn foreign_locks(source: &Source) -> Vec<String> {
    let exempt = ["src/sync.rs", "src/time.rs", "src/conn/"];
    if exempt.iter().any(|path| source.path.starts_with(path)) {
        return Vec::new();
    }
    let locks = [
        "std/sync",
        "std/sync/self",
        "std/sync/*",
        "std/sync/Mutex",
        "std/sync/RwLock",
        "std/sync/Condvar",
    ];
    let paths = paths(&source.live, "std").into_iter();
    let named = paths.filter(|(_, path)| locks.contains(&path.as_str()));
    named
        .map(|(offset, path)| source.at(offset, format_args!("{path} instead of crate::sync")))
        .collect()
}

/// Asserts that no source of the package violates `rule`.
fn hold(rule: fn(&Source) -> Vec<String>) {
    let mut files = Vec::new();
    for folder in ["src", "tests", "examples"] {
        collect(&root().join(folder), &mut files);
    }
    assert!(
        files.iter().any(|source| source.path == "src/lib.rs"),
        "no sources found"
    );
    let found: Vec<String> = files.iter().flat_map(rule).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn collect(folder: &Path, files: &mut Vec<Source>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return;
    };
    for entry in entries.map(Result::unwrap) {
        let path = entry.path();
        if path.is_dir() && path.file_name().is_some_and(|name| name != "target") {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path
                .strip_prefix(root())
                .unwrap()
                .to_string_lossy()
                .replace('\\', "/");
            files.push(Source::new(&name, &fs::read_to_string(&path).unwrap()));
        }
    }
}

fn sample(text: &str) -> Source {
    Source::new("src/x.rs", text)
}
