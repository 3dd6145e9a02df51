//! Where compression should run: a measurement, not a test.
//!
//! Callers append to the batches of partitions, one thread sends what is full, and one of the four
//! compresses: see `Place`. It is run by
//! `cargo test --release --lib --all-features compress::tests::place -- --ignored --nocapture`.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::compress::{Compression, Compressor, Levels};
use crate::sync::{Condvar, Mutex};

/// Who compresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// The thread that sends, one batch after the other.
    Sender,
    /// The same with a helper for each further core, where a request is large.
    Lanes,
    /// The caller whose record had no room, under the lock of the partition, as in Java.
    CallerLocked,
    /// The same, after it has left the lock.
    CallerUnlocked,
}

const BATCH_LEN: usize = 64 << 10;
const REQUEST_LEN_MAX: usize = 1 << 20;
const LANES_LEN_MIN: usize = 128 << 10;
/// What is appended and not sent.
const BUDGET: usize = 2 << 20;
const ROUNDS: usize = 10;
const PLACES: [Place; 4] = [
    Place::Sender,
    Place::Lanes,
    Place::CallerLocked,
    Place::CallerUnlocked,
];

struct Case {
    place: Place,
    compression: Compression,
    callers: usize,
    partitions: usize,
    records: usize,
    /// How many all callers append in a second; none is as many as they can.
    pace: Option<f64>,
}

struct Full {
    partition: usize,
    bytes: Vec<u8>,
    is_compressed: bool,
}

#[derive(Default)]
struct Queue {
    full: VecDeque<Full>,
    held: usize,
    is_closed: bool,
}

struct Pipeline<'a> {
    case: &'a Case,
    partitions: Vec<Mutex<Vec<u8>>>,
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[test]
#[ignore = "a measurement that takes minutes"]
fn where_compression_runs_best() {
    let kinds = [
        (Compression::Gzip, 30_000, 60_000.0),
        (Compression::Lz4, 200_000, 200_000.0),
        (Compression::Zstd, 80_000, 120_000.0),
    ];
    println!("codec, callers, partitions, place: records/s, CPU ns; paced: p99 p99.9 max in us");
    for (compression, records, pace) in kinds {
        for (callers, partitions) in [(1, 1), (1, 8), (4, 1), (4, 8)] {
            let case = |place, pace| Case {
                place,
                compression,
                callers,
                partitions,
                records,
                pace,
            };
            let mut runs: Vec<[Vec<Run>; 2]> = PLACES.map(|_| Default::default()).into();
            // The places take turns, so that a noisy minute meets all of them.
            for _ in 0..ROUNDS {
                for (runs, place) in runs.iter_mut().zip(PLACES) {
                    runs[0].push(run(&case(place, None)));
                    runs[1].push(run(&case(place, Some(pace))));
                }
            }
            for ([free, paced], place) in runs.iter().zip(PLACES) {
                let rate = free.iter().map(|run| run.rate).fold(0.0, f64::max);
                let cpu = free.iter().map(|run| run.cpu_ns).sum::<f64>() / ROUNDS as f64;
                let at = |share: f64| paced.iter().map(|run| run.append_us(share)).min();
                let times = [0.99, 0.999, 1.0].map(|share| at(share).unwrap_or_default());
                println!(
                    "{compression} {callers} {partitions} {place:?}: {rate:.0}, {cpu:.0}; {times:?}"
                );
            }
        }
    }
}

