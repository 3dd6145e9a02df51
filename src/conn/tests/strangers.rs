//! Ports behind which no broker is, or another listener than the settings say.

use super::*;

/// What the peer does once it has read what we say first.
#[derive(Clone, Copy)]
enum Habit {
    Says(&'static [u8]),
    Closes,
    IsSilent,
}

use Habit::{Closes, IsSilent, Says};

fn error_at(security: SecurityProtocol, habit: Habit) -> Error {
    let (address, thread) = peer(move |mut socket| {
        let _ = socket.read(&mut [0; 4096]);
        match habit {
            Says(bytes) => {
                socket.write_all(bytes).unwrap();
                drain(&mut socket);
            }
            Closes => {}
            IsSilent => drop(drain(&mut socket)),
        }
    });
    let dialer = tcp::Dialer::default();
    let connector = Connector::with("tester", security, dialer, &no_tls(), None).unwrap();
    let deadline = match habit {
        IsSilent => soon(),
        _ => patience(),
    };
    let error = connector.open(&address, &Interrupt::default(), deadline);
    thread.join().unwrap();
    error.unwrap_err()
}

fn told(security: SecurityProtocol, stage: &str, table: &[(Habit, ErrorKind, &[&str])]) {
    for (habit, kind, fragments) in table {
        let error = error_at(security, *habit);
        let text = error.to_string();
        assert_eq!(error.kind(), *kind, "{text}");
        for fragment in [&format!(": {stage}: ")[..]].iter().chain(*fragments) {
            assert!(text.contains(fragment), "no {fragment:?} in: {text}");
        }
        let is_line = !text.ends_with('.') && !text.contains(char::is_control);
        assert!(is_line && text.len() < 600, "{text}");
    }
}

const HTTP: &[u8] = b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n";
const SSH: &[u8] = b"SSH-2.0-OpenSSH_9.6\r\n";
const SMTP: &[u8] = b"220 mail.example.com ESMTP\r\n";
const ALERT: &[u8] = &[0x15, 3, 3, 0, 2, 2, 50];
const HELLO: &[u8] = &[0x16, 3, 3, 0, 2, 1, 0];
/// ZooKeeper grants a session of 30 s.
const ZOOKEEPER: &[u8] = &[
    0, 0, 0, 37, 0, 0, 0, 0, 0, 0, 0x75, 0x30, 1, 2, 3, 4, 5, 6, 7, 8, 0, 0, 0, 16, 1, 1, 1, 1, 1,
    1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0,
];

#[test]
fn who_is_no_broker_is_told_by_how_it_begins() {
    use ErrorKind::{Connection, Protocol, TimedOut, Tls};
    let is_tls = &["this is a TLS port, but security.protocol is PLAINTEXT; use SSL or SASL_SSL"];
    told(
        SecurityProtocol::Plaintext,
        "ApiVersions",
        &[
            (
                Says(HTTP),
                Protocol,
                &[
                    "the peer speaks HTTP (\"HTTP/1.1 400 Bad Request\"), not the Kafka protocol",
                    "is this the port of a Kafka broker?",
                ],
            ),
            (Says(SSH), Protocol, &["SSH (\"SSH-2.0-OpenSSH_9.6\")"]),
            (
                Says(SMTP),
                Protocol,
                &["SMTP or FTP (\"220 mail.example.com ESMTP\")"],
            ),
            (Says(ALERT), Tls, is_tls),
            (Says(HELLO), Tls, is_tls),
            (
                Says(ZOOKEEPER),
                Protocol,
                &[
                    "the peer speaks the protocol of ZooKeeper, not of Kafka: bootstrap.servers \
                     names brokers",
                ],
            ),
            (
                Closes,
                Connection,
                &[
                    "is this a TLS listener? security.protocol is PLAINTEXT; use SSL or SASL_SSL",
                    "or ZooKeeper, which closes so too",
                ],
            ),
            (
                IsSilent,
                TimedOut,
                &[
                    "no answer within 150 ms",
                    "does the broker hang, or is this a listener that is not PLAINTEXT, or no \
                     broker at all?",
                ],
            ),
        ],
    );
}

#[cfg(any(feature = "tls-graviola", feature = "tls-ring"))]
#[test]
fn who_does_not_speak_tls_is_told_by_how_it_begins() {
    use ErrorKind::{Connection, TimedOut, Tls};
    told(
        SecurityProtocol::Ssl,
        "TLS handshake",
        &[
            (
                Says(HTTP),
                Tls,
                &[
                    "the peer speaks HTTP (\"HTTP/1.1 400 Bad Request\"), not TLS",
                    "is this the right port?",
                ],
            ),
            (Says(SSH), Tls, &["SSH (\"SSH-2.0-OpenSSH_9.6\"), not TLS"]),
            (
                Says(SMTP),
                Tls,
                &["SMTP or FTP (\"220 mail.example.com ESMTP\")"],
            ),
            (
                // The start of an answer to ApiVersions.
                Says(&[0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0]),
                Tls,
                &["with what may be a frame of Kafka: is this a plain-text listener?"],
            ),
            (
                Closes,
                Connection,
                &["is this a plain-text listener? security.protocol is SSL"],
            ),
            (
                IsSilent,
                TimedOut,
                &[
                    "no answer within 150 ms",
                    "is this a listener that is not SSL",
                ],
            ),
        ],
    );
}
