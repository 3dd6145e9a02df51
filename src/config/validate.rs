//! Checks of settings against each other, and the values that follow from them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::compress::{Levels, ZSTD_LEVELS};
use crate::config::value::INT_MAX;
use crate::config::{Acks, Config, SaslConfig, TlsVersions, keys};
use crate::error::{Error, ErrorKind};
use crate::time::human;

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
        self.check_servers()?;
        self.settle_sizes()?;
        self.check_topics()?;
        self.settle_levels()?;
        self.settle_partitioning()?;
        self.check_times()?;
        self.settle_delivery_timeout()?;
        self.settle_backoffs();
        self.check_tls()?;
        self.check_sasl()?;
        self.settle_idempotence()?;
        self.settle_client_id()?;
        Ok(self)
    }

    fn check_servers(&mut self) -> Result<(), Error> {
        if let Some(error) = self.chosen.bootstrap_error.take() {
            return Err(error);
        }
        match self.chosen.bootstrap_protocol {
            Some(written) if written != self.security_protocol => self.warn(format!(
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
            self.warn(format!(
                "max.request.size counts as {BYTES_MAX}, the most that a request can have"
            ));
        }
        if self.batch_size > self.max_request_size {
            self.batch_size = self.max_request_size;
            self.warn(format!(
                "batch.size counts as {}, which is max.request.size",
                self.batch_size
            ));
        }
        if self.buffer_memory < self.max_request_size {
            self.warn(format!(
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
            self.warn(format!(
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
            self.warn(format!(
                "compression.lz4.level: {lz4} counts as 9, the only one that this producer has"
            ));
            self.levels.lz4 = Levels::default().lz4;
        }
        if !ZSTD_LEVELS.contains(&zstd) {
            let (least, most) = (*ZSTD_LEVELS.start(), *ZSTD_LEVELS.end());
            self.levels.zstd = zstd.clamp(least, most);
            self.warn(format!(
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
        if self.chosen.acks && self.acks != Acks::All {
            return clash(
                "acks",
                self.acks.to_string(),
                "only acks=all keeps what was acknowledged",
            );
        }
        if self.chosen.retries && self.retries == 0 {
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
        self.acks = Acks::All;
        if !self.chosen.retries {
            self.retries = INT_MAX.unsigned_abs() as u32;
        }
        Ok(())
    }

    fn check_times(&mut self) -> Result<(), Error> {
        if self.request_timeout < Duration::from_millis(1) {
            return Err(wrong("request.timeout.ms: no broker answers in no time"));
        }
        if self.request_timeout > Duration::from_millis(INT_MAX.unsigned_abs()) {
            return Err(wrong(format!(
                "request.timeout.ms: {} is too long, the protocol takes {INT_MAX} ms",
                human(self.request_timeout)
            )));
        }
        if self.metadata_max_age.is_zero() {
            return Err(wrong(
                "metadata.max.age.ms: 0 would ask for metadata without a pause",
            ));
        }
        if self.metadata_max_idle < keys::METADATA_IDLE_MIN {
            return Err(wrong(format!(
                "metadata.max.idle.ms: {} is too short, 5000 (5 s) is the least",
                human(self.metadata_max_idle)
            )));
        }
        if self.connections_max_idle == Some(Duration::ZERO) {
            return Err(wrong(
                "connections.max.idle.ms: 0 would close every connection at once; -1 is never",
            ));
        }
        let setup = self
            .connection_setup_timeout
            .min(self.connection_setup_timeout_max);
        if setup.is_zero() {
            return Err(wrong(
                "socket.connection.setup.timeout.ms: 0 leaves no time to connect",
            ));
        }
        Ok(())
    }

    /// Java's rule: too short a delivery.timeout.ms is an error if it was set, else it gives way.
    fn settle_delivery_timeout(&mut self) -> Result<(), Error> {
        let least = self.linger.saturating_add(self.request_timeout);
        if self.delivery_timeout >= least {
            return Ok(());
        }
        let parts = format!(
            "linger.ms ({}) + request.timeout.ms ({})",
            human(self.linger),
            human(self.request_timeout)
        );
        if self.chosen.delivery_timeout {
            return Err(wrong(format!(
                "delivery.timeout.ms: {} is less than {parts}: raise it to {} or lower those",
                human(self.delivery_timeout),
                human(least)
            )));
        }
        self.delivery_timeout = least;
        self.warn(format!("delivery.timeout.ms is raised to {parts}"));
        Ok(())
    }

    /// Java's rules: a reconnect back-off without its maximum is constant, and a maximum below its
    /// base is what counts.
    fn settle_backoffs(&mut self) {
        if self.chosen.reconnect_backoff && !self.chosen.reconnect_backoff_max {
            self.reconnect_backoff_max = self.reconnect_backoff;
        }
        for (base, max, keys) in [
            (
                &mut self.retry_backoff,
                self.retry_backoff_max,
                ["retry.backoff.ms", "retry.backoff.max.ms"],
            ),
            (
                &mut self.reconnect_backoff,
                self.reconnect_backoff_max,
                ["reconnect.backoff.ms", "reconnect.backoff.max.ms"],
            ),
            (
                &mut self.connection_setup_timeout,
                self.connection_setup_timeout_max,
                [
                    "socket.connection.setup.timeout.ms",
                    "socket.connection.setup.timeout.max.ms",
                ],
            ),
        ] {
            let warning = if *base > max {
                *base = max;
                format!(
                    "{} is above {}, which holds: it never grows",
                    keys[0], keys[1]
                )
            } else if base.is_zero() {
                format!(
                    "{} is 0: failed attempts are repeated without a pause",
                    keys[0]
                )
            } else {
                continue;
            };
            log::warn!("{warning}");
            self.warnings.push(warning);
        }
    }

    fn check_tls(&mut self) -> Result<(), Error> {
        if self.tls.versions.is_empty() {
            return Err(wrong(
                "ssl.enabled.protocols and ssl.protocol leave no version of TLS",
            ));
        }
        if self.security_protocol.has_tls() {
            return Ok(());
        }
        for (key, is_set) in [
            (
                "ssl.truststore.location (or .certificates)",
                self.tls.truststore.is_some(),
            ),
            (
                "ssl.enabled.protocols (or ssl.protocol)",
                self.tls.versions != TlsVersions::default(),
            ),
            (
                "ssl.endpoint.identification.algorithm",
                !self.tls.verify_host_name,
            ),
        ] {
            if is_set {
                let protocol = self.security_protocol;
                self.warn(format!(
                    "{key} has no effect: security.protocol is {protocol}, which has no TLS"
                ));
            }
        }
        Ok(())
    }

    fn check_sasl(&mut self) -> Result<(), Error> {
        let protocol = self.security_protocol;
        if !protocol.has_sasl() {
            if self.sasl.is_some() || self.chosen.sasl_mechanism {
                self.warn(format!(
                    "sasl.mechanism and sasl.jaas.config have no effect: security.protocol is \
                     {protocol}; SASL_SSL has SASL"
                ));
            }
            return Ok(());
        }
        if self.sasl.is_some() && !self.chosen.sasl_mechanism {
            return Err(wrong(
                "sasl.mechanism is missing (its default is GSSAPI, Kerberos): set it to PLAIN",
            ));
        }
        let Some(SaslConfig::Plain { username, password }) = &self.sasl else {
            return Err(wrong(format!(
                "security.protocol is {protocol}, but there are no credentials: set \
                 sasl.mechanism=PLAIN and \
                 sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule \
                 required username=\"...\" password=\"...\"; or use Config::sasl_plain"
            )));
        };
        if username.is_empty() {
            return Err(wrong("sasl.jaas.config: the user name is empty"));
        }
        if username.contains('\0') || password.expose().contains('\0') {
            return Err(wrong(
                "sasl.jaas.config: PLAIN cannot send a user name or password with a zero character",
            ));
        }
        Ok(())
    }

    fn settle_client_id(&mut self) -> Result<(), Error> {
        static PRODUCERS: AtomicU64 = AtomicU64::new(1);
        if !self.chosen.client_id {
            let number = PRODUCERS.fetch_add(1, Ordering::Relaxed);
            self.client_id = format!("producer-{number}");
        }
        if self.client_id.len() > CLIENT_ID_BYTES_MAX {
            return Err(wrong(format!(
                "client.id: {} bytes are too many, the protocol takes {CLIENT_ID_BYTES_MAX}",
                self.client_id.len()
            )));
        }
        Ok(())
    }
}

fn wrong(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Config, message)
}
