//! Values of settings that are not about security.

use super::*;

#[test]
fn numbers_and_times_are_read_in_javas_units() {
    let ms = Duration::from_millis;
    assert_eq!(with("linger.ms", " 5 ").linger, ms(5));
    assert_eq!(with(" linger.ms ", "+5").linger, ms(5));
    assert_eq!(
        with("max.block.ms", "9223372036854775807").max_block,
        ms(i64::MAX as u64)
    );
    assert_eq!(
        with("request.timeout.ms", "2147483647").request_timeout,
        ms(2_147_483_647)
    );
    assert_eq!(
        with("delivery.timeout.ms", "31000").delivery_timeout,
        ms(31_000)
    );
    assert_eq!(with("retries", "2147483647").retries, 2_147_483_647);
    assert_eq!(with("batch.size", "0").batch_size, 0);
    assert_eq!(with("buffer.memory", "1").buffer_memory, 1);
    assert_eq!(with("max.request.size", "2").max_request_size, 2);
    assert_eq!(
        with("max.in.flight.requests.per.connection", "1").max_in_flight,
        1
    );
    assert_eq!(with("retry.backoff.ms", "3").retry_backoff, ms(3));
    assert_eq!(with("retry.backoff.max.ms", "4").retry_backoff_max, ms(4));
    assert_eq!(with("reconnect.backoff.ms", "5").reconnect_backoff, ms(5));
    assert_eq!(
        with("reconnect.backoff.max.ms", "6").reconnect_backoff_max,
        ms(6)
    );
    assert_eq!(with("metadata.max.age.ms", "7").metadata_max_age, ms(7));
    assert_eq!(
        with("metadata.max.idle.ms", "5000").metadata_max_idle,
        ms(5000)
    );
    assert_eq!(
        with("connections.max.idle.ms", "8").connections_max_idle,
        Some(ms(8))
    );
    assert_eq!(
        with("connections.max.idle.ms", "-1").connections_max_idle,
        None
    );
    assert_eq!(
        with("socket.connection.setup.timeout.ms", "9").connection_setup_timeout,
        ms(9)
    );
    assert_eq!(
        with("socket.connection.setup.timeout.max.ms", "10").connection_setup_timeout_max,
        ms(10)
    );
    assert_eq!(with("send.buffer.bytes", "11").send_buffer_bytes, Some(11));
    assert_eq!(with("send.buffer.bytes", "-1").send_buffer_bytes, None);
    assert_eq!(
        with("receive.buffer.bytes", "12").receive_buffer_bytes,
        Some(12)
    );
    assert_eq!(with("client.id", "a b").client_id, "a b");
    assert!(!with("allow.auto.create.topics", "False").allow_auto_create_topics);
}

#[test]
fn acks_has_javas_four_spellings() {
    for (text, expected) in [
        ("0", Acks::None),
        ("1", Acks::Leader),
        ("all", Acks::All),
        ("ALL", Acks::All),
        ("-1", Acks::All),
    ] {
        assert_eq!(with("acks", text).acks, expected);
    }
    assert_eq!(
        refusal("acks", "2"),
        r#"acks: "2" is not one of 0, 1, all, -1"#
    );
    let shown = [Acks::None, Acks::Leader, Acks::All].map(|acks| acks.to_string());
    assert_eq!(shown, ["0", "1", "all"]);
}

