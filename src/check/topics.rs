//! The topics: whether they are there, have leaders, and may be written to; then their settings.

use crate::error::{Error, ErrorKind};
use crate::wire::codes::Code;
use crate::wire::describe_configs::{ConfigResource, DescribedConfigs};
use crate::wire::metadata::{MetadataPartition, MetadataTopic, Operations};

use super::Check;
use super::listeners::{Brokers, describe, not_described};
use super::report::{CheckReport, CheckStage, Finding, Verdict};
use super::settings::{Facts, Wanted};
use super::walk::{Arrival, listed};

/// The first Metadata version that tells what the client may do (KIP-430).
const TELLS_OPERATIONS: i16 = 8;
/// The first of brokers that let every writer be idempotent (KIP-679 came with 2.8 as well).
const ALL_ARE_IDEMPOTENT: i16 = 11;

/// The settings of a topic that matter here.
const KEYS: [&str; 5] = [
    "cleanup.policy",
    "compression.type",
    "max.message.bytes",
    "message.timestamp.type",
    "min.insync.replicas",
];

impl Check<'_> {
    pub(super) fn topics(
        &self,
        topics: &[&str],
        told: Option<&mut Arrival>,
        brokers: &Brokers,
        report: &mut CheckReport,
    ) -> Result<(), Error> {
        let Some(told) = told else {
            for topic in topics {
                let text = "not looked at: no broker told of it";
                let finding = Finding::new(CheckStage::Topic, Verdict::Skipped, text);
                report.push(finding.of(topic));
            }
            return Ok(());
        };
        self.idempotent_write(told, report);
        for topic in topics {
            for finding in self.topic(topic, told, brokers)? {
                report.push(finding.of(topic));
            }
        }
        Ok(())
    }

    fn topic(
        &self,
        name: &str,
        told: &mut Arrival,
        brokers: &Brokers,
    ) -> Result<Vec<Finding>, Error> {
        if let Err(error) = crate::record::check_topic(name) {
            let text = error.to_string();
            return Ok(vec![failure(CheckStage::Topic, text).caused_by(error)]);
        }
        let mut all = told.metadata.topics.iter();
        let is_it = |topic: &&MetadataTopic| topic.name.as_deref() == Some(name);
        let Some(topic) = all.find(is_it).cloned() else {
            let text = "the broker's answer does not have it";
            return Ok(vec![failure(CheckStage::Topic, text)]);
        };
        if !topic.error.is_ok() {
            return Ok(vec![self.absent(name, topic.error, brokers)]);
        }
        let configs = self.configs(name, told)?;
        let mut found = vec![
            leaders(&topic, &configs),
            self.may_write(name, &topic, told),
        ];
        let facts = Facts::new(&topic.partitions, configs);
        let compression = self.config.topic_rules().of(name).compression;
        let wanted = Wanted::new(self.config, compression);
        found.extend(facts.recompressed(&wanted));
        found.push(facts.size(&wanted));
        found.extend(facts.durability(&wanted));
        Ok(found)
    }

    fn may_write(&self, name: &str, topic: &MetadataTopic, told: &Arrival) -> Finding {
        let stage = CheckStage::Permission;
        match topic.operations {
            Some(all) if all.has(Operations::WRITE) => {
                Finding::new(stage, Verdict::Ok, "Write is granted")
            }
            Some(_) => {
                let kind = ErrorKind::Authorization;
                let error = Error::new(kind, format!("topic {name}: Write is not granted"));
                let code = Code::TOPIC_AUTHORIZATION_FAILED.0;
                let text = format!("Write is not granted; {}", self.connector.principal());
                failure(stage, text)
                    .advise(format!("grant the principal Write on topic {name}"))
                    .caused_by(error.with_code(code))
            }
            None if told.metadata_version < TELLS_OPERATIONS => {
                let text = "whether Write is granted is unknown: brokers tell it from 2.3 on";
                Finding::new(stage, Verdict::Skipped, text)
            }
            None => {
                let text = "whether Write is granted is unknown: the broker does not tell";
                Finding::new(stage, Verdict::Skipped, text)
            }
        }
    }

    fn configs(
        &self,
        name: &str,
        told: &mut Arrival,
    ) -> Result<Result<DescribedConfigs, String>, Error> {
        let Some(deadline) = self.share(1) else {
            return Ok(Err("no time was left to ask".into()));
        };
        let resource = ConfigResource {
            kind: ConfigResource::TOPIC,
            name: name.to_owned(),
            keys: Some(KEYS.map(str::to_owned).to_vec()),
        };
        let described = describe(&mut told.connection, resource, deadline)?;
        Ok(described.and_then(|result| match result.error {
            Code::NONE => Ok(result),
            code => Err(not_described(code)),
        }))
    }

    fn absent(&self, name: &str, code: Code, brokers: &Brokers) -> Finding {
        let text = match code {
            Code::UNKNOWN_TOPIC_OR_PARTITION => "the topic does not exist".to_owned(),
            Code::TOPIC_AUTHORIZATION_FAILED => {
                format!(
                    "{code}: not even Describe is granted; {}",
                    self.connector.principal()
                )
            }
            code => format!("{code}: {}", code.meaning()),
        };
        let advice = match code {
            Code::UNKNOWN_TOPIC_OR_PARTITION => {
                if self.config.allow_auto_create_topics && brokers.auto_create == Some(true) {
                    let text = format!("{text} yet; the first send creates it");
                    return Finding::new(CheckStage::Topic, Verdict::Warning, text)
                        .advise("create it with the partitions and replicas that it should have");
                }
                format!("create it, or correct the name {name:?}")
            }
            Code::TOPIC_AUTHORIZATION_FAILED => {
                format!("grant the principal Write on topic {name}, which implies Describe")
            }
            _ => "the broker's log says more".into(),
        };
        let kind = match code {
            Code::UNKNOWN_TOPIC_OR_PARTITION => ErrorKind::UnknownTopic,
            Code::TOPIC_AUTHORIZATION_FAILED => ErrorKind::Authorization,
            Code::INVALID_TOPIC_EXCEPTION => ErrorKind::InvalidTopic,
            _ => ErrorKind::Broker,
        };
        let error = Error::new(kind, format!("topic {name}: {text}")).with_code(code.0);
        failure(CheckStage::Topic, text)
            .advise(advice)
            .caused_by(error)
    }

    /// Brokers before 2.8 want a permission of its own of idempotent producers.
    fn idempotent_write(&self, told: &Arrival, report: &mut CheckReport) {
        let version = told.metadata_version;
        if !self.config.idempotence || version >= ALL_ARE_IDEMPOTENT {
            return;
        }
        let stage = CheckStage::Permission;
        let finding = match told.metadata.operations {
            None => {
                let text =
                    "whether IdempotentWrite is granted is unknown: the broker does not tell";
                Finding::new(stage, Verdict::Skipped, text)
            }
            Some(all) if all.has(Operations::IDEMPOTENT_WRITE) => {
                Finding::new(stage, Verdict::Ok, "IdempotentWrite is granted")
            }
            Some(_) => {
                let text = "IdempotentWrite on the cluster is not granted, which \
                    enable.idempotence needs at brokers before 2.8";
                failure(stage, text).advise(
                    "grant the principal IdempotentWrite on the cluster, or upgrade the brokers; a \
                     broker from 2.8 on does not need it",
                )
            }
        };
        report.push(finding.at(&told.address, None));
    }
}

