//! A receive buffer that grows with what arrives, never with what a peer says is to come.

use std::ops::Range;

/// Room for an ordinary answer.
const ROOM_START: usize = 4 << 10;
/// What an idle connection keeps after a large answer.
const ROOM_KEPT_MAX: usize = 1 << 20;

/// Bytes that arrived and were not consumed yet, with room behind them.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    /// All initialised; `filled` are those that arrived.
    bytes: Vec<u8>,
    filled: Range<usize>,
}

impl Buffer {
    /// The bytes that arrived.
    pub(super) fn filled(&self) -> &[u8] {
        self.bytes.get(self.filled.clone()).unwrap_or_default()
    }

    /// Drops the first `count` bytes that arrived.
    pub(super) fn consume(&mut self, count: usize) {
        self.filled.start = (self.filled.start + count).min(self.filled.end);
        if self.filled.is_empty() {
            self.filled = 0..0;
            if self.bytes.len() > ROOM_KEPT_MAX {
                self.bytes = Vec::new();
            }
        }
    }

    /// Free room, at least one byte of it. Where there is none the buffer at most doubles, so what
    /// is allocated stays in proportion to what arrived.
    pub(super) fn room(&mut self) -> &mut [u8] {
        if self.filled.end == self.bytes.len() {
            if self.filled.start > 0 {
                self.bytes.copy_within(self.filled.clone(), 0);
                self.filled = 0..self.filled.len();
            } else {
                let doubled = (self.bytes.len() * 2).max(ROOM_START);
                self.bytes.resize(doubled, 0);
            }
        }
        self.bytes.get_mut(self.filled.end..).unwrap_or_default()
    }

    /// Counts the first `count` bytes of the room as arrived.
    pub(super) fn arrived(&mut self, count: usize) {
        self.filled.end = (self.filled.end + count).min(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allocated_follows_what_arrived() {
        let mut buffer = Buffer::default();
        let mut arrived = 0;
        while arrived < 3 << 20 {
            let room = buffer.room().len();
            assert!(room > 0 && room <= arrived.max(ROOM_START));
            buffer.arrived(room);
            arrived += room;
        }
        buffer.consume(arrived);
        assert_eq!(buffer.bytes.capacity(), 0);
    }

    #[test]
    fn bytes_stay_in_order_when_they_move_to_the_front() {
        let mut buffer = Buffer::default();
        let mut next_in = 0u8;
        let mut next_out = 0u8;
        for step in 1..2000 {
            let room = buffer.room();
            let count = room.len().min(step % 700 + 1);
            for byte in &mut room[..count] {
                *byte = next_in;
                next_in = next_in.wrapping_add(1);
            }
            buffer.arrived(count);
            let out = buffer.filled().len().min(step % 600 + 1);
            for &byte in &buffer.filled()[..out] {
                assert_eq!(byte, next_out);
                next_out = next_out.wrapping_add(1);
            }
            buffer.consume(out);
        }
    }
}
