//! An HTTP/1.1 load generator that can be believed.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use load_gen::{Plan, run};
//!
//! let plan = Plan { connections: 10, ..Plan::default() };
//! let summary = run(&plan, &mut |_progress| ControlFlow::Continue(()))?;
//! println!("{summary}");
//! # Ok::<(), load_gen::Error>(())
//! ```
//!
//! What always holds:
//!
//! - In an open loop latency counts from the time at which a request was to leave, whatever the
//!   server did meanwhile ([`schedule`], `pacer`).
//! - Every request has exactly one outcome, and a failed one has no latency (`connection`, `tally`).
//! - When the generator itself was the limit, the result says so ([`limit`]).
//!
//! The parts that decide are pure: [`schedule`] (when requests are due), `pacer` (which leaves
//! next), [`payload`] and `request` (what they say), `connection` and [`response`] (what came back),
//! `tally` (what counts). Around them `event_loop` moves bytes and reads the clock.

mod alarm;
mod connection;
mod dial;
mod event_loop;
pub mod failure;
pub mod limit;
mod link;
mod machine;
mod pacer;
pub mod payload;
pub mod plan;
mod progress;
mod request;
pub mod response;
mod run;
pub mod schedule;
mod slow;
pub mod summary;
pub mod table;
mod tally;
mod target;

pub use failure::Failure;
pub use limit::Limit;
pub use machine::{MachineError, pin_current_thread};
pub use payload::Profile;
pub use plan::{Arrivals, Load, Method, Plan, PlanError, Reuse, SlowPlan, Until};
pub use progress::{Phase, Progress};
pub use run::{Error, run};
pub use slow::SlowSummary;
pub use summary::{Latency, Summary};
pub use target::TargetError;
