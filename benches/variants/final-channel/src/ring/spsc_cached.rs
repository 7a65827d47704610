//! One producer and one consumer: emptied chunks back to an event loop.

use crossbeam_channel::{Receiver, Sender, bounded};

use super::Full;

/// The side that elements are pushed into.
#[derive(Debug)]
pub struct Producer<T>(Sender<T>);

/// The side that elements come out of.
#[derive(Debug)]
pub struct Consumer<T>(Receiver<T>);

/// A channel for `capacity` elements.
pub fn channel<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    let (sender, receiver) = bounded(capacity);
    (Producer(sender), Consumer(receiver))
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
        self.0.try_recv().ok()
    }
}
