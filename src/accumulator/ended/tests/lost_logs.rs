//! Logs that lost their end, and topics that were made anew.

use super::*;

/// Rules 17 and 18: what was acknowledged is not in the log any more, unless it is the broker that
/// has forgotten, or something else is missing in between.
#[test]
fn a_loss_of_acknowledged_records_is_told_from_other_refusals() {
    for (place, acked) in [
        (Next, Some(0)),
        (BelowAcked, Some(4)),
        (AboveOnWire, None),
        (AboveWaiting, None),
        (AboveTombstone, None),
    ] {
        let (bench, batch) = bench_with(place, true);
        let loss = |verdict| bench.state.loss(&batch, &verdict).map(|loss| loss.acked);
        assert_eq!(loss(out_of_sequence(false)), acked, "{place:?}");
        assert_eq!(loss(out_of_sequence(true)), None, "{place:?}");
        assert_eq!(loss(again()), None, "{place:?}");
    }
    let mut bench = Bench::new(true);
    bench.put(1);
    let first = bench.take().expect("a batch");
    let loss = bench.state.loss(&first, &out_of_sequence(false));
    assert!(loss.is_none(), "nothing was acknowledged");
}

/// Rule 27: the topic is deleted and made anew while one batch is un-answered, one waits that may
/// be in the old log, one that is not, and one was never sent.
#[test]
fn a_topic_made_anew_gets_what_the_old_one_cannot_have() {
    for (verdict, is_doubtful, comes_out) in [
        (again(), true, true),
        (again(), false, false),
        (out_of_sequence(false), true, true),
        (out_of_sequence(false), false, false),
        (out_of_sequence(true), true, true),
        (Verdict::Acked, false, true),
        (Verdict::Failed, false, true),
    ] {
        let mut bench = Bench::proven(true);
        (1..4).for_each(|records| bench.put(records));
        let mut taken = bench.take_all();
        let (mut first, mut second, third) = (taken.remove(0), taken.remove(0), taken.remove(0));
        second.may_be_written = true;
        bench.end(second, again());
        bench.end(third, out_of_sequence(false));
        bench.put(4);
        let doubtful = bench.state.lose_log(&bench.rules);
        let records: Vec<_> = doubtful.iter().map(|batch| batch.records).collect();
        assert_eq!(records, [2]);
        bench.tell();
        assert!(bench.take().is_none(), "one is un-answered");
        assert!(bench.state.loss(&first, &out_of_sequence(false)).is_none());
        first.may_be_written = is_doubtful;
        let out = bench.end(first, verdict);
        assert_eq!(out.is_some(), comes_out, "doubtful: {is_doubtful}");
        let mut stamps = Vec::new();
        while let Some(batch) = bench.take() {
            let stamp = batch.stamp;
            stamps.push((batch.records, stamp.identity.epoch, stamp.base_sequence));
            bench.end(batch, Verdict::Acked);
        }
        let wanted: &[_] = match comes_out {
            true => &[(3, 1, 0), (4, 1, 3)],
            false => &[(1, 1, 0), (3, 1, 1), (4, 1, 4)],
        };
        assert_eq!(stamps, wanted);
    }
}

#[test]
fn a_topic_made_anew_costs_an_epoch_only_where_sequences_were_used() {
    let mut bench = Bench::proven(true);
    assert!(bench.state.lose_log(&bench.rules).is_empty());
    bench.tell();
    bench.put(1);
    let batch = bench.take().expect("to the new topic");
    let stamp = batch.stamp;
    assert_eq!((stamp.identity.epoch, stamp.base_sequence), (1, 0));
    for is_idempotent in [true, false] {
        let mut bench = Bench::new(is_idempotent);
        bench.put(1);
        assert!(bench.state.lose_log(&bench.rules).is_empty());
        bench.tell();
        let batch = bench.take().expect("to the new topic");
        assert_eq!(bench.newest.identity.epoch, 0);
        let mut batch = batch;
        batch.may_be_written = true;
        if !is_idempotent {
            assert!(bench.end(batch, again()).is_none());
            assert!(bench.state.lose_log(&bench.rules).is_empty());
            assert!(bench.take().is_some(), "a retry may make a copy");
        }
    }
}
