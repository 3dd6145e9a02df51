//! The rig itself: every version starts, Kafka's own clients write, and what they wrote reads back the same each way.

use std::time::Duration;

use crate::kafka::{Acl, Certificate, Cluster, Isolation, Listener, Version, until};

/// Sends three lines by the console producer and reads them back by everything that reads.
fn lines_read_back(cluster: &Cluster) {
    cluster.create_topic("lines", 1, 1, &[("compression.type", "gzip")]);
    let options = [
        "--property",
        "parse.key=true",
        "--property",
        "key.separator=:",
    ];
    cluster.console_produce(
        Listener::Plaintext,
        "",
        "lines",
        "a:one\nb:two\nc:three\n",
        &options,
    );

    let read = cluster.read("lines", Isolation::Committed);
    assert_eq!(
        read.iter().map(|record| record.text()).collect::<Vec<_>>(),
        ["one", "two", "three"]
    );
    assert_eq!(
        read.iter().map(|record| record.offset).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert_eq!(read[1].key.as_deref(), Some(&b"b"[..]));
    assert_eq!(cluster.console_consume("lines", 3, &[]), read);

    let batches = cluster.dump_log("lines", 0);
    assert!(
        batches
            .iter()
            .all(|batch| batch.crc_ok && batch.magic == 2 && batch.codec == "gzip")
    );
    let dumped: Vec<_> = batches.iter().flat_map(|batch| &batch.records).collect();
    assert_eq!(
        dumped
            .iter()
            .map(|record| record.offset)
            .collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert_eq!(dumped[2].payload.as_deref(), Some("three"));
    assert_eq!((dumped[2].key_size, dumped[2].value_size), (1, 5));
    assert_eq!(dumped[2].timestamp, read[2].timestamp);
}

macro_rules! lines_read_back {
    ($($test:ident: $version:ident),* $(,)?) => { $(
        #[test]
        #[ignore = "needs Java: run tests/run"]
        fn $test() {
            lines_read_back(&Cluster::of(Version::$version).start());
        }
    )* };
}

lines_read_back! {
    lines_read_back_from_4_3_1: V4_3_1,
    lines_read_back_from_3_9_2: V3_9_2,
    lines_read_back_from_2_8_2: V2_8_2,
    lines_read_back_from_2_1_1: V2_1_1,
    lines_read_back_from_0_11_0_3: V0_11_0_3,
}
