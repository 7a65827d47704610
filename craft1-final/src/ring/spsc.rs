//! The second rung: one producer, one consumer, and no lock.
//!
//! Positions count elements from the start of the ring and wrap where `usize` does. `tail` is where
//! the next element goes, and only the producer writes it. `head` is where the oldest one is, and only
//! the consumer writes it. An element's slot is its position modulo the capacity, which is a power of
//! two, so that a slot stays the same when positions wrap.
//!
//! What always holds: `head` is not beyond `tail`, and `tail` is at most the capacity ahead. Slots
//! from `head` to `tail` belong to the consumer, all others to the producer. A store of a position
//! hands slots to the other side: everything that was done with them before is `Release`d by it, and
//! seen by whoever `Acquire`s it.
//!
//! The queue is Leslie Lamport's ("Specifying concurrent program modules", 1983), who showed that
//! one reader and one writer need no lock.
//!
//! Naive: each push reads the consumer's position and each pop the producer's, so that their cache
//! line goes back and forth between two cores for each element. Both positions share one line, too.

#![expect(
    unsafe_code,
    reason = "slots change hands through positions, which no borrow can express"
)]

use super::Full;
use super::slots::Slots;
use super::sync::{
    Arc, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// The side that elements are pushed into. There is one, which the types keep:
///
/// ```compile_fail,E0599
/// let (producer, _consumer) = craft1_final::ring::spsc::channel::<u8>(4);
/// producer.clone();
/// ```
#[derive(Debug)]
pub struct Producer<T> {
    ring: Arc<Ring<T>>,
    /// As the ring's, which nobody else stores.
    tail: usize,
}

/// The side that elements come out of. There is one.
#[derive(Debug)]
pub struct Consumer<T> {
    ring: Arc<Ring<T>>,
    /// As the ring's, which nobody else stores.
    head: usize,
}

#[derive(Debug)]
struct Ring<T> {
    slots: Slots<T>,
    head: AtomicUsize,
    tail: AtomicUsize,
}

/// A ring for `capacity` elements.
///
/// ```
/// use craft1_final::ring::{Full, spsc};
///
/// let (mut producer, mut consumer) = spsc::channel(2);
/// assert_eq!((producer.push(1), producer.push(2)), (Ok(()), Ok(())));
/// assert_eq!(producer.push(3), Err(Full(3)));
/// assert_eq!((consumer.pop(), consumer.pop(), consumer.pop()), (Some(1), Some(2), None));
/// ```
///
/// # Panics
/// Unless the capacity is a power of two.
pub fn channel<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    channel_from(0, capacity)
}

/// Positions begin at `start`.
fn channel_from<T>(start: usize, capacity: usize) -> (Producer<T>, Consumer<T>) {
    let ring = Arc::new(Ring {
        slots: Slots::new(capacity),
        head: AtomicUsize::new(start),
        tail: AtomicUsize::new(start),
    });
    (Producer { ring: Arc::clone(&ring), tail: start }, Consumer { ring, head: start })
}

impl<T> Producer<T> {
    /// Appends an element, or gives it back where the ring is full.
    pub fn push(&mut self, element: T) -> Result<(), Full<T>> {
        // ANCHOR: push
        // Pairs with the Release store in `pop`: the slots up to there have been read.
        let head = self.ring.head.load(Acquire);
        if self.tail.wrapping_sub(head) == self.ring.slots.capacity() {
            return Err(Full(element));
        }
        // SAFETY: the slot at `tail` is ours until `tail` is stored, and there is no other producer.
        // What the consumer did with it is over.
        unsafe { self.ring.slots.at(self.tail).write(element) };
        self.tail = self.tail.wrapping_add(1);
        // Pairs with the Acquire load in `pop`: the slot is written.
        self.ring.tail.store(self.tail, Release);
        Ok(())
        // ANCHOR_END: push
    }
}

impl<T> Consumer<T> {
    /// Takes the oldest element.
    pub fn pop(&mut self) -> Option<T> {
        // ANCHOR: pop
        // Pairs with the Release store in `push`: the slots up to there are written.
        let tail = self.ring.tail.load(Acquire);
        if self.head == tail {
            return None;
        }
        // SAFETY: the slot at `head` is ours until `head` is stored, and there is no other consumer.
        // It holds an element, which is not read again, because `head` moves on.
        let element = unsafe { self.ring.slots.at(self.head).read() };
        self.head = self.head.wrapping_add(1);
        // Pairs with the Acquire load in `push`: the slot is read.
        self.ring.head.store(self.head, Release);
        Some(element)
        // ANCHOR_END: pop
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // Relaxed: nobody else is left, and the counter of `Arc` has ordered what they did before.
        let (head, tail) = (self.head.load(Relaxed), self.tail.load(Relaxed));
        // SAFETY: these slots hold what was not popped.
        unsafe { self.slots.clear(head, tail) };
    }
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
