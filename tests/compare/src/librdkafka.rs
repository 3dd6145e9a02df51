//! librdkafka through its C functions, as a C program uses it: that is the least it costs. The safe
//! crate rdkafka adds to it for each record, and its `poll` returns no sooner than its time-out.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use rdkafka_sys as native;

use crate::cells::{Load, Settings};
use crate::client::{BATCH_BYTES, BUFFER_BYTES, Client, LINGER, PATIENCE, Sent, Target, micros};
use crate::payload::Payload;

pub(crate) struct Librdkafka {
    client: *mut native::rd_kafka_t,
    topic: *mut native::rd_kafka_topic_t,
    /// The callbacks of the client have a pointer to it.
    reports: &'static Reports,
}

// SAFETY: librdkafka's functions may be called by all threads at once, and the pointers are valid
// until the process ends.
unsafe impl Sync for Librdkafka {}

/// What the callbacks have been told.
struct Reports {
    began: Instant,
    acknowledged: AtomicU64,
    failed: AtomicU64,
    /// By thread.
    waiters: Vec<Waiter>,
    times: Mutex<Vec<u32>>,
    /// Whether a thread polls for all others.
    is_served: AtomicBool,
    /// Records, bytes and requests at one moment.
    statistics: Mutex<(u64, Sent)>,
}

#[derive(Default)]
struct Waiter {
    result: AtomicU8,
    thread: OnceLock<Thread>,
}

/// Of [`Waiter::result`].
const WAITING: u8 = 0;
const ACKNOWLEDGED: u8 = 1;
const FAILED: u8 = 2;

/// What a record is to have when its report comes, in the pointer that goes with it.
enum Tag {
    Count,
    Wake { thread: usize },
    Time { due_ns: u64 },
}

impl Librdkafka {
    pub(crate) fn new(target: &Target) -> Result<Self, String> {
        let threads = match target.cell.load {
            Load::Sync { threads } => threads,
            _ => 1,
        };
        let reports: &'static Reports = Box::leak(Box::new(Reports {
            began: Instant::now(),
            acknowledged: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            waiters: (0..threads).map(|_| Waiter::default()).collect(),
            times: Mutex::default(),
            is_served: AtomicBool::new(false),
            statistics: Mutex::new((
                0,
                Sent {
                    bytes: 0,
                    requests: 0,
                },
            )),
        }));
        let name = CString::new(target.cell.topic()).map_err(|error| error.to_string())?;
        // SAFETY: the configuration goes to the client, which like `reports` is never freed.
        unsafe {
            let config = native::rd_kafka_conf_new();
            for (key, value) in settings(target) {
                set(config, key, &value)?;
            }
            let opaque = ptr::from_ref(reports).cast_mut().cast();
            native::rd_kafka_conf_set_opaque(config, opaque);
            native::rd_kafka_conf_set_dr_msg_cb(config, Some(delivered));
            native::rd_kafka_conf_set_stats_cb(config, Some(statistics));
            let mut text: [c_char; 512] = [0; 512];
            let kind = native::rd_kafka_type_t::RD_KAFKA_PRODUCER;
            let client = native::rd_kafka_new(kind, config, text.as_mut_ptr(), text.len());
            if client.is_null() {
                return Err(CStr::from_ptr(text.as_ptr()).to_string_lossy().into());
            }
            let topic = native::rd_kafka_topic_new(client, name.as_ptr(), ptr::null_mut());
            Ok(Self {
                client,
                topic,
                reports,
            })
        }
    }

    fn poll(&self, limit: Duration) {
        // SAFETY: the client is valid, and the callbacks' pointer too.
        unsafe { native::rd_kafka_poll(self.client, limit.as_millis() as i32) };
    }

    /// Waits while the queue is full.
    fn produce(&self, value: &[u8], tag: Tag) {
        const ANY_PARTITION: i32 = -1;
        loop {
            // SAFETY: the value is copied before the call returns, and the opaque is a number.
            let code = unsafe {
                native::rd_kafka_produce(
                    self.topic,
                    ANY_PARTITION,
                    native::RD_KAFKA_MSG_F_COPY,
                    value.as_ptr().cast_mut().cast(),
                    value.len(),
                    ptr::null(),
                    0,
                    tag.to_opaque(),
                )
            };
            if code == 0 {
                return;
            }
            // SAFETY: it reads the thread's last error.
            let error = unsafe { native::rd_kafka_last_error() };
            if error != native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR__QUEUE_FULL {
                eprintln!("librdkafka takes no record: {error:?}");
                self.reports.failed.fetch_add(1, Ordering::Relaxed);
                return;
            }
            match self.reports.is_served.load(Ordering::Relaxed) {
                true => thread::sleep(Duration::from_millis(1)),
                false => self.poll(Duration::from_millis(100)),
            }
        }
    }
}

