//! What goes wrong is reported as exactly that, and what goes over the wire is what was asked for.

use std::{
    collections::BTreeMap,
    io::Write,
    net::TcpListener,
    ops::ControlFlow,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use crate::server::{ACCEPTED, Action, Server, one_of_three};
use load_gen::{
    Arrivals, Error, Failure, Load, Method, Plan, Profile, Reuse, SlowPlan, Summary, Until, run,
};

const MS: Duration = Duration::from_millis(1);

fn plan(server: &Server, connections: usize, requests: u64) -> Plan {
    Plan { url: server.url(), connections, until: Until::Requests(requests), ..Plan::default() }
}

fn measure(plan: &Plan) -> Summary {
    let summary = run(plan, &mut |_| ControlFlow::Continue(())).unwrap();
    println!("{summary}");
    summary
}

fn assert_failures(summary: &Summary, expected: &[(Failure, u64)]) {
    assert_eq!(summary.failures, expected.iter().copied().collect::<BTreeMap<_, _>>());
    let failed: u64 = expected.iter().map(|(_, count)| count).sum();
    assert_eq!(summary.requests.failed, failed);
    assert_eq!(summary.latency.count, summary.requests.succeeded);
}

/// Each of ten requests meets the same fate.
fn assert_all_fail_as(failure: Failure, script: impl Fn() -> Action + Send + Sync + 'static) {
    let server = Server::start(move |_| script());
    for reuse in [Reuse::KeepAlive { pipeline: 1 }, Reuse::Close] {
        let timeout = 300 * MS;
        let summary = measure(&Plan { reuse, timeout, ..plan(&server, 2, 10) });
        assert_failures(&summary, &[(failure, 10)]);
        assert_eq!(summary.requests.succeeded, 0);
    }
}

#[test]
fn a_server_that_closes_is_reported_as_closing() {
    assert_all_fail_as(Failure::ClosedEarly, || Action::AnswerAndClose(Vec::new()));
}

#[test]
fn a_server_that_closes_amid_its_answer_is_reported_as_closing() {
    assert_all_fail_as(Failure::ClosedEarly, || {
        Action::AnswerAndClose(ACCEPTED[..ACCEPTED.len() - 1].to_vec())
    });
}

#[test]
fn a_server_that_resets_is_reported_as_resetting() {
    assert_all_fail_as(Failure::Reset, || Action::Reset);
}

#[test]
fn a_server_that_is_silent_is_reported_as_timing_out() {
    assert_all_fail_as(Failure::TimedOut, || Action::Silence);
}

#[test]
fn a_server_that_answers_too_late_is_reported_as_timing_out() {
    assert_all_fail_as(Failure::TimedOut, || Action::accept_after(500 * MS));
}

#[test]
fn a_server_that_answers_garbage_is_reported_as_malformed() {
    for garbage in ["hello", "HTTP/1.1 OK\r\n\r\n", "HTTP/1.1 200 OK\nContent-Length: 0\n\n"] {
        assert_all_fail_as(Failure::Malformed, move || {
            Action::Answer(Duration::ZERO, garbage.as_bytes().to_vec())
        });
    }
}

#[test]
fn the_first_malformed_answer_is_explained() {
    let server = Server::start(|_| {
        let head = b"HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\n";
        Action::Answer(Duration::ZERO, head.to_vec())
    });
    let summary = measure(&plan(&server, 1, 1));
    assert_eq!(summary.first_malformed.as_deref(), Some("the content length is not a number"));
}

#[test]
fn each_status_is_counted_by_itself() {
    for status in [302, 400, 429, 500, 503] {
        assert_all_fail_as(Failure::Status(status), move || Action::status(status));
    }
}

#[test]
fn a_mixture_of_fates_is_counted_request_by_request() {
    let server = Server::start(|request| match request.number % 6 {
        0 => Action::status(503),
        1 => Action::AnswerAndClose(Vec::new()),
        2 => Action::Reset,
        3 => Action::Answer(Duration::ZERO, b"nonsense\r\n".to_vec()),
        4 => Action::accept_after(20 * MS),
        _ => Action::status(429),
    });
    let summary = measure(&plan(&server, 4, 600));
    let expected = [
        (Failure::Status(503), 100),
        (Failure::ClosedEarly, 100),
        (Failure::Reset, 100),
        (Failure::Malformed, 100),
        (Failure::Status(429), 100),
    ];
    assert_failures(&summary, &expected);
    // The failures were quick. Averaged in, they would have made the server look fast.
    assert!(summary.latency.min_us >= 20_000.0, "{}", summary.latency.min_us);
}

#[test]
fn nobody_listening_is_an_error_and_no_result() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for reuse in [Reuse::KeepAlive { pipeline: 1 }, Reuse::Close] {
        let url = format!("http://127.0.0.1:{port}/");
        let plan = Plan { url, reuse, ..Plan::default() };
        let error = run(&plan, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(matches!(error, Error::CannotConnect { .. }), "{error:?}");
        assert!(!error.is_usage());
    }
}

#[test]
fn a_server_that_goes_away_is_reported_as_refusing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let once = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        drop(listener);
        std::io::Read::read(&mut stream, &mut [0; 4096]).unwrap();
        stream.write_all(b"HTTP/1.1 202 Last\r\nConnection: close\r\n\r\n").unwrap();
    });
    let plan = Plan { url, connections: 1, until: Until::Requests(3), ..Plan::default() };
    let summary = measure(&plan);
    once.join().unwrap();
    assert_eq!(summary.requests.succeeded, 1);
    assert_failures(&summary, &[(Failure::ConnectRefused, 2)]);
}

