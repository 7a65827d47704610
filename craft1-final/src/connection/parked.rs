//! Answers that wait until their metrics are stored.
//!
//! What always holds: they leave in the order in which they came. Tickets grow, so the queue of all
//! connections of a loop is in order of the tickets, and one verdict of the writer decides a part of
//! it that begins at its front. An answer that waits for nothing but its turn waits with the ticket
//! of the one before it in the queue.

use std::collections::VecDeque;
use std::time::Instant;

use crate::request::Persistence;
use crate::slab::Key;
use crate::writer::Ticket;

use super::exchange::Client;

/// Answers of one client that may wait. Beyond it the client is not read from until one of them has
/// gone out. Enough for one that sends several requests at once not to notice.
pub const PARKED_MAX: u16 = 128;

/// An answer that waits.
#[derive(Debug)]
pub enum Answer {
    /// The writer decides what it is.
    Accepted {
        /// How many metrics it is about.
        metrics: usize,
        /// What becomes of the connection.
        persistence: Persistence,
        /// When its request was complete.
        since: Instant,
    },
    /// It is known, and comes behind others.
    Known(Vec<u8>),
}

/// The queue.
#[derive(Debug, Default)]
pub struct Parked(VecDeque<Entry>);

#[derive(Debug)]
struct Entry {
    ticket: Ticket,
    key: Key,
    answer: Answer,
}

impl Parked {
    /// Lets an answer wait for its ticket.
    pub fn push(&mut self, ticket: Ticket, client: &mut Client, answer: Answer) {
        client.parked += 1;
        self.0.push_back(Entry { ticket, key: client.key, answer });
    }

    /// Lets an answer wait behind the others of its client, of which there is one at least.
    pub fn push_behind(&mut self, client: &mut Client, bytes: Vec<u8>) {
        if let Some(Entry { ticket, .. }) = self.0.back() {
            self.push(*ticket, client, Answer::Known(bytes));
        }
    }

    /// Whose the next answer is, if it waits for no later ticket than this one.
    pub fn next_up_to(&self, ticket: Ticket) -> Option<Key> {
        self.0.front().filter(|next| next.ticket <= ticket).map(|next| next.key)
    }

    /// The next answer.
    pub fn pop(&mut self) -> Option<Answer> {
        self.0.pop_front().map(|next| next.answer)
    }
}
