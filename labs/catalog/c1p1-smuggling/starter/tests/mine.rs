//! My tests of where a request ends. Each sends bytes and says what has to come back.

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

#[test]
fn a_request_without_a_body_is_answered() {
    assert_eq!(status_of("GET /health HTTP/1.1\r\nHost: t\r\n\r\n"), 200);
}
