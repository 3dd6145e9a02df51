//! milena, as a program uses it.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use milena::{Acks, Compression, Config, Delivery, Error, Producer, Record, SecurityProtocol};

use crate::cells::Settings;
use crate::client::{BATCH_BYTES, BUFFER_BYTES, Client, LINGER, Sent, Target, micros};
use crate::payload::Payload;

pub(crate) struct Milena {
    producer: Producer,
    topic: String,
    times: Arc<Mutex<Vec<u32>>>,
}

impl Milena {
    pub(crate) fn new(target: &Target) -> Result<Self, Error> {
        let mut config = Config::new(target.bootstrap)
            .acks(Acks::All)
            .idempotence(true)
            .compression(match target.cell.codec {
                "lz4" => Compression::Lz4,
                "zstd" => Compression::Zstd,
                _ => Compression::None,
            });
        config = match target.cell.settings {
            Settings::Default => config,
            Settings::Linger0 => config.linger(std::time::Duration::ZERO),
            Settings::Tuned => config
                .linger(LINGER)
                .batch_size(BATCH_BYTES)
                .max_request_size(8 << 20)
                .buffer_memory(BUFFER_BYTES),
        };
        if let Some(ca) = target.tls_ca {
            config = config
                .security_protocol(SecurityProtocol::Ssl)
                .ssl_truststore_file(Path::new(ca));
        }
        Ok(Self {
            producer: Producer::new(config)?,
            topic: target.cell.topic(),
            times: Arc::default(),
        })
    }

    fn send(&self, value: &[u8]) -> Delivery {
        self.producer.send(Record::to(&self.topic).value(value))
    }
}

impl Client for Milena {
    /// Results are looked at in order, as soon as they are there.
    fn throughput(&self, payload: &Payload, records: u64) -> u64 {
        const WAITING_MAX: usize = 100_000;
        let mut waiting = VecDeque::with_capacity(WAITING_MAX + 64);
        let mut acknowledged = 0;
        let mut count = |delivery: Option<Delivery>| {
            acknowledged += u64::from(delivery.is_some_and(|delivery| is_ok(&delivery)));
        };
        for number in 0..records {
            waiting.push_back(self.send(payload.value(number)));
            if number % 64 == 63 {
                while waiting.len() > WAITING_MAX || waiting.front().is_some_and(Delivery::is_done)
                {
                    count(waiting.pop_front());
                }
            }
        }
        waiting.into_iter().map(Some).for_each(count);
        acknowledged
    }

    fn send_and_wait(&self, _thread: usize, value: &[u8]) -> bool {
        is_ok(&self.send(value))
    }

    fn send_timed(&self, value: &[u8], due: Instant) {
        let times = self.times.clone();
        let record = Record::to(&self.topic).value(value);
        self.producer.send_with(record, move |result| {
            if result.is_ok() {
                let time = micros(due.elapsed());
                let mut times = times.lock().unwrap_or_else(PoisonError::into_inner);
                times.push(time);
            }
        });
    }

    fn take_times(&self) -> Vec<u32> {
        // Its report is that of each record; who fails has no time.
        let _ = self.producer.flush();
        std::mem::take(&mut self.times.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn sent(&self, _records: u64) -> Option<Sent> {
        let metrics = self.producer.metrics();
        Some(Sent {
            bytes: metrics.request_bytes,
            requests: metrics.requests,
        })
    }
}

fn is_ok(delivery: &Delivery) -> bool {
    let result = delivery.wait();
    if let Err(error) = &result {
        eprintln!("{error}");
    }
    result.is_ok()
}
