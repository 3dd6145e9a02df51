//! A partition with un-answered batches moves between two brokers, over connections that die: each
//! record is in the log once, in order.

use super::check;
use super::line::Line;
use super::replica::Replica;
use super::world::{World, assert_in_order, offsets, one_record_a_batch};
use crate::accumulator::ready::Woken;
use crate::accumulator::sequence::Identity;
use crate::broker::sender::Sender;
use crate::broker::settle::Settle;
use crate::cluster::Due;
use crate::config::Config;
use crate::sync::Arc;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::thread::{self, JoinHandle};

const WINDOW: usize = 2;

/// A producer of one partition, and the cluster that has it.
struct Bench {
    world: Arc<World>,
    replica: Arc<Replica>,
    /// How many connections are to be cut.
    cuts: AtomicUsize,
}

/// A sender's connection, with the threads at both its ends.
struct Link {
    line: Arc<Line>,
    threads: Vec<JoinHandle<()>>,
}

impl Bench {
    fn new(config: Config, cuts: usize) -> Arc<Self> {
        Self::with(Replica::default(), config, cuts)
    }

    fn with(replica: Replica, config: Config, cuts: usize) -> Arc<Self> {
        Arc::new(Self {
            world: World::new(config, 1),
            replica: Arc::new(replica),
            cuts: AtomicUsize::new(cuts),
        })
    }

    /// The cluster thread: an identity at the first wish, the leader at each.
    fn update(&self) {
        let core = &self.world.core;
        while core.wishes.next(None) == Due::Refresh {
            let _topics = core.wishes.begin();
            let (broker, leader_epoch) = self.replica.leader();
            let route = self.world.route(broker, leader_epoch);
            self.world.partitions[0].reroute(Some(route));
            let identities = core.accumulator.identities();
            if core.config.idempotence && identities.is_wanted() {
                let (producer_id, epoch) = (5, 0);
                identities.set(Identity { producer_id, epoch });
            }
        }
    }

    /// A sender thread, as `Sender::run` does it.
    fn send(&self, broker: usize) {
        let (core, queue) = (&self.world.core, &self.world.brokers[broker].queue);
        let mut sender = Sender::new(core.clone(), self.world.brokers[broker].clone());
        let (mut link, mut id) = (None, 0);
        loop {
            if !sender.has_pending() && queue.wait(None) == Woken::Closed {
                break;
            }
            sender.drain();
            if queue.is_closed() {
                break;
            }
            if !sender.has_pending() {
                continue;
            }
            let identities = core.accumulator.identities();
            if core.config.idempotence && identities.wait(|| core.wishes.refresh()).is_none() {
                break;
            }
            let open = link.get_or_insert_with(|| self.connect(broker));
            if open.line.window.wait_for_slot().is_err() {
                self.broken(&mut link);
                continue;
            }
            sender.drain();
            let mut batches = sender.collect();
            if batches.is_empty() {
                continue;
            }
            Sender::prepare(&mut batches);
            id += 1;
            if let Err((batches, failed)) = open.line.send(id, batches) {
                sender.give_back(batches, &failed);
                self.broken(&mut link);
            }
        }
        link.into_iter().for_each(Link::close);
    }

    fn broken(&self, link: &mut Option<Link>) {
        link.take().into_iter().for_each(Link::close);
        self.world.core.wishes.refresh();
    }

    fn connect(&self, broker: usize) -> Link {
        let line = Line::new(WINDOW);
        let settle = Settle::new(self.world.core.clone(), self.world.brokers[broker].clone());
        let (receiving, serving, replica) = (line.clone(), line.clone(), self.replica.clone());
        let mut threads = vec![
            thread::spawn(move || receiving.receive(&settle)),
            thread::spawn(move || serving.serve(|copy| replica.append(broker, &copy))),
        ];
        let cuts = self.cuts.load(Ordering::SeqCst);
        if cuts > 0 {
            self.cuts.store(cuts - 1, Ordering::SeqCst);
            let line = line.clone();
            threads.push(thread::spawn(move || line.cut()));
        }
        Link { line, threads }
    }

    /// Sends `count` records while the partition moves to the brokers named, one by one.
    fn run(self: &Arc<Self>, count: usize, moves: &'static [usize]) {
        let updater = self.spawn(Self::update);
        let senders = [0, 1].map(|broker| self.spawn(move |bench| bench.send(broker)));
        let mover = self.spawn(move |bench| {
            for broker in moves {
                bench.replica.lead(*broker);
            }
        });
        let sent = self.world.send_many(0, count);
        assert_in_order(&offsets(&sent));
        mover.join().expect("the model does not panic");
        self.world.close_queues();
        for sender in senders {
            sender.join().expect("the model does not panic");
        }
        self.world.core.wishes.close();
        updater.join().expect("the model does not panic");
        assert_eq!(self.replica.len(), count, "written twice");
        self.world.assert_empty();
    }

    fn spawn(self: &Arc<Self>, run: impl FnOnce(&Self) + Send + 'static) -> JoinHandle<()> {
        let bench = self.clone();
        thread::spawn(move || run(&bench))
    }
}

impl Link {
    fn close(self) {
        self.line.window.close();
        self.line.cut();
        for thread in self.threads {
            thread.join().expect("the model does not panic");
        }
    }
}

fn idempotent() -> Config {
    one_record_a_batch().idempotence(true)
}

#[test]
fn a_partition_that_changes_brokers_keeps_its_order() {
    check(|| Bench::new(idempotent(), 0).run(3, &[1]));
}

#[test]
fn a_leader_that_comes_back_takes_nothing_out_of_order() {
    check(|| Bench::new(idempotent(), 0).run(3, &[1, 0]));
}

#[test]
fn connections_that_die_neither_lose_nor_double_a_record() {
    check(|| Bench::new(idempotent(), 2).run(3, &[]));
}

#[test]
fn connections_die_while_the_leader_moves_there_and_back() {
    check(|| Bench::new(idempotent(), 1).run(4, &[1, 0]));
}

/// A leader that knows nothing of the producer takes any sequence: what it refused at first would
/// come behind what it took then.
#[test]
fn a_leader_that_has_taken_nothing_yet_gets_one_batch_at_a_time() {
    check(|| Bench::with(Replica::that_refuses(1), idempotent(), 0).run(3, &[]));
}

#[test]
fn a_leader_that_refuses_while_connections_die_keeps_the_order() {
    check(|| Bench::with(Replica::that_refuses(2), idempotent(), 1).run(3, &[]));
}

/// Without idempotence nothing checks the order, and one batch at a time keeps it.
#[test]
fn one_batch_at_a_time_keeps_the_order_without_sequences() {
    check(|| Bench::new(one_record_a_batch().retries(9), 0).run(3, &[1, 0]));
}
