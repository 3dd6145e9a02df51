//! The result of a batch, and all who want it: each is told once, whoever comes first.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::{check, choose};
use crate::callbacks::CallbackQueue;
use crate::delivery::{Acknowledged, Completion, Delivery, Failure, NoHurry, Resolution, Slot};
use crate::error::{Error, ErrorKind};
use crate::sync::Arc;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::thread;
use crate::time;

const OFFSET: i64 = 40;

/// A batch's result to be, and the queue of its callbacks.
struct Bench {
    completion: Arc<Completion>,
    callbacks: Arc<CallbackQueue>,
    /// What each callback was told, in the order of their calls.
    told: Arc<Mutex<Vec<(u32, bool)>>>,
}

impl Bench {
    fn new() -> Self {
        let callbacks: Arc<CallbackQueue> = Arc::default();
        Self {
            completion: completion(&callbacks),
            callbacks,
            told: Arc::default(),
        }
    }

    fn delivery(&self, index: u32) -> Delivery {
        delivery(&self.completion, index)
    }

    /// Registers a callback that notes what it is told.
    fn on_done(&self, index: u32) {
        let told = self.told.clone();
        self.delivery(index)
            .on_done(move |result| told.lock().push((index, result.is_ok())));
    }
}

fn completion(callbacks: &Arc<CallbackQueue>) -> Arc<Completion> {
    let hurry = std::sync::Weak::<NoHurry>::new();
    Arc::new(Completion::new("orders".into(), 3, hurry, callbacks))
}

fn delivery(completion: &Arc<Completion>, index: u32) -> Delivery {
    let slot = Slot {
        index,
        timestamp_ms: 0,
        key_size: -1,
        value_size: -1,
    };
    Delivery::new(completion.clone(), slot)
}

fn delivered() -> Resolution {
    Ok(Acknowledged {
        base_offset: Some(OFFSET),
        ..Acknowledged::default()
    })
}

fn failed() -> Resolution {
    let error = Error::new(ErrorKind::TimedOut, "out of time");
    Err(Failure::from(error))
}

#[test]
fn two_results_race_and_everybody_is_told_the_one_that_was_first() {
    check(|| {
        let bench = Bench::new();
        let counted = Arc::new(AtomicUsize::new(0));
        let resolvers = [true, false].map(|is_ok| {
            let (completion, counted) = (bench.completion.clone(), counted.clone());
            thread::spawn(move || {
                let resolution = if is_ok { delivered() } else { failed() };
                let count = || {
                    counted.fetch_add(1, Ordering::SeqCst);
                };
                completion.resolve_and(resolution, count)
            })
        });
        let waiting = bench.delivery(1);
        let waits = thread::spawn(move || waiting.wait());
        let awaited = bench.delivery(2);
        let awaits = thread::spawn(move || shuttle::future::block_on(awaited));
        bench.on_done(3);
        drop(bench.delivery(4));
        let results =
            [waits, awaits].map(|waiter| waiter.join().expect("the model does not panic"));
        let was_first =
            resolvers.map(|resolver| resolver.join().expect("the model does not panic"));
        assert_ne!(was_first[0], was_first[1], "resolved twice, or never");
        assert_eq!(counted.load(Ordering::SeqCst), 1);
        let offsets = results.map(|result| result.ok().map(|metadata| metadata.offset()));
        let expected = |index: i64| was_first[0].then_some(Some(OFFSET + index));
        assert_eq!(offsets, [expected(1), expected(2)]);
        assert!(bench.callbacks.close(None));
        assert_eq!(*bench.told.lock(), [(3, was_first[0])]);
    });
}