/// The shortest time for the batches of one request: on a machine that has other work too, that is
/// when both cores were free.
#[test]
#[ignore = "a measurement"]
fn what_a_lane_gains() {
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    let records = records();
    for compression in Compression::ALL.into_iter().skip(1) {
        for batches in [2, 4, 8, 16] {
            let case = Case {
                place: Place::Lanes,
                compression,
                callers: 0,
                partitions: 0,
                records: 0,
                pace: None,
            };
            let pipeline = Pipeline::new(&case);
            let mut lanes: Vec<Compressor> = (0..cores).map(|_| Compressor::default()).collect();
            let mut least = |used: usize| {
                let mut once = |attempt: usize| {
                    let full = |at: usize| Full {
                        partition: at,
                        bytes: records[(at * 97 + attempt * 31) % 3800..][..180].concat(),
                        is_compressed: false,
                    };
                    let mut request: Vec<Full> = (0..batches).map(full).collect();
                    let start = Instant::now();
                    pipeline.compress_all(&mut lanes[..used], &mut request);
                    start.elapsed()
                };
                (0..300).map(&mut once).min().unwrap_or_default()
            };
            let (alone, shared) = (least(1), least(cores));
            println!("{compression}, {batches} batches: {alone:?} alone, {shared:?} by {cores}");
        }
    }
}

struct Run {
    rate: f64,
    cpu_ns: f64,
    /// The times of all appends, sorted.
    appends: Vec<u32>,
}

impl Run {
    fn append_us(&self, share: f64) -> u32 {
        let place = (self.appends.len() - 1) as f64 * share;
        self.appends[place as usize] / 1000
    }
}

fn run(case: &Case) -> Run {
    let pipeline = Pipeline::new(case);
    let records = records();
    let (start, cpu) = (Instant::now(), cpu_time());
    let mut appends = Vec::new();
    std::thread::scope(|scope| {
        let sender = scope.spawn(|| pipeline.send_all());
        let callers = (0..case.callers).map(|caller| {
            let (pipeline, records) = (&pipeline, &records);
            scope.spawn(move || pipeline.call(caller, records))
        });
        let callers: Vec<_> = callers.collect();
        for caller in callers {
            appends.extend(caller.join().unwrap());
        }
        pipeline.queue.lock().is_closed = true;
        pipeline.changed.notify_all();
        sender.join().unwrap();
    });
    let (took, cpu) = (start.elapsed(), cpu_time() - cpu);
    appends.sort_unstable();
    let count = appends.len() as f64;
    Run {
        rate: count / took.as_secs_f64(),
        cpu_ns: cpu.as_nanos() as f64 / count,
        appends,
    }
}

