//! The close of a producer, while callers append, wait for room and flush: all of them return, and
//! every record has its result.

use std::time::Duration;

use super::check;
use super::world::{HOUR, LONE_BYTES, Log, Mail, World, one_record_a_batch};
use crate::broker::settle::Settle;
use crate::conn::Interrupt;
use crate::delivery::Delivery;
use crate::error::{Error, ErrorKind};
use crate::expiry::Expiry;
use crate::shutdown::{CloseReport, Shutdown};
use crate::sync::Arc;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::thread::{self, JoinHandle};
use crate::time::Deadline;

/// A producer whose threads run.
struct Bench {
    world: Arc<World>,
    expiry: Arc<Expiry>,
    shutdown: Arc<Shutdown>,
    callbacks_run: Arc<AtomicUsize>,
}

/// What became of a caller's records.
type Sent = Vec<Delivery>;

impl Bench {
    /// `answers`: the broker answers; else it is silent until the connection is closed.
    fn new(answers: bool) -> Arc<Self> {
        let world = World::new(one_record_a_batch().buffer_memory(3 * LONE_BYTES), 2);
        let expiry: Arc<Expiry> = Arc::default();
        let callbacks = world.core.accumulator.shared().callbacks.clone();
        let interrupt: Arc<Interrupt> = Arc::default();
        let shutdown = Shutdown::new(
            world.core.clone(),
            callbacks,
            expiry.clone(),
            interrupt,
            None,
        );
        let bench = Arc::new(Self {
            world,
            expiry,
            shutdown: Arc::new(shutdown),
            callbacks_run: Arc::default(),
        });
        bench.start(answers);
        bench
    }

    fn start(&self, answers: bool) {
        let (expiry, core) = (self.expiry.clone(), self.world.core.clone());
        self.run("expiry", move || expiry.run(&core));
        let wire = Mail::new();
        let (world, out) = (self.world.clone(), wire.clone());
        self.run("send", move || {
            world.run_sender(0, |_, batches| out.put(batches));
            out.close();
        });
        let settle = Settle::new(self.world.core.clone(), self.world.brokers[0].clone());
        let (log, closed) = (Log::default(), Error::new(ErrorKind::Connection, "closed"));
        self.run("receive", move || {
            let mut held = Vec::new();
            while let Some(batches) = wire.take() {
                held.extend(batches);
                if answers {
                    for batch in held.drain(..) {
                        let answer = log.append(&batch);
                        settle.answered(batch, &answer);
                    }
                }
            }
            held.into_iter()
                .for_each(|batch| settle.lost(batch, &closed));
        });
    }

    fn run(&self, name: &str, run: impl FnOnce() + Send + 'static) {
        self.shutdown.start(name, run).expect("threads can start");
    }

    /// A caller that sends until it is refused, with a callback for every second record.
    fn caller(self: &Arc<Self>, partition: usize, count: usize) -> JoinHandle<(Sent, usize)> {
        let bench = self.clone();
        thread::spawn(move || {
            let (mut sent, mut called) = (Vec::new(), 0);
            for number in 0..count {
                match bench.world.send(partition) {
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Closed),
                    Ok((delivery, is_first)) => {
                        if is_first {
                            bench.expiry.arm();
                        }
                        if number % 2 == 0 {
                            sent.push(delivery);
                        } else {
                            called += 1;
                            let run = bench.callbacks_run.clone();
                            delivery.on_done(move |_| {
                                run.fetch_add(1, Ordering::SeqCst);
                            });
                        }
                    }
                }
            }
            (sent, called)
        })
    }

    fn closer(self: &Arc<Self>, limit: Duration) -> JoinHandle<CloseReport> {
        let bench = self.clone();
        thread::spawn(move || bench.shutdown.close(limit))
    }

    /// Joins the callers, and asserts that each of their records has its result.
    fn join(&self, callers: [JoinHandle<(Sent, usize)>; 2]) -> u64 {
        let (mut taken, mut called) = (0, 0);
        for caller in callers {
            let (sent, with_callback) = caller.join().expect("the model does not panic");
            assert!(sent.iter().all(Delivery::is_done), "a record has no result");
            taken += sent.len() + with_callback;
            called += with_callback;
        }
        // A callback that comes after the close has a thread of its own to wait for.
        assert!(self.world.core.accumulator.shared().callbacks.close(None));
        assert_eq!(self.callbacks_run.load(Ordering::SeqCst), called);
        taken as u64
    }
}

#[test]
fn a_close_that_has_time_delivers_what_was_taken() {
    check(|| {
        let bench = Bench::new(true);
        let callers = [0, 1].map(|partition| bench.caller(partition, 3));
        let flusher = {
            let bench = bench.clone();
            thread::spawn(move || bench.shutdown.flush(Deadline::within(HOUR)))
        };
        let closers = [(); 2].map(|()| bench.closer(HOUR));
        let reports = closers.map(|closer| closer.join().expect("the model does not panic"));
        assert!(flusher.join().expect("the model does not panic").is_ok());
        let taken = bench.join(callers);
        assert_eq!(reports[0], reports[1]);
        let CloseReport {
            delivered,
            failed,
            unknown,
            ..
        } = reports[0];
        assert_eq!((delivered, failed, unknown), (taken, 0, 0));
        bench.world.assert_empty();
    });
}

#[test]
fn a_close_without_time_fails_what_a_silent_broker_holds() {
    check(|| {
        let bench = Bench::new(false);
        let callers = [0, 1].map(|partition| bench.caller(partition, 3));
        let flusher = {
            let bench = bench.clone();
            thread::spawn(move || bench.shutdown.flush(Deadline::within(HOUR)))
        };
        let CloseReport {
            delivered,
            failed,
            unknown,
            ..
        } = bench.shutdown.close(Duration::ZERO);
        assert!(flusher.join().expect("the model does not panic").is_ok());
        let taken = bench.join(callers);
        assert_eq!((delivered, failed + unknown), (0, taken));
        bench.world.assert_empty();
    });
}

#[test]
fn a_flush_waits_for_the_callbacks_of_what_was_sent_before_it() {
    check(|| {
        let bench = Bench::new(true);
        let flushers = [0, 1].map(|partition| {
            let bench = bench.clone();
            thread::spawn(move || {
                let run = Arc::new(AtomicUsize::new(0));
                for _ in 0..2 {
                    let run = run.clone();
                    let delivery = bench.world.send(partition).expect("it is open").0;
                    delivery.on_done(move |_| {
                        run.fetch_add(1, Ordering::SeqCst);
                    });
                }
                let flushed = bench.shutdown.flush(Deadline::within(HOUR));
                assert!(flushed.is_ok());
                assert_eq!(run.load(Ordering::SeqCst), 2, "a callback is still to run");
            })
        });
        for flusher in flushers {
            flusher.join().expect("the model does not panic");
        }
        assert_eq!(bench.shutdown.close(HOUR).delivered, 4);
        bench.world.assert_empty();
    });
}
