//! Sessions that end (KIP-368): connections authenticate anew, and no record is lost, doubled or
//! out of order, whatever goes wrong with it.

use std::time::{Duration, Instant};

use milena::mock::{Api, Fault, MockCluster, MockRequest, On};
use milena::{Acks, Config, Delivery, ErrorKind, Producer, SecurityProtocol};

use crate::support::{
    SOON, all_delivered, cluster, config, count_of, delivered, eventually, failed, numbers,
    produced, producer, result, send, values,
};

const PASSWORD: &str = "s3cret-h1dden";
const ILLEGAL_SASL_STATE: i16 = 34;

/// A session in which there is time to renew it, and few of which fit into a test.
pub(crate) const SHORT_MS: i64 = 1500;

fn with_sessions(lifetime_ms: i64) -> MockCluster {
    let cluster = cluster(1, 1);
    cluster.sasl_plain("alice", PASSWORD);
    cluster.sasl_session_lifetime_ms(lifetime_ms);
    cluster
}

fn alice(cluster: &MockCluster) -> Config {
    config(cluster)
        .security_protocol(SecurityProtocol::SaslPlaintext)
        .sasl_plain("alice", PASSWORD)
        .max_block(SOON)
}

/// What a row adds to the settings.
type Settings = fn(Config) -> Config;

/// A producer whose records come without a pause.
pub(crate) struct Traffic {
    pub(crate) producer: Producer,
    pub(crate) sent: Vec<Delivery>,
}

impl Traffic {
    pub(crate) fn of(config: Config) -> Self {
        Self {
            producer: producer(config),
            sent: Vec::new(),
        }
    }

    pub(crate) fn send(&mut self) {
        let number = self.sent.len().to_string();
        self.sent.push(send(&self.producer, 0, &number));
        std::thread::sleep(Duration::from_millis(2));
    }

    /// Sends until it is enough.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str, is_enough: impl Fn(&Producer) -> bool) {
        let start = Instant::now();
        while !is_enough(&self.producer) {
            assert!(start.elapsed() < SOON, "not within {SOON:?}: {what}");
            self.send();
        }
    }

    pub(crate) fn for_a_while(&mut self, while_ms: u64) {
        let (start, limit) = (Instant::now(), Duration::from_millis(while_ms));
        self.until("", |_| start.elapsed() >= limit);
    }

    /// Some more, and then each record is in the log once and in order.
    #[track_caller]
    pub(crate) fn finish(mut self, cluster: &MockCluster) {
        (0..20).for_each(|_| self.send());
        all_delivered(&self.sent);
        assert_eq!(values(cluster, 0), numbers(0..self.sent.len()));
    }
}

/// Whether records came on a connection behind its second login.
fn has_kept_one(cluster: &MockCluster) -> bool {
    let requests = cluster.requests();
    let is_renewed = |produce: &MockRequest| {
        let before = requests.iter().take_while(|one| *one != produce);
        let logins =
            before.filter(|one| one.connection == produce.connection && one.is(Api::SaslHandshake));
        logins.count() > 1
    };
    requests
        .iter()
        .rev()
        .filter(|one| one.is(Api::Produce))
        .any(is_renewed)
}

#[test]
fn a_session_is_renewed_on_its_connection_and_nothing_is_lost_or_doubled() {
    let rows: [(i64, Settings); 4] = [
        (1000, |config| config.idempotence(true)),
        (SHORT_MS, |config| config.idempotence(true).max_in_flight(1)),
        (SHORT_MS, |config| config.acks(Acks::All).max_in_flight(1)),
        (3000, |config| config.idempotence(true)),
    ];
    std::thread::scope(|scope| {
        for (lifetime_ms, with) in rows {
            scope.spawn(move || {
                let cluster = with_sessions(lifetime_ms);
                let mut traffic = Traffic::of(with(alice(&cluster)));
                traffic.until("a session is renewed", |producer| {
                    producer.metrics().reauthentications > 0 && has_kept_one(&cluster)
                });
                traffic.finish(&cluster);
            });
        }
    });
}

