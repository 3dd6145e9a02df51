//! InitProducerId of a producer without transactions.

use std::time::Duration;

use crate::accumulator::sequence::Identity;
use crate::conn::Connection;
use crate::error::{Error, ErrorKind};
use crate::time::Deadline;
use crate::wire::codes::Code;
use crate::wire::init_producer_id::InitProducerIdRequest;

/// Asks for a producer id.
pub(crate) fn fetch(connection: &mut Connection, limit: Duration) -> Result<Identity, Error> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: i32::MAX,
        producer_id: -1,
        producer_epoch: -1,
    };
    let place = format!("a producer id from {}", connection.address());
    let response = connection.call(&request, Deadline::within(limit));
    let response = response.map_err(|error| error.context(&place))?;
    if !response.error.is_ok() {
        return Err(refusal(response.error, &place));
    }
    match (response.producer_id, response.producer_epoch) {
        (producer_id @ 0.., epoch @ 0..) => Ok(Identity { producer_id, epoch }),
        (id, epoch) => {
            let message = format!("{place}: the broker gave id {id} and epoch {epoch}");
            Err(Error::new(ErrorKind::Connection, message))
        }
    }
}

/// True if another attempt may get what this one did not. A broker that is about to stop may answer
/// UNKNOWN_SERVER_ERROR, which says nothing, and one that talks nonsense refuses nothing.
pub(crate) fn may_pass(error: &Error) -> bool {
    let is_nonsense = matches!(error.kind(), ErrorKind::Protocol | ErrorKind::Tls);
    is_nonsense || error.is_retriable() || error.code() == Some(Code::UNKNOWN_SERVER_ERROR.0)
}

fn refusal(code: Code, place: &str) -> Error {
    let (kind, what_to_do) = match code {
        Code::CLUSTER_AUTHORIZATION_FAILED => (
            ErrorKind::Authorization,
            "; grant this principal Write on a topic (brokers since 2.8) or IdempotentWrite on the \
             cluster, or set enable.idempotence=false",
        ),
        _ => (ErrorKind::Broker, ""),
    };
    let message = format!("{place}: {code}: {}{what_to_do}", code.meaning());
    Error::new(kind, message).with_code(code.0)
}
