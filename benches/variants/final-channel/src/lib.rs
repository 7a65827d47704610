//! The final phase with one file exchanged: `ring.rs`. Every other one is the final phase's own.

#[path = "../../../../craft1-final/src"]
mod craft {
    pub mod admission;
    pub mod answer;
    pub mod application;
    pub mod connection;
    pub mod door;
    pub mod event_loop;
    pub mod listen;
    pub mod obstacle;
    pub mod options;
    pub mod rate_limit;
    pub mod request;
    pub mod server;
    pub mod slab;
    pub mod telemetry;
    pub mod timer_wheel;
    pub mod tokens;
    pub mod transcode;
    pub mod writer;
}
pub mod ring;

pub use craft::{
    admission, answer, application, connection, door, event_loop, listen, obstacle, options,
    rate_limit, request, server, slab, telemetry, timer_wheel, tokens, transcode, writer,
};
