//! Who may have how much of the buffer, and what becomes of records that find it full.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use milena::mock::{Api, MockCluster};
use milena::{
    Config, Delivery, Error, ErrorKind, FullBuffer, MetricsSnapshot, Outcome, Producer, Record,
    RecordMetadata, TopicConfig,
};

use crate::support::{
    HOUR, NOT_ENOUGH_REPLICAS, SOON, all_delivered, assert_contiguous, cluster, config, delivered,
    eventually, failed, producer, values,
};

/// Room for a few hundred records of [`large`].
const BUFFER: usize = 400_000;

fn large() -> String {
    "x".repeat(1000)
}

fn bounded(config: Config) -> Config {
    config.buffer_memory(BUFFER).max_request_size(8000)
}

fn try_send(producer: &Producer, topic: &str, partition: i32) -> Result<Delivery, ErrorKind> {
    let value = large();
    let record = Record::to(topic).partition(partition).value(&value);
    let sent = producer.try_send(record);
    sent.map_err(|refused| refused.error().kind())
}

/// Sends until there is no more room.
fn fill(producer: &Producer, topic: &str, partition: i32) -> Vec<Delivery> {
    let mut taken = Vec::new();
    loop {
        match try_send(producer, topic, partition) {
            Ok(delivery) => taken.push(delivery),
            Err(kind) => {
                assert_eq!(kind, ErrorKind::BufferFull);
                return taken;
            }
        }
    }
}

/// Topics `t` and `u`, of which the producer knows, each with a partition at each broker.
fn two_topics(brokers: i32) -> MockCluster {
    let cluster = cluster(brokers, brokers);
    cluster.create_topic("u", brokers);
    cluster
}

fn meet(producer: &Producer) {
    for topic in ["t", "u"] {
        producer.partitions_for(topic).expect("it exists");
    }
}

/// A dead broker has its share of the buffer, and callers wait for more of it: what goes to the
/// other broker, of the same topics too, never waits. `is_down`: it is known to be dead, else it
/// only never answers.
#[test]
fn a_dead_broker_leaves_room_for_what_goes_elsewhere() {
    for is_down in [true, false] {
        let cluster = two_topics(2);
        cluster.keep_records(false);
        let gate = cluster.gate();
        match is_down {
            true => cluster.stop_broker(1),
            false => drop(
                cluster
                    .on(Api::Produce)
                    .node(1)
                    .always()
                    .hold(&gate)
                    .answer(),
            ),
        }
        let config = bounded(config(&cluster)).idempotence(true);
        let producer = producer(config.max_block(SOON));
        meet(&producer);
        let mut waiting = fill(&producer, "t", 0);
        waiting.extend(fill(&producer, "u", 0));
        let full = producer.buffered_bytes();
        assert!((BUFFER * 8 / 9..BUFFER).contains(&full), "{full}");
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let blocked = ["t", "u"].map(|topic| {
                let (producer, is_over) = (&producer, &is_over);
                scope.spawn(move || {
                    let delivery = producer.send(Record::to(topic).partition(0).value(&large()));
                    assert!(is_over.load(Ordering::SeqCst), "it had to wait");
                    delivery
                })
            });
            for round in 0..100 {
                // As many as are on their way at once, twice what their brokers' window holds.
                let elsewhere: Vec<_> = ["t", "u"]
                    .repeat(4)
                    .into_iter()
                    .map(|topic| {
                        try_send(&producer, topic, 1)
                            .unwrap_or_else(|kind| panic!("round {round}: {kind:?} for {topic}"))
                    })
                    .collect();
                all_delivered(&elsewhere);
            }
            assert!(producer.buffered_bytes() >= full, "the dead one gave back");
            assert!(waiting.iter().all(|delivery| !delivery.is_done()));
            is_over.store(true, Ordering::SeqCst);
            match is_down {
                true => cluster.start_broker(1),
                false => gate.open(),
            }
            let blocked = blocked.map(|thread| thread.join().expect("no panic"));
            waiting.extend(blocked);
        });
        all_delivered(&waiting);
        eventually("every byte is back", || producer.buffered_bytes() == 0);
    }
}

