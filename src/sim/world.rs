//! A run: the virtual clock, the events, and the parts of the producer that are real.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::client::Client;
use super::cluster::Cluster;
use super::control::Control;
use super::link::{Link, Response};
use super::oracle::Oracle;
use super::payload::shown;
use super::plan::Plan;
use super::records::{Records, Told};
use super::rng::Rng;
use crate::broker::Core;
use crate::broker::tests::{core, known_broker};
use crate::sync::Arc;
use crate::time::virtual_clock;
use crate::wire::metadata::MetadataResponse;

/// More than any run needs: a run with more spins.
const EVENTS_MAX: u64 = 60_000;
/// All is well for so long before the probes are sent.
pub(super) const RECOVERY: Duration = Duration::from_secs(10);

/// The lines of a trace, if anybody wants one.
pub(super) type Trace = Option<Rc<RefCell<Vec<String>>>>;

#[derive(Debug)]
pub(super) enum Event {
    /// The application sends some records.
    Send,
    Flush,
    /// Some caller waits for memory from now on, or no longer.
    Press(bool),
    Expire,
    /// The sender of a broker runs.
    Wake(usize),
    Connected(usize),
    Written(usize),
    /// The broker's side of a connection goes on.
    Serve(usize),
    /// The replicas have what is being handled.
    Replicated(usize),
    Answer(usize, Response),
    /// The answer to a request is overdue.
    Overdue(usize, i32),
    /// The client sees that a connection is dead.
    Dead(usize, &'static str),
    /// The receiver of a dead connection gives a request back.
    GiveBack(usize),
    Refresh,
    Metadata(Option<Box<MetadataResponse>>),
    Identity,
    Chaos(Chaos),
    Restore(usize),
    Lead(i32, Option<i32>),
    Heal,
    /// So many records are to be sent now that all is well.
    Probe(usize),
    ProbesDue,
    LookForStuck,
    Close,
}

/// What happens to the cluster as a whole, at a rate per second.
#[derive(Clone, Copy, Debug)]
pub(super) enum Chaos {
    Cut,
    Move,
    PingPong,
    Leaderless,
    Down,
    Pause,
    LoseState,
    Press,
    Flush,
}

pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) rng: Rng,
    pub(super) now: Duration,
    start: Instant,
    events: BTreeMap<(Duration, u64), Event>,
    next_event: u64,
    pub(super) core: Arc<Core>,
    pub(super) clients: Vec<Client>,
    pub(super) links: Vec<Link>,
    pub(super) cluster: Cluster,
    pub(super) control: Control,
    pub(super) records: Records,
    pub(super) oracle: Oracle,
    pub(super) expires_at: Option<Duration>,
    pub(super) is_healthy: bool,
    pub(super) is_closed: bool,
    trace: Trace,
}

/// Figures of a run, to see that runs do something.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Report {
    pub(super) events: u64,
    pub(super) acked: u64,
    pub(super) not_written: u64,
    pub(super) unknown: u64,
}

/// Runs `seed` from its first event to its last check; a broken promise is a panic.
pub(super) fn run(seed: u64, trace: Trace) -> Report {
    let mut rng = Rng::new(seed);
    let plan = Plan::draw(&mut rng);
    let start = virtual_clock::start(seed);
    let mut world = World::new(plan, rng, start, trace);
    world.begin();
    world.drive();
    world.end();
    Report {
        events: world.next_event,
        acked: world.records.count(|told| matches!(told, Told::Acked(_))),
        not_written: world.records.count(|told| told == Told::NotWritten),
        unknown: world.records.count(|told| told == Told::Unknown),
    }
}

impl World {
    fn new(plan: Plan, mut rng: Rng, start: Instant, trace: Trace) -> Self {
        let core = core(plan.config());
        let brokers = (0..plan.brokers).map(|id| known_broker(&core, id));
        let clients = brokers.map(|broker| Client::new(&core, broker)).collect();
        Self {
            cluster: Cluster::new(&plan, &mut rng),
            control: Control::new(&core, &plan),
            oracle: Oracle::new(&plan),
            plan,
            rng,
            now: Duration::ZERO,
            start,
            events: BTreeMap::new(),
            next_event: 0,
            core,
            clients,
            links: Vec::new(),
            records: Records::default(),
            expires_at: None,
            is_healthy: false,
            is_closed: false,
            trace,
        }
    }

    fn begin(&mut self) {
        self.trace(|world| format!("{:#?}", world.plan));
        self.core.wishes.want(super::payload::TOPIC);
        let fault_time = self.plan.fault_time;
        for _ in 0..self.plan.records {
            let mut at = self.rng.ms(0, fault_time.as_millis() as u64);
            if self.plan.has_rest && (fault_time / 5..fault_time * 4 / 5).contains(&at) {
                at = fault_time - at / 5;
            }
            self.at(at, Event::Send);
        }
        self.plan_chaos();
        self.at(fault_time, Event::Heal);
        match self.plan.closes_at {
            Some(at) => self.at(at, Event::Close),
            None => self.at(
                fault_time + RECOVERY,
                Event::Probe(4 * self.plan.partitions as usize),
            ),
        }
    }

