//! Produce without sequence numbers: versions, acks, addresses, and what is wrong with batches.

use super::Scenario;
use super::answers::Produce;
use super::batch::{
    Batch, CONTROL, LOG_APPEND_TIME, TRANSACTIONAL, message_of_magic_1, now_ms, of,
};
use super::talk::Talk;

const HOUR_MS: i64 = 3_600_000;
/// By number. Kafka has none above 4.
const CODECS: [(i16, &str); 7] = [
    (1, "gzip"),
    (2, "snappy"),
    (3, "lz4"),
    (4, "zstd"),
    (5, "codec 5"),
    (6, "codec 6"),
    (7, "codec 7"),
];

pub(super) const ALL: &[Scenario] = &[
    Scenario::new("every version of produce", every_version),
    Scenario::new("acks", acks),
    Scenario::new("topics and partitions that are not there", nowhere),
    Scenario::new("the number of batches", how_many_batches),
    Scenario::new("batches that are damaged", damaged),
    Scenario::new("headers that do not fit", headers),
    Scenario::new("records that do not fit", records),
    Scenario::new("compressed batches", compressed),
    Scenario::new("batches that are compressed badly", compressed_badly),
    Scenario::new("a batch that is too large", too_large).with(&[("max.message.bytes", "200")]),
    Scenario::new("time of the broker", timed).with(&[("message.timestamp.type", "LogAppendTime")]),
    Scenario::new("timestamps by default", timestamps),
    Scenario::new("timestamps within limits", timestamps_within_limits).with(&[
        ("message.timestamp.before.max.ms", "7200000"),
        ("message.timestamp.after.max.ms", "7200000"),
    ]),
    Scenario::new("a compacted topic", compacted).with(&[("cleanup.policy", "compact")]),
    Scenario::new("fewer copies than wanted in sync", min_isr)
        .with(&[("min.insync.replicas", "2")]),
    Scenario::new("records of a transaction without one", transactional),
];

fn every_version(talk: &mut Talk<'_>) {
    let topic_id = talk.topic_id();
    for version in 0..=14 {
        let produce = Produce {
            version,
            topic_id,
            ..talk.plain()
        };
        let what = format!("v{version}");
        if version < 3 && talk.side.takes_old_batches() {
            continue;
        }
        talk.send(&what, &produce, &of(&["a", "b"]).bytes());
    }
    talk.log();
}

fn acks(talk: &mut Talk<'_>) {
    for acks in [-1, 0, 1, 2, -2] {
        for version in [3, 9] {
            let produce = Produce {
                version,
                acks,
                ..talk.plain()
            };
            talk.send(
                &format!("acks={acks} v{version}"),
                &produce,
                &of(&["a"]).bytes(),
            );
        }
    }
    let unknown = Produce {
        acks: 0,
        topic: "nobody-made-this",
        ..talk.plain()
    };
    talk.send("acks=0, unknown topic", &unknown, &of(&["a"]).bytes());
    let refused = Produce {
        acks: 0,
        ..talk.plain()
    };
    let batch = Batch {
        is_crc_wrong: true,
        ..of(&["a"])
    };
    talk.send("acks=0, wrong crc", &refused, &batch.bytes());
    talk.log();
}

fn nowhere(talk: &mut Talk<'_>) {
    let batch = of(&["a"]).bytes();
    for version in [3, 9, 12] {
        for (topic, partition) in [("nobody-made-this", 0), ("", 7), ("", -1), ("a b", 0)] {
            let produce = Produce {
                version,
                topic,
                partition,
                ..talk.plain()
            };
            talk.send(
                &format!("{topic:?}-{partition} v{version}"),
                &produce,
                &batch,
            );
        }
    }
    let own = talk.topic_id();
    for (what, topic_id, partition) in [
        ("zero", [0; 16], 0),
        ("unknown", [9; 16], 0),
        ("own", own, 7),
    ] {
        let produce = Produce {
            version: 13,
            topic_id,
            partition,
            ..talk.plain()
        };
        talk.send(&format!("id {what}-{partition}"), &produce, &batch);
    }
    // Which of two mistakes is told.
    let produce = Produce {
        topic: "nobody-made-this",
        acks: 2,
        ..talk.plain()
    };
    talk.send("unknown topic, acks=2", &produce, &batch);
    talk.send("unknown topic, no batch", &produce, b"");
    talk.log();
}

fn how_many_batches(talk: &mut Talk<'_>) {
    let (one, old) = (of(&["a"]).bytes(), message_of_magic_1());
    for version in [3, 13] {
        let produce = Produce {
            version,
            topic_id: talk.topic_id(),
            ..talk.plain()
        };
        let mut send = |what, records: &[u8]| {
            talk.send(&format!("{what} v{version}"), &produce, records);
        };
        send("none", b"");
        send("two", &[&one[..], &one].concat());
        send("magic 1", &old);
        send("magic 1 after a batch", &[&one[..], &old].concat());
        send("a batch and 3 bytes", &[&one[..], &[1, 2, 3]].concat());
        send("a batch and 30 bytes", &[&one[..], &[0; 30]].concat());
    }
    let invalid = Produce {
        acks: 2,
        ..talk.plain()
    };
    talk.send("none, acks=2", &invalid, b"");
    talk.log();
}

