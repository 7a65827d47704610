//! Load: every request has its answer and every metric its line. How fast that goes is told and not
//! judged, because it is the machine's as much as the server's.

use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::time::Duration;

use load_gen::{Plan, Profile, Summary, Until};
use testkit::DataFolder;

use super::storage::expect_count;
use super::stored;
use crate::grader::check::{Check, Failure, Tried};
use crate::grader::phase::Phase;
use crate::grader::session::Session;
use crate::grader::stage::Stage;
use crate::grader::table::{asks, starts};
use crate::grader::target;
use crate::grader::template::Setting;

const REQUESTS: u64 = 1_000;
const CONNECTIONS: usize = 10;

/// Metrics in each request of the second check.
const BATCH: usize = 10;

/// Names that the requests are sent under, so that no client meets its limit.
const CLIENTS: usize = 100;

/// A request that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(10);

/// The whole of it. A server that needs longer is ended early, which is a failure.
const RUN_MAX: Duration = Duration::from_mins(1);

pub(in crate::grader) fn checks() -> Vec<Check> {
    vec![
        asks(
            "load/answers",
            "answers each of 1,000 requests over 10 connections with 202",
            Phase::Zero,
            Setting::Roomy,
            answers,
            "something is shared without a lock, or the queue of connections that wait is too short: \
             give listen() a backlog of at least 128",
        ),
        starts(
            "load/stored",
            "stores 10,000 metrics that came under load, each of them once",
            Phase::Zero,
            stores,
            "lines of two requests are written into each other, or some are dropped: one writer, or \
             one lock for the file",
        )
        .unless(&[target::needs_data]),
    ]
}

fn plan(address: SocketAddr, batch: usize, profile: Profile, seed: u64) -> Plan {
    Plan {
        url: format!("http://{address}/metrics"),
        // Whoever gave a URL has said where to.
        allow_remote: true,
        connections: CONNECTIONS,
        until: Until::Requests(REQUESTS),
        timeout: TIMEOUT,
        payload: profile,
        batch,
        clients: CLIENTS,
        seed,
        ..Plan::default()
    }
}

fn run(plan: &Plan) -> Result<Summary, Failure> {
    let started = std::time::Instant::now();
    let mut observe = |_: &load_gen::Progress| {
        if started.elapsed() > RUN_MAX { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let sent = format!("{REQUESTS} requests over {CONNECTIONS} connections");
    let summary = load_gen::run(plan, &mut observe);
    let summary =
        summary.map_err(|error| Failure::new(&*sent, error.to_string(), "202 to each"))?;
    if summary.is_all_fine() && !summary.interrupted {
        return Ok(summary);
    }
    Err(Failure::new(sent, what_went_wrong(&summary), "202 to each"))
}

fn what_went_wrong(summary: &Summary) -> String {
    let mut parts = vec![format!("{} succeeded", summary.requests.succeeded)];
    parts.extend(summary.failures.iter().map(|(kind, count)| format!("{count} failed: {kind}")));
    parts.extend(
        summary.first_malformed.iter().map(|what| format!("the first malformed answer: {what}")),
    );
    if summary.connections.unsolicited > 0 {
        parts.push(format!("{} answers nobody asked for", summary.connections.unsolicited));
    }
    if summary.interrupted {
        parts.push(format!(
            "{} had no answer after {} s",
            summary.requests.unfinished,
            RUN_MAX.as_secs()
        ));
    }
    parts.join("\n")
}

fn speed(summary: &Summary) -> String {
    let (p50, p99) = (summary.latency.p50_us / 1e3, summary.latency.p99_us / 1e3);
    format!(
        "{:.0} requests/s, half of them within {p50:.1} ms, 99 in 100 within {p99:.1} ms",
        summary.rate.achieved_rps
    )
}

fn answers(session: &Session) -> Tried {
    let summary = run(&plan(session.address, 1, Profile::Adversarial, session.seed))?;
    Ok(Some(speed(&summary)))
}

fn stores(stage: &Stage<'_>) -> Tried {
    let folder = DataFolder::new();
    let server = stage.start(&folder, Setting::Roomy)?;
    let summary = run(&plan(server.address(), BATCH, Profile::Fleet, stage.seed))?;
    stage.stop(server)?;
    let count = usize::try_from(REQUESTS).unwrap_or(usize::MAX) * BATCH;
    expect_count(&stored::lines(&folder.data_file())?, count)?;
    Ok(Some(format!("{:.0} metrics/s", summary.rate.metrics_per_s)))
}
