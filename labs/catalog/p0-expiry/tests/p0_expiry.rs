//! Retention, seen from outside: what queries find, and what is in the file.

use std::fs;
use std::time::{Duration, SystemTime};

use testkit::{DataFolder, Server, get_json, post_json, wait_until};

const PHASE0: &str = env!("CARGO_BIN_EXE_phase0");

/// Beyond what any test takes, and below the age of what has expired.
const RETAIN: [&str; 2] = ["--retain", "1h"];
const TWO_HOURS: Duration = Duration::from_hours(2);

/// With the options that every server here has.
fn options() -> [&'static str; 3] {
    ["--no-self-monitor", RETAIN[0], RETAIN[1]]
}

fn start(folder: &DataFolder) -> Server {
    folder.start(PHASE0, &options())
}

/// A line of long ago, far beyond any retention here.
const OLD: &str = "{\"timestamp\":\"2001-01-01T00:00:00.000Z\",\"name\":\"old\",\"value\":1.0}\n";
/// A line that cannot expire while tests run.
const YOUNG: &str =
    "{\"timestamp\":\"9999-01-01T00:00:00.000Z\",\"name\":\"young\",\"value\":2.0}\n";
const DAMAGED: &str = "{\"timestamp\":\0\0\0}\n";

fn write(folder: &DataFolder, lines: &[&str]) {
    fs::write(folder.data_file(), lines.concat()).unwrap();
}

#[track_caller]
fn assert_file(folder: &DataFolder, expected: &[&str], what: &str) {
    let text = fs::read_to_string(folder.data_file()).unwrap();
    assert_eq!(text, expected.concat(), "the data file, {what}");
}

fn unix_ms(time: SystemTime) -> u128 {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_millis()
}

#[test]
fn no_query_finds_what_has_expired() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let now = SystemTime::now();
    for (value, time) in [(1, now - TWO_HOURS), (2, now)] {
        let body = format!(r#"{{"name":"m","value":{value},"timestamp":{}}}"#, unix_ms(time));
        assert_eq!(post_json(server.address(), "/metrics", &body).status, 202, "POST {body}");
    }
    wait_until("both are stored", || get_json(server.address(), "/health")["stored"] == 2);
    let start = unix_ms(now - 2 * TWO_HOURS);
    for (query, expected) in [
        ("name=m".to_owned(), 2.0),
        (format!("name=m&start={start}"), 2.0),
        ("name=m&agg=count".to_owned(), 1.0),
        (String::new(), 2.0),
    ] {
        let points = get_json(server.address(), &format!("/query?{query}"));
        let values: Vec<_> =
            points.as_array().unwrap().iter().map(|it| it["value"].as_f64().unwrap()).collect();
        assert_eq!(
            values,
            [expected],
            "GET /query?{query} with --retain 1h; 1 is two hours old, 2 is new: {points}"
        );
    }
    let end = start + 1;
    let points = get_json(server.address(), &format!("/query?name=m&end={end}"));
    assert_eq!(points, serde_json::json!([]), "a query that ends before the retention begins");
}

#[test]
fn what_has_expired_leaves_the_file_at_the_next_start() {
    let folder = DataFolder::new();
    write(&folder, &[OLD, YOUNG, OLD, OLD, YOUNG, OLD]);
    let server = start(&folder);
    assert_file(&folder, &[YOUNG, YOUNG], "after the start");
    let body = r#"{"name":"young","value":2,"timestamp":"9999-01-01T00:00:00Z"}"#;
    assert_eq!(post_json(server.address(), "/metrics", body).status, 202, "POST {body}");
    server.stop().assert_success();
    assert_file(&folder, &[YOUNG, YOUNG, YOUNG], "after one more metric and a clean stop");
}

#[test]
fn the_file_is_replaced_in_one_step() {
    let folder = DataFolder::new();
    write(&folder, &[OLD, YOUNG]);
    let same_file = folder.path().join("a second name of the old file");
    fs::hard_link(folder.data_file(), &same_file).unwrap();
    start(&folder).stop().assert_success();
    assert_file(&folder, &[YOUNG], "after the start");
    let before = fs::read_to_string(same_file).unwrap();
    assert_eq!(before, [OLD, YOUNG].concat(), "the file that had the name before is not as it was");
}

#[test]
fn what_a_crash_has_left_behind_does_no_harm() {
    let folder = DataFolder::new();
    write(&folder, &[OLD, YOUNG]);
    let left_behind = folder.path().join("metrics.jsonl.new");
    fs::write(&left_behind, "{\"timestamp\":\"2001-01-01T0").unwrap();
    start(&folder).stop().assert_success();
    assert_file(&folder, &[YOUNG], "with half a line in metrics.jsonl.new before the start");
    assert!(!left_behind.exists(), "metrics.jsonl.new is still there");
}

#[test]
fn a_damaged_line_stays_and_a_torn_one_is_cut() {
    let folder = DataFolder::new();
    write(&folder, &[OLD, DAMAGED, YOUNG, OLD, &YOUNG[..20]]);
    let exit = start(&folder).stop();
    exit.assert_success();
    assert_file(&folder, &[DAMAGED, YOUNG], "of an old, a damaged, a young, an old, a torn line");
    let errors = exit.stderr.join("\n");
    for expected in ["line 2 is damaged", "cut 1 torn last line of 20 bytes"] {
        assert!(errors.contains(expected), "{expected:?} is not in what it said:\n{errors}");
    }
}

#[test]
fn the_new_file_is_in_use_by_one_server_alone() {
    let folder = DataFolder::new();
    write(&folder, &[OLD, YOUNG]);
    let server = start(&folder);
    let exit = Server::run(&mut folder.command(PHASE0, &options()));
    let error = exit.stderr.join("\n");
    assert_eq!(exit.status.code(), Some(1), "a second server on the same file said: {error}");
    assert!(error.contains("is in use by another process"), "the second server said: {error}");
    server.stop().assert_success();
}
