//! Nonsense about the versions that a broker speaks.

use milena::mock::Api;
use milena::{ErrorKind, Outcome};

use super::{asking, for_each};
use crate::support::{SOON, cluster, delivered, failed, producer, result, send, values};

/// Key, lowest, highest.
type Range = (i16, i16, i16);

const METADATA: Range = (3, 0, 13);
const PRODUCE: Range = (0, 3, 13);

/// The answer in version 4: `ranges` and nothing else.
fn answer(ranges: &[Range]) -> Vec<u8> {
    let mut body = vec![0, 0];
    let mut count = ranges.len() + 1;
    while count > 0x7f {
        body.push(count as u8 | 0x80);
        count >>= 7;
    }
    body.push(count as u8);
    for (key, min, max) in ranges {
        for number in [key, min, max] {
            body.extend(number.to_be_bytes());
        }
        body.push(0);
    }
    body.extend([0; 5]);
    body
}

#[test]
fn ranges_that_leave_no_version_are_told_and_nothing_is_sent() {
    let rows: [(&[Range], &str); 7] = [
        (&[METADATA], "does not offer Produce"),
        (&[METADATA, (0, 9, 3)], "does not offer Produce"),
        (
            &[METADATA, (0, i16::MAX, i16::MIN)],
            "does not offer Produce",
        ),
        (&[METADATA, (0, -7, -1)], "needs Apache Kafka 0.11 or later"),
        (&[METADATA, (0, 0, 2)], "needs Apache Kafka 0.11 or later"),
        (&[METADATA, (0, 100, i16::MAX)], "the broker is too new"),
        (&[], "does not offer Metadata"),
    ];
    for_each(&rows, |(ranges, says)| {
        let cluster = cluster(1, 1);
        let body = answer(ranges);
        let all = cluster.on(Api::ApiVersions).always();
        let fault = all.body(move |_| body.clone());
        let config = asking(&cluster, Api::Produce).max_block(SOON);
        let producer = producer(config.delivery_timeout(2 * SOON));
        let error = failed(&send(&producer, 0, "v"));
        assert_eq!(error.kind(), ErrorKind::UnsupportedVersion, "{error}");
        assert_eq!(error.outcome(), Outcome::NotWritten, "{error}");
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.to_string().contains(&cluster.address(1)), "{error}");
        fault.cancel();
        // One attempt more may have been answered before.
        let good = (0..20).find_map(|_| result(&send(&producer, 0, "good")).ok());
        assert!(good.is_some(), "it does not recover");
        assert_eq!(values(&cluster, 0), ["good"]);
    });
}

#[test]
fn ranges_are_found_among_repetitions_nonsense_and_a_hundred_thousand_others() {
    let many = |key: i16| vec![(key, -1, i16::MAX); 100_000];
    let rows: [Vec<Range>; 4] = [
        vec![METADATA, PRODUCE, (0, 3, 5), METADATA, (3, 0, 4)],
        vec![(0, 9, 3), METADATA, PRODUCE, (-5, -9, -1), (i16::MIN, 5, 4)],
        [many(99), vec![METADATA, PRODUCE]].concat(),
        [vec![METADATA, PRODUCE], many(-1)].concat(),
    ];
    for ranges in rows {
        let cluster = cluster(1, 1);
        let body = answer(&ranges);
        let fault = cluster.on(Api::ApiVersions).always();
        fault.body(move |_| body.clone());
        let producer = producer(asking(&cluster, Api::Produce).max_block(SOON));
        delivered(&send(&producer, 0, "good"));
        assert_eq!(values(&cluster, 0), ["good"]);
    }
}
