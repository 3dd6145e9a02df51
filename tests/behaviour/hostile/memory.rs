//! What a broker sends costs no more memory than it is worth.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::peer::{Asked, METADATA, PRODUCE, Peer, Say, acknowledged, framed};
use crate::support::{delivered, eventually, is_own_process, producer, send};

/// Far below what the peers claim or send, far above what the test itself needs.
const KIB_MAX: u64 = 24 << 10;

/// The most memory that this process has had, in KiB.
fn peak_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// Every answer is the largest frame there may be, of which ten bytes come.
#[test]
fn a_length_that_was_only_claimed_takes_no_memory() {
    if !is_own_process("hostile::memory::a_length_that_was_only_claimed_takes_no_memory") {
        return;
    }
    let claim = [&(64_u32 << 20).to_be_bytes()[..], &[0; 10]].concat();
    let is_good = Arc::new(AtomicBool::new(false));
    let good = Arc::clone(&is_good);
    let mut claims = 0;
    let peer = Peer::start(move |request: &Asked| {
        let is_spoiled = [PRODUCE, METADATA].contains(&request.api) && claims < 100;
        if good.load(Ordering::SeqCst) || !is_spoiled {
            return Say::Truth;
        }
        claims += 1;
        Say::LastBytes(claim.clone())
    });
    let before = peak_kib();
    let producer = producer(peer.config().idempotence(true));
    delivered(&send(&producer, 0, "v"));
    let grown = peak_kib() - before;
    assert!(grown < KIB_MAX, "{grown} KiB more");
}

/// A good answer, and behind it answers that nobody asked for, as fast as they go.
#[test]
fn a_flood_of_answers_takes_no_memory_and_ends_with_its_connection() {
    if !is_own_process(
        "hostile::memory::a_flood_of_answers_takes_no_memory_and_ends_with_its_connection",
    ) {
        return;
    }
    let mut flooded = 0;
    let peer = Peer::start(move |request: &Asked| {
        if request.api != PRODUCE || flooded == 20 {
            return Say::Truth;
        }
        flooded += 1;
        let unasked = framed(request.id.wrapping_add(77), &[&[0; 60_000]]);
        match flooded % 2 {
            // The true answer is among them, or is not.
            0 => Say::Endless(unasked),
            _ => Say::Endless(acknowledged(request.id, request.partition, 0)),
        }
    });
    let before = peak_kib();
    let producer = producer(peer.config().idempotence(true));
    for _ in 0..40 {
        delivered(&send(&producer, 0, "v"));
    }
    let grown = peak_kib() - before;
    assert!(grown < KIB_MAX, "{grown} KiB more");
    // All but those of metadata and of the last records.
    eventually("the flooded connections are closed", || {
        let (accepted, closed) = peer.connections();
        closed >= 20 && accepted - closed <= 2
    });
}
