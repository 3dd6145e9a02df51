//! Producer ids, epochs and sequence numbers.

use super::Scenario;
use super::batch::{Batch, of};
use super::talk::{Talk, after};

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("an idempotent producer in order", in_order),
    Scenario::new("the last five batches again", duplicates),
    Scenario::new("sequence numbers with gaps", gaps),
    Scenario::new("a first sequence number that is not 0", first_sequence),
    Scenario::new(
        "the first sequence number of a written log",
        first_in_written_log,
    ),
    Scenario::new("a new epoch", new_epoch),
    Scenario::new("an old epoch", old_epoch),
    Scenario::new("sequence numbers that wrap", wrap),
    Scenario::new("ids that nobody handed out", unknown_ids),
    Scenario::new("which mistake is told first", order_of_checks)
        .with(&[("max.message.bytes", "200")]),
    Scenario::new("two producers in one partition", two_producers),
];

/// How producer ids are handed out, in the versions of Kafka 3 and 4.
pub(super) const IDS: &[Scenario] = &[
    Scenario::new("producer ids", ids),
    Scenario::new("producer ids of a transactional id", transactional_ids),
];

fn in_order(talk: &mut Talk<'_>) {
    let id = talk.producer();
    for (sequence, values) in [(0, &["a"][..]), (1, &["b", "c"]), (3, &["d"])] {
        talk.produce(&format!("seq {sequence}"), &of(values).by(id, 0, sequence));
    }
    talk.log();
}

fn duplicates(talk: &mut Talk<'_>) {
    let id = talk.producer();
    let batches: Vec<Batch> = [
        (0, &["a", "b"][..]),
        (2, &["c"]),
        (3, &["d", "e", "f"]),
        (6, &["g"]),
    ]
    .into_iter()
    .chain([(7, &["h"][..]), (8, &["i"])])
    .map(|(sequence, values)| of(values).by(id, 0, sequence))
    .collect();
    for batch in &batches[..5] {
        talk.produce("new", batch);
    }
    for batch in &batches[..5] {
        talk.produce("again", batch);
    }
    talk.produce("same start, other end", &of(&["d"]).by(id, 0, 3));
    talk.produce("other start, same end", &of(&["f"]).by(id, 0, 5));
    talk.produce("other records", &of(&["x"]).by(id, 0, 7));
    talk.produce("the sixth", &batches[5]);
    talk.produce("the first again", &batches[0]);
    talk.produce("the second again", &batches[1]);
    talk.log();
}

fn gaps(talk: &mut Talk<'_>) {
    let id = talk.producer();
    talk.produce("seq 0", &of(&["a"]).by(id, 0, 0));
    talk.produce("seq 2", &of(&["c"]).by(id, 0, 2));
    talk.produce("seq 1", &of(&["b", "c"]).by(id, 0, 1));
    talk.produce("seq 2 again", &of(&["c"]).by(id, 0, 2));
    talk.produce("seq 3", &of(&["d"]).by(id, 0, 3));
    talk.produce("seq -1", &of(&["d"]).by(id, 0, -1));
    invalid_record_is_new(talk);
    talk.log();
}

fn first_sequence(talk: &mut Talk<'_>) {
    let id = talk.producer();
    talk.produce("seq 5", &of(&["a"]).by(id, 0, 5));
    talk.produce("seq 0", &of(&["b"]).by(id, 0, 0));
    talk.produce("seq 6", &of(&["b"]).by(id, 0, 6));
    talk.log();
}

fn first_in_written_log(talk: &mut Talk<'_>) {
    let (one, two) = (talk.producer(), talk.producer());
    talk.produce("another's", &of(&["a"]).by(one, 0, 0));
    talk.produce("seq 5", &of(&["b"]).by(two, 0, 5));
    talk.produce("seq 5 again", &of(&["b"]).by(two, 0, 5));
    talk.log();
}

fn new_epoch(talk: &mut Talk<'_>) {
    let id = talk.producer();
    talk.produce("0, seq 0", &of(&["a"]).by(id, 0, 0));
    talk.produce("1, seq 1", &of(&["b"]).by(id, 1, 1));
    talk.produce("1, seq 0", &of(&["b"]).by(id, 1, 0));
    talk.produce("1, seq 0 again", &of(&["b"]).by(id, 1, 0));
    talk.produce("9, seq 0", &of(&["c"]).by(id, 9, 0));
    talk.produce("9, seq 1", &of(&["d"]).by(id, 9, 1));
    let fresh = talk.producer();
    talk.produce("first of all 7, seq 3", &of(&["e"]).by(fresh, 7, 3));
    talk.produce("8, seq 4", &of(&["f"]).by(fresh, 8, 4));
    talk.log();
}

fn old_epoch(talk: &mut Talk<'_>) {
    let id = talk.producer();
    talk.produce("3, seq 0", &of(&["a"]).by(id, 3, 0));
    talk.produce("2, seq 1", &of(&["b"]).by(id, 2, 1));
    talk.produce("2, seq 0", &of(&["a"]).by(id, 2, 0));
    talk.produce("-1, seq 1", &of(&["b"]).by(id, -1, 1));
    talk.produce("3, seq 1", &of(&["b"]).by(id, 3, 1));
    talk.log();
}

