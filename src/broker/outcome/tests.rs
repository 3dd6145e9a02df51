use super::*;

/// What faults.md 2.5 says of one code, for a batch that no earlier attempt made doubtful.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Row {
    /// It is in the log.
    Persisted,
    /// Refused for good before the append.
    Refused,
    /// Failed for good, perhaps after the append.
    Doubtful,
    /// To be sent again; the second says whether with fresh metadata.
    Again(Attempt, bool),
    /// Idempotent: a matter of sequences; else refused for good.
    Sequence { has_forgotten: bool },
}

/// What the answer tells of the attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Attempt {
    Not,
    Unknown,
    /// Unknown with acks=all, where the append may have come before the refusal.
    UnknownWithAll,
}

use Attempt::{Not, Unknown, UnknownWithAll};

/// The table, by number. What Kafka never answers to Produce is unknown; what is retriable in Java
/// is sent again.
fn row(code: i16) -> Row {
    match code {
        0 | 46 => Row::Persisted,
        2 | 19 | 51 | 89 => Row::Again(Not, false),
        5 | 72 | 74 | 75 | 100 | 103 => Row::Again(Not, true),
        3 | 6 => Row::Again(UnknownWithAll, true),
        7 | 20 => Row::Again(Unknown, false),
        9 | 13 | 56 => Row::Again(Unknown, true),
        10 | 17 | 18 | 21 | 29 | 31 | 32 | 35 | 43 | 44 | 47 | 48 | 49 | 53 | 76 | 87 | 90
        | 120 => Row::Refused,
        45 => Row::Sequence {
            has_forgotten: false,
        },
        59 => Row::Sequence {
            has_forgotten: true,
        },
        80 | 83 | 84 => Row::Again(Unknown, true),
        14 | 15 | 16 | 41 | 70 | 71 | 78 | 88 | 106 | 122 | 123 | 133 => Row::Again(Unknown, false),
        _ => Row::Doubtful,
    }
}

fn kind(code: i16) -> ErrorKind {
    match code {
        3 => ErrorKind::UnknownTopic,
        17 => ErrorKind::InvalidTopic,
        10 | 18 => ErrorKind::RecordTooLarge,
        29 | 31 => ErrorKind::Authorization,
        35 => ErrorKind::UnsupportedVersion,
        _ => ErrorKind::Broker,
    }
}

/// One batch's circumstances.
#[derive(Clone, Copy, Debug)]
struct Case {
    code: i16,
    is_idempotent: bool,
    acks_all: bool,
    attempts_left: bool,
    in_time: bool,
    was_doubtful: bool,
    records: u32,
    has_passed_deadline: bool,
}

const RETRIES: u32 = 3;
const TIMEOUT: Duration = Duration::from_secs(100);
const PLACE: &str = "broker 7 (kafka-7:9092) for orders-3";

impl Case {
    fn all() -> impl Iterator<Item = Self> {
        let numbers = [-32768, -42, -2, 134, 999, 9999, 32767];
        let codes = Code::ALL.iter().map(|code| code.0).chain(numbers);
        codes.flat_map(|code| {
            (0..128).map(move |bits| Self {
                code,
                is_idempotent: bits & 1 != 0,
                acks_all: bits & 2 != 0,
                attempts_left: bits & 4 != 0,
                in_time: bits & 8 != 0,
                was_doubtful: bits & 16 != 0,
                records: if bits & 32 != 0 { 2 } else { 1 },
                has_passed_deadline: bits & 64 != 0,
            })
        })
    }

    fn decide(&self, end: &End) -> (Decision, Instant) {
        let created = time::now();
        let age = if self.in_time {
            TIMEOUT - Duration::from_millis(1)
        } else {
            TIMEOUT
        };
        let now = created + age;
        let facts = Facts {
            attempts: if self.attempts_left {
                RETRIES
            } else {
                RETRIES + 1
            },
            created,
            deadline: self.has_passed_deadline.then_some(now),
            records: self.records,
            refusals: 0,
            may_be_written: self.was_doubtful,
            acks_all: self.acks_all,
            is_idempotent: self.is_idempotent,
        };
        (
            decide(end, &facts, &policy(), (now, 0.5), &|| PLACE.into()),
            now,
        )
    }

    fn answer(&self) -> End {
        End::Answered {
            code: Code(self.code),
            message: None,
        }
    }

