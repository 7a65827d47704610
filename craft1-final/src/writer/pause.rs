//! Waiting on purpose, for others to go on meanwhile.
//!
//! What always holds: where a loop or the writer's thread waits for a while and for nothing else, it
//! waits here. It is a value, as the calls of the disk are, so that a test can play the others.

use std::fmt::{self, Debug, Formatter};
use std::thread;
use std::time::Duration;

/// Waits for so long. [`Pause::default`] lets the thread sleep.
pub(super) struct Pause(Box<dyn FnMut(Duration) + Send>);

impl Pause {
    #[cfg(test)]
    pub(super) fn new(wait: impl FnMut(Duration) + Send + 'static) -> Self {
        Self(Box::new(wait))
    }

    pub(super) fn wait(&mut self, duration: Duration) {
        self.0(duration);
    }
}

impl Default for Pause {
    fn default() -> Self {
        Self(Box::new(thread::sleep))
    }
}

impl Debug for Pause {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pause").finish_non_exhaustive()
    }
}
