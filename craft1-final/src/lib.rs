//! Craft 1, final: lock-free buffers, and past the frameworks.

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
pub mod ring;
pub mod server;
pub mod slab;
pub mod telemetry;
pub mod timer_wheel;
pub mod tokens;
pub mod transcode;
pub mod writer;
