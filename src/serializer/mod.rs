//! From the application's types to bytes.

mod confluent;
mod list;
mod serialized;
mod stock;
mod written;

pub use confluent::ConfluentSerializer;
pub use list::{ListSerializer, NullableSerializer};
pub use serialized::Serialized;
pub use stock::{
    BooleanSerializer, BytesSerializer, DoubleSerializer, FloatSerializer, IntegerSerializer,
    LongSerializer, ShortSerializer, StringSerializer, UuidSerializer, VoidSerializer,
};
pub use written::SerializedBy;
pub(crate) use written::Written;

/// What a serializer may fail with: the application's own error.
pub type SerializeError = Box<dyn std::error::Error + Send + Sync>;

/// Turns values of type `T` into bytes: Java's `Serializer`.
///
/// It runs on the thread that sends. A type that serializes many others, such as one for everything
/// that serde knows, implements the trait for a generic `T`.
///
/// ```
/// use milena::{Headers, Serialize, SerializeError, Serialized};
///
/// struct Order { customer: String, apples: u32 }
///
/// struct OrderSerializer;
///
/// impl Serialize<Order> for OrderSerializer {
///     fn serialize<'v>(
///         &self,
///         _topic: &str,
///         headers: &mut Headers<'_>,
///         order: &'v Order,
///     ) -> Result<Option<Serialized<'v>>, SerializeError> {
///         headers.add("format", "text/1");
///         if order.apples == 0 {
///             return Ok(None);
///         }
///         let text = format!("{} wants {}", order.customer, order.apples);
///         Ok(Some(text.into()))
///     }
/// }
///
/// let order = Order { customer: "Eve".into(), apples: 1 };
/// let bytes = OrderSerializer.serialize("orders", &mut Headers::default(), &order).unwrap();
/// assert_eq!(bytes.as_deref(), Some(&b"Eve wants 1"[..]));
/// ```
pub trait Serialize<T: ?Sized> {
    /// The bytes of `value`, borrowed from it where they are in it already; `None` is null.
    ///
    /// `topic` is the one that the record goes to. `headers` are the record's, to look at and to
    /// add to.
    ///
    /// # Errors
    ///
    /// Whatever the application says. It fails this record alone, with
    /// [`ErrorKind::Application`], and its text becomes part of the record's error. So does a
    /// panic.
    ///
    /// [`ErrorKind::Application`]: crate::ErrorKind::Application
    fn serialize<'v>(
        &self,
        topic: &str,
        headers: &mut Headers<'_>,
        value: &'v T,
    ) -> Result<Option<Serialized<'v>>, SerializeError>;

    /// Whether a [`ListSerializer`] leaves out the sizes of entries. Java's deserializer knows the
    /// sizes of some stock types and of no others, so no other serializer may say so.
    #[doc(hidden)]
    fn has_constant_size(&self) -> bool {
        false
    }
}

/// The headers of a record that is being serialized.
#[derive(Debug, Default)]
pub struct Headers<'a> {
    own: &'a [(&'a str, Option<&'a [u8]>)],
    added: Vec<(String, Option<Vec<u8>>)>,
}

impl Headers<'_> {
    /// Adds a header after those that are there.
    pub fn add(&mut self, name: impl Into<String>, value: impl Into<Vec<u8>>) {
        self.added.push((name.into(), Some(value.into())));
    }

    /// The headers in order, those that a serializer added last; a value of `None` is null.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&[u8]>)> {
        let own = self.own.iter().copied();
        own.chain(self.added.iter().map(borrowed))
    }
}

fn borrowed((name, value): &(String, Option<Vec<u8>>)) -> (&str, Option<&[u8]>) {
    (name, value.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a serializer makes of a value, on its own.
    pub(super) fn bytes<T: ?Sized>(serializer: impl Serialize<T>, value: &T) -> Vec<u8> {
        let bytes = serializer.serialize("t", &mut Headers::default(), value);
        bytes.unwrap().expect("not null").to_vec()
    }
}