#[test]
fn a_session_without_an_end_is_not_renewed() {
    for lifetime_ms in [0, -1, i64::MIN, i64::MAX] {
        let cluster = with_sessions(lifetime_ms);
        let mut traffic = Traffic::of(alice(&cluster).idempotence(true));
        traffic.for_a_while(100);
        let metrics = traffic.producer.metrics();
        assert_eq!((metrics.connects, metrics.reauthentications), (1, 0));
        traffic.finish(&cluster);
        let logins = count_of(&cluster, Api::SaslAuthenticate).len();
        assert_eq!(logins, 2, "one for metadata, one for records");
    }
}

#[test]
fn a_renewal_that_grants_a_session_without_an_end_is_the_last() {
    let cluster = with_sessions(SHORT_MS);
    let mut traffic = Traffic::of(alice(&cluster).idempotence(true));
    traffic.until("a record is there", |producer| {
        producer.metrics().delivered > 0
    });
    cluster.sasl_session_lifetime_ms(0);
    traffic.until("the session is renewed", |producer| {
        producer.metrics().reauthentications > 0
    });
    traffic.for_a_while(SHORT_MS as u64 + 200);
    let metrics = traffic.producer.metrics();
    assert_eq!((metrics.connects, metrics.reauthentications), (1, 1));
    traffic.finish(&cluster);
}

#[test]
fn without_acknowledgements_the_session_is_renewed_too() {
    let cluster = with_sessions(SHORT_MS);
    let mut traffic = Traffic::of(alice(&cluster).acks(Acks::None));
    traffic.until("a session is renewed", |producer| {
        producer.metrics().reauthentications > 0 && has_kept_one(&cluster)
    });
    all_delivered(&traffic.sent);
    traffic.producer.close().expect("nothing is left");
    let came = values(&cluster, 0);
    let mut rising: Vec<usize> = came
        .iter()
        .map(|value| value.parse().expect("a number"))
        .collect();
    rising.dedup();
    assert!(rising.is_sorted() && rising.len() == came.len(), "{came:?}");
}

/// Nobody wakes up for a session that nobody uses.
#[test]
fn an_idle_connection_is_replaced_when_it_is_used_behind_the_end_of_its_session() {
    let cluster = with_sessions(700);
    let producer = producer(alice(&cluster));
    delivered(&send(&producer, 0, "0"));
    let asked = cluster.requests().len();
    std::thread::sleep(Duration::from_millis(800));
    let keys: Vec<_> = cluster
        .requests()
        .iter()
        .map(|r| (r.connection, r.api_key))
        .collect();
    assert_eq!(keys.len(), asked, "{keys:?}");
    delivered(&send(&producer, 0, "1"));
    let metrics = producer.metrics();
    assert_eq!((metrics.connects, metrics.reauthentications), (2, 0));
    assert_eq!((metrics.retries, metrics.reauthentication_failures), (0, 0));
    assert_eq!(values(&cluster, 0), numbers(0..2));
}

