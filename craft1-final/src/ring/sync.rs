//! What the rungs need of the machine, from one place: the standard library's, or loom's under
//! `--cfg loom`.
//!
//! Loom's types have the same functions and look at each access. Its cell lends a pointer to a
//! closure, so that it sees where an access begins and ends; ours does the same for nothing.

#[cfg(not(loom))]
pub(super) use real::*;

#[cfg(loom)]
pub(super) use modelled::*;

#[cfg(not(loom))]
mod real {
    pub(crate) use std::sync::atomic::{AtomicUsize, Ordering};
    pub(crate) use std::sync::{Arc, Mutex};
    pub(crate) use std::thread::{Thread, current, yield_now};
    use std::{cell, thread, time::Duration};

    /// As [`cell::UnsafeCell`].
    #[derive(Debug)]
    pub(crate) struct UnsafeCell<T>(cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(cell::UnsafeCell::new(value))
        }

        pub(crate) fn with_mut<R>(&self, access: impl FnOnce(*mut T) -> R) -> R {
            access(self.0.get())
        }
    }

    /// Waits for an unpark of this thread, or until the time is over, or for no reason at all.
    pub(crate) fn park(timeout: Option<Duration>) {
        match timeout {
            Some(timeout) => thread::park_timeout(timeout),
            None => thread::park(),
        }
    }
}

#[cfg(loom)]
mod modelled {
    pub(crate) use loom::cell::UnsafeCell;
    pub(crate) use loom::sync::atomic::{AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Arc, Mutex};
    pub(crate) use loom::thread::{Thread, current, yield_now};
    use std::time::Duration;

    /// A model has no clock: who waits for a time waits for ever, and loom reports the deadlock.
    pub(crate) fn park(_timeout: Option<Duration>) {
        loom::thread::park();
    }
}
