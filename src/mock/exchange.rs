//! One request of a connection: script, handling, answer.

use std::time::Duration;

use super::arrival::Arrived;
use super::facts::{Api, MockRequest};
use super::faults::{Delivery, Plan, Script};
use super::handlers::{Reply, handle};
use super::server::Link;
use super::state::Mood;
use crate::time::{after, now};
use crate::wire::Put;

/// How a connection goes on after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Close,
    /// The broker never answers on this connection again.
    Silence,
}

/// Where the correlation id is in an answer.
const CORRELATION_ID_AT: usize = 4;

/// Does what the script says to a request, and what a broker does if the script is silent.
pub(super) fn exchange(link: &Link, arrived: &Arrived) -> Flow {
    match link.until_thawed() {
        None => return Flow::Close,
        Some(Mood::Mute) => return Flow::Silence,
        Some(_) if arrived.is_swallowed => return Flow::Silence,
        Some(_) => {}
    }
    let script = link
        .shared
        .update(|state| state.faults.script(&arrived.request));
    let plan = &script.plan;
    let early = plan.is_handled_first.then(|| reply(link, arrived, &script));
    if wait(link, plan.delay)
        .and_then(|()| pass_gates(link, &plan.gates))
        .is_none()
    {
        return Flow::Close;
    }
    match link.until_thawed() {
        None => return Flow::Close,
        Some(Mood::Mute) => return Flow::Silence,
        Some(_) => {}
    }
    let reply = match early {
        Some(reply) => reply,
        None if plan.delivery.needs_answer() => reply(link, arrived, &script),
        None => Reply::Nothing,
    };
    // Before the answer goes out: a client that has it may send the next request at once, which
    // must not be counted together with this one.
    link.shared.update(|state| {
        if let Some(connection) = state.connections.get_mut(link.connection) {
            connection.unanswered = connection.unanswered.saturating_sub(1);
        }
    });
    deliver(link, &arrived.request, plan, reply)
}

fn reply(link: &Link, arrived: &Arrived, script: &Script) -> Reply {
    link.shared.update(|state| handle(state, arrived, script))
}

fn deliver(link: &Link, request: &MockRequest, plan: &Plan, reply: Reply) -> Flow {
    match &plan.delivery {
        Delivery::Silence => return Flow::Silence,
        Delivery::Disconnect => return Flow::Close,
        Delivery::Raw(bytes) => return send(link, bytes, plan, Flow::Next),
        Delivery::Body(make) => {
            let frame = frame_around(request, &make(request));
            return send(link, &frame, plan, Flow::Next);
        }
        Delivery::Whole | Delivery::Cut(_) | Delivery::WrongCorrelationId(_) => {}
    }
    let (mut frame, flow) = match reply {
        Reply::Answer(frame) => (frame, Flow::Next),
        Reply::LastAnswer(frame) => (frame, Flow::Close),
        Reply::Nothing => return Flow::Next,
        Reply::Close => return Flow::Close,
    };
    match plan.delivery {
        Delivery::Cut(bytes) => {
            frame.truncate(bytes);
            send(link, &frame, plan, Flow::Close)
        }
        Delivery::WrongCorrelationId(added) => {
            let wrong = request.correlation_id.wrapping_add(added);
            if let Some(id) = frame.get_mut(CORRELATION_ID_AT..CORRELATION_ID_AT + 4) {
                id.copy_from_slice(&wrong.to_be_bytes());
            }
            send(link, &frame, plan, flow)
        }
        _ => send(link, &frame, plan, flow),
    }
}

fn send(link: &Link, bytes: &[u8], plan: &Plan, then: Flow) -> Flow {
    let sent = match plan.pieces {
        None => link.write(bytes),
        Some((len, pause)) => bytes
            .chunks(len)
            .try_for_each(|piece| link.write(piece).and_then(|()| wait(link, pause))),
    };
    sent.map_or(Flow::Close, |()| then)
}

/// Lets time pass; `None` if the connection was closed meanwhile.
pub(super) fn wait(link: &Link, duration: Duration) -> Option<()> {
    if duration.is_zero() {
        return Some(());
    }
    let until = after(now(), duration);
    let closed = |is_open: bool| (!is_open).then_some(());
    let closed = link.shared.wait(until, |state| {
        closed(state.mood_of(link.connection).is_some())
    });
    closed.map_or(Some(()), |()| None)
}

/// Waits until all gates are open; `None` if the connection was closed meanwhile.
fn pass_gates(link: &Link, gates: &[usize]) -> Option<()> {
    gates.iter().try_for_each(|number| {
        let is_open = |open: bool| open.then_some(());
        let count = |added: isize| {
            link.shared.update(|state| {
                if let Some(gate) = state.gates.get_mut(*number) {
                    gate.held = gate.held.saturating_add_signed(added);
                }
            });
        };
        count(1);
        let passed = link.shared.wait(None, |state| {
            if state.mood_of(link.connection).is_none() {
                return Some(None);
            }
            let gate = state.gates.get(*number);
            is_open(gate.is_none_or(|gate| gate.is_open)).map(Some)
        });
        count(-1);
        passed.flatten()
    })
}

/// An answer whose body a test made.
fn frame_around(request: &MockRequest, body: &[u8]) -> Vec<u8> {
    let api = Api::from_key(request.api_key);
    let is_flexible = api.is_some_and(|api| api.has_flexible_answer(request.version));
    let mut answer = Vec::with_capacity(body.len() + 5);
    answer.put_i32(request.correlation_id);
    answer.put_no_tagged_fields(is_flexible);
    answer.extend_from_slice(body);
    let mut frame = Vec::with_capacity(answer.len() + 4);
    frame.put_bytes(&answer, false);
    frame
}
