//! Certificates and keys of both sides that change while records flow.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use milena::{Config, Producer, Record, SecurityProtocol};

use crate::crypto::Crypto;
use crate::kafka::{
    Acl, Certificate, Cluster, Isolation, Listener, Version, authority, client_pem, until,
};
use crate::load::{
    assert_once_in_order, assert_sequences, await_delivered, await_more, read_numbers, steady,
};
use crate::relay::Relay;

const PATIENCE: Duration = Duration::from_secs(60);
/// Between two records.
const PACE: Duration = Duration::from_millis(1);
/// New connections look at the files at most once in this time; who rotates a certificate gives
/// clients the new authority ahead of it.
const FILES_ARE_LOOKED_AT: Duration = Duration::from_millis(1100);
/// Acknowledged by connections that were made after a change.
const SOME: u64 = 50;

/// A broker behind a relay, to which alice and mallory may write, each to a topic of their own and
/// both to `load`, and what the client of the test has of files.
struct Rig {
    cluster: Cluster,
    relay: Relay,
    trust: PathBuf,
    keys: PathBuf,
    crypto: Crypto,
}

impl Rig {
    fn start(version: Version, crypto: Crypto) -> Self {
        let relay = Relay::start();
        let advertised = [format!("localhost:{}", relay.port())];
        let builder = Cluster::of(version).listeners(&[Listener::Mtls]);
        let builder = builder.advertise(Listener::Mtls, &advertised);
        let cluster = builder.authorizer().start();
        relay.forward_to(&cluster.address(1, Listener::Mtls));
        for (topic, writers) in [
            ("load", &["alice", "mallory"][..]),
            ("t-alice", &["alice"]),
            ("t-mallory", &["mallory"]),
        ] {
            cluster.create_topic(topic, 3, 1, &[]);
            for writer in writers {
                let principal = format!("User:{writer}");
                cluster.allow(&principal, "WRITE", Acl::Topic(topic));
                cluster.allow(&principal, "IDEMPOTENT_WRITE", Acl::Cluster);
            }
        }
        let directory = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let file = |name: &str| directory.join(format!("rotation-{version}-{name}.pem"));
        let (trust, keys) = (file("trust"), file("keys"));
        Self {
            cluster,
            relay,
            trust,
            keys,
            crypto,
        }
    }

    fn config(&self) -> Config {
        let config = Config::new(self.cluster.bootstrap(Listener::Mtls));
        let config = self.crypto.of(config);
        config
            .security_protocol(SecurityProtocol::Ssl)
            .max_block(PATIENCE)
            .ssl_truststore_file(&self.trust)
            .ssl_keystore_file(&self.keys)
    }

    fn trust(&self, certificates: &[Certificate]) {
        let all: String = certificates.iter().copied().map(authority).collect();
        fs::write(&self.trust, all).expect("write a trust store");
        thread::sleep(FILES_ARE_LOOKED_AT);
    }

    fn is(&self, client: &str) {
        let keys = fs::read(client_pem(client)).expect("read a client's PEM");
        fs::write(&self.keys, keys).expect("write a key store");
        thread::sleep(FILES_ARE_LOOKED_AT);
    }

    /// Has records delivered by connections that are made now.
    fn cut(&self, producer: &Producer) {
        let before = producer.metrics().connects;
        self.relay.cut();
        until("the producer has connected anew", PATIENCE, || {
            (producer.metrics().connects > before).then_some(())
        });
        await_more(producer, SOME);
    }

    /// Returns when the broker shows it to new connections.
    fn show(&self, certificate: Certificate) {
        self.cluster.show_certificate(certificate);
        until("the broker shows its new certificate", PATIENCE, || {
            let config = self.config().ssl_truststore_pem(authority(certificate));
            let config = config.max_block(Duration::from_secs(2));
            let producer = Producer::new(config).expect("a producer");
            producer.partitions_for("load").ok()
        });
    }
}

fn rotate(version: Version, crypto: Crypto) {
    use Certificate::{Good, Untrusted};
    let rig = Rig::start(version, crypto);
    rig.trust(&[Good]);
    rig.is("alice");
    let writes = |producer: &Producer, topic: &str| {
        let result = producer.send(Record::to(topic).value("v")).wait();
        result.map_err(|error| error.code())
    };
    let told = steady(rig.config().idempotence(true), "load", PACE, |producer| {
        await_delivered(producer, SOME);
        let refused = writes(producer, "t-mallory");
        assert_eq!(refused.expect_err("alice may not"), Some(29));

        rig.trust(&[Good, Untrusted]);
        rig.cut(producer);
        rig.show(Untrusted);
        rig.cut(producer);
        rig.trust(&[Untrusted]);
        rig.cut(producer);

        rig.is("mallory");
        // A connection that is opened while another one is reading the files gets the old ones.
        until("the records' connection is mallory's", PATIENCE, || {
            rig.cut(producer);
            writes(producer, "t-mallory").ok()
        });
        let refused = writes(producer, "t-alice");
        assert_eq!(refused.expect_err("mallory may not"), Some(29));

        rig.cluster.terminate(1);
        rig.cluster.restart(1);
        await_more(producer, SOME);
        assert!(writes(producer, "t-mallory").is_ok(), "mallory still may");
    });
    let read = read_numbers(&rig.cluster, "load");
    assert!(told == read, "a record is lost or there twice");
    assert_once_in_order(&read, read.len() as u64);
    assert_sequences(&rig.cluster, "load", 3);
    let counts =
        ["t-alice", "t-mallory"].map(|topic| rig.cluster.read(topic, Isolation::Committed).len());
    assert_eq!(counts, [0, 2]);
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn certificates_of_both_sides_are_rotated_under_load_and_no_record_is_lost_or_doubled() {
    rotate(Version::V4_3_1, Crypto::ALL[0]);
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn certificates_are_rotated_under_load_at_an_old_broker_too() {
    let last = Crypto::ALL.last();
    rotate(Version::V2_8_2, *last.expect("a build with cryptography"));
}
