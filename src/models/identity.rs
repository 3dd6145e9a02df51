//! The producer id: who waits for one gets it or the reason why not, and each generation has one.

use std::collections::BTreeMap;

use super::check;
use crate::accumulator::identity::Identities;
use crate::accumulator::sequence::{Current, Identity};
use crate::cluster::{Due, Wishes};
use crate::error::{Error, ErrorKind};
use crate::sync::Arc;
use crate::sync::thread::{self, JoinHandle};

/// What senders and the cluster thread share.
#[derive(Default)]
struct Shared {
    identities: Identities,
    wishes: Wishes,
}

/// What the cluster thread's attempt to get an identity says.
#[derive(Clone, Copy)]
enum Answer {
    NotYet,
    Denied,
    Given,
}

impl Shared {
    /// The cluster thread: fetches an identity when one is wanted. The answers come in this order,
    /// and the last for ever.
    fn fetch(&self, answers: &[Answer], epoch: i16) -> i64 {
        let (mut attempt, mut producer_id) = (0, 0);
        while self.wishes.next(None) == Due::Refresh {
            let _topics = self.wishes.begin();
            if !self.identities.is_wanted() {
                continue;
            }
            let error = Error::new(ErrorKind::Authorization, "not yours");
            match answers[attempt.min(answers.len() - 1)] {
                Answer::NotYet => {
                    self.identities.set_trouble(error);
                    self.wishes.refresh();
                }
                Answer::Denied => self.identities.deny(error),
                Answer::Given => {
                    producer_id += 1;
                    self.identities.set(Identity { producer_id, epoch });
                }
            }
            attempt += 1;
        }
        producer_id
    }

    /// A sender whose partition outgrows what it gets, `times` times. What it saw.
    fn outgrow(&self, times: usize) -> Vec<Current> {
        let mut seen = Vec::new();
        while seen.len() < times {
            match self.identities.wait(|| self.wishes.refresh()) {
                None => break,
                Some(Err(_)) => continue,
                Some(Ok(())) => {}
            }
            // Another partition may have used up the last epoch meanwhile.
            if let Some(current) = self.identities.newest() {
                seen.push(current);
                self.identities.raise(current.generation);
            }
        }
        seen
    }
}

fn fetcher(shared: &Arc<Shared>, answers: &'static [Answer], epoch: i16) -> JoinHandle<i64> {
    let shared = shared.clone();
    thread::spawn(move || shared.fetch(answers, epoch))
}

fn partitions(shared: &Arc<Shared>, times: usize) -> [JoinHandle<Vec<Current>>; 2] {
    [(); 2].map(|()| {
        let shared = shared.clone();
        thread::spawn(move || shared.outgrow(times))
    })
}

/// Joins, and asserts that generations and identities go together one to one.
fn join(partitions: [JoinHandle<Vec<Current>>; 2]) -> Vec<Current> {
    let seen = partitions.map(|partition| partition.join().expect("the model does not panic"));
    let (mut identities, mut generations) = (BTreeMap::new(), BTreeMap::new());
    let seen: Vec<Current> = seen.into_iter().flatten().collect();
    for current in &seen {
        let identity = (current.identity.producer_id, current.identity.epoch);
        let known = identities.entry(current.generation).or_insert(identity);
        assert_eq!(*known, identity, "two identities of one generation");
        let known = generations.entry(identity).or_insert(current.generation);
        assert_eq!(*known, current.generation, "one identity, two generations");
    }
    seen
}

#[test]
fn partitions_that_outgrow_an_epoch_together_raise_it_once() {
    check(|| {
        let shared: Arc<Shared> = Arc::default();
        let fetcher = fetcher(&shared, &[Answer::Given], 0);
        let seen = join(partitions(&shared, 2));
        let newest = shared.identities.newest().expect("epochs are left");
        let raised: std::collections::BTreeSet<_> =
            seen.iter().map(|current| current.generation).collect();
        assert_eq!(
            newest.generation,
            1 + raised.len() as u64,
            "raised for nothing"
        );
        shared.wishes.close();
        assert_eq!(
            fetcher.join().expect("the model does not panic"),
            1,
            "one producer id is enough"
        );
    });
}

#[test]
fn after_the_last_epoch_everybody_gets_a_new_producer_id() {
    check(|| {
        let shared: Arc<Shared> = Arc::default();
        let fetcher = fetcher(&shared, &[Answer::NotYet, Answer::Given], i16::MAX);
        join(partitions(&shared, 2));
        shared.wishes.close();
        assert!(fetcher.join().expect("the model does not panic") >= 2);
    });
}

#[test]
fn a_refusal_ends_the_wait_and_the_next_wait_asks_anew() {
    check(|| {
        let shared: Arc<Shared> = Arc::default();
        let answers = &[
            Answer::Denied,
            Answer::NotYet,
            Answer::Denied,
            Answer::Given,
        ];
        let fetcher = fetcher(&shared, answers, 0);
        join(partitions(&shared, 1));
        shared.wishes.close();
        assert_eq!(fetcher.join().expect("the model does not panic"), 1);
    });
}

#[test]
fn the_close_ends_every_wait_for_an_identity() {
    check(|| {
        let shared: Arc<Shared> = Arc::default();
        let partitions = partitions(&shared, 1);
        shared.identities.close();
        shared.wishes.close();
        assert!(join(partitions).is_empty());
    });
}
