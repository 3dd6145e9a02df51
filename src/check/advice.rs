//! What to do about a way that ended, in the words of the settings.

use std::net::IpAddr;

use crate::conn::Address;
use crate::error::{Error, ErrorKind};

use super::report::CheckStage;

/// How a broker's address came to be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Bootstrap,
    /// The cluster told it, of the broker with this id.
    Advertised(i32),
}

/// How far an address reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Reach {
    ThisMachine,
    ThisNetwork,
    Everywhere,
}

impl Reach {
    pub(super) fn of(ip: IpAddr) -> Self {
        match ip.to_canonical() {
            ip if ip.is_loopback() || ip.is_unspecified() => Self::ThisMachine,
            IpAddr::V4(ip) if ip.is_private() || ip.is_link_local() => Self::ThisNetwork,
            IpAddr::V6(ip) if ip.is_unique_local() || ip.is_unicast_link_local() => {
                Self::ThisNetwork
            }
            _ => Self::Everywhere,
        }
    }

    /// Said of an address that a broker advertises to clients that reach it from farther away.
    pub(super) fn hint(self) -> &'static str {
        match self {
            Self::ThisMachine => "this address is every machine's own, here this client's",
            Self::ThisNetwork => "this address is private to the broker's network",
            Self::Everywhere => "this address reaches everywhere",
        }
    }
}

/// What somebody can do so that the way does not end there.
pub(super) fn advice(
    stage: CheckStage,
    error: &Error,
    address: &Address,
    origin: Origin,
) -> String {
    let host = &address.host;
    let is_late = error.kind() == ErrorKind::TimedOut;
    match (stage, origin) {
        (CheckStage::Dns, Origin::Bootstrap) => format!(
            "correct {host:?} in bootstrap.servers, or make it a name that this machine can look up"
        ),
        (CheckStage::Dns | CheckStage::Tcp, Origin::Advertised(id)) => format!(
            "clients go where the broker tells them to: set advertised.listeners of broker {id} to \
             an address that works from here, or make {address} work"
        ),
        (CheckStage::Tcp, Origin::Bootstrap) if is_late => {
            "nothing answers, so packets are dropped: look at firewalls, security groups and routes"
                .into()
        }
        (CheckStage::Tcp, Origin::Bootstrap) => format!(
            "is the broker running, and is {} the port of its listener for clients?",
            address.port
        ),
        (CheckStage::Tls, _) => format!(
            "security.protocol has to be that of the listener, ssl.truststore.location has to hold \
             the CA of the broker's certificate, and the certificate has to be for {host:?}"
        ),
        (CheckStage::Sasl, _) => "sasl.mechanism has to be one of the listener's, and user and \
            password, or token, those that the broker knows"
            .into(),
        (CheckStage::ApiVersions, _) if error.kind() == ErrorKind::UnsupportedVersion => {
            "upgrade the broker, or use a client of its time".into()
        }
        (CheckStage::ApiVersions, _) => {
            "the address has to be a listener of a Kafka broker, and security.protocol that \
             listener's"
                .into()
        }
        (CheckStage::Metadata, _) if error.kind() == ErrorKind::Connection => {
            "security.protocol has to be that of the listener; the broker's log says more".into()
        }
        _ => "the broker's log says more".into(),
    }
}

/// The error's text without the place, which the report has in columns.
pub(super) fn bare(error: &Error, address: &Address) -> String {
    let bare = error.clone().without_context(&format!("broker {address}"));
    let bare = [
        "resolve",
        "connect",
        "TLS handshake",
        "ApiVersions",
        "Metadata",
    ]
    .into_iter()
    .fold(bare, |error, stage| {
        error.without_context(&format!("{stage}:"))
    });
    bare.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_reach_as_far_as_their_kind() {
        for (ip, reach) in [
            ("127.0.0.1", Reach::ThisMachine),
            ("::1", Reach::ThisMachine),
            ("::ffff:127.0.0.1", Reach::ThisMachine),
            ("0.0.0.0", Reach::ThisMachine),
            ("10.1.2.3", Reach::ThisNetwork),
            ("172.17.0.1", Reach::ThisNetwork),
            ("192.168.0.1", Reach::ThisNetwork),
            ("169.254.0.1", Reach::ThisNetwork),
            ("fd00::1", Reach::ThisNetwork),
            ("fe80::1", Reach::ThisNetwork),
            ("1.1.1.1", Reach::Everywhere),
            ("2606:4700::1", Reach::Everywhere),
        ] {
            assert_eq!(Reach::of(ip.parse().unwrap()), reach, "{ip}");
        }
        assert!(Reach::ThisMachine < Reach::ThisNetwork);
    }

    #[test]
    fn texts_lose_what_the_columns_say() {
        let address = Address::new("kafka-1", 9092);
        let refused = Error::new(ErrorKind::Connection, "connect: connection refused");
        let refused = refused.context(format_args!("broker {address}"));
        assert_eq!(bare(&refused, &address), "connection refused");
        let elsewhere = Error::new(ErrorKind::Connection, "broker kafka-2:9092: connect: no");
        assert_eq!(bare(&elsewhere, &address), elsewhere.to_string());
    }
}
