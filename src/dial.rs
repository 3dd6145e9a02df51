//! The way out: code of the application that makes the connections.

use std::fmt;
use std::io;
use std::net::TcpStream;
use std::time::Duration;

use crate::sync::Arc;

/// Makes the TCP connections of a producer, all of them: through a proxy, say, or from an address
/// of its own. See [`Config::dialer`](crate::Config::dialer).
///
/// Closures with these arguments are dialers too.
pub trait Dial: Send + Sync {
    /// Connects to a broker, as its address stands in `bootstrap.servers` or as the cluster tells
    /// it.
    ///
    /// The name was not looked up, so that a proxy may do it. TLS and SASL follow on the stream,
    /// and hold the broker to this name; time-outs and `TCP_NODELAY` are set on it afterwards. When
    /// `timeout` is over nobody waits any more, and a stream that comes later is closed.
    ///
    /// Every call is on a thread of its own, and for several brokers there are several at a time. A
    /// panic counts as an error.
    ///
    /// # Errors
    ///
    /// Any; it is tried again as if the broker had not answered. The error's text goes into the log
    /// and into errors of this crate, so it should hold no password.
    fn dial(&self, host: &str, port: u16, timeout: Duration) -> io::Result<TcpStream>;
}

impl<F> Dial for F
where
    F: Fn(&str, u16, Duration) -> io::Result<TcpStream> + Send + Sync,
{
    fn dial(&self, host: &str, port: u16, timeout: Duration) -> io::Result<TcpStream> {
        self(host, port, timeout)
    }
}

/// A dialer, as the configuration has it.
#[derive(Clone)]
pub(crate) struct RegisteredDialer {
    pub(crate) dialer: Arc<dyn Dial>,
    /// Its type.
    pub(crate) name: &'static str,
}

impl RegisteredDialer {
    pub(crate) fn new<D: Dial + 'static>(dialer: D) -> Self {
        Self {
            dialer: Arc::new(dialer),
            name: std::any::type_name::<D>(),
        }
    }
}

impl fmt::Debug for RegisteredDialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "dialer {}", self.name)
    }
}