    /// Whether the records may be in the log if they fail now.
    fn is_doubtful(&self, attempt: Attempt) -> bool {
        self.was_doubtful
            || match attempt {
                Not => false,
                Unknown => true,
                UnknownWithAll => self.acks_all,
            }
    }

    /// Whether a retriable end is followed by another attempt.
    fn is_tried_again(&self, is_doubtful: bool) -> bool {
        self.is_in_time() && (self.attempts_left || self.is_idempotent && is_doubtful)
    }

    fn is_in_time(&self) -> bool {
        self.in_time && !self.has_passed_deadline
    }

    fn check(&self, decision: &Decision, now: Instant) {
        let is_doubtful = self.is_idempotent && self.was_doubtful;
        let is_split =
            [10, 18].contains(&self.code) && self.records > 1 && self.is_in_time() && !is_doubtful;
        if is_split {
            assert!(matches!(decision, Decision::Split(_)), "{self:?}");
        }
        let (attempt, wants_metadata) = match row(self.code) {
            Row::Persisted => return assert!(matches!(decision, Decision::Deliver), "{self:?}"),
            Row::Sequence { has_forgotten } if self.is_idempotent => {
                let Decision::OutOfSequence {
                    has_forgotten: forgotten,
                    at,
                    error,
                } = decision
                else {
                    panic!("{self:?}: {decision:?}");
                };
                assert_eq!(*forgotten, has_forgotten, "{self:?}");
                let pause = at.map(|at| at - now);
                assert_eq!(pause, Some(Duration::from_millis(100)), "{self:?}");
                return self.check_text(error);
            }
            Row::Refused if is_split => return,
            Row::Sequence { .. } | Row::Refused => return self.check_failure(decision, Not, false),
            Row::Doubtful => return self.check_failure(decision, Unknown, false),
            Row::Again(attempt, wants_metadata) => (attempt, wants_metadata),
        };
        let is_doubtful = self.is_doubtful(attempt);
        if !self.is_tried_again(is_doubtful) {
            return self.check_failure(decision, attempt, wants_metadata);
        }
        let Decision::Again {
            at,
            refresh,
            may_be_written,
            error,
        } = decision
        else {
            panic!("{self:?}: {decision:?}");
        };
        // 100 ms, doubled with each attempt, with the jitter at its middle.
        let pause = Duration::from_millis(if self.attempts_left { 400 } else { 800 });
        assert_eq!(at.map(|at| at - now), Some(pause), "{self:?}");
        assert_eq!(
            (*refresh, *may_be_written),
            (wants_metadata, is_doubtful),
            "{self:?}"
        );
        self.check_text(error);
    }

    fn check_failure(&self, decision: &Decision, attempt: Attempt, wants_metadata: bool) {
        let Decision::Fail { refresh, error } = decision else {
            panic!("{self:?}: {decision:?}");
        };
        assert_eq!(*refresh, wants_metadata, "{self:?}");
        let outcome = match self.is_doubtful(attempt) {
            true => Outcome::Unknown,
            false => Outcome::NotWritten,
        };
        assert_eq!(error.outcome(), outcome, "{self:?}");
        self.check_text(error);
    }

    fn check_text(&self, error: &Error) {
        let text = error.to_string();
        let code = Code(self.code);
        let wanted = format!(
            "{PLACE}: {} ({}): {}",
            code.name(),
            self.code,
            code.meaning()
        );
        assert!(text.contains(&wanted), "{self:?}: {text}");
        assert_eq!(
            (error.code(), error.kind()),
            (Some(self.code), kind(self.code)),
            "{self:?}"
        );
    }
}

fn policy() -> Policy {
    Policy {
        retries: RETRIES,
        delivery_timeout: TIMEOUT,
        backoff: Backoff {
            base: Duration::from_millis(100),
            max: Duration::from_secs(1),
        },
    }
}

#[test]
fn every_code_in_every_circumstance_ends_as_the_catalogue_of_faults_says() {
    for case in Case::all() {
        let (decision, now) = case.decide(&case.answer());
        case.check(&decision, now);
    }
}

