//! Brokers that send what no broker should, in answer to everything that the client asks. Whatever
//! it is: the connection is closed, nothing is taken for an acknowledgement, the error names the
//! cause, and records are delivered again once the broker behaves.

mod answers;
mod bytes;
mod memory;
mod order;
mod peer;
mod security;
mod versions;

use std::time::Duration;

use milena::mock::{Api, MockCluster};
use milena::{Config, Error, Producer, SecurityProtocol};

use crate::support::{config, failed, send};

/// What the client asks brokers.
const ASKED: [Api; 6] = [
    Api::ApiVersions,
    Api::SaslHandshake,
    Api::SaslAuthenticate,
    Api::Metadata,
    Api::InitProducerId,
    Api::Produce,
];

/// Settings under which `api` is asked, without patience. Nothing is sent twice unless idempotence,
/// which InitProducerId needs, makes that safe.
fn asking(cluster: &MockCluster, api: Api) -> Config {
    let limit = Duration::from_millis(400);
    let config = config(cluster)
        .max_block(limit)
        .request_timeout(limit)
        .delivery_timeout(Duration::from_millis(800))
        .batch_size(0);
    match api {
        Api::SaslHandshake | Api::SaslAuthenticate => {
            cluster.sasl_plain("alice", "s3cret");
            let security = SecurityProtocol::SaslPlaintext;
            config
                .sasl_plain("alice", "s3cret")
                .security_protocol(security)
        }
        Api::InitProducerId => config.idempotence(true),
        _ => config,
    }
}

/// Sends until the error is about what the broker said: on a slow machine it may have said nothing
/// yet.
#[track_caller]
fn told(producer: &Producer) -> Error {
    for _ in 0..20 {
        let error = failed(&send(producer, 0, "spoiled"));
        if !error.to_string().contains("no broker has answered yet") {
            return error;
        }
    }
    panic!("the broker is never heard");
}

/// Runs every row, several at a time: most of the time they wait.
fn for_each<T: Sync>(rows: &[T], run: impl Fn(&T) + Sync) {
    const AT_A_TIME: usize = 8;
    let run = &run;
    std::thread::scope(|scope| {
        for start in 0..AT_A_TIME {
            scope.spawn(move || rows.iter().skip(start).step_by(AT_A_TIME).for_each(run));
        }
    });
}

/// The newest form of a message in tests/golden/wire.txt.
fn golden(name: &str) -> Vec<u8> {
    let lines = include_str!("../../golden/wire.txt").lines();
    let mut all = lines.filter(|line| line.split(' ').next() == Some(name));
    let newest = all.next_back();
    let digits = newest.and_then(|line| line.split(' ').nth(2));
    let digits = digits.unwrap_or_else(|| panic!("no {name} in tests/golden/wire.txt"));
    let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).expect("digits");
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// The body of a good answer to `api`, of another cluster.
fn golden_answer(api: Api) -> Vec<u8> {
    golden(&format!("{api:?}Response"))
}
