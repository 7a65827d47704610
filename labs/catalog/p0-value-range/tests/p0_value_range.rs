//! Points by their values, asked for from outside.

use std::fmt::Write;

use testkit::{DataFolder, Server, get};

/// A server whose file has these values of `m`, one a second.
fn with_values(folder: &DataFolder, values: &[f64]) -> Server {
    let mut lines = String::new();
    for (second, value) in values.iter().enumerate() {
        let time = format!("1970-01-01T00:00:{second:02}.000Z");
        writeln!(lines, r#"{{"timestamp":"{time}","name":"m","value":{value:?}}}"#).unwrap();
    }
    std::fs::write(folder.data_file(), lines).unwrap();
    folder.start(env!("CARGO_BIN_EXE_phase0"), &["--no-self-monitor", "--check-interval", "1h"])
}

const ONE_TO_TEN: [f64; 10] = [1., 2., 3., 4., 5., 6., 7., 8., 9., 10.];

#[track_caller]
fn assert_values(server: &Server, query: &str, expected: &[f64]) {
    let path = format!("/query?name=m&{query}");
    let response = get(server.address(), &path);
    assert_eq!(response.status, 200, "the status of GET {path}, which says {}", response.text());
    let points = response.json();
    let values: Vec<_> =
        points.as_array().unwrap().iter().map(|it| it["value"].as_f64().unwrap()).collect();
    assert_eq!(values, expected, "the values of GET {path}");
}

#[test]
fn points_are_found_by_value_with_both_ends_included() {
    let folder = DataFolder::new();
    let server = with_values(&folder, &ONE_TO_TEN);
    assert_values(&server, "min_value=4&max_value=6", &[4., 5., 6.]);
    assert_values(&server, "min_value=9", &[9., 10.]);
    assert_values(&server, "max_value=2", &[1., 2.]);
    assert_values(&server, "min_value=5&max_value=5", &[5.]);
    assert_values(&server, "min_value=5.1&max_value=5.9", &[]);
    assert_values(&server, "min_value=4&end=5000", &[4., 5., 6.]);
    assert_values(&server, "min_value=&max_value=", &ONE_TO_TEN);
}

#[test]
fn bounds_come_before_an_aggregation() {
    let folder = DataFolder::new();
    let server = with_values(&folder, &ONE_TO_TEN);
    assert_values(&server, "min_value=6&agg=count", &[5.]);
    assert_values(&server, "min_value=6&agg=avg", &[8.]);
    assert_values(&server, "max_value=3&agg=sum&step=2s", &[3., 3.]);
    assert_values(&server, "min_value=11&agg=count", &[]);
}

#[test]
fn a_bound_is_read_as_numbers_are_written() {
    let folder = DataFolder::new();
    let server = with_values(&folder, &[-10., -0.5, -0., 0., 0.5, 1000.]);
    assert_values(&server, "min_value=-0.5&max_value=-0.0", &[-0.5, 0., 0.]);
    assert_values(&server, "min_value=0&max_value=.5", &[0., 0., 0.5]);
    assert_values(&server, "min_value=1e3", &[1000.]);
    assert_values(&server, "min_value=1e%2B3", &[1000.]);
    assert_values(&server, "min_value=1e+3", &[1000.]);
}

#[test]
fn a_bad_bound_is_refused_by_its_name() {
    let folder = DataFolder::new();
    let server = with_values(&folder, &ONE_TO_TEN);
    for (query, expected) in [
        ("min_value=much", "min_value:"),
        ("max_value=NaN", "max_value:"),
        ("min_value=-inf", "min_value:"),
        ("max_value=infinity", "max_value:"),
        ("max_value=1e999", "max_value:"),
        ("min_value=1%202", "min_value:"),
        ("min_value=6&max_value=5", "min_value"),
    ] {
        let path = format!("/query?name=m&{query}");
        let response = get(server.address(), &path);
        assert_eq!(response.status, 400, "the status of GET {path}: {}", response.text());
        let detail = response.json()["detail"].as_str().unwrap_or_default().to_owned();
        let is_named = detail.starts_with(expected);
        assert!(is_named, "GET {path} is refused with {detail:?}, not with {expected:?} in front");
    }
}
