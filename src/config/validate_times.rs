//! Checks of times against each other, and the values that follow from them.

use std::time::Duration;

use crate::config::validate::wrong;
use crate::config::value::INT_MAX;
use crate::config::{Config, keys};
use crate::error::Error;
use crate::time::human;

impl Config {
    pub(super) fn check_times(&mut self) -> Result<(), Error> {
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
    pub(super) fn settle_delivery_timeout(&mut self) -> Result<(), Error> {
        let least = self.linger.saturating_add(self.request_timeout);
        if self.delivery_timeout >= least {
            return Ok(());
        }
        let parts = format!(
            "linger.ms ({}) + request.timeout.ms ({})",
            human(self.linger),
            human(self.request_timeout)
        );
        if self.is_given("delivery.timeout.ms") {
            return Err(wrong(format!(
                "delivery.timeout.ms: {} is less than {parts}: raise it to {} or lower those",
                human(self.delivery_timeout),
                human(least)
            )));
        }
        self.delivery_timeout = least;
        self.imply("delivery.timeout.ms", "linger.ms and request.timeout.ms");
        self.note(format!("delivery.timeout.ms is raised to {parts}"));
        Ok(())
    }

    /// Java's rules: a reconnect back-off without its maximum is constant, and a maximum below its
    /// base is what counts.
    pub(super) fn settle_backoffs(&mut self) {
        if self.is_given("reconnect.backoff.ms") && !self.is_given("reconnect.backoff.max.ms") {
            self.reconnect_backoff_max = self.reconnect_backoff;
            self.imply(
                "reconnect.backoff.max.ms",
                "reconnect.backoff.ms, set alone",
            );
        }
        self.retry_backoff = self.settle_pause(
            (self.retry_backoff, self.retry_backoff_max),
            ["retry.backoff.ms", "retry.backoff.max.ms"],
        );
        self.reconnect_backoff = self.settle_pause(
            (self.reconnect_backoff, self.reconnect_backoff_max),
            ["reconnect.backoff.ms", "reconnect.backoff.max.ms"],
        );
        self.connection_setup_timeout = self.settle_pause(
            (
                self.connection_setup_timeout,
                self.connection_setup_timeout_max,
            ),
            [
                "socket.connection.setup.timeout.ms",
                "socket.connection.setup.timeout.max.ms",
            ],
        );
    }

    fn settle_pause(&mut self, (base, max): (Duration, Duration), keys: [&str; 2]) -> Duration {
        let [key, max_key] = keys;
        if base > max {
            self.note(format!(
                "{key} is above {max_key}, which holds: it never grows"
            ));
            self.imply(key, max_key);
        } else if base.is_zero() {
            self.note(format!(
                "{key} is 0: failed attempts are repeated without a pause"
            ));
        }
        base.min(max)
    }
}
