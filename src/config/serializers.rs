//! `key.serializer` and `value.serializer`: Java's classes, and what does their work here.

use super::Config;
use super::value::Setting;
use crate::error::Error;

const PACKAGE: &str = "org.apache.kafka.common.serialization.";

/// What Java ships, and the serializer here that writes the same; nothing is to be done where
/// records take such values as they are.
const STOCK: [(&str, Option<&str>); 13] = [
    ("BooleanSerializer", Some("BooleanSerializer")),
    ("ByteArraySerializer", None),
    ("ByteBufferSerializer", None),
    ("BytesSerializer", None),
    ("DoubleSerializer", Some("DoubleSerializer")),
    ("FloatSerializer", Some("FloatSerializer")),
    ("IntegerSerializer", Some("IntegerSerializer")),
    ("ListSerializer", Some("ListSerializer")),
    ("LongSerializer", Some("LongSerializer")),
    ("ShortSerializer", Some("ShortSerializer")),
    ("StringSerializer", None),
    ("UUIDSerializer", Some("UuidSerializer")),
    ("VoidSerializer", Some("VoidSerializer")),
];

pub(super) fn read_serializer(_: &mut Config, setting: &Setting<'_>) -> Result<(), Error> {
    let class = setting.value;
    let name = class.strip_prefix(PACKAGE).unwrap_or(class);
    let mut stock = STOCK.iter();
    match stock.find(|(java, _)| *java == name) {
        Some((_, None)) => Ok(()),
        Some((_, Some(ours))) => Err(setting.wrong(&format!(
            "is a class of Java: leave this setting out, and hand milena::{ours} to \
             Producer::typed, which writes the same"
        ))),
        None => Err(setting.wrong(
            "is a class of Java, which this producer cannot run: records take bytes and strings, \
             and Producer::typed takes serializers in Rust",
        )),
    }
}
