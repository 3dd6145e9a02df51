//! One connection through the proxy: a thread for the requests, one for the answers.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use super::dice::Dice;
use super::proxy::{State, Trouble};

/// How long a read or write waits before it looks whether the connection is over.
const GLANCE: Duration = Duration::from_millis(50);
/// For the broker to take a late request before its connection ends.
const TAKE: Duration = Duration::from_secs(1);
/// Of [`Trouble::SlowLink`], so many bytes in each [`GLANCE`].
const SLOW_BYTES: usize = 1000;
/// More than Kafka's largest request or answer here.
const FRAME_MAX: usize = 16 << 20;

#[derive(Debug)]
pub(super) struct Link {
    client: TcpStream,
    broker: TcpStream,
    state: Arc<State>,
    is_over: AtomicBool,
    has_produced: AtomicBool,
    /// The next answer ends the connection instead of passing.
    loses_answer: AtomicBool,
    /// The client is gone, the broker is not to know yet.
    is_mute: AtomicBool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Requests,
    Answers,
}

impl Link {
    pub(super) fn start(
        client: TcpStream,
        broker: TcpStream,
        state: Arc<State>,
        seed: u64,
    ) -> Arc<Self> {
        for stream in [&client, &broker] {
            let set = stream.set_nodelay(true);
            let set = set.and_then(|()| stream.set_read_timeout(Some(GLANCE)));
            set.and_then(|()| stream.set_write_timeout(Some(GLANCE)))
                .expect("the options of a socket");
        }
        let link = Arc::new(Self {
            client,
            broker,
            state,
            is_over: AtomicBool::new(false),
            has_produced: AtomicBool::new(false),
            loses_answer: AtomicBool::new(false),
            is_mute: AtomicBool::new(false),
        });
        let mut dice = Dice::new(seed);
        for way in [Way::Requests, Way::Answers] {
            let (link, mut dice) = (link.clone(), Dice::new(dice.roll()));
            thread::spawn(move || {
                match way {
                    Way::Requests => link.carry_requests(&mut dice),
                    Way::Answers => link.carry_answers(&mut dice),
                }
                link.end();
            });
        }
        link
    }

    /// Both ends see a reset, where the build knows how to make one, else an end.
    pub(super) fn reset(&self) {
        #[cfg(feature = "socket-buffers")]
        for stream in [&self.client, &self.broker] {
            let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
        }
        #[cfg(not(feature = "socket-buffers"))]
        self.end();
        // The sockets close when the threads notice and let go of them.
        self.is_over.store(true, Ordering::SeqCst);
    }

    fn carry_requests(&self, dice: &mut Dice) {
        while let Some(frame) = self.read_frame(&self.client) {
            // After the length comes the API key, 0 for Produce.
            let is_produce = frame.get(4..6) == Some(&[0, 0]);
            self.has_produced.fetch_or(is_produce, Ordering::SeqCst);
            let has = |trouble| is_produce && self.state.has(trouble);
            if has(Trouble::LateRequests) && dice.one_in(20) {
                return self.deliver_late(&frame, dice);
            }
            if has(Trouble::AnswersLost) && dice.one_in(4) {
                self.loses_answer.store(true, Ordering::SeqCst);
            }
            if !self.pass(&frame, &self.broker, Way::Requests, dice) {
                return;
            }
        }
    }

    fn carry_answers(&self, dice: &mut Dice) {
        let counts = &self.state.counts;
        while let Some(frame) = self.read_frame(&self.broker) {
            if self.is_mute.load(Ordering::SeqCst) {
                continue;
            }
            if self.loses_answer.load(Ordering::SeqCst) {
                counts.answers_lost.fetch_add(1, Ordering::Relaxed);
                return;
            }
            let is_cut = self.state.has(Trouble::Cuts) && dice.one_in(4);
            let end = if is_cut {
                counts.cuts.fetch_add(1, Ordering::Relaxed);
                dice.below(frame.len())
            } else {
                frame.len()
            };
            let has_passed = self.pass(&frame[..end], &self.client, Way::Answers, dice);
            // While a late request is held, only the thread that holds it ends the connection.
            if (!has_passed || is_cut) && !self.is_mute.load(Ordering::SeqCst) {
                return;
            }
        }
    }

    fn deliver_late(&self, frame: &[u8], dice: &mut Dice) {
        self.is_mute.store(true, Ordering::SeqCst);
        let _ = self.client.shutdown(Shutdown::Both);
        thread::sleep(dice.between(1000, 6000));
        if !self.state.is_over() && self.write(frame, &self.broker) {
            let counts = &self.state.counts;
            counts.late_requests.fetch_add(1, Ordering::Relaxed);
            thread::sleep(TAKE);
        }
    }

    /// False when the connection is over.
    fn pass(&self, frame: &[u8], to: &TcpStream, way: Way, dice: &mut Dice) -> bool {
        let has = |trouble| self.state.has(trouble);
        // A connection has to come up, or nothing would be written that could wait for its answer.
        let may_wait = way == Way::Answers && self.has_produced.load(Ordering::SeqCst);
        while has(Trouble::BlackHole) || may_wait && has(Trouble::AnswersWait) {
            if self.is_over() {
                return false;
            }
            thread::sleep(GLANCE / 5);
        }
        if way == Way::Answers && has(Trouble::Latency) {
            thread::sleep(dice.between(0, 400));
        }
        let mut rest = frame;
        while !rest.is_empty() {
            let length = if has(Trouble::Slices) {
                1 + dice.below(7)
            } else if has(Trouble::SlowLink) {
                thread::sleep(GLANCE);
                SLOW_BYTES
            } else {
                rest.len()
            };
            let (piece, after) = rest.split_at(length.min(rest.len()));
            if !self.write(piece, to) {
                return false;
            }
            rest = after;
        }
        true
    }

    /// A frame with its length in front, or what there was of it before the end; `None` for
    /// nothing.
    fn read_frame(&self, from: &TcpStream) -> Option<Vec<u8>> {
        let mut frame = vec![0; 4];
        let mut read = self.read(from, &mut frame);
        if read == 4 {
            let length = u32::from_be_bytes([frame[0], frame[1], frame[2], frame[3]]) as usize;
            assert!(length < FRAME_MAX, "a frame of {length} bytes");
            frame.resize(4 + length, 0);
            read += self.read(from, &mut frame[4..]);
        }
        frame.truncate(read);
        (read > 0).then_some(frame)
    }

    /// How many bytes there were before the end.
    fn read(&self, mut from: &TcpStream, bytes: &mut [u8]) -> usize {
        let mut read = 0;
        while read < bytes.len() {
            match from.read(&mut bytes[read..]) {
                Ok(0) => break,
                Ok(count) => read += count,
                Err(error) if is_pause(error.kind()) && !self.is_over() => {}
                Err(_) => break,
            }
        }
        read
    }

    fn write(&self, mut bytes: &[u8], mut to: &TcpStream) -> bool {
        while !bytes.is_empty() {
            match to.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_pause(error.kind()) && !self.is_over() => {}
                Err(_) => return false,
            }
        }
        true
    }

    fn is_over(&self) -> bool {
        self.is_over.load(Ordering::SeqCst) || self.state.is_over()
    }

    /// A shutdown would turn a reset into an orderly end.
    fn end(&self) {
        if !self.is_over.swap(true, Ordering::SeqCst) {
            let _ = self.client.shutdown(Shutdown::Both);
            let _ = self.broker.shutdown(Shutdown::Both);
        }
    }
}

fn is_pause(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted
    )
}
