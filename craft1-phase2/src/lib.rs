//! Craft 1, phase 2: bounded work. A fixed pool of workers, a bounded backlog, a rate limit.
//!
//! Phase 1 gives every connection a thread, and so lets its clients decide how many threads, how
//! much memory and how long a queue it has. Here each of these has a bound, and whoever comes beyond
//! it is told so at once, by an answer that costs little: 503 to one too many, 429 to one too often.
//! A refusal that comes at once can be tried again elsewhere; a request that waits unbounded is
//! answered when nobody wants it any more.
//!
//! | file | what it does | in phase 1 | replaced in |
//! |---|---|---|---|
//! | [`pool`] | workers, a bounded backlog, gauges | | phase 4, by tasks |
//! | [`server`] | accepts, and gives each connection to the pool | a thread for each | phase 4, final |
//! | [`overflow`] | answers probes and refuses the rest, from the accepting thread | | phase 4, by tasks |
//! | [`rate_limit`] | a sliding window for each client | no limit | final |
//! | [`limit`], [`counter`], [`owner`] | `1000/1s`; one window as two numbers; whose an address is | | |
//! | [`admission`] | 429, before the body is parsed | | final |
//! | [`readiness`] | `GET /ready` | 404 | |
//! | [`descriptors`] | a descriptor for every connection that may be | | |
//!
//! Everything else is [`craft1_phase1`], unchanged: sockets, HTTP, routes, JSON, lines, the writer,
//! telemetry and the way a server stops. `main.rs` puts the layers together.
//!
//! What always holds: at most `workers` connections are served and `backlog` wait; whoever is
//! refused hears it from a thread that waits for nobody; `GET /health` is answered also when there
//! is no room; and no client's requests use up another's limit.

pub mod admission;
pub mod counter;
pub mod descriptors;
pub mod limit;
#[cfg(test)]
mod model;
pub mod overflow;
pub mod owner;
pub mod pool;
pub mod rate_limit;
pub mod readiness;
pub mod server;
