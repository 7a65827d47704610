//! The first rung: a deque behind a lock.
//!
//! What always holds: as for each rung (see [`super`]), because one thread at a time does anything.
//!
//! Naive: whoever holds the lock makes everybody else wait. Where the scheduler takes the processor
//! from that thread, it makes them wait for as long as that lasts.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::Full;

/// A bounded queue. Clones are the same queue.
///
/// ```
/// use craft1_final::ring::{Full, mutex::Ring};
///
/// let ring = Ring::new(2);
/// assert_eq!((ring.push(1), ring.push(2), ring.push(3)), (Ok(()), Ok(()), Err(Full(3))));
/// assert_eq!((ring.pop(), ring.pop(), ring.pop()), (Some(1), Some(2), None));
/// ```
#[derive(Debug)]
pub struct Ring<T> {
    elements: Arc<Mutex<VecDeque<T>>>,
    capacity: usize,
}

impl<T> Clone for Ring<T> {
    fn clone(&self) -> Self {
        Self { elements: Arc::clone(&self.elements), capacity: self.capacity }
    }
}

impl<T> Ring<T> {
    /// An empty queue for `capacity` elements.
    pub fn new(capacity: usize) -> Self {
        Self { elements: Arc::new(Mutex::new(VecDeque::with_capacity(capacity))), capacity }
    }

    /// Appends an element, or gives it back where the queue is full.
    pub fn push(&self, element: T) -> Result<(), Full<T>> {
        // A poisoned lock is taken all the same: no change that a panic could leave half done.
        let mut elements = self.elements.lock().unwrap_or_else(PoisonError::into_inner);
        if elements.len() == self.capacity {
            return Err(Full(element));
        }
        elements.push_back(element);
        Ok(())
    }

    /// Takes the oldest element.
    pub fn pop(&self) -> Option<T> {
        self.elements.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::ring::claims::{Pop, Push, sequences};

    impl<T> Push<T> for Ring<T> {
        fn push(&mut self, element: T) -> Result<(), Full<T>> {
            Ring::push(self, element)
        }
    }

    impl<T> Pop<T> for Ring<T> {
        fn pop(&mut self) -> Option<T> {
            Ring::pop(self)
        }
    }

    #[test]
    fn a_ring_is_a_bounded_queue() {
        sequences::a_ring_is_a_bounded_queue(|_start, capacity| {
            let ring = Ring::new(capacity);
            (ring.clone(), ring)
        });
    }
}
