//! What must hold on several rungs, as functions that their tests and models call.
//!
//! | file | who calls it |
//! |---|---|
//! | `models.rs` | models, under loom: two threads in every order |
//! | `sequences.rs` | tests: one thread, against a deque |

#[cfg(loom)]
pub(super) mod models;
#[cfg(not(loom))]
pub(super) mod sequences;

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use super::{Full, mpsc, spsc, spsc_cached};

/// Positions that wrap within the first few elements.
pub(super) const NEARLY_WRAPPED: usize = usize::MAX - 1;

/// What each rung calls `Producer`.
pub(super) trait Push<T> {
    fn push(&mut self, element: T) -> Result<(), Full<T>>;
}

/// What each rung calls `Consumer`.
pub(super) trait Pop<T> {
    fn pop(&mut self) -> Option<T>;
}

macro_rules! rungs {
    ($($rung:ident)*) => {$(
        impl<T> Push<T> for $rung::Producer<T> {
            fn push(&mut self, element: T) -> Result<(), Full<T>> {
                self.push(element)
            }
        }

        impl<T> Pop<T> for $rung::Consumer<T> {
            fn pop(&mut self) -> Option<T> {
                self.pop()
            }
        }
    )*};
}

rungs!(spsc spsc_cached mpsc);

/// Counts how often each element is dropped.
#[derive(Debug, Clone, Copy)]
pub(super) struct Census(&'static [AtomicUsize]);

/// An element that is counted.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) id: usize,
    drops: &'static AtomicUsize,
}

impl Drop for Element {
    fn drop(&mut self) {
        self.drops.fetch_add(1, Relaxed);
    }
}

impl Census {
    /// Of elements 0 to `count`. Never freed, so that an element can be dropped twice and counted.
    pub(super) fn of(count: usize) -> Self {
        Self(Vec::leak((0..count).map(|_| AtomicUsize::new(0)).collect()))
    }

    pub(super) fn element(self, id: usize) -> Element {
        Element { id, drops: &self.0[id] }
    }

    pub(super) fn drops(self) -> Vec<usize> {
        self.0.iter().map(|it| it.load(Relaxed)).collect()
    }

    pub(super) fn assert_each_dropped_once(self) {
        assert_eq!(self.drops(), vec![1; self.0.len()]);
    }
}
