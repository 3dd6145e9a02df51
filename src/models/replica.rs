//! A partition's replicated log, at brokers that check sequences as Kafka does.

use std::collections::{HashMap, VecDeque};

use super::choose;
use super::line::Copy;
use super::world::answer;
use crate::sync::Mutex;
use crate::wire::codes::Code;
use crate::wire::produce::ProducePartitionResponse;

/// So many batches of a producer a broker remembers.
const REMEMBERED: usize = 5;

/// The log, with the broker that leads it.
#[derive(Default)]
pub(super) struct Replica(Mutex<State>);

#[derive(Default)]
struct State {
    leader: (usize, i32),
    /// So many batches are refused at most, as by a leader that has too few replicas.
    refusals: usize,
    end: i64,
    /// What the brokers know of the producer: nothing at first, and then they take any sequence.
    producer: Option<Known>,
    /// The batch that came with each identity and sequence.
    originals: HashMap<((i64, i16), i32), usize>,
}

struct Known {
    identity: (i64, i16),
    next: i32,
    /// First sequence and offset of the newest batches.
    newest: VecDeque<(i32, i64)>,
}

impl Replica {
    /// One that refuses up to `refusals` batches, which may be sent again.
    pub(super) fn that_refuses(refusals: usize) -> Self {
        Self(Mutex::new(State {
            refusals,
            ..State::default()
        }))
    }

    /// The broker that leads, and since which epoch.
    pub(super) fn leader(&self) -> (usize, i32) {
        self.0.lock().leader
    }

    pub(super) fn lead(&self, broker: usize) {
        let mut state = self.0.lock();
        state.leader = (broker, state.leader.1 + 1);
    }

    pub(super) fn len(&self) -> usize {
        self.0.lock().end as usize
    }

    /// A batch has reached `broker`.
    pub(super) fn append(&self, broker: usize, copy: &Copy) -> ProducePartitionResponse {
        let mut state = self.0.lock();
        if state.leader.0 != broker {
            return answer(Code::NOT_LEADER_OR_FOLLOWER, -1);
        }
        if state.refusals > 0 && choose(2) == 0 {
            state.refusals -= 1;
            return answer(Code::NOT_ENOUGH_REPLICAS, -1);
        }
        if copy.identity.0 < 0 {
            state.end += i64::from(copy.records);
            return answer(Code::NONE, state.end - i64::from(copy.records));
        }
        let place = (copy.identity, copy.base_sequence);
        let original = *state.originals.entry(place).or_insert(copy.original);
        assert_eq!(
            original, copy.original,
            "two batches with the same sequence"
        );
        let end = state.end;
        let producer = state.producer.get_or_insert_with(|| Known {
            identity: copy.identity,
            next: copy.base_sequence,
            newest: VecDeque::new(),
        });
        match producer.check(copy) {
            Err(code) => answer(code, -1),
            Ok(Some(offset)) => answer(Code::NONE, offset),
            Ok(None) => {
                producer.note(copy, end);
                state.end += i64::from(copy.records);
                answer(Code::NONE, end)
            }
        }
    }
}

impl Known {
    /// `None` if it is the next, its offset if it is there already.
    fn check(&self, copy: &Copy) -> Result<Option<i64>, Code> {
        let (epoch, known) = (copy.identity.1, self.identity.1);
        if epoch != known {
            return match (epoch > known, copy.base_sequence) {
                (false, _) => Err(Code::INVALID_PRODUCER_EPOCH),
                (true, 0) => Ok(None),
                (true, _) => Err(Code::OUT_OF_ORDER_SEQUENCE_NUMBER),
            };
        }
        let mut newest = self.newest.iter();
        match newest.find(|(first, _)| *first == copy.base_sequence) {
            Some((_, offset)) => Ok(Some(*offset)),
            None if copy.base_sequence == self.next => Ok(None),
            None => Err(Code::OUT_OF_ORDER_SEQUENCE_NUMBER),
        }
    }

    fn note(&mut self, copy: &Copy, offset: i64) {
        if copy.identity != self.identity {
            (self.identity, self.newest) = (copy.identity, VecDeque::new());
        }
        self.next = copy.base_sequence + copy.records as i32;
        self.newest.push_back((copy.base_sequence, offset));
        if self.newest.len() > REMEMBERED {
            self.newest.pop_front();
        }
    }
}
