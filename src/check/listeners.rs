//! The addresses that the cluster tells clients to use: whether they lead from here to the brokers
//! that they are said to be.

use std::net::IpAddr;

use crate::conn::{Address, Connection};
use crate::error::{Error, ErrorKind};
use crate::time::Deadline;
use crate::wire::codes::Code;
use crate::wire::describe_configs::{ConfigResource, DescribeConfigsRequest, DescribedConfigs};
use crate::wire::metadata::MetadataBroker;

use super::advice::{Origin, Reach, advice, bare};
use super::report::{CheckReport, CheckStage, Finding, Verdict};
use super::walk::{Arrival, Lost};
use super::{Check, is_same, other_cluster};

/// More than any cluster has; the others are not gone to.
const BROKERS_MAX: usize = 500;

/// What the brokers said of themselves.
#[derive(Debug, Default)]
pub(super) struct Brokers {
    /// `auto.create.topics.enable`, if any of them told it.
    pub(super) auto_create: Option<bool>,
}

/// Whether a broker is the one that the cluster says it is.
enum Identity {
    Same(DescribedConfigs),
    Other(String),
    Unknown(String),
}

impl Check<'_> {
    /// Goes to every broker that the first arrival told of.
    pub(super) fn listeners(
        &self,
        arrivals: &mut [Arrival],
        report: &mut CheckReport,
    ) -> Result<Brokers, Error> {
        let mut known = Brokers::default();
        let Some(first) = arrivals.first() else {
            let text = "not looked at: no bootstrap server told of its cluster";
            report.push(Finding::new(CheckStage::Listener, Verdict::Skipped, text));
            return Ok(known);
        };
        let told = first.metadata.brokers.clone();
        let left_out = told.len().saturating_sub(BROKERS_MAX);
        for (index, broker) in told.iter().take(BROKERS_MAX).enumerate() {
            let parts = told.len() - index + 1;
            let finding = self.listener(broker, &told, arrivals, parts, &mut known)?;
            let Ok(port) = u16::try_from(broker.port) else {
                let place = format!("{}:{}", broker.host, broker.port);
                report.push(finding.at(place, Some(broker.node_id)));
                continue;
            };
            let host = broker.host.clone();
            report.push(finding.at(Address { host, port }, Some(broker.node_id)));
        }
        if left_out > 0 {
            let text = format!("{left_out} more brokers were not looked at");
            report.push(Finding::new(CheckStage::Listener, Verdict::Skipped, text));
        }
        Ok(known)
    }

    fn listener(
        &self,
        broker: &MetadataBroker,
        told: &[MetadataBroker],
        arrivals: &mut [Arrival],
        parts: usize,
        known: &mut Brokers,
    ) -> Result<Finding, Error> {
        let set_it = || {
            let id = broker.node_id;
            format!("set advertised.listeners of broker {id} to an address that works for clients")
        };
        let Some(address) = address_of(broker) else {
            let text = "the broker advertises what is no address";
            return Ok(failure(text).advise(set_it()));
        };
        let is_other = |other: &&MetadataBroker| {
            other.node_id != broker.node_id
                && (&other.host, other.port) == (&broker.host, broker.port)
        };
        if let Some(other) = told.iter().find(is_other) {
            let text = format!("broker {} advertises the same address", other.node_id);
            return Ok(failure(text).advise(set_it()));
        }
        let Some(deadline) = self.share(parts) else {
            return Ok(self.no_time(CheckStage::Listener));
        };
        let is_here = |one: &&mut Arrival| is_same(&one.address, &address.host, address.port);
        if let Some(arrival) = arrivals.iter_mut().find(is_here) {
            return self.met(broker, &mut arrival.connection, deadline, known);
        }
        let first = &arrivals[0];
        let mut problems = Vec::new();
        let walked = self.walk(&address, &[], deadline, |finding| {
            if finding.verdict() == Verdict::Failure {
                problems.push(finding);
            }
        });
        let mut arrival = match walked {
            Ok(arrival) => arrival,
            Err(lost) if lost.error.kind() == ErrorKind::Closed => return Err(lost.error),
            Err(lost) => return Ok(unreachable(&lost, &address, broker.node_id, first)),
        };
        if let Some(problem) = problems.into_iter().next() {
            return Ok(problem);
        }
        if let Some((theirs, ours)) = other_cluster(&arrival, first) {
            let text = format!("the address leads to cluster {theirs}, not to {ours}");
            return Ok(failure(hinted(text, &[], arrival_ip(&arrival), first)).advise(set_it()));
        }
        self.met(broker, &mut arrival.connection, deadline, known)
    }

    /// Asks a broker whether it is the one.
    fn met(
        &self,
        broker: &MetadataBroker,
        connection: &mut Connection,
        deadline: Deadline,
        known: &mut Brokers,
    ) -> Result<Finding, Error> {
        let id = broker.node_id;
        Ok(match identify(connection, id, deadline)? {
            Identity::Same(configs) => {
                let creates = configs.value("auto.create.topics.enable");
                known.auto_create = known.auto_create.or(creates.map(|value| value == "true"));
                Finding::new(
                    CheckStage::Listener,
                    Verdict::Ok,
                    format!("leads to broker {id}"),
                )
            }
            Identity::Other(said) => {
                failure(format!("leads to another broker: {said}")).advise(format!(
                    "correct advertised.listeners of broker {id}, or what stands between: a proxy, \
                     a load balancer, a forwarded port"
                ))
            }
            Identity::Unknown(why) => {
                let text =
                    format!("leads to a broker; whether it is broker {id} is unknown: {why}");
                Finding::new(CheckStage::Listener, Verdict::Ok, text)
            }
        })
    }
}

