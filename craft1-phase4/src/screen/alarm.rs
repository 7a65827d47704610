//! One timer for all the deadlines of a connection.
//!
//! What always holds: it goes off at the deadline that is asked about, not before, and it costs
//! nothing to move a deadline into the future: the timer goes off at the old time, sees that it is
//! too early, and is set again. So a connection that is busy sets it once in a while and not once a
//! request.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use tokio::time::{Instant, Sleep, sleep_until};

/// A timer that is made when it is first needed.
#[derive(Debug, Default)]
pub(super) struct Alarm(Option<Pin<Box<Sleep>>>);

impl Alarm {
    /// Ready once `due` is over.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, due: Instant) -> Poll<()> {
        let sleep = self.0.get_or_insert_with(|| Box::pin(sleep_until(due)));
        if due < sleep.deadline() {
            sleep.as_mut().reset(due);
        }
        loop {
            ready!(sleep.as_mut().poll(cx));
            if due <= sleep.deadline() {
                return Poll::Ready(());
            }
            sleep.as_mut().reset(due);
        }
    }
}
