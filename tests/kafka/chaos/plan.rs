//! Which faults come when: a pure function of the seed.

use std::time::Duration;

use super::dice::Dice;
use super::proxy::Trouble;

/// What is done to the cluster or to the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// SIGKILL of the leader of `order`, or of a node by its id; it comes back.
    Kill(Option<i32>),
    /// An orderly shutdown; the node comes back.
    Stop(i32),
    /// The same while records need all three nodes in sync.
    Starve(i32),
    /// SIGSTOP and SIGCONT, of the leader of `order` or of a node by its id.
    Pause(Option<i32>),
    /// Leaders move to the next node, one partition after the other.
    Moves,
    /// `idem` takes only small batches.
    SmallBatches,
    /// The client with bursts is silent for longer than brokers remember its sequences, and then
    /// sends much at once; other faults go on meanwhile.
    Rest,
    /// Between the clients and one node, or all.
    Net(Trouble, Option<i32>),
}

/// Faults that begin and end together, and the quiet time after them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Step {
    pub(super) faults: Vec<Fault>,
    pub(super) lasts: Duration,
    pub(super) then_quiet: Duration,
}

impl Fault {
    pub(super) fn is_of_a_node(self) -> bool {
        use Fault::{Kill, Pause, Starve, Stop};
        matches!(self, Kill(_) | Stop(_) | Starve(_) | Pause(_))
    }
}

/// Steps without end.
pub(super) fn plan(seed: u64) -> impl Iterator<Item = Step> {
    let mut dice = Dice::new(seed);
    let mut bag = Vec::new();
    std::iter::from_fn(move || {
        if bag.is_empty() {
            bag = all(&mut dice);
            dice.shuffle(&mut bag);
        }
        Some(step(bag.pop()?, &mut dice))
    })
}

fn step(mut faults: Vec<Fault>, dice: &mut Dice) -> Step {
    let fault = faults[0];
    let lasts = match fault {
        Fault::Kill(_) | Fault::Stop(_) | Fault::Starve(_) => dice.between(3000, 8000),
        // Less and more than brokers' sessions last.
        Fault::Pause(_) if dice.one_in(2) => Duration::from_secs(5),
        Fault::Pause(_) => Duration::from_secs(9),
        // Less and more than delivery.timeout.ms.
        Fault::Net(Trouble::AnswersWait, _) if faults.len() > 1 => Duration::from_secs(14),
        Fault::Net(Trouble::BlackHole | Trouble::AnswersWait, _) => {
            Duration::from_secs(if dice.one_in(2) { 4 } else { 12 })
        }
        Fault::Rest => Duration::from_millis(100),
        _ => dice.between(5000, 10_000),
    };
    if faults.len() == 1 && fault != Fault::Rest && dice.one_in(3) {
        let trouble = SECOND[dice.below(SECOND.len())];
        let where_to = if dice.one_in(2) { None } else { node(dice) };
        faults.push(Fault::Net(trouble, where_to));
    }
    Step {
        faults,
        lasts,
        then_quiet: dice.between(2000, 6000),
    }
}

/// One of each kind, or more of what is worth more.
fn all(dice: &mut Dice) -> Vec<Vec<Fault>> {
    use Trouble::{
        AnswersLost, AnswersWait, BlackHole, Cuts, LateRequests, Latency, Resets, Slices, SlowLink,
    };
    let mut any = || node(dice);
    let single = [
        Fault::Kill(None),
        Fault::Kill(None),
        Fault::Kill(any()),
        Fault::Stop(any().expect("a node")),
        Fault::Starve(any().expect("a node")),
        Fault::Pause(None),
        Fault::Pause(any()),
        Fault::Moves,
        Fault::Moves,
        Fault::SmallBatches,
        Fault::Rest,
        Fault::Net(BlackHole, any()),
        Fault::Net(AnswersWait, any()),
        Fault::Net(BlackHole, None),
        Fault::Net(Resets, None),
        Fault::Net(Resets, None),
        Fault::Net(Cuts, None),
        Fault::Net(AnswersLost, None),
        Fault::Net(LateRequests, None),
        Fault::Net(LateRequests, None),
        Fault::Net(Latency, None),
        Fault::Net(SlowLink, any()),
        Fault::Net(Slices, any()),
    ];
    let mut all: Vec<_> = single.map(|fault| vec![fault]).into();
    // Records run out of time one by one, all of them written, and none of their attempts lasts:
    // a producer that then numbers the rest anew writes it twice.
    let unanswered = Fault::Net(AnswersWait, any());
    all.push(vec![unanswered, Fault::Net(Resets, None)]);
    all.push(vec![unanswered, Fault::Net(LateRequests, None)]);
    all
}

/// What may come on top of another fault.
const SECOND: [Trouble; 7] = [
    Trouble::BlackHole,
    Trouble::AnswersWait,
    Trouble::AnswersLost,
    Trouble::LateRequests,
    Trouble::Resets,
    Trouble::Cuts,
    Trouble::Latency,
];

fn node(dice: &mut Dice) -> Option<i32> {
    i32::try_from(1 + dice.below(3)).ok()
}

#[test]
fn a_plan_comes_again_with_its_seed_and_never_takes_two_nodes_at_once() {
    let steps = |seed| plan(seed).take(200).collect::<Vec<_>>();
    assert_eq!(steps(7), steps(7));
    assert_ne!(steps(7), steps(8));
    for step in (0..50).flat_map(steps) {
        let of_nodes = step.faults.iter().filter(|fault| fault.is_of_a_node());
        assert!(of_nodes.count() <= 1, "{step:?}");
    }
}