fn failure(text: impl AsRef<str>) -> Finding {
    Finding::new(CheckStage::Listener, Verdict::Failure, text)
}

fn unreachable(lost: &Lost, address: &Address, id: i32, first: &Arrival) -> Finding {
    let Lost {
        stage,
        error,
        found,
    } = lost;
    let text = format!("{stage}: {}", bare(error, address));
    let found: Vec<IpAddr> = found.iter().map(|one| one.ip()).collect();
    let text = hinted(text, &found, None, first);
    failure(text)
        .advise(advice(*stage, error, address, Origin::Advertised(id)))
        .caused_by(error.clone())
}

/// Adds that the advertised address reaches less far than the way by which the client has come.
fn hinted(text: String, found: &[IpAddr], peer: Option<IpAddr>, first: &Arrival) -> String {
    let Some(bootstrap) = arrival_ip(first).map(Reach::of) else {
        return text;
    };
    let reaches = found.iter().copied().chain(peer).map(Reach::of);
    match reaches.max().filter(|reach| *reach < bootstrap) {
        Some(reach) => format!("{text} ({})", reach.hint()),
        None => text,
    }
}

fn arrival_ip(arrival: &Arrival) -> Option<IpAddr> {
    arrival.peer.map(|peer| peer.ip())
}

fn address_of(broker: &MetadataBroker) -> Option<Address> {
    let port = u16::try_from(broker.port).ok().filter(|port| *port != 0)?;
    let host = broker.host.clone();
    (!host.is_empty()).then_some(Address { host, port })
}

/// Only the broker itself tells its settings, and any other refuses: the one way to find out who
/// one speaks with. It fails only if the producer is closed meanwhile.
fn identify(connection: &mut Connection, id: i32, deadline: Deadline) -> Result<Identity, Error> {
    let resource = ConfigResource {
        kind: ConfigResource::BROKER,
        name: id.to_string(),
        keys: Some(vec!["auto.create.topics.enable".into()]),
    };
    let result = match describe(connection, resource, deadline)? {
        Ok(result) => result,
        Err(why) => return Ok(Identity::Unknown(why)),
    };
    let said = result.error_message.clone();
    Ok(match result.error {
        Code::NONE => Identity::Same(result),
        Code::INVALID_REQUEST => {
            Identity::Other(said.unwrap_or_else(|| Code::INVALID_REQUEST.meaning().into()))
        }
        code => Identity::Unknown(not_described(code)),
    })
}

/// The settings of one resource, or why nobody tells them.
pub(super) fn describe(
    connection: &mut Connection,
    resource: ConfigResource,
    deadline: Deadline,
) -> Result<Result<DescribedConfigs, String>, Error> {
    if connection.version::<DescribeConfigsRequest>().is_err() {
        return Ok(Err(
            "the broker is too old to tell its settings (it needs 1.1)".into(),
        ));
    }
    let request = DescribeConfigsRequest {
        resources: vec![resource],
    };
    match connection.call(&request, deadline) {
        Ok(mut response) => Ok(response
            .results
            .pop()
            .ok_or_else(|| "no answer to it".into())),
        Err(error) if error.kind() == ErrorKind::Closed => Err(error),
        Err(error) => Ok(Err(error.to_string())),
    }
}

pub(super) fn not_described(code: Code) -> String {
    match code {
        Code::CLUSTER_AUTHORIZATION_FAILED | Code::TOPIC_AUTHORIZATION_FAILED => {
            "not permitted: the principal lacks DescribeConfigs".into()
        }
        code => format!("{code}: {}", code.meaning()),
    }
}
