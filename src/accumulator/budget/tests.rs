//! Who gets memory, in which order, and that all of it comes back.

use super::*;
use std::time::Duration;

#[test]
fn bytes_come_back_exactly_once() {
    let budget = Budget::new(100);
    let mut first = budget.try_acquire(None, 40).expect("40 of 100");
    first.merge(budget.try_acquire(None, 60).expect("60 more"));
    assert!(budget.try_acquire(None, 1).is_none());
    first.shrink_to(30);
    assert_eq!(budget.used(), 30);
    drop(first);
    assert_eq!(budget.used(), 0);
}

#[test]
fn who_waits_is_served_in_order_and_is_not_overtaken() {
    let budget = Budget::new(100);
    let all = budget.try_acquire(None, 100).expect("all of it");
    let waiter = |bytes| {
        let budget = budget.clone();
        std::thread::spawn(move || {
            budget
                .acquire(None, bytes, None, || ())
                .map(|grant| grant.bytes())
        })
    };
    let large = waiter(90);
    while budget.waiting() == 0 {
        std::thread::yield_now();
    }
    assert!(
        budget.try_acquire(None, 0).is_none(),
        "a newcomer overtook who waits"
    );
    drop(all);
    assert_eq!(large.join().expect("no panic"), Ok(90));
    assert_eq!(budget.used(), 0);
}

/// Each wants more than half, so they are served one by one.
#[test]
fn many_who_wait_are_served_in_the_order_in_which_they_came() {
    let budget = Budget::new(100);
    let order = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        let all = budget.try_acquire(None, 100).expect("all of it");
        for number in 0..16 {
            let (budget, order) = (&budget, &order);
            scope.spawn(move || {
                let grant = budget.acquire(None, 60 + number, None, || ());
                order.lock().push(number);
                drop(grant);
            });
            while budget.waiting() <= number {
                std::thread::yield_now();
            }
        }
        drop(all);
    });
    assert_eq!(*order.lock(), (0..16).collect::<Vec<_>>());
    assert_eq!(budget.used(), 0);
}

/// Nothing is given back meanwhile: the one who leaves has to tell.
#[test]
fn who_gives_up_lets_those_behind_have_what_is_there() {
    let budget = Budget::new(100);
    let most = budget.try_acquire(None, 60).expect("room");
    let soon = time::after(time::now(), Duration::from_millis(100));
    let enough = time::after(time::now(), Duration::from_secs(20));
    std::thread::scope(|scope| {
        let large = scope.spawn(|| budget.acquire(None, 80, soon, || ()).err());
        while budget.waiting() == 0 {
            std::thread::yield_now();
        }
        let small = scope.spawn(|| budget.acquire(None, 30, enough, || ()).map(|_grant| ()));
        assert_eq!(large.join().expect("no panic"), Some(Refused::Full));
        assert_eq!(small.join().expect("no panic"), Ok(()));
        assert!(time::now() < enough.expect("a time"), "nobody told it");
    });
    drop(most);
}

#[test]
fn a_wait_ends_with_its_time_or_with_the_budget() {
    let budget = Budget::new(10);
    let all = budget.try_acquire(None, 10).expect("all of it");
    let soon = time::after(time::now(), Duration::from_millis(1));
    assert_eq!(
        budget.acquire(None, 1, soon, || ()).err(),
        Some(Refused::Full)
    );
    budget.close();
    assert_eq!(
        budget.acquire(None, 1, None, || ()).err(),
        Some(Refused::Closed)
    );
    drop(all);
    assert!(!budget.is_pressed() && budget.used() == 0);
}

fn share(topic: &Arc<Account>, broker: &Arc<Account>) -> Share {
    Share {
        topic: topic.clone(),
        broker: broker.clone(),
    }
}

fn accounts(count: usize) -> Vec<Arc<Account>> {
    (0..count).map(|_| Arc::default()).collect()
}

/// Takes for each of `shares` by turns until none gets anything; they give nothing back.
fn fill(budget: &Arc<Budget>, shares: &[Share]) -> Vec<Grant> {
    let mut grants = Vec::new();
    loop {
        let before = grants.len();
        grants.extend(
            shares
                .iter()
                .filter_map(|one| budget.try_acquire(Some(one), 1)),
        );
        if grants.len() == before {
            return grants;
        }
    }
}

/// Whoever is alone ends where its limit says, and everybody else finds room.
#[test]
fn no_topic_and_no_broker_takes_it_all() {
    const LIMIT: usize = 10_000;
    let (topics, brokers) = (accounts(9), accounts(9));
    let at = |topic: usize, broker: usize| share(&topics[topic], &brokers[broker]);
    let (one_broker, one_topic) = ((0..8).map(|i| at(i, 0)), (0..8).map(|i| at(0, i)));
    let (pair, one_broker): (_, Vec<_>) = (vec![at(0, 0)], one_broker.collect());
    let rows = [
        (&pair, &pair, 8, Excess::Both, [at(0, 8), at(8, 0)]),
        (
            &one_broker,
            &one_broker,
            16,
            Excess::Broker,
            [at(0, 8), at(8, 8)],
        ),
        (&pair, &one_broker, 16, Excess::Broker, [at(0, 8), at(8, 8)]),
        (
            &pair,
            &one_topic.collect(),
            32,
            Excess::Topic,
            [at(8, 8), at(1, 8)],
        ),
    ];
    for (row, (first, greedy, times, excess, others)) in rows.into_iter().enumerate() {
        let budget = Budget::new(LIMIT);
        let grants = [fill(&budget, first), fill(&budget, greedy)];
        let (used, end) = (budget.used(), LIMIT * times / (times + 1));
        assert!(
            (end..=end + 2).contains(&used),
            "row {row}: {used} bytes, not {end}"
        );
        assert_eq!(
            budget
                .excess(&greedy[greedy.len() - 1])
                .map(|(excess, _)| excess),
            Some(excess)
        );
        for other in others {
            let room = fill(&budget, &[other]).len();
            assert!(
                room > (LIMIT - used) / 4,
                "row {row}: {room} bytes for others"
            );
        }
        drop(grants);
        let held = topics.iter().chain(&brokers).map(|account| account.held());
        assert_eq!((budget.used(), held.sum()), (0, 0_usize));
    }
}