    fn plan_chaos(&mut self) {
        let faults = &self.plan.faults;
        let rates = [
            (faults.cuts, Chaos::Cut),
            (faults.moves, Chaos::Move),
            (faults.ping_pongs, Chaos::PingPong),
            (faults.leaderless, Chaos::Leaderless),
            (faults.downs, Chaos::Down),
            (faults.pauses, Chaos::Pause),
            (faults.losses_of_state, Chaos::LoseState),
            (faults.pressures, Chaos::Press),
            (faults.flushes, Chaos::Flush),
        ];
        let seconds = self.plan.fault_time.as_secs_f64();
        for (rate, chaos) in rates {
            let count = (rate * seconds).round() as usize;
            for _ in 0..count {
                let at = self.rng.ms(0, self.plan.fault_time.as_millis() as u64);
                self.at(at, Event::Chaos(chaos));
            }
        }
    }

    fn drive(&mut self) {
        while let Some(((at, _), event)) = self.events.pop_first() {
            assert!(self.next_event < EVENTS_MAX, "the run spins: {event:?}");
            self.now = at;
            virtual_clock::set(at);
            self.happen(event);
            self.look();
            self.wake_clients();
            self.wake_control();
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Send => self.send_some(),
            Event::Flush => drop(self.core.accumulator.flush()),
            Event::Press(on) => self.press(on),
            Event::Expire => self.expire(),
            Event::Wake(client) => self.wake(client),
            Event::Connected(client) => self.connected(client),
            Event::Written(client) => self.written(client),
            Event::Serve(link) => self.serve(link),
            Event::Replicated(link) => self.replicated(link),
            Event::Answer(link, response) => self.answered(link, &response),
            Event::Overdue(link, number) => self.overdue(link, number),
            Event::Dead(link, why) => self.dead(link, why),
            Event::GiveBack(link) => self.give_back(link),
            Event::Refresh => self.refresh(),
            Event::Metadata(response) => self.metadata(response.map(|response| *response)),
            Event::Identity => self.identity(),
            Event::Chaos(chaos) => self.chaos(chaos),
            Event::Restore(node) => self.restore(node),
            Event::Lead(partition, leader) => self.lead(partition, leader),
            Event::Heal => self.heal(),
            Event::Probe(left) => self.probe(left),
            Event::ProbesDue => assert_eq!(self.records.probes_unresolved(), 0, "new sends hang"),
            Event::LookForStuck => self.nothing_is_stuck(),
            Event::Close => self.close(),
        }
    }

    /// Looks at what was resolved.
    pub(super) fn look(&mut self) {
        let (now, limit) = (self.now, self.plan.delivery_timeout);
        let trace = &self.trace;
        self.records.look(now, limit, &self.cluster, |line| {
            if let Some(trace) = trace {
                trace
                    .borrow_mut()
                    .push(format!("{} resolved {line}", shown(now)));
            }
        });
    }

    /// Everything has happened: nothing may be left.
    fn end(&mut self) {
        for link in 0..self.links.len() {
            self.hang_up(link);
        }
        self.look();
        let has_acks = self.plan.acks != crate::config::Acks::None;
        let idempotent = self.plan.idempotent;
        self.records
            .check(&self.cluster, (idempotent, has_acks), has_acks);
        assert_eq!(self.oracle.on_wire(), 0, "batches are still on the wire");
        assert_eq!(
            self.core.accumulator.budget().used(),
            0,
            "bytes that nobody gave back"
        );
        let metrics = self.core.metrics.snapshot(0);
        let counted = (metrics.delivered, metrics.failed, metrics.unknown);
        let told = (
            self.records.count(|told| matches!(told, Told::Acked(_))),
            self.records.count(|told| told == Told::NotWritten),
            self.records.count(|told| told == Told::Unknown),
        );
        assert_eq!(
            counted, told,
            "the counters (left) and what was told differ"
        );
    }

    pub(super) fn at(&mut self, at: Duration, event: Event) {
        self.events
            .insert((at.max(self.now), self.next_event), event);
        self.next_event += 1;
    }

    pub(super) fn after(&mut self, pause: Duration, event: Event) {
        self.at(self.now + pause, event);
    }

    /// Draws whether a fault happens; none does once all is well.
    pub(super) fn strikes(&mut self, chance: f64) -> bool {
        !self.is_healthy && self.rng.chance(chance)
    }

    pub(super) fn since_start(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.start)
    }

    pub(super) fn trace(&self, line: impl FnOnce(&Self) -> String) {
        if let Some(trace) = &self.trace {
            let line = format!("{} {}", shown(self.now), line(self));
            trace.borrow_mut().push(line);
        }
    }
}
