//! Many producers, and a consumer that can sleep: chunks to the writer.
//!
//! What always holds: an element that [`Consumer::wait`] took out of the channel to see whether there
//! is one comes out of the next [`Consumer::pop`].

use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};

use super::Full;

/// A side that elements are pushed into. A clone is another one.
#[derive(Debug)]
pub struct Producer<T>(Sender<T>);

/// The side that elements come out of.
#[derive(Debug)]
pub struct Consumer<T> {
    receiver: Receiver<T>,
    next: Option<T>,
}

/// Why [`Consumer::wait`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Woken {
    /// There is an element.
    Ready,
    /// There is none, and no producer is left to push one.
    Closed,
    /// There was none in time.
    TimedOut,
}

/// A channel for `capacity` elements.
pub fn channel<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    let (sender, receiver) = bounded(capacity);
    (Producer(sender), Consumer { receiver, next: None })
}

impl<T> Clone for Producer<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> Producer<T> {
    /// Appends an element, or gives it back where the channel is full.
    pub fn push(&mut self, element: T) -> Result<(), Full<T>> {
        super::push(&self.0, element)
    }
}

impl<T> Consumer<T> {
    /// Takes the oldest element.
    pub fn pop(&mut self) -> Option<T> {
        self.next.take().or_else(|| self.receiver.try_recv().ok())
    }

    /// Waits for an element; where there is a timeout, no longer than that.
    pub fn wait(&mut self, timeout: Option<Duration>) -> Woken {
        if self.next.is_some() {
            return Woken::Ready;
        }
        let received = match timeout {
            Some(timeout) => self.receiver.recv_timeout(timeout),
            None => self.receiver.recv().map_err(RecvTimeoutError::from),
        };
        match received {
            Ok(element) => {
                self.next = Some(element);
                Woken::Ready
            }
            Err(RecvTimeoutError::Disconnected) => Woken::Closed,
            Err(RecvTimeoutError::Timeout) => Woken::TimedOut,
        }
    }
}
