//! The request without its record batches, for a writer that has them elsewhere.

use super::request::{ProduceRequest, put_head, put_topic};
use crate::wire::frame::{patch_frame_length, put_request_header};
use crate::wire::{FRAME_LENGTH_LEN, HeaderFacts, Put, Request, TopicId};

/// A whole produce request but for the bytes of its batches.
///
/// The records of the i-th partition, counted over all topics, go in at `cuts[i]`. The length of
/// the frame counts them already.
#[derive(Clone, Debug, PartialEq, Default)]
pub(crate) struct Framing {
    pub(crate) bytes: Vec<u8>,
    pub(crate) cuts: Vec<usize>,
}

/// A topic of a [`Framing`].
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FramedTopic<'a> {
    pub(crate) name: &'a str,
    pub(crate) id: TopicId,
    /// The index of each partition, and how many bytes its batch has.
    pub(crate) partitions: Vec<(i32, usize)>,
}

/// Builds the frame of a produce request around batches of the given lengths.
pub(crate) fn framing(
    header: HeaderFacts<'_>,
    version: i16,
    acks: i16,
    timeout_ms: i32,
    transactional_id: Option<&str>,
    topics: &[FramedTopic<'_>],
) -> Framing {
    let flexible = version >= ProduceRequest::FLEXIBLE;
    let mut bytes = Vec::with_capacity(room(header, topics));
    bytes.resize(FRAME_LENGTH_LEN, 0);
    let mut cuts = Vec::with_capacity(topics.iter().map(|topic| topic.partitions.len()).sum());
    let mut records_len_sum = 0;
    put_request_header::<ProduceRequest>(&mut bytes, version, header);
    put_head(&mut bytes, version, transactional_id, acks, timeout_ms);
    bytes.put_array(topics, flexible, |bytes, topic| {
        put_topic(bytes, version, topic.name, &topic.id);
        bytes.put_array(
            &topic.partitions,
            flexible,
            |bytes, &(index, records_len)| {
                bytes.put_i32(index);
                bytes.put_len(records_len, flexible);
                cuts.push(bytes.len());
                records_len_sum += records_len;
                bytes.put_no_tagged_fields(flexible);
            },
        );
        bytes.put_no_tagged_fields(flexible);
    });
    bytes.put_no_tagged_fields(flexible);
    patch_frame_length(&mut bytes, records_len_sum);
    Framing { bytes, cuts }
}

/// About the bytes of a frame without its batches, and no less where names are ordinary.
fn room(header: HeaderFacts<'_>, topics: &[FramedTopic<'_>]) -> usize {
    /// Of what has one length in all requests, and of a transactional id.
    const HEAD: usize = 128;
    const TOPIC: usize = 32;
    const PARTITION: usize = 10;
    let topic =
        |topic: &FramedTopic<'_>| TOPIC + topic.name.len() + topic.partitions.len() * PARTITION;
    HEAD + header.client_id.len() + topics.iter().map(topic).sum::<usize>()
}

impl Framing {
    /// The slices to write, in their order: a piece of the frame, a batch, a piece, and so on.
    /// There is one batch for each cut.
    pub(crate) fn slices<'a, I>(&'a self, batches: I) -> impl Iterator<Item = &'a [u8]>
    where
        I: IntoIterator<Item = &'a [u8]>,
    {
        let starts = std::iter::once(0).chain(self.cuts.iter().copied());
        let pieces = starts
            .zip(&self.cuts)
            .map(|(start, &end)| &self.bytes[start..end]);
        let last = &self.bytes[self.cuts.last().copied().unwrap_or(0)..];
        pieces
            .zip(batches)
            .flat_map(|(piece, batch)| [piece, batch])
            .chain([last])
    }
}
