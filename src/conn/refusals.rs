//! The brokers that refused our credentials just now: nobody tries them against the wall.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::error::{Error, ErrorKind};
use crate::sync::Mutex;
use crate::time::after;

use super::Address;

/// A broker that refused us is left alone for so long, by all threads of a producer: some lock out
/// whoever fails too often.
const REST: Duration = Duration::from_secs(1);

/// The refusals that are not older than [`REST`], by address.
#[derive(Debug, Default)]
pub(super) struct Refusals(Mutex<HashMap<Address, (Instant, Error)>>);

impl Refusals {
    /// Notes how an attempt to authenticate ended.
    pub(super) fn note<T>(&self, address: &Address, ended: &Result<T, Error>, now: Instant) {
        let mut refusals = self.0.lock();
        refusals.retain(|_, (until, _)| *until > now);
        match ended {
            Ok(_) => drop(refusals.remove(address)),
            Err(error) if error.kind() == ErrorKind::Authentication => {
                if let Some(until) = after(now, REST) {
                    refusals.insert(address.clone(), (until, error.clone()));
                }
            }
            Err(_) => {}
        }
    }

    /// Until when the broker is left alone, and what it said.
    pub(super) fn of(&self, address: &Address, now: Instant) -> Option<(Instant, Error)> {
        let refusal = self.0.lock().get(address).cloned();
        refusal.filter(|(until, _)| *until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::now;

    #[test]
    fn a_broker_is_left_alone_for_a_second_after_it_refused_the_credentials() {
        let (refusals, start) = (Refusals::default(), now());
        let at = |ms| start + Duration::from_millis(ms);
        let [refuser, other] = [1, 2].map(|port| Address::new("kafka", port));
        let ended = |kind| Err::<(), _>(Error::new(kind, "no"));
        refusals.note(&refuser, &ended(ErrorKind::Authentication), start);
        refusals.note(&other, &ended(ErrorKind::Connection), start);
        // Another failure says nothing about the credentials.
        refusals.note(&refuser, &ended(ErrorKind::Connection), at(10));
        let until = |address, ms| refusals.of(address, at(ms)).map(|(until, _)| until);
        assert_eq!(until(&refuser, 999), Some(at(1000)));
        assert_eq!([until(&refuser, 1000), until(&other, 10)], [None, None]);
        refusals.note(&other, &ended(ErrorKind::Authentication), at(2000));
        assert!(!refusals.0.lock().contains_key(&refuser), "it is forgotten");
        refusals.note(&other, &Ok(()), at(2001));
        assert_eq!(until(&other, 2001), None);
    }
}
