//! The generator against servers whose latency is known, because a script made it.

use std::{ops::ControlFlow, time::Duration};

use crate::server::{Action, Server, agree, one_of_three};
use load_gen::{Arrivals, Load, Plan, Reuse, Summary, Until, run};

const MS: Duration = Duration::from_millis(1);

fn measure(plan: &Plan) -> Summary {
    let summary = run(plan, &mut |_| ControlFlow::Continue(())).unwrap();
    println!("{summary}");
    summary
}

fn open(rate: f64) -> Load {
    Load::Open { rate, arrivals: Arrivals::Constant }
}

/// The percentiles of a summary in milliseconds, against those of the script.
fn percentiles_agree(summary: &Summary, p50: f64, p90: f64, p99: f64) -> Result<(), String> {
    agree("p50", summary.latency.p50_us / 1e3, p50)?;
    agree("p90", summary.latency.p90_us / 1e3, p90)?;
    agree("p99", summary.latency.p99_us / 1e3, p99)
}

/// How many requests took longer than this.
fn slower_than(summary: &Summary, limit: Duration) -> u64 {
    let limit_ns = u64::try_from(limit.as_nanos()).unwrap();
    let histogram = summary.latency.histogram().unwrap();
    histogram
        .iter_recorded()
        .filter(|point| point.value_iterated_to() > limit_ns)
        .fold(0, |sum, point| sum + point.count_at_value())
}

#[test]
fn a_constant_delay_is_every_percentile_of_a_closed_loop() {
    one_of_three(|| {
        let server = Server::start(|_| Action::accept_after(1_000 * MS));
        let plan = Plan {
            url: server.url(),
            connections: 100,
            ramp: 1_000 * MS,
            until: Until::RequestsEach(3),
            ..Plan::default()
        };
        let summary = measure(&plan);
        assert_eq!((summary.requests.succeeded, server.requests()), (300, 300));
        percentiles_agree(&summary, 1_000.0, 1_000.0, 1_000.0)?;
        agree("mean", summary.latency.mean_us, 1e6)?;
        // The last connection begins after 0.99 s and waits three times.
        agree("rate", summary.rate.achieved_rps, 300.0 / 3.99)
    });
}

#[test]
fn a_constant_delay_is_every_percentile_of_an_open_loop() {
    one_of_three(|| {
        let server = Server::start(|_| Action::accept_after(1_000 * MS));
        let plan = Plan {
            url: server.url(),
            connections: 200,
            load: open(150.0),
            until: Until::Elapsed(2_000 * MS),
            ..Plan::default()
        };
        let summary = measure(&plan);
        assert_eq!((summary.requests.succeeded, server.requests()), (300, 300));
        percentiles_agree(&summary, 1_000.0, 1_000.0, 1_000.0)?;
        agree("offered", summary.rate.offered_rps.unwrap(), 150.0)
    });
}

#[test]
fn a_constant_delay_is_every_percentile_with_a_connection_for_each_request() {
    one_of_three(|| {
        let server = Server::start(|_| Action::accept_after(1_000 * MS));
        let plan = Plan {
            url: server.url(),
            connections: 100,
            ramp: 1_000 * MS,
            reuse: Reuse::Close,
            until: Until::RequestsEach(2),
            ..Plan::default()
        };
        let summary = measure(&plan);
        assert_eq!((summary.requests.succeeded, server.connections()), (200, 200));
        percentiles_agree(&summary, 1_000.0, 1_000.0, 1_000.0)
    });
}

#[test]
fn two_delays_are_two_percentiles() {
    one_of_three(|| {
        let slow_or_fast = |number| if number % 5 == 0 { 1_500 * MS } else { 500 * MS };
        let server =
            Server::start(move |request| Action::accept_after(slow_or_fast(request.number)));
        let plan = Plan {
            url: server.url(),
            connections: 100,
            ramp: 500 * MS,
            until: Until::Requests(500),
            ..Plan::default()
        };
        let summary = measure(&plan);
        percentiles_agree(&summary, 500.0, 1_500.0, 1_500.0)?;
        agree("mean", summary.latency.mean_us, 700_000.0)?;
        assert_eq!(slower_than(&summary, 1_000 * MS), 100);
        Ok(())
    });
}

/// Stands still from 1.5 s to 2.5 s after its first request.
fn server_with_a_stall() -> Server {
    Server::start(|request| {
        let since_first = request.received - request.first_received;
        let stall_over = if since_first < 1_500 * MS { since_first } else { 2_500 * MS };
        Action::accept_after(stall_over.saturating_sub(since_first))
    })
}

