mod lost_logs;

use super::*;
use crate::accumulator::tests::bench::{
    Bench, LINGER, again, out_of_sequence, stage_name, trouble,
};

/// Where a batch is among its partition's when its attempt ends.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// It is the next that the broker has not acknowledged.
    Next,
    /// A lower one is un-answered.
    AboveOnWire,
    /// A lower one waits to be sent again.
    AboveWaiting,
    /// A lower one has failed, nobody knows with what outcome.
    AboveTombstone,
    /// A higher one was acknowledged before.
    BelowAcked,
}

use Place::{AboveOnWire, AboveTombstone, AboveWaiting, BelowAcked, Next};

/// A partition with the batch in question on the wire, at `place`, and the others that `place` asks
/// for.
fn bench_with(place: Place, is_idempotent: bool) -> (Bench, Batch) {
    let mut bench = Bench::proven(is_idempotent);
    let others = if matches!(place, Next) { 1 } else { 2 };
    (0..others).for_each(|_| bench.put(2));
    let mut taken = bench.take_all();
    match place {
        Next => {}
        AboveOnWire => drop(taken.remove(0)),
        AboveWaiting => assert!(bench.end_only(taken.remove(0), again()).is_none()),
        AboveTombstone => drop(bench.end_only(taken.remove(0), Verdict::Failed)),
        BelowAcked => drop(bench.end_only(taken.remove(1), Verdict::Acked)),
    }
    (bench, taken.remove(0))
}

/// What is left of the batch in the partition ("" is nothing), whether it came out, and whether the
/// partition drains.
type Left = (&'static str, bool, bool);

fn end(place: Place, is_idempotent: bool, is_doubtful: bool, verdict: Verdict) -> Left {
    let (mut bench, mut batch) = bench_with(place, is_idempotent);
    let ordinal = batch.ordinal;
    batch.may_be_written = is_doubtful;
    let on_wire = bench.state.on_wire;
    let out = bench.end_only(batch, verdict);
    assert_eq!(bench.state.on_wire, on_wire - 1);
    let mut flights = bench.state.flights.iter();
    let left = flights.find(|flight| flight.ordinal == ordinal);
    let left = left.map_or("", |flight| stage_name(&flight.stage));
    (left, out.is_some(), bench.state.sequences.is_draining)
}

const PLACES: [Place; 5] = [Next, AboveOnWire, AboveWaiting, AboveTombstone, BelowAcked];

#[test]
fn an_attempt_on_the_wire_ends_as_the_table_says_without_idempotence() {
    for place in PLACES {
        for is_doubtful in [false, true] {
            let end = |verdict| end(place, false, is_doubtful, verdict);
            let waits = if is_doubtful {
                "waiting, doubtful"
            } else {
                "waiting"
            };
            assert_eq!(end(Verdict::Acked), ("", true, false), "{place:?}");
            assert_eq!(end(Verdict::Failed), ("", true, false), "{place:?}");
            assert_eq!(end(again()), (waits, false, false), "{place:?}");
        }
    }
}

#[test]
fn an_attempt_on_the_wire_ends_as_the_table_says_with_idempotence() {
    for place in PLACES {
        let drains = matches!(place, AboveTombstone);
        for is_doubtful in [false, true] {
            let end = |verdict| end(place, true, is_doubtful, verdict);
            let waits = if is_doubtful {
                "waiting, doubtful"
            } else {
                "waiting"
            };
            assert_eq!(end(Verdict::Acked), ("", true, drains), "{place:?}");
            assert_eq!(end(Verdict::Failed), ("tombstone", true, true), "{place:?}");
            assert_eq!(end(again()), (waits, false, drains), "{place:?}");
            let (failed, proven) = (("tombstone", true, true), ("waiting", false, true));
            let (refused, forgotten) = match (place, is_doubtful) {
                (Next | AboveTombstone, false) => (proven, proven),
                (Next | AboveTombstone, true) => (proven, failed),
                (AboveOnWire | AboveWaiting, _) => ((waits, false, drains), (waits, false, drains)),
                (BelowAcked, _) => (failed, failed),
            };
            assert_eq!(
                end(out_of_sequence(false)),
                refused,
                "{place:?} {is_doubtful}"
            );
            assert_eq!(
                end(out_of_sequence(true)),
                forgotten,
                "{place:?} {is_doubtful}"
            );
        }
    }
}

/// The records of the batch have failed before its attempt ends: the answer only tells about
/// sequences.
#[test]
fn the_answer_of_an_abandoned_batch_is_not_lost() {
    for (is_idempotent, verdict, left) in [
        (false, Verdict::Acked, ""),
        (false, Verdict::Failed, ""),
        (false, again(), ""),
        (true, Verdict::Acked, ""),
        (true, Verdict::Failed, "tombstone"),
        (true, again(), "tombstone"),
        (true, out_of_sequence(false), "tombstone"),
        (true, out_of_sequence(true), "tombstone"),
    ] {
        let (mut bench, batch) = bench_with(Next, is_idempotent);
        let given_up = bench
            .state
            .give_up(Which::All, &bench.rules, |_| unreachable!());
        assert!(matches!(given_up.sent[..], [Sent::OnWire(_, 1)]));
        assert_eq!(bench.stages(), ["abandoned"]);
        assert!(bench.end_only(batch, verdict).is_some(), "it is sent again");
        assert_eq!(bench.stages().concat(), left);
        assert_eq!(bench.state.on_wire, 0);
    }
}

#[test]
fn batches_out_of_time_come_out_in_order_and_leave_what_the_table_says() {
    for is_idempotent in [false, true] {
        let mut bench = Bench::proven(is_idempotent);
        (0..3).for_each(|_| bench.put(1));
        let mut taken = bench.take_all();
        bench.end_only(taken.remove(2), Verdict::Failed);
        bench.end_only(taken.remove(0), again());
        let _on_wire = taken;
        bench.put(4);
        bench.now += LINGER;
        bench.put(5);
        let given_up = bench.state.give_up(
            Which::OpenedBy(bench.now - LINGER),
            &bench.rules,
            |_| unreachable!(),
        );
        let sent: Vec<_> = given_up.sent.iter().map(name).collect();
        assert_eq!(sent, ["waiting", "on wire"]);
        let unsent: Vec<_> = given_up.unsent.iter().map(|batch| batch.records).collect();
        assert_eq!(unsent, [4], "the younger one has time");
        let left: &[&str] = match is_idempotent {
            true => &["tombstone", "abandoned", "tombstone"],
            false => &["abandoned"],
        };
        assert_eq!(bench.stages(), left);
        assert_eq!(bench.state.sequences.is_draining, is_idempotent);
        assert_eq!(bench.state.queue.len(), 1);
    }
}

fn name(sent: &Sent) -> &'static str {
    match sent {
        Sent::Waiting(_) => "waiting",
        Sent::OnWire(..) => "on wire",
    }
}

