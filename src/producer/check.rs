//! The producer's side of a check: what it lends to it.

use std::time::Duration;

use crate::check::{Check, CheckReport, refused_report};
use crate::producer::Producer;
use crate::time::{self, Deadline};

impl Producer {
    /// Looks at everything between these settings and records that are safe in `topics`, and says
    /// what is wrong, at which broker, and what to do: DNS, TCP, TLS, SASL, the versions of the
    /// brokers, their metadata, the addresses that they advertise; then of each topic its leaders,
    /// the permission to write, `max.message.bytes`, and what `acks` is worth with its replicas.
    ///
    /// Each bootstrap server is gone to on its own, then each broker of the cluster. It works with
    /// all brokers down, which is what it is for. No record is written and no topic created;
    /// connections are its own, and closed at its end. It takes no longer than `limit`; what there
    /// was no time for is told. Closing the producer ends it.
    ///
    /// What the client is not permitted to see, and what old brokers do not tell, is skipped, not
    /// failed: settings of topics and brokers need the permission DescribeConfigs, and Kafka 1.1;
    /// permissions need Kafka 2.3.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # let cluster = milena::mock::MockCluster::start(3);
    /// cluster.create_topic("orders", 6);
    /// let config = milena::Config::new(cluster.bootstrap()).idempotence(true);
    /// let producer = milena::Producer::new(config)?;
    /// let report = producer.check(&["orders"], Duration::from_secs(30));
    /// println!("{report}");
    /// assert!(report.is_ok());
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn check(&self, topics: &[&str], limit: Duration) -> CheckReport {
        if let Err(error) = self.check_open(time::wall_clock_ms()) {
            return refused_report(error);
        }
        let check = Check {
            config: &self.0.core.config,
            connector: &self.0.core.connector,
            interrupt: self.0.shutdown.interrupt(),
            deadline: Deadline::within(limit),
        };
        check.run(topics)
    }
}
