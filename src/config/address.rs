//! `host:port`, alone and in the list of `bootstrap.servers`.

use std::fmt;

use crate::config::SecurityProtocol;
use crate::error::{Error, ErrorKind};

/// Where a broker listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Address {
    /// A name or an IP address, IPv6 without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
}

#[cfg(test)]
impl Address {
    pub(crate) fn new(host: impl Into<String>, port: u16) -> Self {
        Self {
            host: host.into(),
            port,
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// One entry of `bootstrap.servers`.
pub(super) struct Server {
    pub(super) address: Address,
    /// The prefix, where it names a security protocol.
    pub(super) protocol: Option<SecurityProtocol>,
}

/// Reads `host:port,host:port`; empty entries are skipped, as in Java.
pub(super) fn parse_list(text: &str) -> Result<Vec<Server>, Error> {
    let mut servers: Vec<Server> = Vec::new();
    for entry in text.split(',').map(str::trim) {
        if entry.is_empty() {
            continue;
        }
        let server = parse(entry)?;
        if servers.iter().any(|other| other.address == server.address) {
            return Err(wrong(entry, "is listed twice"));
        }
        servers.push(server);
    }
    if servers.is_empty() {
        let message = "bootstrap.servers is empty: name at least one broker as host:port";
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(servers)
}

fn parse(entry: &str) -> Result<Server, Error> {
    let (prefix, rest) = match entry.split_once("://") {
        Some((prefix, rest)) => (Some(prefix), rest),
        None => (None, entry),
    };
    let (host, port) = split(rest).map_err(|what| wrong(entry, what))?;
    if host.is_empty() {
        return Err(wrong(entry, "has no host before its port"));
    }
    if !host.chars().all(is_host_char) {
        return Err(wrong(entry, "has a character that no host name has"));
    }
    let number = port.bytes().all(|byte| byte.is_ascii_digit()) && !port.is_empty();
    match port.parse() {
        Ok(port) if number && port > 0 => Ok(Server {
            address: Address {
                host: host.to_owned(),
                port,
            },
            protocol: prefix.and_then(SecurityProtocol::named),
        }),
        _ => Err(wrong(entry, "needs a port from 1 to 65535 after its host")),
    }
}

/// Host without brackets, and the text of the port.
fn split(text: &str) -> Result<(&str, &str), &'static str> {
    const NO_PORT: &str = "has no port: write host:port, 9092 is Kafka's usual one";
    if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or("has no ] after its [")?;
        return Ok((host, rest.strip_prefix(':').ok_or(NO_PORT)?));
    }
    let (host, port) = text.rsplit_once(':').ok_or(NO_PORT)?;
    if host.contains(':') {
        return Err("has too many colons: an IPv6 address goes in brackets");
    }
    Ok((host, port))
}

fn is_host_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '%' | '.' | '_' | ':')
}

fn wrong(entry: &str, what: &str) -> Error {
    // `user:password@host` is how other systems write it: such an entry is not repeated.
    let shown = if entry.contains('@') {
        "an entry with @ (credentials go into sasl.jaas.config)".to_owned()
    } else {
        format!("{entry:?}")
    };
    Error::new(
        ErrorKind::Config,
        format!("bootstrap.servers: {shown} {what}"),
    )
}
