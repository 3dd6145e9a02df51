//! Every line of the input becomes a record: Kafka's console producer, for bytes of any kind.
//!
//! ```text
//! cargo build --release --examples
//! seq 1 1000 | target/release/examples/console_producer \
//!     --bootstrap-server localhost:9092 --topic T1
//! ```

mod support;

#[path = "support/lines.rs"]
mod lines;
#[path = "support/console_options.rs"]
mod options;

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::process::{ExitCode, exit};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use milena::{Config, Error, Outcome, Producer};

use lines::Line;
use options::{Options, USAGE};

/// So many errors are shown in full; the others are counted.
const ERRORS_SHOWN: u64 = 20;
/// The pause between two updates of the progress line.
const PROGRESS_PAUSE: Duration = Duration::from_millis(300);
const INPUT_BUFFER_BYTES: usize = 256 << 10;

fn main() -> ExitCode {
    support::log_to_stderr();
    let options = match Options::parse() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return support::usage_error(error),
    };
    let input: Box<dyn BufRead> = match &options.file {
        None => Box::new(BufReader::with_capacity(
            INPUT_BUFFER_BYTES,
            io::stdin().lock(),
        )),
        Some(path) => match File::open(path) {
            Ok(file) => Box::new(BufReader::with_capacity(INPUT_BUFFER_BYTES, file)),
            Err(error) => return support::usage_error(format!("{}: {error}", path.display())),
        },
    };
    // A wrong setting is told before anything is read.
    // As with Kafka's own tool, a line is written once and in its place, whatever is tried again.
    let defaults = |config: Config| config.idempotence(true);
    let config = options.settings.config_over(defaults);
    let producer = match config.and_then(Producer::new) {
        Ok(producer) => producer,
        Err(error) => return support::usage_error(error),
    };
    let session = Arc::new(Session::new(producer, &options));
    if let Err(error) = end_on_ctrl_c(&session) {
        eprintln!("Ctrl-C will end this program without sending what it has read: {error}");
    }
    // So is a cluster that cannot be reached, and a topic or partition that cannot be used.
    if let Err(error) = session.look_at_topic(&options) {
        let _turn = session.turn();
        session.errors.clear_progress();
        eprintln!("{error}");
        return ExitCode::FAILURE;
    }
    let end = read(input, &options, &session);
    let mut reading = session.turn();
    if let Err(error) = end {
        session
            .errors
            .tell(&format!("after line {}: {error}", reading.lines));
        reading.lines_in_error += 1;
    }
    session.finish(&mut reading)
}

/// Sends what the lines say, until the end of the input.
fn read(mut input: impl BufRead, options: &Options, session: &Session) -> io::Result<()> {
    let mut line = Vec::new();
    while let Some(found) = lines::next_line(&mut input, &mut line, options.line_bytes_max)? {
        // Nobody waits for this lock but Ctrl-C, which keeps it: a line is sent as a whole or not.
        let mut reading = session.turn();
        reading.lines += 1;
        let number = reading.lines;
        let record = match found {
            Line::Whole => options.format.record(&options.topic, &line),
            Line::TooLong => Err(format!("it has more than {} bytes", options.line_bytes_max)),
        };
        match record {
            Ok(record) => {
                let record = match options.partition {
                    Some(partition) => record.partition(partition),
                    None => record,
                };
                let errors = session.errors.clone();
                session.producer.send_with(record, move |result| {
                    if let Err(error) = result {
                        errors.tell(&failure(number, &error));
                    }
                });
            }
            Err(reason) => {
                reading.lines_in_error += 1;
                session
                    .errors
                    .tell(&format!("line {number} was not sent: {reason}"));
            }
        }
        session.show_progress(&mut reading);
    }
    Ok(())
}

fn failure(number: u64, error: &Error) -> String {
    match error.outcome() {
        Outcome::NotWritten => format!("line {number} is not in the topic: {error}"),
        Outcome::Unknown => format!("line {number} may be in the topic or not: {error}"),
    }
}

/// What the reading loop, the callbacks and Ctrl-C share.
struct Session {
    producer: Producer,
    errors: Arc<Errors>,
    reading: Mutex<Reading>,
}

