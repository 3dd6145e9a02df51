//! Checks of settings against each other, and the values that follow from them.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::compress::{Levels, ZSTD_LEVELS};
use crate::config::origin::Origin;
use crate::config::value::INT_MAX;
use crate::config::{Acks, Config};
use crate::error::{Error, ErrorKind};

/// More unanswered requests than a broker ever works on; the sender reserves room for as many.
const IN_FLIGHT_MAX: usize = 1000;
/// The batches of a partition that a broker recognises (ProducerStateEntry.NUM_BATCHES_TO_RETAIN).
const IDEMPOTENT_IN_FLIGHT_MAX: usize = 5;
/// What the wire has room for, less what a request needs around its records.
const BYTES_MAX: usize = i32::MAX as usize - (1 << 20);
const CLIENT_ID_BYTES_MAX: usize = i16::MAX as usize;

impl Config {
    /// Cross checks; called by `Producer::new`, which works with what is returned: defaults that
    /// depend on other settings have their values in it.
    pub(crate) fn validate(mut self) -> Result<Self, Error> {
        let told = self.warnings.len();
        let settled = self.settle();
        for warning in &self.warnings[told..] {
            log::warn!("{warning}");
        }
        settled?;
        self.number_client_id();
        Ok(self)
    }

    /// All of `validate` that leaves no trace elsewhere.
    pub(super) fn settle(&mut self) -> Result<(), Error> {
        self.check_servers()?;
        self.check_providers()?;
        self.settle_sizes()?;
        self.check_topics()?;
        self.check_policies()?;
        self.settle_levels()?;
        self.settle_partitioning()?;
        self.check_times()?;
        self.settle_delivery_timeout()?;
        self.settle_backoffs();
        self.check_tls()?;
        self.check_sasl()?;
        self.check_token_refresh()?;
        self.settle_idempotence()?;
        self.check_client_id()
    }

    fn check_servers(&mut self) -> Result<(), Error> {
        if let Some(error) = self.chosen.bootstrap_error.take() {
            return Err(error);
        }
        match self.chosen.bootstrap_protocol {
            Some(written) if written != self.security_protocol => self.note(format!(
                "bootstrap.servers says {written}://, which has no effect: security.protocol is {}",
                self.security_protocol
            )),
            _ => {}
        }
        Ok(())
    }

    fn settle_sizes(&mut self) -> Result<(), Error> {
        for (key, bytes) in [
            ("buffer.memory", self.buffer_memory),
            ("max.request.size", self.max_request_size),
        ] {
            if bytes == 0 {
                return Err(wrong(format!("{key}: 0 leaves no room for any record")));
            }
        }
        if self.max_request_size > BYTES_MAX {
            self.max_request_size = BYTES_MAX;
            self.imply("max.request.size", "what a request can have");
            self.note(format!(
                "max.request.size counts as {BYTES_MAX}, the most that a request can have"
            ));
        }
        if self.batch_size > self.max_request_size {
            self.batch_size = self.max_request_size;
            self.imply("batch.size", "max.request.size");
            self.note(format!(
                "batch.size counts as {}, which is max.request.size",
                self.batch_size
            ));
        }
        if self.buffer_memory < self.max_request_size {
            self.note(format!(
                "buffer.memory {} is less than max.request.size {}: such a record never fits",
                self.buffer_memory, self.max_request_size
            ));
        }
        if self.max_in_flight == 0 {
            return Err(wrong(
                "max.in.flight.requests.per.connection: 0 lets nothing be sent, 1 is the least",
            ));
        }
        if self.max_in_flight > IN_FLIGHT_MAX {
            self.max_in_flight = IN_FLIGHT_MAX;
            self.imply("max.in.flight.requests.per.connection", "what helps");
            self.note(format!(
                "max.in.flight.requests.per.connection counts as {IN_FLIGHT_MAX}, more help nothing"
            ));
        }
        for (key, bytes) in [
            ("send.buffer.bytes", self.send_buffer_bytes),
            ("receive.buffer.bytes", self.receive_buffer_bytes),
        ] {
            if bytes == Some(0) {
                return Err(wrong(format!("{key}: 0 is no size for a buffer")));
            }
        }
        Ok(())
    }