#[test]
fn wrong_numbers_are_told_with_what_would_be_right() {
    for (key, value, expected) in [
        (
            "linger.ms",
            "-1",
            r#"linger.ms: "-1" is out of range: 0 to 9223372036854775807"#,
        ),
        ("linger.ms", "", r#"linger.ms: "" is not a whole number"#),
        (
            "linger.ms",
            "1.5",
            r#"linger.ms: "1.5" is not a whole number"#,
        ),
        (
            "linger.ms",
            "5 parsecs",
            r#"linger.ms: "5 parsecs" is not a whole number"#,
        ),
        (
            "linger.ms",
            "5s",
            r#"linger.ms: "5s" is not a whole number: write 5000, without a unit"#,
        ),
        (
            "delivery.timeout.ms",
            "2 MIN",
            r#"delivery.timeout.ms: "2 MIN" is not a whole number: write 120000, without a unit"#,
        ),
        (
            "batch.size",
            "64k",
            r#"batch.size: "64k" is not a whole number: write 65536, without a unit"#,
        ),
        (
            "buffer.memory",
            "32 MiB",
            r#"buffer.memory: "32 MiB" is not a whole number: write 33554432, without a unit"#,
        ),
        (
            "buffer.memory",
            "9999999999999999g",
            r#"buffer.memory: "9999999999999999g" is not a whole number"#,
        ),
        ("retries", "5s", r#"retries: "5s" is not a whole number"#),
        (
            "retries",
            "2147483648",
            r#"retries: "2147483648" is out of range: 0 to 2147483647"#,
        ),
        (
            "retries",
            "99999999999999999999999",
            r#"retries: "99999999999999999999999" is out of range: 0 to 2147483647"#,
        ),
        (
            "request.timeout.ms",
            "2147483648",
            r#"request.timeout.ms: "2147483648" is out of range: 0 to 2147483647"#,
        ),
        (
            "max.in.flight.requests.per.connection",
            "0",
            r#"max.in.flight.requests.per.connection: "0" is out of range: 1 to 2147483647"#,
        ),
        (
            "metadata.max.idle.ms",
            "4999",
            r#"metadata.max.idle.ms: "4999" is out of range: 5000 to 9223372036854775807"#,
        ),
        (
            "send.buffer.bytes",
            "-2",
            r#"send.buffer.bytes: "-2" is out of range: -1 to 2147483647"#,
        ),
        (
            "receive.buffer.bytes",
            "0",
            r#"receive.buffer.bytes: "0" is no size for a buffer: -1 is the system's choice"#,
        ),
        (
            "allow.auto.create.topics",
            "yes",
            r#"allow.auto.create.topics: "yes" is neither true nor false"#,
        ),
        (
            "enable.idempotence",
            "on",
            r#"enable.idempotence: "on" is neither true nor false"#,
        ),
    ] {
        assert_eq!(refusal(key, value), expected);
    }
}

#[test]
fn every_number_takes_its_edges_without_a_panic() {
    for (key, treatment) in super::super::keys::KEYS {
        if !matches!(treatment, super::super::keys::Treatment::Read(_)) {
            continue;
        }
        for value in [
            "0",
            "1",
            "-1",
            "2147483647",
            "9223372036854775807",
            "",
            "\u{0}",
            "é",
        ] {
            if let Ok(config) = config().set(key, value) {
                let _ = config.validate();
            }
        }
    }
}

#[test]
fn a_long_value_is_cut_where_it_is_shown() {
    let error = refusal("acks", &"é".repeat(5000));
    assert!(error.len() < 300 && error.contains("..."), "{error}");
}

#[test]
fn serializers_of_bytes_and_strings_pass_and_others_name_the_typed_producer() {
    let package = "org.apache.kafka.common.serialization";
    for class in ["ByteArray", "ByteBuffer", "Bytes", "String"] {
        let class = format!("{package}.{class}Serializer");
        assert!(with("key.serializer", &class).warnings().is_empty());
        assert!(with("value.serializer", &class).warnings().is_empty());
    }
    for (class, ours) in [
        ("Boolean", std::any::type_name::<crate::BooleanSerializer>()),
        ("Double", std::any::type_name::<crate::DoubleSerializer>()),
        ("Float", std::any::type_name::<crate::FloatSerializer>()),
        ("Integer", std::any::type_name::<crate::IntegerSerializer>()),
        ("List", "ListSerializer"),
        ("Long", std::any::type_name::<crate::LongSerializer>()),
        ("Short", std::any::type_name::<crate::ShortSerializer>()),
        ("UUID", std::any::type_name::<crate::UuidSerializer>()),
        ("Void", std::any::type_name::<crate::VoidSerializer>()),
    ] {
        let error = refusal("key.serializer", &format!("{package}.{class}Serializer"));
        let ours = ours.rsplit("::").next().unwrap();
        let advice = format!("hand milena::{ours} to Producer::typed");
        assert!(error.contains(&advice), "{error}");
    }
    for class in ["io.confluent.KafkaAvroSerializer", "acme.StringSerializer"] {
        let error = refusal("value.serializer", class);
        assert!(error.contains(class) && error.contains("Producer::typed takes"));
    }
}

#[test]
fn text_is_utf_8_and_another_encoding_is_refused() {
    for key in [
        "serializer.encoding",
        "key.serializer.encoding",
        "value.serializer.encoding",
    ] {
        assert!(with(key, "utf-8").warnings().is_empty());
        assert!(with(key, "UTF8").warnings().is_empty());
        let error = refusal(key, "ISO-8859-1");
        let said = format!("{key}: text is written in UTF-8: leave it out");
        assert!(error.starts_with(&said), "{error}");
    }
}

#[test]
fn settings_of_one_topic_hold_there_instead_of_the_producers() {
    let text = "bootstrap.servers=a:1
        compression.type=lz4
        topic.a.b.compression.type=NONE
        topic.log.full.buffer.policy=drop-oldest";
    let rules = Config::from_properties(text).unwrap().topic_rules();
    let of = |topic| (rules.of(topic).compression, rules.of(topic).full_buffer);
    assert_eq!(of("x"), (Compression::Lz4, FullBuffer::Block));
    assert_eq!(of("a.b"), (Compression::None, FullBuffer::Block));
    assert_eq!(of("log"), (Compression::Lz4, FullBuffer::DropOldest));
}

#[test]
fn a_codec_a_level_and_a_policy_that_do_not_exist_are_refused() {
    for (key, value, said) in [
        (
            "compression.type",
            "brotli",
            "not one of none, gzip, snappy",
        ),
        ("topic.t.compression.type", "lz5", "not one of none, gzip"),
        (
            "full.buffer.policy",
            "wait",
            "not one of block, fail, drop-",
        ),
        ("topic.t.linger.ms", "5", "unknown setting"),
        ("topic.a b.compression.type", "lz4", "contains ' '"),
        ("compression.gzip.level", "0", "is no level: 1 to 9, or -1"),
        ("compression.gzip.level", "10", "is out of range: -1 to 9"),
        (
            "compression.zstd.level",
            "23",
            "out of range: -131072 to 22",
        ),
        ("compression.lz4.level", "18", "is out of range: 1 to 17"),
    ] {
        let refused = refusal(key, value);
        assert!(refused.contains(said), "{refused}");
    }
    let error = config().gzip_level(0).validate().unwrap_err();
    assert!(error.to_string().starts_with("compression.gzip.level: 0"));
}

#[test]
fn a_level_that_no_codec_here_has_counts_as_the_nearest() {
    let config = with("compression.zstd.level", "19").lz4_level(12);
    let config = config.validate().unwrap();
    assert_eq!((config.levels.zstd, config.levels.lz4), (4, 9));
    let [lz4, zstd] = config.warnings() else {
        panic!("{:?}", config.warnings())
    };
    assert!(lz4.starts_with("compression.lz4.level: 12 counts as 9"));
    assert!(zstd.starts_with("compression.zstd.level: 19 counts as 4"));
}

#[cfg(not(feature = "zstd"))]
#[test]
fn a_codec_that_is_not_built_in_is_an_error_that_names_the_feature() {
    let error = with("topic.t.compression.type", "zstd").validate();
    let text = error.unwrap_err().to_string();
    assert!(text.starts_with("topic.t.compression.type: zstd is not built in"));
    assert!(text.contains("its feature zstd"), "{text}");
}
