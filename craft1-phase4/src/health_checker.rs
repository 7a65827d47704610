//! The health checker: a background task that asks every node of the fleet how it is, again and
//! again.
//!
//! What always holds: a round asks every node once, and at most `concurrency` of them at a time, at
//! most `rate_per_s` in a second, each for at most `timeout`; one node that hangs costs one of those
//! places for that long and nothing else. A round that takes longer than the interval puts the next
//! one off; rounds never overlap and never catch up in a burst. When [`HealthChecker::stop`]
//! returns, no task of the checker is left.
//!
//! The three limits are layers of [`tower`] around the probe, which knows of none of them. The probe,
//! the clock and the jitter are handed in, so a test runs hours of checks in an instant, to the
//! millisecond.
//!
//! | file | what it does |
//! |---|---|
//! | [`options`] | what an operator can say |
//! | [`condition`] | from checks to up and down, damped |
//! | [`status`] | what is known of each node |
//! | [`mod@probe`] | one check: `GET /health` |
//!
//! In `main.rs`, on the runtime, with [`Options`] flattened into its options:
//!
//! ```no_run
//! # use craft1_phase4::{exposition, health_checker::{HealthChecker, Options}};
//! # async fn main_rs(options: Options) {
//! let checker = HealthChecker::start(options);
//! let statuses = checker.as_ref().map(HealthChecker::statuses);
//! let render = || {
//!     let mut text = String::new();
//!     if let Some(statuses) = &statuses {
//!         exposition::render(&statuses.borrow(), &mut text);
//!     }
//!     text
//! };
//! # drop(render);
//! // … until the server has drained, and then
//! if let Some(checker) = checker {
//!     checker.stop().await;
//! }
//! # }
//! ```
//!
//! `docs/health-check-sequence.puml` draws a round.

pub mod condition;
pub mod options;
pub mod probe;
pub mod status;

#[cfg(test)]
#[path = "health_checker_tests.rs"]
mod tests;

use std::convert::Infallible;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use tokio::sync::{oneshot, watch};
use tokio::task::{JoinHandle, JoinSet, spawn_blocking};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tower::timeout::error::Elapsed;
use tower::{BoxError, Service, ServiceBuilder, ServiceExt, service_fn};
use tracing::{debug, error, info, warn};

use crate::nodes::{Fleet, FleetFile, LoadError, Node};

pub use options::{Options, Plan};
pub use status::{Check, NodeStatus, Statuses, Usage};

/// A round begins up to this part of the interval late: checkers that were started together must
/// not ask the same nodes in the same instant for ever.
const JITTER_DIVISOR: u32 = 10;

/// A running checker. One that is dropped ends soon; [`HealthChecker::stop`] waits for that.
#[derive(Debug)]
pub struct HealthChecker {
    statuses: watch::Receiver<Statuses>,
    task: JoinHandle<()>,
    /// Dropped, it ends the task.
    stop: oneshot::Sender<Infallible>,
}

impl HealthChecker {
    /// Checks the nodes of the file that the options name, over HTTP; without one, nothing.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn start(options: Options) -> Option<Self> {
        let jitter = |most: Duration| most.mul_f64(rand::random());
        let Options { nodes_file, plan } = options;
        Some(Self::spawn(nodes_file?, plan, probe::probe, SystemTime::now, jitter))
    }

    /// Checks the nodes of a file by `probe`.
    ///
    /// `now` is the time that a check is said to have ended at. `jitter` picks how late a round
    /// begins, from nothing to what it is given.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub fn spawn<F, E>(
        nodes_file: PathBuf,
        plan: Plan,
        probe: impl Fn(Arc<Node>) -> F + Send + 'static,
        now: fn() -> SystemTime,
        jitter: impl Fn(Duration) -> Duration + Send + 'static,
    ) -> Self
    where
        F: Future<Output = Result<Usage, E>> + Send + 'static,
        E: Into<BoxError> + 'static,
    {
        let (publish, statuses) = watch::channel(Statuses::default());
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(async move {
            let mut rounds = Rounds {
                service: limited(plan, probe),
                checks: JoinSet::new(),
                board: Board { publish, plan, now },
            };
            tokio::select! {
                never = rounds.run(nodes_file, jitter) => match never {},
                _ = stopped => rounds.checks.shutdown().await,
            }
        });
        Self { statuses, task, stop }
    }

    /// How the nodes are, now and from now on.
    pub fn statuses(&self) -> watch::Receiver<Statuses> {
        self.statuses.clone()
    }

    /// Ends the checks that are on their way, without their results, and waits until nothing is
    /// left.
    pub async fn stop(self) {
        drop(self.stop);
        if let Err(error) = self.task.await {
            error!(%error, "the health checker had ended before it was told to");
        }
    }
}