#[test]
fn a_refusal_takes_out_all_but_what_is_on_the_wire() {
    let mut bench = Bench::proven(true);
    (0..2).for_each(|_| bench.put(1));
    let mut taken = bench.take_all();
    bench.end_only(taken.remove(0), again());
    bench.put(1);
    let refused = bench
        .state
        .give_up(Which::Waiting, &bench.rules, |_| unreachable!());
    assert_eq!((refused.sent.len(), refused.unsent.len()), (1, 1));
    assert_eq!(bench.stages(), ["tombstone", "on wire"]);
    let generation = bench.newest.generation;
    let mut bench = Bench::new(true);
    bench.put(1);
    let refused = bench
        .state
        .give_up(Which::Waiting, &bench.rules, |_| unreachable!());
    bench.tell();
    assert_eq!(refused.unsent.len(), 1);
    assert_eq!(
        bench.newest.generation, generation,
        "never sent, and it cost an epoch"
    );
    assert!(
        !bench
            .tokens
            .iter()
            .any(|token| bench.state.is_valid(token.1, token.0))
    );
}

/// Rules 12 and 22: an acknowledgement proves everything below it, so nothing of the epoch is
/// doubtful.
#[test]
fn a_tombstone_below_an_acknowledged_batch_costs_no_epoch() {
    let (mut bench, batch) = bench_with(AboveTombstone, true);
    bench.put(1);
    assert!(bench.take().is_none(), "stamped while draining");
    let generation = bench.newest.generation;
    bench.end(batch, Verdict::Acked);
    assert!(bench.stages().is_empty() && !bench.state.sequences.is_draining);
    assert_eq!(bench.newest.generation, generation);
    let next = bench.take().expect("the drain is over");
    assert_eq!(
        (next.stamp.identity.epoch, next.stamp.base_sequence),
        (0, 5)
    );
}

