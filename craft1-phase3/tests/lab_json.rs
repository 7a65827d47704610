//! Lab tests: a body is taken or refused for what it says, by the parser alone and over a socket,
//! and no body can hurt the server.
//!
//! The cases of `JSONTestSuite` are data beside the workspace; see `testkit::json_suite`.

use std::thread;

use craft1_phase3::json;
use metrics_model::limits::BODY_BYTES_MAX;
use testkit::{DataFolder, get, json_suite, post_json};

const PHASE3: &str = env!("CARGO_BIN_EXE_craft1-phase3");

/// All cases come from one address, in a moment.
const UNLIMITED: [&str; 2] = ["--limiter", "off"];

#[test]
fn the_parser_takes_and_refuses_what_the_json_test_suite_says() {
    json_suite::check(|case| match json::parse(&case.body) {
        Ok(_) => true,
        Err(refusal) => {
            assert!(refusal.offset.is_some_and(|at| at <= case.body.len()), "{}", case.name);
            false
        }
    });
}

#[test]
fn the_server_takes_and_refuses_what_the_json_test_suite_says() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE3, &UNLIMITED);
    let mut taken = 0;
    json_suite::check(|case| {
        let status = post_json(server.address(), "/metrics", &case.body).status;
        assert!([202, 400].contains(&status), "{}: {status}", case.name);
        taken += usize::from(status == 202);
        status == 202
    });
    server.stop().assert_success();
    assert_eq!(folder.stored().len(), taken);
}

/// As many brackets as a body can hold, never closed.
fn nested(open: &str) -> String {
    let start = r#"{"name":"m","value":1,"extra":"#;
    format!("{start}{}", open.repeat((BODY_BYTES_MAX - start.len()) / open.len()))
}

/// What opens one level of an array, and what opens one of an object.
const BRACKETS: [&str; 2] = ["[", r#"{"a":"#];

#[test]
fn depth_costs_the_parser_no_stack() {
    /// Far too little for a call for every bracket that is allowed.
    const STACK_BYTES: usize = 64 * 1024;
    let parse = || BRACKETS.map(|open| json::parse(nested(open).as_bytes()).unwrap_err().detail);
    let small = thread::Builder::new().stack_size(STACK_BYTES).spawn(parse).unwrap();
    assert_eq!(small.join().unwrap(), ["nested deeper than 127 levels"; 2]);
}

#[test]
fn depth_costs_the_server_nothing() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE3, &UNLIMITED);
    for open in BRACKETS {
        assert_eq!(post_json(server.address(), "/metrics", nested(open)).status, 400);
        assert_eq!(get(server.address(), "/health").status, 200);
    }
    server.stop().assert_success();
}

#[test]
fn a_refusal_shows_the_byte_of_what_is_wrong() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE3, &[]);
    let body = r#"{"metrics":[{"name":"a","value":1},{"name":"b","value":"2"}]}"#;
    let refusal = post_json(server.address(), "/metrics", body).json();
    assert_eq!(refusal["detail"], "metrics[1].value: expected a number");
    let offset = usize::try_from(refusal["offset"].as_u64().unwrap()).unwrap();
    assert!(body[offset..].starts_with(r#""2""#), "{offset}");
}