fn damaged(talk: &mut Talk<'_>) {
    let good = of(&["a", "b"]).bytes();
    let plain = talk.plain();
    for kept in [1, 16, 17, 61, good.len() - 1] {
        talk.send(
            &format!("cut to {kept} of {}", good.len()),
            &plain,
            &good[..kept],
        );
    }
    let mut long = good.clone();
    long[11] += 1;
    talk.send("length too great", &plain, &long);
    let mut short = good.clone();
    short[11] -= 1;
    talk.send("length too small", &plain, &short);
    let mut tiny = good.clone();
    tiny[8..12].copy_from_slice(&3_i32.to_be_bytes());
    talk.send("length of 3", &plain, &tiny);
    for magic in [0, 1, 3, 255] {
        let batch = Batch {
            magic,
            ..of(&["a"])
        };
        talk.produce(&format!("magic {magic}"), &batch);
    }
    let batch = Batch {
        is_crc_wrong: true,
        ..of(&["a"])
    };
    talk.produce("wrong crc", &batch);
    talk.log();
}

fn headers(talk: &mut Talk<'_>) {
    let two = || of(&["a", "b"]);
    let count = |count, last| Batch {
        count: Some(count),
        last_offset_delta: Some(last),
        ..two()
    };
    for (records, last) in [
        (3, 2),
        (1, 0),
        (0, -1),
        (-1, 1),
        (2, 5),
        (2, 0),
        (0, 0),
        (3, 1),
    ] {
        talk.produce(
            &format!("count {records}, last {last}"),
            &count(records, last),
        );
    }
    let nothing = of(&[]);
    talk.produce("no records", &nothing);
    let at = Batch {
        base_offset: 5,
        ..two()
    };
    talk.produce("base offset 5", &at);
    for (what, attributes) in [
        ("control", CONTROL),
        ("log append time", LOG_APPEND_TIME),
        ("unknown attribute", 0x100),
    ] {
        let batch = Batch {
            attributes,
            ..two()
        };
        talk.produce(what, &batch);
    }
    talk.log();
}