/// Rules 16, 22, 23: what is behind a hole is in no log, and goes on under the next epoch, in
/// order, from 0.
#[test]
fn what_is_behind_a_hole_is_numbered_anew() {
    let mut bench = Bench::proven(true);
    (2..6).for_each(|records| bench.put(records));
    let mut taken = bench.take_all();
    bench.end(taken.remove(0), Verdict::Failed);
    for mut batch in taken.into_iter().rev() {
        batch.may_be_written = batch.ordinal == 3;
        assert!(bench.end(batch, out_of_sequence(false)).is_none());
    }
    let mut stamps = Vec::new();
    while let Some(batch) = bench.take() {
        assert!(!batch.may_be_written);
        stamps.push((
            batch.stamp.identity.epoch,
            batch.stamp.base_sequence,
            batch.records,
        ));
        bench.end(batch, Verdict::Acked);
    }
    assert_eq!(stamps, [(1, 0, 3), (1, 3, 4), (1, 7, 5)]);
}

/// Rule 19 (KAFKA-14034): the batch below the one that failed may be in the log; it is not numbered
/// anew with the rest.
#[test]
fn a_doubtful_batch_below_a_failed_one_keeps_its_sequence() {
    let mut bench = Bench::proven(true);
    (0..2).for_each(|_| bench.put(2));
    let mut taken = bench.take_all();
    let (mut first, second) = (taken.remove(0), taken.remove(0));
    first.may_be_written = true;
    bench.end(first, again());
    bench.end(second, Verdict::Failed);
    bench.put(1);
    let first = bench.take().expect("sent again");
    assert_eq!(
        (first.stamp.identity.epoch, first.stamp.base_sequence),
        (0, 1)
    );
    assert!(bench.take().is_none());
    bench.end(first, Verdict::Acked);
    let third = bench.take().expect("under the next epoch");
    assert_eq!(
        (third.stamp.identity.epoch, third.stamp.base_sequence),
        (1, 0)
    );
}

/// Rules 21, 22: a batch whose time is over while it is on the wire ends the drain only with its
/// answer.
#[test]
fn a_drain_waits_for_the_answers_of_abandoned_batches() {
    for (verdict, epoch) in [(Verdict::Acked, 0), (again(), 1)] {
        let (mut bench, batch) = bench_with(Next, true);
        drop(
            bench
                .state
                .give_up(Which::All, &bench.rules, |_| unreachable!()),
        );
        bench.put(1);
        assert!(bench.take().is_none());
        bench.end(batch, verdict);
        let next = bench.take().expect("the drain is over");
        assert_eq!(next.stamp.identity.epoch, epoch);
    }
}

/// Rule 17: the broker's log ends below what it acknowledged. The batch is in no log and goes under
/// the next epoch.
#[test]
fn a_log_that_lost_what_was_acknowledged_does_not_stop_the_partition() {
    let (mut bench, mut batch) = bench_with(Next, true);
    batch.may_be_written = true;
    assert!(bench.end(batch, out_of_sequence(false)).is_none());
    let batch = bench.take().expect("under the next epoch");
    assert_eq!(
        (batch.stamp.identity.epoch, batch.stamp.base_sequence),
        (1, 0)
    );
}

/// Whatever epoch it is sent under, the broker says that it is out of order.
#[test]
fn a_batch_that_is_refused_under_every_epoch_rests_in_between() {
    let (mut bench, mut batch) = bench_with(Next, true);
    for epoch in 1..5 {
        let refused = Verdict::OutOfSequence {
            has_forgotten: false,
            at: Some(bench.now + LINGER),
            error: trouble(),
        };
        assert!(bench.end(batch, refused).is_none());
        bench.put(1);
        assert!(bench.take().is_none(), "epoch {epoch}: it does not rest");
        bench.now += LINGER;
        batch = bench.take().expect("it has rested");
        assert_eq!((batch.stamp.identity.epoch, batch.records), (epoch, 2));
    }
    bench.end(batch, Verdict::Acked);
    assert!(bench.take().is_some(), "what is behind it has no reason to");
}