/// The same by turns: a topic that is everywhere leaves room for another one everywhere.
#[test]
fn a_topic_at_all_brokers_leaves_room_for_another_at_each() {
    let (budget, topics, brokers) = (Budget::new(10_000), accounts(2), accounts(4));
    let of = |topic: &Arc<Account>| brokers.iter().map(|one| share(topic, one)).collect();
    let [noisy, quiet]: [Vec<_>; 2] = [of(&topics[0]), of(&topics[1])];
    let _noisy = fill(&budget, &noisy);
    for share in &quiet {
        assert!(budget.try_acquire(Some(share), 50).is_some());
    }
}

#[test]
fn an_empty_buffer_has_room_for_a_record_of_its_size() {
    let (budget, accounts) = (Budget::new(1000), accounts(2));
    let only = share(&accounts[0], &accounts[1]);
    assert!(budget.try_acquire(Some(&only), 1001).is_none());
    let all = budget.try_acquire(Some(&only), 1000);
    let all = all.expect("nobody else is there");
    assert!(budget.try_acquire(Some(&only), 1).is_none());
    drop(all);
    assert_eq!((only.topic.held(), only.broker.held()), (0, 0));
}

/// A thread that waits for memory and keeps it until it is joined.
fn waiter(budget: &Arc<Budget>, share: &Share, bytes: usize) -> std::thread::JoinHandle<Grant> {
    let before = budget.waiting();
    let thread = {
        let (budget, share) = (budget.clone(), share.clone());
        let granted = move || budget.acquire(Some(&share), bytes, None, || ());
        std::thread::spawn(move || granted().expect("it is not closed"))
    };
    while budget.waiting() == before {
        std::thread::yield_now();
    }
    thread
}

#[test]
fn who_has_his_share_waits_apart_until_memory_comes_back() {
    let (topics, brokers) = (accounts(2), accounts(2));
    let (dead, healthy) = (
        share(&topics[0], &brokers[0]),
        share(&topics[1], &brokers[1]),
    );
    for own in [true, false] {
        let budget = Budget::new(1000);
        let mut others = vec![budget.try_acquire(Some(&healthy), 10)];
        let mut held = fill(&budget, std::slice::from_ref(&dead));
        let waits = waiter(&budget, &dead, 1);
        let first = budget
            .try_acquire(Some(&healthy), 20)
            .expect("it is not his");
        drop(first);
        assert_eq!(budget.waiting(), 1, "he has more than his share");
        match own {
            true => held.truncate(8),
            false => others.clear(),
        }
        assert_eq!(waits.join().expect("no panic").bytes(), 1);
    }
}

/// The record is larger than what is left beside its broker, which may be dead.
#[test]
fn who_waits_for_his_own_broker_holds_up_only_that() {
    let (topics, brokers) = (accounts(2), accounts(2));
    let at = |topic: usize, broker: usize| share(&topics[topic], &brokers[broker]);
    let budget = Budget::new(1000);
    let mut held: Vec<_> = (0..8)
        .filter_map(|_| budget.try_acquire(Some(&at(0, 0)), 100))
        .collect();
    let large = waiter(&budget, &at(0, 0), 300);
    for other in [at(0, 1), at(1, 1)] {
        assert!(
            budget.try_acquire(Some(&other), 50).is_some(),
            "it is elsewhere"
        );
    }
    for same in [at(0, 0), at(1, 0)] {
        assert!(
            budget.try_acquire(Some(&same), 50).is_none(),
            "it would be overtaken"
        );
    }
    assert!(budget.try_acquire(None, 50).is_some(), "a callback");
    held.pop();
    let large = large.join().expect("no panic");
    assert_eq!((budget.used(), large.bytes()), (1000, 300));
}

/// Its memory is elsewhere, and comes back: nobody may have it meanwhile.
#[test]
fn who_waits_for_others_is_overtaken_by_nobody() {
    let (topics, brokers) = (accounts(2), accounts(2));
    let at = |topic: usize, broker: usize| share(&topics[topic], &brokers[broker]);
    let budget = Budget::new(1000);
    let held = budget.try_acquire(Some(&at(1, 1)), 800);
    let large = waiter(&budget, &at(0, 0), 300);
    for other in [at(0, 0), at(0, 1), at(1, 0)] {
        assert!(budget.try_acquire(Some(&other), 50).is_none());
    }
    assert!(budget.try_acquire(None, 50).is_none(), "a callback");
    drop(held);
    assert_eq!(large.join().expect("no panic").bytes(), 300);
}
