//! What every phase's tests need: a server process, a socket, and the wire contract as data.
//!
//! What always holds: everything that waits has a deadline, so a hung server fails its test, and a
//! server dies with the [`Server`] that started it, children included. A helper that cannot do its
//! work panics at the caller's line with what it saw; this crate is for tests only.
//!
//! | file | what |
//! |---|---|
//! | [`server`] | starts a binary on a free port, reads its first line, stops it, keeps its output |
//! | [`folder`] | a data file of its own for each test |
//! | [`ending`] | servers that end while clients send |
//! | `file_size` | a full disk for a real process; Linux only |
//! | [`client`] | a raw socket: bytes in any split out, one response after the other in |
//! | [`contract`] | the wire contract as rows, run with the capabilities that a phase has |
//! | [`json_suite`] | `JSONTestSuite` as bodies and verdicts |
//! | [`llhttp`] | llhttp's own requests, to be taken or refused |
//! | [`mutate`] | broken inputs from good ones, for parsers |
//! | [`readme`] | runs the examples of a README |
//! | [`watchdog`] | ends a test that hangs in its own process |
//! | [`work`] | what the benchmarks of layers do, for criterion and for valgrind |
//! | [`browser`] | a headless browser, for pages that a person looks at |

pub mod browser;
pub mod client;
pub mod contract;
pub mod ending;
#[cfg(target_os = "linux")]
pub mod file_size;
pub mod folder;
pub mod json_suite;
pub mod llhttp;
pub mod mutate;
pub mod readme;
pub mod server;
pub mod watchdog;
pub mod work;

use std::time::Duration;

pub use client::{Client, Response, get, get_json, post_json};
pub use folder::{DataFolder, wait_until};
pub use mutate::Mutator;
pub use server::{Exit, Server};
pub use watchdog::Watchdog;
pub use work::Work;

/// How long any single step of a test may take. Far beyond what a step needs, also on a machine
/// that is busy with something else; it is there to end a hang, not to measure.
pub const DEADLINE: Duration = Duration::from_secs(30);
