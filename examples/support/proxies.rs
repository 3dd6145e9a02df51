//! Dialers that go through a proxy, which looks up the brokers' names where it is.

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use milena::Dial;
use socks::Socks5Stream;

/// A SOCKS5 proxy (RFC 1928), as `ssh -D` makes one.
pub(crate) struct Socks5 {
    /// Host and port.
    pub(crate) proxy: String,
    /// Name and password, where the proxy asks for them.
    pub(crate) login: Option<(String, String)>,
}

impl Dial for Socks5 {
    fn dial(&self, host: &str, port: u16, _: Duration) -> io::Result<TcpStream> {
        // The crate knows no time-outs. The producer does: it gives up this call when its time is
        // over.
        let proxied = match &self.login {
            None => Socks5Stream::connect(self.proxy.as_str(), (host, port)),
            Some((name, password)) => Socks5Stream::connect_with_password(
                self.proxy.as_str(),
                (host, port),
                name,
                password,
            ),
        };
        proxied.map(Socks5Stream::into_inner)
    }
}

/// An HTTP proxy that takes CONNECT (RFC 9110, 9.3.6).
pub(crate) struct HttpConnect {
    /// Host and port.
    pub(crate) proxy: String,
}

impl Dial for HttpConnect {
    fn dial(&self, host: &str, port: u16, timeout: Duration) -> io::Result<TcpStream> {
        let proxy = self.proxy.to_socket_addrs()?.next();
        let proxy = proxy.ok_or_else(|| io::Error::other("the proxy's name has no address"))?;
        let mut stream = TcpStream::connect_timeout(&proxy, timeout)?;
        stream.set_read_timeout(Some(timeout))?;
        let target = match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        };
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let answer = head(&mut stream)?;
        let status = answer.lines().next().unwrap_or_default();
        match status.split(' ').nth(1) {
            Some("200") => Ok(stream),
            _ => Err(io::Error::other(format!("the proxy answered {status:?}"))),
        }
    }
}

/// An answer up to the empty line behind its headers, and not a byte further.
fn head(stream: &mut TcpStream) -> io::Result<String> {
    const BYTES_MAX: usize = 8 << 10;
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte)?;
        head.push(byte[0]);
        if head.len() > BYTES_MAX {
            return Err(io::Error::other("the proxy's answer does not end"));
        }
    }
    Ok(String::from_utf8_lossy(&head).into_owned())
}
