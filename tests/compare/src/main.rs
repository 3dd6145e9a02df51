//! milena beside librdkafka, in interleaved rounds of one run.
//!
//! ```text
//! cargo run --release --manifest-path tests/compare/Cargo.toml
//! cargo run --release --manifest-path tests/compare/Cargo.toml -- --cells 'sync;lz4' --rounds 3
//! ```
//!
//! Each measurement is a process of its own, against a null broker in another process, so that CPU
//! time and memory are those of one client. Needs Linux, a C compiler and make.

mod api_versions;
mod broker;
mod cells;
mod child;
mod client;
mod figures;
mod librdkafka;
mod load;
mod machine;
mod measured;
mod milena_client;
mod options;
mod payload;
mod raw;
mod rounds;
mod table;
mod tls;

use std::process::ExitCode;

use cells::{CELLS, Cell, Contestant};
use client::{Client, Target};
use figures::{Figure, Figures};
use options::{Asked, Options, USAGE};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // How this program starts itself, see `rounds`.
    let result = match words[..] {
        ["broker", kind] => broker::run(kind == "tls"),
        [
            "client",
            contestant,
            cell,
            address,
            records,
            record_bytes,
            request_bytes,
        ] => client(
            contestant,
            cell,
            address,
            [records, record_bytes, request_bytes],
        ),
        _ => match Options::parse() {
            Ok(Asked::Compare(options)) => compare(&options).map_err(Into::into),
            Ok(Asked::Usage) => {
                println!("{USAGE}");
                Ok(())
            }
            Ok(Asked::List) => {
                CELLS.iter().for_each(|cell| println!("{}", cell.name));
                Ok(())
            }
            Err(error) => {
                eprintln!("{error}\n\n{USAGE}");
                return ExitCode::from(2);
            }
        },
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(options: &Options) -> Result<(), String> {
    let rows = rounds::run(options)?;
    let broker = match options.bootstrap {
        None => "null broker on the same machine",
        Some(_) => "a cluster",
    };
    println!("{}\n", machine::told(options.rounds, broker));
    print!("{}", table::tables(&rows));
    Ok(())
}

/// One measurement.
fn client(
    contestant: &str,
    cell: &str,
    address: &str,
    [records, record_bytes, request_bytes]: [&str; 3],
) -> Result<(), Failure> {
    let contestant = Contestant::named(contestant).ok_or("no such contestant")?;
    let cell = Cell::named(cell).ok_or("no such cell")?;
    let records = records.parse()?;
    let amount = raw::Amount {
        records,
        record_bytes: record_bytes.parse()?,
        write_bytes: request_bytes.parse::<f64>()? as usize,
    };
    let target = Target {
        cell,
        bootstrap: address,
        tls_ca: (contestant == Contestant::MilenaTls).then_some(tls::CA),
    };
    let run = |client: &dyn Client| load::run(client, cell, records);
    let mut figures: Figures = match contestant {
        Contestant::Milena | Contestant::MilenaTls => run(&milena_client::Milena::new(&target)?)?,
        Contestant::Librdkafka => run(&librdkafka::Librdkafka::new(&target)?)?,
        Contestant::Socket => raw::socket(address, &amount)?,
        Contestant::Rustls => raw::rustls(address, &amount)?,
        Contestant::PingPong => raw::ping_pong(address, records)?,
    };
    let resident = measured::peak_resident().map(|bytes| bytes as f64 / 1e6);
    figures.note(Figure::Resident, resident);
    print!("{}", figures.to_lines());
    println!("cpu_us {}", measured::cpu_time().as_micros());
    Ok(())
}
