//! From a signal to the end of the program: the first one drains, the second one ends it at once.
//!
//! What always holds: whoever waits in `poll` learns of the first signal without being told one by
//! one. All of them watch the reading end of one pipe. The signal closes the writing end, and from
//! then on the reading end is ready for ever (D. J. Bernstein's self-pipe trick, 1990, closed
//! instead of written to, because a byte can be read away and an end cannot).

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;
use std::{io, process, thread};

use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::socket::wait_for_any;

/// Whether the server is to stop.
#[derive(Debug)]
pub struct Shutdown {
    pipe: OwnedFd,
}

impl Shutdown {
    /// Watches for SIGINT (Ctrl-C) and SIGTERM from now on. `loss` is what the second one prints.
    pub fn on_signals(loss: impl Fn() -> String + Send + 'static) -> io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let (shutdown, writing_end) = Self::by_hand()?;
        let mut writing_end = Some(writing_end);
        thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                if writing_end.take().is_none() {
                    eprintln!("stopped at once: {}", loss());
                    // What a shell reports for a program that a signal ended.
                    process::exit(128 + signal);
                }
            }
        })?;
        Ok(shutdown)
    }

    /// Without signals: the server is to stop once the writing end that comes with it is dropped.
    pub fn by_hand() -> io::Result<(Self, OwnedFd)> {
        let (pipe, writing_end) = rustix::pipe::pipe()?;
        Ok((Self { pipe }, writing_end))
    }

    /// Whether the first signal has come.
    pub fn has_begun(&self) -> bool {
        wait_for_any(&[self.as_fd()], Some(Instant::now())).is_ok_and(|ready| ready == [true])
    }
}

impl AsFd for Shutdown {
    /// Readable once the server is to stop.
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.pipe.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn has_begun_from_the_signal_on() {
        let (shutdown, stopper) = Shutdown::by_hand().unwrap();
        assert!(!shutdown.has_begun());
        drop(stopper);
        assert!(shutdown.has_begun() && shutdown.has_begun(), "and it stays so");
    }
}
