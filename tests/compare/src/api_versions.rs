//! The embedded cluster says that it takes Fetch, too: librdkafka writes records in the form of
//! Kafka 0.11 and later, and zstd, to brokers only whose consumers can read them.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use milena::mock::{Api, MockCluster};

/// Key, and the first and the last version that count.
type Range = [i16; 3];

const FETCH: Range = [1, 4, 12];

/// From now on. Nobody sends a Fetch, and the cluster would hang up.
pub(crate) fn add_fetch(cluster: &MockCluster) -> io::Result<()> {
    let mut ranges = asked(&cluster.address(1))?;
    ranges.push(FETCH);
    let versions = cluster.on(Api::ApiVersions).always();
    versions.body(move |request| answer(&ranges, request.version));
    Ok(())
}

/// What the cluster answers to version 0.
fn asked(address: &str) -> io::Result<Vec<Range>> {
    let mut socket = TcpStream::connect(address)?;
    // The length, the key, the version, a correlation id, and no client id.
    socket.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 0, 0xff, 0xff])?;
    let mut len = [0; 4];
    socket.read_exact(&mut len)?;
    let mut answer = vec![0; u32::from_be_bytes(len) as usize];
    socket.read_exact(&mut answer)?;
    // The correlation id, an error code, and the number of ranges.
    let ranges = answer.get(10..).unwrap_or_default().chunks_exact(6);
    let number = |bytes: &[u8], at: usize| i16::from_be_bytes([bytes[at], bytes[at + 1]]);
    Ok(ranges
        .map(|range| [number(range, 0), number(range, 2), number(range, 4)])
        .collect())
}

fn answer(ranges: &[Range], version: i16) -> Vec<u8> {
    let is_flexible = version >= 3;
    // No error.
    let mut body = vec![0, 0];
    match is_flexible {
        true => body.push(ranges.len() as u8 + 1),
        false => body.extend((ranges.len() as i32).to_be_bytes()),
    }
    for range in ranges {
        body.extend(range.iter().flat_map(|number| number.to_be_bytes()));
        // Tagged fields: none.
        body.extend(is_flexible.then_some(0));
    }
    if version >= 1 {
        // No throttling.
        body.extend([0; 4]);
    }
    body.extend(is_flexible.then_some(0));
    body
}
