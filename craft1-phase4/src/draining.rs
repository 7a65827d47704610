//! The word that the server is to stop, for every connection at once.
//!
//! What always holds: whoever asks after the word was given hears it, and whoever waited for it is
//! woken.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Whether the server is to stop.
#[derive(Debug, Default)]
pub struct Draining {
    has_begun: AtomicBool,
    begun: Notify,
}

impl Draining {
    /// Gives the word.
    pub fn begin(&self) {
        // Before anybody is woken to look at it. Pairs with `has_begun`.
        self.has_begun.store(true, Ordering::Release);
        self.begun.notify_waiters();
    }

    /// Whether it was given. An atomic load, so it can be asked for each request.
    pub fn has_begun(&self) -> bool {
        self.has_begun.load(Ordering::Acquire)
    }

    /// Waits for it.
    pub fn begun(&self) -> Notified<'_> {
        self.begun.notified()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_woken_and_finds_the_word_given() {
        let draining = Draining::default();
        let begun = draining.begun();
        assert!(!draining.has_begun());
        draining.begin();
        begun.await;
        assert!(draining.has_begun());
    }
}
