//! The fourth rung: many elements for one store of a position.
//!
//! The other core learns of a batch at once, and the cache line with the position crosses once for it.
//!
//! What always holds: what was written or read is published at the end of the batch, also where the
//! iterator or the closure panics. Else an element would be dropped twice, or never.

#![expect(unsafe_code, reason = "as in spsc_cached.rs, of which this is a part")]

use super::{Consumer, Producer};

impl<T> Producer<T> {
    /// Appends elements for as long as there is room, and returns how many. An element that there is
    /// no room for stays in the iterator.
    ///
    /// ```
    /// let (mut producer, mut consumer) = craft1_final::ring::spsc_cached::channel(4);
    /// let mut numbers = 0..10;
    /// assert_eq!(producer.push_batch(&mut numbers), 4);
    /// assert_eq!(numbers, 4..10);
    /// let mut sum = 0;
    /// assert_eq!(consumer.pop_batch(3, |number| sum += number), 3);
    /// assert_eq!(sum, 0 + 1 + 2);
    /// ```
    pub fn push_batch(&mut self, elements: &mut impl Iterator<Item = T>) -> usize {
        // ANCHOR: push_batch
        let start = self.tail;
        let batch = Written(self);
        while batch.0.has_room() {
            let Some(element) = elements.next() else { break };
            // SAFETY: there is room.
            unsafe { batch.0.write(element) };
        }
        batch.0.tail.wrapping_sub(start)
        // ANCHOR_END: push_batch
    }
}

impl<T> Consumer<T> {
    /// Gives the oldest elements to `take`, at most `max` of them, and returns how many. The producer
    /// can use their slots after the last one.
    pub fn pop_batch(&mut self, max: usize, mut take: impl FnMut(T)) -> usize {
        // ANCHOR: pop_batch
        let known = self.tail.wrapping_sub(self.head);
        let count = max.min(if known < max { self.look() } else { known });
        let batch = Read(self);
        for _ in 0..count {
            // SAFETY: there were `count` elements, and nobody else takes any.
            take(unsafe { batch.0.read() });
        }
        count
        // ANCHOR_END: pop_batch
    }
}

/// Publishes what was written when it goes.
struct Written<'a, T>(&'a mut Producer<T>);

impl<T> Drop for Written<'_, T> {
    fn drop(&mut self) {
        self.0.publish();
    }
}

/// Publishes what was read when it goes.
struct Read<'a, T>(&'a mut Consumer<T>);

impl<T> Drop for Read<'_, T> {
    fn drop(&mut self) {
        self.0.publish();
    }
}
