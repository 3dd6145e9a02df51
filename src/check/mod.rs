//! The check of a cluster before the first record: each stage in turn, from the names of the
//! brokers to what `acks` is worth. It only reads.

mod advice;
mod listeners;
mod report;
mod settings;
mod topics;
mod walk;

use crate::compress::Compression;
use crate::config::Config;
use crate::conn::{Address, Connection, Connector, Interrupt};
use crate::error::{Error, ErrorKind};
use crate::time::{Deadline, human, now};
use crate::wire::init_producer_id::InitProducerIdRequest;

use advice::{Origin, advice, bare};
pub use report::{CheckReport, CheckStage, Finding, Verdict};
use walk::{Arrival, Lost};

/// The first Produce version in which brokers take zstd (KIP-110).
const ZSTD_PRODUCE: i16 = 7;

/// One check, with connections of its own.
pub(crate) struct Check<'a> {
    pub(crate) config: &'a Config,
    pub(crate) connector: &'a Connector,
    pub(crate) interrupt: &'a Interrupt,
    pub(crate) deadline: Deadline,
}

impl Check<'_> {
    pub(crate) fn run(&self, topics: &[&str]) -> CheckReport {
        let mut report = CheckReport::default();
        if let Err(error) = self.stages(topics, &mut report) {
            report.push(refused(error));
        }
        report
    }

    /// Fails only if the producer is closed meanwhile.
    fn stages(&self, topics: &[&str], report: &mut CheckReport) -> Result<(), Error> {
        let legal: Vec<&str> = topics
            .iter()
            .copied()
            .filter(|name| is_legal(name))
            .collect();
        let mut arrivals = self.bootstrap(&legal, report)?;
        let brokers = self.listeners(&mut arrivals, report)?;
        let told = arrivals.first_mut();
        self.topics(topics, told, &brokers, report)
    }

    /// Goes to each bootstrap server. The first that has come far is the one that is asked further.
    fn bootstrap(&self, topics: &[&str], report: &mut CheckReport) -> Result<Vec<Arrival>, Error> {
        let servers = &self.config.bootstrap_servers;
        let mut arrivals: Vec<Arrival> = Vec::new();
        for (index, address) in servers.iter().enumerate() {
            // What comes behind the servers has a share too.
            let Some(deadline) = self.share(servers.len() - index + 1) else {
                report.push(self.no_time(CheckStage::Dns).at(address, None));
                continue;
            };
            let tell = |finding: Finding| report.push(finding.at(address, None));
            match self.walk(address, topics, deadline, tell) {
                Ok(arrival) => arrivals.extend(self.joined(arrival, arrivals.first(), report)),
                Err(lost) if lost.error.kind() == ErrorKind::Closed => return Err(lost.error),
                Err(Lost { stage, error, .. }) => report.push(
                    Finding::new(stage, Verdict::Failure, bare(&error, address))
                        .at(address, None)
                        .advise(advice(stage, &error, address, Origin::Bootstrap))
                        .caused_by(error),
                ),
            }
        }
        Ok(arrivals)
    }

    /// The arrival, if it is at the same cluster as those before it.
    fn joined(
        &self,
        arrival: Arrival,
        first: Option<&Arrival>,
        report: &mut CheckReport,
    ) -> Option<Arrival> {
        let wrong = |text: String| {
            let finding = Finding::new(CheckStage::Metadata, Verdict::Failure, text);
            finding.at(&arrival.address, None)
        };
        if arrival.metadata.brokers.is_empty() {
            let text = "the broker knows of no brokers in its cluster, not even itself";
            report
                .push(wrong(text.into()).advise("it may be starting: the broker's log says more"));
            return None;
        }
        if let Some(first) = first
            && let Some((other, first)) = other_cluster(&arrival, first)
        {
            let text = format!("it belongs to cluster {other}, others to {first}");
            let advice = "bootstrap.servers must name brokers of one cluster: leave the others out";
            report.push(wrong(text).advise(advice));
            return None;
        }
        Some(arrival)
    }

    /// A fair part of the time that is left, no longer than the set-up of a connection may take.
    fn share(&self, parts: usize) -> Option<Deadline> {
        let left = self.deadline.left(now());
        let parts = u32::try_from(parts).unwrap_or(u32::MAX).max(1);
        let limit = (left / parts).min(self.config.connection_setup_timeout);
        (!limit.is_zero()).then(|| Deadline::within(limit))
    }

    fn no_time(&self, stage: CheckStage) -> Finding {
        let limit = human(self.deadline.limit());
        let text = format!("not looked at: the check was given {limit}, which were over");
        Finding::new(stage, Verdict::Skipped, text).advise("give it more time")
    }
}

/// The only finding of a check that may not go on.
pub(crate) fn refused_report(error: Error) -> CheckReport {
    let mut report = CheckReport::default();
    report.push(refused(error));
    report
}

fn refused(error: Error) -> Finding {
    let text = error.to_string();
    Finding::new(CheckStage::Producer, Verdict::Failure, text).caused_by(error)
}

fn is_legal(topic: &str) -> bool {
    crate::record::check_topic(topic).is_ok()
}

/// Both ids, if the two are at different clusters.
fn other_cluster<'a>(one: &'a Arrival, other: &'a Arrival) -> Option<(&'a str, &'a str)> {
    let one = one.metadata.cluster_id.as_deref()?;
    let other = other.metadata.cluster_id.as_deref()?;
    (one != other).then_some((one, other))
}

/// What the settings need of the broker's version and it does not have.
fn requirements(
    config: &Config,
    topics: &[&str],
    connection: &Connection,
    produce: i16,
) -> Vec<Finding> {
    let mut unmet = Vec::new();
    let mut fail = |text: String, advice: &str| {
        let finding = Finding::new(CheckStage::ApiVersions, Verdict::Failure, text);
        unmet.push(finding.advise(advice));
    };
    if config.idempotence
        && let Err(error) = connection.version::<InitProducerIdRequest>()
    {
        let text = format!(
            "enable.idempotence is on: {}",
            bare(&error, connection.address())
        );
        fail(text, "upgrade the broker, or set enable.idempotence=false");
    }
    let rules = config.topic_rules();
    let of_topics = topics.iter().map(|topic| rules.of(topic).compression);
    let mut used = of_topics.chain([config.compression]);
    if produce < ZSTD_PRODUCE && used.any(|codec| codec == Compression::Zstd) {
        let text = format!(
            "compression.type is zstd, which brokers take with Produce version {ZSTD_PRODUCE}; \
             this one speaks {produce}"
        );
        fail(
            text,
            "choose gzip, snappy or lz4, or upgrade the broker to 2.1",
        );
    }
    unmet
}

/// Whether an address is this one, for brokers that advertise what bootstrap.servers has.
fn is_same(address: &Address, host: &str, port: u16) -> bool {
    address.port == port && address.host.eq_ignore_ascii_case(host)
}
