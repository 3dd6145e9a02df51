//! Looks at every batch that leaves, and at how its attempt ends: the rules of sequences and of
//! order (G13).

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::time::Duration;

use super::log::{REMEMBERED, WireBatch, following};
use super::plan::Plan;
use super::records::Records;

/// A broker may have forgotten a producer that rested for so long.
pub(super) const FORGOTTEN_AFTER: Duration = Duration::from_secs(10);

/// A batch as brokers recognise it: producer id, epoch, first sequence. Without idempotence, its
/// first record.
type Key = (i64, i16, i64);

#[derive(Debug)]
pub(super) struct Oracle {
    partitions: Vec<Wire>,
    is_idempotent: bool,
    keeps_one: bool,
    max_request_size: usize,
}

/// One partition's traffic.
#[derive(Debug, Default)]
struct Wire {
    batches: Vec<Sent>,
    by_key: BTreeMap<Key, usize>,
    identity: Option<(i64, i16)>,
    next: i32,
    /// The batches of the identity above the last that was acknowledged, in the order of their
    /// first send.
    open: Vec<usize>,
    /// The batches of the identity from the oldest on that has no answer of its own.
    span: Vec<usize>,
    home: Option<i32>,
    is_proven: bool,
    on_wire: usize,
    rests_since: Duration,
}

#[derive(Debug)]
struct Sent {
    bytes: Vec<u8>,
    batch: Rc<WireBatch>,
    on_wire: usize,
    is_acked: bool,
    /// It was refused as too large: its records go on in smaller batches.
    is_split: bool,
}

impl Oracle {
    pub(super) fn new(plan: &Plan) -> Self {
        let wire = |_| Wire {
            next: plan.first_sequence.unwrap_or(0),
            identity: plan
                .first_sequence
                .map(|_| (FIRST_PRODUCER_ID, plan.first_epoch)),
            ..Wire::default()
        };
        Self {
            partitions: (0..plan.partitions).map(wire).collect(),
            is_idempotent: plan.idempotent,
            keeps_one: plan.keeps_one_on_wire(),
            max_request_size: plan.max_request_size,
        }
    }

    /// A sender of broker `home` has taken and numbered these batches for one request.
    pub(super) fn taken<'a>(
        &mut self,
        batches: impl Iterator<Item = (&'a [u8], &'a Rc<WireBatch>)> + Clone,
        home: i32,
        records: &Records,
        now: Duration,
    ) {
        let size: usize = batches.clone().map(|(bytes, _)| bytes.len()).sum();
        let count = batches.clone().count();
        let most = self.max_request_size;
        assert!(
            size <= most || count == 1,
            "a request of {size} bytes, at most {most}"
        );
        let partitions = batches.clone().map(|(_, copy)| copy.partition);
        let partitions: BTreeSet<i32> = partitions.collect();
        assert_eq!(
            partitions.len(),
            count,
            "two batches of one partition in a request"
        );
        let rules = (self.is_idempotent, self.keeps_one);
        for (bytes, copy) in batches {
            let wire = &mut self.partitions[copy.partition as usize];
            wire.taken(copy, bytes, (home, now), rules, records);
        }
    }

    /// An attempt has ended; `acked`: with success.
    pub(super) fn ended(&mut self, copy: &WireBatch, acked: bool, now: Duration) {
        let key = self.key(copy);
        let wire = &mut self.partitions[copy.partition as usize];
        let sent = &mut wire.batches[wire.by_key[&key]];
        sent.on_wire -= 1;
        sent.is_acked |= acked;
        wire.on_wire -= 1;
        if wire.on_wire == 0 {
            wire.rests_since = now;
        }
        let is_current = wire.identity == Some((copy.producer_id, copy.epoch));
        wire.is_proven |= acked && is_current;
    }

    /// The batch was refused as too large.
    pub(super) fn split(&mut self, copy: &WireBatch) {
        let key = self.key(copy);
        let wire = &mut self.partitions[copy.partition as usize];
        let sent = &mut wire.batches[wire.by_key[&key]];
        sent.is_split = sent.batch.ids.len() > 1;
    }

    /// True if the records were sent in a larger batch before, under whatever identity.
    pub(super) fn is_half(&self, copy: &WireBatch) -> bool {
        let batches = &self.partitions[copy.partition as usize].batches;
        let is_whole = |sent: &Sent| sent.is_split && sent.batch.ids.contains(&copy.ids[0]);
        batches.iter().any(is_whole)
    }

    fn key(&self, copy: &WireBatch) -> Key {
        key(copy, self.is_idempotent)
    }

    /// How long nothing of a partition has been on the wire.
    pub(super) fn rests_for(&self, partition: i32, now: Duration) -> Duration {
        let wire = &self.partitions[partition as usize];
        match wire.on_wire {
            0 => now - wire.rests_since,
            _ => Duration::ZERO,
        }
    }

    pub(super) fn on_wire(&self) -> usize {
        self.partitions.iter().map(|wire| wire.on_wire).sum()
    }
}

