use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Wake;

use super::*;
use crate::error::{ErrorKind, Outcome};

/// Counts how often it was woken; perhaps panics then.
#[derive(Default)]
struct Alarm {
    rings: AtomicUsize,
    panics: bool,
}

impl Alarm {
    fn rings(&self) -> usize {
        self.rings.load(Ordering::SeqCst)
    }
}

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        self.rings.fetch_add(1, Ordering::SeqCst);
        if self.panics {
            std::panic::resume_unwind(Box::new(()));
        }
    }
}

/// Notes that somebody was in a hurry.
#[derive(Default)]
struct Hurried(AtomicUsize);

impl Hurry for Hurried {
    fn hurry(self: Arc<Self>, _: &Completion) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn completion() -> (Arc<Completion>, Arc<Hurried>, Arc<CallbackQueue>) {
    let callbacks: Arc<CallbackQueue> = Arc::default();
    let hurried = Arc::new(Hurried::default());
    let hurry: Arc<dyn Hurry> = hurried.clone();
    let completion = Completion::new("orders".into(), 3, Arc::downgrade(&hurry), &callbacks);
    (Arc::new(completion), hurried, callbacks)
}

fn delivery(completion: &Arc<Completion>, index: u32) -> Delivery {
    let slot = Slot {
        index,
        timestamp_ms: 77,
        key_size: -1,
        value_size: 5,
    };
    Delivery::new(completion.clone(), slot)
}

fn acknowledged(base_offset: Option<i64>, log_append_time_ms: Option<i64>) -> Resolution {
    Ok(Acknowledged {
        base_offset,
        log_append_time_ms,
        ..Acknowledged::default()
    })
}

fn poll(delivery: &mut Delivery, alarm: &Arc<Alarm>) -> Poll<Result<RecordMetadata, Error>> {
    let waker = Waker::from(alarm.clone());
    Pin::new(delivery).poll(&mut Context::from_waker(&waker))
}

#[test]
fn each_record_reads_its_own_place_from_the_acknowledgement_of_its_batch() {
    let (completion, ..) = completion();
    let (first, third) = (delivery(&completion, 0), delivery(&completion, 2));
    assert!(first.try_get().is_none() && !first.is_done());
    assert!(completion.resolve(acknowledged(Some(100), None)));
    let metadata = third.wait().expect("acknowledged");
    assert_eq!((metadata.topic(), metadata.partition()), ("orders", 3));
    assert_eq!(
        (metadata.offset(), metadata.timestamp_ms()),
        (Some(102), 77)
    );
    assert_eq!(
        (metadata.key_size(), metadata.value_size()),
        (None, Some(5))
    );
    let metadata = first.try_get().expect("a result").expect("acknowledged");
    assert_eq!(metadata.offset(), Some(100));
}

#[test]
fn a_broker_that_tells_no_offset_gives_none_and_its_time_counts() {
    let (completion, ..) = completion();
    completion.resolve(acknowledged(None, Some(99)));
    let metadata = delivery(&completion, 2).wait().expect("acknowledged");
    assert_eq!((metadata.offset(), metadata.timestamp_ms()), (None, 99));
}

#[test]
fn only_the_first_result_counts() {
    let (completion, ..) = completion();
    let delivery = delivery(&completion, 0);
    let counted = AtomicUsize::new(0);
    let count = || {
        counted.fetch_add(1, Ordering::SeqCst);
    };
    let late = Error::new(ErrorKind::TimedOut, "late").with_outcome(Outcome::Unknown);
    assert!(completion.resolve_and(Err(Failure::from(late)), count));
    assert!(!completion.resolve_and(acknowledged(Some(1), None), count));
    assert_eq!(counted.load(Ordering::SeqCst), 1);
    let error = delivery.wait().expect_err("the first was an error");
    assert_eq!(
        (error.kind(), error.outcome()),
        (ErrorKind::TimedOut, Outcome::Unknown)
    );
}

#[test]
fn a_record_that_the_broker_blamed_has_an_error_of_its_own() {
    let (completion, ..) = completion();
    let error = |text: &str| Error::new(ErrorKind::Broker, text);
    completion.resolve(Err(Failure {
        error: error("the batch"),
        records: vec![
            (1, error("this one")),
            (1, error("again")),
            (u32::MAX, error("nobody")),
        ],
    }));
    let told = |index| {
        delivery(&completion, index)
            .wait()
            .expect_err("failed")
            .to_string()
    };
    assert_eq!(
        [told(0), told(1), told(2)],
        ["the batch", "this one", "the batch"]
    );
}

#[test]
fn who_waits_hurries_the_batch_and_gets_the_result_from_another_thread() {
    let (completion, hurried, _) = completion();
    assert!(
        delivery(&completion, 0)
            .wait_timeout(Duration::ZERO)
            .is_none()
    );
    assert_eq!(hurried.0.load(Ordering::SeqCst), 1);
    std::thread::scope(|scope| {
        let waits = [None, Some(Duration::MAX), Some(Duration::from_secs(60))].map(|limit| {
            let delivery = delivery(&completion, 0);
            scope.spawn(move || match limit {
                None => delivery.wait().is_ok(),
                Some(limit) => delivery.wait_timeout(limit).expect("in time").is_ok(),
            })
        });
        while completion.changed.waiting() < waits.len() {
            std::thread::yield_now();
        }
        completion.resolve(acknowledged(Some(1), None));
        let ended = waits.map(|wait| wait.join().expect("no panic"));
        assert_eq!(ended, [true; 3]);
    });
    assert_eq!(hurried.0.load(Ordering::SeqCst), 4);
    let done = delivery(&completion, 0).wait_timeout(Duration::ZERO);
    assert!(done.is_some(), "there is nothing to wait for");
    assert_eq!(hurried.0.load(Ordering::SeqCst), 4, "nor to hurry");
}

#[test]
fn a_task_is_woken_once_for_each_record_that_it_awaits() {
    let (completion, hurried, _) = completion();
    let (mut first, mut second) = (delivery(&completion, 0), delivery(&completion, 1));
    let [old, new, other] = [(); 3].map(|()| Arc::new(Alarm::default()));
    assert!(poll(&mut first, &old).is_pending());
    assert!(poll(&mut first, &new).is_pending());
    assert!(poll(&mut second, &other).is_pending());
    assert_eq!(hurried.0.load(Ordering::SeqCst), 3);
    completion.resolve(acknowledged(Some(10), None));
    assert_eq!([old.rings(), new.rings(), other.rings()], [0, 1, 1]);
    let Poll::Ready(Ok(metadata)) = poll(&mut second, &other) else {
        panic!("not ready");
    };
    assert_eq!(metadata.offset(), Some(11));
    assert_eq!(Arc::strong_count(&new), 1, "a waker is kept");
}

#[test]
fn a_delivery_that_is_polled_often_keeps_one_waker() {
    let (completion, ..) = completion();
    let mut delivery = delivery(&completion, 0);
    let alarms: Vec<_> = (0..100).map(|_| Arc::new(Alarm::default())).collect();
    for alarm in &alarms {
        assert!(poll(&mut delivery, alarm).is_pending());
    }
    let kept = alarms.iter().filter(|alarm| Arc::strong_count(alarm) > 1);
    assert_eq!(kept.count(), 1);
}

#[test]
fn a_waker_that_panics_spares_who_settles_the_batch_and_the_other_tasks() {
    let (completion, ..) = completion();
    let bad = Arc::new(Alarm {
        panics: true,
        ..Alarm::default()
    });
    let good = Arc::new(Alarm::default());
    let (mut first, mut second) = (delivery(&completion, 0), delivery(&completion, 1));
    assert!(poll(&mut first, &bad).is_pending() && poll(&mut second, &good).is_pending());
    assert!(completion.resolve(acknowledged(None, None)));
    assert_eq!([bad.rings(), good.rings()], [1, 1]);
}

#[test]
fn a_callback_runs_with_its_records_result_whether_it_comes_before_or_after_that() {
    let (completion, _, callbacks) = completion();
    let (sender, results) = std::sync::mpsc::channel();
    let call = |index| {
        let sender = sender.clone();
        delivery(&completion, index).on_done(move |result| {
            sender
                .send(result.expect("acknowledged").offset())
                .expect("the test listens");
        });
    };
    call(1);
    completion.resolve(acknowledged(Some(10), None));
    call(2);
    assert!(completion.wait_end(None, true) && callbacks.wait_through(callbacks.pushed(), None));
    assert_eq!(results.try_iter().collect::<Vec<_>>(), [Some(11), Some(12)]);
    assert!(callbacks.close(None));
}

#[test]
fn a_delivery_that_failed_before_it_had_a_batch_is_done() {
    let error = Error::new(ErrorKind::BufferFull, "buffer full");
    let delivery = Delivery::failed("orders", error, &Arc::default());
    assert!(delivery.is_done());
    assert_eq!(
        delivery.wait().map_err(|error| error.kind()),
        Err(ErrorKind::BufferFull)
    );
    let shown = format!("{delivery:?}");
    assert!(
        shown.contains("orders") && shown.contains("buffer full"),
        "{shown}"
    );
}

#[test]
fn results_of_many_come_in_the_order_of_the_records() {
    let batches: Vec<_> = (0..3).map(|_| completion().0).collect();
    let deliveries: Deliveries = batches.iter().map(|batch| delivery(batch, 0)).collect();
    assert_eq!((deliveries.len(), deliveries.is_empty()), (3, false));
    for (offset, batch) in batches.iter().enumerate().rev() {
        batch.resolve(acknowledged(Some(offset as i64), None));
    }
    let results = deliveries.wait_all().into_iter();
    let offsets: Vec<_> = results
        .map(|result| result.expect("acknowledged").offset())
        .collect();
    assert_eq!(offsets, [Some(0), Some(1), Some(2)]);
}