/// Nothing of `t` leaves, and several threads want to send more of it: `u`, at the same broker,
/// does not notice.
#[test]
fn a_noisy_topic_leaves_room_for_a_quiet_one() {
    let cluster = two_topics(1);
    let config = bounded(config(&cluster).retries(1_000_000));
    let producer = producer(config.max_block(SOON));
    meet(&producer);
    let refusal = cluster
        .on(Api::Produce)
        .topic("t")
        .always()
        .error(NOT_ENOUGH_REPLICAS);
    let mut noise = fill(&producer, "t", 0);
    std::thread::scope(|scope| {
        let noisy: Vec<_> = (0..4)
            .map(|_| {
                let send = || producer.send(Record::to("t").partition(0).value(&large()));
                scope.spawn(send)
            })
            .collect();
        for _ in 0..100 {
            let quiet = try_send(&producer, "u", 0);
            delivered(&quiet.expect("it has hardly anything"));
        }
        assert!(
            noisy.iter().all(|thread| !thread.is_finished()),
            "they had room"
        );
        refusal.cancel();
        noise.extend(
            noisy
                .into_iter()
                .map(|thread| thread.join().expect("no panic")),
        );
    });
    all_delivered(&noise);
    eventually("every byte is back", || producer.buffered_bytes() == 0);
}

/// Whoever is refused is told that it is his share, not the buffer, that is used up.
#[test]
fn a_share_that_is_used_up_is_told_with_what_to_do() {
    let cluster = two_topics(2);
    let gate = cluster.gate();
    cluster
        .on(Api::Produce)
        .node(1)
        .always()
        .hold(&gate)
        .answer();
    let limit = Duration::from_millis(50);
    let producer = producer(bounded(config(&cluster)).max_block(limit));
    meet(&producer);
    let waiting = fill(&producer, "t", 0);
    let error = failed(&producer.send(Record::to("t").partition(0).value(&large())));
    let text = error.to_string();
    let parts = [
        "topic t holds ",
        "broker 1 ",
        "8 times what is free",
        "raise buffer.memory",
    ];
    assert!(parts.iter().all(|part| text.contains(part)), "{text}");
    delivered(&try_send(&producer, "t", 1).expect("another broker"));
    gate.open();
    all_delivered(&waiting);
    assert_eq!(cluster.end_offset("t", 0), waiting.len() as i64);
}

/// How a record is handed over.
#[derive(Clone, Copy, Debug)]
enum How {
    Send,
    TrySend,
    Callback,
}

type Fate = Result<(), (ErrorKind, Outcome)>;

/// Records that were numbered from 0 on, and what became of them.
struct Numbered<'a> {
    producer: &'a Producer,
    sent: usize,
    tell: mpsc::Sender<(usize, Fate)>,
    told: mpsc::Receiver<(usize, Fate)>,
}

impl<'a> Numbered<'a> {
    fn new(producer: &'a Producer) -> Self {
        let (tell, told) = mpsc::channel();
        Self {
            producer,
            sent: 0,
            tell,
            told,
        }
    }

    /// Sends so many more, of some 1,000 bytes each, to a partition of `t`.
    fn send(&mut self, records: usize, how: How) {
        for number in self.sent..self.sent + records {
            let value = format!("{number:>1000}");
            let record = Record::to("t").partition(0).value(&value);
            let tell = self.tell.clone();
            let told = move |result: Result<RecordMetadata, Error>| {
                let fate = result.map(|_| ());
                let fate = fate.map_err(|error| (error.kind(), error.outcome()));
                tell.send((number, fate)).expect("the test counts");
            };
            match how {
                How::Send => self.producer.send(record).on_done(told),
                How::Callback => self.producer.send_with(record, told),
                How::TrySend => match self.producer.try_send(record) {
                    Ok(delivery) => delivery.on_done(told),
                    Err(refused) => told(Err(refused.into())),
                },
            }
        }
        self.sent += records;
    }

