//! The last rung: many producers, and one consumer that can sleep. The writer uses this one.
//!
//! Producers claim slots: a compare-and-swap moves `tail` ahead, and whoever moved it owns the slots
//! in between. They fill them in any order, so a position alone cannot tell the consumer what is
//! ready. Each slot has a stamp for that: the position that it was filled for.
//!
//! # The words that threads share
//!
//! Positions grow by four, so that two bits are left for flags.
//!
//! | word | written by | value |
//! |---|---|---|
//! | `tail` | who claims | the first position that nobody has claimed; `SLEEPING`: whoever claims next must wake the consumer; `CLOSED`: no producer is left |
//! | `head` | the consumer | the first position that was not popped |
//! | a slot's `stamp` | who has claimed it | the position with `FILLED`: it holds an element; with `SKIPPED`: it does not, go on; anything else: it is empty, or about to be filled |
//!
//! What always holds: `head` is not beyond `tail`, and `tail` is at most the capacity ahead. A slot
//! belongs to the producer that claimed it until that has stamped it, and then to the consumer until
//! `head` is beyond it. The consumer never sleeps while an element is ready: it falls asleep by a
//! compare-and-swap of `tail` that fails where anything was claimed, and a claim that finds it asleep
//! wakes it. Both are changes of one word, and one word has one order of changes. So there is no
//! moment between a last look and falling asleep, and no fence.
//!
//! What it does not promise: a producer that the scheduler stops between its claim and its stamp
//! holds up what others push behind it, and a consumer that waits yields its processor meanwhile.
//!
//! Stamps in slots are Dmitry Vyukov's ("Bounded MPMC queue", 1024cores.net, 2011). There the stamp
//! also tells producers that a slot is free again. With one consumer the position `head` does: a
//! producer looks at it once a lap instead of once a slot, the consumer only reads what it pops, and a
//! batch is one claim.

#![expect(unsafe_code, reason = "slots change hands through stamps, which no borrow can express")]

mod claim;
mod sleep;

use crossbeam_utils::CachePadded;

use super::Full;
use super::slots::Slot;
use super::sync::{
    Arc, AtomicUsize, Mutex,
    Ordering::{Acquire, Relaxed, Release},
    Thread,
};

pub use sleep::Woken;

/// From one position to the next.
const STEP: usize = 4;

/// In `tail`: the consumer sleeps.
const SLEEPING: usize = 1;

/// In `tail`: no producer is left.
const CLOSED: usize = 2;

/// In a stamp: there is an element.
const FILLED: usize = 1;

/// In a stamp: there is none, because an iterator ended before it had said it would.
const SKIPPED: usize = 2;

/// A side that elements are pushed into. A clone is another one.
#[derive(Debug)]
pub struct Producer<T> {
    ring: Arc<Ring<T>>,
    presence: Arc<Presence<T>>,
    /// The ring's, some time ago.
    head: usize,
}

/// The side that elements come out of. There is one, which the types keep:
///
/// ```compile_fail,E0599
/// let (_producer, consumer) = craft1_final::ring::mpsc::channel::<u8>(4);
/// consumer.clone();
/// ```
#[derive(Debug)]
pub struct Consumer<T> {
    ring: Arc<Ring<T>>,
    /// As the ring's.
    head: usize,
}

#[derive(Debug)]
struct Ring<T> {
    slots: Box<[Stamped<T>]>,
    tail: CachePadded<AtomicUsize>,
    head: CachePadded<AtomicUsize>,
    /// Whom to wake.
    sleeper: Mutex<Option<Thread>>,
}

#[derive(Debug)]
struct Stamped<T> {
    stamp: AtomicUsize,
    slot: Slot<T>,
}

/// The producers of a ring, which have it in common. When the last one goes, the ring is closed.
#[derive(Debug)]
struct Presence<T>(Arc<Ring<T>>);

/// A ring for `capacity` elements.
///
/// ```
/// use craft1_final::ring::{Full, mpsc};
///
/// let (mut producer, mut consumer) = mpsc::channel(2);
/// let mut another = producer.clone();
/// assert_eq!((producer.push(1), another.push(2)), (Ok(()), Ok(())));
/// assert_eq!(producer.push(3), Err(Full(3)));
/// drop((producer, another));
/// assert_eq!(consumer.wait(None), mpsc::Woken::Ready);
/// assert_eq!((consumer.pop(), consumer.pop(), consumer.pop()), (Some(1), Some(2), None));
/// assert_eq!(consumer.wait(None), mpsc::Woken::Closed);
/// ```
///
/// # Panics
/// Unless the capacity is a power of two.
pub fn channel<T>(capacity: usize) -> (Producer<T>, Consumer<T>) {
    channel_from(0, capacity)
}