fn records(talk: &mut Talk<'_>) {
    for stride in [0, 2, -1] {
        let batch = Batch {
            stride,
            ..of(&["a", "b"])
        };
        talk.produce(&format!("offsets {stride} apart"), &batch);
    }
    let bodies: [(&str, &'static [u8]); 5] = [
        ("no bytes", b""),
        ("a record of 100 bytes", &[200, 1, 0]),
        ("a negative length", &[1, 0, 0]),
        ("a key beyond the record", &[14, 0, 0, 0, 100, 0, 0, 0]),
        ("bytes after the record", &[12, 0, 0, 0, 1, 1, 0, 7, 7]),
    ];
    for (what, body) in bodies {
        let batch = Batch {
            body: Some(body.to_vec()),
            ..of(&["a"])
        };
        talk.produce(what, &batch);
    }
}

fn compressed(talk: &mut Talk<'_>) {
    for (codec, name) in CODECS {
        for version in [3, 6, 7, 9] {
            let produce = Produce {
                version,
                ..talk.plain()
            };
            let batch = of(&["a", "b"]).compressed(codec).bytes();
            talk.send(&format!("{name} v{version}"), &produce, &batch);
        }
    }
    let id = talk.producer();
    let batch = || of(&["a", "b"]).by(id, 0, 0).compressed(3);
    talk.produce("first", &batch());
    talk.produce("again", &batch());
    talk.produce("out of order", &of(&["c"]).by(id, 0, 9).compressed(3));
    talk.log();
}

fn compressed_badly(talk: &mut Talk<'_>) {
    const GARBAGE: &[u8] = b"this was never compressed";
    let garbage = |attributes| Batch {
        attributes,
        body: Some(GARBAGE.to_vec()),
        ..of(&["a"])
    };
    for (codec, name) in CODECS {
        for version in [3, 9] {
            let produce = Produce {
                version,
                ..talk.plain()
            };
            let batch = garbage(codec).bytes();
            talk.send(&format!("{name} garbage v{version}"), &produce, &batch);
        }
        if codec > 4 {
            continue;
        }
        let mut produce =
            |what: &str, batch: &Batch| talk.produce(&format!("{name} {what}"), batch);
        for stride in [0, 2] {
            let batch = Batch {
                stride,
                ..of(&["a", "b"])
            };
            let what = format!("offsets {stride} apart");
            produce(&what, &batch.compressed(codec));
        }
        let with = |body: &[u8]| Batch {
            body: Some(body.to_vec()),
            ..of(&["a"])
        };
        produce("nothing", &with(b"").compressed(codec));
        let beyond = [14, 0, 0, 0, 100, 0, 0, 0];
        produce("a key beyond the record", &with(&beyond).compressed(codec));
        let twice = Batch {
            count: Some(1),
            last_offset_delta: Some(0),
            ..of(&["a", "b"])
        };
        produce("more records than told", &twice.compressed(codec));
        let fewer = Batch {
            count: Some(3),
            last_offset_delta: Some(2),
            ..of(&["a", "b"])
        };
        produce("fewer records than told", &fewer.compressed(codec));
        let mut whole = of(&["a", "b"]).compressed(codec);
        let frame = whole.body.as_mut().expect("a frame");
        frame.truncate(frame.len() - 10);
        produce("frame cut short", &whole);
        let future = Batch {
            timestamp_ms: now_ms() + 100 * HOUR_MS,
            ..of(&["a", "b"])
        };
        produce("from the future", &future.compressed(codec));
    }
    let wrong = Batch {
        is_crc_wrong: true,
        ..garbage(4)
    };
    talk.produce("garbage, wrong crc", &wrong);
    talk.produce("garbage, no sequence to it", &garbage(4).by(70, 0, 9));
    let control = Batch {
        attributes: 4 | CONTROL,
        ..garbage(4)
    };
    talk.produce("garbage, control", &control);
    talk.log();
}

fn too_large(talk: &mut Talk<'_>) {
    const LONG: &str = "a value that is long enough to be beyond two hundred bytes, if it is there \
                        three times, or even with its header alone";
    talk.produce("small", &of(&["a"]));
    talk.produce("large", &of(&[LONG, LONG]));
    let wrong = Batch {
        is_crc_wrong: true,
        ..of(&[LONG, LONG])
    };
    talk.produce("large, wrong crc", &wrong);
    let wrong = Batch {
        base_offset: 5,
        ..of(&[LONG, LONG])
    };
    talk.produce("large, base offset 5", &wrong);
    talk.produce("large, no sequence to it", &of(&[LONG, LONG]).by(70, 0, 9));
    talk.log();
}

fn timed(talk: &mut Talk<'_>) {
    let old = Batch {
        timestamp_ms: 1_000,
        ..of(&["a", "b"])
    };
    talk.produce("old", &old);
    let said = Batch {
        attributes: LOG_APPEND_TIME,
        ..of(&["a"])
    };
    talk.produce("time of the broker by the client", &said);
    let id = talk.producer();
    talk.produce("first", &old.clone().by(id, 0, 0));
    talk.produce("again", &old.clone().by(id, 0, 0));
    talk.produce("out of order", &old.by(id, 0, 9));
    talk.log();
}

fn timestamps(talk: &mut Talk<'_>) {
    for (what, timestamp_ms) in [
        ("none", -1),
        ("1970", 0),
        ("10 hours ago", now_ms() - 10 * HOUR_MS),
        ("in 50 minutes", now_ms() + HOUR_MS * 5 / 6),
        ("in 2 hours", now_ms() + 2 * HOUR_MS),
    ] {
        let batch = Batch {
            timestamp_ms,
            ..of(&["a", "b"])
        };
        talk.produce(what, &batch);
    }
    let batch = Batch {
        timestamp_ms: -1,
        attributes: LOG_APPEND_TIME,
        ..of(&["a"])
    };
    talk.produce("none, by the broker", &batch);
}

fn timestamps_within_limits(talk: &mut Talk<'_>) {
    for hours in [-3, -1, 1, 3] {
        let batch = Batch {
            timestamp_ms: now_ms() + hours * HOUR_MS,
            ..of(&["a", "b"])
        };
        talk.produce(&format!("in {hours} hours"), &batch);
    }
    let produce = Produce {
        version: 7,
        ..talk.plain()
    };
    let old = Batch {
        timestamp_ms: 0,
        ..of(&["a"])
    };
    talk.send("1970, v7", &produce, &old.bytes());
}

fn compacted(talk: &mut Talk<'_>) {
    talk.produce("with keys", &of(&["a", "b"]));
    let keyless = Batch {
        key: None,
        ..of(&["a", "b"])
    };
    talk.produce("without keys", &keyless);
    talk.produce("without keys, compressed", &keyless.compressed(4));
    talk.log();
}

fn min_isr(talk: &mut Talk<'_>) {
    talk.produce("acks=all", &of(&["a"]));
    talk.log();
}

fn transactional(talk: &mut Talk<'_>) {
    let id = talk.producer();
    let batch = Batch {
        attributes: TRANSACTIONAL,
        ..of(&["a"])
    };
    let plain = talk.plain();
    let named = Produce {
        transactional_id: Some("nobody"),
        ..talk.plain()
    };
    talk.find_coordinator(1, 1, &["nobody"]);
    let (own, epoch) = talk.init("of a transaction", 1, Some("nobody"), (-1, -1));
    talk.send("no id", &plain, &batch.bytes());
    talk.send(
        "no transactional id",
        &plain,
        &batch.clone().by(id, 0, 0).bytes(),
    );
    talk.send("no transaction", &named, &batch.by(own, epoch, 0).bytes());
    talk.send(
        "a name, but not in the batch",
        &named,
        &of(&["a"]).by(id, 0, 0).bytes(),
    );
    talk.log();
}
