//! A record through a proxy: all connections, to the bootstrap server and to the brokers that it
//! tells of, are made by a dialer of the program's own.
//!
//! ```text
//! ssh -D 1080 gateway.example.com
//! cargo run --example socks5 -- socks5://localhost:1080 kafka-1.internal:9092 [TOPIC]
//! cargo run --example socks5 -- http://proxy:3128 kafka-1.internal:9092 [TOPIC]
//! ```
//!
//! Only the proxy has to know the brokers' names. Where it asks for a password, SOCKS5_USER and
//! SOCKS5_PASSWORD hold the credentials. The topic is "socks5" unless named.

#[path = "support/proxies.rs"]
mod proxies;
mod support;

use std::process::ExitCode;

use milena::{Config, Error, Producer, Record};

use crate::proxies::{HttpConnect, Socks5};

const USAGE: &str = "usage: socks5 socks5://HOST:PORT|http://HOST:PORT BOOTSTRAP [TOPIC]";

fn main() -> ExitCode {
    support::log_to_stderr();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (proxy, bootstrap, topic) = match &arguments[..] {
        [proxy, bootstrap] => (proxy, bootstrap, "socks5"),
        [proxy, bootstrap, topic] => (proxy, bootstrap, topic.as_str()),
        _ => return support::usage_error(USAGE),
    };
    let config = Config::new(bootstrap);
    let config = match proxy.split_once("://") {
        Some(("socks5", proxy)) => config.dialer(Socks5 {
            proxy: proxy.into(),
            login: std::env::var("SOCKS5_USER")
                .ok()
                .zip(std::env::var("SOCKS5_PASSWORD").ok()),
        }),
        Some(("http", proxy)) => config.dialer(HttpConnect {
            proxy: proxy.into(),
        }),
        _ => return support::usage_error(USAGE),
    };
    match run(config, topic) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(config: Config, topic: &str) -> Result<(), Error> {
    let producer = Producer::new(config)?;
    let record = Record::to(topic).value("through a proxy");
    let metadata = producer.send(record).wait()?;
    println!("written to partition {}", metadata.partition());
    producer.close()?;
    Ok(())
}