#[test]
fn an_open_loop_shows_a_stall_as_every_request_that_it_delayed() {
    one_of_three(|| {
        let server = server_with_a_stall();
        let plan = Plan {
            url: server.url(),
            connections: 20,
            load: open(200.0),
            until: Until::Elapsed(5_000 * MS),
            ..Plan::default()
        };
        let summary = measure(&plan);
        assert_eq!(summary.requests.succeeded, 1_000);
        // 200 of the 1,000 arrivals fall into the stall, and the one that comes x seconds after its
        // beginning waits 1 - x: a tenth of all wait more than 0.5 s, a hundredth more than 0.95 s.
        agree("p90", summary.latency.p90_us, 500_000.0)?;
        agree("p99", summary.latency.p99_us, 950_000.0)?;
        agree("max", summary.latency.max_us, 1_000_000.0)?;
        agree("slower than 0.2 s", slower_than(&summary, 200 * MS) as f64, 160.0)
    });
}

#[test]
fn an_open_loop_with_a_connection_for_each_request_shows_the_same_stall() {
    one_of_three(|| {
        let server = server_with_a_stall();
        let plan = Plan {
            url: server.url(),
            connections: 20,
            reuse: Reuse::Close,
            load: open(50.0),
            until: Until::Elapsed(5_000 * MS),
            ..Plan::default()
        };
        let summary = measure(&plan);
        assert_eq!(summary.requests.succeeded, 250);
        // A tenth of the five seconds' arrivals, again.
        agree("p90", summary.latency.p90_us, 500_000.0)?;
        agree("max", summary.latency.max_us, 1_000_000.0)
    });
}

#[test]
fn a_closed_loop_shows_a_stall_once_a_connection() {
    one_of_three(|| {
        let server = server_with_a_stall();
        let plan = Plan {
            url: server.url(),
            connections: 20,
            load: Load::Closed { think: 95 * MS },
            until: Until::Elapsed(5_000 * MS),
            ..Plan::default()
        };
        let summary = measure(&plan);
        // The same load as 200 requests a second; 20 requests met the stall and the rest, which
        // would have come during it, were never sent.
        match slower_than(&summary, 100 * MS) {
            18..=20 => Ok(()),
            other => Err(format!("{other} requests were slow")),
        }
    });
}

#[test]
fn more_than_the_server_can_do_is_seen_as_less_achieved_than_offered() {
    one_of_three(|| {
        // A hundred connections of 0.5 s each: 200 requests a second at most.
        let server = Server::start(|_| Action::accept_after(500 * MS));
        let plan = Plan {
            url: server.url(),
            connections: 100,
            load: open(400.0),
            until: Until::Elapsed(2_000 * MS),
            ..Plan::default()
        };
        let summary = measure(&plan);
        assert_eq!(summary.requests.succeeded, 800);
        agree("offered", summary.rate.offered_rps.unwrap(), 400.0)?;
        // All connections are busy after 0.25 s, so answers come from 0.5 to 0.75 s, from 1.0 to
        // 1.25 s and so on: three hundred in two seconds, and the eighth hundred up to 4.25 s.
        agree("achieved", summary.rate.achieved_rps, 150.0)?;
        agree("max", summary.latency.max_us, 2_250_000.0)
    });
}

#[test]
fn several_threads_measure_what_one_does() {
    one_of_three(|| {
        let server = Server::start(|_| Action::accept_after(1_000 * MS));
        let plan = Plan {
            url: server.url(),
            connections: 151,
            load: open(100.0),
            until: Until::Elapsed(2_000 * MS),
            threads: 3,
            ..Plan::default()
        };
        let summary = measure(&plan);
        assert_eq!((summary.requests.succeeded, server.requests()), (200, 200));
        agree("offered", summary.rate.offered_rps.unwrap(), 100.0)?;
        percentiles_agree(&summary, 1_000.0, 1_000.0, 1_000.0)
    });
}

#[test]
fn the_warm_up_and_the_climb_are_left_out() {
    one_of_three(|| {
        // Slow while it is cold.
        let server = Server::start(|request| {
            let is_cold = request.received - request.first_received < 800 * MS;
            Action::accept_after(if is_cold { 1_500 * MS } else { 500 * MS })
        });
        let plan = Plan {
            url: server.url(),
            connections: 150,
            load: open(100.0),
            ramp: 1_000 * MS,
            warm_up: 1_000 * MS,
            until: Until::Elapsed(1_000 * MS),
            ..Plan::default()
        };
        let summary = measure(&plan);
        // A climb from nothing to 100 a second within a second is 50 requests.
        assert_eq!((summary.requests.warm_up, summary.requests.succeeded), (50, 100));
        agree("offered", summary.rate.offered_rps.unwrap(), 100.0)?;
        percentiles_agree(&summary, 500.0, 500.0, 500.0)
    });
}