#[test]
fn requests_that_find_no_connection_in_time_were_never_sent() {
    let server = Server::start(|_| Action::Silence);
    let load = Load::Open { rate: 2_000.0, arrivals: Arrivals::Constant };
    let summary = measure(&Plan { load, timeout: 100 * MS, ..plan(&server, 1, 200) });
    assert_eq!(summary.requests.failed, 200);
    let never_sent = summary.failures[&Failure::NeverSent];
    assert_eq!(summary.failures[&Failure::TimedOut] + never_sent, 200);
    assert!(server.requests() <= 200 - never_sent);
}

#[test]
fn what_was_pipelined_behind_a_failure_is_abandoned() {
    let server = Server::start(|_| Action::Silence);
    let reuse = Reuse::KeepAlive { pipeline: 5 };
    let summary = measure(&Plan { reuse, timeout: 100 * MS, ..plan(&server, 1, 5) });
    assert_failures(&summary, &[(Failure::TimedOut, 1), (Failure::Abandoned, 4)]);
}

#[test]
fn bytes_that_answer_nothing_are_noticed() {
    let server =
        Server::start(|_| Action::Answer(Duration::ZERO, [ACCEPTED, b"and more"].concat()));
    let summary = measure(&plan(&server, 1, 5));
    assert_eq!(summary.connections.unsolicited, 5);
    assert!(!summary.is_all_fine());
}

#[test]
fn every_framing_of_a_good_answer_is_a_success() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n";
    let until_close = "HTTP/1.1 200 OK\r\n\r\n{}";
    let server = Server::start(move |request| match request.number % 3 {
        0 => Action::accept(),
        1 => Action::Answer(Duration::ZERO, chunked.as_bytes().to_vec()),
        _ => Action::AnswerAndClose(until_close.as_bytes().to_vec()),
    });
    let summary = measure(&plan(&server, 3, 300));
    assert!(summary.is_all_fine());
    assert_eq!(summary.requests.succeeded, 300);
}

#[test]
fn connections_are_kept_or_renewed_as_asked() {
    let server = Server::start(|_| Action::accept());
    assert!(measure(&plan(&server, 5, 500)).is_all_fine());
    assert_eq!(server.connections(), 5);

    let server = Server::start(|_| Action::accept());
    assert!(measure(&Plan { reuse: Reuse::Close, ..plan(&server, 5, 500) }).is_all_fine());
    assert_eq!(server.connections(), 500);
}

#[test]
fn a_server_that_never_keeps_a_connection_loses_no_request() {
    let last = "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let server = Server::start(move |_| Action::AnswerAndClose(last.as_bytes().to_vec()));
    let summary = measure(&plan(&server, 5, 200));
    assert!(summary.is_all_fine());
    assert_eq!((summary.requests.succeeded, summary.connections.opened >= 200), (200, true));
}