/// What may go wrong with a re-authentication, and no login.
type Trouble = fn(On<'_>) -> Fault;

#[test]
fn a_renewal_that_fails_costs_a_connection_and_no_record() {
    let rows: [(&str, Api, Trouble); 9] = [
        ("a hang-up", Api::SaslHandshake, |on| on.disconnect()),
        ("silence", Api::SaslHandshake, |on| on.never_answer()),
        ("a refusal", Api::SaslHandshake, |on| {
            on.error(ILLEGAL_SASL_STATE)
        }),
        ("half an answer", Api::SaslHandshake, |on| on.cut(7)),
        ("another's answer", Api::SaslHandshake, |on| {
            on.wrong_correlation_id(1)
        }),
        ("a late hang-up", Api::SaslAuthenticate, |on| {
            on.disconnect()
        }),
        ("late silence", Api::SaslAuthenticate, |on| {
            on.never_answer()
        }),
        ("a hang-up behind it", Api::SaslAuthenticate, |on| {
            on.after_handling().disconnect()
        }),
        ("garbage", Api::SaslAuthenticate, |on| {
            on.garbage(&[0xff; 64])
        }),
    ];
    std::thread::scope(|scope| {
        for (what, api, trouble) in rows {
            scope.spawn(move || {
                let cluster = with_sessions(SHORT_MS);
                let limit = Duration::from_millis(300);
                let config = alice(&cluster).idempotence(true).max_block(SOON);
                let config = config.connection_setup_timeout(limit);
                let mut traffic = Traffic::of(config);
                traffic.until(what, |producer| producer.metrics().delivered > 0);
                let fault = trouble(cluster.on(api));
                traffic.until(what, |producer| {
                    producer.metrics().reauthentication_failures > 0
                        && producer.metrics().connects > 1
                });
                assert_eq!(fault.hits(), 1, "{what}");
                traffic.finish(&cluster);
            });
        }
    });
}

#[test]
fn a_close_does_not_wait_for_a_renewal_that_hangs() {
    let cluster = with_sessions(SHORT_MS);
    let mut traffic = Traffic::of(alice(&cluster).connection_setup_timeout(SOON * 3));
    traffic.until("a record is there", |producer| {
        producer.metrics().delivered > 0
    });
    let fault = cluster.on(Api::SaslHandshake).never_answer();
    traffic.until("the renewal hangs", |_| fault.hits() > 0);
    let start = Instant::now();
    let _ = traffic.producer.close_timeout(Duration::from_millis(50));
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    traffic
        .sent
        .iter()
        .for_each(|delivery| drop(result(delivery)));
}

#[test]
fn the_connection_for_metadata_is_renewed_before_a_request() {
    let cluster = with_sessions(SHORT_MS);
    let config = alice(&cluster).metadata_max_age(Duration::from_millis(40));
    let producer = producer(config);
    delivered(&send(&producer, 0, "0"));
    let renewed = |requests: &[MockRequest]| {
        let asks = |request: &&MockRequest| request.is(Api::Metadata);
        let Some(last) = requests.iter().rev().find(asks) else {
            return false;
        };
        let logins = requests
            .iter()
            .filter(|one| one.connection == last.connection && one.is(Api::SaslHandshake));
        logins.count() > 1
    };
    eventually("a session is renewed", || {
        // Topics that nobody sends to are not looked after.
        delivered(&send(&producer, 0, "more"));
        renewed(&cluster.requests())
    });
}

/// Until the password is right again records fail at once; whoever waits during the renewal itself
/// learns of it too.
#[test]
fn a_renewal_with_a_password_that_is_wrong_by_now_fails_records_until_it_is_right_again() {
    let cluster = with_sessions(SHORT_MS);
    let mut traffic = Traffic::of(alice(&cluster).idempotence(true));
    traffic.until("a record is there", |producer| {
        producer.metrics().delivered > 0
    });
    cluster.sasl_plain("alice", "another");
    traffic.until("a renewal fails", |producer| {
        producer.metrics().reauthentication_failures > 0
    });
    let error = failed(&send(&traffic.producer, 0, "late"));
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    let text = format!("{error} {error:?}");
    assert!(
        text.contains("the broker refused user \"alice\" (PLAIN)"),
        "{text}"
    );
    assert!(!text.contains("h1dden"), "{text}");
    cluster.sasl_plain("alice", PASSWORD);
    delivered(&send(&traffic.producer, 0, "later"));
    let arrived = values(&cluster, 0);
    let sent = traffic.sent.iter().map(|delivery| result(delivery).is_ok());
    let delivered = sent.filter(|is_ok| *is_ok).count();
    assert_eq!(arrived.len(), delivered + 1, "{arrived:?}");
}

/// S-01: some brokers lock out whoever fails too often.
#[test]
fn refused_credentials_are_tried_once_a_second_at_most_and_found_mended() {
    let cluster = cluster(1, 1);
    cluster.sasl_plain("alice", "another");
    let producer = producer(alice(&cluster));
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(2500) {
        let error = failed(&send(&producer, 0, "v"));
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    }
    let tries = count_of(&cluster, Api::SaslAuthenticate).len();
    let seconds = start.elapsed().as_secs() as usize;
    assert!((2..=seconds + 1).contains(&tries), "{tries} in {seconds} s");
    assert!(produced(&cluster).is_empty());
    cluster.sasl_plain("alice", PASSWORD);
    delivered(&send(&producer, 0, "v"));
}
