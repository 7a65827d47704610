//! How long a connection may wait, and for what.
//!
//! What always holds: there is one thing at a time that a connection waits for, each has a deadline
//! of its own, and waiting longer for the same thing does not put it off. Only progress does.

use std::time::Duration;

use craft1_phase1::timeouts::Timeouts;

use crate::timer_wheel::{Tick, ticks};

/// What a client that was refused may go on to send before it is cut off.
const LINGER: Duration = Duration::from_secs(1);

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaits {
    /// The first byte of a request that is not the first.
    Request,
    /// The rest of a head, or the first head.
    Head,
    /// The rest of a body.
    Body,
    /// The client to take its answers.
    Room,
    /// The writer to store what the client sent.
    Writer,
    /// The end of what the client sends in vain.
    End,
}

/// How long it may take, in ticks.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    header: u64,
    body: u64,
    write: u64,
    idle: u64,
    linger: u64,
}

impl Patience {
    /// As the operator wants it. `idle` is from an answer to the next request.
    pub fn new(timeouts: Timeouts, idle: Duration) -> Self {
        Self {
            header: ticks(timeouts.header),
            body: ticks(timeouts.body),
            write: ticks(timeouts.write),
            idle: ticks(idle),
            linger: ticks(LINGER),
        }
    }

    /// When it has taken too long, if it begins `now`.
    pub fn deadline(&self, awaits: Awaits, now: Tick) -> Tick {
        now.saturating_add(match awaits {
            Awaits::Request => self.idle,
            Awaits::Head => self.header,
            Awaits::Body => self.body,
            Awaits::Room => self.write,
            // It takes as long as it takes, and nobody is kept by it but the client itself.
            Awaits::Writer => u64::MAX,
            Awaits::End => self.linger,
        })
    }
}

/// What one connection waits for now, and until when.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    awaits: Awaits,
    deadline: Tick,
}

impl Watch {
    /// Begins to wait for something.
    pub fn begin(awaits: Awaits, now: Tick, patience: &Patience) -> Self {
        Self { awaits, deadline: patience.deadline(awaits, now) }
    }

    /// Goes on waiting. After progress it begins anew, and so it does with another thing.
    pub fn go_on(&mut self, awaits: Awaits, has_progressed: bool, now: Tick, patience: &Patience) {
        if has_progressed || awaits != self.awaits {
            *self = Self::begin(awaits, now, patience);
        }
    }

    /// What for.
    pub fn awaits(&self) -> Awaits {
        self.awaits
    }

    /// Until when.
    pub fn deadline(&self) -> Tick {
        self.deadline
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patience() -> Patience {
        let [header, body, write, idle] = [10, 20, 30, 40].map(Duration::from_millis);
        Patience::new(Timeouts { header, body, write }, idle)
    }

    #[test]
    fn only_progress_and_another_thing_put_a_deadline_off() {
        let patience = patience();
        let mut watch = Watch::begin(Awaits::Head, 100, &patience);
        let first = watch.deadline();
        watch.go_on(Awaits::Head, false, 101, &patience);
        assert_eq!(watch.deadline(), first);
        watch.go_on(Awaits::Head, true, 101, &patience);
        assert_eq!(watch.deadline(), first + 1);
        watch.go_on(Awaits::Body, false, 101, &patience);
        assert_eq!(watch.awaits(), Awaits::Body);
        assert_eq!(watch.deadline(), patience.deadline(Awaits::Body, 101));
    }

    #[test]
    fn each_thing_has_a_time_of_its_own_and_the_writer_has_all_of_it() {
        let patience = patience();
        let all = [Awaits::Head, Awaits::Body, Awaits::Room, Awaits::Request, Awaits::End];
        let deadlines = all.map(|awaits| patience.deadline(awaits, 0));
        assert!(deadlines.is_sorted() && deadlines[0] < deadlines[1], "{deadlines:?}");
        assert_eq!(patience.deadline(Awaits::Writer, 7), Tick::MAX);
    }
}
