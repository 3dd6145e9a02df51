//! The mock cluster by raw sockets: what a client of any make sees of it.

mod answers;
mod brokers;
mod discard;
mod faults;
mod logins;
mod permissions;
mod produce;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::*;
use crate::wire::codes::Code;
use crate::wire::metadata::{MetadataRequest, MetadataResponse, MetadataTopic};
use crate::wire::produce::{
    ProducePartition, ProducePartitionResponse, ProduceRequest, ProduceTopic,
};
use crate::wire::record_batch::{BatchHeader, HEADER_LEN, RecordFields};
use crate::wire::{HeaderFacts, Request, TopicId, decode_response, frame};

/// Long enough for a machine that is busy.
const LIMIT: Duration = Duration::from_secs(20);

/// A client that knows nothing and checks everything.
struct Client {
    socket: TcpStream,
    correlation_id: i32,
}

impl Client {
    fn connect(cluster: &MockCluster, node: i32) -> Self {
        let socket = TcpStream::connect(cluster.address(node)).unwrap();
        socket.set_read_timeout(Some(LIMIT)).unwrap();
        socket.set_nodelay(true).unwrap();
        Self {
            socket,
            correlation_id: 100,
        }
    }

    /// Sends a request; returns its correlation id.
    fn send<R: Request>(&mut self, request: &R, version: i16) -> i32 {
        self.correlation_id += 1;
        let facts = HeaderFacts {
            correlation_id: self.correlation_id,
            client_id: "tester",
        };
        let bytes = frame(request, version, facts);
        self.socket.write_all(&bytes).unwrap();
        self.correlation_id
    }

    /// The next answer without its length; `None` if the broker has hung up before its end.
    fn frame(&mut self) -> Option<Vec<u8>> {
        let mut len = [0; 4];
        self.exact(&mut len)?;
        let mut frame = vec![0; usize::try_from(i32::from_be_bytes(len)).unwrap()];
        self.exact(&mut frame)?;
        Some(frame)
    }

    fn exact(&mut self, buffer: &mut [u8]) -> Option<()> {
        match self.socket.read_exact(buffer) {
            Ok(()) => Some(()),
            Err(error) => {
                let timed_out = [ErrorKind::WouldBlock, ErrorKind::TimedOut];
                assert!(!timed_out.contains(&error.kind()), "no answer");
                None
            }
        }
    }

    /// Sends a request and returns the answer.
    fn call<R: Request>(&mut self, request: &R, version: i16) -> R::Response {
        self.try_call(request, version).expect("an answer")
    }

    /// Sends a request; `None` if the broker hangs up.
    fn try_call<R: Request>(&mut self, request: &R, version: i16) -> Option<R::Response> {
        let sent = self.send(request, version);
        let frame = self.frame()?;
        let (correlation_id, response) = decode_response::<R>(&frame, version).unwrap();
        assert_eq!(correlation_id, sent);
        Some(response)
    }

    /// Whether the broker has hung up; waits for it.
    fn is_hung_up(&mut self) -> bool {
        self.frame().is_none()
    }

    /// What has come without waiting for more.
    fn is_silent(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        let peeked = self.socket.peek(&mut [0]);
        self.socket.set_nonblocking(false).unwrap();
        peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }

    /// Produces one batch with `acks=all` in version 9 of Produce.
    fn produce(&mut self, topic: &str, partition: i32, batch: &[u8]) -> ProducePartitionResponse {
        let request = produce_request(-1, topic, partition, batch);
        only_partition(self.call(&request, 9))
    }
}

/// The bytes of a batch with these values.
fn batch(producer: (i64, i16, i32), values: &[&str]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_LEN];
    for (offset_delta, value) in (0..).zip(values) {
        let record = RecordFields {
            offset_delta,
            timestamp_delta: 0,
            key: Some(b"k"),
            value: Some(value.as_bytes()),
            headers: &[("h", Some(b"x"))],
        };
        record.put(&mut bytes);
    }
    let count = i32::try_from(values.len()).unwrap();
    let header = BatchHeader {
        base_timestamp: 1234,
        max_timestamp: 1234,
        producer_id: producer.0,
        producer_epoch: producer.1,
        base_sequence: producer.2,
        last_offset_delta: count - 1,
        record_count: count,
        ..BatchHeader::default()
    };
    header.write(&mut bytes);
    bytes
}

/// A batch of a producer that is not idempotent.
fn plain_batch(values: &[&str]) -> Vec<u8> {
    batch((-1, -1, -1), values)
}

fn produce_request(acks: i16, topic: &str, partition: i32, batch: &[u8]) -> ProduceRequest {
    ProduceRequest {
        transactional_id: None,
        acks,
        timeout_ms: 1000,
        topics: vec![ProduceTopic {
            name: topic.to_owned(),
            id: TopicId::default(),
            partitions: vec![ProducePartition {
                index: partition,
                records: Some(batch.to_vec()),
            }],
        }],
    }
}

fn only_partition(mut response: <ProduceRequest as Request>::Response) -> ProducePartitionResponse {
    let mut topic = response.topics.pop().unwrap();
    topic.partitions.pop().unwrap()
}

fn ask(client: &mut Client, topic: &str) -> MetadataResponse {
    let request = MetadataRequest {
        topics: Some(vec![topic.to_owned()]),
        allow_auto_topic_creation: true,
        include_operations: false,
    };
    client.call(&request, 12)
}

fn ask_topic(client: &mut Client, topic: &str) -> MetadataTopic {
    ask(client, topic).topics.pop().unwrap()
}

fn values(cluster: &MockCluster, topic: &str, partition: i32) -> Vec<String> {
    let text = |record: MockRecord| String::from_utf8(record.value.unwrap()).unwrap();
    let records = cluster.records(topic, partition);
    records.into_iter().map(text).collect()
}

/// A cluster with a topic `t` of two partitions; broker 1 leads the first.
fn cluster_of(brokers: i32) -> MockCluster {
    let cluster = MockCluster::start(brokers);
    cluster.create_topic("t", 2);
    cluster
}
