//! An end for a test that hangs in code of its own process, where no deadline of ours reaches.

use std::io::{self, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::{process, thread, time::Duration};

use crate::DEADLINE;

/// Ends the whole test process, and says which test it was, unless it is dropped in time. Other
/// tests of the process go down with it: the thread that hangs cannot be ended alone.
#[derive(Debug)]
pub struct Watchdog(#[expect(dead_code, reason = "its drop is what is waited for")] Sender<()>);

impl Watchdog {
    /// Watches the test that calls this, for [`DEADLINE`].
    pub fn start() -> Self {
        let test = thread::current().name().unwrap_or("a test without a name").to_string();
        Self::watch(DEADLINE, move || {
            // Not `eprintln!`, which the test harness would keep to itself.
            let _ = writeln!(io::stderr(), "{test} hangs");
            process::exit(1);
        })
    }

    fn watch(deadline: Duration, bark: impl FnOnce() + Send + 'static) -> Self {
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            if receiver.recv_timeout(deadline) == Err(RecvTimeoutError::Timeout) {
                bark();
            }
        });
        Self(sender)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn barks_at_who_is_still_there_at_the_deadline_and_at_nobody_else() {
        let (barked, barks) = mpsc::channel();
        let watch = |name: &'static str, deadline| {
            let barked = barked.clone();
            Watchdog::watch(deadline, move || barked.send(name).unwrap())
        };
        drop(watch("in time", DEADLINE));
        let _late = watch("late", Duration::from_millis(50));
        assert_eq!(barks.recv_timeout(DEADLINE), Ok("late"));
        drop(barked);
        assert!(barks.recv_timeout(DEADLINE).is_err(), "and nobody else");
    }
}
