//! What a check found, for programs and for people.

use std::fmt;

use crate::error::Error;

/// What [`Producer::check`](crate::Producer::check) found, stage by stage.
///
/// `Display` gives a table for people, with what to do about each thing that is wrong.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct CheckReport {
    findings: Vec<Finding>,
}

/// One thing that was looked at.
#[derive(Clone, Debug)]
pub struct Finding {
    stage: CheckStage,
    verdict: Verdict,
    broker: Option<String>,
    broker_id: Option<i32>,
    topic: Option<String>,
    text: String,
    advice: Option<String>,
    error: Option<Error>,
}

/// A stage on the way from the settings to a record that is safe in its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum CheckStage {
    /// The producer itself: whether it may be used.
    Producer,
    /// The broker's name is looked up.
    Dns,
    /// The connection is made.
    Tcp,
    /// TLS: certificates and what they are for.
    Tls,
    /// The broker tells which versions of the protocol it speaks.
    ApiVersions,
    /// The client authenticates.
    Sasl,
    /// The broker tells of its cluster.
    Metadata,
    /// The address that a broker of the cluster tells clients to use.
    Listener,
    /// The topic, its partitions and their leaders.
    Topic,
    /// What the client may do.
    Permission,
    /// The sizes of batches and records against the topic's `max.message.bytes`.
    Size,
    /// What `acks` is worth with the topic's replicas.
    Durability,
}

/// How a stage went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// It is as it should be.
    Ok,
    /// It could not be found out, or there was no point in it; the text says why.
    Skipped,
    /// It works, but not as somebody may expect.
    Warning,
    /// Records cannot be sent so, or not all.
    Failure,
}

impl CheckReport {
    pub(super) fn push(&mut self, finding: Finding) {
        log::debug!("check: {finding}");
        self.findings.push(finding);
    }

    /// Everything that was looked at, in that order.
    ///
    /// ```
    /// # use std::time::Duration;
    /// use milena::CheckStage;
    ///
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = milena::Producer::new(milena::Config::new(cluster.bootstrap()))?;
    /// let report = producer.check(&[], Duration::from_secs(10));
    /// assert_eq!(report.findings()[0].stage(), CheckStage::Dns);
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Those that are failures.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use milena::{Config, Producer};
    /// let producer = Producer::new(Config::new("127.0.0.1:1"))?; // nobody listens there
    /// let report = producer.check(&[], Duration::from_secs(10));
    /// for failure in report.failures() {
    ///     println!("{}: {}", failure.stage(), failure.text());
    /// }
    /// assert_eq!(report.failures().count(), 1);
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn failures(&self) -> impl Iterator<Item = &Finding> {
        self.with(Verdict::Failure)
    }

    /// Those that are warnings.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use milena::{CheckStage, Config, Producer};
    /// # let cluster = milena::mock::MockCluster::start(3);
    /// cluster.create_topic("orders", 1);
    /// let producer = Producer::new(Config::new(cluster.bootstrap()))?; // acks=1, the default
    /// let report = producer.check(&["orders"], Duration::from_secs(10));
    /// assert!(report.warnings().any(|warning| warning.stage() == CheckStage::Durability));
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn warnings(&self) -> impl Iterator<Item = &Finding> {
        self.with(Verdict::Warning)
    }

    /// True if nothing has failed.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use milena::{Config, Producer};
    /// let producer = Producer::new(Config::new("127.0.0.1:1"))?; // nobody listens there
    /// assert!(!producer.check(&[], Duration::from_secs(10)).is_ok());
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn is_ok(&self) -> bool {
        self.failures().next().is_none()
    }

    fn with(&self, verdict: Verdict) -> impl Iterator<Item = &Finding> {
        let findings = self.findings.iter();
        findings.filter(move |finding| finding.verdict == verdict)
    }
}

impl fmt::Display for CheckReport {
    /// Verdict, stage, broker or topic and text, in columns; what to do comes on lines of its own.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const PLACE_MAX: usize = 40;
        let places: Vec<String> = self.findings.iter().map(Finding::place).collect();
        let widths = places.iter().map(|place| place.chars().count());
        let width = widths.max().unwrap_or(0).min(PLACE_MAX);
        for (finding, place) in self.findings.iter().zip(&places) {
            let Finding { stage, verdict, .. } = finding;
            let (stage, verdict) = (stage.to_string(), verdict.to_string());
            writeln!(
                f,
                "{verdict:7}  {stage:19}  {place:width$}  {}",
                finding.text
            )?;
            if let Some(advice) = &finding.advice {
                writeln!(f, "{:7}  -> {advice}", "")?;
            }
        }
        let (failures, warnings) = (self.failures().count(), self.warnings().count());
        write!(f, "{failures} failures, {warnings} warnings")
    }
}

impl Finding {
    pub(super) fn new(stage: CheckStage, verdict: Verdict, text: impl AsRef<str>) -> Self {
        Self {
            stage,
            verdict,
            broker: None,
            broker_id: None,
            topic: None,
            text: one_line(text.as_ref()),
            advice: None,
            error: None,
        }
    }

