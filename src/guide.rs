//! The guide: what this producer guarantees, what blocks, what errors mean.
//!
//! 1. [Delivery guarantees](#delivery-guarantees)
//! 2. [Order](#order)
//! 3. [Partitions](#partitions)
//! 4. [What blocks](#what-blocks)
//! 5. [Memory](#memory)
//! 6. [Time limits](#time-limits)
//! 7. [Threads](#threads)
//! 8. [Compression and size](#compression-and-size)
//! 9. [Settings from Java's files](#settings-from-javas-files)
//! 10. [Serializers](#serializers)
//! 11. [Security](#security)
//! 12. [Shutting down](#shutting-down)
//! 13. [Reading errors](#reading-errors)
//! 14. [Tests without Kafka](#tests-without-kafka)
//! 15. [Interceptors](#interceptors), and pages of their own: [security], [performance], [settings]
//!
//! # Delivery guarantees
//!
//! Every send ends once: with [`RecordMetadata`], or with an [`Error`] whose
//! [`outcome`](Error::outcome) says what is known of the record.
//!
//! - `Ok`: as many replicas as `acks` asks for have it. Sending it again makes a duplicate.
//! - [`NotWritten`](Outcome::NotWritten): it is not in the log and never will be. Sending it again
//!   makes no duplicate.
//! - [`Unknown`](Outcome::Unknown): it may be in the log, because the answer was lost, came too
//!   late or proves nothing. Sending it again may make a duplicate.
//!
//! What `Ok` is worth depends on [`acks`](Config::acks):
//!
//! - [`Acks::None`] (`0`): the record was written to a socket. It can be lost without a word, and
//!   its offset is not known. Nothing is ever sent again.
//! - [`Acks::Leader`] (`1`, the default): the leader has it. It is lost if the leader dies before
//!   another replica has fetched it.
//! - [`Acks::All`]: all in-sync replicas have it, at least as many as the topic's
//!   `min.insync.replicas`.
//!
//! The defaults are `acks=1` and `retries=0`: nothing is sent twice, and what a moment's trouble
//! hits (a leader that moves, a connection that breaks, a topic that is just being created) fails.
//! Only a batch of which no byte has left goes to the next connection in any case.
//!
//! With [`retries`](Config::retries), a batch that failed for a reason that may pass is sent again
//! until it has been sent so many times more, or `delivery.timeout.ms` is over. If the broker had
//! it the first time and the answer was lost, it is in the log twice.
//!
//! With [`idempotence`](Config::idempotence) it is not: batches carry the producer's id and
//! sequence numbers, and a broker recognises what it has. It implies `acks=all` and retries until
//! `delivery.timeout.ms`:
//!
//! ```
//! let config = milena::Config::new("localhost:9092").idempotence(true);
//! ```
//!
//! This is what most programs want. It holds for what one producer sends by itself: a record that
//! the program sends again, or a new producer after a restart, is new to the broker. A record can
//! still end as `Unknown`, when `delivery.timeout.ms` passes with no answer to be had; then it is
//! in the log once or not at all.
//!
//! # Order
//!
//! Records of one partition that one thread sends are in the log in the order of the sends; a
//! record that failed is missing from the row. To have records in one partition, give them one key,
//! or name the [`partition`](Record::partition). Adding partitions to a topic moves keys.
//!
//! It always holds; what it costs depends on the settings:
//!
//! - `retries=0`, the default: a partition may have as many unanswered batches as
//!   `max.in.flight.requests.per.connection` says. Nothing is sent again, so nothing is overtaken;
//!   only a batch that is larger than any before goes alone, as it may have to be split.
//! - `retries` above 0: one unanswered batch for each partition, so that one which must be sent
//!   again is still in front. `max.in.flight.requests.per.connection` lets batches of different
//!   partitions share a connection.
//! - Idempotence: again as many as `max.in.flight.requests.per.connection` says, at most 5, because
//!   brokers refuse what comes too early.
//!
//! Different partitions do not wait for each other.
//!
//! # Behind a lost record
//!
//! A record that fails leaves a gap: by default those behind it are delivered, in their order. With
//! idempotence a partition first finds out whether the log has the lost batch, as far as that can
//! be known: while an attempt is unanswered nothing new leaves. If it is not there, or nobody can
//! tell, the partition goes on under a new producer epoch, by itself; no other partition notices,
//! and no batch that may be in the log is ever sent under a second identity.
//!
//! Where a gap is worse than a stop, [`gapless`](Config::gapless) makes the partition stop: what
//! is behind the lost record fails with it, as [`Stopped`](ErrorKind::Stopped), and so do later
//! sends to that partition, until the program has seen to the lost record and calls
//! [`resume`](Producer::resume). Then the log of a partition is always what was sent, from the
//! start up to some record, without a hole.
//!
//! Results are told in order too: with idempotence a record's delivery and callback never come
//! before those of an older record in its partition.
//!
//! # Partitions
//!
//! A record goes to the [`partition`](Record::partition) that it names. Else a partitioner chooses:
//!
//! - By default a key's murmur2 hash, over all partitions of the topic as in Java; records without
//!   a key go in turn to the partitions that have a leader, record by record.
//! - Of many partitions and few keys, that makes many small batches.
//!   [`UniformSticky`](PartitionerKind::UniformSticky) fills a batch before it goes on to another
//!   partition, gives less to slow brokers, and can keep to the producer's own rack. It is Java's
//!   default, and worth its line in most programs that send without keys.
//! - Where other programs write to the topic too, all must put a key into the same partition:
//!   [`PartitionerKind`] has the hashes of librdkafka and Sarama by their names.
//! - A [`Partitioner`] of the application's own, which may
//!   [ask any of those](PartitionQuery::by).
//!
//! ```
//! use milena::{Config, PartitionerKind};
//!
//! let config = Config::new("localhost:9092").partitioner_kind(PartitionerKind::UniformSticky);
//! # let _ = config;
//! ```
//!
//! A hash depends on the number of partitions. When partitions are added to a topic, or it is
//! deleted and made anew with another number of them, while records wait:
//!
//! - Records that have a partition already stay there. If the new topic lacks it, they fail when
//!   their time is over.
//! - Records that are sent from then on follow the new number, so a key may go to another
//!   partition, and overtake what waits in the old one: the order of a key's records is not kept
//!   across the change.
//! - Records that name their partition go there in any case; if there is none, they fail with
//!   [`PartitionOutOfRange`](ErrorKind::PartitionOutOfRange).
//!
//! The producer logs one warning for each such change, if a key has decided where a record of the
//! topic went. Where the order matters, [`flush`](Producer::flush) before partitions are added,
//! give topics of keyed records enough partitions at the start, or name the partitions.
//!
//! # What blocks
//!
//! [`send`](Producer::send) copies the record into a batch and returns. It blocks, for at most
//! `max.block.ms` (60 s), when
//!
//! - the topic is new to this producer: the cluster has to tell of its partitions. Call
//!   [`partitions_for`](Producer::partitions_for) at the start to have this behind you;
//! - the buffer is full: the cluster takes less than the program sends.
//!
//! Both together share the one limit. With [`max_block`](Config::max_block) zero, or by
//! [`try_send`](Producer::try_send), what cannot be done at once is an error; `try_send` hands the
//! record back with it.
//!
//! Inside a callback `send` does not wait either: the memory that it would wait for may belong to
//! the callbacks behind it. [`flush`](Producer::flush) and [`close`](Producer::close) refuse to run
//! there, and [`Delivery::wait`] works but holds up all other callbacks.
//!
//! [`Delivery::wait`] blocks until the result is there, which `delivery.timeout.ms` bounds. It does
//! not wait for [`linger`](Config::linger): the batch leaves at once.
//!
//! # Memory
//!
//! `buffer.memory` (32 MiB) bounds what all records without a result hold. It counts
//!
//! - batches by the memory that they take. A batch begins with 1 KiB, or what its first record
//!   needs, and grows up to `batch.size`; it is given back before the results are shown, or, if its
//!   time passed while a connection had it, when that connection lets it go;
//! - callbacks given to [`send_with`](Producer::send_with), with what they capture, until they have
//!   run, and what [interceptors](#interceptors) are still to be told.
//!
//! So thousands of partitions with a record now and then need a KiB each, and callbacks that are
//! slower than the cluster slow down the senders instead of piling up. It does not count deliveries
//! that the program keeps, and callbacks added later by [`Delivery::on_done`].
//!
//! No topic and no broker takes the buffer from the others. A send waits, apart from all others,
//! while its topic and its broker both hold more than 8 times what is free (alone, they end at 8/9
//! of `buffer.memory`), while its broker holds more than 16 times that, for all topics (16/17), or
//! its topic more than 32 times, at all brokers (32/33). The more of them are full at once, the
//! less each has. This keeps room for records that are small beside what is kept free: make
//! `buffer.memory` more than 17 times the largest. Callbacks have no share.
//!
//! A topic's [`FullBuffer`](crate::FullBuffer) policy says what a send does when there is no room:
//! wait, fail at once, or drop, either the new record or the topic's oldest that were never sent.
//!
//! A record larger than `max.request.size`, its batch's 61 bytes included, is refused at once.
//!
//! # Time limits
//!
//! - `max.block.ms` (60 s), a send that waits: [`BufferFull`](ErrorKind::BufferFull) with what
//!   fills the buffer, or [`TimedOut`](ErrorKind::TimedOut), or
//!   [`UnknownTopic`](ErrorKind::UnknownTopic) if the cluster says so, with what was in the way of
//!   the metadata.
//! - `delivery.timeout.ms` (120 s), a record from its send to its result:
//!   [`TimedOut`](ErrorKind::TimedOut) with how far it came, the attempts and the last cause.
//! - `request.timeout.ms` (30 s), one request: the connection is closed, and its batches are sent
//!   again or are `Unknown`.
//! - `socket.connection.setup.timeout.ms` (10 s), one attempt to connect: the cause that other
//!   errors show.
//! - [`close_timeout`](Config::close_timeout) (30 s), `close` and drop:
//!   [`Closed`](ErrorKind::Closed) for the records that are left.
//!
//! The records of a batch share the time of its first one. A record that no broker was ever sent is
//! `NotWritten` when its time passes; one on the wire is `Unknown`.
//!
//! A broker that refuses the credentials, the certificate or the protocol version will not change
//! its mind: the records fail with that error at once, not with a time limit.
//!
//! # Threads
//!
//! A producer has one thread for metadata, one that keeps the time limits, one that sends for each
//! broker in use, one that receives for each connection, and, from the first callback on, one for
//! callbacks. All are named `milena-...`, and all sleep while there is nothing to do. The program's
//! threads never touch a socket.
//!
//! A [`Producer`] can be cloned and shared freely; a process needs one for each cluster or profile
//! of settings, not one for each thread. Threads do not survive `fork`: make the producer after
//! it. In the child, whatever is asked of a producer of the parent fails as
//! [`Forked`](ErrorKind::Forked), at once and without touching the parent's connections; the
//! results of records that were sent before come in the parent.
//!
//! An async program can await a [`Delivery`], which is a [`Future`] and needs no runtime. `send`
//! itself may block; use [`try_send`](Producer::try_send) on a runtime's threads.
//!
//! # Compression and size
//!
//! [`compression`](Config::compression) works on whole batches, so it gains most where batches are
//! large. The threads that send compress, and where a request has much to compress, others beside
//! them, so no caller pays for it, and batches of several partitions are compressed at a time. A
//! batch that would grow goes as it is. `batch.size`, `max.request.size` and `buffer.memory` count
//! bytes before compression.
//!
//! Of the codecs, lz4 and snappy cost little; zstd at level 1 makes log lines as small as gzip
//! does, at several times the speed. Levels are Java's, as far as they exist here: lz4 has one,
//! zstd those from -7 to 4.
//!
//! A broker refuses a batch that is larger than the topic's `max.message.bytes`. Its records then
//! go on in two halves, those again if need be, and later batches of the partition are no larger
//! than what was taken; only a record that is too large alone fails, as
//! [`RecordTooLarge`](ErrorKind::RecordTooLarge). The deliveries of a batch that was split have
//! their results once all of it has.
//!
//! # Settings from Java's files
//!
//! [`Config::from_file`] reads the properties files of Java's producer and of Kafka's tools, and
//! [`Config::set`] takes single names of theirs:
//!
//! ```
//! use milena::Config;
//!
//! let config = Config::from_properties("
//!     bootstrap.servers=kafka-1:9092,kafka-2:9092
//!     enable.idempotence=true
//!     linger.ms=5
//!     metrics.num.samples=3
//! ")?;
//! // It means nothing here, and the warning says why.
//! assert!(config.warnings()[0].starts_with("metrics.num.samples has no effect"));
//!
//! let error = config.set("compression.type", "brotli").unwrap_err();
//! assert!(error.to_string().starts_with("compression.type: \"brotli\" is not one of none, gzip"));
//! # Ok::<(), milena::Error>(())
//! ```
//!
//! Nothing is ignored in silence. A name that Kafka does not know is an error with a proposal. One
//! that has no effect here is a warning, to the log and in [`Config::warnings`]. One whose loss
//! would do harm, such as `transactional.id`, is an error. Defaults are Kafka's, with these
//! exceptions: `acks`, `retries` and `enable.idempotence` as above, `linger.ms=0`,
//! `batch.size=65536`, socket buffers that the system sizes, and records without a key, which go to
//! the partitions in turn, one by one. [All settings](settings), with their defaults here and in
//! Java and with librdkafka's names for them, are on a page of their own.
//!
//! Secrets need not stand in the file: with `config.providers=file,env`, as in Java,
//! `${file:/run/secrets/kafka.properties:password}` and `${env:PASSWORD}` stand for them
//! ([`Config::set`] has the rules). [`Config::from_env`] takes settings from environment variables,
//! `KAFKA_BOOTSTRAP_SERVERS` and so on.
//!
//! [`Config::explain`] tells what a program's settings come to: each value with the line, setter or
//! other setting that it comes from, and what works against each other. `cargo run --example
//! explain -- FILE` does so for a file:
//!
//! ```
//! use milena::Config;
//!
//! let config = Config::new("localhost:9092").idempotence(true);
//! let text = config.explain().to_string();
//! let acks = text.lines().find(|line| line.starts_with("acks ")).unwrap();
//! assert!(acks.ends_with("because of enable.idempotence=true"));
//! ```
//!
//! # Serializers
//!
//! A [`Record`] takes bytes and text. [`Producer::typed`] puts serializers in front of a producer,
//! as `key.serializer` and `value.serializer` do in Java. The stock ones have Java's names and
//! write Java's bytes:
//!
//! - [`BytesSerializer`] takes `[u8]` and `Vec<u8>` (Java's for `byte[]`, `ByteBuffer` and
//!   `Bytes`), [`StringSerializer`] `str` and `String`.
//! - [`BooleanSerializer`] takes `bool`, [`ShortSerializer`] `i16`, [`IntegerSerializer`] `i32`,
//!   [`LongSerializer`] `i64`, [`FloatSerializer`] `f32`, [`DoubleSerializer`] `f64`.
//! - [`UuidSerializer`] takes `[u8; 16]` and writes text, as Java does; [`VoidSerializer`] takes
//!   `()` and writes null.
//! - [`ListSerializer`] takes `[T]` and `Vec<T>`; with [`NullableSerializer`], entries may be null.
//!
//! For types of your own, implement [`Serialize`]: the example `json` does so for everything that
//! serde knows. [`ConfluentSerializer`] puts the id of a schema in front. A serializer that fails
//! or panics fails its record alone, with [`ErrorKind::Application`].
//!
//! # Security
//!
//! ```
//! use milena::{Config, SecurityProtocol};
//!
//! let config = Config::new("kafka-1:9093")
//!     .security_protocol(SecurityProtocol::SaslSsl)
//!     .ssl_truststore_file("/etc/kafka/ca.pem")
//!     .sasl_scram_sha_512("alice", "s3cret");
//! // No password is shown.
//! assert!(!format!("{config:?}").contains("s3cret"));
//! ```
//!
//! In a file that is `security.protocol=SASL_SSL`, `sasl.mechanism=SCRAM-SHA-512`,
//! `sasl.jaas.config`, `ssl.truststore.type=PEM` and `ssl.truststore.location`. Without a trust
//! store, Mozilla's list of authorities counts. Certificates are always verified, and host names
//! unless `ssl.endpoint.identification.algorithm` is empty. TLS is 1.2 and 1.3, SASL is PLAIN,
//! SCRAM and [OAUTHBEARER](security#tokens-oauthbearer). By SCRAM no broker sees the password, and
//! one that does not prove that it knows it gets no record.
//!
//! TLS takes its cryptography from the `CryptoProvider` that it is handed or that the process has
//! installed for rustls, else from the feature `tls-graviola`, else from `tls-ring`. graviola needs
//! a CPU with certain instructions; on another one the error says what to do. Other SASL mechanisms
//! are refused with an error by this version.
//!
//! [`Config::ssl_keystore_file`] is for brokers that ask for a client certificate (mutual TLS).
//! Files of certificates and keys are read again when they change.
//!
//! # Shutting down
//!
//! [`close`](Producer::close) sends what is buffered, waits up to the close time-out, and ends all
//! threads and connections; what is left then has failed. It waits for callbacks too. The
//! [`CloseReport`] counts all records since the start:
//!
//! ```
//! # let cluster = milena::mock::MockCluster::start(1);
//! # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
//! let report = producer.close()?;
//! if report.failed + report.unknown > 0 {
//!     eprintln!("not everything was delivered: {report:?}");
//! }
//! # Ok::<(), milena::Error>(())
//! ```
//!
//! Dropping the last clone does the same, and logs an error if records were left; so drop may take
//! as long as the close time-out. A program that would rather wait longer calls
//! [`flush`](Producer::flush) first, which waits for all results, within `delivery.timeout.ms`, and
//! for the callbacks. A process that ends without either loses what is buffered:
//! `std::process::exit` drops nothing.
//!
//! # Reading errors
//!
//! `Display` is one line that names what was being done, the setting or broker, and the last cause:
//!
//! ```text
//! topic orders is not known: waited max.block.ms = 60 s for metadata; last cause: broker
//! kafka-1:9092: connect: 10.0.0.7:9092: connection refused
//! ```
//!
//! Programs ask [`kind`](Error::kind), [`code`](Error::code) (Kafka's number, where a broker gave
//! one) and the predicates:
//!
//! ```
//! use milena::{Error, Outcome};
//!
//! fn advice(error: &Error) -> &'static str {
//!     match error.outcome() {
//!         _ if error.is_fatal() => "this producer is closed",
//!         Outcome::Unknown => "look before sending it again, or live with a duplicate",
//!         Outcome::NotWritten if error.is_retriable() => "send it again later",
//!         Outcome::NotWritten => "change the record, the settings or the cluster",
//!     }
//! }
//!
//! let error = milena::Config::new("localhost").set("acks", "2").unwrap_err();
//! assert_eq!(advice(&error), "change the record, the settings or the cluster");
//! ```
//!
//! To see what goes on between the errors, let the logger show the level `debug` of `milena`.
//!
//! # Testing your program with the mock
//!
//! The feature `mock` has a Kafka cluster that runs inside a test, on sockets of the loopback
//! interface and without Java, and that can be told to fail. Turn it on for tests only:
//!
//! ```toml
//! [dev-dependencies]
//! milena = { version = "0.1", features = ["mock"] }
//! ```
//!
//! A program that takes its [`Config`] or its [`Producer`] from outside needs nothing else: the
//! test gives it the cluster's addresses, plays the trouble, and looks at what arrived. Here the
//! leader of a partition refuses a record once, then writes it and hangs up before it says so, and
//! an idempotent producer writes it once all the same:
//!
//! ```
//! use milena::mock::{Api, MockCluster};
//! use milena::{Config, Error, Producer, Record};
//!
//! // The program under test.
//! fn order(producer: &Producer, customer: &str, what: &str) -> Result<i64, Error> {
//!     let record = Record::to("orders").key(customer).value(what);
//!     let metadata = producer.send(record).wait()?;
//!     Ok(metadata.offset().expect("acks=all tells the offset"))
//! }
//!
//! // The test.
//! let cluster = MockCluster::start(3);
//! cluster.create_topic("orders", 1);
//! cluster.on(Api::Produce).error(6); // NOT_LEADER_OR_FOLLOWER
//! let lost_answer = cluster.on(Api::Produce).after_handling().disconnect();
//!
//! let producer = Producer::new(Config::new(cluster.bootstrap()).idempotence(true))?;
//! assert_eq!(order(&producer, "customer-7", "3 apples")?, 0);
//!
//! assert_eq!(lost_answer.hits(), 1);
//! let records = cluster.records("orders", 0);
//! assert_eq!(records.len(), 1);
//! assert_eq!(records[0].value.as_deref(), Some(&b"3 apples"[..]));
//! # Ok::<(), milena::Error>(())
//! ```
//!
//! And here the record cannot be written, so that the program's way out of trouble is tested too,
//! with a limit that a test can wait for:
//!
//! ```
//! use std::time::Duration;
//!
//! use milena::mock::{Api, MockCluster};
//! use milena::{Config, Outcome, Producer, Record};
//!
//! let cluster = MockCluster::start(1);
//! cluster.create_topic("orders", 1);
//! cluster.on(Api::Produce).always().error(19); // NOT_ENOUGH_REPLICAS
//!
//! let config = Config::new(cluster.bootstrap())
//!     .idempotence(true)
//!     .request_timeout(Duration::from_millis(300))
//!     .delivery_timeout(Duration::from_millis(300));
//! let producer = Producer::new(config)?;
//! let error = producer.send(Record::to("orders").value("3 apples")).wait().unwrap_err();
//! assert!(error.is_timeout());
//! assert_eq!(error.outcome(), Outcome::NotWritten);
//! assert!(cluster.records("orders", 0).is_empty());
//! # Ok::<(), milena::Error>(())
//! ```
//!
//! Leaders that move, brokers that stop, slow and silent ones, answers that are cut or make no
//! sense: the module `mock` of the documentation, built with that feature, has all of it, and says
//! what the mock does not do as a real broker does.
//!
//! # Interceptors
//!
//! What a company wants of all its records (a trace header, a count of failures, no secrets in a
//! topic) goes into an [`Interceptor`], once, and not into every place that sends:
//!
//! ```
//! # let cluster = milena::mock::MockCluster::start(1);
//! use milena::{Config, ErrorKind, Producer, Record};
//! use milena::{InterceptError, InterceptedRecord, Interceptor};
//!
//! #[derive(Debug)]
//! struct NoSecrets;
//!
//! impl Interceptor for NoSecrets {
//!     fn on_send(&self, record: &mut InterceptedRecord<'_>) -> Result<(), InterceptError> {
//!         match record.value() {
//!             Some(value) if value.starts_with(b"secret") => Err("it is a secret".into()),
//!             _ => Ok(()),
//!         }
//!     }
//! }
//!
//! let producer = Producer::new(Config::new(cluster.bootstrap()).interceptor(NoSecrets))?;
//! let refused = producer.send(Record::to("orders").value("secret")).wait().unwrap_err();
//! assert_eq!(refused.kind(), ErrorKind::Application);
//! # Ok::<(), milena::Error>(())
//! ```
//!
//! They run behind serializers and before the partitioner. Java's `interceptor.classes` is refused:
//! it names classes of Java.

#![allow(unused_imports, reason = "the links of the documentation need them")]

use crate::config::{Acks, Config};
use crate::delivery::{Delivery, RecordMetadata};
use crate::error::{Error, ErrorKind, Outcome};
use crate::interceptor::Interceptor;
use crate::partitioner::{PartitionQuery, Partitioner, PartitionerKind};
use crate::producer::Producer;
use crate::record::Record;
use crate::serializer::{
    BooleanSerializer, BytesSerializer, ConfluentSerializer, DoubleSerializer, FloatSerializer,
    IntegerSerializer, ListSerializer, LongSerializer, NullableSerializer, Serialize,
    ShortSerializer, StringSerializer, UuidSerializer, VoidSerializer,
};
use crate::shutdown::CloseReport;

pub mod performance;
pub mod security;
pub mod settings;
