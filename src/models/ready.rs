//! Partitions and the inboxes of senders: what is announced is taken, once and in order, whatever
//! moves, presses or closes meanwhile.

use std::collections::VecDeque;
use std::time::Duration;

use super::check;
use super::world::one_record_a_batch;
use super::world::{HOUR, LONE_BYTES, Log, Mail, World, assert_in_order, offsets};
use crate::accumulator::batch::Batch;
use crate::accumulator::ready::Woken;
use crate::accumulator::state::Take;
use crate::broker::settle::Settle;
use crate::delivery::Delivery;
use crate::error::ErrorKind;
use crate::sync::Arc;
use crate::sync::thread::{self, JoinHandle};
use crate::time;

/// The sender and the receiver of one broker, with a wire between them that never breaks.
struct Served(JoinHandle<()>, JoinHandle<()>);

fn serve(world: &Arc<World>, broker: usize, log: &Arc<Log>, tokens_max: usize) -> Served {
    let wire = Mail::new();
    let (sending, out) = (world.clone(), wire.clone());
    let sender = thread::spawn(move || {
        send_all(&sending, broker, &out, tokens_max);
        out.close();
    });
    let settle = Settle::new(world.core.clone(), world.brokers[broker].clone());
    let log = log.clone();
    let receiver = thread::spawn(move || {
        while let Some(batch) = wire.take() {
            let answer = log.append(&batch);
            settle.answered(batch, &answer);
        }
    });
    Served(sender, receiver)
}

impl Served {
    fn join(self) {
        self.0.join().expect("the model does not panic");
        self.1.join().expect("the model does not panic");
    }
}

/// Puts on the wire what is announced, until the queue is closed.
fn send_all(world: &World, broker: usize, wire: &Mail<Batch>, tokens_max: usize) {
    let broker = &world.brokers[broker];
    let mut tokens = VecDeque::new();
    while broker.queue.wait(None) != Woken::Closed {
        broker.queue.drain(time::now(), &mut tokens);
        assert!(tokens.len() <= tokens_max, "{} tokens", tokens.len());
        for token in tokens.drain(..) {
            let place = (token.ticket, broker.id(), usize::MAX);
            if let Take::Batch(mut batch) = token.partition.take(place, None, time::now()) {
                batch.seal();
                batch.attempts += 1;
                wire.put(batch);
            }
        }
    }
}

/// Threads that send `count` records each, to the partitions named.
fn callers<const N: usize>(
    world: &Arc<World>,
    partitions: [usize; N],
    count: usize,
) -> [JoinHandle<Vec<Delivery>>; N] {
    partitions.map(|partition| {
        let world = world.clone();
        thread::spawn(move || world.send_many(partition, count))
    })
}

/// Joins the callers and waits for their records, which are in the log in their order.
fn assert_all_delivered<const N: usize>(callers: [JoinHandle<Vec<Delivery>>; N]) {
    let sent = callers.map(|caller| caller.join().expect("the model does not panic"));
    sent.iter()
        .for_each(|deliveries| assert_in_order(&offsets(deliveries)));
}

#[test]
fn every_announced_batch_is_taken_and_refusals_keep_the_order() {
    check(|| {
        let world = World::new(one_record_a_batch().retries(5), 1);
        let log = Arc::new(Log::that_refuses(2));
        let callers = callers(&world, [0, 0], 2);
        let served = serve(&world, 0, &log, 1);
        assert_all_delivered(callers);
        world.close_queues();
        served.join();
        assert_eq!(log.len(), 4);
        world.assert_empty();
    });
}

#[test]
fn partitions_share_an_inbox_with_one_token_each() {
    check(|| {
        let world = World::new(one_record_a_batch().batch_size(200), 2);
        // Offsets of both partitions come from one log, which is as good to see an order in.
        let log = Arc::new(Log::default());
        let callers = callers(&world, [0, 1, 1], 2);
        let served = serve(&world, 0, &log, 2);
        assert_all_delivered(callers);
        world.close_queues();
        served.join();
        assert_eq!(log.len(), 6);
        world.assert_empty();
    });
}

#[test]
fn a_partition_that_moves_and_comes_back_leaves_nothing_behind() {
    check(|| {
        let world = World::new(one_record_a_batch(), 1);
        let log = Arc::new(Log::default());
        let served = [0, 1].map(|broker| serve(&world, broker, &log, usize::MAX));
        let callers = callers(&world, [0], 4);
        for (broker, leader_epoch) in [(1, 1), (0, 2), (1, 3)] {
            world.partitions[0].reroute(Some(world.route(broker, leader_epoch)));
        }
        assert_all_delivered(callers);
        world.close_queues();
        served.into_iter().for_each(Served::join);
        assert_eq!(log.len(), 4);
        world.assert_empty();
    });
}

#[test]
fn a_full_buffer_lets_nothing_linger() {
    check(|| {
        let config = one_record_a_batch().linger(HOUR).batch_size(1024);
        let world = World::new(config.buffer_memory(2 * LONE_BYTES), 2);
        let log = Arc::new(Log::default());
        let served = serve(&world, 0, &log, usize::MAX);
        let callers = callers(&world, [0, 1], 3);
        let sent = callers.map(|caller| caller.join().expect("the model does not panic"));
        // The last records found room, so that they linger until somebody wants them.
        sent.iter()
            .for_each(|deliveries| assert_in_order(&offsets(deliveries)));
        world.close_queues();
        served.join();
        assert_eq!(log.len(), 6);
        world.assert_empty();
    });
}

#[test]
fn whoever_waits_for_a_record_pays_no_linger() {
    check(|| {
        let config = one_record_a_batch().linger(HOUR).batch_size(1024);
        let world = World::new(config, 1);
        let log = Arc::new(Log::default());
        let served = serve(&world, 0, &log, usize::MAX);
        let awaits = {
            let world = world.clone();
            thread::spawn(move || {
                let delivery = world.send(0).expect("there is room").0;
                shuttle::future::block_on(delivery).expect("nothing is lost");
            })
        };
        let waits = {
            let world = world.clone();
            thread::spawn(move || offsets(&world.send_many(0, 1)))
        };
        let flushed: Vec<_> = (0..2)
            .map(|_| world.send(0).expect("there is room").0)
            .collect();
        for completion in world.core.accumulator.flush() {
            completion.wait_end(None, false);
        }
        assert!(flushed.iter().all(Delivery::is_done));
        awaits.join().expect("the model does not panic");
        waits.join().expect("the model does not panic");
        world.close_queues();
        served.join();
        world.assert_empty();
    });
}

#[test]
fn a_record_that_slips_in_before_the_close_is_seen_by_it() {
    check(|| {
        let world = World::new(one_record_a_batch().linger(HOUR), 1);
        let callers = [0, 0].map(|partition| {
            let world = world.clone();
            thread::spawn(move || {
                let mut taken = Vec::new();
                for _ in 0..2 {
                    match world.send(partition) {
                        Ok((delivery, _)) => taken.push(delivery),
                        Err(error) => assert_eq!(error.kind(), ErrorKind::Closed),
                    }
                }
                taken
            })
        });
        world.core.accumulator.close();
        let losses = world.core.accumulator.abandon(Duration::ZERO);
        let taken = callers.map(|caller| caller.join().expect("the model does not panic"));
        let taken: Vec<_> = taken.into_iter().flatten().collect();
        assert!(taken.iter().all(Delivery::is_done), "forgotten");
        assert_eq!(losses.failed, taken.len() as u64);
        world.close_queues();
        world.assert_empty();
    });
}