#[test]
fn a_connection_that_is_closed_before_the_first_request_is_opened_again() {
    one_of_three(|| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            // The first connection is closed at once, long before the last one is open.
            drop(listener.accept().unwrap());
            for mut stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || {
                    while let Ok(1..) = std::io::Read::read(&mut stream, &mut [0; 4096]) {
                        let _ = stream.write_all(ACCEPTED);
                    }
                });
            }
        });
        let until = Until::RequestsEach(2);
        let summary = measure(&Plan { url, connections: 200, until, ..Plan::default() });
        match (summary.requests.succeeded, summary.connections.opened) {
            (400, 201) => Ok(()),
            other => Err(format!("{other:?}, {:?}", summary.failures)),
        }
    });
}

#[test]
fn a_pipeline_is_as_deep_as_asked() {
    // Answers nothing before four requests are there.
    let waiting = Arc::new(Mutex::new(0));
    let server = Server::start(move |_| {
        let mut waiting = waiting.lock().unwrap();
        *waiting += 1;
        if *waiting < 4 {
            return Action::Answer(Duration::ZERO, Vec::new());
        }
        *waiting = 0;
        Action::Answer(Duration::ZERO, ACCEPTED.repeat(4))
    });
    let reuse = Reuse::KeepAlive { pipeline: 4 };
    let summary = measure(&Plan { reuse, timeout: 2_000 * MS, ..plan(&server, 1, 40) });
    assert!(summary.is_all_fine());
    assert_eq!((summary.requests.succeeded, server.connections()), (40, 1));
}

#[test]
fn every_client_sends_its_own_number_of_requests() {
    let server = Server::start(|_| Action::accept());
    let until = Until::RequestsEach(10);
    let summary = measure(&Plan { clients: 8, until, ..plan(&server, 8, 1) });
    assert_eq!(summary.requests.succeeded, 80);
    let ids = server.seen.client_ids.lock().unwrap();
    assert_eq!(ids.len(), 8);
    assert!(ids.values().all(|count| *count == 10), "{ids:?}");
}

#[test]
fn bodies_arrive_as_they_were_prepared() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let bodies = Arc::clone(&seen);
    let server = Server::start(move |request| {
        bodies.lock().unwrap().push(request.body.clone());
        Action::accept()
    });
    let payload = Profile::Adversarial;
    let plan = Plan { payload, batch: 1_000, ..plan(&server, 2, 20) };
    assert!(measure(&plan).is_all_fine());
    let bodies = seen.lock().unwrap();
    assert_eq!(bodies.len(), 20);
    for body in bodies.iter() {
        let json: serde_json::Value = serde_json::from_slice(body).unwrap();
        assert_eq!(json["metrics"].as_array().unwrap().len(), 1_000);
    }
}

#[test]
fn a_get_carries_no_body() {
    let server = Server::start(|request| {
        let is_plain_get = request.head.starts_with("GET /metrics HTTP/1.1\r\n")
            && !request.head.contains("Content-")
            && request.body.is_empty();
        if is_plain_get { Action::accept() } else { Action::status(400) }
    });
    assert!(measure(&Plan { method: Method::Get, ..plan(&server, 2, 20) }).is_all_fine());
}

#[test]
fn a_thinking_client_sends_less() {
    let server = Server::start(|_| Action::accept());
    let load = Load::Closed { think: 50 * MS };
    let begin = Instant::now();
    assert!(measure(&Plan { load, ..plan(&server, 2, 20) }).is_all_fine());
    // Ten requests of each client have nine pauses between them.
    assert!(begin.elapsed() >= 9 * 50 * MS);
}