impl Client for Librdkafka {
    fn throughput(&self, payload: &Payload, records: u64) -> u64 {
        let before = self.reports.acknowledged.load(Ordering::Relaxed);
        let until = self.reports.settled() + records;
        for number in 0..records {
            self.produce(payload.value(number), Tag::Count);
            if number % 1024 == 1023 {
                self.poll(Duration::ZERO);
            }
        }
        // Its flush would cut the linger time of the last batches short.
        let began = Instant::now();
        while self.reports.settled() < until && began.elapsed() < PATIENCE {
            self.poll(Duration::from_millis(100));
        }
        self.reports.acknowledged.load(Ordering::Relaxed) - before
    }

    fn send_and_wait(&self, thread: usize, value: &[u8]) -> bool {
        let waiter = &self.reports.waiters[thread];
        waiter.thread.get_or_init(thread::current);
        waiter.result.store(WAITING, Ordering::Release);
        self.produce(value, Tag::Wake { thread });
        let began = Instant::now();
        loop {
            match waiter.result.load(Ordering::Acquire) {
                WAITING if began.elapsed() > PATIENCE => return false,
                WAITING if self.reports.is_served.load(Ordering::Relaxed) => {
                    thread::park_timeout(Duration::from_secs(1));
                }
                WAITING => self.poll(Duration::from_millis(100)),
                result => return result == ACKNOWLEDGED,
            }
        }
    }

    fn send_timed(&self, value: &[u8], due: Instant) {
        let due_ns = due.duration_since(self.reports.began).as_nanos() as u64;
        self.produce(value, Tag::Time { due_ns });
    }

