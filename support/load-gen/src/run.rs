//! Runs a plan: starts the threads, watches them, and puts together what they saw.

use std::{
    io,
    net::SocketAddr,
    ops::ControlFlow,
    sync::{
        atomic::Ordering,
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use thiserror::Error;

use crate::{
    event_loop::{self, Job, Report},
    machine::{MachineError, allow_connections},
    pacer::{Timeline, nanoseconds},
    plan::{Plan, PlanError, Reuse},
    progress::{Phase, Progress, Shared},
    request::Requests,
    schedule::Lane,
    slow,
    summary::Summary,
    target::{Target, TargetError},
};

/// How often the observer is called.
const TICK: Duration = Duration::from_millis(100);
/// Several times longer than the threads take to publish new figures.
const SPEED_INTERVAL: Duration = Duration::from_secs(1);

/// Runs the plan to its end and returns what was measured. The observer is called about ten times a
/// second from this thread; when it breaks, the run ends early and the summary says so.
pub fn run(
    plan: &Plan,
    observer: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Summary, Error> {
    plan.check()?;
    let target = Target::parse(&plan.url)?;
    let address = target.resolve(plan.allow_remote)?;
    let requests = Requests::prepare(plan, &target)?;
    allow_connections(plan.connections + plan.slow.clients)?;
    let shared = Shared::new(plan.threads, usize::from(plan.slow.clients > 0));
    let job = Job { plan, requests: &requests, address, shared: &shared };
    let (reports, slow) = run_threads(job, observer)?;
    let interrupted = shared.is_stopped();
    Ok(Summary::new(plan, &reports, slow, interrupted))
}

type Finished = (Vec<Report>, Option<slow::SlowSummary>);

fn run_threads(
    job: Job<'_>,
    observer: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Finished, Error> {
    let plan = job.plan;
    thread::scope(|scope| {
        let (done, all_done) = mpsc::channel::<()>();
        let spawn_loop = |index| {
            let (lane, done) = (Lane { index, count: plan.threads }, done.clone());
            scope.spawn(move || {
                // Dropped when the thread is over, in whichever way.
                let _done = done;
                event_loop::run(job, lane)
            })
        };
        let loops: Vec<_> = (0..plan.threads).map(spawn_loop).collect();
        let slow = (plan.slow.clients > 0).then(|| scope.spawn(move || slow::run(job)));
        drop(done);
        watch(job, &all_done, observer);
        job.shared.finish();

        let joined = loops.into_iter().map(|thread| thread.join().expect("the loop panicked"));
        let reports: Vec<_> = joined.collect();
        let slow = slow.map(|thread| thread.join().expect("the slow clients panicked"));
        let slow = slow.transpose();
        Ok((all_or_cause(reports)?, slow?))
    })
}

/// Of several errors the one that was the cause and not the consequence.
fn all_or_cause(results: Vec<Result<Report, Error>>) -> Result<Vec<Report>, Error> {
    let (reports, mut errors): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    errors.sort_by_key(|result| matches!(result, Err(Error::OtherThread)));
    errors.into_iter().chain(reports).collect()
}

/// Tells the observer how far the run is until all event loops are over.
fn watch(
    job: Job<'_>,
    all_done: &mpsc::Receiver<()>,
    observer: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) {
    let mut speed = Speedometer { since: Instant::now(), succeeded: 0, rate: 0.0 };
    while all_done.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
        let mut progress = progress(job);
        progress.rate = speed.rate(progress.succeeded);
        if observer(&progress).is_break() {
            job.shared.stop();
        }
    }
}

/// The rate over the last [`SPEED_INTERVAL`].
struct Speedometer {
    since: Instant,
    succeeded: u64,
    rate: f64,
}

impl Speedometer {
    fn rate(&mut self, succeeded: u64) -> f64 {
        let elapsed = self.since.elapsed();
        let is_first = self.rate == 0.0 && succeeded > 0;
        if is_first || elapsed >= SPEED_INTERVAL {
            let more = succeeded.saturating_sub(self.succeeded);
            self.rate = more as f64 / elapsed.as_secs_f64();
            (self.since, self.succeeded) = (Instant::now(), succeeded);
        }
        self.rate
    }
}

fn progress(job: Job<'_>) -> Progress {
    let (plan, shared) = (job.plan, job.shared);
    let snapshot = shared.snapshot();
    let now_ns = shared.now_ns();
    let start_ns = shared.start_ns();
    let elapsed = Duration::from_nanos(start_ns.map_or(0, |start_ns| now_ns - start_ns));
    let requests = snapshot.succeeded + snapshot.failed;
    let (phase, done, left) = match start_ns {
        None => (connecting(job), 0.0, None),
        Some(start_ns) => how_far(plan, start_ns, now_ns, requests),
    };
    Progress {
        phase,
        elapsed,
        left,
        done,
        rate: 0.0,
        succeeded: snapshot.succeeded,
        failed: snapshot.failed,
        p99: Duration::from_nanos(snapshot.p99_ns),
    }
}

fn connecting(job: Job<'_>) -> Phase {
    let wanted = match job.plan.reuse {
        Reuse::KeepAlive { .. } => job.plan.connections,
        Reuse::Close => job.plan.threads,
    };
    Phase::Connecting { opened: job.shared.opened.load(Ordering::Relaxed), wanted }
}

fn how_far(
    plan: &Plan,
    start_ns: u64,
    now_ns: u64,
    requests: u64,
) -> (Phase, f64, Option<Duration>) {
    let timeline = Timeline::new(plan, start_ns);
    let elapsed_ns = (now_ns - start_ns) as f64;
    let (done, left_ns) = match plan.requests_total() {
        None => {
            let whole_ns = timeline.end_ns - start_ns;
            (elapsed_ns / whole_ns as f64, Some(timeline.end_ns.saturating_sub(now_ns)))
        }
        Some(total) => {
            let done = requests as f64 / total as f64;
            let left_s = elapsed_ns / 1e9 * (1.0 / done - 1.0);
            // Nothing done yet: an endless time, which is not a duration.
            let left = Duration::try_from_secs_f64(left_s.max(0.0));
            (done, left.ok().map(nanoseconds))
        }
    };
    let phase = match now_ns {
        early if early < timeline.measure_ns => Phase::WarmUp,
        late if late >= timeline.end_ns => Phase::Draining,
        _ => Phase::Measuring,
    };
    (phase, done.min(1.0), left_ns.map(Duration::from_nanos))
}

/// Why there is no result.
#[derive(Debug, Error)]
pub enum Error {
    /// The plan makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The URL leads nowhere, or to somewhere it must not.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The machine does not give what the plan needs.
    #[error(transparent)]
    Machine(#[from] MachineError),
    /// Not one connection could be opened.
    #[error("cannot connect to {address}{}", hint(source))]
    CannotConnect {
        /// The server's address.
        address: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// Not one connection was opened in time.
    #[error("cannot connect to {address}: no answer within the timeout")]
    ConnectTimedOut {
        /// The server's address.
        address: SocketAddr,
    },
    /// The operating system refused something that every run needs.
    #[error("the operating system refused")]
    Io(#[from] io::Error),
    /// Another thread of the run failed and says why.
    #[error("another thread of the run failed")]
    OtherThread,
}

fn hint(source: &io::Error) -> &'static str {
    match source.kind() {
        io::ErrorKind::ConnectionRefused => " (is the server running?)",
        io::ErrorKind::AddrInUse | io::ErrorKind::AddrNotAvailable => " (no local port is left)",
        _ => "",
    }
}

impl Error {
    /// Whether the plan is at fault, and not the machine or the server.
    pub fn is_usage(&self) -> bool {
        match self {
            Self::Plan(_) => true,
            Self::Target(error) => {
                !matches!(error, TargetError::Unknown { .. } | TargetError::NoAddress { .. })
            }
            _ => false,
        }
    }
}