#[test]
fn an_observer_that_breaks_ends_the_run_with_what_there_is() {
    let server = Server::start(|_| Action::accept_after(10 * MS));
    let until = Until::Elapsed(Duration::from_mins(1));
    let begin = Instant::now();
    let summary = run(&Plan { until, ..plan(&server, 4, 1) }, &mut |progress| {
        let enough = progress.elapsed > 300 * MS;
        if enough { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .unwrap();
    assert!(summary.interrupted && begin.elapsed() < Duration::from_secs(20));
    assert!(summary.requests.succeeded > 0 && summary.requests.failed == 0);
    assert!(summary.window_s < 20.0);
}

#[test]
fn slow_clients_are_reported_apart_from_the_load() {
    let server = Server::start(|_| Action::accept());
    let slow = SlowPlan { clients: 3, interval: MS };
    let until = Until::Elapsed(1_500 * MS);
    let load = Load::Open { rate: 100.0, arrivals: Arrivals::Constant };
    let summary = measure(&Plan { slow, until, load, ..plan(&server, 4, 1) });
    let slow = summary.slow.clone().unwrap();
    assert_eq!(summary.requests.succeeded, 150);
    assert_eq!((slow.clients, slow.failures.len()), (3, 0));
    assert!(slow.answered >= 3 && slow.longest_held_s > 0.1, "{slow:?}");
}

#[test]
fn a_server_that_ends_slow_clients_is_seen_to_do_so() {
    // Whoever has not sent a whole request after a read's time is cut off.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || answer_the_fast(stream.unwrap()));
        }
    });
    let slow = SlowPlan { clients: 3, interval: 20 * MS };
    let plan = Plan {
        url,
        slow,
        connections: 2,
        load: Load::Closed { think: 10 * MS },
        until: Until::Elapsed(1_000 * MS),
        ..Plan::default()
    };
    let summary = measure(&plan);
    assert!(summary.requests.failed == 0 && summary.requests.succeeded > 10);
    let slow = summary.slow.unwrap();
    assert!(slow.answered == 0 && slow.failures[&Failure::Status(408)] >= 3, "{slow:?}");
    assert!(slow.longest_held_s < 0.8, "{slow:?}");
}

fn answer_the_fast(mut stream: std::net::TcpStream) {
    stream.set_read_timeout(Some(5_000 * MS)).unwrap();
    let mut buffer = [0; 4096];
    while let Ok(len @ 1..) = std::io::Read::read(&mut stream, &mut buffer) {
        if len > 1 {
            stream.write_all(ACCEPTED).unwrap();
            continue;
        }
        std::thread::sleep(100 * MS);
        let _ = stream.write_all(b"HTTP/1.1 408 Slow\r\nContent-Length: 0\r\n\r\n");
        return;
    }
}

#[test]
fn a_summary_comes_back_from_json_as_it_went() {
    let server = Server::start(|request| match request.number {
        3 => Action::status(503),
        _ => Action::accept(),
    });
    let slow = SlowPlan { clients: 1, interval: 100 * MS };
    let summary = measure(&Plan { slow, ..plan(&server, 2, 50) });
    let json = serde_json::to_string(&summary).unwrap();
    assert_eq!(serde_json::from_str::<Summary>(&json).unwrap(), summary);
}

#[test]
fn the_latencies_of_a_summary_can_be_read_back_one_by_one() {
    let server = Server::start(|_| Action::accept());
    let summary = measure(&plan(&server, 2, 500));
    assert_eq!(summary.latency.histogram().unwrap().len(), 500);
    let curve = summary.latency.curve().unwrap();
    assert!(curve.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1));
}

#[cfg(target_os = "linux")]
#[test]
fn the_threads_stay_on_the_cores_they_are_given() {
    let server = Server::start(|_| Action::accept());
    let allowed = rustix::thread::sched_getaffinity(None).unwrap();
    let core = (0..1_024).find(|core| allowed.is_set(*core)).unwrap();
    assert!(measure(&Plan { cores: vec![core], ..plan(&server, 2, 50) }).is_all_fine());
    let nowhere = Plan { cores: vec![100_000], ..plan(&server, 2, 50) };
    let error = run(&nowhere, &mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, Error::Machine(_)), "{error:?}");
}

#[test]
fn a_thousand_connections_lose_nothing() {
    let server = Server::start(|_| Action::accept());
    let until = Until::RequestsEach(3);
    let summary = measure(&Plan { until, ..plan(&server, 1_000, 1) });
    assert!(summary.is_all_fine());
    assert_eq!((summary.requests.succeeded, server.connections()), (3_000, 1_000));
}
