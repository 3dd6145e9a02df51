//! The bytes of the stock serializers, compared with those of Java's.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use milena::{
    BooleanSerializer, BytesSerializer, Config, DoubleSerializer, FloatSerializer, Headers,
    IntegerSerializer, ListSerializer, LongSerializer, NullableSerializer, Serialize,
    ShortSerializer, StringSerializer, UuidSerializer, VoidSerializer,
};

use crate::kafka::readers::run_java;

#[test]
#[ignore = "needs Java: run tests/run"]
fn the_bytes_of_the_serializers_are_javas() {
    let mut table = Table::default();
    numbers(&mut table);
    texts(&mut table);
    lists(&mut table);
    let file = format!("serializers-{}.txt", std::process::id());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
    fs::write(&file, table.questions()).expect("write the values");
    let answer = run_java("Serializers.java", &[&file.display().to_string()]);
    let _ = fs::remove_file(&file);
    let answer = answer.expect("Java's bytes");
    let (names, javas) = answer.split_once("\n\n").expect("names, then bytes");
    let javas: Vec<&str> = javas.lines().collect();
    assert_eq!(javas.len(), table.rows.len());
    for (row, java) in table.rows.iter().zip(javas) {
        assert_eq!(
            row.ours, java,
            "{} of {}: ours, then Java's",
            row.kind, row.value
        );
    }
    // Every serializer of the jar was compared, and has an answer where a configuration names it.
    let names: BTreeSet<&str> = names.lines().collect();
    let mut compared: BTreeSet<String> = BTreeSet::new();
    for row in &table.rows {
        compared.extend(row.kind.split(' ').map(|kind| format!("{kind}Serializer")));
    }
    assert_eq!(names, compared.iter().map(String::as_str).collect());
    for name in names {
        let class = format!("org.apache.kafka.common.serialization.{name}");
        if let Err(error) = Config::new("localhost:9092").set("key.serializer", &class) {
            assert!(error.to_string().contains("hand milena::"), "{error}");
        }
    }
}

fn numbers(table: &mut Table) {
    table.add("Boolean", BooleanSerializer, &[false, true]);
    table.add(
        "Short",
        ShortSerializer,
        &[0, 1, -1, 0x1234, i16::MIN, i16::MAX],
    );
    let integers = [0, 1, -1, 0x1234_5678, i32::MIN, i32::MAX];
    table.add("Integer", IntegerSerializer, &integers);
    let longs = [0, 1, -1, 0x1234_5678_9abc_def0, i64::MIN, i64::MAX];
    table.add("Long", LongSerializer, &longs);
    let floats = [
        0.0,
        -0.0,
        1.5,
        f32::MIN,
        f32::MAX,
        f32::MIN_POSITIVE,
        f32::EPSILON,
    ];
    table.add("Float", FloatSerializer, &floats);
    // Infinities, the smallest number, quiet NaNs with a sign and with a load.
    let floats = [
        0x7f80_0000,
        0xff80_0000,
        1,
        0x7fc0_0000,
        0xffc0_0000,
        0x7fc1_2345,
    ];
    table.add("Float", FloatSerializer, &floats.map(f32::from_bits));
    let doubles = [
        0.0,
        -0.0,
        1.5,
        f64::MIN,
        f64::MAX,
        f64::MIN_POSITIVE,
        f64::EPSILON,
    ];
    table.add("Double", DoubleSerializer, &doubles);
    let doubles = [
        0x7ff0 << 48,
        0xfff0 << 48,
        1,
        0x7ff8 << 48,
        0xfff8 << 48,
        0x7ff8_1234_5678_9abc,
    ];
    table.add("Double", DoubleSerializer, &doubles.map(f64::from_bits));
    let uuids = [0, u128::MAX, 1, 0x67e5_5044_10b1_426f_9247_bb68_0e5f_e0c8];
    table.add("UUID", UuidSerializer, &uuids.map(u128::to_be_bytes));
    table.add("Void", NullableSerializer(VoidSerializer), &[None]);
}

fn texts(table: &mut Table) {
    let all: Vec<u8> = (0..=255).collect();
    for kind in ["ByteArray", "ByteBuffer", "Bytes"] {
        let values = [Vec::new(), vec![0], all.clone(), vec![0xff; 70_000]];
        table.add(kind, BytesSerializer, &values);
    }
    // One of each length in UTF-8, the ends of the ranges, and pairs of surrogates.
    let texts = [
        "",
        "a",
        "\0",
        "\u{7f}\u{80}\u{7ff}\u{800}",
        "\u{d7ff}\u{e000}\u{feff}\u{ffff}",
        "\u{10000}\u{10ffff}\u{1f34e}",
        "na\u{ef}ve \u{20ac}\r\n",
        "e\u{301}",
    ];
    table.add("String", StringSerializer, &texts.map(str::to_owned));
    let long = "\u{1f34e}x".repeat(20_000);
    table.add("String", StringSerializer, &[long]);
}

