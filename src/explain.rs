//! The settings explained, as a producer would take them.

use crate::config::{Config, Explanation};
use crate::conn::Connector;

impl Config {
    /// What these settings come to: each with its value, in Java's name and unit, and with where
    /// the value comes from; then what works against each other.
    ///
    /// It shows what `Producer::new` would work with, or why it would refuse, and makes no producer
    /// and no connection; a trust store is read. No password is shown. Settings that are not listed
    /// have no effect.
    ///
    /// ```
    /// use milena::Config;
    ///
    /// # fn main() -> Result<(), milena::Error> {
    /// let config = Config::from_properties("
    ///     bootstrap.servers=kafka-1:9092
    ///     acks=all
    ///     metrics.num.samples=3
    /// ")?;
    /// let text = config.explain().to_string();
    /// # let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    /// assert!(text.contains("acks all line 3"));
    /// assert!(text.contains("batch.size 65536 default; Java's is 16384"));
    /// assert!(text.contains("- metrics.num.samples has no effect: "));
    /// assert!(text.contains("- retries=0 with acks=all: "));
    /// # Ok(())
    /// # }
    /// ```
    pub fn explain(&self) -> Explanation {
        self.explained(|settled| Connector::new(settled).map(drop))
    }
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use crate::config::{Config, SecurityProtocol};
    use crate::producer::Producer;

    #[test]
    fn what_only_the_connections_know_is_part_of_it() {
        let config = Config::new("localhost:9093")
            .security_protocol(SecurityProtocol::Ssl)
            .ssl_truststore_file("/no/such/ca.pem");
        let explained = config.explain();
        let error = Producer::new(config).unwrap_err().to_string();
        assert!(error.contains("/no/such/ca.pem"), "{error}");
        assert_eq!(explained.error().unwrap().to_string(), error);
    }
}
