//! The results of a partition whose batches several threads settle: told in the order of the
//! records, by one thread at a time, and none is left behind.

use super::world::{Log, Mail, World, one_record_a_batch};
use super::{check, choose};
use crate::accumulator::batch::Batch;
use crate::broker::settle::Settle;
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Arc, Mutex};

const RECORDS: usize = 4;

/// A producer of one partition, whose batches are settled out of order.
struct Bench {
    world: Arc<World>,
    log: Log,
    /// What was sent and is not settled.
    wire: Arc<Mail<Batch>>,
    /// The records whose results were told, in the order of that.
    told: Arc<Mutex<Vec<usize>>>,
}

impl Bench {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            world: World::new(one_record_a_batch(), 1),
            log: Log::default(),
            wire: Mail::new(),
            told: Arc::default(),
        })
    }

    /// Each record's callback notes it.
    fn send(&self) {
        for record in 0..RECORDS {
            let told = self.told.clone();
            let delivery = self.world.send(0).expect("there is room").0;
            delivery.on_done(move |_| told.lock().push(record));
        }
    }

    fn write(&self) {
        let out = &self.wire;
        self.world
            .run_sender(0, |_, batches| batches.into_iter().for_each(|b| out.put(b)));
        out.close();
    }

    /// What a receiver does, and what becomes of a batch that is dropped with its connection.
    fn settle(&self) {
        let settle = Settle::new(self.world.core.clone(), self.world.brokers[0].clone());
        while let Some(batch) = self.wire.take() {
            if choose(4) == 0 {
                drop(batch);
            } else {
                let answer = self.log.append(&batch);
                settle.answered(batch, &answer);
            }
        }
    }

    fn flush(&self) {
        for completion in self.world.core.accumulator.flush() {
            completion.wait_end(None, true);
        }
        let callbacks = &self.world.core.accumulator.shared().callbacks;
        assert!(callbacks.wait_through(callbacks.pushed(), None));
    }

    fn spawn(self: &Arc<Self>, run: impl FnOnce(&Self) + Send + 'static) -> JoinHandle<()> {
        let bench = self.clone();
        thread::spawn(move || run(&bench))
    }
}

#[test]
fn results_that_come_together_are_told_in_order_and_none_is_left() {
    check(|| {
        let bench = Bench::new();
        let threads = [Bench::write, Bench::settle, Bench::settle].map(|run| bench.spawn(run));
        bench.send();
        bench.flush();
        assert_eq!(*bench.told.lock(), (0..RECORDS).collect::<Vec<_>>());
        let metrics = &bench.world.core.accumulator.shared().metrics;
        let totals = [&metrics.delivered, &metrics.failed, &metrics.unknown];
        let counted: u64 = totals.iter().map(|counter| counter.total()).sum();
        assert_eq!(counted, RECORDS as u64);
        bench.world.close_queues();
        for thread in threads {
            thread.join().expect("the model does not panic");
        }
        assert!(bench.world.core.accumulator.shared().callbacks.close(None));
        bench.world.assert_empty();
    });
}