/// The probe with its limits around it.
///
/// The order is what counts: first a place, then the rate. Who has a place is sent when the rate
/// allows, at once. The other way round, a turn that the rate gave would be kept until there is a
/// place, and used together with the next. The timeout counts from when a check is sent.
fn limited<F, E>(
    plan: Plan,
    probe: impl Fn(Arc<Node>) -> F + Send + 'static,
) -> impl Service<Arc<Node>, Response = Usage, Error = BoxError, Future: Send + 'static> + Send
where
    F: Future<Output = Result<Usage, E>> + Send + 'static,
    E: Into<BoxError> + 'static,
{
    // ANCHOR: limited
    let gap = Duration::from_secs(1) / u32::from(plan.rate_per_s.get());
    ServiceBuilder::new()
        .concurrency_limit(plan.concurrency.get().into())
        .rate_limit(1, gap)
        .timeout(plan.timeout)
        .service(service_fn(probe))
    // ANCHOR_END: limited
}

/// What the task owns.
struct Rounds<S> {
    service: S,
    /// Those on their way: empty between rounds.
    checks: JoinSet<()>,
    board: Board,
}

impl<S> Rounds<S>
where
    S: Service<Arc<Node>, Response = Usage, Error = BoxError, Future: Send + 'static>,
{
    async fn run(
        &mut self,
        nodes_file: PathBuf,
        jitter: impl Fn(Duration) -> Duration,
    ) -> Infallible {
        let interval_length = self.board.plan.interval;
        // ANCHOR: ticks
        let mut ticks = interval(interval_length);
        // A late round is followed by a whole interval, so that a slow fleet is not asked more
        // often for being slow.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // ANCHOR_END: ticks
        let path = nodes_file.display().to_string();
        let nodes_file = Arc::new(Mutex::new(FleetFile::new(nodes_file)));
        loop {
            // ANCHOR: tick
            ticks.tick().await;
            sleep(jitter(interval_length / JITTER_DIVISOR)).await;
            // ANCHOR_END: tick
            let file = Arc::clone(&nodes_file);
            let read =
                move || file.lock().unwrap_or_else(PoisonError::into_inner).read_if_changed();
            // The disk may be slow, and a task that waits for it would hold up its thread.
            if let Ok(Some(read)) = spawn_blocking(read).await {
                self.board.adopt(&path, read);
            }
            self.round().await;
        }
    }

    /// Asks every node once.
    async fn round(&mut self) {
        // ANCHOR: round
        for (place, node) in self.board.nodes().into_iter().enumerate() {
            // Waits for a place and for the rate. A probe is always ready, so there is no error.
            let Ok(service) = self.service.ready().await else { break };
            let answer = service.call(Arc::clone(&node));
            let board = self.board.clone();
            self.checks.spawn(async move {
                let begun = Instant::now();
                let result = answer.await;
                board.note(place, &node, begun.elapsed(), result);
            });
        }
        while let Some(ended) = self.checks.join_next().await {
            if let Err(error) = ended {
                error!(%error, "a check has panicked");
            }
        }
        // ANCHOR_END: round
    }
}

/// Where everybody can see how the nodes are.
#[derive(Clone)]
struct Board {
    publish: watch::Sender<Statuses>,
    plan: Plan,
    now: fn() -> SystemTime,
}

impl Board {
    fn nodes(&self) -> Vec<Arc<Node>> {
        self.publish.borrow().nodes.iter().map(|status| Arc::clone(&status.node)).collect()
    }

    /// Takes over what the file says, or keeps what is known where it says nothing.
    fn adopt(&self, path: &str, read: Result<Fleet, LoadError>) {
        let fleet = match read {
            Ok(fleet) => fleet,
            Err(error) => {
                let kept = self.publish.borrow().nodes.len();
                warn!(path, %error, kept, "no fleet in the file of nodes; mend the file");
                return;
            }
        };
        for bad_row in &fleet.bad_rows {
            warn!(path, line = bad_row.line, reason = %bad_row.reason, "skipped a row");
        }
        info!(path, nodes = fleet.nodes.len(), skipped = fleet.bad_rows.len(), "read the fleet");
        self.publish.send_modify(|statuses| statuses.adopt(fleet));
    }

    /// Takes in the end of a check of `node`, which is the one at `place`.
    fn note(&self, place: usize, node: &Node, latency: Duration, result: Result<Usage, BoxError>) {
        let usage = result.as_ref().copied().unwrap_or_default();
        let check = Check { at: (self.now)(), latency, usage };
        let mut is_news = false;
        self.publish.send_modify(|statuses| {
            let status = &mut statuses.nodes[place];
            is_news = status.note(check, result.is_ok(), self.plan.thresholds);
        });
        let Node { id, address, role, region, .. } = node;
        match (is_news, result) {
            (true, Ok(_)) => info!(id, role, region, ?latency, "node is up"),
            (true, Err(error)) => {
                let reason = self.reason(&error);
                warn!(id, role, region, %address, reason, "node is down");
            }
            (false, Ok(_)) => {}
            (false, Err(error)) => debug!(id, reason = self.reason(&error), "check failed"),
        }
    }

    fn reason(&self, error: &BoxError) -> String {
        if error.is::<Elapsed>() {
            format!("no answer within {}", humantime::format_duration(self.plan.timeout))
        } else {
            error.to_string()
        }
    }
}