/// Rule 17, KIP-360: an old broker that has forgotten the producer proves nothing of a doubtful
/// batch, also behind a tombstone, and nothing of what is above.
#[test]
fn a_broker_that_has_forgotten_us_proves_nothing_of_doubtful_batches() {
    let mut bench = Bench::proven(true);
    (0..3).for_each(|_| bench.put(1));
    let mut taken = bench.take_all();
    bench.end(taken.remove(0), Verdict::Failed);
    for mut batch in taken {
        batch.may_be_written = true;
        assert!(bench.end(batch, again()).is_none());
    }
    for _ in 0..2 {
        let batch = bench.take().expect("sent again under its epoch");
        assert_eq!(batch.stamp.identity.epoch, 0);
        let failed = bench.end(batch, out_of_sequence(true)).expect("it fails");
        assert!(failed.may_be_written);
    }
    assert!(!bench.state.has_batches());

    let (mut bench, mut batch) = bench_with(AboveOnWire, true);
    drop(
        bench
            .state
            .give_up(Which::All, &bench.rules, |_| unreachable!()),
    );
    batch.may_be_written = true;
    bench.end_only(batch, out_of_sequence(true));
    assert_eq!(bench.stages(), ["abandoned", "tombstone"]);
}

#[test]
fn an_acknowledgement_removes_the_tombstones_below_it_and_nothing_else() {
    for (place, left) in [
        (AboveTombstone, &[][..]),
        (AboveOnWire, &["on wire"]),
        (AboveWaiting, &["waiting"]),
    ] {
        let (mut bench, batch) = bench_with(place, true);
        assert!(bench.end_only(batch, Verdict::Acked).is_some());
        assert_eq!(bench.stages(), left);
    }
    let mut bench = Bench::proven(true);
    (0..3).for_each(|_| bench.put(1));
    let mut taken = bench.take_all();
    bench.end_only(taken.remove(2), Verdict::Failed);
    bench.end_only(taken.remove(0), Verdict::Failed);
    bench.end_only(taken.remove(0), Verdict::Acked);
    assert_eq!(
        bench.stages(),
        ["tombstone"],
        "the upper one is still a hole"
    );
}

/// The batch is out of time while a younger one above it waits.
#[test]
fn an_abandoned_batch_that_is_refused_proves_the_absence_of_what_is_above() {
    for (has_forgotten, left) in [(false, "waiting"), (true, "waiting, doubtful")] {
        let mut bench = Bench::proven(true);
        bench.put(1);
        let start = bench.now;
        bench.now += LINGER;
        bench.put(1);
        let mut taken = bench.take_all();
        let (mut first, mut second) = (taken.remove(0), taken.remove(0));
        (first.may_be_written, second.may_be_written) = (true, true);
        bench.end_only(second, again());
        drop(
            bench
                .state
                .give_up(Which::OpenedBy(start), &bench.rules, |_| unreachable!()),
        );
        bench.end_only(first, out_of_sequence(has_forgotten));
        assert_eq!(bench.stages(), ["tombstone", left]);
    }
}

/// Rule 15: it is the lower batch's attempt that failed.
#[test]
fn an_attempt_that_a_lower_batch_spoilt_does_not_count() {
    let (mut bench, batch) = bench_with(AboveWaiting, true);
    bench.end(batch, out_of_sequence(false));
    let lower = bench.take().expect("sent again");
    bench.end(lower, Verdict::Acked);
    let batch = bench.take().expect("sent again");
    assert_eq!((batch.attempts, batch.excused), (2, 1));
}

#[test]
fn partitions_that_outgrow_an_epoch_alone_leave_others_their_batches() {
    let (mut bench, batch) = bench_with(Next, true);
    bench.raise();
    bench.put(1);
    assert!(bench.take().is_none());
    assert!(bench.end(batch, again()).is_none());
    let batch = bench.take().expect("sent again under its own epoch");
    assert_eq!(batch.stamp.identity.epoch, 0);
    bench.end(batch, Verdict::Acked);
    assert_eq!(
        bench.take().map(|batch| batch.stamp.identity.epoch),
        Some(1)
    );
}

/// Two batches are lost with their connection, the first runs out of time, the second is sent again
/// and refused: what the dead connection had written may still reach the broker, both in turn.
#[test]
fn a_refusal_proves_nothing_while_copies_of_both_batches_may_be_on_their_way() {
    for are_adrift in [false, true] {
        let mut bench = Bench::proven(true);
        (0..2).for_each(|_| bench.put(1));
        let mut taken = bench.take_all();
        for batch in &mut taken {
            batch.may_be_written = true;
            batch.is_adrift = are_adrift;
        }
        let second = taken.remove(1);
        bench.end_only(taken.remove(0), Verdict::Failed);
        let refused = bench.end_only(second, out_of_sequence(false));
        assert_eq!(refused.is_some(), are_adrift, "its records fail as unknown");
        let left = if are_adrift { "tombstone" } else { "waiting" };
        assert_eq!(bench.stages(), ["tombstone", left]);
    }
}
