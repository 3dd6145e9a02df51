//! A result, in the form that deliveries read.

use super::{Completion, RecordMetadata, Resolution, Slot};
use crate::error::Error;

/// The result of a batch, by its parts: one, unless a broker refused it as too large and it was
/// split. In the order of the records.
#[derive(Debug)]
pub(crate) struct Done(Vec<Part>);

/// The result of consecutive records of a batch.
#[derive(Debug)]
pub(crate) struct Part {
    /// The index of its first record in the batch as it was opened.
    pub(crate) first: u32,
    pub(crate) resolution: Resolution,
}

impl From<Resolution> for Done {
    fn from(resolution: Resolution) -> Self {
        Self(vec![Part {
            first: 0,
            resolution,
        }])
    }
}

impl From<Vec<Part>> for Done {
    fn from(parts: Vec<Part>) -> Self {
        assert!(
            parts.first().is_some_and(|part| part.first == 0)
                && parts.is_sorted_by_key(|part| part.first),
            "a batch was resolved in parts of which one is missing"
        );
        Self(parts)
    }
}

impl Done {
    /// The part that a record is in, and its index in there.
    fn part_of(&self, index: u32) -> (&Resolution, u32) {
        let behind = self.0.partition_point(|part| part.first <= index);
        let part = &self.0[behind - 1];
        (&part.resolution, index - part.first)
    }

    pub(crate) fn for_record(
        &self,
        completion: &Completion,
        slot: &Slot,
    ) -> Result<RecordMetadata, Error> {
        let (resolution, index) = self.part_of(slot.index);
        match resolution {
            Ok(acknowledged) => {
                let topic = completion.topic.clone();
                let place = (topic, completion.partition);
                let slot = Slot { index, ..*slot };
                Ok(RecordMetadata::new(place, slot, *acknowledged))
            }
            Err(failure) => {
                let own = failure.records.iter().find(|(blamed, _)| *blamed == index);
                Err(own.map_or(&failure.error, |(_, error)| error).clone())
            }
        }
    }
}