#[test]
fn a_batch_that_gets_no_answer_is_doubtful_and_one_that_was_not_written_is_as_before() {
    let lost = Error::new(ErrorKind::Connection, "connection reset").with_code(0);
    for case in Case::all().filter(|case| case.code == 0) {
        let (decision, now) = case.decide(&End::Lost(lost.clone()));
        match decision {
            Decision::Again {
                at,
                refresh,
                may_be_written,
                error,
            } => {
                assert!(case.is_tried_again(true), "{case:?}");
                assert!(
                    at.is_some_and(|at| at > now) && refresh && may_be_written,
                    "{case:?}"
                );
                assert_eq!(error.to_string(), format!("{PLACE}: connection reset"));
            }
            Decision::Fail { refresh, error } => {
                assert!(!case.is_tried_again(true) && refresh, "{case:?}");
                assert_eq!(error.outcome(), Outcome::Unknown, "{case:?}");
                assert!(
                    error
                        .to_string()
                        .contains(&format!("{PLACE}: connection reset"))
                );
            }
            other => panic!("{case:?}: {other:?}"),
        }
        let (decision, _) = case.decide(&End::NotSent(lost.clone()));
        let Decision::Again {
            at: None,
            refresh: true,
            may_be_written,
            error,
        } = decision
        else {
            panic!("{case:?}: {decision:?}");
        };
        assert_eq!(may_be_written, case.was_doubtful, "{case:?}");
        assert_eq!(error.to_string(), format!("{PLACE}: connection reset"));
    }
}

#[test]
fn giving_up_names_the_limit_that_made_it() {
    let facts = |attempts, age_s| Facts {
        attempts,
        refusals: 0,
        created: time::now() - Duration::from_secs(age_s),
        deadline: None,
        records: 2,
        may_be_written: false,
        acks_all: true,
        is_idempotent: false,
    };
    let end = End::Answered {
        code: Code::NOT_ENOUGH_REPLICAS,
        message: Some(" too few \n".into()),
    };
    let text = |facts: Facts, retries| {
        let policy = Policy {
            retries,
            ..policy()
        };
        match decide(&end, &facts, &policy, (time::now(), 0.0), &|| PLACE.into()) {
            Decision::Fail { error, .. } => error.to_string(),
            other => panic!("{other:?}"),
        }
    };
    let refusal = format!(
        "{PLACE}: NOT_ENOUGH_REPLICAS (19): {} (the broker says: \"too few\")",
        Code::NOT_ENOUGH_REPLICAS.meaning()
    );
    let by_setting = format!("not sent again because retries is 0: {refusal}");
    assert_eq!(text(facts(1, 0), 0), by_setting);
    let by_attempts = format!("given up after 3 attempts, retries is 2: {refusal}");
    assert_eq!(text(facts(3, 0), 2), by_attempts);
    let late = Facts {
        deadline: Some(time::now()),
        ..facts(2, 0)
    };
    let by_deadline = format!("given up after 2 attempts, its deadline has passed: {refusal}");
    assert_eq!(text(late, u32::MAX), by_deadline);
    let by_time =
        format!("given up after 2 attempts, delivery.timeout.ms = 100 s is over: {refusal}");
    assert_eq!(text(facts(2, 101), u32::MAX), by_time);
}

#[test]
fn a_batch_that_arrives_damaged_again_and_again_fails_before_its_time() {
    let decide_after = |attempts| {
        let facts = Facts {
            attempts,
            refusals: 0,
            created: time::now(),
            deadline: None,
            records: 2,
            may_be_written: false,
            acks_all: true,
            is_idempotent: true,
        };
        let end = End::Answered {
            code: Code::CORRUPT_MESSAGE,
            message: None,
        };
        let policy = Policy {
            retries: u32::MAX,
            ..policy()
        };
        decide(&end, &facts, &policy, (time::now(), 0.0), &|| PLACE.into())
    };
    assert!(matches!(
        decide_after(DAMAGED_ATTEMPTS_MAX - 1),
        Decision::Again { .. }
    ));
    let Decision::Fail { error, .. } = decide_after(DAMAGED_ATTEMPTS_MAX) else {
        panic!("it is sent for ever");
    };
    assert_eq!(error.outcome(), Outcome::NotWritten);
}

#[test]
fn an_answer_without_an_offset_or_a_time_has_none() {
    let acknowledged_as = |offset, time| {
        let got = acknowledged(offset, time);
        (got.base_offset, got.log_append_time_ms)
    };
    assert_eq!(acknowledged_as(0, 0), (Some(0), Some(0)));
    assert_eq!(acknowledged_as(-1, -1), (None, None));
}
