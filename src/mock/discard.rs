//! A cluster that takes all records and keeps none, for measurements: one thread reads a connection
//! in large pieces, and answers all requests of a piece with one write.

use std::io::{Read, sink};

use super::MockCluster;
use super::arrival::Arrived;
use super::exchange::{Flow, exchange};
use super::facts::Api;
use super::server::{HangUp, Link, REQUEST_LEN_MAX};
use super::state::{Login, Mood, State, Topic};
use crate::wire::codes::Code;
use crate::wire::produce::{
    ProducePartitionResponse, ProduceRequest, ProduceResponse, ProduceTopicResponse, decode_topic,
};
use crate::wire::record_batch::BatchHeader;
use crate::wire::{
    FRAME_LENGTH_LEN, Malformed, Reader, Request, RequestHeader, TopicId, put_response_frame,
};

impl MockCluster {
    /// Makes this a cluster for load tests, which costs next to nothing beside a client and whose
    /// memory does not grow: from now on records are counted and thrown away, and requests are not
    /// listed.
    ///
    /// Connections that come from now on get the offsets that they would get, but of Produce
    /// nothing is checked except that the topic is there and the broker leads the partition: no
    /// CRC, no sequence number, no size, no permission. Faults that are scripted for Produce do not
    /// happen, and sessions do not end. There is no way back.
    ///
    /// ```
    /// # use milena::mock::MockCluster;
    /// # use milena::{Config, Producer, Record};
    /// let cluster = MockCluster::start(1);
    /// cluster.create_topic("t", 1);
    /// cluster.discard_records();
    /// let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// producer.send(Record::to("t").value("first")).wait()?;
    /// assert_eq!(producer.send(Record::to("t").value("second")).wait()?.offset(), Some(1));
    /// assert_eq!(cluster.end_offset("t", 0), 2);
    /// assert!(cluster.records("t", 0).is_empty() && cluster.requests().is_empty());
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn discard_records(&self) {
        self.shared.update(|state| {
            state.settings.discards = true;
            state.settings.forgets_records = true;
            state.requests = Vec::new();
        });
    }
}

/// Serves a connection to its end.
pub(super) fn discard_all(link: &Link) {
    // However this ends, the client sees that nobody answers any more.
    let _hang_up = HangUp(link);
    let mut frames = Frames::default();
    let mut answers = Vec::new();
    while serve_piece(link, &mut frames, &mut answers).is_some() {}
}

/// Reads a piece and answers the requests that end in it; `None` if the connection has to end.
fn serve_piece(link: &Link, frames: &mut Frames, answers: &mut Vec<u8>) -> Option<()> {
    frames.read_from(&*link.socket)?;
    let is_well = link.until_thawed()? != Mood::Mute;
    while let Some(frame) = frames.next()? {
        let is_done = is_well
            && link
                .shared
                .update(|state| discard(state, link.connection, frame, answers).is_some());
        if !is_done {
            link.write(answers)?;
            answers.clear();
            serve_other(link, frame)?;
        }
    }
    link.write(answers)?;
    answers.clear();
    Some(())
}

/// A request that is not Produce, or that makes no sense: like any other cluster.
fn serve_other(link: &Link, frame: &[u8]) -> Option<()> {
    let enter = |state: &mut State| Arrived::enter(state, link.connection, frame.to_vec());
    match exchange(link, &link.shared.update(enter)?) {
        Flow::Next => Some(()),
        Flow::Close => None,
        Flow::Silence => {
            // Reading goes on, so that the client finds nothing wrong but the silence.
            let _ = std::io::copy(&mut &*link.socket, &mut sink());
            None
        }
    }
}

/// Counts the records of a Produce request and puts the answer behind `answers`; `None` if it is
/// another request, if it makes no sense, or if its sender is not logged in.
fn discard(
    state: &mut State,
    connection: usize,
    frame: &[u8],
    answers: &mut Vec<u8>,
) -> Option<()> {
    let from = state.connections.get(connection)?;
    let (node, is_logged_in) = (
        from.node,
        matches!(from.login, Login::NotNeeded | Login::Done),
    );
    let mut input = Reader::new(frame);
    let header = RequestHeader::decode(&mut input).ok()?;
    let version = header.api_version;
    let is_taken = is_logged_in
        && header.api_key == ProduceRequest::KEY
        && state.node(node)?.takes(Api::Produce, version);
    let sent = is_taken.then(|| Sent::decode(&mut input, version).ok())??;

    state.connections.get_mut(connection)?.requests += 1;
    let topics = sent.topics.iter().map(|sent| {
        let mut topics = state.topics.iter_mut();
        let is_meant = |name: &str, topic: &Topic| match version >= ProduceRequest::TOPIC_IDS {
            true => topic.id == sent.id,
            false => name == sent.name,
        };
        let topic = topics.find(|(name, topic)| is_meant(name, topic));
        sent.count_in(topic.map(|(_, topic)| topic), node)
    });
    let response = ProduceResponse {
        topics: topics.collect(),
        ..ProduceResponse::default()
    };
    if sent.acks != 0 {
        let id = header.correlation_id;
        put_response_frame::<ProduceRequest>(answers, &response, version, id);
    }
    Some(())
}

