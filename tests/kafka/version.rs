//! The Kafka versions of the tests and their jars, which Maven fetches once.

use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use super::once;

/// A version of Apache Kafka.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Version {
    /// KRaft; produce requests 3 to 13, transactions of both protocols.
    V4_3_1,
    /// KRaft; the last that still speaks every old request.
    V3_9_2,
    /// ZooKeeper; the last with produce requests up to 9 and flexible messages.
    V2_8_2,
    /// ZooKeeper; the oldest that a client of Kafka 4 talks to.
    V2_1_1,
    /// ZooKeeper; the first with record batches, idempotence and transactions.
    V0_11_0_3,
}

/// One jar and what it needs: group, artifact, version.
type Artifact = (&'static str, &'static str, &'static str);

const KAFKA: &str = "org.apache.kafka";
/// The last of 3.4 that resolves `127.0.0.1` on Java 14 and later.
const OLD_ZOOKEEPER: Artifact = ("org.apache.zookeeper", "zookeeper", "3.4.10");
/// Left the JDK with Java 11; Kafka 0.11 needs it.
const JAXB: Artifact = ("javax.xml.bind", "jaxb-api", "2.3.1");

impl Version {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::V4_3_1 => "4.3.1",
            Self::V3_9_2 => "3.9.2",
            Self::V2_8_2 => "2.8.2",
            Self::V2_1_1 => "2.1.1",
            Self::V0_11_0_3 => "0.11.0.3",
        }
    }

    /// Whether brokers of this version keep their metadata themselves; the others need ZooKeeper.
    pub(crate) fn is_kraft(self) -> bool {
        matches!(self, Self::V4_3_1 | Self::V3_9_2)
    }

    /// The version whose tools and clients talk to this one: clients of Kafka 4 refuse brokers
    /// before 2.1, and the tools before 3 print less.
    pub(super) fn tools(self) -> Self {
        match self {
            Self::V4_3_1 => Self::V4_3_1,
            _ => Self::V3_9_2,
        }
    }

    /// The class path of this version, fetched if it is not there yet.
    pub(crate) fn class_path(self) -> String {
        format!("{}/*", self.jars().display())
    }

    fn jars(self) -> PathBuf {
        let pom = self.pom();
        let place = once(self.name(), &pom, |directory| fetch(directory, &pom));
        place.join("jars")
    }

    fn artifacts(self) -> Vec<Artifact> {
        let name = self.name();
        match self {
            Self::V4_3_1 => vec![
                (KAFKA, "kafka_2.13", name),
                (KAFKA, "kafka-tools", name),
                ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4"),
            ],
            Self::V3_9_2 => vec![
                (KAFKA, "kafka_2.13", name),
                (KAFKA, "kafka-tools", name),
                ("org.slf4j", "slf4j-reload4j", "1.7.36"),
            ],
            Self::V2_8_2 => vec![
                (KAFKA, "kafka_2.13", name),
                ("org.slf4j", "slf4j-reload4j", "1.7.36"),
            ],
            Self::V2_1_1 => vec![
                (KAFKA, "kafka_2.12", name),
                OLD_ZOOKEEPER,
                ("org.slf4j", "slf4j-log4j12", "1.7.25"),
            ],
            Self::V0_11_0_3 => vec![
                (KAFKA, "kafka_2.12", name),
                OLD_ZOOKEEPER,
                JAXB,
                ("org.slf4j", "slf4j-log4j12", "1.7.25"),
            ],
        }
    }

    fn pom(self) -> String {
        let mut pom = String::from(POM_START);
        for (group, artifact, version) in self.artifacts() {
            let _ = writeln!(pom, "<dependency><groupId>{group}</groupId>");
            let _ = writeln!(pom, "<artifactId>{artifact}</artifactId>");
            let _ = writeln!(pom, "<version>{version}</version></dependency>");
        }
        pom + "</dependencies>\n</project>\n"
    }
}

const POM_START: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
<modelVersion>4.0.0</modelVersion>
<groupId>milena</groupId><artifactId>kafka-for-tests</artifactId><version>1</version>
<dependencies>
"#;

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Downloads come through whatever repository Maven is set up for, which may fail now and then.
fn fetch(directory: &Path, pom: &str) {
    let file = directory.join("pom.xml");
    std::fs::write(&file, pom).expect("write pom.xml");
    let mut output = String::new();
    for _ in 0..3 {
        let maven = Command::new("mvn")
            .args(["-q", "-B", "-f"])
            .arg(&file)
            .arg("dependency:copy-dependencies")
            .arg(format!(
                "-DoutputDirectory={}",
                directory.join("jars").display()
            ))
            .output()
            .expect("start mvn; tests/run installs it");
        if maven.status.success() {
            return;
        }
        output = String::from_utf8_lossy(&maven.stdout).into_owned();
    }
    panic!("mvn cannot fetch the jars of {}:\n{output}", file.display());
}
