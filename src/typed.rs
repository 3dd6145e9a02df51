//! A producer of the application's types.

use crate::delivery::{Delivery, RecordMetadata};
use crate::error::Error;
use crate::producer::{Producer, TrySendError};
use crate::record::Record;
use crate::serializer::{SerializedBy, Written};

/// A [`Producer`] with a serializer for keys and one for values, made by [`Producer::typed`].
///
/// It is a view: it shares buffer, connections and state with the producer, and any number of
/// them, with different serializers, may stand in front of one. To flush or close, use the
/// producer.
#[derive(Clone, Debug)]
pub struct TypedProducer<K, V> {
    producer: Producer,
    key: K,
    value: V,
}

impl Producer {
    /// This producer with a serializer for keys and one for values: Java's `key.serializer` and
    /// `value.serializer`.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// use milena::{LongSerializer, Record, StringSerializer};
    ///
    /// let orders = producer.typed(LongSerializer, StringSerializer);
    /// orders.send(Record::to("orders"), &7, "3 apples").wait()?;
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn typed<K, V>(&self, key: K, value: V) -> TypedProducer<K, V> {
        TypedProducer {
            producer: self.clone(),
            key,
            value,
        }
    }
}

impl<K, V> TypedProducer<K, V> {
    /// Sends `record` with `key` and `value` as the serializers write them.
    ///
    /// `record` says topic, headers, partition and timestamp. Key and value are `&T` or
    /// `Option<&T>` (`None` is null), or `()` to keep what the record holds, which is null unless
    /// it was set. If a serializer fails or panics, so does the delivery, with
    /// [`ErrorKind::Application`](crate::ErrorKind::Application); nothing is sent.
    ///
    /// May wait for room in the buffer and for metadata, as [`Producer::send`] does.
    ///
    /// ```
    /// # use milena::{Config, Producer, Record, StringSerializer};
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// let typed = producer.typed(StringSerializer, StringSerializer);
    /// typed.send(Record::to("orders").header("via", "shop"), "customer-7", "3 apples").wait()?;
    /// typed.send(Record::to("orders"), (), "no key").wait()?;
    /// # Ok::<(), milena::Error>(())
    /// ```
    ///
    /// Many at once are collected, as [`Producer::send_all`] would:
    ///
    /// ```
    /// # use milena::{Config, Producer, Record, StringSerializer};
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// # let typed = producer.typed(StringSerializer, StringSerializer);
    /// let orders = ["1 apple", "2 pears"].iter();
    /// let sent: milena::Deliveries = orders
    ///     .map(|order| typed.send(Record::to("orders"), (), *order))
    ///     .collect();
    /// assert!(sent.wait_all().iter().all(Result::is_ok));
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn send<'v>(
        &self,
        record: Record<'v>,
        key: impl SerializedBy<'v, K>,
        value: impl SerializedBy<'v, V>,
    ) -> Delivery {
        match self.write(&record, key, value) {
            Ok(written) => self.producer.send(written.complete(record)),
            Err(error) => self.producer.failed_unseen(&record, error),
        }
    }

    /// Sends like [`send`](Self::send), with a callback on the producer's callback thread instead
    /// of a delivery, as [`Producer::send_with`] does. An error of a serializer comes through it
    /// too.
    ///
    /// ```
    /// # use milena::{Config, LongSerializer, Producer, Record, StringSerializer};
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// let typed = producer.typed(LongSerializer, StringSerializer);
    /// typed.send_with(Record::to("orders"), &7, "3 apples", |result| match result {
    ///     Ok(metadata) => println!("in partition {}", metadata.partition()),
    ///     Err(error) => println!("{error}"),
    /// });
    /// producer.flush()?; // waits for the callback too
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn send_with<'v, F>(
        &self,
        record: Record<'v>,
        key: impl SerializedBy<'v, K>,
        value: impl SerializedBy<'v, V>,
        callback: F,
    ) where
        F: FnOnce(Result<RecordMetadata, Error>) + Send + 'static,
    {
        match self.write(&record, key, value) {
            Ok(written) => self.producer.send_with(written.complete(record), callback),
            Err(error) => {
                let failed = self.producer.failed_unseen(&record, error);
                failed.on_done(callback);
            }
        }
    }

    /// Sends like [`send`](Self::send), but never waits.
    ///
    /// # Errors
    ///
    /// Those of [`Producer::try_send`]; `record` comes back as it went in, and key and value were
    /// only borrowed. An error of a serializer comes through the delivery.
    ///
    /// ```
    /// # use milena::{Config, LongSerializer, Producer, Record, StringSerializer};
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// let typed = producer.typed(LongSerializer, StringSerializer);
    /// // Nobody has asked the cluster about this topic before.
    /// let refused = typed.try_send(Record::to("orders"), &7, "3 apples").unwrap_err();
    /// assert_eq!(refused.error().kind(), milena::ErrorKind::TopicNotReady);
    /// typed.send(refused.into_record(), &7, "3 apples").wait()?;
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn try_send<'v>(
        &self,
        record: Record<'v>,
        key: impl SerializedBy<'v, K>,
        value: impl SerializedBy<'v, V>,
    ) -> Result<Delivery, TrySendError<'v>> {
        let written = match self.write(&record, key, value) {
            Ok(written) => written,
            Err(error) => return Ok(self.producer.failed_unseen(&record, error)),
        };
        let sent = self.producer.try_send(written.complete(record.clone()));
        // What was sent borrows what was written; what comes back is what came in.
        sent.map_err(|refused| refused.into_parts().1)
            .map_err(|error| TrySendError::new(record, error))
    }

    /// The producer behind it, to flush, close, and ask for partitions and metrics.
    ///
    /// ```
    /// # use milena::{Config, Producer, Record, StringSerializer};
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// let typed = producer.typed(StringSerializer, StringSerializer);
    /// drop(typed.send(Record::to("orders"), "customer-7", "3 apples"));
    /// typed.producer().flush()?;
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn producer(&self) -> &Producer {
        &self.producer
    }

    fn write<'v>(
        &self,
        record: &Record<'v>,
        key: impl SerializedBy<'v, K>,
        value: impl SerializedBy<'v, V>,
    ) -> Result<Written<'v>, Error> {
        Written::new(record, (&self.key, key), (&self.value, value))
    }
}
