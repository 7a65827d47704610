//! Lab tests: stored points are found by name and time, and aggregated.

use std::fmt::Write;

use serde_json::Value;
use testkit::{DataFolder, Server, get, get_json, post_json, wait_until};

const PHASE0: &str = env!("CARGO_BIN_EXE_phase0");

/// Without the sampler, so that the file holds what the test sent and nothing else.
fn start(folder: &DataFolder, options: &[&str]) -> Server {
    folder.start(PHASE0, &[&["--no-self-monitor"], options].concat())
}

fn wait_until_stored(server: &Server, count: u64) {
    wait_until("all are stored", || get_json(server.address(), "/health")["stored"] == count);
}

/// Ten points of `a`, one a second from 2025-09-17T00:00:00Z on with the values 1 to 10, and one
/// point of `b` in the middle.
fn with_points(folder: &DataFolder) -> Server {
    let server = start(folder, &[]);
    let mut items = String::from(r#"{"name":"b","value":99,"timestamp":1758067205500}"#);
    for index in 0..10 {
        let (value, timestamp) = (index + 1, 1_758_067_200_000_i64 + index * 1_000);
        write!(items, r#",{{"name":"a","value":{value},"timestamp":{timestamp}}}"#).unwrap();
    }
    let body = format!(r#"{{"metrics":[{items}]}}"#);
    assert_eq!(post_json(server.address(), "/metrics", &body).status, 202);
    wait_until_stored(&server, 11);
    server
}

/// Asks, and compares the values that come back.
#[track_caller]
fn assert_values(server: &Server, query: &str, expected: &[f64]) {
    let points = get_json(server.address(), &format!("/query?{query}"));
    assert_eq!(values(&points), expected, "the values of GET /query?{query}, which is {points}");
}

fn values(points: &Value) -> Vec<f64> {
    points.as_array().unwrap().iter().map(|point| point["value"].as_f64().unwrap()).collect()
}

#[test]
fn filters_by_name_and_by_time_with_both_ends_included() {
    let folder = DataFolder::new();
    let server = with_points(&folder);
    assert_values(&server, "name=a", &[1., 2., 3., 4., 5., 6., 7., 8., 9., 10.]);
    assert_values(&server, "name=b", &[99.]);
    assert_values(&server, "name=none", &[]);
    assert_values(&server, "name=a&start=1758067203000&end=1758067205000", &[4., 5., 6.]);
    assert_values(&server, "name=a&start=2025-09-17T00:00:08Z", &[9., 10.]);
    assert_values(&server, "name=a&end=2025-09-17T02:00:01%2B02:00", &[1., 2.]);
    assert_values(&server, "name=a&end=2025-09-17T02:00:01+02:00", &[1., 2.]);
    assert_values(&server, "", &[1., 2., 3., 4., 5., 6., 99., 7., 8., 9., 10.]);
    assert_values(&server, "start=1758067205000&end=1758067206000", &[6., 99., 7.]);
}

#[test]
fn aggregates_over_everything() {
    let folder = DataFolder::new();
    let server = with_points(&folder);
    let expected = [
        ("avg", 5.5),
        ("min", 1.),
        ("max", 10.),
        ("sum", 55.),
        ("count", 10.),
        ("p50", 5.),
        ("p95", 10.),
        ("p99", 10.),
    ];
    for (aggregation, value) in expected {
        let points = get_json(server.address(), &format!("/query?name=a&agg={aggregation}"));
        assert_eq!(values(&points), [value], "{aggregation}");
        assert_eq!(points[0]["timestamp"], "2025-09-17T00:00:00.000Z");
    }
    assert_eq!(get_json(server.address(), "/query?name=none&agg=count"), Value::Array(vec![]));
}

#[test]
fn aggregates_in_steps_that_are_aligned_to_the_clock() {
    let folder = DataFolder::new();
    let server = with_points(&folder);
    let points = get_json(server.address(), "/query?name=a&agg=max&step=4s&start=1758067201000");
    assert_eq!(values(&points), [4., 8., 10.]);
    let times: Vec<_> =
        points.as_array().unwrap().iter().map(|it| it["timestamp"].clone()).collect();
    assert_eq!(
        times,
        ["2025-09-17T00:00:00.000Z", "2025-09-17T00:00:04.000Z", "2025-09-17T00:00:08.000Z"]
    );
}

#[test]
fn keeps_series_apart_by_their_tags() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    let body = r#"{"metrics":[{"name":"m","value":1,"tags":{"core":"0"}},
                              {"name":"m","value":3,"tags":{"core":"1"}},
                              {"name":"m","value":3,"tags":{"core":"0"}}]}"#;
    post_json(server.address(), "/metrics", body);
    wait_until_stored(&server, 3);
    let points = get_json(server.address(), "/query?name=m&agg=avg");
    let of = |core: &str| {
        let series = points.as_array().unwrap().iter().find(|it| it["tags"]["core"] == core);
        series.and_then(|it| it["value"].as_f64())
    };
    let averages = (of("0"), of("1"));
    assert_eq!(averages, (Some(2.), Some(3.)), "the averages of core 0 and core 1 in {points}");
}

#[test]
fn sorts_points_that_arrive_late_into_their_place() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    for (value, timestamp) in [(3, 3_000), (1, 1_000), (2, 2_000)] {
        let body = format!(r#"{{"name":"late","value":{value},"timestamp":{timestamp}}}"#);
        post_json(server.address(), "/metrics", &body);
    }
    wait_until_stored(&server, 3);
    assert_values(&server, "name=late", &[1., 2., 3.]);
}

#[test]
fn an_answer_of_more_than_100_000_points_is_refused_with_a_way_out() {
    let folder = DataFolder::new();
    let line = "{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"m\",\"value\":1.0}\n";
    std::fs::write(folder.data_file(), line.repeat(100_001)).unwrap();
    let server = start(&folder, &["--check-interval", "1h"]);
    let response = get(server.address(), "/query?name=m");
    assert_eq!(response.status, 400);
    assert!(response.text().contains("agg"), "{}", response.text());
    assert_values(&server, "name=m&agg=count", &[100_001.]);
}
