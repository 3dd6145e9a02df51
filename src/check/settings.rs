//! The producer's settings against the topic's: sizes, compression, and what `acks` is worth.

use crate::compress::Compression;
use crate::config::{Acks, Config};
use crate::wire::describe_configs::DescribedConfigs;
use crate::wire::metadata::MetadataPartition;

use super::report::{CheckStage, Finding, Verdict};
use super::walk::listed;

/// What the producer is set to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted {
    pub(super) acks: Acks,
    pub(super) batch_bytes: usize,
    pub(super) record_bytes: usize,
    pub(super) compression: Compression,
}

/// What the cluster says of a topic.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// By index: the number of replicas, and of those in sync.
    replicas: Vec<(i32, usize, usize)>,
    message_bytes_max: Option<usize>,
    isr_min: Option<usize>,
    compression: Option<String>,
    /// Why settings of the topic are not known.
    unknown: String,
}

impl Wanted {
    pub(super) fn new(config: &Config, compression: Compression) -> Self {
        Self {
            acks: config.acks,
            batch_bytes: config.batch_size,
            record_bytes: config.max_request_size,
            compression,
        }
    }
}

impl Facts {
    pub(super) fn new(
        partitions: &[MetadataPartition],
        configs: Result<DescribedConfigs, String>,
    ) -> Self {
        let number = |configs: &DescribedConfigs, key: &str| configs.value(key)?.parse().ok();
        let known = configs.as_ref().ok();
        Self {
            replicas: partitions
                .iter()
                .map(|one| (one.index, one.replicas.len(), one.isr.len()))
                .collect(),
            message_bytes_max: known.and_then(|all| number(all, "max.message.bytes")),
            isr_min: known.and_then(|all| number(all, "min.insync.replicas")),
            compression: known.and_then(|all| all.value("compression.type").map(str::to_owned)),
            unknown: configs
                .err()
                .unwrap_or_else(|| "the broker does not tell it".into()),
        }
    }

    /// A topic with a codec of its own makes its brokers compress every batch again.
    pub(super) fn recompressed(&self, wanted: &Wanted) -> Option<Finding> {
        let theirs = self.compression.as_deref()?;
        let ours = wanted.compression.name();
        let is_same = theirs == ours || (theirs == "uncompressed" && ours == "none");
        if theirs == "producer" || is_same {
            return None;
        }
        let text = format!(
            "the topic's compression.type is {theirs}, the producer's {ours}: the broker \
             compresses every batch again"
        );
        let advice = "set both alike, or compression.type=producer for the topic";
        Some(Finding::new(CheckStage::Topic, Verdict::Warning, text).advise(advice))
    }

    pub(super) fn size(&self, wanted: &Wanted) -> Finding {
        let stage = CheckStage::Size;
        let Some(bytes_max) = self.message_bytes_max else {
            let text = format!("max.message.bytes is unknown: {}", self.unknown);
            return Finding::new(stage, Verdict::Skipped, text);
        };
        let Wanted {
            batch_bytes,
            record_bytes,
            ..
        } = *wanted;
        if batch_bytes > bytes_max {
            let text = format!(
                "batch.size is {batch_bytes}, the topic takes batches of {bytes_max} bytes: larger \
                 ones are refused, split and sent again, and a larger record fails"
            );
            let advice =
                format!("set batch.size to {bytes_max} or less, or raise max.message.bytes");
            return Finding::new(stage, Verdict::Warning, text).advise(advice);
        }
        if record_bytes > bytes_max {
            let text = format!(
                "max.request.size is {record_bytes}, the topic takes batches of {bytes_max} bytes: \
                 records between the two are refused by the broker"
            );
            let advice = format!(
                "set max.request.size to {bytes_max} or less, so that the client refuses them, or \
                 raise max.message.bytes"
            );
            return Finding::new(stage, Verdict::Warning, text).advise(advice);
        }
        let text = format!(
            "{bytes_max}, with batch.size {batch_bytes} and max.request.size {record_bytes}"
        );
        Finding::new(stage, Verdict::Ok, text)
    }

