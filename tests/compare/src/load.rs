//! The loads: what a producer is made to do, and what that cost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use crate::cells::{Cell, Load};
use crate::client::{Client, micros};
use crate::figures::{Figure, Figures};
use crate::measured::{Phase, Spent, percentile};
use crate::payload::Payload;

/// How a load went.
struct Outcome {
    /// With the warm-up.
    acknowledged: u64,
    spent: Spent,
    /// In microseconds.
    times: Vec<u32>,
}

/// Runs the load of a cell, after a warm-up of the same kind.
pub(crate) fn run(client: &dyn Client, cell: &Cell, records: u64) -> Result<Figures, String> {
    let payload = match cell.load {
        Load::First => return first(client, cell),
        _ => Payload::new(cell.value_bytes),
    };
    let warm_up = cell.warm_up(records);
    let mut outcome = match cell.load {
        Load::Sync { threads } => sync(client, &payload, [warm_up, records], threads),
        Load::Rate { per_second } => served(client, || {
            paced(client, &payload, warm_up, per_second);
            let warmed_up = client.take_times().len() as u64;
            let phase = Phase::start();
            paced(client, &payload, records, per_second);
            let times = client.take_times();
            Outcome {
                acknowledged: warmed_up + times.len() as u64,
                spent: phase.end(),
                times,
            }
        }),
        _ => {
            let warmed_up = client.throughput(&payload, warm_up);
            let phase = Phase::start();
            let acknowledged = client.throughput(&payload, records);
            Outcome {
                acknowledged: warmed_up + acknowledged,
                spent: phase.end(),
                times: Vec::new(),
            }
        }
    };
    let (acknowledged, all) = (outcome.acknowledged, warm_up + records);
    if acknowledged != all {
        return Err(format!("{acknowledged} of {all} were acknowledged"));
    }
    let mut figures = of_phase(&outcome.spent, records);
    outcome.times.sort_unstable();
    for (figure, share) in [(Figure::P50, 0.5), (Figure::P99, 0.99)] {
        figures.note(figure, percentile(&outcome.times, share));
    }
    let needs_bytes = cell.codec != "none" || !cell.is_for_clusters();
    if let Some(sent) = needs_bytes.then(|| client.sent(all)).flatten() {
        figures.note(Figure::WireBytes, Some(sent.bytes as f64 / all as f64));
        let request = sent.bytes as f64 / sent.requests.max(1) as f64;
        figures.note(Figure::RequestBytes, Some(request));
    }
    Ok(figures)
}

/// CPU and speed.
pub(crate) fn of_phase(spent: &Spent, records: u64) -> Figures {
    let mut figures = Figures::default();
    let records = records as f64;
    let cpu = spent.cpu.as_secs_f64() * 1e9 / records;
    figures.note(Figure::Cpu, Some(cpu));
    figures.note(Figure::Rate, Some(records / spent.wall.as_secs_f64()));
    figures
}

/// `run` while another thread serves the client, if it needs that.
fn served<T>(client: &dyn Client, run: impl FnOnce() -> T) -> T {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| client.serve(&stop));
        let result = run();
        stop.store(true, Ordering::Relaxed);
        result
    })
}

fn first(client: &dyn Client, cell: &Cell) -> Result<Figures, String> {
    if !client.send_and_wait(0, &vec![b'x'; cell.value_bytes]) {
        return Err("the record was not acknowledged".into());
    }
    // Whoever started the process stops the clock when it reads this.
    println!("acknowledged");
    Ok(Figures::default())
}

/// The same threads warm up and are measured. `records` are those of all threads.
fn sync(client: &dyn Client, payload: &Payload, records: [u64; 2], threads: usize) -> Outcome {
    if threads == 1 {
        let alone = |records| sync_thread(client, payload, 0, records);
        let warmed_up = alone(records[0]).len();
        let phase = Phase::start();
        let times = alone(records[1]);
        return Outcome {
            acknowledged: (warmed_up + times.len()) as u64,
            spent: phase.end(),
            times,
        };
    }
    let each = records.map(|records| records / threads as u64);
    let barrier = Barrier::new(threads + 1);
    let all = Mutex::new((0, Vec::new()));
    let spent = served(client, || {
        thread::scope(|scope| {
            for thread in 0..threads {
                let (barrier, all) = (&barrier, &all);
                scope.spawn(move || {
                    let warmed_up = sync_thread(client, payload, thread, each[0]).len();
                    barrier.wait();
                    barrier.wait();
                    let times = sync_thread(client, payload, thread, each[1]);
                    barrier.wait();
                    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                    all.0 += warmed_up + times.len();
                    all.1.extend(times);
                });
            }
            barrier.wait();
            let phase = Phase::start();
            barrier.wait();
            barrier.wait();
            phase.end()
        })
    });
    let (acknowledged, times) = all.into_inner().unwrap_or_else(PoisonError::into_inner);
    Outcome {
        acknowledged: acknowledged as u64,
        spent,
        times,
    }
}

/// The times of those that were acknowledged.
fn sync_thread(client: &dyn Client, payload: &Payload, thread: usize, records: u64) -> Vec<u32> {
    let mut times = Vec::with_capacity(records as usize);
    for number in 0..records {
        let sent = Instant::now();
        if client.send_and_wait(thread, payload.value(number)) {
            times.push(micros(sent.elapsed()));
        }
    }
    times
}

/// Ticks of a millisecond. Time counts from the tick; from when it was due, if the one before it
/// took too long.
fn paced(client: &dyn Client, payload: &Payload, records: u64, per_second: u64) {
    const TICK: Duration = Duration::from_millis(1);
    let records_per_tick = (per_second / 1000).max(1);
    let mut due = Instant::now();
    for tick in 0..records.div_ceil(records_per_tick) {
        let early = due.saturating_duration_since(Instant::now());
        thread::sleep(early);
        let from = if early.is_zero() { due } else { Instant::now() };
        let first = tick * records_per_tick;
        for number in first..(first + records_per_tick).min(records) {
            client.send_timed(payload.value(number), from);
        }
        due += TICK;
    }
}