/// Positions begin at `start`.
fn channel_from<T>(start: usize, capacity: usize) -> (Producer<T>, Consumer<T>) {
    assert!(capacity.is_power_of_two(), "the capacity of a ring is a power of two: {capacity}");
    // No position has a stamp without a flag.
    let empty = |_| Stamped { stamp: AtomicUsize::new(0), slot: Slot::new() };
    let head = start.wrapping_mul(STEP);
    let ring = Arc::new(Ring {
        slots: (0..capacity).map(empty).collect(),
        tail: CachePadded::new(AtomicUsize::new(head)),
        head: CachePadded::new(AtomicUsize::new(head)),
        sleeper: Mutex::new(None),
    });
    let presence = Arc::new(Presence(Arc::clone(&ring)));
    (Producer { ring: Arc::clone(&ring), presence, head }, Consumer { ring, head })
}

impl<T> Clone for Producer<T> {
    fn clone(&self) -> Self {
        let (ring, presence) = (Arc::clone(&self.ring), Arc::clone(&self.presence));
        Self { ring, presence, head: self.head }
    }
}

impl<T> Producer<T> {
    /// Appends an element, or gives it back where the ring is full. Wakes a consumer that sleeps.
    pub fn push(&mut self, element: T) -> Result<(), Full<T>> {
        let Some(mut claim) = self.claim(1) else { return Err(Full(element)) };
        claim.fill(element);
        Ok(())
    }

    /// Appends as many elements as there is room for, next to each other, and returns how many. One
    /// that there is no room for stays in the iterator.
    pub fn push_batch(&mut self, elements: &mut impl ExactSizeIterator<Item = T>) -> usize {
        let Some(mut claim) = self.claim(elements.len()) else { return 0 };
        let mut count = 0;
        while !claim.is_used_up() {
            let Some(element) = elements.next() else { break };
            claim.fill(element);
            count += 1;
        }
        count
    }

    /// How many elements there is room for now. Other producers can be faster.
    pub fn free(&mut self) -> usize {
        let tail = self.look();
        self.room(tail)
    }
}

impl<T> Consumer<T> {
    /// Takes the oldest element.
    pub fn pop(&mut self) -> Option<T> {
        let mut popped = None;
        self.pop_batch(1, |element| popped = Some(element));
        popped
    }

    /// Gives the oldest elements to `take`, at most `max` of them, and returns how many. Producers can
    /// use their slots after the last one.
    pub fn pop_batch(&mut self, max: usize, mut take: impl FnMut(T)) -> usize {
        let mut count = 0;
        let batch = Read(self);
        while count < max && batch.0.peek() {
            // SAFETY: the stamp says that the slot holds an element and is ours. It is not read again,
            // because `head` moves on.
            let element = unsafe { batch.0.ring.at(batch.0.head).slot.read() };
            batch.0.advance();
            count += 1;
            take(element);
        }
        count
    }

    /// Whether there is an element at `head`. Skips slots without one.
    fn peek(&mut self) -> bool {
        loop {
            // Pairs with the Release store in `Claim::stamp`: the slot is written.
            let stamp = self.ring.at(self.head).stamp.load(Acquire);
            if stamp != self.head | SKIPPED {
                return stamp == self.head | FILLED;
            }
            self.advance();
            // Else a ring full of such slots would stay full while the consumer sleeps.
            self.publish();
        }
    }

    fn advance(&mut self) {
        self.head = self.head.wrapping_add(STEP);
    }

    fn publish(&mut self) {
        // Pairs with the Acquire load in `Producer::look`: the slots up to there have been read.
        self.ring.head.store(self.head, Release);
    }
}

/// Publishes what was read when it goes, also where a closure panics.
struct Read<'a, T>(&'a mut Consumer<T>);

impl<T> Drop for Read<'_, T> {
    fn drop(&mut self) {
        self.0.publish();
    }
}

impl<T> Ring<T> {
    fn at(&self, position: usize) -> &Stamped<T> {
        &self.slots[(position / STEP) & (self.slots.len() - 1)]
    }
}

impl<T> Drop for Ring<T> {
    fn drop(&mut self) {
        // Relaxed: nobody else is left, and the counter of `Arc` has ordered what they did before.
        let (mut head, end) = (self.head.load(Relaxed), position(self.tail.load(Relaxed)));
        while head != end {
            let Stamped { stamp, slot } = self.at(head);
            if stamp.load(Relaxed) == head | FILLED {
                // SAFETY: the slot holds an element that was not popped, and nobody else is left.
                drop(unsafe { slot.read() });
            }
            head = head.wrapping_add(STEP);
        }
    }
}

/// Without its flags.
fn position(tail: usize) -> usize {
    tail & !(SLEEPING | CLOSED)
}

#[cfg(all(test, loom))]
mod models;
#[cfg(all(test, not(loom)))]
mod tests;
