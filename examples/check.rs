//! Says what stands between a producer's settings and its first record, stage by stage: names,
//! connections, certificates, logins, versions, advertised addresses, topics, permissions, sizes
//! and durability. Writes no record and creates no topic; ends with 0 if nothing has failed, else
//! with 1.
//!
//! ```text
//! cargo run --example check
//! cargo run --example check -- --bootstrap localhost:9092 --topic orders
//! cargo run --example check -- --config producer.properties --topic orders --seconds 10
//! ```
//!
//! The first needs no Kafka: it starts the cluster that the crate has for tests, and spoils it.

mod support;

use std::process::ExitCode;
use std::time::Duration;

use lexopt::prelude::*;
use milena::mock::MockCluster;
use milena::{Config, Error, Producer};

use support::{Settings, number, usage_error};

const USAGE: &str = "usage: check [--bootstrap HOST:PORT[,HOST:PORT]] [--config FILE.properties]
             [--property NAME=VALUE] [--topic TOPIC] [--seconds SECONDS]

--config, --property and --topic may be given more than once. Without --bootstrap and --config, a
cluster for tests is started inside this program. The check takes 30 seconds at most, unless
--seconds says otherwise.";

struct Options {
    settings: Settings,
    topics: Vec<String>,
    limit: Duration,
}

fn main() -> ExitCode {
    support::log_to_stderr();
    let options = match parse() {
        Ok(Some(options)) => options,
        Ok(None) => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
        Err(error) => return usage_error(error),
    };
    let Settings {
        bootstrap, files, ..
    } = &options.settings;
    let checked = match bootstrap.is_none() && files.is_empty() {
        true => check_embedded(&options),
        false => options
            .settings
            .config()
            .and_then(|config| check(config, &options)),
    };
    match checked {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// `None` if help was asked for.
fn parse() -> Result<Option<Options>, lexopt::Error> {
    let mut options = Options {
        settings: Settings::default(),
        topics: Vec::new(),
        limit: Duration::from_secs(30),
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Long("help") | Short('h') => return Ok(None),
            Long("bootstrap" | "bootstrap-server") => {
                options.settings.bootstrap = Some(parser.value()?.string()?);
            }
            Long("config") => options.settings.files.push(parser.value()?.into()),
            Long("property") => options.settings.add_property(parser.value()?)?,
            Long("topic") => options.topics.push(parser.value()?.string()?),
            Long("seconds") => options.limit = Duration::from_secs(number(parser.value()?)?),
            _ => return Err(argument.unexpected()),
        }
    }
    Ok(Some(options))
}

/// Whether nothing has failed.
fn check(config: Config, options: &Options) -> Result<bool, Error> {
    let producer = Producer::new(config)?;
    let topics: Vec<&str> = options.topics.iter().map(String::as_str).collect();
    let report = producer.check(&topics, options.limit);
    println!("{report}");
    Ok(report.is_ok())
}

/// Three brokers, of which one advertises an address that leads nowhere.
fn check_embedded(options: &Options) -> Result<bool, Error> {
    println!("No --bootstrap: three brokers for tests are started inside this program.\n");
    let cluster = MockCluster::start(3);
    cluster.create_topic("orders", 3);
    cluster.set_min_isr("orders", 2);
    cluster.advertise(3, "kafka-3.invalid", 9092);
    let topics = match options.topics.is_empty() {
        true => vec!["orders".to_owned()],
        false => options.topics.clone(),
    };
    let options = Options {
        settings: Settings::default(),
        topics,
        limit: options.limit,
    };
    check(Config::new(cluster.bootstrap()).idempotence(true), &options)
}
