//! The third rung: each side keeps a copy of the other's position.
//!
//! Positions, slots and who owns them are as in [`super::spsc`]. What is new is how seldom the two
//! cores talk. The producer remembers how far the consumer was when it last looked, and looks again
//! only when the ring would be full by that. The consumer does the same the other way round. A copy
//! is never too optimistic, because the other side only ever goes forward. And each position has cache
//! lines of its own, so that a store to one does not take the other away from its owner.
//!
//! `batch.rs` adds the fourth rung: many elements for one store of a position.
//!
//! What always holds: what holds in [`super::spsc`], with each side's copy not beyond the original.
//!
//! The copies are from `MCRingBuffer` (Lee, Bu and Chandranmenon, "A lock-free, cache-efficient
//! shared ring buffer for multi-core architectures", 2009). Erik Rigtorp shows what each of these
//! steps gains ("Optimizing a ring buffer for throughput", 2021).

#![expect(
    unsafe_code,
    reason = "slots change hands through positions, which no borrow can express"
)]

mod batch;

use crossbeam_utils::CachePadded;

use super::Full;
use super::slots::Slots;
use super::sync::{
    Arc, AtomicUsize,
    Ordering::{Acquire, Relaxed, Release},
};

/// The side that elements are pushed into. There is one, which the types keep:
///
/// ```compile_fail,E0599
/// let (producer, _consumer) = craft1_final::ring::spsc_cached::channel::<u8>(4);
/// producer.clone();
/// ```
///
/// It can move to another thread, but two cannot use it at once:
///
/// ```compile_fail,E0596
/// let (producer, _consumer) = craft1_final::ring::spsc_cached::channel::<u8>(4);
/// std::thread::scope(|scope| scope.spawn(|| producer.push(1)).join());
/// ```
#[derive(Debug)]
pub struct Producer<T> {
    ring: Arc<Ring<T>>,
    /// As the ring's.
    tail: usize,
    /// The ring's, some time ago.
    head: usize,
}

/// The side that elements come out of. There is one.
#[derive(Debug)]
pub struct Consumer<T> {
    ring: Arc<Ring<T>>,
    /// As the ring's.
    head: usize,
    /// The ring's, some time ago.
    tail: usize,
}

#[derive(Debug)]
struct Ring<T> {
    slots: Slots<T>,
    head: CachePadded<AtomicUsize>,
    tail: CachePadded<AtomicUsize>,
}

/// A ring for `capacity` elements.
///
/// ```
/// use craft1_final::ring::{Full, spsc_cached};
///
/// let (mut producer, mut consumer) = spsc_cached::channel(2);
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
        head: CachePadded::new(AtomicUsize::new(start)),
        tail: CachePadded::new(AtomicUsize::new(start)),
    });
    let producer = Producer { ring: Arc::clone(&ring), tail: start, head: start };
    (producer, Consumer { ring, head: start, tail: start })
}

impl<T> Producer<T> {
    /// Appends an element, or gives it back where the ring is full.
    pub fn push(&mut self, element: T) -> Result<(), Full<T>> {
        if !self.has_room() {
            return Err(Full(element));
        }
        // SAFETY: there is room.
        unsafe { self.write(element) };
        self.publish();
        Ok(())
    }

    /// How many elements there is room for now. It can only become more.
    pub fn free(&mut self) -> usize {
        // Pairs with the Release store in `Consumer::publish`: the slots up to there have been read.
        self.head = self.ring.head.load(Acquire);
        self.ring.slots.capacity() - self.tail.wrapping_sub(self.head)
    }

    /// Looks at the consumer's position only where its copy says that there is no room.
    fn has_room(&mut self) -> bool {
        self.tail.wrapping_sub(self.head) < self.ring.slots.capacity() || self.free() > 0
    }

    /// Fills the next slot, which stays ours until it is published.
    ///
    /// # Safety
    /// There is room.
    unsafe fn write(&mut self, element: T) {
        // SAFETY: the slot is ours, because it is less than the capacity ahead of a position that the
        // consumer had reached, and what the consumer did with it happened before we learned that.
        unsafe { self.ring.slots.at(self.tail).write(element) };
        self.tail = self.tail.wrapping_add(1);
    }

    fn publish(&mut self) {
        // Pairs with the Acquire load in `Consumer::look`: the slots up to there are written.
        self.ring.tail.store(self.tail, Release);
    }
}

impl<T> Consumer<T> {
    /// Takes the oldest element.
    pub fn pop(&mut self) -> Option<T> {
        if self.head == self.tail && self.look() == 0 {
            return None;
        }
        // SAFETY: there is an element.
        let element = unsafe { self.read() };
        self.publish();
        Some(element)
    }

    /// How many elements there are now. It can only become more.
    fn look(&mut self) -> usize {
        // Pairs with the Release store in `Producer::publish`: the slots up to there are written.
        self.tail = self.ring.tail.load(Acquire);
        self.tail.wrapping_sub(self.head)
    }

    /// Empties the next slot, which stays ours until that is published.
    ///
    /// # Safety
    /// There is an element.
    unsafe fn read(&mut self) -> T {
        // SAFETY: the slot is ours and full, because it lies before a position that the producer had
        // reached, and it was written before we learned that. It is not read again, because our
        // position moves on with it.
        let element = unsafe { self.ring.slots.at(self.head).read() };
        self.head = self.head.wrapping_add(1);
        element
    }

    fn publish(&mut self) {
        // Pairs with the Acquire load in `Producer::free`: the slots up to there have been read.
        self.ring.head.store(self.head, Release);
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