    fn take_times(&self) -> Vec<u32> {
        let began = Instant::now();
        // SAFETY: the client is valid.
        while unsafe { native::rd_kafka_outq_len(self.client) } > 0 && began.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
        let times = &self.reports.times;
        std::mem::take(&mut times.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn serve(&self, stop: &AtomicBool) {
        self.reports.is_served.store(true, Ordering::Relaxed);
        while !stop.load(Ordering::Relaxed) {
            self.poll(Duration::from_millis(50));
        }
        self.reports.is_served.store(false, Ordering::Relaxed);
    }

    /// Waits until its statistics, which come twice a second, have all records.
    fn sent(&self, records: u64) -> Option<Sent> {
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(2) {
            self.poll(Duration::from_millis(100));
            let statistics = &self.reports.statistics;
            let statistics = statistics.lock().unwrap_or_else(PoisonError::into_inner);
            if statistics.0 >= records {
                let Sent { bytes, requests } = statistics.1;
                return Some(Sent { bytes, requests });
            }
        }
        None
    }
}

impl Reports {
    fn settled(&self) -> u64 {
        self.acknowledged.load(Ordering::Relaxed) + self.failed.load(Ordering::Relaxed)
    }
}

impl Tag {
    fn to_opaque(&self) -> *mut c_void {
        let number = match self {
            Self::Count => 0,
            Self::Wake { thread } => (thread + 1) << 1,
            Self::Time { due_ns } => (*due_ns as usize) << 1 | 1,
        };
        ptr::without_provenance_mut(number)
    }

    fn from_opaque(opaque: *mut c_void) -> Self {
        match opaque.addr() {
            0 => Self::Count,
            number if number & 1 == 1 => Self::Time {
                due_ns: number as u64 >> 1,
            },
            number => Self::Wake {
                thread: (number >> 1) - 1,
            },
        }
    }
}

fn settings(target: &Target) -> Vec<(&'static str, String)> {
    let mut settings = vec![
        ("bootstrap.servers", target.bootstrap.to_owned()),
        ("acks", "all".to_owned()),
        ("enable.idempotence", "true".to_owned()),
        ("compression.type", target.cell.codec.to_owned()),
    ];
    match target.cell.settings {
        Settings::Default => {}
        Settings::Linger0 => settings.push(("linger.ms", "0".to_owned())),
        Settings::Tuned => settings.extend([
            ("linger.ms", LINGER.as_millis().to_string()),
            ("batch.size", BATCH_BYTES.to_string()),
            (
                "queue.buffering.max.kbytes",
                (BUFFER_BYTES >> 10).to_string(),
            ),
            // Without them, 10,000 and 100,000 records are the limits.
            ("batch.num.messages", "1000000".to_owned()),
            ("queue.buffering.max.messages", "1000000".to_owned()),
        ]),
    }
    if target.cell.codec != "none" {
        settings.push(("statistics.interval.ms", "500".to_owned()));
    }
    settings
}

/// # Safety
///
/// `config` must be valid.
unsafe fn set(config: *mut native::rd_kafka_conf_t, key: &str, value: &str) -> Result<(), String> {
    let of = |text: &str| CString::new(text).map_err(|error| error.to_string());
    let (key, value) = (of(key)?, of(value)?);
    let mut text: [c_char; 512] = [0; 512];
    // SAFETY: all pointers are to what lives here, and are not kept.
    unsafe {
        let (key, value) = (key.as_ptr(), value.as_ptr());
        let code = native::rd_kafka_conf_set(config, key, value, text.as_mut_ptr(), text.len());
        match code {
            native::rd_kafka_conf_res_t::RD_KAFKA_CONF_OK => Ok(()),
            _ => Err(CStr::from_ptr(text.as_ptr()).to_string_lossy().into()),
        }
    }
}

/// The report of one record.
unsafe extern "C" fn delivered(
    _client: *mut native::rd_kafka_t,
    message: *const native::rd_kafka_message_t,
    opaque: *mut c_void,
) {
    // SAFETY: librdkafka hands in a message, and the pointer that `new` has set.
    let (message, reports) = unsafe { (&*message, &*opaque.cast::<Reports>()) };
    let is_ok = message.err == native::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
    match Tag::from_opaque(message._private) {
        Tag::Count => {}
        Tag::Wake { thread } => {
            if let Some(waiter) = reports.waiters.get(thread) {
                let result = if is_ok { ACKNOWLEDGED } else { FAILED };
                waiter.result.store(result, Ordering::Release);
                if let Some(thread) = waiter.thread.get() {
                    thread.unpark();
                }
            }
        }
        Tag::Time { due_ns } if is_ok => {
            let time = reports.began.elapsed() - Duration::from_nanos(due_ns);
            let mut times = reports.times.lock().unwrap_or_else(PoisonError::into_inner);
            times.push(micros(time));
        }
        Tag::Time { .. } => {}
    }
    if is_ok {
        reports.acknowledged.fetch_add(1, Ordering::Relaxed);
    } else if reports.failed.fetch_add(1, Ordering::Relaxed) == 0 {
        eprintln!("librdkafka's first failure: {:?}", message.err);
    }
}

/// Totals stand at the end of the JSON, behind those of brokers and topics.
unsafe extern "C" fn statistics(
    _client: *mut native::rd_kafka_t,
    json: *mut c_char,
    bytes: usize,
    opaque: *mut c_void,
) -> i32 {
    // SAFETY: librdkafka hands in its text with its length, and the pointer that `new` has set.
    let (json, reports) = unsafe {
        (
            std::slice::from_raw_parts(json.cast::<u8>(), bytes),
            &*opaque.cast::<Reports>(),
        )
    };
    let json = String::from_utf8_lossy(json);
    let total = |name: &str| -> Option<u64> {
        let rest = &json[json.rfind(name)? + name.len()..];
        let digits = rest.trim_start().split(|next: char| !next.is_ascii_digit());
        digits.into_iter().next()?.parse().ok()
    };
    if let (Some(records), Some(bytes), Some(requests)) = (
        total("\"txmsgs\":"),
        total("\"tx_bytes\":"),
        total("\"tx\":"),
    ) {
        let mut last = reports
            .statistics
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *last = (records, Sent { bytes, requests });
    }
    // The text stays librdkafka's.
    0
}

/// The version that was built.
pub(crate) fn version() -> String {
    // SAFETY: a static text.
    let text = unsafe { CStr::from_ptr(native::rd_kafka_version_str()) };
    text.to_string_lossy().into()
}