    /// By number; each is told once.
    fn fates(self) -> Vec<Fate> {
        let mut fates = vec![None; self.sent];
        for _ in 0..self.sent {
            let (number, fate) = self.told.recv_timeout(SOON).expect("each is told");
            assert!(
                fates[number].replace(fate).is_none(),
                "{number} is told twice"
            );
        }
        fates.into_iter().flatten().collect()
    }
}

/// What was delivered is in the log, in order; what was not is not; every byte is back, and the
/// counters are exact.
#[track_caller]
fn assert_accounted(cluster: &MockCluster, producer: &Producer, fates: &[Fate], lost: [usize; 2]) {
    let delivered = (0..).zip(fates).filter(|(_, fate)| fate.is_ok());
    let delivered: Vec<String> = delivered
        .map(|(number, _): (usize, _)| number.to_string())
        .collect();
    let log = values(cluster, 0).into_iter();
    let log: Vec<_> = log.map(|value| value.trim_start().to_owned()).collect();
    assert!(
        log == delivered,
        "the log has {} records, not {}",
        log.len(),
        delivered.len()
    );
    let metrics = producer.metrics();
    let counted = [metrics.delivered, metrics.failed, metrics.dropped];
    let [failed, dropped] = lost.map(|lost| lost as u64);
    assert_eq!(counted, [log.len() as u64, failed, dropped]);
    eventually("every byte is back", || producer.buffered_bytes() == 0);
}

/// Nothing is answered, and far more is sent than the buffer holds: no policy but `block` waits,
/// and each gives up what it says.
#[test]
fn each_policy_gives_up_what_it_says_and_accounts_for_it() {
    const RECORDS: usize = 900;
    let policies = [
        FullBuffer::Fail,
        FullBuffer::DropNewest,
        FullBuffer::DropOldest,
    ];
    let hows = [How::Send, How::TrySend, How::Callback];
    for (policy, how) in policies
        .into_iter()
        .flat_map(|policy| hows.map(|how| (policy, how)))
    {
        let cluster = cluster(1, 1);
        let gate = cluster.gate();
        cluster.on(Api::Produce).hold(&gate).answer();
        let own = TopicConfig::new().full_buffer(policy);
        let config = bounded(config(&cluster)).idempotence(true).topic("t", own);
        let producer = producer(config.batch_size(4000).max_block(HOUR));
        producer.partitions_for("t").expect("it exists");
        let mut numbered = Numbered::new(&producer);
        numbered.send(1, how);
        assert!(gate.wait_for_held(1, SOON), "the first is on the wire");
        numbered.send(RECORDS - 1, how);
        assert!(producer.buffered_bytes() <= BUFFER);
        gate.open();
        let fates = numbered.fates();
        let kind = match policy {
            FullBuffer::Fail => ErrorKind::BufferFull,
            _ => ErrorKind::Dropped,
        };
        let is_lost = |fate: &Result<_, _>| *fate == Err((kind, Outcome::NotWritten));
        assert!(
            fates.iter().all(|fate| fate.is_ok() || is_lost(fate)),
            "{policy:?}, {how:?}"
        );
        let lost = fates.iter().filter(|fate| is_lost(fate)).count();
        assert!(
            (RECORDS / 2..RECORDS - 30).contains(&lost),
            "{policy:?}, {how:?}: {lost}"
        );
        // Which ones: the newest, or the oldest but for those that were on the wire.
        let is_oldest = policy == FullBuffer::DropOldest;
        assert!(fates[0].is_ok(), "it was on the wire");
        assert_eq!(fates[RECORDS - 1].is_ok(), is_oldest);
        let failed = match how {
            // It came back.
            How::TrySend if policy == FullBuffer::Fail => 0,
            _ => lost,
        };
        let dropped = if policy == FullBuffer::Fail { 0 } else { lost };
        assert_accounted(&cluster, &producer, &fates, [failed, dropped]);
        assert_contiguous(&cluster);
    }
}

