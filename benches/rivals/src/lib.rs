//! The parts that the rivals share: everything but the server stack and the JSON parser.
//!
//! A rival is a program that our phases are compared with. All but `limit` do the same work as our
//! servers: parse the body, check it against the wire contract, hand its lines over to one writer
//! through a bounded channel, answer 202. Data flows through the files in this order:
//!
//! - `options.rs`: the command line that all of them share
//! - `listen.rs`: the listening sockets
//! - `hyper_server.rs`: the server loop of the rivals on hyper
//! - `wire.rs`: the body as typed, borrowed data, for any parser that speaks serde
//! - `intake.rs`: check, write lines, hand over
//! - `stored.rs`: the lines
//! - `writer.rs`: the bounded channel and the writer thread
//! - `reply.rs`: the answers
//! - `rival.rs`: start, address line, signals, flush

mod intake;
mod options;
mod reply;
mod rival;
mod stored;

pub mod hyper_server;
pub mod listen;
pub mod wire;
pub mod writer;

pub use intake::Intake;
pub use options::Options;
pub use reply::Reply;
pub use rival::{Rival, announce_and_wait};
pub use writer::Writer;

/// What the authors of these frameworks use where speed counts, in every rival alike.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
