use super::*;
use crate::accumulator::ended::Which;
use crate::accumulator::tests::bench::{Bench, LINGER, Random, again, out_of_sequence};

#[test]
fn a_token_of_an_older_ticket_or_of_another_broker_gets_nothing() {
    let mut bench = Bench::new(false);
    bench.put(1);
    let (_, ticket, _) = bench.tokens.pop().expect("a token");
    assert!(bench.take_with(ticket + 1, 0, usize::MAX).is_none());
    assert!(bench.take_with(ticket - 1, 0, usize::MAX).is_none());
    assert!(bench.take_with(ticket, 1, usize::MAX).is_none());
    assert!(
        bench.take_with(ticket, 0, usize::MAX).is_some(),
        "the right one was spoilt"
    );
    assert!(
        bench.take_with(ticket, 0, usize::MAX).is_none(),
        "used twice"
    );
}

#[test]
fn a_route_there_and_back_leaves_the_first_token_stale() {
    let mut bench = Bench::new(false);
    bench.put(1);
    let first = bench.tokens[0].1;
    bench.reroute(Some(1));
    bench.reroute(Some(0));
    assert!(!bench.state.is_valid(first, 0));
    let valid = bench
        .tokens
        .iter()
        .filter(|token| bench.state.is_valid(token.1, token.0));
    assert_eq!(valid.count(), 1);
    assert!(bench.take_with(first, 0, usize::MAX).is_none());
    assert!(bench.take().is_some());
}

#[test]
fn a_batch_without_room_keeps_its_token() {
    let mut bench = Bench::new(false);
    bench.put(1);
    let (_, ticket, _) = bench.tokens.pop().expect("a token");
    assert!(bench.take_with(ticket, 0, 10).is_none());
    assert_eq!(
        bench.tokens,
        [(0, ticket, None)],
        "kept, and no second token"
    );
    assert!(bench.take().is_some());
}

#[test]
fn a_batch_lingers_until_its_time_or_until_somebody_is_in_a_hurry() {
    let linger = |bench: &mut Bench| {
        bench.rules.linger = LINGER;
        bench.open(1);
        assert_eq!(bench.tokens, [(0, 1, Some(bench.now + LINGER))]);
        assert!(bench.take().is_none());
    };
    let mut bench = Bench::new(false);
    linger(&mut bench);
    bench.now += LINGER;
    assert!(bench.take().is_some(), "its time has come");

    let mut bench = Bench::new(false);
    linger(&mut bench);
    bench.state.hurry();
    bench.tell();
    assert!(bench.take().is_some(), "somebody waits for it");

    let mut bench = Bench::new(false);
    linger(&mut bench);
    bench.is_pressed = true;
    bench.tell();
    assert!(bench.take().is_some(), "somebody waits for memory");

    let mut bench = Bench::new(false);
    linger(&mut bench);
    bench.seal_open();
    assert!(bench.take().is_some(), "it is full");

    let mut bench = Bench::new(false);
    linger(&mut bench);
    bench.rules.linger = Duration::MAX;
    assert_eq!(
        bench.state.due(&bench.rules, bench.conditions()),
        Due::Never,
        "past the clock"
    );
}

#[test]
fn a_leader_that_has_proved_nothing_gets_one_batch() {
    let mut bench = Bench::new(true);
    (0..8).for_each(|_| bench.put(1));
    let mut taken = bench.take_all();
    assert_eq!(taken.len(), 1, "the first contact");
    bench.end(taken.remove(0), Verdict::Acked);
    let mut taken = bench.take_all();
    assert_eq!(taken.len(), 5, "a broker remembers five");
    while let Some(batch) = taken.pop() {
        bench.end(batch, Verdict::Acked);
    }
    bench.reroute(Some(1));
    assert_eq!(bench.take_all().len(), 1, "the next leader");
}

