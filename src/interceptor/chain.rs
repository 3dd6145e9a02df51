//! The interceptors of one producer, in their order.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::{Acknowledgement, InterceptedRecord, Interceptor};
use crate::error::{Error, ErrorKind};
use crate::record::Record;
use crate::survive::survive_once;
use crate::sync::Arc;

/// How many failed records for which the buffer had no room may wait to be told.
const UNCOUNTED_MAX: usize = 1000;

/// An interceptor, as the configuration has it.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    interceptor: Arc<dyn Interceptor>,
    /// Its type.
    name: &'static str,
}

/// Calls the interceptors of one producer, whatever they do.
#[derive(Debug)]
pub(crate) struct Chain {
    links: Vec<Link>,
    /// Failed records that wait to be told without a share of the buffer.
    uncounted: AtomicUsize,
    is_closed: AtomicBool,
}

#[derive(Debug)]
struct Link {
    registered: Registered,
    /// Its panics were logged: in `on_send`, in `on_acknowledgement`.
    is_logged: [AtomicBool; 2],
}

impl Registered {
    pub(crate) fn new<I: Interceptor + 'static>(interceptor: I) -> Self {
        Self {
            interceptor: Arc::new(interceptor),
            name: std::any::type_name::<I>(),
        }
    }
}

impl Chain {
    /// `None` if there are no interceptors.
    pub(crate) fn new(registered: &[Registered]) -> Option<Arc<Self>> {
        if registered.is_empty() {
            return None;
        }
        let links = registered.iter().map(|registered| Link {
            registered: registered.clone(),
            is_logged: Default::default(),
        });
        Some(Arc::new(Self {
            links: links.collect(),
            uncounted: AtomicUsize::new(0),
            is_closed: AtomicBool::new(false),
        }))
    }

    /// Shows `record` to all, and calls `then` with what they have made of it, or with what it was
    /// when one refused it, and why.
    pub(crate) fn on_send<T>(
        &self,
        record: &Record<'_>,
        then: impl FnOnce(&Record<'_>, Result<(), Error>) -> T,
    ) -> T {
        show(&self.links, record, then)
    }

    /// Tells all.
    pub(crate) fn on_acknowledgement(&self, acknowledgement: &Acknowledgement<'_>) {
        if self.is_closed.load(Ordering::Acquire) {
            return;
        }
        for link in &self.links {
            let [_, is_logged] = &link.is_logged;
            let _ = survive_once(
                is_logged,
                || link.who("on_acknowledgement"),
                || {
                    link.interceptor().on_acknowledgement(acknowledgement);
                },
            );
        }
    }

    /// Closes all; none is told anything more.
    pub(crate) fn close(&self) {
        if self.is_closed.swap(true, Ordering::AcqRel) {
            return;
        }
        for link in &self.links {
            let is_logged = AtomicBool::new(false);
            let _ = survive_once(
                &is_logged,
                || link.who("close"),
                || link.interceptor().close(),
            );
        }
    }

    /// Refuses what could not be told if it fails.
    pub(crate) fn check_room(&self) -> Result<(), Error> {
        if self.uncounted.load(Ordering::Relaxed) < UNCOUNTED_MAX {
            return Ok(());
        }
        let message = format!(
            "buffer full, and on_acknowledgement of the interceptors is {UNCOUNTED_MAX} refused \
             records behind"
        );
        Err(Error::new(ErrorKind::BufferFull, message))
    }

    /// A failed record waits to be told, without a share of the buffer, until this is dropped.
    pub(crate) fn count(self: &Arc<Self>) -> Uncounted {
        self.uncounted.fetch_add(1, Ordering::Relaxed);
        Uncounted(self.clone())
    }
}

/// The place of a failed record for which the buffer had no room.
pub(crate) struct Uncounted(Arc<Chain>);

impl Drop for Uncounted {
    fn drop(&mut self) {
        self.0.uncounted.fetch_sub(1, Ordering::Relaxed);
    }
}

/// By recursion, because a changed record borrows from what was changed.
fn show<T>(
    links: &[Link],
    record: &Record<'_>,
    then: impl FnOnce(&Record<'_>, Result<(), Error>) -> T,
) -> T {
    let Some((link, rest)) = links.split_first() else {
        return then(record, Ok(()));
    };
    let mut intercepted = InterceptedRecord::new(record);
    match link.on_send(&mut intercepted) {
        None => show(rest, record, then),
        Some(Err(error)) => then(record, Err(error)),
        Some(Ok(())) => match intercepted.changed() {
            Some(changed) => show(rest, &changed, then),
            None => show(rest, record, then),
        },
    }
}

impl Link {
    /// `None` if it panicked.
    fn on_send(&self, record: &mut InterceptedRecord<'_>) -> Option<Result<(), Error>> {
        let [is_logged, _] = &self.is_logged;
        let answer = survive_once(
            is_logged,
            || self.who("on_send"),
            || {
                let refused = self.interceptor().on_send(record).err()?;
                Some(refused.to_string())
            },
        )?;
        Some(match answer {
            None => Ok(()),
            Some(text) => {
                let name = self.registered.name;
                let message = format!("interceptor {name} refused the record: {text}");
                Err(Error::new(ErrorKind::Application, message))
            }
        })
    }

    fn interceptor(&self) -> &dyn Interceptor {
        &*self.registered.interceptor
    }

    fn who(&self, method: &str) -> String {
        format!("{method} of interceptor {}", self.registered.name)
    }
}
