//! Tests of where a request ends that find every mutant.

use testkit::client::exchange;
use testkit::{DataFolder, Server};

fn start(folder: &DataFolder) -> Server {
    folder.start(env!("CARGO_BIN_EXE_craft1-phase1"), &[])
}

/// The status of the answer to these bytes.
fn status_of(request: &str) -> u16 {
    let folder = DataFolder::new();
    exchange(start(&folder).address(), request.as_bytes()).status
}

/// The status of the answer to a metric with these fields and this body.
fn status_of_post(version: &str, fields: &str, body: &str) -> u16 {
    status_of(&format!("POST /metrics HTTP/{version}\r\nHost: t\r\n{fields}\r\n{body}"))
}

const METRIC: &str = r#"{"name":"m","value":1}"#;

#[test]
fn a_plain_metric_is_taken() {
    assert_eq!(status_of_post("1.1", "Content-Length: 22\r\n", METRIC), 202);
}

#[test]
fn refuses_two_lengths() {
    let twice = "Content-Length: 2\r\nContent-Length: 22\r\n";
    assert_eq!(status_of_post("1.1", twice, METRIC), 400);
}

#[test]
fn refuses_a_length_with_a_sign() {
    assert_eq!(status_of_post("1.1", "Content-Length: +22\r\n", METRIC), 400);
}

#[test]
fn refuses_a_length_beside_a_coding_in_either_order() {
    let (length, coding) = ("Content-Length: 22\r\n", "Transfer-Encoding: chunked\r\n");
    let chunks = format!("16\r\n{METRIC}\r\n0\r\n\r\n");
    assert_eq!(status_of_post("1.1", &format!("{coding}{length}"), &chunks), 400);
    assert_eq!(status_of_post("1.1", &format!("{length}{coding}"), &chunks), 400);
}

#[test]
fn refuses_chunks_in_http_1_0() {
    let chunks = format!("16\r\n{METRIC}\r\n0\r\n\r\n");
    assert_eq!(status_of_post("1.0", "Transfer-Encoding: chunked\r\n", &chunks), 400);
}

#[test]
fn refuses_a_chunk_that_is_longer_than_it_says() {
    let chunks = format!("16\r\n{METRIC}more\r\n0\r\n\r\n");
    assert_eq!(status_of_post("1.1", "Transfer-Encoding: chunked\r\n", &chunks), 400);
}