#[test]
fn without_idempotence_as_many_leave_as_the_rules_say() {
    for on_wire_max in [1, 3] {
        let mut bench = Bench::new(false);
        bench.rules.on_wire_max = on_wire_max;
        (0..5).for_each(|_| bench.put(1));
        let taken = bench.take_all();
        let ordinals: Vec<_> = taken.iter().map(|batch| batch.ordinal).collect();
        assert_eq!(ordinals, (0..on_wire_max as u64).collect::<Vec<_>>());
    }
}

#[test]
fn what_is_sent_again_goes_alone_lowest_first_and_before_what_is_new() {
    for is_idempotent in [false, true] {
        let mut bench = Bench::proven(is_idempotent);
        (0..5).for_each(|_| bench.put(1));
        let mut taken = bench.take_all();
        let first = taken[0].ordinal;
        let last = taken.pop().expect("five");
        (0..2).for_each(|_| bench.put(1));
        for batch in taken.into_iter().rev() {
            assert!(bench.end(batch, again()).is_none());
            assert!(bench.take().is_none(), "sent while others are un-answered");
        }
        bench.end(last, Verdict::Acked);
        for next in first..first + 4 {
            let batch = bench.take().expect("the next of those that wait");
            assert_eq!(batch.ordinal, next);
            if next < first + 3 {
                assert!(bench.take().is_none(), "two at once, or what is new");
            }
            bench.end(batch, Verdict::Acked);
        }
        assert_eq!(bench.take_all().len(), 2, "then what is new");
    }
}

/// Five batches leave, the first ends unknown, the other four are acknowledged, and it is sent
/// again. Were four new ones to leave behind it and to be appended while its answer is lost once
/// more, then the broker would not remember it.
#[test]
fn a_batch_is_sent_again_while_the_broker_still_remembers_it() {
    let mut bench = Bench::proven(true);
    (0..10).for_each(|_| bench.put(1));
    let mut taken = bench.take_all();
    let first = taken.remove(0);
    bench.end(first, again());
    for batch in taken {
        bench.end(batch, Verdict::Acked);
    }
    let first = bench.take().expect("sent again");
    assert!(bench.take().is_none(), "a sixth behind it");
    bench.end(first, Verdict::Acked);
    assert_eq!(bench.take_all().len(), 5);
}

#[test]
fn a_new_leader_gets_nothing_while_the_old_one_has_an_unanswered_batch() {
    let mut bench = Bench::proven(true);
    (0..3).for_each(|_| bench.put(1));
    let mut taken = bench.take_all();
    bench.reroute(Some(1));
    bench.put(1);
    let last = taken.pop().expect("three");
    for batch in taken {
        bench.end(batch, Verdict::Acked);
        assert!(bench.take().is_none());
    }
    bench.end(last, again());
    let batch = bench.take().expect("the old leader has answered all");
    assert_eq!((batch.ordinal, bench.state.home), (3, Some(1)));
}

#[test]
fn what_awaits_a_view_leaves_with_the_next_one_even_if_that_says_nothing_new() {
    let refused = || Verdict::Again {
        at: None,
        awaits_view: true,
        error: trouble(),
    };
    use crate::accumulator::tests::bench::trouble;
    let mut bench = Bench::proven(true);
    bench.put(1);
    let batch = bench.take().expect("a batch");
    bench.end(batch, refused());
    assert!(bench.take().is_none());
    bench.reroute(Some(0));
    let batch = bench.take().expect("a view came");
    bench.end(batch, refused());
    let hint = bench.route(1, 9);
    bench.state.follow_at_once(hint);
    bench.tell();
    assert!(bench.take().is_some(), "the broker named the new leader");
}

