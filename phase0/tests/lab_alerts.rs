//! Lab tests: an alert's life, and the sampler that feeds the default rules.

use std::time::Duration;

use serde_json::Value;
use testkit::{DataFolder, Server, get_json, post_json, wait_until};

const PHASE0: &str = env!("CARGO_BIN_EXE_phase0");

/// Without the sampler, so that the file holds what the test sent and nothing else.
fn start(folder: &DataFolder, options: &[&str]) -> Server {
    folder.start(PHASE0, &[&["--no-self-monitor"], options].concat())
}

const QUICK: [&str; 2] = ["--check-interval", "50ms"];

fn post(server: &Server, value: f64) {
    let body = format!(r#"{{"name":"boiler","value":{value}}}"#);
    assert_eq!(post_json(server.address(), "/metrics", &body).status, 202);
}

fn state(server: &Server) -> Value {
    get_json(server.address(), "/alerts")[0]["state"].clone()
}

#[test]
fn fires_after_the_hold_time_and_resolves_once() {
    let folder = DataFolder::new();
    let server = start(&folder, &[&QUICK[..], &["--rule", "boiler > 80 for 1s"]].concat());
    assert_eq!(state(&server), "ok");
    post(&server, 95.5);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(state(&server), "ok", "it must hold for a second first");
    let line = server.wait_for_line("alert firing: ");
    assert!(line.ends_with(" alert firing: boiler > 80 for 1s (value 95.5)"), "{line}");
    assert_eq!(state(&server), "firing");
    post(&server, 20.0);
    server.wait_for_line("alert resolved: boiler > 80 for 1s");
    assert_eq!(state(&server), "resolved");
    std::thread::sleep(Duration::from_millis(300));
    let lines = server.stop().stdout;
    let count = |text: &str| lines.iter().filter(|line| line.contains(text)).count();
    assert_eq!(
        (count("alert firing"), count("alert resolved")),
        (1, 1),
        "once per change: {lines:?}"
    );
}

#[test]
fn a_dip_below_the_threshold_starts_the_hold_time_again() {
    let folder = DataFolder::new();
    let server = start(&folder, &[&QUICK[..], &["--rule", "boiler > 80 for 1s"]].concat());
    for _ in 0..8 {
        post(&server, 95.0);
        post(&server, 20.0);
        std::thread::sleep(Duration::from_millis(200));
    }
    post(&server, 95.0);
    assert_eq!(state(&server), "ok");
    assert!(!server.stop().stdout.iter().any(|line| line.contains("alert firing")));
}

#[test]
fn without_a_hold_time_it_fires_at_once_and_can_fire_again() {
    let folder = DataFolder::new();
    let server = start(&folder, &[&QUICK[..], &["--rule", "boiler <= 5"]].concat());
    for (value, expected) in [(3.0, "firing"), (6.0, "resolved"), (5.0, "firing")] {
        post(&server, value);
        wait_until(expected, || state(&server) == expected);
    }
}

#[test]
fn every_series_of_a_name_is_watched_for_itself() {
    let folder = DataFolder::new();
    let server = start(&folder, &[&QUICK[..], &["--rule", "disk > 90"]].concat());
    let body = r#"{"metrics":[{"name":"disk","value":95,"tags":{"mount":"/"}},
                              {"name":"disk","value":10,"tags":{"mount":"/home"}}]}"#;
    post_json(server.address(), "/metrics", body);
    server.wait_for_line("alert firing: disk > 90 (value 95)");
}

#[test]
fn shows_this_machine_from_the_first_seconds() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE0, &["--sample-interval", "100ms"]);
    let names = [
        "cpu_usage",
        "cpu_core_usage",
        "memory_usage",
        "memory_used_bytes",
        "swap_usage",
        "disk_usage",
        "network_receive_bytes_per_second",
        "network_transmit_bytes_per_second",
    ];
    for name in names {
        let query = format!("/query?name={name}");
        let is_there = || get_json(server.address(), &query) != Value::Array(vec![]);
        wait_until(name, is_there);
    }
    for point in get_json(server.address(), "/query?name=memory_usage").as_array().unwrap() {
        let percent = point["value"].as_f64().unwrap();
        assert!(percent > 0.0 && percent <= 100.0, "{point}");
    }
    server.stop().assert_success();
}
