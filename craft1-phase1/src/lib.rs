//! Craft 1, phase 1: metrics over HTTP/1.1, from raw sockets, with a thread for each connection.
//!
//! Everything that a web framework does for you is here to be read: every system call, every byte
//! of HTTP, every deadline. The data flows through the files in this order:
//!
//! | file | what it does | replaced in |
//! |---|---|---|
//! | [`socket`] | socket, bind, listen, accept, recv, send, shutdown | phase 4, by tokio |
//! | [`server`] | accepts, and gives each connection a thread | phases 2, 4, final |
//! | [`departing`] | tells a client why there is no room for it | |
//! | [`connection`] | reads one request by its deadline, answers, closes | phase 4, final |
//! | [`timeouts`] | how long a client may take | |
//! | [`http`] | bytes to a request, a response to bytes; no I/O | |
//! | [`service`] | the routes; no I/O either | |
//! | [`json`] | a body to a batch of metrics, through a tree | phase 3 |
//! | [`mod@line`] | a batch to lines of JSON, through serde | phase 3 |
//! | [`recovery`] | the data file at start-up: locked, looked through, a torn tail cut | |
//! | [`writer`] | lines to a file, under one lock | phase 4, final |
//! | [`telemetry`], [`histogram`] | what the server knows of itself | final: [`telemetry`] |
//! | [`prometheus`] | numbers to the text that Prometheus reads | |
//! | [`shutdown`] | from a signal to the end | |
//! | [`program`] | options and messages, the same in every phase | |
//!
//! What always holds: everything that a client can send has a limit, everything that waits has a
//! deadline, and a metric that was answered with 202 is in the file.
//!
//! It is naive on purpose, and each `Naive:` comment says what will hurt. `main.rs` puts the layers
//! together; later phases import the ones that they keep from here.

pub mod connection;
pub mod departing;
pub mod histogram;
pub mod http;
pub mod json;
pub mod line;
pub mod program;
pub mod prometheus;
pub mod recovery;
pub mod server;
pub mod service;
pub mod shutdown;
pub mod socket;
pub mod telemetry;
pub mod timeouts;
pub mod writer;
