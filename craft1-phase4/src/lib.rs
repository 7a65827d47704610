//! Craft 1, phase 4: async I/O, the industry's standard stack.
//!
//! Until now a client that waits cost a thread, each request a connection, and each batch a write of
//! its own. Here a connection is a task and is used again, and one thread writes for all of them.
//!
//! | file | what it does | before | replaced in |
//! |---|---|---|---|
//! | [`server`] | accepts, and gives each connection a task | a pool of workers | final |
//! | [`connection`] | hyper reads requests and writes answers | one request, then close | final |
//! | [`screen`](connection::screen) | HTTP as strict as before, and every deadline | | |
//! | [`familiar`] | the head that a client sends again and again | | |
//! | [`draining`] | the word that the server stops, for every task | | |
//! | [`obstacle`] | why no more work should come | | |
//! | [`ack`] | what a 202 means | in the file | |
//! | [`writer`] | a bounded queue, one thread, batches | a lock | final |
//! | [`segment`] | names of files that are closed | | |
//! | [`nodes`] | the fleet, from a file | | |
//! | [`health_checker`] | asks every node how it is | | |
//! | [`exposition`] | the fleet as Prometheus text | | |
//! | [`logging`] | lines for people and for programs | | |
//!
//! Everything else is imported from where it was born: HTTP's rules, routes, telemetry, recovery and
//! the way a server stops from [`craft1_phase1`], the limiter and readiness from [`craft1_phase2`],
//! JSON both ways from [`craft1_phase3`]. `main.rs` puts the layers together.
//!
//! What always holds: whoever waits is a task and stops nobody; whatever waits has a bound and a
//! deadline; a metric that was answered with 202 is as far as [`ack::Ack`] says; and what phase 1
//! refuses is refused, whatever hyper would have made of it.

pub mod ack;
pub mod connection;
pub mod draining;
pub mod exposition;
pub mod familiar;
pub mod health_checker;
pub mod logging;
pub mod nodes;
pub mod obstacle;
pub mod segment;
pub mod server;
pub mod writer;