impl Sent {
    fn new(batch: &Rc<WireBatch>, bytes: &[u8]) -> Self {
        Self {
            bytes: bytes.to_vec(),
            batch: batch.clone(),
            on_wire: 0,
            is_acked: false,
            is_split: false,
        }
    }
}

/// The id that the simulated cluster gives first.
pub(super) const FIRST_PRODUCER_ID: i64 = 1000;

fn key(copy: &WireBatch, is_idempotent: bool) -> Key {
    let base = match is_idempotent {
        true => i64::from(copy.base_sequence),
        false => copy.ids[0] as i64,
    };
    (copy.producer_id, copy.epoch, base)
}

impl Wire {
    fn taken(
        &mut self,
        copy: &Rc<WireBatch>,
        bytes: &[u8],
        (home, now): (i32, Duration),
        (is_idempotent, keeps_one): (bool, bool),
        records: &Records,
    ) {
        let at = copy.partition;
        let key = key(copy, is_idempotent);
        assert!(
            self.on_wire == 0 || self.home == Some(home),
            "partition {at} has batches un-answered on broker {:?} and sends to {home}",
            self.home
        );
        if self.home != Some(home) || self.on_wire == 0 && now - self.rests_since > FORGOTTEN_AFTER
        {
            self.is_proven = false;
        }
        self.home = Some(home);
        let place = match (self.by_key.get(&key), self.whole_of(copy)) {
            (_, Some(whole)) if self.is_new_half(key, copy) => {
                self.half(key, copy, bytes, (whole, is_idempotent))
            }
            (Some(place), _) => {
                let sent = &self.batches[*place];
                assert!(
                    sent.bytes == bytes,
                    "{key:?} of partition {at} is sent with other bytes"
                );
                assert_eq!(
                    sent.on_wire, 0,
                    "{key:?} of partition {at} is on the wire twice"
                );
                *place
            }
            (None, _) => self.first_time(key, copy, bytes, (is_idempotent, keeps_one), records),
        };
        if is_idempotent {
            assert!(
                self.is_proven || self.on_wire == 0,
                "partition {at}: two batches at a broker that has accepted none: {key:?}"
            );
        }
        let most = if keeps_one { 1 } else { REMEMBERED };
        self.on_wire += 1;
        assert!(
            self.on_wire <= most,
            "partition {at}: {} batches on the wire",
            self.on_wire
        );
        self.batches[place].on_wire += 1;
    }

    fn first_time(
        &mut self,
        key: Key,
        copy: &Rc<WireBatch>,
        bytes: &[u8],
        (is_idempotent, keeps_one): (bool, bool),
        records: &Records,
    ) -> usize {
        let at = copy.partition;
        if is_idempotent {
            self.sequence(key, copy);
        }
        for id in &copy.ids {
            let copies = records.copies(*id);
            assert_eq!(
                copies, 0,
                "record {id} of partition {at} is in the log, and is sent as {key:?}"
            );
        }
        if is_idempotent || keeps_one {
            self.nothing_is_open(key, at, is_idempotent, records);
        }
        let place = self.batches.len();
        self.open.push(place);
        self.span.push(place);
        self.by_key.insert(key, place);
        self.batches.push(Sent::new(copy, bytes));
        place
    }

    /// The smallest batch that these records were split from, if they were.
    fn whole_of(&self, copy: &WireBatch) -> Option<usize> {
        let has = |sent: &Sent| {
            let ids = &sent.batch.ids;
            let identity = (sent.batch.producer_id, sent.batch.epoch);
            sent.is_split
                && identity == (copy.producer_id, copy.epoch)
                && ids.len() > copy.ids.len()
                && ids.contains(&copy.ids[0])
        };
        self.batches.iter().rposition(has)
    }