fn failure(stage: CheckStage, text: impl AsRef<str>) -> Finding {
    Finding::new(stage, Verdict::Failure, text)
}

fn leaders(topic: &MetadataTopic, configs: &Result<DescribedConfigs, String>) -> Finding {
    let stage = CheckStage::Topic;
    if topic.partitions.is_empty() {
        return failure(stage, "the topic has no partitions").advise("it may be new: check again");
    }
    let has_none = |partition: &&MetadataPartition| partition.leader_id < 0;
    let without: Vec<&MetadataPartition> = topic.partitions.iter().filter(has_none).collect();
    if !without.is_empty() {
        let indexes: Vec<i32> = without.iter().map(|partition| partition.index).collect();
        let mut holders: Vec<i32> = without
            .iter()
            .flat_map(|one| one.replicas.clone())
            .collect();
        holders.sort_unstable();
        holders.dedup();
        let text = format!("no leader of partition {}", listed(&indexes));
        return failure(stage, text).advise(format!(
            "start the brokers that have replicas of it: {}",
            listed(&holders)
        ));
    }
    let value = |key| configs.as_ref().ok().and_then(|configs| configs.value(key));
    let mut text = format!("{} partitions, all with a leader", topic.partitions.len());
    if value("cleanup.policy").is_some_and(|policy| policy.contains("compact")) {
        text.push_str("; compacted: every record needs a key");
    }
    if value("message.timestamp.type") == Some("LogAppendTime") {
        text.push_str("; records get the broker's time");
    }
    Finding::new(stage, Verdict::Ok, text)
}