    /// What an acknowledgement is worth; never empty.
    pub(super) fn durability(&self, wanted: &Wanted) -> Vec<Finding> {
        let copies = self.replicas.iter().map(|(_, replicas, _)| *replicas).min();
        let copies = copies.unwrap_or(0);
        let worth = self.worth(wanted.acks, copies);
        let found: Vec<Finding> = self.in_sync(wanted).into_iter().chain(worth).collect();
        if !found.is_empty() {
            return found;
        }
        let isr_min = self.isr_min.unwrap_or_default();
        let text = format!("acks=all, {copies} replicas, min.insync.replicas={isr_min}");
        vec![said(Verdict::Ok, text)]
    }

    /// The state of the replicas now, if it is bad.
    fn in_sync(&self, wanted: &Wanted) -> Option<Finding> {
        if let Some((indexes, isr_min)) = self.refusing(wanted) {
            let text = format!(
                "fewer replicas are in sync than min.insync.replicas={isr_min} in partition \
                 {indexes}: with acks=all, sends fail now with NOT_ENOUGH_REPLICAS"
            );
            let finding = said(Verdict::Failure, text);
            return Some(finding.advise("bring the brokers of the other replicas back"));
        }
        let lags = |(_, replicas, in_sync): &&(i32, usize, usize)| in_sync < replicas;
        let lagging: Vec<i32> = self.replicas.iter().filter(lags).map(|one| one.0).collect();
        if lagging.is_empty() {
            return None;
        }
        let indexes = listed(&lagging);
        let text = format!("not all replicas are in sync in partition {indexes}");
        let finding = said(Verdict::Warning, text);
        Some(finding.advise("see why brokers of the topic are down or behind"))
    }

    /// What the settings of both sides come to, as far as that is less than it could be.
    fn worth(&self, acks: Acks, copies: usize) -> Vec<Finding> {
        let weak = |text: &str, advice: &str| said(Verdict::Warning, text).advise(advice);
        let replicas = match (acks, copies, self.isr_min) {
            (_, 1, _) => Some(weak(
                "the topic has one replica: records are lost with its disk",
                "give the topic a replication factor of 3",
            )),
            (Acks::All, _, Some(1)) => Some(weak(
                "acks=all with min.insync.replicas=1: while the other replicas are behind, the \
                 leader alone acknowledges, and its records are lost with it",
                "set min.insync.replicas=2 for the topic",
            )),
            (Acks::All, _, None) => {
                let text = format!("min.insync.replicas is unknown: {}", self.unknown);
                Some(said(Verdict::Skipped, text))
            }
            _ => None,
        };
        let acknowledgement = match acks {
            Acks::All => None,
            Acks::Leader => Some(weak(
                "acks=1: an acknowledged record is lost if the leader dies before another replica \
                 has fetched it",
                "set acks=all, or enable.idempotence=true",
            )),
            Acks::None => Some(weak(
                "acks=0: nobody tells whether a record was written",
                "set acks=all, or enable.idempotence=true",
            )),
        };
        replicas.into_iter().chain(acknowledgement).collect()
    }

    /// The partitions that refuse `acks=all` now. A leader never waits for more replicas than there
    /// are.
    fn refusing(&self, wanted: &Wanted) -> Option<(String, usize)> {
        let isr_min = self.isr_min.filter(|_| wanted.acks == Acks::All)?;
        let refuses =
            |(_, replicas, in_sync): &&(i32, usize, usize)| *in_sync < isr_min.min(*replicas);
        let refusing: Vec<i32> = self
            .replicas
            .iter()
            .filter(refuses)
            .map(|one| one.0)
            .collect();
        (!refusing.is_empty()).then(|| (listed(&refusing), isr_min))
    }
}

fn said(verdict: Verdict, text: impl AsRef<str>) -> Finding {
    Finding::new(CheckStage::Durability, verdict, text)
}
