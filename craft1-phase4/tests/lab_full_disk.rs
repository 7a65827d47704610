//! Lab tests: the program itself, on a disk that is full for as long as a limit says so.

#![cfg(target_os = "linux")]

use std::fs;

use rustix::process::Signal;
use testkit::{DataFolder, Server, file_size, get, post_json, wait_until};

const PHASE4: &str = env!("CARGO_BIN_EXE_craft1-phase4");

/// A metric, and the line that it is stored as.
const METRIC: &str = r#"{"name":"m","value":1,"timestamp":1758116723123}"#;
const LINE: &str = "{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"m\",\"value\":1.0}\n";

fn text(folder: &DataFolder) -> String {
    fs::read_to_string(folder.data_file()).unwrap()
}

#[track_caller]
fn post(server: &Server, body: &str, status: u16) {
    let response = post_json(server.address(), "/metrics", body);
    assert_eq!(response.status, status, "{}", response.text());
    let retry_after = (status == 503).then_some("1");
    assert_eq!(response.field("retry-after"), retry_after);
}

fn is_ready(server: &Server) -> bool {
    let answer = get(server.address(), "/ready");
    if answer.status == 503 {
        let detail = answer.json()["detail"].to_string();
        assert!(detail.contains("File too large"), "{detail}");
        assert!(detail.contains("free space or move --data-file"), "{detail}");
    }
    answer.status == 200
}

#[test]
fn a_full_disk_is_answered_503_and_leaves_no_half_a_line_wherever_it_ends_and_passes() {
    for ack in ["stored", "durable"] {
        let folder = DataFolder::new();
        let server = file_size::start(&folder, PHASE4, &["--ack", ack]);
        post(&server, METRIC, 202);
        let two = format!(r#"{{"metrics":[{METRIC},{METRIC}]}}"#);
        for room in [0, 1, LINE.len() - 1, LINE.len(), 2 * LINE.len() - 1] {
            file_size::limit(&server, Some(LINE.len() + room));
            post(&server, &two, 503);
            assert_eq!(text(&folder), LINE, "with room for {room} bytes");
            assert!(!is_ready(&server));
            assert_eq!(get(server.address(), "/health").status, 200);
            file_size::limit(&server, None);
            wait_until("it has found out that there is room", || is_ready(&server));
        }
        post(&server, &two, 202);
        let exit = server.stop();
        exit.assert_success();
        assert_eq!(text(&folder), LINE.repeat(3));
        let last = exit.stdout.last().unwrap();
        assert!(last.starts_with("stopped: wrote 3 metrics to "), "{last}");
    }
}

#[test]
fn a_full_disk_is_outlived_by_what_was_accepted() {
    let folder = DataFolder::new();
    let server = file_size::start(&folder, PHASE4, &["--ack", "accepted"]);
    file_size::limit(&server, Some(0));
    post(&server, METRIC, 202);
    wait_until("it has found out that there is no room", || !is_ready(&server));
    post(&server, METRIC, 202);
    assert_eq!(get(server.address(), "/health").json()["queue_size"], 2);
    file_size::limit(&server, None);
    wait_until("both are stored", || text(&folder) == LINE.repeat(2));
    wait_until("it is ready again", || is_ready(&server));
    server.stop().assert_success();
}

#[test]
fn a_full_disk_is_said_at_the_end_where_it_lasts_so_long() {
    let folder = DataFolder::new();
    let server = file_size::start(&folder, PHASE4, &["--ack", "accepted"]);
    file_size::limit(&server, Some(0));
    post(&server, METRIC, 202);
    server.signal(Signal::TERM);
    let exit = server.wait();
    assert_eq!(exit.status.code(), Some(1));
    let said = exit.stderr.join("\n");
    assert!(said.contains("1 accepted metrics are lost"), "{said}");
    assert!(said.contains("free space or move --data-file"), "{said}");
    assert_eq!(text(&folder), "");
}
