//! A producer of the application's types.

use crate::delivery::Delivery;
use crate::producer::{Producer, TrySendError};
use crate::record::Record;
use crate::serializer::{SerializedBy, with_serialized};

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
    /// ```no_run
    /// use milena::{Config, LongSerializer, Producer, Record, StringSerializer};
    ///
    /// let producer = Producer::new(Config::new("localhost:9092"))?;
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
    /// it was set. If a serializer fails, so does the delivery, with
    /// [`ErrorKind::Application`](crate::ErrorKind::Application); nothing is sent.
    ///
    /// May wait for room in the buffer and for metadata, as [`Producer::send`] does.
    ///
    /// ```no_run
    /// # use milena::{Config, Producer, Record, StringSerializer};
    /// # let producer = Producer::new(Config::new("localhost:9092"))?;
    /// let typed = producer.typed(StringSerializer, StringSerializer);
    /// typed.send(Record::to("orders").header("via", "shop"), "customer-7", "3 apples").wait()?;
    /// typed.send(Record::to("orders"), (), "no key").wait()?;
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn send<'v>(
        &self,
        record: Record<'v>,
        key: impl SerializedBy<'v, K>,
        value: impl SerializedBy<'v, V>,
    ) -> Delivery {
        let (key, value) = ((&self.key, key), (&self.value, value));
        with_serialized(&record, key, value, |record| self.producer.send(record))
            .unwrap_or_else(|error| self.producer.failed_unseen(&record, error))
    }

    /// Sends like [`send`](Self::send), but never waits.
    ///
    /// # Errors
    ///
    /// Those of [`Producer::try_send`]; `record` comes back as it went in, and key and value were
    /// only borrowed. An error of a serializer comes through the delivery.
    pub fn try_send<'v>(
        &self,
        record: Record<'v>,
        key: impl SerializedBy<'v, K>,
        value: impl SerializedBy<'v, V>,
    ) -> Result<Delivery, TrySendError<'v>> {
        let (key, value) = ((&self.key, key), (&self.value, value));
        let sent = with_serialized(&record, key, value, |record| {
            let sent = self.producer.try_send(record);
            sent.map_err(|refused| refused.into_parts().1)
        });
        match sent {
            Ok(Ok(delivery)) => Ok(delivery),
            Ok(Err(error)) => Err(TrySendError::new(record, error)),
            Err(error) => Ok(self.producer.failed_unseen(&record, error)),
        }
    }

    /// The producer behind it.
    pub fn producer(&self) -> &Producer {
        &self.producer
    }
}