fn lists(table: &mut Table) {
    let shorts = [vec![], vec![7], vec![i16::MIN, 0, i16::MAX]];
    table.add("List Short", ListSerializer(ShortSerializer), &shorts);
    let integers = [vec![], vec![1, -1], (0..300).collect()];
    table.add("List Integer", ListSerializer(IntegerSerializer), &integers);
    let nullable = ListSerializer(NullableSerializer(LongSerializer));
    let longs = [
        vec![None],
        vec![Some(1), None, Some(-1), None],
        vec![None; 300],
    ];
    table.add("List Long", nullable, &longs);
    let floats = [vec![-0.0, f32::NAN]];
    table.add("List Float", ListSerializer(FloatSerializer), &floats);
    let nullable = ListSerializer(NullableSerializer(DoubleSerializer));
    table.add(
        "List Double",
        nullable,
        &[vec![None, Some(-0.0), Some(f64::NAN)]],
    );
    let nullable = ListSerializer(NullableSerializer(UuidSerializer));
    table.add("List UUID", nullable, &[vec![], vec![Some([7; 16]), None]]);
    let nullable = ListSerializer(NullableSerializer(BooleanSerializer));
    table.add(
        "List Boolean",
        nullable,
        &[vec![], vec![Some(true), None, Some(false)]],
    );
    let nullable = ListSerializer(NullableSerializer(StringSerializer));
    let texts = [
        vec![],
        vec![Some(String::new())],
        vec![None, Some("\u{1f34e}".into()), None, Some("a".into())],
    ];
    table.add("List String", nullable, &texts);
    let bytes = [vec![Vec::new(), vec![0xff; 300]]];
    table.add("List ByteArray", ListSerializer(BytesSerializer), &bytes);
    table.add("List Bytes", ListSerializer(BytesSerializer), &bytes);
    table.add("List ByteBuffer", ListSerializer(BytesSerializer), &bytes);
    let nullable = ListSerializer(NullableSerializer(VoidSerializer));
    table.add("List Void", nullable, &[vec![None, None]]);
    let shorts = ListSerializer(NullableSerializer(ShortSerializer));
    let nested = ListSerializer(NullableSerializer(shorts));
    let values = [vec![], vec![Some(vec![]), None, Some(vec![Some(1), None])]];
    table.add("List List Short", nested, &values);
}

/// The values that both sides serialize.
#[derive(Default)]
struct Table {
    rows: Vec<Row>,
}

struct Row {
    kind: &'static str,
    value: String,
    ours: String,
}

impl Table {
    fn add<T: Written>(&mut self, kind: &'static str, serializer: impl Serialize<T>, values: &[T]) {
        for value in values {
            let ours = serializer.serialize("t", &mut Headers::default(), value);
            let ours = ours.expect("a stock serializer");
            self.rows.push(Row {
                kind,
                value: value.written(),
                ours: ours.map_or("null".into(), |bytes| hex(&bytes)),
            });
        }
    }

    fn questions(&self) -> String {
        let line = |row: &Row| format!("{}\t{}\n", row.kind, row.value);
        self.rows.iter().map(line).collect()
    }
}

/// A value as Serializers.java reads it.
trait Written {
    fn written(&self) -> String;
}

macro_rules! written_as_hex {
    ($($type:ty: $value:ident => $bytes:expr;)*) => {$(
        impl Written for $type {
            fn written(&self) -> String {
                let $value = self;
                hex(&$bytes)
            }
        }
    )*};
}

written_as_hex! {
    bool: it => [u8::from(*it)];
    i16: it => it.to_be_bytes();
    i32: it => it.to_be_bytes();
    i64: it => it.to_be_bytes();
    f32: it => it.to_bits().to_be_bytes();
    f64: it => it.to_bits().to_be_bytes();
    [u8; 16]: it => it[..];
    Vec<u8>: it => it[..];
    String: it => it.encode_utf16().flat_map(u16::to_be_bytes).collect::<Vec<u8>>();
    (): _it => [];
}

impl<T: Written> Written for Option<T> {
    fn written(&self) -> String {
        self.as_ref().map_or("null".into(), T::written)
    }
}

/// Not for every `T`, since bytes are no list.
macro_rules! written_as_list {
    ($($entry:ty)*) => {$(
        impl Written for Vec<$entry> {
            fn written(&self) -> String {
                let entry = |entry: &$entry| entry.written() + ",";
                format!("[{}]", self.iter().map(entry).collect::<String>())
            }
        }
    )*};
}

written_as_list! {
    i16 i32 f32 Vec<u8> Option<i16> Option<i64> Option<f64> Option<bool> Option<()>
    Option<[u8; 16]> Option<String> Option<Vec<Option<i16>>>
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
