//! The typed setters of delivery and batches, each with its default and what it trades.

use std::time::Duration;

use crate::compress::Compression;
use crate::config::effective::{CLOSE_TIMEOUT, DIALER};
use crate::config::{Acks, Config, FullBuffer};
use crate::dial::{Dial, RegisteredDialer};
use crate::interceptor::{Interceptor, Registered};

/// Delivery: what counts as delivered, and how long that may take.
impl Config {
    /// How many replicas must have a record before it counts as delivered.
    ///
    /// [`Acks::Leader`] loses records if the leader dies right after its answer; [`Acks::All`] does
    /// not while `min.insync.replicas` replicas live, and takes one more hop. With [`Acks::None`]
    /// no offset is known and nothing that goes wrong at the broker is ever told.
    ///
    /// Defaults to [`Acks::Leader`] because this producer is specified so; Java's default is `all`
    /// since version 3.
    ///
    /// Java's name: `acks`.
    pub fn acks(mut self, acks: Acks) -> Self {
        self.acks = acks;
        self.by_code("acks")
    }

    /// How often a batch is sent again after a failure that may pass.
    ///
    /// Without [`idempotence`](Self::idempotence), a retry whose first attempt did arrive makes a
    /// duplicate, and a partition has one unanswered batch at a time, so that order holds. Retries
    /// end with [`delivery_timeout`](Self::delivery_timeout) in any case, so `u32::MAX` means until
    /// then.
    ///
    /// Defaults to 0 because this producer is specified so, which never makes a duplicate by
    /// itself; Java retries until the delivery time-out, with idempotence against duplicates.
    ///
    /// Java's name: `retries`.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self.by_code("retries")
    }

    /// Whether every record is written exactly once and in the order of its sends, partition by
    /// partition, through retries, lost answers and moved leaders.
    ///
    /// Each batch carries a producer id and sequence numbers, by which brokers recognise what they
    /// have already (KIP-98). It implies [`Acks::All`] and retries until
    /// [`delivery_timeout`](Self::delivery_timeout); an `acks`, `retries` or
    /// [`max_in_flight`](Self::max_in_flight) that contradicts it is an error of `Producer::new`.
    /// It costs one round trip at the start, and needs the right to write to the topic; brokers
    /// before 2.8 also ask for `IDEMPOTENT_WRITE` on the cluster.
    ///
    /// Defaults to `false`, other than in Java, because this producer is specified with `acks=1`
    /// and `retries=0`. This one call is the safe profile.
    ///
    /// Java's name: `enable.idempotence`.
    pub fn idempotence(mut self, idempotence: bool) -> Self {
        self.idempotence = idempotence;
        self.by_code("enable.idempotence")
    }

    /// Whether a partition stops at a record that it loses, instead of going on without it.
    ///
    /// Where it stops, what is behind that record in the buffer fails at once as
    /// [`NotWritten`](crate::Outcome::NotWritten), and so does every later send to the partition,
    /// with [`ErrorKind::Stopped`](crate::ErrorKind::Stopped), until the program calls
    /// [`Producer::resume`](crate::Producer::resume). So nothing gets into the log that was sent
    /// after a record that is not in it. A record that `send` itself refuses, such as one that is
    /// too large or finds the buffer full, was never accepted, and stops nothing.
    ///
    /// It also stops where the broker's log turns out to have lost what it had acknowledged, as far
    /// as sequence numbers tell.
    ///
    /// It needs [`idempotence`](Self::idempotence): only brokers that check sequence numbers refuse
    /// what was already on its way behind the lost record.
    ///
    /// Defaults to `false`: the records behind a lost one are delivered, as with Java, and the
    /// lost one is missing from the row.
    ///
    /// Librdkafka's name: `enable.gapless.guarantee`; there it stops the whole producer for good.
    pub fn gapless(mut self, gapless: bool) -> Self {
        self.gapless = gapless;
        self.by_code("enable.gapless.guarantee")
    }

    /// How long `send` and `partitions_for` may block, on a full buffer and on a topic not yet
    /// known taken together.
    ///
    /// Zero never blocks: what cannot be done at once is an error.
    ///
    /// Defaults to 60 s, as in Java.
    ///
    /// Java's name: `max.block.ms`.
    pub fn max_block(mut self, max_block: Duration) -> Self {
        self.max_block = max_block;
        self.by_code("max.block.ms")
    }

    /// How many requests may be unanswered on one connection.
    ///
    /// More keep a distant broker busy. Order holds at any value: a partition whose batches may be
    /// sent again has one of them unanswered at a time, unless brokers see to the order
    /// ([`idempotence`](Self::idempotence), which takes 5 at most). More than 1000 count as 1000.
    ///
    /// Defaults to 5, as in Java.
    ///
    /// Java's name: `max.in.flight.requests.per.connection`.
    pub fn max_in_flight(mut self, requests: usize) -> Self {
        self.max_in_flight = requests;
        self.by_code("max.in.flight.requests.per.connection")
    }

    /// How long a broker may take to answer one request.
    ///
    /// When it passes, the connection is closed and the fate of its records is unknown: shorter
    /// finds dead brokers sooner, and gives up on slow ones that would have answered.
    ///
    /// Defaults to 30 s, as in Java.
    ///
    /// Java's name: `request.timeout.ms`.
    pub fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self.by_code("request.timeout.ms")
    }

    /// How long a record may take from `send` to its result, with lingering, all attempts and
    /// pauses.
    ///
    /// Must not be shorter than [`linger`](Self::linger) and
    /// [`request_timeout`](Self::request_timeout) together; if it is not set, it grows to that.
    ///
    /// Defaults to 120 s, as in Java.
    ///
    /// Java's name: `delivery.timeout.ms`.
    pub fn delivery_timeout(mut self, timeout: Duration) -> Self {
        self.delivery_timeout = timeout;
        self.by_code("delivery.timeout.ms")
    }

    /// How long `Drop` waits for records that are not delivered yet, and `close` unless it is told
    /// otherwise.
    ///
    /// What is left after it fails with an error.
    ///
    /// Defaults to 30 s: long enough for a broker to restart, short enough for a service that is
    /// told to stop. Java has no such setting.
    pub fn close_timeout(mut self, timeout: Duration) -> Self {
        self.close_timeout = timeout;
        self.by_code(CLOSE_TIMEOUT)
    }
}

