//! Letting a partition go on behind a record that it lost.

use std::time::Duration;

use super::Producer;
use crate::delivery::Completion;
use crate::error::{Error, ErrorKind};
use crate::sync::Arc;
use crate::time::{Deadline, human};

/// What a result may take beyond `delivery.timeout.ms`.
const GRACE: Duration = Duration::from_secs(1);

impl Producer {
    /// Lets a partition go on that has stopped behind a lost record ([`Config::gapless`]). True if
    /// it had stopped.
    ///
    /// It first waits until what is still on its way there has its result, which is at most
    /// `delivery.timeout.ms`: so all that was sent before the call is known, and none of it comes
    /// behind what is sent after it. A callback may call it.
    ///
    /// [`Config::gapless`]: crate::Config::gapless
    ///
    /// # Errors
    /// The producer has sent nothing to that partition and knows of none:
    /// [`ErrorKind::PartitionOutOfRange`]. Or records are still on their way after
    /// `delivery.timeout.ms`: [`ErrorKind::TimedOut`], and the partition is as it was.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # cluster.create_topic("orders", 1);
    /// # cluster.set_max_message_bytes("orders", 1000);
    /// use milena::{Config, ErrorKind, Producer, Record};
    ///
    /// let config = Config::new(cluster.bootstrap()).idempotence(true).gapless(true);
    /// let producer = Producer::new(config)?;
    /// // The broker will not have it, and what follows is not to be in the log without it.
    /// let lost = producer.send(Record::to("orders").value(&[b'x'; 2000])).wait().unwrap_err();
    /// assert_eq!(lost.code(), Some(10)); // MESSAGE_TOO_LARGE
    /// let refused = producer.send(Record::to("orders").value("next")).wait().unwrap_err();
    /// assert_eq!(refused.kind(), ErrorKind::Stopped);
    ///
    /// assert!(producer.resume("orders", 0)?);
    /// producer.send(Record::to("orders").value("in two pieces, 1")).wait()?;
    /// producer.send(Record::to("orders").value("in two pieces, 2")).wait()?;
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn resume(&self, topic: &str, partition: i32) -> Result<bool, Error> {
        self.0.callbacks.process.check()?;
        let core = &self.0.core;
        let view = core.accumulator.topic(topic).map(|topic| topic.view());
        let found = view.as_ref().and_then(|view| {
            let index = usize::try_from(partition).ok()?;
            view.partitions.get(index)
        });
        let Some(found) = found else {
            let message =
                format!("resume: this producer knows no partition {partition} of {topic}");
            return Err(Error::new(ErrorKind::PartitionOutOfRange, message));
        };
        let deadline = Deadline::within(core.config.delivery_timeout.saturating_add(GRACE));
        let is_settled = |one: &Arc<Completion>| one.wait_end(deadline.at(), false);
        if !found.unsettled().iter().all(is_settled) {
            let limit = human(deadline.limit());
            let message =
                format!("resume: records of {found} are still on their way after {limit}");
            return Err(Error::new(ErrorKind::TimedOut, message));
        }
        Ok(found.resume())
    }
}