fn wrap(talk: &mut Talk<'_>) {
    let id = talk.producer();
    let first = i32::MAX - 2;
    talk.produce("2^31 - 3", &of(&["a"]).by(id, 0, first));
    talk.produce("two more", &of(&["b", "c"]).by(id, 0, after(first, 1)));
    talk.produce("0", &of(&["d"]).by(id, 0, 0));
    talk.produce("1", &of(&["e"]).by(id, 0, 1));
    talk.produce(
        "two more again",
        &of(&["b", "c"]).by(id, 0, after(first, 1)),
    );
    let id = talk.producer();
    let across = of(&["f", "g", "h"]).by(id, 0, i32::MAX - 1);
    talk.produce("across", &across);
    talk.produce("across again", &across);
    talk.produce("0 after it", &of(&["i"]).by(id, 0, 0));
    talk.produce("1 after it", &of(&["i"]).by(id, 0, 1));
    talk.log();
}

fn unknown_ids(talk: &mut Talk<'_>) {
    talk.produce("seq 0", &of(&["a"]).by(770_000, 0, 0));
    talk.produce("seq 1", &of(&["b"]).by(770_000, 0, 1));
    talk.produce("epoch -1", &of(&["c"]).by(770_001, -1, 0));
    talk.produce("no id, but a sequence", &of(&["d"]).by(-1, -1, 4));
    talk.produce("no id, but an epoch", &of(&["e"]).by(-1, 4, -1));
    talk.produce("id -2", &of(&["f"]).by(-2, 0, 0));
    talk.log();
}

fn order_of_checks(talk: &mut Talk<'_>) {
    const LONG: &str = "a value that is long enough to be beyond two hundred bytes, if it is there \
                        three times, or even with its header alone";
    let id = talk.producer();
    let first = of(&["a"]).by(id, 3, 0);
    talk.produce("first", &first);
    let large = of(&[LONG, LONG]);
    talk.produce("large, old epoch", &large.clone().by(id, 0, 1));
    let wrong = Batch {
        is_crc_wrong: true,
        ..first.clone()
    };
    talk.produce("wrong crc, duplicate", &wrong);
    let miscounted = Batch {
        count: Some(2),
        ..first.clone()
    };
    talk.produce("miscounted, duplicate", &miscounted);
    invalid_record_is_new(talk);
    let early = Batch {
        timestamp_ms: i64::MAX / 2,
        ..first
    };
    talk.produce("wrong time, duplicate", &early);
    talk.produce("old epoch, gap", &of(&["b"]).by(id, 2, 7));
    talk.log();
}

fn invalid_record_is_new(talk: &mut Talk<'_>) {
    if talk.side.produce_version() < 8 {
        let why = "Kafka has the code since 2.4; the mock is a newer broker with older versions";
        talk.differs("INVALID_RECORD, start 0", "CORRUPT_MESSAGE", why);
    }
}

fn two_producers(talk: &mut Talk<'_>) {
    let (one, two) = (talk.producer(), talk.producer());
    for sequence in 0..2 {
        talk.produce("one", &of(&["a"]).by(one, 0, sequence));
        talk.produce("two", &of(&["b"]).by(two, 0, sequence));
    }
    talk.produce("one again", &of(&["a"]).by(one, 0, 0));
    talk.log();
}

fn ids(talk: &mut Talk<'_>) {
    for version in 0..=5 {
        talk.init(&format!("v{version}"), version, None, (-1, -1));
    }
    let (id, epoch) = talk.init("one more", 4, None, (-1, -1));
    talk.init("its next epoch", 4, None, (id, epoch));
    talk.init("an epoch without an id", 4, None, (-1, 3));
    talk.init("an id without an epoch", 4, None, (id, -1));
    talk.init("of an empty transactional id", 1, Some(""), (-1, -1));
}

fn transactional_ids(talk: &mut Talk<'_>) {
    let name = Some("agreement");
    talk.find_coordinator(1, 1, &["agreement"]);
    let (id, _) = talk.init("v0", 0, name, (-1, -1));
    talk.produce("epoch 0", &of(&["a"]).by(id, 0, 0));
    talk.init("v1", 1, name, (-1, -1));
    talk.produce("epoch 1", &of(&["b"]).by(id, 1, 0));
    talk.produce("epoch 0, fenced", &of(&["c"]).by(id, 0, 1));
    talk.init("v3 with the present epoch", 3, name, (id, 1));
    talk.init("v3 with an epoch before", 3, name, (id, 0));
    talk.init("v4 with another id", 4, name, (id + 100_000, 0));
    talk.init("v4 with an epoch to come", 4, name, (id, 9));
    talk.init("v4 with the epoch just before", 4, name, (id, 1));
    talk.init("v4 anew", 4, name, (-1, -1));
    talk.init("another name", 4, Some("agreement-2"), (-1, -1));
    talk.init("a new name with an id", 4, Some("agreement-3"), (id, 0));
    talk.log();
}
