//! Unit tests: the parts of phase 0 that need no socket and no process.

use proptest::prelude::*;

use super::*;

fn metric(name: &str, value: f64, timestamp: i64) -> Metric {
    Metric { timestamp, name: name.into(), value, kind: Kind::Gauge, tags: Tags::new() }
}

fn error_of(body: &str) -> String {
    format!("{:#}", parse_batch(body.as_bytes()).unwrap_err())
}

#[test]
fn a_metric_without_a_timestamp_gets_the_time_of_its_arrival() {
    let before = now();
    let parsed = parse_batch(br#"{"name":"m","value":1}"#).unwrap();
    assert!((before..=now()).contains(&parsed[0].timestamp));
}

#[test]
fn an_error_names_the_item_and_what_was_expected() {
    let long = "n".repeat(256);
    let body = format!(r#"{{"metrics":[{{"name":"a","value":1}},{{"name":"{long}","value":1}}]}}"#);
    assert_eq!(
        error_of(&body),
        "metrics[1]: name: expected 1 to 255 bytes without control characters"
    );
    assert!(error_of(r#"{"name":"m"}"#).starts_with("missing field `value`"));
    assert!(
        error_of(r#"{"name":"m","value":1,"timestamp":true}"#).starts_with("timestamp: expected")
    );
}

#[test]
fn an_error_repeats_little_of_what_was_sent() {
    let body = format!(r#"{{"name":"m","value":"{}"}}"#, "x".repeat(100_000));
    let response = Response::error(400, error_of(&body));
    assert!(response.body.len() < 400, "{} bytes", response.body.len());
}

#[test]
fn the_queue_takes_all_of_a_batch_or_none() {
    let queue = Queue::default();
    let batch = |count| vec![metric("m", 1.0, 0); count];
    assert_eq!(queue.push_all(batch(QUEUE_MAX - 1)), Ok(()), "there was room for all but one");
    assert_eq!(queue.push_all(batch(2)), Err(QueueFull), "there was room for one, and two came");
    assert_eq!(queue.len(), QUEUE_MAX - 1, "a batch that was refused left something behind");
    assert_eq!(queue.push_all(batch(1)), Ok(()), "there was room for one, and one came");
}

#[test]
fn a_closed_queue_is_emptied_before_it_ends() {
    let queue = Queue::default();
    queue.push_all(vec![metric("a", 1.0, 0), metric("b", 2.0, 0)]).unwrap();
    queue.close();
    let names: Vec<_> = std::iter::from_fn(|| queue.pop()).map(|metric| metric.name).collect();
    assert_eq!(names, ["a", "b"], "pushed a and b, closed, popped until there was nothing");
}

#[test]
fn a_waiting_consumer_wakes_for_a_push_and_for_the_end() {
    let queue = Queue::default();
    thread::scope(|scope| {
        let consumer =
            scope.spawn(|| [queue.pop().map(|it| it.name), queue.pop().map(|it| it.name)]);
        thread::sleep(Duration::from_millis(20));
        queue.push_all(vec![metric("a", 1.0, 0)]).unwrap();
        thread::sleep(Duration::from_millis(20));
        queue.close();
        let popped = consumer.join().unwrap();
        assert_eq!(popped, [Some("a".into()), None], "popped twice; a was pushed, then closed");
    });
}

/// A condition variable may wake whoever waits although nothing has changed.
#[test]
fn a_consumer_that_wakes_for_nothing_goes_on_waiting() {
    let queue = Queue::default();
    thread::scope(|scope| {
        let consumer = scope.spawn(|| queue.pop().map(|it| it.name));
        for _ in 0..100 {
            queue.changed.notify_all();
            thread::sleep(Duration::from_millis(1));
        }
        let ended_early = consumer.is_finished();
        queue.push_all(vec![metric("a", 1.0, 0)]).unwrap();
        let popped = consumer.join().unwrap();
        assert_eq!(popped, Some("a".into()), "woken 100 times with nothing there, then a came");
        assert!(!ended_early, "pop returned before there was anything");
    });
}

#[test]
fn a_waiting_consumer_uses_no_processor() {
    /// Nanoseconds on a processor, of the thread that reads it.
    const RUN_TIME: &str = "/proc/thread-self/schedstat";
    if !Path::new(RUN_TIME).exists() {
        return println!("skipped: this system has no {RUN_TIME}");
    }
    let queue = Queue::default();
    let run_ns = || -> u64 {
        let text = std::fs::read_to_string(RUN_TIME).unwrap();
        text.split(' ').next().unwrap().parse().unwrap()
    };
    thread::scope(|scope| {
        let consumer = scope.spawn(|| {
            let before = run_ns();
            queue.pop();
            Duration::from_nanos(run_ns() - before)
        });
        thread::sleep(Duration::from_millis(500));
        queue.close();
        let used = consumer.join().unwrap();
        let allowed = Duration::from_millis(20);
        assert!(used < allowed, "pop waited half a second and computed for {used:?} of it");
    });
}

#[test]
fn percentiles_are_values_that_were_measured() {
    let of_200 = |it| reduce(it, (1..=200).map(f64::from).collect());
    let percentiles = ["p50", "p95", "p99"].map(of_200).to_vec();
    assert_eq!(percentiles, [100.0, 190.0, 198.0], "p50, p95 and p99 of 1, 2, … 200");
    assert_eq!(vec![reduce("p50", vec![7.0])], [7.0], "p50 of 7 alone");
    assert_eq!(vec![reduce("p50", vec![9.0, 1.0, 5.0])], [5.0], "p50 of 9, 1 and 5");
}

#[test]
fn a_rule_reads_as_it_is_written() {
    let rule = Rule::parse("  cpu_usage   >= 80.5  for 1m 30s ").unwrap();
    assert_eq!(rule.text, "cpu_usage >= 80.5 for 1m 30s");
    assert_eq!((rule.threshold, rule.hold), (80.5, Duration::from_secs(90)));
    let breaks = |text: &str, value: f64| {
        let rule = Rule::parse(text).unwrap();
        (rule.breaks)(&value, &rule.threshold)
    };
    assert!(breaks("m > 1", 2.0) && !breaks("m > 1", 1.0));
    assert!(breaks("m >= 1", 1.0) && !breaks("m >= 1", 0.0));
    assert!(breaks("m < 1", 0.0) && !breaks("m < 1", 1.0));
    assert!(breaks("m <= 1", 1.0) && !breaks("m <= 1", 2.0));
    assert!(breaks("m == 1", 1.0) && !breaks("m == 1", 2.0));
    assert!(breaks("m != 1", 2.0) && !breaks("m != 1", 1.0));
}

#[test]
fn a_rule_breaks_since_the_first_point_of_the_last_unbroken_run() {
    let rule = Rule::parse("m > 10").unwrap();
    for (values, expected) in [
        (&[][..], None),
        (&[5.0, 6.0], None),
        (&[20.0, 5.0], None),
        (&[20.0, 30.0], Some((0, 30.0))),
        (&[20.0, 5.0, 30.0, 40.0], Some((2, 40.0))),
    ] {
        let points = values.iter().zip(0..).map(|(value, at)| metric("m", *value, at));
        let broken = rule.broken_since(&points.collect::<Vec<_>>());
        assert_eq!(broken, expected, "m > 10 with {values:?} at 0 ms, 1 ms, …");
    }
}

#[test]
fn the_series_that_breaks_a_rule_the_longest_decides() {
    let rule = Rule::parse("disk > 90").unwrap();
    let point = |mount: &str, value, timestamp| {
        let tags = Tags::from([("mount".into(), mount.into())]);
        Metric { tags, ..metric("disk", value, timestamp) }
    };
    let points = [
        point("/", 95.0, 0),
        point("/home", 10.0, 1),
        point("/tmp", 99.0, 2),
        metric("other", 100.0, 3),
        point("/", 96.0, 4),
    ];
    let broken = rule.broken_since(&points);
    assert_eq!(broken, Some((0, 96.0)), "/ breaks it since 0 ms, /tmp since 2 ms, /home never");
    assert_eq!(rule.broken_since(&points[1..2]), None, "/home does not break it");
}

/// Checks the rule at a time, and that it says this: `firing`, `resolved`, or nothing.
#[track_caller]
fn assert_says(rule: &mut Rule, points: &[Metric], now: i64, expected: &str) {
    let text = rule.text.clone();
    let shown: Vec<_> = points.iter().map(|it| (it.timestamp, it.value)).collect();
    let line = rule.check(points, now).unwrap_or_default();
    let is_said = if expected.is_empty() {
        line.is_empty()
    } else {
        line.contains(&format!(" alert {expected}: {text}"))
    };
    assert!(
        is_said,
        "{text:?} at {now} ms with the points (ms, value) {shown:?}\n    \
         said: {line:?}\nexpected: {expected:?}"
    );
}

#[test]
fn a_rule_fires_when_it_has_held_long_enough() {
    let mut rule = Rule::parse("m > 10 for 1s").unwrap();
    let points = [metric("m", 20.0, 0), metric("m", 30.0, 400)];
    assert_says(&mut rule, &points, 999, "");
    assert_eq!((rule.state, rule.value), (State::Ok, Some(30.0)), "broken, but not for a second");
    assert_says(&mut rule, &points, 1_000, "firing");
    assert_eq!((rule.state, rule.since), (State::Firing, Some(rfc3339(1_000))));
}

#[test]
fn a_series_that_ends_while_firing_is_resolved() {
    let mut rule = Rule::parse("m > 10").unwrap();
    assert_says(&mut rule, &[metric("m", 20.0, 0)], 1, "firing");
    assert_says(&mut rule, &[metric("m", 20.0, 0)], 2, "");
    assert_says(&mut rule, &[], 3, "resolved");
    assert_says(&mut rule, &[], 4, "");
}

#[test]
fn a_dip_between_two_checks_resolves_an_alert() {
    let mut rule = Rule::parse("m > 10 for 1s").unwrap();
    let mut points = vec![metric("m", 20.0, 0)];
    assert_says(&mut rule, &points, 1_000, "firing");
    points.extend([metric("m", 5.0, 1_100), metric("m", 20.0, 1_200)]);
    assert_says(&mut rule, &points, 1_300, "resolved");
    assert_says(&mut rule, &points, 2_200, "firing");
}

#[test]
fn a_hold_time_of_ages_is_no_overflow() {
    let rule = Rule::parse("m > 10 for 500000000000years").unwrap();
    assert!(rule.hold.saturating_add(STALE_AFTER) > STALE_AFTER);
}

#[test]
fn a_request_means_the_same_however_it_is_split() {
    let request =
        b"POST /metrics?a=b HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody and more";
    let whole_len = request.len() - " and more".len();
    for len in 0..whole_len {
        assert!(parse_request(&request[..len]).unwrap().is_none(), "complete after {len} bytes");
    }
    for len in whole_len..=request.len() {
        let parsed = parse_request(&request[..len]).unwrap().unwrap();
        assert_eq!(
            (parsed.target.as_str(), parsed.body.as_slice()),
            ("/metrics?a=b", &b"body"[..])
        );
    }
}

proptest! {
    #[test]
    fn no_bytes_make_the_parsers_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse_request(&bytes);
        let _ = parse_batch(&bytes);
        let _ = Query::parse(&String::from_utf8_lossy(&bytes));
        let _ = Rule::parse(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn what_is_stored_reads_back_as_it_was(
        name in "[^\\p{Cc}]{1,60}", value in any::<f64>().prop_filter("finite", |it| it.is_finite()),
        timestamp in UNIX_MS, tags in proptest::collection::btree_map("[^\\p{Cc}]{1,9}", ".{0,9}", 0..4),
    ) {
        let stored = Metric { timestamp, name, value, kind: Kind::Counter, tags };
        let line = serde_json::to_string(&stored).unwrap();
        prop_assert!(!line.contains('\n'));
        let back: Metric = serde_json::from_str(&line).unwrap();
        prop_assert_eq!(back.value.to_bits(), value.to_bits());
        prop_assert_eq!(back, stored);
    }
}