    fn settle_levels(&mut self) -> Result<(), Error> {
        let Levels { gzip, lz4, zstd } = self.levels;
        if gzip != -1 && !(1..=9).contains(&gzip) {
            return Err(wrong(format!(
                "compression.gzip.level: {gzip} is no level: 1 to 9, or -1 for the default, 6"
            )));
        }
        if lz4 != Levels::default().lz4 {
            self.note(format!(
                "compression.lz4.level: {lz4} counts as 9, the only one that this producer has"
            ));
            self.levels.lz4 = Levels::default().lz4;
            self.imply("compression.lz4.level", "the codec, which has no other");
        }
        if !ZSTD_LEVELS.contains(&zstd) {
            let (least, most) = (*ZSTD_LEVELS.start(), *ZSTD_LEVELS.end());
            self.levels.zstd = zstd.clamp(least, most);
            self.imply("compression.zstd.level", "the codec, which has no other");
            self.note(format!(
                "compression.zstd.level: {zstd} counts as {}: this producer has {least} to {most}",
                self.levels.zstd
            ));
        }
        Ok(())
    }

    /// Idempotence implies acks=all and retries until the delivery time-out, unless the user said
    /// otherwise, which is an error: each of the three is what keeps duplicates and gaps out.
    fn settle_idempotence(&mut self) -> Result<(), Error> {
        if !self.idempotence {
            return match self.gapless {
                false => Ok(()),
                true => Err(wrong(
                    "enable.gapless.guarantee=true needs enable.idempotence=true: without it, what \
                     is on its way behind a lost record gets into the log",
                )),
            };
        }
        let clash = |key: &str, value: String, why: &str| {
            let message = format!(
                "{key}={value} clashes with enable.idempotence=true: {why}; leave {key} out, or \
                 set enable.idempotence=false"
            );
            Err(wrong(message))
        };
        if self.is_given("acks") && self.acks != Acks::All {
            return clash(
                "acks",
                self.acks.to_string(),
                "only acks=all keeps what was acknowledged",
            );
        }
        if self.is_given("retries") && self.retries == 0 {
            return clash(
                "retries",
                "0".into(),
                "a batch that is never sent again may be missing",
            );
        }
        if self.max_in_flight > IDEMPOTENT_IN_FLIGHT_MAX {
            let value = self.max_in_flight.to_string();
            let why = "a broker remembers the last 5 batches of a partition";
            return clash("max.in.flight.requests.per.connection", value, why);
        }
        if !self.is_given("acks") {
            self.acks = Acks::All;
            self.imply("acks", "enable.idempotence=true");
        }
        if !self.is_given("retries") {
            self.retries = INT_MAX.unsigned_abs() as u32;
            self.imply("retries", "enable.idempotence=true");
        }
        Ok(())
    }

    fn check_client_id(&self) -> Result<(), Error> {
        if self.client_id.len() > CLIENT_ID_BYTES_MAX {
            return Err(wrong(format!(
                "client.id: {} bytes are too many, the protocol takes {CLIENT_ID_BYTES_MAX}",
                self.client_id.len()
            )));
        }
        Ok(())
    }

    fn number_client_id(&mut self) {
        static PRODUCERS: AtomicU64 = AtomicU64::new(1);
        if !self.is_given("client.id") {
            let number = PRODUCERS.fetch_add(1, Ordering::Relaxed);
            self.client_id = format!("producer-{number}");
        }
    }

    /// Notes that a value is what something else makes of it.
    pub(super) fn imply(&mut self, key: &str, because_of: &str) {
        self.origins
            .put(key, Origin::Implied(because_of.to_owned()));
    }
}

pub(super) fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}