/// The sender takes batches while callers drop them.
#[test]
fn what_is_dropped_while_the_broker_takes_the_rest_leaves_no_gap() {
    let cluster = cluster(1, 1);
    cluster
        .on(Api::Produce)
        .always()
        .delay(Duration::from_millis(3))
        .answer();
    cluster
        .on(Api::Produce)
        .skip(20)
        .after_handling()
        .disconnect();
    let config = config(&cluster)
        .buffer_memory(100_000)
        .max_request_size(8000);
    let config = config.full_buffer(FullBuffer::DropOldest).batch_size(4000);
    let producer = producer(config.idempotence(true).max_block(HOUR));
    producer.partitions_for("t").expect("it exists");
    let mut numbered = Numbered::new(&producer);
    let start = std::time::Instant::now();
    while producer.metrics().dropped < 300 || producer.metrics().delivered < 300 {
        assert!(start.elapsed() < SOON, "{:?}", producer.metrics());
        let ended = |metrics: MetricsSnapshot| metrics.delivered + metrics.failed;
        let so_far = ended(producer.metrics());
        numbered.send(30, How::Callback);
        eventually("some of it has its result", || {
            ended(producer.metrics()) > so_far
        });
    }
    let fates = numbered.fates();
    let lost = fates.iter().filter(|fate| fate.is_err()).count();
    assert_accounted(&cluster, &producer, &fates, [lost, lost]);
    assert_contiguous(&cluster);
}

/// The policy is the topic's: what others hold is not dropped.
#[test]
fn a_topic_drops_its_own_records_and_not_those_of_others() {
    let cluster = two_topics(1);
    let gate = cluster.gate();
    cluster.on(Api::Produce).hold(&gate).answer();
    let drops = TopicConfig::new().full_buffer(FullBuffer::DropOldest);
    let config = bounded(config(&cluster)).batch_size(4000);
    let producer = producer(config.topic("t", drops).max_block(SOON));
    meet(&producer);
    let sent = |_| try_send(&producer, "u", 0).expect("room");
    let kept: Vec<_> = (0..150).map(sent).collect();
    let mut noise = Numbered::new(&producer);
    noise.send(1000, How::Send);
    gate.open();
    all_delivered(&kept);
    let fates = noise.fates();
    let dropped = fates.iter().filter(|fate| fate.is_err()).count() as u64;
    assert!(dropped > 700 && fates[999].is_ok(), "{dropped}");
    let metrics = producer.metrics();
    assert_eq!((metrics.dropped, metrics.failed), (dropped, dropped));
    assert_eq!(cluster.end_offset("u", 0), kept.len() as i64);
    eventually("every byte is back", || producer.buffered_bytes() == 0);
}

/// A callback may not wait, and what it sends under such a policy never does.
#[test]
fn a_callback_sends_under_a_policy_that_drops() {
    let cluster = two_topics(1);
    let gate = cluster.gate();
    cluster.on(Api::Produce).topic("u").hold(&gate).answer();
    let drops = TopicConfig::new().full_buffer(FullBuffer::DropNewest);
    let producer = producer(bounded(config(&cluster)).topic("u", drops));
    meet(&producer);
    let first = producer.send(Record::to("t").value("first"));
    delivered(&first);
    while producer.metrics().dropped == 0 {
        drop(producer.send(Record::to("u").partition(0).value(&large())));
    }
    let (tell, told) = mpsc::channel();
    let inner = producer.clone();
    first.on_done(move |_| {
        let sent = inner.send(Record::to("u").partition(0).value(&large()));
        let kind = failed(&sent).kind();
        tell.send(kind).expect("the test listens");
    });
    assert_eq!(told.recv_timeout(SOON), Ok(ErrorKind::Dropped));
    gate.open();
}
