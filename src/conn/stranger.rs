//! Peers that are no brokers, by the bytes with which they begin.

use super::diagnosis::peer_text;

/// How many of the first bytes are looked at.
pub(super) const FIRST_BYTES: usize = 128;

/// What speaks like this, with its own words where it has some, if it is met on wrong ports.
pub(super) fn stranger(first: &[u8]) -> Option<String> {
    let what = match first {
        [b'H', b'T', b'T', b'P', b'/', ..] => "HTTP",
        [b'S', b'S', b'H', b'-', ..] => "SSH",
        [b'2', b'2', b'0', b' ' | b'-', ..] => "SMTP or FTP",
        [b'A', b'M', b'Q', b'P', ..] => "AMQP",
        [b'-', b'E', b'R', b'R', ..] => "Redis",
        _ => return None,
    };
    let line = first.split(|byte| matches!(byte, b'\r' | b'\n' | 0)).next();
    let line = String::from_utf8_lossy(line.unwrap_or_default());
    Some(format!("{what} ({:?})", peer_text(&line)))
}

/// ZooKeeper's answer to what it takes for the request of a client: protocol version 0, a time-out,
/// a session, a password of 16 bytes.
pub(super) fn is_zookeeper(frame: &[u8]) -> bool {
    let password = frame.get(16..20);
    matches!(frame.len(), 36 | 37) && frame.starts_with(&[0; 4]) && password == Some(&[0, 0, 0, 16])
}
