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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// When the alarm goes off that is asked about `due` seconds from now.
    async fn goes_off(alarm: &mut Alarm, due: u32) -> Duration {
        let start = Instant::now();
        poll_fn(|cx| alarm.poll(cx, start + SECOND * due)).await;
        start.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn goes_off_at_the_deadline_and_again_at_the_next_one() {
        let mut alarm = Alarm::default();
        for due in [3, 60, 1, 0, 5] {
            let after = goes_off(&mut alarm, due).await;
            // The timer counts milliseconds.
            assert!(after >= SECOND * due && after < SECOND * due + SECOND / 100, "{after:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_moves_is_met_where_it_has_moved_to() {
        let start = Instant::now();
        let mut alarm = Alarm::default();
        for (asked_at, due) in [(0, 10), (1, 60), (2, 5), (3, 90)] {
            tokio::time::sleep_until(start + SECOND * asked_at).await;
            let due = start + SECOND * due;
            let is_over = poll_fn(|cx| Poll::Ready(alarm.poll(cx, due))).await.is_ready();
            assert!(!is_over, "asked at {asked_at}");
        }
        poll_fn(|cx| alarm.poll(cx, start + SECOND * 90)).await;
        assert!(start.elapsed() >= SECOND * 90);
    }
}
