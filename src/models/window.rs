//! The window between the sender and the receiver of a connection that may die at any moment.

use super::{check, choose};
use crate::broker::tests::{in_flight, reset};
use crate::broker::window::{Ear, Task, Window};
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::thread;
use crate::sync::{Arc, Mutex};
use crate::time::Deadline;

use super::world::{HOUR, Mail};

const REQUESTS: i32 = 4;

/// What the threads of a connection share.
struct Connection {
    window: Window<()>,
    /// The numbers of what was written, as the peer reads them; closed once the connection is dead.
    socket: Arc<Mail<i32>>,
    is_dead: Mutex<bool>,
    un_answered: AtomicUsize,
}

/// Where the requests went, each once.
#[derive(Debug, PartialEq)]
struct Ends {
    announced: i32,
    answered: Vec<i32>,
    /// On the connection when it died.
    lost: Vec<i32>,
    /// Not written: the connection was dead.
    unwritten: Vec<i32>,
}

impl Connection {
    fn write(&self, id: i32) -> bool {
        let is_dead = *self.is_dead.lock();
        if !is_dead {
            self.socket.put(id);
        }
        !is_dead
    }

    /// Borrows the reader, as a sender does that authenticates anew; false if the connection died.
    fn renew(&self) -> bool {
        let reader = self.window.borrow_reader();
        if reader.is_ok() {
            let un_answered = self.un_answered.load(Ordering::SeqCst);
            assert_eq!(un_answered, 0, "there is something to read");
            self.window.return_reader(());
        }
        reader.is_ok()
    }

    /// As a sender thread does. How many requests it announced, and which of them were not written.
    fn send(&self, max: usize, renews_at: Option<i32>) -> (i32, Vec<i32>) {
        let (mut announced, mut unwritten) = (0, Vec::new());
        for id in 0..REQUESTS {
            if renews_at == Some(id) && !self.renew() {
                break;
            }
            if self.window.wait_for_slot().is_err() {
                break;
            }
            let un_answered = self.un_answered.fetch_add(1, Ordering::SeqCst);
            assert!(un_answered < max, "too many requests are un-answered");
            self.window.announce(Deadline::within(HOUR));
            announced += 1;
            if self.write(id) {
                self.window.deposit(in_flight(id));
            } else {
                self.window.die(reset());
                unwritten.push(id);
                break;
            }
        }
        self.window.close();
        (announced, unwritten)
    }

    /// As a receiver thread does; the connection ends before its answer number `lives`.
    fn receive(&self, lives: usize) -> (Vec<i32>, Vec<i32>) {
        let (mut answered, mut lost) = (Vec::new(), Vec::new());
        loop {
            match self.window.next_task(Ear::Shut) {
                Some(Task::Read(_)) => {}
                Some(Task::Lend) if self.window.lend_reader(()).is_some() => continue,
                _ => return (answered, lost),
            }
            if answered.len() == lives {
                break;
            }
            let Some(id) = self.socket.take() else { break };
            let Some(taken) = self.window.take() else {
                return (answered, lost);
            };
            assert_eq!(taken.correlation_id, id, "answers come in order");
            answered.push(id);
            self.un_answered.fetch_sub(1, Ordering::SeqCst);
            self.window.finish();
        }
        self.window.die(reset());
        *self.is_dead.lock() = true;
        while let Some(taken) = self.window.take() {
            lost.push(taken.correlation_id);
            self.un_answered.fetch_sub(1, Ordering::SeqCst);
            self.window.finish();
        }
        (answered, lost)
    }
}

/// Before one of the requests, or none, the sender borrows the reader.
fn hand_over(max: usize, lives: usize) -> Ends {
    let renews_at = Some(choose(REQUESTS as usize + 1) as i32);
    let connection = Arc::new(Connection {
        window: Window::new(max),
        socket: Mail::new(),
        is_dead: Mutex::new(false),
        un_answered: AtomicUsize::new(0),
    });
    let receiver = {
        let connection = connection.clone();
        thread::spawn(move || connection.receive(lives))
    };
    let killer = (lives > REQUESTS as usize).then(|| {
        let connection = connection.clone();
        thread::spawn(move || {
            *connection.is_dead.lock() = true;
            connection.socket.close();
        })
    });
    let (announced, unwritten) = connection.send(max, renews_at);
    // The sender shuts the socket down when it is done with it, and reads still see what came.
    connection.socket.close();
    let (answered, lost) = receiver.join().expect("the model does not panic");
    if let Some(killer) = killer {
        killer.join().expect("the model does not panic");
    }
    Ends {
        announced,
        answered,
        lost,
        unwritten,
    }
}

#[test]
fn requests_are_answered_in_order_and_never_more_than_fit() {
    for max in 1..=3 {
        check(move || {
            let ends = hand_over(max, REQUESTS as usize);
            let (answered, none) = ((0..REQUESTS).collect(), Vec::new());
            let expected = Ends {
                announced: REQUESTS,
                answered,
                lost: none.clone(),
                unwritten: none,
            };
            assert_eq!(ends, expected);
        });
    }
}

/// A re-authentication that fails: the sender does not give the reader back.
#[test]
fn a_reader_that_does_not_come_back_ends_the_receiver_with_the_close() {
    check(|| {
        let window = Arc::new(Window::new(1));
        let receiver = {
            let window = window.clone();
            thread::spawn(move || {
                assert!(matches!(window.next_task(Ear::Shut), Some(Task::Lend)));
                window.lend_reader(7).is_none()
            })
        };
        assert_eq!(window.borrow_reader().ok(), Some(7));
        window.die(reset());
        window.close();
        assert!(receiver.join().expect("the model does not panic"));
    });
}

#[test]
fn what_a_dying_connection_held_comes_back_once_and_in_order() {
    for max in 1..=3 {
        check(move || {
            // The peer may go after any answer, or somebody else may cut the connection.
            let lives = match choose(2) {
                0 => choose(REQUESTS as usize),
                _ => usize::MAX,
            };
            let Ends {
                announced,
                answered,
                lost,
                unwritten,
            } = hand_over(max, lives);
            let ends: Vec<i32> = [answered, lost, unwritten].concat();
            let all: Vec<i32> = (0..announced).collect();
            assert_eq!(ends, all, "lost or out of order");
        });
    }
}