#[derive(Default)]
struct Reading {
    lines: u64,
    lines_in_error: u64,
    /// When the progress line was last shown.
    shown: Option<Instant>,
}

impl Session {
    fn new(producer: Producer, options: &Options) -> Self {
        // Who types the lines in does not want them written over.
        let is_typed = options.file.is_none() && io::stdin().is_terminal();
        let errors = Errors {
            told: AtomicU64::new(0),
            has_progress: io::stderr().is_terminal() && !is_typed,
        };
        Self {
            producer,
            errors: Arc::new(errors),
            reading: Mutex::default(),
        }
    }

    /// Waits until the line in hand is sent. Whoever ends the session never gives the lock back.
    fn turn(&self) -> MutexGuard<'_, Reading> {
        self.reading.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn look_at_topic(&self, options: &Options) -> Result<(), Box<dyn std::error::Error>> {
        let topic = &options.topic;
        if self.errors.has_progress {
            eprint!("waiting for the cluster to tell of topic {topic}");
        }
        let partitions = self.producer.partitions_for(topic)?;
        let is_there = |partition| partitions.iter().any(|info| info.partition() == partition);
        match options.partition {
            Some(partition) if !is_there(partition) => {
                let count = partitions.len();
                Err(
                    format!("topic {topic} has {count} partitions, and not partition {partition}")
                        .into(),
                )
            }
            _ => Ok(()),
        }
    }

    fn show_progress(&self, reading: &mut Reading) {
        if !self.errors.has_progress {
            return;
        }
        let now = Instant::now();
        if reading
            .shown
            .is_none_or(|shown| now.duration_since(shown) >= PROGRESS_PAUSE)
        {
            reading.shown = Some(now);
            let sent = self.producer.metrics();
            eprint!(
                "\r{} lines read, {} delivered, {} not\x1b[K",
                reading.lines,
                sent.delivered,
                sent.failed + sent.unknown + reading.lines_in_error
            );
        }
    }

    /// Sends what was read, waits for the results, and tells how it went.
    fn finish(&self, reading: &mut Reading) -> ExitCode {
        // An answer may take as long as delivery.timeout.ms says; `close` alone would not wait so
        // long.
        let closed = self.producer.flush().and_then(|()| self.producer.close());
        let report = match closed {
            Ok(report) => report,
            Err(error) => {
                eprintln!("{error}");
                return ExitCode::FAILURE;
            }
        };
        self.errors.tell_rest();
        eprintln!(
            "{} lines read: {} delivered, {} failed, {} unknown, {} in error",
            reading.lines, report.delivered, report.failed, report.unknown, reading.lines_in_error
        );
        match report.failed + report.unknown + reading.lines_in_error {
            0 => ExitCode::SUCCESS,
            _ => ExitCode::FAILURE,
        }
    }
}

/// Ctrl-C ends the session in the place of the reading loop, which may be waiting for input.
fn end_on_ctrl_c(session: &Arc<Session>) -> Result<(), ctrlc::Error> {
    let (session, is_ending) = (session.clone(), AtomicBool::new(false));
    ctrlc::set_handler(move || {
        if is_ending.swap(true, Ordering::SeqCst) {
            exit(130);
        }
        let session = session.clone();
        // A thread of its own, so that the handler is free for a second Ctrl-C.
        std::thread::spawn(move || {
            let mut reading = session.turn();
            let code = session.finish(&mut reading);
            exit(i32::from(code != ExitCode::SUCCESS));
        });
    })
}

/// Shows errors until there are too many.
struct Errors {
    told: AtomicU64,
    has_progress: bool,
}

impl Errors {
    fn tell(&self, error: &str) {
        if self.told.fetch_add(1, Ordering::Relaxed) < ERRORS_SHOWN {
            self.clear_progress();
            eprintln!("{error}");
        }
    }

    fn tell_rest(&self) {
        self.clear_progress();
        let rest = self
            .told
            .load(Ordering::Relaxed)
            .saturating_sub(ERRORS_SHOWN);
        if rest > 0 {
            eprintln!("and {rest} more errors");
        }
    }

    fn clear_progress(&self) {
        if self.has_progress {
            eprint!("\r\x1b[K");
        }
    }
}
