//! crossbeam's channel under the names of the final phase's rings: what one would take who does not
//! want to build any.
//!
//! What always holds: what the rings hold. No more elements than the capacity, each comes out once,
//! those of one producer in order, and no push waits.

pub mod mpsc;
pub mod spsc_cached;

use crossbeam_channel::Sender;

/// There is no room. The element comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the channel is full")]
pub struct Full<T>(pub T);

/// Where nobody is left to read it, an element is dropped with the channel, as by a ring.
fn push<T>(sender: &Sender<T>, element: T) -> Result<(), Full<T>> {
    match sender.try_send(element) {
        Err(error) if error.is_full() => Err(Full(error.into_inner())),
        Ok(()) | Err(_) => Ok(()),
    }
}
