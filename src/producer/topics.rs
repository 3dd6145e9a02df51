//! The topics that records are sent to: known, not known yet, denied, or grown.

use crate::accumulator::Wait;
use crate::accumulator::topic::{Denial, View};
use crate::error::{Error, ErrorKind};
use crate::producer::Producer;
use crate::record::Record;
use crate::sync::Arc;
use crate::time;

impl Producer {
    pub(super) fn topic_for(
        &self,
        record: &Record<'_>,
        wait: &mut Wait,
    ) -> Result<Arc<View>, Error> {
        if let Some(view) = self.0.core.accumulator.view(record.topic) {
            if view.traffic.mark_used() {
                self.0.core.wishes.refresh();
            }
            return match &view.denied {
                // The cluster thread has only just made it.
                None if view.partitions.is_empty() => self.topic(record.topic, wait),
                None => Ok(view),
                Some(denial) => self.denied_topic(record.topic, denial, wait),
            };
        }
        record.check()?;
        self.topic(record.topic, wait)
    }

    /// A topic that was denied may be allowed by now: what the cluster said counts for as long as
    /// it need not be asked again, then the next answer decides.
    fn denied_topic(
        &self,
        name: &str,
        denial: &Denial,
        wait: &mut Wait,
    ) -> Result<Arc<View>, Error> {
        let core = &self.0.core;
        let age = time::now().saturating_duration_since(denial.at);
        match wait.deadline() {
            Ok(deadline) if age >= core.config.retry_backoff => {
                core.wishes.wait_for(name, deadline)?;
            }
            _ => core.wishes.refresh(),
        }
        match core.accumulator.view(name) {
            Some(view) => match &view.denied {
                None => Ok(view),
                Some(denial) => Err(denial.error.clone()),
            },
            // It was forgotten meanwhile, and is as good as new.
            None => self.topic(name, wait),
        }
    }

    /// The topic, waiting for its first metadata where that is allowed.
    pub(super) fn topic(&self, name: &str, wait: &mut Wait) -> Result<Arc<View>, Error> {
        let core = &self.0.core;
        loop {
            if let Some(view) = core.accumulator.view(name) {
                view.traffic.mark_used();
                if !view.partitions.is_empty() {
                    return Ok(view);
                }
            }
            match wait.deadline() {
                Ok(deadline) => core.wishes.wait_for(name, deadline)?,
                Err(why) => {
                    core.wishes.want(name);
                    let message = format!(
                        "topic {name} is not known yet, and {why}; its metadata was asked for"
                    );
                    return Err(Error::new(ErrorKind::TopicNotReady, message));
                }
            }
        }
    }

    /// A topic that lacks the partition asked for may have grown: the newest metadata decides.
    pub(super) fn grown_topic(
        &self,
        name: &str,
        partition: i32,
        wait: &mut Wait,
    ) -> Result<Arc<View>, Error> {
        let core = &self.0.core;
        let asked = match wait.deadline() {
            Ok(deadline) => core.wishes.wait_for(name, deadline),
            Err(_) => {
                core.wishes.refresh();
                Ok(())
            }
        };
        let view = core.accumulator.view(name);
        if let Some(view) = &view
            && view.partition(partition).is_some()
        {
            return Ok(view.clone());
        }
        let count = view.map_or(0, |view| view.partitions.len());
        let message = format!(
            "partition {partition} of topic {name} does not exist: the topic has {} partitions, \
             0 to {}",
            count,
            count.saturating_sub(1),
        );
        let error = Error::new(ErrorKind::PartitionOutOfRange, message);
        match asked {
            Ok(()) => Err(error),
            Err(cause) if cause.kind() == ErrorKind::Closed => Err(cause),
            Err(cause) => Err(error.with_cause(cause)),
        }
    }
}
