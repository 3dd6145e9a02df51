//! What is below every producer: bytes into a socket, with and without rustls, and a message there
//! and back through the threads that milena has.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::{BUFFER_BYTES, micros};
use crate::figures::{Figure, Figures};
use crate::load::of_phase;
use crate::measured::{Phase, percentile};
use crate::payload::Payload;
use crate::tls;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// About what a request with one record of 100 bytes takes, and its answer.
pub(crate) const MESSAGE_BYTES: usize = 225;
pub(crate) const ANSWER_BYTES: usize = 66;

/// The bytes that a producer wrote for so many records, and how many it wrote at once.
pub(crate) struct Amount {
    pub(crate) records: u64,
    pub(crate) record_bytes: f64,
    pub(crate) write_bytes: usize,
}

pub(crate) fn socket(address: &str, amount: &Amount) -> Result<Figures, Failure> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    write(socket, amount, |socket| socket.shutdown(Shutdown::Write))
}

pub(crate) fn rustls(address: &str, amount: &Amount) -> Result<Figures, Failure> {
    let socket = TcpStream::connect(address)?;
    socket.set_nodelay(true)?;
    let mut stream = tls::connect(socket)?;
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock)?;
    }
    write(stream, amount, |stream| {
        stream.conn.send_close_notify();
        stream.flush()
    })
}

/// A quarter as warm-up, then all of them; the other end says when it has them.
fn write<S: Read + Write>(
    mut stream: S,
    amount: &Amount,
    end: impl FnOnce(&mut S) -> std::io::Result<()>,
) -> Result<Figures, Failure> {
    let bytes = (amount.records as f64 * amount.record_bytes) as usize;
    // From as much memory as a producer has: its batches are in no cache either.
    let write_bytes = amount.write_bytes.clamp(1, BUFFER_BYTES);
    let payload = Payload::repeated(write_bytes, BUFFER_BYTES >> 22);
    let mut number = 0;
    let mut write = |stream: &mut S, bytes: usize| -> std::io::Result<()> {
        for _ in 0..bytes.div_ceil(write_bytes) {
            stream.write_all(payload.value(number))?;
            number += 1;
        }
        Ok(())
    };
    write(&mut stream, bytes / 4)?;
    let phase = Phase::start();
    write(&mut stream, bytes)?;
    end(&mut stream)?;
    stream.read_exact(&mut [0])?;
    Ok(of_phase(&phase.end(), amount.records))
}

/// The application wakes a thread that writes, another reads the answer and wakes the application.
pub(crate) fn ping_pong(address: &str, messages: u64) -> Result<Figures, Failure> {
    let socket = Arc::new(TcpStream::connect(address)?);
    socket.set_nodelay(true)?;
    let (there, back) = (Arc::new(Turn::default()), Arc::new(Turn::default()));
    let writer = thread::spawn({
        let (socket, there) = (socket.clone(), there.clone());
        move || {
            while there.take() {
                if (&*socket).write_all(&[b'x'; MESSAGE_BYTES]).is_err() {
                    return;
                }
            }
        }
    });
    let reader = thread::spawn({
        let (socket, back) = (socket.clone(), back.clone());
        move || {
            while (&*socket).read_exact(&mut [0; ANSWER_BYTES]).is_ok() {
                back.give(Ball::There);
            }
            back.give(Ball::Lost);
        }
    });
    let run = |messages: u64| -> Option<Vec<u32>> {
        let round = |_| {
            let began = Instant::now();
            there.give(Ball::There);
            back.take().then(|| micros(began.elapsed()))
        };
        (0..messages).map(round).collect()
    };
    run(messages / 4);
    let phase = Phase::start();
    let mut times = run(messages).ok_or("the echo hung up")?;
    let mut figures = of_phase(&phase.end(), messages);
    there.give(Ball::Lost);
    socket.shutdown(Shutdown::Both)?;
    let _ = (writer.join(), reader.join());
    times.sort_unstable();
    for (figure, share) in [(Figure::P50, 0.5), (Figure::P99, 0.99)] {
        figures.note(figure, percentile(&times, share));
    }
    Ok(figures)
}

/// Handed from one thread to another that waits for it.
#[derive(Default)]
struct Turn {
    ball: Mutex<Ball>,
    given: Condvar,
}

#[derive(Clone, Copy, Default, PartialEq)]
enum Ball {
    #[default]
    Away,
    There,
    Lost,
}

impl Turn {
    fn give(&self, ball: Ball) {
        *self.ball.lock().unwrap_or_else(PoisonError::into_inner) = ball;
        self.given.notify_one();
    }

    /// Whether it came, within reason.
    fn take(&self) -> bool {
        const LIMIT: Duration = Duration::from_secs(10);
        let ball = self.ball.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .given
            .wait_timeout_while(ball, LIMIT, |ball| *ball == Ball::Away);
        let (mut ball, _) = waited.unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *ball) == Ball::There
    }
}