#[test]
fn what_rests_leaves_at_its_time_and_not_before() {
    let mut bench = Bench::proven(false);
    (0..2).for_each(|_| bench.put(1));
    let pause = |at: Instant| Verdict::Again {
        at: Some(at),
        awaits_view: false,
        error: crate::accumulator::tests::bench::trouble(),
    };
    let (later, sooner) = (bench.now + LINGER * 2, bench.now + LINGER);
    let mut taken = bench.take_all();
    let second = taken.pop().expect("two");
    bench.end(taken.remove(0), pause(later));
    bench.end(second, pause(sooner));
    bench.now = sooner;
    assert!(bench.take().is_none(), "the longer rest counts");
    bench.now = later;
    assert!(bench.take().is_some());
    let mut bench = Bench::proven(false);
    bench.put(1);
    let batch = bench.take().expect("a batch");
    let never = bench.now + LINGER;
    bench.end(batch, pause(never));
    let hint = bench.route(1, 9);
    bench.state.follow_at_once(hint);
    bench.tell();
    assert!(bench.take().is_some(), "a new leader is no reason to rest");
}

#[test]
fn a_batch_keeps_its_identity_until_it_is_settled_and_the_partition_follows_then() {
    let mut bench = Bench::proven(true);
    (0..2).for_each(|_| bench.put(1));
    let mut taken = bench.take_all();
    bench.raise();
    bench.put(1);
    assert!(bench.take().is_none(), "two epochs in flight");
    let (first, second) = (taken.remove(0), taken.remove(0));
    bench.end(first, again());
    bench.end(second, Verdict::Acked);
    let first = bench.take().expect("sent again");
    assert_eq!(
        (first.stamp.identity.epoch, first.stamp.base_sequence),
        (0, 1)
    );
    bench.end(first, Verdict::Acked);
    let third = bench.take().expect("under the newest identity");
    assert_eq!(
        (third.stamp.identity.epoch, third.stamp.base_sequence),
        (1, 0)
    );
}

/// Whatever happens, and in whatever order: a partition that has something to send has exactly one
/// valid token, due no later than that; what is on the wire is where it belongs; and once the
/// faults end, everything is settled.
#[test]
fn a_partition_with_work_has_exactly_one_valid_token_whatever_happens() {
    for seed in 1..400 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15 ^ seed);
        let mut bench = Bench::new(seed % 2 == 0);
        if random.below(2) == 0 {
            bench.rules.linger = LINGER;
        }
        bench.rules.on_wire_max = 1 + random.below(5) as usize;
        let mut wire: Vec<(i32, Batch)> = Vec::new();
        for step in 0..300 {
            let name = happen(&mut bench, &mut random, &mut wire);
            check(&bench, &wire, &format!("seed {seed}, step {step}: {name}"));
        }
        recover(&mut bench, wire, seed);
    }
}

/// One thing that can happen to a partition.
fn happen(bench: &mut Bench, random: &mut Random, wire: &mut Vec<(i32, Batch)>) -> &'static str {
    match random.below(16) {
        0 | 1 if bench.state.open.is_none() => {
            bench.open(1 + random.below(3) as u32);
            "open"
        }
        0 | 1 => {
            bench.seal_open();
            "seal"
        }
        2 => {
            bench.put(1);
            "put"
        }
        3..=5 => {
            let home = bench.state.route.as_ref().map(|r| r.queue.broker_id());
            let taken = bench.take();
            wire.extend(taken.map(|batch| (home.expect("a route"), batch)));
            "take"
        }
        6 if !bench.tokens.is_empty() => {
            // Any token, stale ones too; a sender pops it before it is due if it was pressed.
            let place = random.below(bench.tokens.len() as u64) as usize;
            let (broker_id, ticket, _) = bench.tokens.remove(place);
            let room = [usize::MAX, 10][random.below(2) as usize];
            let taken = bench.take_with(ticket, broker_id, room);
            wire.extend(taken.map(|batch| (broker_id, batch)));
            "take with any token"
        }
        7..=10 if !wire.is_empty() => {
            let (_, batch) = wire.swap_remove(random.below(wire.len() as u64) as usize);
            answer(bench, random, batch)
        }
        11 => {
            let routes = [None, Some(0), Some(1), Some(2)];
            bench.reroute(routes[random.below(4) as usize]);
            "reroute"
        }
        12 => {
            bench.state.hurry();
            bench.is_pressed = random.below(2) == 0;
            bench.tell();
            "hurry or press"
        }
        13 => {
            bench.now += LINGER / 3;
            "time passes"
        }
        14 if random.below(4) == 0 => {
            bench.raise();
            bench.tell();
            "another partition raises the epoch"
        }
        15 if random.below(4) == 0 => give_up(bench, random),
        _ => "nothing",
    }
}

