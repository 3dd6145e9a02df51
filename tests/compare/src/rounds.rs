//! Measurements in turn, each in a process of its own with a broker of its own.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::cells::{Cell, Contestant, Load};
use crate::child::Process;
use crate::figures::{Figure, Figures};
use crate::options::Options;

/// The figures of a contestant, one of each round.
pub(crate) type Column = Vec<Figures>;

/// What was measured in a cell.
pub(crate) struct Row {
    pub(crate) cell: &'static Cell,
    pub(crate) columns: Vec<(Contestant, Column)>,
}

impl Row {
    pub(crate) fn column(&self, contestant: Contestant) -> Option<&Column> {
        let found = self.columns.iter().find(|(one, _)| *one == contestant);
        found.map(|(_, column)| column)
    }
}

/// All cells, and in each all contestants, in each round.
pub(crate) fn run(options: &Options) -> Result<Vec<Row>, String> {
    let contestants = |cell: &'static Cell| {
        let takes_part = |one: &&Contestant| options.bootstrap.is_none() || one.is_producer();
        let columns = cell.contestants.iter().filter(takes_part);
        Row {
            cell,
            columns: columns.map(|one| (*one, Column::new())).collect(),
        }
    };
    let mut rows: Vec<Row> = options.cells.iter().copied().map(contestants).collect();
    for round in 1..=options.rounds {
        for Row { cell, columns } in &mut rows {
            let mut last = Figures::default();
            for (contestant, column) in columns {
                let name = contestant.name();
                eprintln!("round {round} of {}: {}, {name}", options.rounds, cell.name);
                let figures = measured(options, cell, *contestant, &last)
                    .map_err(|error| format!("{}, {name}: {error}", cell.name))?;
                if contestant.is_producer() {
                    last = figures.clone();
                }
                column.push(figures);
            }
        }
    }
    Ok(rows)
}

/// A process for the first record has little to say: the median of some.
fn measured(
    options: &Options,
    cell: &Cell,
    contestant: Contestant,
    last: &Figures,
) -> Result<Figures, String> {
    let times = if cell.load == Load::First { 5 } else { 1 };
    let mut all = Vec::new();
    for _ in 0..times {
        all.push(once(options, cell, contestant, last)?);
    }
    let first = |figures: &Figures| figures.get(Figure::First).unwrap_or(0.0);
    all.sort_by(|a, b| first(a).total_cmp(&first(b)));
    Ok(all.swap_remove(times / 2))
}

/// `last` are the figures of the producer before it, whose bytes the bare sockets write.
fn once(
    options: &Options,
    cell: &Cell,
    contestant: Contestant,
    last: &Figures,
) -> Result<Figures, String> {
    let records = cell.records(options.records);
    let broker = match options.bootstrap {
        None => Some(Broker::start(contestant == Contestant::MilenaTls)?),
        Some(_) => None,
    };
    let address = match (&options.bootstrap, &broker) {
        (Some(bootstrap), _) => bootstrap.clone(),
        (None, Some(broker)) => broker.address(contestant)?,
        (None, None) => return Err("there is no broker".into()),
    };
    let mut arguments = vec![
        "client".to_owned(),
        contestant.name().to_owned(),
        cell.name.to_owned(),
        address,
        records.to_string(),
    ];
    for figure in [Figure::WireBytes, Figure::RequestBytes] {
        arguments.push(last.get(figure).unwrap_or(0.0).to_string());
    }
    let client = Process::start(&arguments)?;
    let mut figures = Figures::default();
    let mut cpu = Duration::ZERO;
    while let Some((at, line)) = client.line() {
        match line.split_once(' ') {
            Some(("cpu_us", micros)) => {
                cpu = Duration::from_micros(micros.parse().unwrap_or(0));
            }
            None if line == "acknowledged" => {
                let time = at.duration_since(client.began);
                figures.note(Figure::First, Some(time.as_secs_f64() * 1e3));
            }
            _ => figures.note_line(&line),
        }
    }
    if !client.has_succeeded() {
        return Err("the process has failed".into());
    }
    if let Some(broker) = broker {
        let share = broker.cpu_time().as_secs_f64();
        let share = share / (share + cpu.as_secs_f64());
        // In the time of one record there is nothing to see.
        let share = Some(share * 100.0).filter(|_| cell.load != Load::First);
        figures.note(Figure::BrokerShare, share);
        let sent = records + cell.warm_up(records);
        broker.end(if contestant.is_producer() { sent } else { 0 })?;
    }
    Ok(figures)
}

/// The null broker's process.
struct Broker {
    process: Process,
    addresses: BTreeMap<String, String>,
    /// Before the first client.
    cpu: Duration,
}

impl Broker {
    fn start(is_tls: bool) -> Result<Self, String> {
        let kind = if is_tls { "tls" } else { "plain" };
        let process = Process::start(&["broker".to_owned(), kind.to_owned()])?;
        let mut addresses = BTreeMap::new();
        while addresses.len() < 4 {
            let (_, line) = process.line().ok_or("the null broker did not start")?;
            if let Some((name, address)) = line.split_once(' ') {
                addresses.insert(name.to_owned(), address.to_owned());
            }
        }
        let cpu = process.cpu_time();
        Ok(Self {
            process,
            addresses,
            cpu,
        })
    }

    fn address(&self, contestant: Contestant) -> Result<String, String> {
        let name = match contestant.is_producer() {
            true => "bootstrap",
            false => contestant.name(),
        };
        let address = self.addresses.get(name).cloned();
        address.ok_or_else(|| format!("the null broker has no {name}"))
    }

    fn cpu_time(&self) -> Duration {
        self.process.cpu_time().saturating_sub(self.cpu)
    }

    /// An acknowledged record that is not there would be no measurement.
    fn end(mut self, sent: u64) -> Result<(), String> {
        self.process.end_input();
        match self.process.line() {
            Some((_, line)) if line == format!("records {sent}") => Ok(()),
            other => Err(format!(
                "{sent} records were acknowledged, and the broker says: {}",
                other.map_or_else(|| "nothing".to_owned(), |(_, line)| line)
            )),
        }
    }
}
