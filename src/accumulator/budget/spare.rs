//! Buffers that batches are through with, for the next ones: new memory costs the system a page
//! fault for every 4 KiB, which is more than filling it.

use std::collections::BTreeMap;

/// Buffers by their capacity, in memory of the budget that nobody has been granted.
#[derive(Debug, Default)]
pub(super) struct Spare {
    buffers: BTreeMap<usize, Vec<Vec<u8>>>,
    bytes: usize,
}

impl Spare {
    /// An empty buffer of that capacity. The last that came, which is likely to be in a cache.
    pub(super) fn take(&mut self, capacity: usize) -> Option<Vec<u8>> {
        let buffer = self.buffers.get_mut(&capacity)?.pop()?;
        self.bytes -= capacity;
        Some(buffer)
    }

    /// Keeps a buffer if it has room for it among `most` bytes; for want of room, those of other
    /// capacities go.
    pub(super) fn put(&mut self, mut buffer: Vec<u8>, most: usize) {
        let capacity = buffer.capacity();
        if capacity == 0 || capacity > most {
            return;
        }
        if self.bytes + capacity > most {
            self.retain(capacity);
        }
        self.shrink_to(most - capacity);
        buffer.clear();
        self.bytes += capacity;
        self.buffers.entry(capacity).or_default().push(buffer);
    }

    fn retain(&mut self, capacity: usize) {
        self.buffers.retain(|other, _| *other == capacity);
        let kept = self.buffers.get(&capacity).map_or(0, Vec::len);
        self.bytes = kept * capacity;
    }

    /// Lets go of what is over `most` bytes.
    pub(super) fn shrink_to(&mut self, most: usize) {
        while self.bytes > most
            && let Some(mut largest) = self.buffers.last_entry()
        {
            match largest.get_mut().pop() {
                Some(buffer) => self.bytes -= buffer.capacity(),
                None => drop(largest.remove()),
            }
        }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(spare: &mut Spare, capacity: usize, most: usize) {
        let mut buffer = Vec::with_capacity(capacity);
        buffer.push(7);
        spare.put(buffer, most);
    }

    #[test]
    fn a_buffer_is_found_by_its_capacity_and_is_empty() {
        let mut spare = Spare::default();
        put(&mut spare, 100, 1000);
        put(&mut spare, 400, 1000);
        assert_eq!(spare.bytes(), 500);
        assert_eq!(spare.take(200), None);
        let found = spare
            .take(100)
            .map(|buffer| (buffer.capacity(), buffer.len()));
        assert_eq!((found, spare.take(100)), (Some((100, 0)), None));
        assert_eq!(spare.bytes(), 400);
    }

    #[test]
    fn no_more_is_kept_than_there_is_room_for() {
        let mut spare = Spare::default();
        put(&mut spare, 1001, 1000);
        spare.put(Vec::new(), 1000);
        assert_eq!(spare.bytes(), 0);
        for _ in 0..30 {
            put(&mut spare, 100, 1000);
        }
        assert_eq!(spare.bytes(), 1000);
        spare.shrink_to(250);
        assert_eq!(spare.bytes(), 200);
        spare.shrink_to(0);
        assert_eq!((spare.bytes(), spare.take(100)), (0, None));
    }

    #[test]
    fn capacities_that_nobody_asks_for_make_room() {
        let mut spare = Spare::default();
        for capacity in 101..109 {
            put(&mut spare, capacity, 1000);
        }
        for _ in 0..10 {
            put(&mut spare, 100, 1000);
        }
        assert_eq!(spare.bytes(), 1000);
        assert_eq!((0..10).filter_map(|_| spare.take(100)).count(), 10);
    }
}