/// Batches and memory.
impl Config {
    /// How long a batch waits for more records before it is sent.
    ///
    /// Batches also form by themselves while earlier requests are on their way, so waiting pays
    /// only where fewer requests matter more than latency. A thread that waits for a delivery never
    /// pays it: its batch leaves at once.
    ///
    /// Defaults to zero, as in Java before version 4 (which waits 5 ms).
    ///
    /// Java's name: `linger.ms`.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = linger;
        self.by_code("linger.ms")
    }

    /// How many bytes a batch may grow to; 0 makes a batch of every record.
    ///
    /// A larger record travels alone. Larger batches cost the broker less. Batches grow as records
    /// come, so a higher limit takes no memory by itself; more than
    /// [`max_request_size`](Self::max_request_size) has no effect.
    ///
    /// Defaults to 65536, four times Java's, because Java reserves the memory and this producer
    /// does not.
    ///
    /// Java's name: `batch.size`.
    pub fn batch_size(mut self, bytes: usize) -> Self {
        self.batch_size = bytes;
        self.by_code("batch.size")
    }

    /// How many bytes all records may take that have no result yet.
    ///
    /// When it is full, `send` blocks for up to [`max_block`](Self::max_block). Once reached, more
    /// throughput needs faster brokers, not more memory.
    ///
    /// Defaults to 33554432 (32 MiB), as in Java.
    ///
    /// Java's name: `buffer.memory`.
    pub fn buffer_memory(mut self, bytes: usize) -> Self {
        self.buffer_memory = bytes;
        self.by_code("buffer.memory")
    }

    /// What a send does when the buffer is full, or the share of its topic or broker is used up
    /// (see [memory](crate::guide#memory)). [`topic`](Self::topic) chooses for one topic.
    ///
    /// Only `block` waits. What is dropped fails with
    /// [`ErrorKind::Dropped`](crate::ErrorKind::Dropped), is `NotWritten`, and is counted in
    /// [`MetricsSnapshot::dropped`](crate::MetricsSnapshot::dropped); the log has a warning when a
    /// topic begins to drop, and then one in 10 s at most. The policy is about memory only: a topic
    /// that is not known yet is waited for under any. To drop contradicts
    /// [`gapless`](Self::gapless).
    ///
    /// Defaults to [`FullBuffer::Block`], as Java always does.
    ///
    /// As text: `full.buffer.policy`, which Java does not have.
    pub fn full_buffer(mut self, policy: FullBuffer) -> Self {
        self.full_buffer = policy;
        self.by_code("full.buffer.policy")
    }

    /// How many bytes a record, and the batches of one request together, may take.
    ///
    /// Brokers have limits of their own (`message.max.bytes`, a topic's `max.message.bytes`); raise
    /// those first.
    ///
    /// Defaults to 1048576 (1 MiB), as in Java and as brokers take it.
    ///
    /// Java's name: `max.request.size`.
    pub fn max_request_size(mut self, bytes: usize) -> Self {
        self.max_request_size = bytes;
        self.by_code("max.request.size")
    }
}

