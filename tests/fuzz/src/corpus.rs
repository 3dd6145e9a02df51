//! What the inputs begin with: messages that Kafka itself wrote, and what is made of them.

use milena::fuzzing::frame;

/// `name version bytes` in each line, bytes in hexadecimal digits.
const WIRE: &str = include_str!("../../golden/wire.txt");

/// A batch of two records as Kafka's own MemoryRecordsBuilder writes it.
const BATCH: &str = "000000000000000000000049ffffffff027a4bfd5d00100000000100000000000003e8\
    00000000000005140000000000000fa0000700000005000000021e000000026b027604026801026902780e00d8\
    0402010100";

const PROPERTIES: &str = "# comment\nbootstrap.servers = kafka-1:9092,\\\n [::1]:9093\n\
    enable.idempotence:true\nlinger.ms 5\nsecurity.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n\
    sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\\n\
    username=\"anna\" password=\"pa\\\\\"55\\u0041\";\nssl.truststore.certificates=-----BEGIN\n";

/// Of RFC 7677, and a refusal.
const SCRAM: [&str; 2] = [
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096\n\
    v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=,x=1",
    "e=other-error,x=1",
];

/// The seeds of a target.
pub(crate) fn of(target: &str) -> Vec<Vec<u8>> {
    match target {
        "record_batch" => vec![unhex(BATCH), unhex(BATCH).repeat(2)],
        "compressed_batch" => compressed_batches(),
        "gzip" | "snappy" | "lz4" | "zstd" => compressed(target),
        "properties" => vec![PROPERTIES.into()],
        "scram" => SCRAM.map(Vec::from).into(),
        "request_header" => headers(),
        "frame" => frames(),
        "peer" => transcripts(),
        name if name.ends_with("Response") => responses(name),
        name => requests(name),
    }
}

/// Frames with matches near and far, with literals only, and with more than one block.
fn compressed(codec: &str) -> Vec<Vec<u8>> {
    let line = |at: usize| format!("{at}: {at:x} apples of {} are ripe\n", at * at);
    let text: String = (0..200).map(line).collect();
    let noise: Vec<u8> = (0..300_usize)
        .map(|at| ((at * at * at) >> 3) as u8)
        .collect();
    let zeros = vec![0; 150_000];
    let all = [b"", &b"apple"[..], &noise, &zeros, text.as_bytes()];
    let mut frames: Vec<_> = all.map(|bytes| frame(codec, bytes)).into();
    frames.push(frame(codec, &text.as_bytes()[..400]));
    // Snappy without its frame, and text for the way back.
    frames.extend([b"\x05\x10apple".to_vec(), text.into_bytes()]);
    frames
}

fn compressed_batches() -> Vec<Vec<u8>> {
    let codecs = (1..).zip(["gzip", "snappy", "lz4", "zstd"]);
    let batch = |(number, codec): (u8, &str)| {
        let plain = unhex(BATCH);
        let (header, body) = plain.split_at(61);
        let mut batch = [header, &frame(codec, body)].concat();
        let length = batch.len() as u32 - 12;
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        batch[22] |= number;
        batch
    };
    codecs.map(batch).collect()
}

/// The version, and the body, of all messages of this name.
fn golden(name: &str) -> Vec<(u8, Vec<u8>)> {
    let mut found = Vec::new();
    for line in WIRE.lines() {
        let mut words = line.split(' ');
        if words.next() == Some(name) {
            let version = words.next().and_then(|version| version.parse().ok());
            let version = version.expect("the second word is a version");
            found.push((version, unhex(words.next().unwrap_or_default())));
        }
    }
    assert!(!found.is_empty(), "no {name} in tests/golden/wire.txt");
    found
}

/// The versions of an API are counted from the first that we speak, which golden bytes begin with.
fn requests(name: &str) -> Vec<Vec<u8>> {
    let bodies = (0..).zip(golden(name));
    let input = |(version, (_, body)): (u8, (u8, Vec<u8>))| [vec![version], body].concat();
    bodies.map(input).collect()
}

