//! scratch
use milena::*;
use std::time::Instant;
fn main() {
    let bootstrap = std::env::args().nth(1).unwrap();
    let topic = std::env::args().nth(2).unwrap();
    let n: usize = std::env::args().nth(3).unwrap().parse().unwrap();
    let t = Instant::now();
    let p = Producer::new(Config::new(bootstrap).set("acks", "all").unwrap()).unwrap();
    println!(
        "{:?}",
        p.send(Record::to(&topic).key("k").value("v").header("h", "1"))
            .wait()
    );
    println!("first {:?}", t.elapsed());
    let mut lat = vec![];
    for _ in 0..2000 {
        let t = Instant::now();
        p.send(Record::to(&topic).value("x")).wait().unwrap();
        lat.push(t.elapsed());
    }
    lat.sort();
    println!("p50 {:?} p99 {:?}", lat[1000], lat[1980]);
    let t = Instant::now();
    let value = [b'x'; 100];
    let mut last = None;
    for _ in 0..n {
        last = Some(p.send(Record::to(&topic).value(&value[..])));
    }
    println!("sent {:?}", t.elapsed());
    p.flush().unwrap();
    println!("flushed {:?} {:?}", t.elapsed(), last.unwrap().try_get());
    println!("{:?}", p.metrics());
    println!("{:?}", p.close());
}
