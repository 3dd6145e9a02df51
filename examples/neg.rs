//! scratch
use milena::*;
use std::time::{Duration, Instant};
fn main() {
    let args: Vec<String> = std::env::args().collect();
    let mut c = Config::new(&args[1]);
    for kv in &args[3..] {
        let (k, v) = kv.split_once('=').unwrap();
        c = c.set(k, v).unwrap();
    }
    let p = match Producer::new(c) {
        Ok(p) => p,
        Err(e) => {
            println!("new: {e}");
            return;
        }
    };
    let t = Instant::now();
    println!("{:?}", p.send(Record::to(&args[2]).value("v")).wait());
    println!("took {:?}", t.elapsed());
    println!(
        "{:?}",
        p.try_send(Record::to("other")).map_err(|e| e.to_string())
    );
    let t = Instant::now();
    println!(
        "{:?} {:?}",
        p.close_timeout(Duration::from_secs(2)),
        t.elapsed()
    );
}
