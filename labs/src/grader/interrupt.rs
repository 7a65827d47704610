//! Ctrl-C: the server that runs is killed with all its children, so that nothing waits for it any
//! more, and the grader ends with what it knows.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process_group};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// Whether somebody wants to stop, and what has to be stopped.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<State>);

#[derive(Debug, Default)]
struct State {
    is_asked: AtomicBool,
    server: Mutex<Option<Pid>>,
}

impl Interrupt {
    /// Listens for SIGINT and SIGTERM from now on.
    ///
    /// # Errors
    /// Where the system does not let it.
    pub fn listen() -> io::Result<Self> {
        let interrupt = Self::default();
        let theirs = interrupt.clone();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        thread::spawn(move || signals.forever().for_each(|_| theirs.ask()));
        Ok(interrupt)
    }

    /// Whether somebody wants to stop.
    pub fn is_asked(&self) -> bool {
        self.0.is_asked.load(SeqCst)
    }

    /// This process group is to be killed; `None` where none runs.
    pub fn watch(&self, server: Option<u32>) {
        let group = server.and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
        let mut watched = self.0.server.lock().unwrap_or_else(PoisonError::into_inner);
        *watched = group;
        // Asked between its start and now.
        if self.is_asked() {
            kill(*watched);
        }
    }

    /// Stops it, as Ctrl-C does.
    pub fn ask(&self) {
        self.0.is_asked.store(true, SeqCst);
        kill(*self.0.server.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

fn kill(group: Option<Pid>) {
    if let Some(group) = group {
        // Where nobody is left, there is nobody to kill.
        let _ = kill_process_group(group, Signal::KILL);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use testkit::Server;

    use super::*;

    #[test]
    fn who_is_watched_when_it_is_asked_is_killed_and_so_is_who_comes_later() {
        let sleeping = || Server::spawn(Command::new("sleep").arg("60")).unwrap();
        let (interrupt, first) = (Interrupt::default(), sleeping());
        interrupt.watch(Some(first.pid()));
        assert!(!interrupt.is_asked());
        interrupt.ask();
        assert!(interrupt.is_asked());
        assert_eq!(first.wait().status.signal(), Some(9));
        let second = sleeping();
        interrupt.watch(Some(second.pid()));
        assert_eq!(second.wait().status.signal(), Some(9));
    }
}
