//! Memory that elements are moved into and out of, and nothing else.
//!
//! What always holds: nothing. A slot does not know whether it is full, and neither waits nor checks.
//! That is what a ring is for, and why its functions are `unsafe`.

#![expect(unsafe_code, reason = "an element is moved between threads through memory that both see")]

use std::mem::MaybeUninit;

use super::sync::UnsafeCell;

/// Room for one element.
#[derive(Debug)]
pub(super) struct Slot<T>(UnsafeCell<MaybeUninit<T>>);

/// A power of two of them, in a circle.
#[derive(Debug)]
pub(super) struct Slots<T>(Box<[Slot<T>]>);

// SAFETY: a shared slot gives access to its memory only through `write` and `read`, whose callers
// promise that no two of them run at once. What is left is that an element written by one thread is
// read by another, which is what `T: Send` allows.
unsafe impl<T: Send> Sync for Slot<T> {}

impl<T> Slot<T> {
    pub(super) fn new() -> Self {
        Self(UnsafeCell::new(MaybeUninit::uninit()))
    }

    /// Moves an element in. One that was there is forgotten, not dropped.
    ///
    /// # Safety
    /// No other access to this slot runs at the same time: each one happens before this or after it.
    pub(super) unsafe fn write(&self, element: T) {
        self.0.with_mut(|memory| {
            // SAFETY: the pointer is that of a cell that lives, and nobody else uses it now.
            unsafe { (*memory).write(element) };
        });
    }

    /// Moves the element out.
    ///
    /// # Safety
    /// As for [`Slot::write`]; and an element was written that was not read since.
    pub(super) unsafe fn read(&self) -> T {
        // SAFETY: the pointer is that of a cell that lives, nobody else uses it now, and it holds an
        // element that nobody has moved out yet.
        self.0.with_mut(|memory| unsafe { (*memory).assume_init_read() })
    }
}

impl<T> Slots<T> {
    /// # Panics
    /// Unless the capacity is a power of two.
    pub(super) fn new(capacity: usize) -> Self {
        assert!(capacity.is_power_of_two(), "the capacity of a ring is a power of two: {capacity}");
        Self((0..capacity).map(|_| Slot::new()).collect())
    }

    pub(super) fn capacity(&self) -> usize {
        self.0.len()
    }

    /// The slot of a position. Because the capacity is a power of two, a slot follows its neighbour
    /// also where positions wrap.
    pub(super) fn at(&self, position: usize) -> &Slot<T> {
        &self.0[position & (self.0.len() - 1)]
    }

    /// Drops the elements from one position up to another.
    ///
    /// # Safety
    /// As for [`Slot::read`], for each of them.
    pub(super) unsafe fn clear(&self, mut from: usize, to: usize) {
        while from != to {
            // SAFETY: as the caller promises.
            drop(unsafe { self.at(from).read() });
            from = from.wrapping_add(1);
        }
    }
}
