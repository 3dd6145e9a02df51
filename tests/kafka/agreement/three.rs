//! What needs more than one broker: leaders that are elsewhere, and copies that are not in sync.

use super::Scenario;
use super::answers::Produce;
use super::batch::of;
use super::talk::Talk;

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("not the leader", not_the_leader),
    Scenario::new("a leader that moved", moved),
    Scenario::new("too few copies in sync", too_few).with(&[("min.insync.replicas", "3")]),
];

fn not_the_leader(talk: &mut Talk<'_>) {
    let leader = talk.side.leader(&talk.topic);
    let topic_id = talk.topic_id();
    talk.go_to(other_than(leader));
    for version in [3, 9, 10, 12, 13] {
        let produce = Produce {
            version,
            topic_id,
            ..talk.plain()
        };
        talk.send(&format!("v{version}"), &produce, &of(&["a"]).bytes());
    }
    for (what, acks, partition) in [("acks=0", 0, 0), ("acks=2", 2, 0), ("partition 7", -1, 7)] {
        let produce = Produce {
            acks,
            partition,
            ..talk.plain()
        };
        talk.send(what, &produce, &of(&["a"]).bytes());
    }
    talk.produce("no batch", &of(&[]));
    talk.log();
}

fn moved(talk: &mut Talk<'_>) {
    let old = talk.side.leader(&talk.topic);
    talk.go_to(old);
    let id = talk.producer();
    let batches = [
        of(&["a"]).by(id, 0, 0),
        of(&["b"]).by(id, 0, 1),
        of(&["c"]).by(id, 0, 2),
    ];
    talk.produce("first", &batches[0]);
    talk.produce("second", &batches[1]);
    let new = other_than(old);
    talk.side.move_leader(&talk.topic, new);
    talk.produce("third, to the old leader", &batches[2]);
    talk.go_to(new);
    talk.produce("second again", &batches[1]);
    talk.produce("third", &batches[2]);
    talk.log();
}

fn too_few(talk: &mut Talk<'_>) {
    let leader = talk.side.leader(&talk.topic);
    talk.go_to(leader);
    let id = talk.producer();
    let first = of(&["a"]).by(id, 0, 0);
    talk.produce("all in sync", &first);
    talk.side.stop(&talk.topic, other_than(leader));
    for acks in [-1, 0, 1] {
        let produce = Produce {
            acks,
            ..talk.plain()
        };
        talk.send(
            &format!("one missing, acks={acks}"),
            &produce,
            &of(&["b"]).bytes(),
        );
    }
    // Which mistake is told first.
    talk.produce("one missing, a duplicate", &first);
    talk.produce("one missing, a gap", &of(&["c"]).by(id, 0, 7));
    talk.produce("one missing, no batch", &of(&[]));
    // Kafka shows consumers nothing that is in too few copies, the mock shows the log as it is.
    talk.side.start(&talk.topic, other_than(leader));
    talk.until(": at", |talk| talk.produce("all in sync", &of(&["d"])));
    talk.produce("all in sync, a duplicate", &first);
    talk.log();
}

fn other_than(node: i32) -> i32 {
    node % 3 + 1
}
