//! The quiet time of alerts, seen from outside: what is printed, and what `GET /alerts` shows.

use serde_json::Value;
use testkit::{DataFolder, Server, get_json, post_json, wait_until};

fn start(folder: &DataFolder, options: &[&str]) -> Server {
    let quick = ["--no-self-monitor", "--check-interval", "20ms"];
    folder.start(env!("CARGO_BIN_EXE_phase0"), &[&quick, options].concat())
}

/// The rule of `name`, as `GET /alerts` shows it.
fn alert(server: &Server, name: &str) -> Value {
    let alerts = get_json(server.address(), "/alerts");
    let found = alerts.as_array().unwrap().iter().find(|it| it["name"] == name);
    found.unwrap_or_else(|| panic!("no alert of {name} in {alerts}")).clone()
}

/// Posts a value, and waits until the alert of this name is in the state that follows from it.
fn swing(server: &Server, name: &str, value: f64, expected: &str) {
    let body = format!(r#"{{"name":"{name}","value":{value}}}"#);
    assert_eq!(post_json(server.address(), "/metrics", &body).status, 202, "POST {body}");
    let is_so = || alert(server, name)["state"] == expected;
    wait_until(&format!("{name} is {expected} after {value}, in GET /alerts"), is_so);
}

/// Stops the server and returns what it printed about alerts: `firing: boiler > 80 (value 95)`.
#[track_caller]
fn said(server: Server) -> Vec<String> {
    let exit = server.stop();
    exit.assert_success();
    let lines = exit.stdout.into_iter();
    lines.filter_map(|line| Some(line.split_once(" alert ")?.1.to_owned())).collect()
}

const RULE: [&str; 2] = ["--rule", "boiler > 80"];
/// Longer than any test.
const LONG: [&str; 2] = ["--alert-quiet", "1h"];
/// Long enough for a swing to end within it on most machines, and no test fails where it does not.
const SHORT: [&str; 2] = ["--alert-quiet", "2s"];

#[test]
fn an_alert_that_swings_is_said_once() {
    let folder = DataFolder::new();
    let server = start(&folder, &[RULE, LONG].concat());
    for _ in 0..3 {
        swing(&server, "boiler", 95.0, "firing");
        swing(&server, "boiler", 20.0, "resolved");
    }
    let expected = ["firing: boiler > 80 (value 95)"];
    assert_eq!(said(server), expected, "three swings within --alert-quiet 1h");
}

#[test]
fn the_last_word_is_said_when_the_quiet_time_is_over() {
    let folder = DataFolder::new();
    let server = start(&folder, &[RULE, SHORT].concat());
    swing(&server, "boiler", 95.0, "firing");
    swing(&server, "boiler", 20.0, "resolved");
    let line = server.wait_for_line(" alert resolved: ");
    let resolved = alert(&server, "boiler")["since"].as_str().unwrap().to_owned();
    let expected = ["firing: boiler > 80 (value 95)", "resolved: boiler > 80"];
    assert_eq!(said(server), expected, "fired and resolved with --alert-quiet 2s");
    assert!(line.starts_with(&resolved), "it resolved at {resolved}, and the line is {line:?}");
}

#[test]
fn what_ends_as_it_was_told_is_not_said_again() {
    let folder = DataFolder::new();
    let server = start(&folder, &[RULE, SHORT].concat());
    let begun = std::time::Instant::now();
    swing(&server, "boiler", 95.0, "firing");
    swing(&server, "boiler", 20.0, "resolved");
    swing(&server, "boiler", 96.0, "firing");
    let is_within = begun.elapsed() < std::time::Duration::from_secs(2);
    // Time for three more checks behind the end of the quiet time.
    std::thread::sleep(std::time::Duration::from_millis(2_500));
    let said = said(server);
    assert_eq!(said.first().map(String::as_str), Some("firing: boiler > 80 (value 95)"));
    if is_within {
        assert_eq!(said.len(), 1, "it fired, swung, and fires when the quiet time ends: {said:?}");
    }
}

#[test]
fn each_rule_has_a_quiet_time_of_its_own() {
    let folder = DataFolder::new();
    let server = start(&folder, &[&RULE[..], &["--rule", "pump < 5"], &LONG].concat());
    swing(&server, "boiler", 95.0, "firing");
    swing(&server, "pump", 1.0, "firing");
    let expected = ["firing: boiler > 80 (value 95)", "firing: pump < 5 (value 1)"];
    assert_eq!(said(server), expected, "two rules with --alert-quiet 1h");
}

#[test]
fn the_true_state_is_shown_at_all_times() {
    let folder = DataFolder::new();
    let server = start(&folder, &[RULE, LONG].concat());
    swing(&server, "boiler", 95.0, "firing");
    swing(&server, "boiler", 20.0, "resolved");
    let alert = alert(&server, "boiler");
    let mut fields: Vec<_> = alert.as_object().unwrap().keys().collect();
    fields.sort();
    assert_eq!(fields, ["name", "rule", "since", "state", "value"], "the fields of {alert}");
}