impl<'a> Pipeline<'a> {
    fn new(case: &'a Case) -> Self {
        Self {
            case,
            partitions: (0..case.partitions).map(|_| Mutex::default()).collect(),
            queue: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn call(&self, caller: usize, records: &[Vec<u8>]) -> Vec<u32> {
        let count = self.case.records / self.case.callers;
        let pause = self.case.pace.map(|pace| self.case.callers as f64 / pace);
        let mut compressor = Compressor::default();
        let mut times = Vec::with_capacity(count);
        let begin = Instant::now();
        for at in 0..count {
            if let Some(pause) = pause {
                let due = Duration::from_secs_f64(pause * at as f64);
                let early = due.saturating_sub(begin.elapsed());
                if early > Duration::from_millis(1) {
                    std::thread::sleep(early);
                }
            }
            let record = &records[(at * 7 + caller * 501) % records.len()];
            let start = Instant::now();
            self.append(at % self.partitions.len(), record, &mut compressor);
            times.push(start.elapsed().as_nanos() as u32);
        }
        times
    }

    fn append(&self, partition: usize, record: &[u8], compressor: &mut Compressor) {
        let mut open = self.partitions[partition].lock();
        if open.len() + record.len() <= BATCH_LEN {
            return open.extend_from_slice(record);
        }
        let mut bytes = std::mem::replace(&mut *open, Vec::with_capacity(BATCH_LEN));
        open.extend_from_slice(record);
        let place = self.case.place;
        if place == Place::CallerLocked {
            bytes = self.compressed(compressor, &bytes);
        }
        drop(open);
        if place == Place::CallerUnlocked {
            bytes = self.compressed(compressor, &bytes);
        }
        let mut queue = self.queue.lock();
        while queue.held >= BUDGET {
            queue = self.changed.wait(queue, None);
        }
        queue.held += BATCH_LEN;
        queue.full.push_back(Full {
            partition,
            bytes,
            is_compressed: matches!(place, Place::CallerLocked | Place::CallerUnlocked),
        });
        drop(queue);
        self.changed.notify_all();
    }

    fn compressed(&self, compressor: &mut Compressor, bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let result =
            compressor.compress(self.case.compression, &Levels::default(), bytes, &mut out);
        assert_eq!(result, Ok(()));
        out
    }

    fn send_all(&self) {
        let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
        let mut lanes: Vec<Compressor> = (0..cores).map(|_| Compressor::default()).collect();
        while let Some(mut request) = self.request() {
            let len: usize = request.iter().map(|full| full.bytes.len()).sum();
            let has_lanes = self.case.place == Place::Lanes && len >= LANES_LEN_MIN;
            let used = if has_lanes { cores } else { 1 };
            self.compress_all(&mut lanes[..used], &mut request);
            for full in &request {
                std::hint::black_box(crc32c::crc32c(&full.bytes));
            }
            self.queue.lock().held -= BATCH_LEN * request.len();
            self.changed.notify_all();
        }
    }

    fn compress_all(&self, lanes: &mut [Compressor], request: &mut [Full]) {
        let share = request.len().div_ceil(lanes.len());
        let work = |compressor: &mut Compressor, part: &mut [Full]| {
            for full in part.iter_mut().filter(|full| !full.is_compressed) {
                full.bytes = self.compressed(compressor, &full.bytes);
            }
        };
        let mut parts = request.chunks_mut(share).zip(lanes);
        let own = parts.next();
        std::thread::scope(|scope| {
            for (part, compressor) in parts {
                scope.spawn(move || work(compressor, part));
            }
            if let Some((part, compressor)) = own {
                work(compressor, part);
            }
        });
    }

    /// A batch of each partition at most, as much as a request holds.
    fn request(&self) -> Option<Vec<Full>> {
        let mut queue = self.queue.lock();
        while queue.full.is_empty() {
            if queue.is_closed {
                return None;
            }
            queue = self.changed.wait(queue, None);
        }
        let mut request: Vec<Full> = Vec::new();
        let (mut at, mut len) = (0, 0);
        while let Some(full) = queue.full.get(at) {
            let is_other = request.iter().all(|one| one.partition != full.partition);
            len += full.bytes.len();
            if len > REQUEST_LEN_MAX {
                break;
            }
            if is_other {
                request.extend(queue.full.remove(at));
            } else {
                at += 1;
            }
        }
        Some(request)
    }
}

/// Records of some 350 bytes, like the log of a service.
fn records() -> Vec<Vec<u8>> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let texts = [
        "request finished",
        "cache miss, reading from the store",
        "connection to the upstream was closed before an answer came",
        "user signed in",
    ];
    let mut record = |at: u64| {
        let (node, text) = (next() % 40, texts[(next() % 4) as usize]);
        let (trace, span, ms) = (next(), next(), next() % 1_000_000);
        let (order, user, status) = (next() % 100_000, next() % 1_000_000, next() % 6);
        let line = format!(
            "{{\"time\":\"2026-03-01T10:20:30.{ms:06}Z\",\"level\":\"info\",\
             \"service\":\"checkout\",\"host\":\"node-{node}.eu-west.example.com\",\
             \"trace\":\"{trace:032x}\",\"span\":\"{span:016x}\",\
             \"path\":\"/api/v2/orders/{order}/items\",\"user\":{user},\
             \"status\":20{status},\"duration_us\":{ms},\"sequence\":{at},\
             \"message\":\"{text}\"}}"
        );
        line.into_bytes()
    };
    (0..4000).map(&mut record).collect()
}

/// Of the whole process.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let ticks = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks: u64 = ticks.skip(11).take(2).flat_map(str::parse::<u64>).sum();
    Duration::from_millis(10 * ticks)
}