#[test]
fn each_callback_runs_once_and_in_its_turn_before_the_result_or_after() {
    check(|| {
        let bench = Arc::new(Bench::new());
        let registrars = [0, 10].map(|first| {
            let bench = bench.clone();
            thread::spawn(move || {
                bench.on_done(first);
                bench.on_done(first + 1);
            })
        });
        let resolver = {
            let completion = bench.completion.clone();
            thread::spawn(move || completion.resolve(delivered()))
        };
        for registrar in registrars {
            registrar.join().expect("the model does not panic");
        }
        assert!(resolver.join().expect("the model does not panic"));
        assert!(bench.callbacks.close(None), "callbacks are left");
        let mut told = bench.told.lock().clone();
        let place = |index| told.iter().position(|one| *one == (index, true));
        assert!(place(0) < place(1) && place(10) < place(11), "{told:?}");
        told.sort_unstable();
        assert_eq!(told, [0, 1, 10, 11].map(|index| (index, true)));
    });
}

#[test]
fn a_flush_waits_for_the_callbacks_that_came_before_it() {
    check(|| {
        let bench = Bench::new();
        bench.on_done(0);
        let resolver = {
            let completion = bench.completion.clone();
            thread::spawn(move || completion.resolve(delivered()))
        };
        assert!(bench.completion.wait_end(None, true));
        assert_eq!(*bench.told.lock(), [(0, true)]);
        // One that comes after the result is waited for by its place in the queue.
        bench.on_done(1);
        assert!(bench.completion.wait_end(None, true));
        let pushed = bench.callbacks.pushed();
        assert!(bench.callbacks.wait_through(pushed, None));
        assert_eq!(bench.told.lock().len(), 2);
        assert!(resolver.join().expect("the model does not panic"));
        assert!(bench.callbacks.close(None));
    });
}

#[test]
fn results_that_come_together_start_one_callback_thread_and_run_in_their_order() {
    check(|| {
        let callbacks: Arc<CallbackQueue> = Arc::default();
        let (running, told) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let resolvers = [0, 1].map(|panics| {
            let (callbacks, running) = (callbacks.clone(), running.clone());
            let told = told.clone();
            thread::spawn(move || {
                for _ in 0..2 {
                    let completion = completion(&callbacks);
                    let (running, told, queue) = (running.clone(), told.clone(), callbacks.clone());
                    delivery(&completion, 0).on_done(move |_| {
                        let others = running.fetch_add(1, Ordering::SeqCst);
                        let is_own = queue.is_this_thread();
                        running.fetch_sub(1, Ordering::SeqCst);
                        told.fetch_add(usize::from(others == 0 && is_own), Ordering::SeqCst);
                        if panics == 1 {
                            std::panic::resume_unwind(Box::new(()));
                        }
                    });
                    completion.resolve(delivered());
                }
            })
        });
        if choose(2) == 0 {
            // A close that comes early lets those run that came before it, and the later ones too.
            callbacks.close(time::after(time::now(), Duration::ZERO));
        }
        for resolver in resolvers {
            resolver.join().expect("the model does not panic");
        }
        assert!(callbacks.close(None));
        assert_eq!(told.load(Ordering::SeqCst), 4);
        assert!(!callbacks.is_this_thread());
    });
}

#[test]
fn a_waker_that_panics_keeps_nobody_else_from_the_result() {
    struct Panics;
    impl std::task::Wake for Panics {
        fn wake(self: Arc<Self>) {
            std::panic::resume_unwind(Box::new(()));
        }
    }
    check(|| {
        let bench = Bench::new();
        let polled = {
            let mut delivery = bench.delivery(0);
            thread::spawn(move || {
                let waker = Arc::new(Panics).into();
                let mut context = std::task::Context::from_waker(&waker);
                let poll = std::pin::Pin::new(&mut delivery).poll(&mut context);
                poll.is_ready()
            })
        };
        let waiting = bench.delivery(1);
        let waits = thread::spawn(move || waiting.wait().is_ok());
        bench.on_done(2);
        let resolved = catch_unwind(AssertUnwindSafe(|| bench.completion.resolve(delivered())));
        assert!(resolved.expect("the panic of a waker is its own"));
        polled.join().expect("the model does not panic");
        assert!(waits.join().expect("the model does not panic"));
        assert!(bench.callbacks.close(None));
        assert_eq!(*bench.told.lock(), [(2, true)]);
    });
}
