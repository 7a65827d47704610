//! Percentiles, asked for from outside.

use std::fmt::Write;

use testkit::{DataFolder, Server, get};

/// A server whose file has the values 1 to `count` of `m`, one a second from 1970 on, the largest
/// first.
fn with_values(folder: &DataFolder, count: u32) -> Server {
    let mut lines = String::new();
    for (second, value) in (0..60).cycle().zip((1..=count).rev()) {
        let time = format!("1970-01-01T00:00:{second:02}.000Z");
        writeln!(lines, r#"{{"timestamp":"{time}","name":"m","value":{value}.0}}"#).unwrap();
    }
    std::fs::write(folder.data_file(), lines).unwrap();
    folder.start(env!("CARGO_BIN_EXE_phase0"), &["--no-self-monitor", "--check-interval", "1h"])
}

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
fn any_percentile_is_the_value_of_its_nearest_rank() {
    let folder = DataFolder::new();
    let server = with_values(&folder, 2000);
    for (percentile, expected) in [
        ("p50", 1000.),
        ("p90", 1800.),
        ("p99.9", 1998.),
        ("p99.90", 1998.),
        ("p99.95", 1999.),
        ("p99.951", 2000.),
        ("p100", 2000.),
        ("p100.000", 2000.),
        ("p0.05", 1.),
        ("p0.051", 2.),
        ("p0.001", 1.),
        ("p007.5", 150.),
    ] {
        assert_values(&server, &format!("agg={percentile}"), &[expected]);
    }
}

#[test]
fn a_rank_is_exact() {
    let (hundred, thousand) = (DataFolder::new(), DataFolder::new());
    let server = with_values(&hundred, 100);
    for percent in 1..=100 {
        assert_values(&server, &format!("agg=p{percent}"), &[f64::from(percent)]);
    }
    let server = with_values(&thousand, 1000);
    for tenths in [1, 9, 11, 161, 322, 327, 573, 644, 654, 999] {
        let percentile = format!("p{}.{}", tenths / 10, tenths % 10);
        assert_values(&server, &format!("agg={percentile}"), &[f64::from(tenths)]);
    }
}

#[test]
fn percentiles_work_in_steps() {
    let folder = DataFolder::new();
    let server = with_values(&folder, 60);
    assert_values(&server, "agg=p75&step=20s", &[55., 35., 15.]);
    assert_values(&server, "agg=p0.1&step=30s", &[31., 1.]);
}

#[test]
fn what_is_no_percentile_is_refused() {
    let folder = DataFolder::new();
    let server = with_values(&folder, 10);
    for aggregation in [
        "p", "p0", "p0.000", "p100.001", "p101", "p1000", "p0001", "p.5", "p5.", "p5.0001", "p-5",
        "p%2B5", "p1e1", "pinf", "pNaN", "p5%25", "p5.5.5", "pp5", "P5", "99", "p5%20", "p%D9%A5",
    ] {
        let path = format!("/query?name=m&agg={aggregation}");
        let response = get(server.address(), &path);
        assert_eq!(response.status, 400, "the status of GET {path}: {}", response.text());
        let detail = response.json()["detail"].to_string();
        let has_way_out = detail.contains("agg: use one of avg, min, max, sum, count");
        assert!(has_way_out, "GET {path} is refused with {detail}");
    }
}
