//! Craft 1, phase 4: async I/O, the industry's standard stack.

pub mod ack;
pub mod connection;
pub mod draining;
pub mod exposition;
pub mod health_checker;
pub mod logging;
pub mod nodes;
pub mod obstacle;
pub mod screen;
pub mod segment;
pub mod server;
pub mod writer;
