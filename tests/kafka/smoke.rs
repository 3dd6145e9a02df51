//! The rig itself: every version starts, Kafka's own clients write, and what they wrote reads back
//! the same each way.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::kafka::{
    Acl, Certificate, Cluster, Consumed, DumpedBatch, Isolation, Listener, Reader, USERS, Version,
    ca_pem, client_pem, until,
};
use crate::relay::Relay;

const PLAIN: &str = "PLAIN";
const LIMIT: Duration = Duration::from_secs(60);

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

/// Sends lines by the console producer and reads them back by everything that reads.
fn lines_read_back(cluster: &Cluster) {
    cluster.create_topic("lines", 1, 1, &[("compression.type", "gzip")]);
    let reader = "parse.key=true,parse.headers=true,key.separator=:,null.marker=NULL";
    let options = reader
        .split(',')
        .flat_map(|property| ["--property", property]);
    let options: Vec<_> = options.collect();
    let lines = "h:1,i:\ta:one\nh:2\tb:two\nh:3\tc:NULL\n";
    cluster.console_produce(Listener::Plaintext, "", "lines", lines, &options);

    let read = cluster.read("lines", Isolation::Committed);
    assert_eq!(texts(&read), ["one", "two", ""]);
    assert_eq!(
        read.iter().map(|record| record.offset).collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert_eq!(read[1].key.as_deref(), Some(&b"b"[..]));
    assert_eq!((read[2].value.as_ref(), read[0].headers.len()), (None, 2));
    assert_eq!(cluster.console_consume("lines", 3, &[]), read);
    for reader in Reader::ALL {
        let again = cluster.read_by(reader, &["lines"]);
        assert_eq!(again, Ok(vec![read.clone()]), "{}", reader.name());
    }

    let batches = cluster.dump_log("lines", 0);
    let is_sound = |batch: &DumpedBatch| batch.crc_ok && batch.magic == 2 && batch.codec == "gzip";
    assert!(batches.iter().all(is_sound));
    let dumped: Vec<_> = batches.iter().flat_map(|batch| &batch.records).collect();
    assert_eq!(
        dumped
            .iter()
            .map(|record| record.offset)
            .collect::<Vec<_>>(),
        [0, 1, 2]
    );
    assert_eq!(dumped[1].payload.as_deref(), Some("two"));
    assert_eq!(
        (
            dumped[1].key_size,
            dumped[1].value_size,
            dumped[2].value_size
        ),
        (1, 3, -1)
    );
    assert_eq!(dumped[0].header_keys, ["h", "i"]);
    assert_eq!(dumped[1].timestamp, read[1].timestamp);
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn every_reader_complains_about_a_damaged_batch() {
    let (cluster, topic) = (Cluster::shared(), "damaged");
    cluster.create_topic(topic, 1, 1, &[]);
    cluster.console_produce(Listener::Plaintext, "", topic, &"x".repeat(1000), &[]);
    cluster.damage(topic, 0);
    for (reader, complaint) in [
        (Reader::Java, "exception when fetching the next record"),
        (Reader::Librdkafka, "failed CRC32C check"),
        (Reader::Franz, "does not match calculated crc"),
    ] {
        let error = cluster.read_by(reader, &[topic]).expect_err("a complaint");
        assert!(error.contains(complaint), "{}: {error}", reader.name());
    }
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn every_listener_and_mechanism_takes_records() {
    let cluster = Cluster::shared();
    let topic = "every-listener";
    cluster.create_topic(topic, 1, 1, &[]);
    let mut sent = Vec::new();
    for (listener, mechanism) in [
        (Listener::Plaintext, ""),
        (Listener::Ssl, ""),
        (Listener::SaslPlaintext, PLAIN),
        (Listener::SaslPlaintext, "SCRAM-SHA-256"),
        (Listener::SaslSsl, "SCRAM-SHA-512"),
    ] {
        let line = format!("{}{mechanism}", listener.name());
        cluster.console_produce(listener, mechanism, topic, &line, &[]);
        sent.push(line);
    }
    assert_eq!(texts(&cluster.read(topic, Isolation::Uncommitted)), sent);
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn old_brokers_take_sasl_and_tls_too() {
    for version in [Version::V2_8_2, Version::V2_1_1, Version::V0_11_0_3] {
        let cluster = Cluster::of(version).listeners(&[Listener::SaslSsl]).start();
        cluster.create_topic("t", 1, 1, &[]);
        cluster.console_produce(Listener::SaslSsl, PLAIN, "t", "line", &[]);
        assert_eq!(
            texts(&cluster.read("t", Isolation::Committed)),
            ["line"],
            "{version}"
        );
    }
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn bad_certificates_are_refused_and_good_ones_taken() {
    let builder = Cluster::of(Version::V4_3_1).listeners(&[Listener::Ssl]);
    let cluster = builder.certificate(Certificate::Expired).start();
    cluster.create_topic("t", 1, 1, &[]);
    let send = || cluster.try_console_produce(Listener::Ssl, "", "t", "line", &[]);
    for (certificate, complaint) in [
        (Certificate::Expired, "NotAfter"),
        (
            Certificate::WrongHost,
            "No subject alternative DNS name matching localhost",
        ),
        (
            Certificate::Untrusted,
            "unable to find valid certification path",
        ),
    ] {
        cluster.show_certificate(certificate);
        let refused = send().expect_err("a bad certificate");
        assert!(refused.contains(complaint), "{certificate:?}: {refused}");
    }
    cluster.show_certificate(Certificate::Good);
    send().expect("a good certificate");
    assert!(ca_pem().exists());
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn access_is_by_the_name_in_the_client_certificate() {
    let builder = Cluster::of(Version::V4_3_1).listeners(&[Listener::Mtls]);
    let cluster = builder.authorizer().start();
    cluster.create_topic("t", 1, 1, &[]);
    for operation in ["WRITE", "DESCRIBE"] {
        cluster.allow("User:alice", operation, Acl::Topic("t"));
    }
    cluster.allow("User:alice", "WRITE", Acl::TransactionalId("x"));
    cluster.allow("User:alice", "READ", Acl::Group("g"));
    cluster.allow("User:alice", "IDEMPOTENT_WRITE", Acl::Cluster);
    let send = |name: &str| {
        let store = format!("ssl.keystore.location={}", client_pem(name).display());
        let properties = ["ssl.keystore.type=PEM", &store, "max.block.ms=5000"];
        let options: Vec<_> = properties
            .iter()
            .flat_map(|property| ["--producer-property", property])
            .collect();
        cluster.try_console_produce(Listener::Mtls, "", "t", name, &options)
    };
    send("alice").expect("alice may write");
    let refused = send("mallory").expect_err("mallory may not write");
    assert!(refused.contains("AuthorizationException"), "{refused}");
    let refused = send("stranger").expect_err("the broker does not know the stranger's CA");
    assert!(refused.contains("SslAuthenticationException"), "{refused}");
    assert_eq!(texts(&cluster.read("t", Isolation::Committed)), ["alice"]);
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn admin_calls_change_topics_quotas_and_features() {
    let cluster = Cluster::of(Version::V4_3_1)
        .feature("transaction.version", 1)
        .start();
    assert_eq!(cluster.feature_level("transaction.version"), 1);
    assert_eq!(cluster.feature_level("unheard.of"), 0);
    cluster.create_topic("t", 1, 1, &[]);
    cluster.add_partitions("t", 3);
    assert_eq!(cluster.leader_of("t", 2), Some(1));
    cluster.set_quota(("client-id", "slow"), "producer_byte_rate", Some(20_000.0));
    cluster.set_quota(("client-id", "slow"), "producer_byte_rate", None);
    cluster.alter_topic("t", &[("max.message.bytes", "2000")]);
    let long = "x".repeat(3000);
    let refused = cluster.try_console_produce(Listener::Plaintext, "", "t", &long, &[]);
    assert!(
        refused
            .expect_err("a record too large")
            .contains("RecordTooLargeException")
    );
    cluster.console_produce(Listener::Plaintext, "", "t", &USERS[0].1.repeat(3), &[]);
    let group = ["--group", "g"];
    assert_eq!(cluster.console_consume("t", 1, &group).len(), 1);
    let committed: i64 = cluster
        .committed("g")
        .iter()
        .map(|(.., offset)| offset)
        .sum();
    assert_eq!(committed, 1);
    cluster.delete_topic("t");
    cluster.create_topic("t", 1, 1, &[]);
    assert_eq!(cluster.read("t", Isolation::Committed), []);
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn three_nodes_survive_the_loss_of_one() {
    let cluster = Cluster::of(Version::V4_3_1)
        .nodes(3)
        .property("broker.rack", "r{node}")
        .start();
    cluster.create_topic("t", 1, 3, &[]);
    let all_in_sync = || {
        until("all nodes are in sync", LIMIT, || {
            (cluster.in_sync("t", 0) == [1, 2, 3]).then_some(())
        });
    };
    let moves_from = |old| {
        until("another node leads", LIMIT, || {
            cluster.leader_of("t", 0).filter(|&leader| leader != old)
        })
    };
    let send = |line: &str| cluster.console_produce(Listener::Plaintext, "", "t", line, &[]);
    all_in_sync();
    cluster.move_leader("t", 0, 2);
    assert_eq!(cluster.leader_of("t", 0), Some(2));
    send("two leads");

    cluster.kill(2);
    let second = moves_from(2);
    send("two is dead");
    cluster.restart(2);
    all_in_sync();

    cluster.pause(second);
    let third = moves_from(second);
    cluster.resume(second);
    all_in_sync();

    cluster.terminate(third);
    moves_from(third);
    send("another is gone");
    cluster.restart(third);
    all_in_sync();
    let read = cluster.read("t", Isolation::Committed);
    assert_eq!(
        texts(&read),
        ["two leads", "two is dead", "another is gone"]
    );
    assert_eq!(
        cluster
            .dump_log("t", 0)
            .iter()
            .map(|batch| batch.records.len())
            .sum::<usize>(),
        3
    );
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn old_brokers_restart_with_what_they_had() {
    let cluster = Cluster::of(Version::V0_11_0_3).start();
    cluster.create_topic("t", 1, 1, &[]);
    cluster.console_produce(Listener::Plaintext, "", "t", "before", &[]);
    cluster.kill(1);
    cluster.restart(1);
    until("the node leads again", LIMIT, || cluster.leader_of("t", 0));
    cluster.console_produce(Listener::Plaintext, "", "t", "after", &[]);
    assert_eq!(
        texts(&cluster.read("t", Isolation::Committed)),
        ["before", "after"]
    );
}

#[test]
#[ignore = "needs Java: run tests/run"]
fn clients_go_where_the_broker_sends_them() {
    let relay = Relay::start();
    let advertised = [relay.address()];
    let builder = Cluster::of(Version::V4_3_1).advertise(Listener::Plaintext, &advertised);
    let cluster = builder.start();
    assert_eq!(cluster.bootstrap(Listener::Plaintext), relay.address());
    relay.forward_to(&cluster.address(1, Listener::Plaintext));
    cluster.create_topic("t", 1, 1, &[]);
    cluster.console_produce(Listener::Plaintext, "", "t", "line", &[]);
    assert_eq!(texts(&cluster.read("t", Isolation::Committed)), ["line"]);
    assert!(relay.count() >= 2, "bootstrap, then the node");
}

/// The test runs itself in a second process, where it starts a broker and waits to be killed.
#[test]
#[ignore = "needs Java: run tests/run"]
fn brokers_end_with_a_killed_test_process() {
    if std::env::var_os("RIG_INNER").is_some() {
        let cluster = Cluster::of(Version::V4_3_1).start();
        println!("\naddress {}", cluster.address(1, Listener::Plaintext));
        thread::sleep(LIMIT);
        return;
    }
    let mut inner = Command::new(std::env::current_exe().expect("the test program"))
        .args(["--ignored", "--exact", "--nocapture"])
        .arg("smoke::brokers_end_with_a_killed_test_process")
        .env("RIG_INNER", "1")
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the test program");
    let lines = BufReader::new(inner.stdout.take().expect("stdout is piped")).lines();
    let address = lines
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("address ").map(str::to_owned))
        .expect("the address of the inner broker");
    assert!(TcpStream::connect(&address).is_ok());
    inner.kill().expect("kill the test program");
    inner.wait().expect("wait for the test program");
    until("the broker is gone", LIMIT, || {
        TcpStream::connect(&address).is_err().then_some(())
    });
}

fn texts(records: &[Consumed]) -> Vec<&str> {
    records.iter().map(Consumed::text).collect()
}