fn answer(bench: &mut Bench, random: &mut Random, mut batch: Batch) -> &'static str {
    let pause = bench.now + LINGER / (1 + random.below(4) as u32);
    match random.below(8) {
        0..=2 => {
            bench.end(batch, Verdict::Acked);
            "acked"
        }
        3 => {
            bench.end(batch, Verdict::Failed);
            "failed"
        }
        4 => {
            let has_forgotten = random.below(2) == 0;
            bench.end(batch, out_of_sequence(has_forgotten));
            "out of sequence"
        }
        _ => {
            batch.may_be_written |= random.below(2) == 0;
            let verdict = Verdict::Again {
                at: (random.below(2) == 0).then_some(pause),
                awaits_view: random.below(4) == 0,
                error: crate::accumulator::tests::bench::trouble(),
            };
            bench.end(batch, verdict);
            "again"
        }
    }
}

fn give_up(bench: &mut Bench, random: &mut Random) -> &'static str {
    let owner = crate::accumulator::tests::bench::partition_of(
        &crate::accumulator::tests::bench::accumulator(&crate::Config::new("localhost:9092")),
    );
    let close = |open: OpenBatch| open.close(owner.clone());
    if random.below(2) == 0 {
        let by = bench.now - LINGER;
        drop(
            bench
                .state
                .give_up(Which::OpenedBy(by), &bench.rules, close),
        );
    } else {
        drop(bench.state.give_up(Which::Waiting, &bench.rules, close));
    }
    bench.tell();
    "give up"
}

fn check(bench: &Bench, wire: &[(i32, Batch)], what: &str) {
    let state = &bench.state;
    let valid: Vec<_> = bench
        .tokens
        .iter()
        .filter(|token| state.is_valid(token.1, token.0))
        .collect();
    assert!(valid.len() <= 1, "{what}: {valid:?}");
    let at = valid.first().map(|token| token.2);
    match state.due(&bench.rules, bench.conditions()) {
        Due::Never => {}
        Due::At(due) => {
            let at = at.unwrap_or_else(|| panic!("{what}: no token for {due:?}"));
            assert!(at.is_none_or(|at| at <= due), "{what}: the token is late");
        }
        Due::Now => assert_eq!(at, Some(None), "{what}: no token that is due"),
    }
    let on_wire = |flight: &&Flight| matches!(flight.stage, Stage::OnWire | Stage::Abandoned);
    assert_eq!(
        state.flights.iter().filter(on_wire).count(),
        wire.len(),
        "{what}"
    );
    assert_eq!(state.on_wire, wire.len(), "{what}");
    assert!(
        wire.len() <= bench.rules.on_wire_max,
        "{what}: too many on the wire"
    );
    assert!(
        wire.iter().all(|(broker, _)| Some(*broker) == state.home),
        "{what}: on the wire of two brokers"
    );
    let ordinals: Vec<_> = state.flights.iter().map(|flight| flight.ordinal).collect();
    assert!(ordinals.is_sorted(), "{what}: {ordinals:?}");
}

/// Answers everything well from now on.
fn recover(bench: &mut Bench, mut wire: Vec<(i32, Batch)>, seed: u64) {
    bench.reroute(Some(0));
    for _ in 0..200 {
        bench.now += LINGER;
        while let Some((_, batch)) = wire.pop() {
            bench.end(batch, Verdict::Acked);
        }
        wire.extend(bench.take_all().into_iter().map(|batch| (0, batch)));
        check(bench, &wire, &format!("seed {seed}, recovering"));
    }
    assert!(
        !bench.state.has_batches(),
        "seed {seed}: {:?}",
        bench.stages()
    );
}
