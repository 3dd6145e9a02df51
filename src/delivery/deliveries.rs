//! Many deliveries at once.

use super::{Delivery, RecordMetadata};
use crate::error::Error;

/// The deliveries of several records, in the order in which they were sent.
#[derive(Debug)]
#[must_use = "deliveries that nobody looks at hide their errors"]
pub struct Deliveries(Vec<Delivery>);

impl Deliveries {
    /// Waits for all; the results are in the order of the records, one entry a record.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// let records = ["1", "2"].map(|value| milena::Record::to("orders").value(value));
    /// let deliveries = producer.send_all(records);
    /// let lost = deliveries.wait_all().iter().filter(|result| result.is_err()).count();
    /// assert_eq!(lost, 0);
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn wait_all(self) -> Vec<Result<RecordMetadata, Error>> {
        self.0.iter().map(Delivery::wait).collect()
    }

    /// The number of records.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// let records = ["1", "2"].map(|value| milena::Record::to("orders").value(value));
    /// let deliveries = producer.send_all(records);
    /// assert_eq!(deliveries.len(), 2);
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// True if there was no record.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// assert!(producer.send_all([]).is_empty());
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<Delivery> for Deliveries {
    fn from_iter<I: IntoIterator<Item = Delivery>>(deliveries: I) -> Self {
        Self(deliveries.into_iter().collect())
    }
}

impl IntoIterator for Deliveries {
    type Item = Delivery;
    type IntoIter = std::vec::IntoIter<Delivery>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}
