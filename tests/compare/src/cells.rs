//! What is compared: a table of loads, and who takes each.

/// One row of the comparison.
pub(crate) struct Cell {
    pub(crate) name: &'static str,
    pub(crate) load: Load,
    pub(crate) value_bytes: usize,
    pub(crate) records: u64,
    pub(crate) partitions: i32,
    pub(crate) settings: Settings,
    pub(crate) codec: &'static str,
    pub(crate) contestants: &'static [Contestant],
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Load {
    /// One thread, as fast as it can.
    Throughput,
    /// So many threads, each of which waits for its record before it sends the next.
    Sync { threads: usize },
    /// So many records a second, in ticks of a millisecond.
    Rate { per_second: u64 },
    /// One record in a new process.
    First,
}

/// What is set beside idempotence and `acks=all`.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Settings {
    Default,
    Linger0,
    /// Linger 5 ms, batches of 1,000,000 bytes, a buffer of 64 MiB.
    Tuned,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Contestant {
    Milena,
    Librdkafka,
    /// Over TLS 1.3.
    MilenaTls,
    /// The bytes of milena's requests, in writes of their size, with nothing around them.
    Socket,
    /// The same through rustls.
    Rustls,
    /// A message and its answer through threads like milena's.
    PingPong,
}

const BOTH: &[Contestant] = &[Contestant::Milena, Contestant::Librdkafka];

const TUNED: Cell = Cell {
    name: "",
    load: Load::Throughput,
    value_bytes: 1024,
    records: 600_000,
    partitions: 12,
    settings: Settings::Tuned,
    codec: "none",
    contestants: BOTH,
};

const LATENCY: Cell = Cell {
    value_bytes: 100,
    partitions: 1,
    settings: Settings::Linger0,
    ..TUNED
};

pub(crate) const CELLS: &[Cell] = &[
    Cell {
        name: "throughput 100 B",
        value_bytes: 100,
        records: 4_000_000,
        ..TUNED
    },
    Cell {
        name: "throughput 1 KiB",
        ..TUNED
    },
    Cell {
        name: "throughput 100 B, defaults",
        value_bytes: 100,
        records: 4_000_000,
        settings: Settings::Default,
        ..TUNED
    },
    Cell {
        name: "throughput 1 KiB, defaults",
        settings: Settings::Default,
        ..TUNED
    },
    Cell {
        name: "lz4 1 KiB",
        records: 200_000,
        codec: "lz4",
        ..TUNED
    },
    Cell {
        name: "zstd 1 KiB",
        records: 200_000,
        codec: "zstd",
        ..TUNED
    },
    Cell {
        name: "sync, 1 thread",
        load: Load::Sync { threads: 1 },
        records: 20_000,
        contestants: &[
            Contestant::Milena,
            Contestant::Librdkafka,
            Contestant::PingPong,
        ],
        ..LATENCY
    },
    Cell {
        name: "sync, 64 threads",
        load: Load::Sync { threads: 64 },
        records: 128_000,
        ..LATENCY
    },
    Cell {
        name: "10,000 records/s",
        load: Load::Rate { per_second: 10_000 },
        records: 50_000,
        ..LATENCY
    },
    Cell {
        name: "first record",
        load: Load::First,
        records: 1,
        settings: Settings::Default,
        ..LATENCY
    },
    Cell {
        name: "tls 1 KiB",
        // The differences are small beside the noise.
        records: 2_000_000,
        contestants: &[
            Contestant::Milena,
            Contestant::MilenaTls,
            Contestant::Socket,
            Contestant::Rustls,
        ],
        ..TUNED
    },
];

impl Cell {
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        CELLS.iter().find(|cell| cell.name == name)
    }

    /// The topic, which a real cluster has to have.
    pub(crate) fn topic(&self) -> String {
        topic(self.partitions)
    }

    /// So many records, or the next number that all threads can share.
    pub(crate) fn records(&self, records: Option<u64>) -> u64 {
        let records = records.unwrap_or(self.records);
        match self.load {
            Load::First => 1,
            // The warm-up is shared as well.
            Load::Sync { threads } => records.next_multiple_of(4 * threads as u64),
            _ => records,
        }
    }

    /// Records before those that count.
    pub(crate) fn warm_up(&self, records: u64) -> u64 {
        match self.load {
            Load::First => 0,
            _ => records / 4,
        }
    }

    /// Whether it says something of a cluster that is not on this machine, and without TLS.
    pub(crate) fn is_for_clusters(&self) -> bool {
        !self.contestants.contains(&Contestant::MilenaTls)
    }
}

pub(crate) fn topic(partitions: i32) -> String {
    format!("compare-{partitions}")
}

impl Contestant {
    pub(crate) const ALL: [Self; 6] = [
        Self::Milena,
        Self::Librdkafka,
        Self::MilenaTls,
        Self::Socket,
        Self::Rustls,
        Self::PingPong,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Milena => "milena",
            Self::Librdkafka => "librdkafka",
            Self::MilenaTls => "milena-tls",
            Self::Socket => "socket",
            Self::Rustls => "rustls",
            Self::PingPong => "ping-pong",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Whether it sends records, rather than bytes.
    pub(crate) fn is_producer(self) -> bool {
        matches!(self, Self::Milena | Self::Librdkafka | Self::MilenaTls)
    }
}