    fn is_new_half(&self, key: Key, copy: &WireBatch) -> bool {
        let known = self.by_key.get(&key).map(|place| &self.batches[*place]);
        known.is_none_or(|known| known.batch.ids != copy.ids)
    }

    /// Some of the records of a batch that was split, with the sequences that they had there.
    fn half(
        &mut self,
        key: Key,
        copy: &Rc<WireBatch>,
        bytes: &[u8],
        (whole, is_idempotent): (usize, bool),
    ) -> usize {
        let batch = self.batches[whole].batch.clone();
        let start = batch.ids.iter().position(|id| *id == copy.ids[0]);
        let start = start.expect("the whole has its first record");
        let same = batch.ids[start..].starts_with(&copy.ids);
        let base = following(batch.base_sequence, start as u32);
        assert!(
            same && (!is_idempotent || base == copy.base_sequence),
            "{copy:?} is no part of {batch:?}"
        );
        let place = self.batches.len();
        let is_last = start + copy.ids.len() == batch.ids.len();
        for row in [&mut self.open, &mut self.span] {
            if let Some(at) = row.iter().position(|place| *place == whole) {
                row.insert(at, place);
                if is_last {
                    row.remove(at + 1);
                }
            }
        }
        self.by_key.insert(key, place);
        self.batches.push(Sent::new(copy, bytes));
        place
    }

    /// Contiguous sequences, and a new identity only where nothing of the older one is un-answered.
    fn sequence(&mut self, key: Key, copy: &WireBatch) {
        let at = copy.partition;
        let identity = (copy.producer_id, copy.epoch);
        assert!(
            copy.producer_id >= 0 && copy.epoch >= 0,
            "partition {at}: {key:?}"
        );
        if self.identity != Some(identity) {
            let is_later = self.identity.is_none_or(|known| known < identity);
            assert!(
                is_later,
                "partition {at} goes from {:?} back to {identity:?}",
                self.identity
            );
            assert_eq!(
                self.on_wire, 0,
                "partition {at}: two identities on the wire"
            );
            (self.identity, self.next, self.is_proven) = (Some(identity), 0, false);
            self.open.clear();
            self.span.clear();
        }
        assert_eq!(
            copy.base_sequence, self.next,
            "partition {at}: a gap before {key:?}"
        );
        self.next = following(self.next, copy.ids.len() as u32);
    }

    /// Nothing new leaves while something older waits to be sent again, or has failed and may be in
    /// the log.
    fn nothing_is_open(&mut self, key: Key, at: i32, is_idempotent: bool, records: &Records) {
        let batches = &self.batches;
        // Of a batch that was split, the parts tell.
        let is_in_parts = |sent: &Sent| {
            let mut ids = sent.batch.ids.iter();
            sent.is_split && ids.all(|id| records.has_failed(*id) || records.copies(*id) > 0)
        };
        let is_settled = |place: &usize| {
            let sent = &batches[*place];
            let mut ids = sent.batch.ids.iter();
            sent.is_acked || is_in_parts(sent) || ids.all(|id| records.has_failed(*id))
        };
        let settled = self
            .span
            .iter()
            .take_while(|place| is_settled(place))
            .count();
        self.span.drain(..settled);
        let span = self.span.len() + 1;
        assert!(
            !is_idempotent || span <= REMEMBERED,
            "partition {at}: {key:?} is the {span}th since one without an answer"
        );
        self.open.retain(|place| !is_in_parts(&batches[*place]));
        let has_failed = |sent: &Sent| sent.batch.ids.iter().all(|id| records.has_failed(*id));
        if is_idempotent {
            let acked = self.open.iter().rposition(|place| batches[*place].is_acked);
            self.open.drain(..acked.map_or(0, |acked| acked + 1));
        } else {
            self.open
                .retain(|place| !batches[*place].is_acked && !has_failed(&batches[*place]));
        }
        for sent in self.open.iter().map(|place| &batches[*place]) {
            let is_waited_for = sent.on_wire > 0 && !has_failed(sent);
            let older = &sent.batch;
            assert!(
                is_waited_for,
                "partition {at}: {key:?} is new, and open is {older:?}"
            );
        }
    }
}