/// A frame begins with the correlation id, and in flexible versions with tagged fields: without
/// looking which, both forms are there.
fn responses(name: &str) -> Vec<Vec<u8>> {
    let mut inputs = Vec::new();
    for (version, (_, body)) in (0..).zip(golden(name)) {
        for tags in [&[][..], &[0]] {
            inputs.push([&[version, 0, 0, 0, 7], tags, &body].concat());
        }
    }
    inputs
}

fn headers() -> Vec<Vec<u8>> {
    let header = |key: u8, version: u8| {
        let fixed = [0, key, 0, version, 0, 0, 0, 9, 0, 2, b'm', b'e'];
        [&fixed[..], &[1, 5, 2, 8, 8]].concat()
    };
    let keys = [0, 3, 10, 17, 18, 22, 36, 99];
    keys.into_iter()
        .flat_map(|key| [header(key, 0), header(key, 9)])
        .collect()
}

fn framed(id: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = (body.len() as u32 + 4).to_be_bytes();
    [&length[..], &[0, 0, 0, id], &body].concat()
}

fn frames() -> Vec<Vec<u8>> {
    let some: Vec<Vec<u8>> = (0..20)
        .map(|id| framed(id, &[&vec![id; 7 * id as usize]]))
        .collect();
    let foreign = [
        &b"HTTP/1.1 400 Bad Request\r\n\r\n"[..],
        &[0x15, 3, 3, 0, 2, 2, 40],
    ];
    let foreign = foreign.map(<[u8]>::to_vec).into_iter();
    foreign
        .chain([some.concat(), framed(1, &[&[5; 5000]])])
        .collect()
}

/// What a broker of each range of versions says from the first byte to the last, without SASL and
/// with it. The first byte says which.
fn transcripts() -> Vec<Vec<u8>> {
    let newest = [0, 2, 8, 99].into_iter();
    newest
        .flat_map(|newest| [false, true].map(|with_sasl| transcript(newest, with_sasl)))
        .collect()
}

fn transcript(newest: u8, with_sasl: bool) -> Vec<u8> {
    let mut apis = vec![0, 0, 7];
    for (key, least) in [(0, 3), (3, 4), (17, 0), (18, 0), (22, 0), (36, 0)] {
        apis.extend([0, key, 0, 0, 0, newest.max(least), 0]);
    }
    apis.extend([0; 5]);
    let mut said = vec![u8::from(with_sasl)];
    said.extend(framed(0, &[&apis]));
    let mut id = 1;
    if with_sasl {
        said.extend(framed(id, &[&[0; 6]]));
        id += 1;
        if newest == 0 {
            // Behind version 0 of the handshake comes an answer of no bytes, without an id.
            said.extend([0; 4]);
        } else {
            // No error, no text, no bytes; an end of the session in 256 ms.
            said.extend(framed(id, &[&[0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0]]));
            id += 1;
        }
    }
    for (name, flexible) in [("Metadata", 9), ("InitProducerId", 2), ("Produce", 9)] {
        let tags: &[u8] = if newest >= flexible { &[0] } else { &[] };
        let body = of_version(&format!("{name}Response"), newest);
        said.extend(framed(id, &[tags, &body]));
        id += 1;
    }
    said
}

/// The golden bytes of a version, or of the next that there is.
fn of_version(name: &str, version: u8) -> Vec<u8> {
    let bodies = golden(name);
    let newest = bodies.last().map_or(0, |(newest, _)| *newest);
    let found = bodies
        .into_iter()
        .find(|(of, _)| *of >= version.min(newest));
    found.map(|(_, body)| body).unwrap_or_default()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| {
        text.get(at..at + 2)
            .and_then(|two| u8::from_str_radix(two, 16).ok())
    };
    let bytes = (0..text.len()).step_by(2).map(digit);
    bytes
        .collect::<Option<_>>()
        .expect("hexadecimal digits, two a byte")
}