/// Compression.
impl Config {
    /// How batches are compressed, whole, on the way to the broker.
    ///
    /// It costs time on the threads that send, and spares network and the brokers' disks. A batch
    /// that would grow is sent as it is. [`topic`](Self::topic) chooses for one topic.
    ///
    /// Defaults to [`Compression::None`], as in Java.
    ///
    /// Java's name: `compression.type`.
    pub fn compression(mut self, compression: Compression) -> Self {
        self.compression = compression;
        self.by_code("compression.type")
    }

    /// How hard gzip tries: 1 (fast) to 9 (small), -1 for its default, 6.
    ///
    /// Defaults to -1, as in Java.
    ///
    /// Java's name: `compression.gzip.level`.
    pub fn gzip_level(mut self, level: i32) -> Self {
        self.levels.gzip = level;
        self.by_code("compression.gzip.level")
    }

    /// How hard lz4 tries. There is one way here, Java's default; another level is a warning.
    ///
    /// Defaults to 9, as in Java.
    ///
    /// Java's name: `compression.lz4.level`.
    pub fn lz4_level(mut self, level: i32) -> Self {
        self.levels.lz4 = level;
        self.by_code("compression.lz4.level")
    }

    /// How hard zstd tries: -7 (fast) to 4 (small). What Java takes beyond counts as the nearest of
    /// these, with a warning.
    ///
    /// Defaults to 3, as in Java. On log lines, 1 is faster and no larger.
    ///
    /// Java's name: `compression.zstd.level`.
    pub fn zstd_level(mut self, level: i32) -> Self {
        self.levels.zstd = level;
        self.by_code("compression.zstd.level")
    }
}

/// Interceptors.
impl Config {
    /// Adds an interceptor behind those that were added before: it sees each record before it is
    /// sent, and is told what became of it.
    ///
    /// Defaults to none. Each record then costs one callback more.
    ///
    /// Java's name: `interceptor.classes`, which takes classes of Java and is refused here.
    ///
    /// ```
    /// let config = milena::Config::new("localhost:9092");
    /// let error = config.set("interceptor.classes", "com.example.Audit").unwrap_err();
    /// assert!(error.to_string().contains("Config::interceptor takes them in Rust"));
    /// ```
    pub fn interceptor(mut self, interceptor: impl Interceptor + 'static) -> Self {
        self.interceptors.push(Registered::new(interceptor));
        self.by_code("interceptor.classes")
    }
}

/// The way out.
impl Config {
    /// What makes the TCP connections, to bootstrap servers and all other brokers, instead of this
    /// crate: for a proxy, a tunnel, or a source address of its own.
    ///
    /// It is handed names that were not looked up, so that a proxy can look them up where it is.
    /// TLS and SASL are on the connections that it makes, and certificates must be for the broker's
    /// own name as ever. A call is waited for as long as
    /// [`connection_setup_timeout`](Self::connection_setup_timeout) allows. An error or a panic is
    /// one more broker that does not answer; errors name the dialer's type and what it said.
    ///
    /// The example `socks5` goes through a SOCKS5 or an HTTP proxy.
    ///
    /// Defaults to none: names are looked up, and each of their addresses is tried.
    ///
    /// Java's name: none.
    ///
    /// ```
    /// use std::net::{TcpStream, ToSocketAddrs};
    /// use std::time::Duration;
    /// use milena::Config;
    ///
    /// let config = Config::new("kafka-1:9092").dialer(
    ///     |host: &str, port: u16, timeout: Duration| {
    ///         let tunnel = format!("{host}.tunnels.example.com:{port}");
    ///         let address = tunnel.to_socket_addrs()?.next();
    ///         let address = address.ok_or_else(|| std::io::Error::other("no address"))?;
    ///         TcpStream::connect_timeout(&address, timeout)
    ///     },
    /// );
    /// ```
    pub fn dialer(mut self, dialer: impl Dial + 'static) -> Self {
        self.dialer = Some(RegisteredDialer::new(dialer));
        self.by_code(DIALER)
    }
}