    pub(super) fn at(mut self, broker: impl fmt::Display, id: Option<i32>) -> Self {
        self.broker = Some(one_line(&broker.to_string()));
        self.broker_id = id;
        self
    }

    pub(super) fn of(mut self, topic: &str) -> Self {
        self.topic = Some(one_line(topic));
        self
    }

    pub(super) fn advise(mut self, advice: impl AsRef<str>) -> Self {
        self.advice = Some(one_line(advice.as_ref()));
        self
    }

    pub(super) fn caused_by(mut self, error: Error) -> Self {
        self.error = Some(error);
        self
    }

    /// What was looked at.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use milena::{CheckStage, Config, Producer};
    /// let producer = Producer::new(Config::new("127.0.0.1:1"))?; // nobody listens there
    /// let report = producer.check(&[], Duration::from_secs(10));
    /// assert_eq!(report.failures().next().unwrap().stage(), CheckStage::Tcp);
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn stage(&self) -> CheckStage {
        self.stage
    }

    /// How it went.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use milena::{Config, Producer, Verdict};
    /// # let producer = Producer::new(Config::new("127.0.0.1:1"))?;
    /// let report = producer.check(&[], Duration::from_secs(10));
    /// let worst = report.findings().iter().map(|finding| finding.verdict()).max();
    /// assert_eq!(worst, Some(Verdict::Failure));
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn verdict(&self) -> Verdict {
        self.verdict
    }

    /// The address of the broker that it is about, as the settings or the cluster have it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use milena::{Config, Producer};
    /// let producer = Producer::new(Config::new("127.0.0.1:1"))?;
    /// let report = producer.check(&[], Duration::from_secs(10));
    /// assert_eq!(report.findings()[0].broker(), Some("127.0.0.1:1"));
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn broker(&self) -> Option<&str> {
        self.broker.as_deref()
    }

    /// The id of that broker, if the cluster told its address.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use milena::{Config, Producer};
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// let report = producer.check(&[], Duration::from_secs(10));
    /// let ids: Vec<i32> = report.findings().iter().filter_map(|one| one.broker_id()).collect();
    /// assert_eq!(ids, [1]);
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn broker_id(&self) -> Option<i32> {
        self.broker_id
    }

    /// The topic that it is about.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use milena::{Config, Producer};
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// # let producer = Producer::new(Config::new(cluster.bootstrap()))?;
    /// let report = producer.check(&["orders"], Duration::from_secs(10));
    /// assert!(report.findings().iter().any(|finding| finding.topic() == Some("orders")));
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn topic(&self) -> Option<&str> {
        self.topic.as_deref()
    }

    /// What was found, for people.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use milena::{Config, Producer};
    /// let producer = Producer::new(Config::new("127.0.0.1:1"))?;
    /// let report = producer.check(&[], Duration::from_secs(10));
    /// assert_eq!(report.failures().next().unwrap().text(), "connection refused");
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What to do about it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use milena::{Config, Producer};
    /// let producer = Producer::new(Config::new("127.0.0.1:1"))?;
    /// let report = producer.check(&[], Duration::from_secs(10));
    /// let advice = report.failures().next().unwrap().advice();
    /// assert!(advice.is_some_and(|advice| advice.contains("is the broker running")));
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn advice(&self) -> Option<&str> {
        self.advice.as_deref()
    }

    /// The error that a send would meet, where there is one.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use milena::{Config, ErrorKind, Producer};
    /// let producer = Producer::new(Config::new("127.0.0.1:1"))?;
    /// let report = producer.check(&[], Duration::from_secs(10));
    /// let error = report.failures().next().and_then(|failure| failure.error());
    /// assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::Connection));
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn error(&self) -> Option<&Error> {
        self.error.as_ref()
    }

    /// The broker or the topic, as one word of the table.
    fn place(&self) -> String {
        match (&self.broker, self.broker_id, &self.topic) {
            (Some(broker), Some(id), _) => format!("{broker} (id {id})"),
            (Some(broker), None, _) => broker.clone(),
            (None, _, Some(topic)) => topic.clone(),
            (None, _, None) => "-".into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            stage,
            verdict,
            text,
            ..
        } = self;
        write!(f, "{verdict} {stage} {}: {text}", self.place())?;
        match &self.advice {
            Some(advice) => write!(f, " -> {advice}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for CheckStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Producer => "producer",
            Self::Dns => "DNS",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::ApiVersions => "ApiVersions",
            Self::Sasl => "SASL",
            Self::Metadata => "metadata",
            Self::Listener => "advertised listener",
            Self::Topic => "topic",
            Self::Permission => "permission",
            Self::Size => "max.message.bytes",
            Self::Durability => "durability",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "ok",
            Self::Skipped => "skipped",
            Self::Warning => "warning",
            Self::Failure => "FAILED",
        })
    }
}

/// Text that may hold a peer's, fit for a line of a table: without control characters, and not
/// without end.
fn one_line(text: &str) -> String {
    const CHARS_MAX: usize = 2000;
    let shown = text.chars().take(CHARS_MAX);
    shown
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}
