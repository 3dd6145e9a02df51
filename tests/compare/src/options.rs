//! The command line.

use lexopt::prelude::*;

use crate::cells::{CELLS, Cell};

pub(crate) const USAGE: &str = "Compares milena with librdkafka, in rounds of one run.

usage: milena-compare [OPTION...]

  --cells TEXT[;...] the rows whose name has one of these texts, else all
  --rounds NUMBER    how often each is measured, else 5
  --records NUMBER   in each measurement, else as many as take a second or so
  --bootstrap HOST:PORT[,...]
                     a cluster, else a null broker in a process of its own. It has to have the
                     topics compare-1 and compare-12, with so many partitions
  --list             the names of all rows

The table goes to the output, and what is being measured to the error output.";

pub(crate) struct Options {
    pub(crate) cells: Vec<&'static Cell>,
    pub(crate) rounds: usize,
    pub(crate) records: Option<u64>,
    pub(crate) bootstrap: Option<String>,
}

pub(crate) enum Asked {
    Compare(Options),
    Usage,
    List,
}

impl Options {
    pub(crate) fn parse() -> Result<Asked, lexopt::Error> {
        let mut options = Self {
            cells: CELLS.iter().collect(),
            rounds: 5,
            records: None,
            bootstrap: None,
        };
        let mut parser = lexopt::Parser::from_env();
        while let Some(argument) = parser.next()? {
            match argument {
                Long("help") | Short('h') => return Ok(Asked::Usage),
                Long("list") => return Ok(Asked::List),
                Long("cells") => {
                    let texts = parser.value()?.string()?;
                    let is_meant =
                        |cell: &&Cell| texts.split(';').any(|text| cell.name.contains(text));
                    options.cells.retain(is_meant);
                    if options.cells.is_empty() {
                        return Err(format!("no row has {texts:?} in its name, see --list").into());
                    }
                }
                Long("rounds") => options.rounds = parser.value()?.parse()?,
                Long("records") => options.records = Some(parser.value()?.parse()?),
                Long("bootstrap") => options.bootstrap = Some(parser.value()?.string()?),
                _ => return Err(argument.unexpected()),
            }
        }
        if options.rounds == 0 || options.records == Some(0) {
            return Err("--rounds and --records take positive numbers".into());
        }
        if options.bootstrap.is_some() {
            options.cells.retain(|cell| cell.is_for_clusters());
        }
        Ok(Asked::Compare(options))
    }
}