/// What is read of a Produce request.
struct Sent<'a> {
    acks: i16,
    topics: Vec<SentTopic<'a>>,
}

struct SentTopic<'a> {
    name: &'a str,
    id: TopicId,
    /// By index: how many records.
    partitions: Vec<(i32, i32)>,
}

impl<'a> Sent<'a> {
    fn decode(input: &mut Reader<'a>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= ProduceRequest::FLEXIBLE;
        input.nullable_string(flexible)?;
        let acks = input.i16()?;
        input.i32()?;
        let topics = input.array(flexible, |input| SentTopic::decode(input, version))?;
        input.skip_tagged_fields(flexible)?;
        Ok(Self { acks, topics })
    }
}

impl<'a> SentTopic<'a> {
    fn decode(input: &mut Reader<'a>, version: i16) -> Result<Self, Malformed> {
        let flexible = version >= ProduceRequest::FLEXIBLE;
        let (name, id) = decode_topic(input, version)?;
        let partitions = input.array(flexible, |input| {
            let index = input.i32()?;
            let batch = BatchHeader::read(input.bytes(flexible)?)?;
            input.skip_tagged_fields(flexible)?;
            Ok((index, batch.record_count))
        })?;
        input.skip_tagged_fields(flexible)?;
        Ok(Self {
            name,
            id,
            partitions,
        })
    }

    fn count_in(&self, mut topic: Option<&mut Topic>, node: i32) -> ProduceTopicResponse {
        let mut count = |&(index, records): &(i32, i32)| {
            let partition = topic.as_mut().and_then(|topic| {
                let index = usize::try_from(index).ok()?;
                topic.partitions.get_mut(index)
            });
            let counted = match partition {
                None => Err(Code::UNKNOWN_TOPIC_OR_PARTITION),
                Some(partition) if partition.leader != node => Err(Code::NOT_LEADER_OR_FOLLOWER),
                Some(partition) => Ok(partition.log.count(records)),
            };
            ProducePartitionResponse {
                index,
                error: counted.err().unwrap_or(Code::NONE),
                base_offset: counted.unwrap_or(-1),
                ..ProducePartitionResponse::default()
            }
        };
        let partitions = self.partitions.iter().map(&mut count).collect();
        ProduceTopicResponse {
            name: self.name.to_owned(),
            id: self.id,
            partitions,
        }
    }
}

/// Requests in a buffer that is used again and again.
#[derive(Debug, Default)]
struct Frames {
    buffer: Vec<u8>,
    start: usize,
    end: usize,
}

/// A piece takes one system call, and is still in the processor's cache when it is looked at.
const PIECE_LEN: usize = 256 * 1024;

impl Frames {
    /// Reads what has come; `None` at the end of the connection.
    fn read_from(&mut self, mut socket: impl Read) -> Option<()> {
        // A long request moves to the front once, not with each of its pieces.
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        if self.buffer.len() < self.end + PIECE_LEN {
            self.buffer.resize(self.end + PIECE_LEN, 0);
        }
        let len = socket.read(&mut self.buffer[self.end..]).ok()?;
        self.end += len;
        (len > 0).then_some(())
    }

    /// The next request without its length, if all of it has come; `None` outside if there cannot
    /// be such a request.
    fn next(&mut self) -> Option<Option<&[u8]>> {
        let rest = &self.buffer[self.start..self.end];
        let Some((len, rest)) = rest.split_first_chunk::<FRAME_LENGTH_LEN>() else {
            return Some(None);
        };
        let len = usize::try_from(i32::from_be_bytes(*len)).ok()?;
        if len > REQUEST_LEN_MAX {
            return None;
        }
        let frame = rest.get(..len);
        if frame.is_some() {
            self.start += FRAME_LENGTH_LEN + len;
        }
        Some(frame)
    }
}
