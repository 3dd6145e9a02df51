//! The numbers of a measurement, and how a process hands them to its parent.

use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Figure {
    /// Nanoseconds a record.
    Cpu,
    /// Records a second.
    Rate,
    /// Microseconds.
    P50,
    P99,
    /// A record's part of the requests.
    WireBytes,
    RequestBytes,
    /// Milliseconds from the start of the process to the first acknowledged record.
    First,
    /// MB.
    Resident,
    /// Of the CPU time of broker and client together, per cent.
    BrokerShare,
}

impl Figure {
    pub(crate) const ALL: [Self; 9] = [
        Self::Cpu,
        Self::Rate,
        Self::P50,
        Self::P99,
        Self::WireBytes,
        Self::RequestBytes,
        Self::First,
        Self::Resident,
        Self::BrokerShare,
    ];

    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Cpu => "CPU, ns/record",
            Self::Rate => "records/s",
            Self::P50 => "p50, µs",
            Self::P99 => "p99, µs",
            Self::WireBytes => "bytes sent/record",
            Self::RequestBytes => "bytes/request",
            Self::First => "ms from process start",
            Self::Resident => "peak resident, MB",
            Self::BrokerShare => "broker's share of CPU, %",
        }
    }

    fn name(self) -> String {
        format!("{self:?}")
    }
}

/// Figures of one measurement.
#[derive(Clone, Debug, Default)]
pub(crate) struct Figures(BTreeMap<Figure, f64>);

impl Figures {
    pub(crate) fn note(&mut self, figure: Figure, value: Option<f64>) {
        if let Some(value) = value {
            self.0.insert(figure, value);
        }
    }

    pub(crate) fn get(&self, figure: Figure) -> Option<f64> {
        self.0.get(&figure).copied()
    }

    /// A line for each, which [`note_line`](Self::note_line) reads.
    pub(crate) fn to_lines(&self) -> String {
        let line = |(figure, value): (&Figure, &f64)| format!("{} {value}\n", figure.name());
        self.0.iter().map(line).collect()
    }

    pub(crate) fn note_line(&mut self, line: &str) {
        if let Some((name, value)) = line.split_once(' ') {
            let figure = Figure::ALL.into_iter().find(|one| one.name() == name);
            if let (Some(figure), Ok(value)) = (figure, value.parse()) {
                self.note(figure, Some(value));
            }
        }
    }
}
