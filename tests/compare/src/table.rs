//! The figures as tables in Markdown.

use crate::cells::{Cell, Contestant, Load};
use crate::figures::{Figure, Figures};
use crate::rounds::{Column, Row};

/// milena and librdkafka side by side, and below that what is below every producer.
pub(crate) fn tables(rows: &[Row]) -> String {
    let mut lines = String::new();
    for row in rows {
        let columns = (
            row.column(Contestant::Milena),
            row.column(Contestant::Librdkafka),
        );
        if let (Some(milena), Some(librdkafka)) = columns {
            side_by_side(&mut lines, row.cell, milena, librdkafka);
        }
    }
    let mut tables = Vec::new();
    if !lines.is_empty() {
        let head = "| | | milena | librdkafka | milena / librdkafka |\n|---|---|---|---|---|\n";
        tables.push(format!("{head}{lines}"));
    }
    tables.extend(rows.iter().filter_map(ping_pong));
    tables.extend(rows.iter().filter_map(tls));
    tables.join("\n")
}

fn side_by_side(text: &mut String, cell: &Cell, milena: &Column, librdkafka: &Column) {
    let mut name = cell.name;
    for figure in Figure::ALL {
        if !is_told(figure, cell) {
            continue;
        }
        let (milena, librdkafka) = (Spread::of(milena, figure), Spread::of(librdkafka, figure));
        let (Some(milena), Some(librdkafka)) = (milena, librdkafka) else {
            continue;
        };
        let ratio = match figure {
            Figure::BrokerShare => String::new(),
            _ => ratio(milena.median / librdkafka.median),
        };
        *text += &format!(
            "| {name} | {} | {} | {} | {ratio} |\n",
            figure.label(),
            milena.text(),
            librdkafka.text(),
        );
        name = "";
    }
}

/// Whether a figure says something of the clients in a cell.
fn is_told(figure: Figure, cell: &Cell) -> bool {
    match figure {
        Figure::RequestBytes => false,
        // It is what the load sets.
        Figure::Rate => !matches!(cell.load, Load::Rate { .. }),
        _ => true,
    }
}

/// A send that waits, beside a message that goes the same way without a producer.
fn ping_pong(row: &Row) -> Option<String> {
    let bare = row.column(Contestant::PingPong)?;
    let milena = row.column(Contestant::Milena)?;
    let mut text = "| | milena | bare socket ping-pong, threads as in milena | ratio |\n\
                    |---|---|---|---|\n"
        .to_owned();
    for figure in [Figure::P50, Figure::P99, Figure::Cpu] {
        let (milena, bare) = (Spread::of(milena, figure)?, Spread::of(bare, figure)?);
        text += &format!(
            "| {}, {} | {} | {} | {} |\n",
            row.cell.name,
            figure.label(),
            milena.text(),
            bare.text(),
            ratio(milena.median / bare.median),
        );
    }
    Some(text)
}

/// What TLS adds, beside what it adds to a bare socket: in each round, so that its noise cancels
/// out.
fn tls(row: &Row) -> Option<String> {
    let of = |contestant| row.column(contestant);
    let cpu = |column: &Column, round: usize| column.get(round)?.get(Figure::Cpu);
    let milena = (of(Contestant::Milena)?, of(Contestant::MilenaTls)?);
    let bare = (of(Contestant::Socket)?, of(Contestant::Rustls)?);
    let added = |(plain, tls): (&Column, &Column)| -> Option<Column> {
        let added = |round| {
            let mut figures = Figures::default();
            figures.note(Figure::Cpu, Some(cpu(tls, round)? - cpu(plain, round)?));
            Some(figures)
        };
        (0..tls.len()).map(added).collect()
    };
    let (milena_added, bare_added) = (added(milena)?, added(bare)?);
    let mut text = "| | plain text | TLS 1.3 | added by TLS |\n\
                    |---|---|---|---|\n"
        .to_owned();
    let lines = [
        ("CPU, ns/record: milena, 1 KiB", milena, &milena_added),
        (
            "CPU, ns/record: the same bytes and writes, bare",
            bare,
            &bare_added,
        ),
    ];
    for (name, (plain, tls), added) in lines {
        let cell = |column: &Column| Some(Spread::of(column, Figure::Cpu)?.text());
        text += &format!(
            "| {name} | {} | {} | {} |\n",
            cell(plain)?,
            cell(tls)?,
            cell(added)?
        );
    }
    let request = |column: &Column| Some(Spread::of(column, Figure::RequestBytes)?.text());
    text += &format!(
        "| bytes in a request of milena | {} | {} | |\n",
        request(milena.0)?,
        request(milena.1)?
    );
    let median = |column: &Column| Some(Spread::of(column, Figure::Cpu)?.median);
    let added = ratio(median(&milena_added)? / median(&bare_added)?);
    text += &format!("| milena / bare | | | {added} |\n");
    Some(text)
}

/// A figure over all rounds.
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    /// `None` if it was not measured in each round.
    fn of(column: &Column, figure: Figure) -> Option<Self> {
        let values = column.iter().map(|figures| figures.get(figure));
        let mut values: Vec<f64> = values.collect::<Option<_>>()?;
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => (values.get(middle.checked_sub(1)?)? + values[middle]) / 2.0,
            _ => values[middle],
        };
        Some(Self {
            median,
            min: *values.first()?,
            max: *values.last()?,
        })
    }

    fn text(&self) -> String {
        let number = |value: f64| match value.abs() {
            // Three figures are as much as there is in a measurement.
            1000.0.. => {
                let unit = 10_f64.powf(value.abs().log10().floor() - 2.0);
                grouped(((value / unit).round() * unit).round() as i64)
            }
            100.0.. => grouped(value.round() as i64),
            _ => format!("{value:.1}"),
        };
        format!(
            "{} ({}–{})",
            number(self.median),
            number(self.min),
            number(self.max)
        )
    }
}

fn ratio(value: f64) -> String {
    match value {
        ..0.1 => format!("{value:.3}"),
        _ => format!("{value:.2}"),
    }
}

/// With commas between thousands.
fn grouped(number: i64) -> String {
    match number {
        -999..=999 => number.to_string(),
        _ => format!("{},{:03}", grouped(number / 1000), (number % 1000).abs()),
    }
}
