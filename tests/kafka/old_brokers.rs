//! Brokers from Kafka 0.11 on take records, also with idempotence.

use crate::kafka::{Cluster, Listener, Version};
use crate::load::{assert_once_in_order, assert_sequences, config, load, read_numbers};
use crate::millions::from_the_console;

const COUNT: u64 = 100_000;
const PARTITIONS: i32 = 3;

macro_rules! records_arrive {
    ($($test:ident: $version:ident),* $(,)?) => { $(
        #[test]
        #[ignore = "needs Java: run tests/run"]
        fn $test() {
            records_arrive(&Cluster::of(Version::$version).start());
        }
    )* };
}

records_arrive! {
    records_arrive_at_3_9_2: V3_9_2,
    records_arrive_at_2_8_2: V2_8_2,
    records_arrive_at_2_1_1: V2_1_1,
    records_arrive_at_0_11_0_3: V0_11_0_3,
}

fn records_arrive(cluster: &Cluster) {
    from_the_console(cluster);
    for (topic, is_idempotent) in [("plain", false), ("idempotent", true)] {
        cluster.create_topic(topic, PARTITIONS, 1, &[]);
        let config = config(cluster, Listener::Plaintext).idempotence(is_idempotent);
        let told = load(config, topic, COUNT, |_| ());
        let found = read_numbers(cluster, topic);
        assert_once_in_order(&found, COUNT);
        assert!(told == found, "an offset is not as told");
        if is_idempotent {
            assert_sequences(cluster, topic, PARTITIONS);
        }
    }
}
