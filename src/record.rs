//! What is sent: topic, key, value, headers, and where and when.

/// A record on its way to a topic. It borrows: the bytes are copied once, into the batch that carries them.
///
/// A key or value that was not set is null, which is not the same as empty: consumers see the difference, and a
/// compacted topic takes a null value as a deletion.
///
/// ```
/// let record = milena::Record::to("orders").key("customer-7").value("3 apples").header("trace", "af09");
/// assert_eq!(record.topic(), "orders");
/// ```
#[derive(Clone, Debug)]
pub struct Record<'a> {
    pub(crate) topic: &'a str,
    pub(crate) partition: Option<i32>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) value: Option<&'a [u8]>,
    pub(crate) headers: Vec<(&'a str, Option<&'a [u8]>)>,
    pub(crate) timestamp_ms: Option<i64>,
}
