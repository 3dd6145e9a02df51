//! Tells what a properties file comes to: every setting with its value and where that comes from,
//! and what works against each other. Connects to nothing, and shows no password.
//!
//! ```text
//! cargo run --example explain -- producer.properties
//! ```

use std::process::ExitCode;

use milena::Config;

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: explain FILE.properties");
        return ExitCode::FAILURE;
    };
    let explained = match Config::from_file(path) {
        Ok(config) => config.explain(),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::FAILURE;
        }
    };
    print!("{explained}");
    match explained.error() {
        None => ExitCode::SUCCESS,
        Some(_) => ExitCode::FAILURE,
    }
}
