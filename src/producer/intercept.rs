//! A record's way through the interceptors, and the way back to them.

use std::mem::size_of;

use super::{CALLBACK_OVERHEAD, Producer};
use crate::accumulator::Wait;
use crate::accumulator::budget::Grant;
use crate::callbacks::CallbackQueue;
use crate::delivery::{CallbackFn, Delivery};
use crate::error::Error;
use crate::interceptor::{Acknowledgement, Chain, KeptHeaders, Uncounted};
use crate::record::Record;
use crate::sync::Arc;
use crate::time;

/// What became of a record that was handed over, and the memory for its callback.
pub(super) struct HandedOver {
    pub(super) sent: Result<Delivery, Error>,
    pub(super) grant: Option<Grant>,
}

/// What is kept of a record until the interceptors are told what became of it.
struct Memo {
    chain: Arc<Chain>,
    headers: KeptHeaders,
    /// Its memory; without it, one of the few places.
    share: Result<Grant, Uncounted>,
}

impl Producer {
    /// Sends what the interceptors make of `record`, once there is room for a callback of
    /// `callback` bytes, if any. They are told of it whatever becomes of it.
    #[inline]
    pub(super) fn hand_over(
        &self,
        record: &Record<'_>,
        callback: usize,
        wait: &mut Wait,
    ) -> HandedOver {
        match &self.0.interceptors {
            None => self.reserve_and_append(record, callback, wait),
            Some(chain) => self.show_and_append(chain, record, callback, wait),
        }
    }

    fn show_and_append(
        &self,
        chain: &Arc<Chain>,
        record: &Record<'_>,
        callback: usize,
        wait: &mut Wait,
    ) -> HandedOver {
        let may_show = self.check_open(time::wall_clock_ms());
        if let Err(error) = may_show.and_then(|()| chain.check_room()) {
            return HandedOver::refused(error);
        }
        chain.on_send(record, |record, shown| {
            let headers = KeptHeaders::new(&record.headers);
            let room = self.reserve(Some(record.topic), memo_bytes(&headers), wait);
            let may_send = shown.and_then(|()| room.as_ref().map(|_| ()).map_err(Error::clone));
            let handed_over = match may_send {
                Ok(()) => self.reserve_and_append(record, callback, wait),
                Err(error) => HandedOver::refused(error),
            };
            let memo = Memo::new(chain, headers, room.ok());
            match &handed_over.sent {
                Ok(delivery) => memo.attach_to(delivery, delivery.partition()),
                Err(error) => memo.tell_failure(record, error, &self.0.callbacks),
            }
            handed_over
        })
    }

    /// A delivery that has failed before the interceptors could see its record; they are told.
    pub(crate) fn failed_unseen(&self, record: &Record<'_>, error: Error) -> Delivery {
        let now_ms = time::wall_clock_ms();
        if let Some(chain) = &self.0.interceptors
            && self.check_open(now_ms).is_ok()
            && chain.check_room().is_ok()
        {
            let headers = KeptHeaders::new(&record.headers);
            let room = self.reserve(None, memo_bytes(&headers), &mut Wait::No("it has failed"));
            let memo = Memo::new(chain, headers, room.ok());
            memo.tell_failure(record, &error, &self.0.callbacks);
        }
        self.failed(record.topic, error)
    }

    #[inline]
    fn reserve_and_append(
        &self,
        record: &Record<'_>,
        callback: usize,
        wait: &mut Wait,
    ) -> HandedOver {
        if callback == 0 {
            let sent = self.append(record, wait);
            return HandedOver { sent, grant: None };
        }
        match self.reserve(Some(record.topic), callback, wait) {
            Ok(grant) => HandedOver {
                sent: self.append(record, wait),
                grant: Some(grant),
            },
            Err(error) => HandedOver::refused(error),
        }
    }

    fn reserve(&self, topic: Option<&str>, bytes: usize, wait: &mut Wait) -> Result<Grant, Error> {
        let process = &self.0.callbacks.process;
        process.check_at(time::wall_clock_ms())?;
        self.0.core.accumulator.reserve(topic, bytes, wait)
    }
}

impl HandedOver {
    fn refused(error: Error) -> Self {
        Self {
            sent: Err(error),
            grant: None,
        }
    }
}

impl Memo {
    fn new(chain: &Arc<Chain>, headers: KeptHeaders, room: Option<Grant>) -> Self {
        Self {
            chain: chain.clone(),
            headers,
            share: room.ok_or_else(|| chain.count()),
        }
    }

    fn tell_failure(self, record: &Record<'_>, error: &Error, callbacks: &Arc<CallbackQueue>) {
        let failed = Delivery::failed(record.topic, error.clone(), callbacks);
        self.attach_to(&failed, record.partition);
    }

    fn attach_to(self, delivery: &Delivery, partition: Option<i32>) {
        let topic = delivery.topic().clone();
        let tell: CallbackFn = Box::new(move |result| {
            let Self {
                chain,
                headers,
                share,
            } = self;
            chain.on_acknowledgement(&Acknowledgement {
                topic: &topic,
                partition,
                headers: &headers,
                result: &result,
            });
            drop((headers, share));
        });
        delivery.attach(tell);
    }
}

fn memo_bytes(headers: &KeptHeaders) -> usize {
    size_of::<Memo>() + CALLBACK_OVERHEAD + headers.bytes()
}
