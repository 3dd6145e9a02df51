//! What the run prints at its end.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use milena::CloseReport;

use super::checker::{Counts, Evidence, Fault, Verdict};
use super::history::Told;
use super::nemesis::Nemesis;
use super::proxy::{self, Proxy};

/// Of each kind of fault, so many are shown.
const SHOWN: usize = 10;
const SPAN_SECONDS: u64 = 5;

pub(super) fn print(
    evidence: &Evidence,
    verdict: &Verdict,
    nemesis: &Nemesis<'_>,
    proxies: &[Proxy],
    lag: Duration,
) {
    let counts = &verdict.counts;
    for (fault, texts) in &verdict.faults {
        println!("\n{fault:?}: {}", texts.len());
        texts
            .iter()
            .take(SHOWN)
            .for_each(|text| println!("  {text}"));
    }
    if !verdict.faults.is_empty() {
        println!("\nwhat was done:\n{}", nemesis.timeline.join("\n"));
    }
    let not_written: usize = counts.not_written.values().sum();
    let found = |faults: &[Fault]| -> usize {
        let texts = faults.iter().filter_map(|fault| verdict.faults.get(fault));
        texts.map(Vec::len).sum()
    };
    let told_wrong = [
        Fault::WrongOffset,
        Fault::NotWrittenButThere,
        Fault::ResolvedTwice,
    ];
    let strange = [Fault::Corrupt, Fault::Phantom];
    let late = [Fault::LateResult, Fault::LongSend, Fault::Unresolved];
    println!("\nrecords         {}", evidence.operations.len());
    println!(
        "acknowledged    {} ({} without an offset)",
        counts.acknowledged, counts.without_offset
    );
    println!(
        "unknown         {} ({} of them in the log)",
        counts.unknown, counts.unknown_there
    );
    println!("not written     {not_written} {:?}", counts.not_written);
    println!("lost            {}", found(&[Fault::Lost]));
    println!("duplicates      {}", found(&[Fault::Duplicate]));
    println!("  not idempotent {}", counts.repeated);
    println!("reordered       {}", found(&[Fault::Reordered]));
    println!("told in disorder {}", found(&[Fault::ToldOutOfOrder]));
    println!("told wrong      {}", found(&told_wrong));
    println!("corrupt, alien  {}", found(&strange));
    println!("late, never     {}", found(&late));
    println!("sequence gaps   {}", found(&[Fault::SequenceGap]));
    println!("failed in calm  {}", found(&[Fault::NotDeliveredInCalm]));
    println!(
        "longest: result {:.3} s, send {:.3} s, lag of the machine {:.3} s",
        counts.longest_result.as_secs_f64(),
        counts.longest_send.as_secs_f64(),
        lag.as_secs_f64()
    );
    print_faults(nemesis, proxies);
    print_rates(evidence);
}

/// What the producers count is what the history counts.
pub(super) fn assert_reports(reports: &[CloseReport], counts: &Counts) {
    let sum = |of: fn(&CloseReport) -> u64| reports.iter().map(of).sum::<u64>();
    let told = [
        sum(|it| it.delivered),
        sum(|it| it.failed),
        sum(|it| it.unknown),
    ];
    let not_written: usize = counts.not_written.values().sum();
    let seen = [counts.acknowledged, not_written, counts.unknown].map(|count| count as u64);
    assert_eq!(
        told, seen,
        "delivered, failed, unknown: by close(), and by callbacks"
    );
}

/// How many records were acknowledged in each span of time.
fn print_rates(evidence: &Evidence) {
    let mut rates: Vec<usize> = Vec::new();
    let resolutions = evidence
        .operations
        .iter()
        .filter_map(|it| it.resolution.as_ref());
    for resolution in resolutions.filter(|it| matches!(it.told, Told::Delivered(..))) {
        let span = usize::try_from(resolution.at.as_secs() / SPAN_SECONDS).expect("a short run");
        rates.resize(rates.len().max(span + 1), 0);
        rates[span] += 1;
    }
    println!("acknowledged in each {SPAN_SECONDS} s: {rates:?}");
}

fn print_faults(nemesis: &Nemesis<'_>, proxies: &[Proxy]) {
    let sum = |of: fn(&proxy::Counts) -> &AtomicU64| -> u64 {
        let counts = proxies
            .iter()
            .map(|proxy| of(proxy.counts()).load(Ordering::SeqCst));
        counts.sum()
    };
    println!(
        "faults          {}: {} moves of leaders, {} connections, {} reset, {} answers cut, \
         {} answers lost, {} late requests",
        nemesis.faults,
        nemesis.moves,
        sum(|it| &it.connections),
        sum(|it| &it.resets),
        sum(|it| &it.cuts),
        sum(|it| &it.answers_lost),
        sum(|it| &it.late_requests),
    );
}
