//! Lab tests: what was answered with 202 is in the file, whole and once, whatever becomes of the
//! server, of the file or of the disk.

use std::process::Command;
use std::time::SystemTime;
use std::{fs, thread};

use metrics_model::Timestamp;
use rustix::process::Signal;
use serde_json::Value;
use testkit::ending::{self, CLIENTS, Ended};
use testkit::{DataFolder, Exit, Server, client, post_json};

const PHASE1: &str = env!("CARGO_BIN_EXE_craft1-phase1");

/// A metric, and the line that it is stored as.
const METRIC: &str = r#"{"name":"m","value":1,"timestamp":1758116723123}"#;
const LINE: &str = "{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"m\",\"value\":1.0}\n";

fn start(folder: &DataFolder) -> Server {
    folder.start(PHASE1, &[])
}

#[track_caller]
fn post(server: &Server, body: &str) {
    let response = post_json(server.address(), "/metrics", body);
    assert_eq!(response.status, 202, "{body}: {}", response.text());
}

#[track_caller]
fn text(folder: &DataFolder) -> String {
    fs::read_to_string(folder.data_file()).unwrap()
}

#[test]
fn what_is_answered_202_is_in_the_file_already() {
    let folder = DataFolder::new();
    let server = start(&folder);
    for count in 1..=20 {
        post(&server, METRIC);
        assert_eq!(text(&folder), LINE.repeat(count));
    }
}

#[test]
fn stores_every_field_in_the_form_of_the_contract() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let full = r#"{"value":75.5,"tags":{"host":"a","core":"0"},"type":"counter","name":"cpu_usage",
                   "timestamp":1758116723123,"unit":"percent"}"#;
    let head = "POST /metrics HTTP/1.1\r\nHost: test\r\nX-Client-Id: web-1\r\nContent-Length";
    let request = format!("{head}: {}\r\n\r\n{full}", full.len());
    assert_eq!(client::exchange(server.address(), request.as_bytes()).status, 202);
    // The offset is undone, and what says nothing is left out.
    let plain = r#"{"name":"m","value":1,"type":"gauge","tags":{},
                    "timestamp":"2025-09-17T15:45:23.1239+02:00"}"#;
    post(&server, plain);
    let first = "{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"cpu_usage\",\"value\":75.5,\
                 \"type\":\"counter\",\"tags\":{\"host\":\"a\",\"core\":\"0\"},\"client\":\"web-1\"}\n";
    assert_eq!(text(&folder), format!("{first}{LINE}"));
}

#[test]
fn a_metric_without_a_timestamp_gets_the_time_of_its_arrival() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let now = || Timestamp::try_from(SystemTime::now()).unwrap().to_string();
    let before = now();
    post(&server, r#"{"metrics":[{"name":"a","value":1},{"name":"b","value":2}]}"#);
    let stored = folder.stored();
    let [first, second] = [0, 1].map(|index: usize| stored[index]["timestamp"].as_str().unwrap());
    assert_eq!(first, second, "one batch arrives at one time");
    assert!((&*before..=&*now()).contains(&first), "{first} is not after {before}");
}

#[test]
fn numbers_come_back_bit_for_bit() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let numbers = [
        "0.1",
        "-0.0",
        "5e-324",
        "1.7976931348623157e308",
        "9007199254740993",
        "0.30000000000000004",
        "123456789012345678901234567890",
        "2.2250738585072011e-308",
        "1e23",
        "-1.5E-10",
    ];
    for number in numbers {
        post(&server, &format!(r#"{{"name":"n","value":{number}}}"#));
    }
    let stored = folder.stored();
    assert_eq!(stored.len(), numbers.len());
    for (line, number) in stored.iter().zip(numbers) {
        let sent: f64 = number.parse().unwrap();
        assert_eq!(line["value"].as_f64().unwrap().to_bits(), sent.to_bits(), "{number}");
    }
}

#[test]
fn a_batch_with_a_bad_item_leaves_nothing() {
    let folder = DataFolder::new();
    let server = start(&folder);
    let items = [METRIC; 999].join(",");
    let body = format!(r#"{{"metrics":[{items},{{}}]}}"#);
    let response = post_json(server.address(), "/metrics", body);
    assert_eq!(response.status, 400);
    assert_eq!(text(&folder), "");
}

#[test]
fn a_restart_continues_the_file() {
    let folder = DataFolder::new();
    for run in 1..=3 {
        let server = start(&folder);
        post(&server, METRIC);
        let exit = server.stop();
        exit.assert_success();
        assert_eq!((exit.stderr, text(&folder)), (vec![], LINE.repeat(run)));
    }
}

#[test]
fn a_torn_last_line_is_cut_and_said_wherever_it_tears() {
    for torn_len in 1..LINE.len() {
        let folder = DataFolder::new();
        fs::write(folder.data_file(), format!("{LINE}{}", &LINE[..torn_len])).unwrap();
        let server = start(&folder);
        assert_eq!(text(&folder), LINE);
        post(&server, METRIC);
        let exit = server.stop();
        exit.assert_success();
        assert_eq!(text(&folder), LINE.repeat(2));
        let said = format!(": cut 1 torn last line of {torn_len} bytes");
        assert!(matches!(&exit.stderr[..], [only] if only.ends_with(&said)), "{:?}", exit.stderr);
    }
}

#[test]
fn damage_in_the_middle_is_said_with_its_line_and_stays() {
    let too_long = "x".repeat(1024 * 1024 + 1);
    let damaged: [(&[u8], &str); 6] = [
        (b"{\"timestamp\":\0\0\0}", "expected value at line 1 column 14"),
        (b"{\"timestamp\":0,\"name\":\"\xff\",\"value\":1}", "invalid unicode code point"),
        (b"\xff\xfe", "expected value"),
        (b"", "EOF while parsing a value"),
        (b"{\"name\":\"m\",\"value\":1}", "it has no timestamp"),
        (too_long.as_bytes(), "longer than 1048576 bytes"),
    ];
    // The damaged ones are the lines 2, 4 and so on.
    let file = damaged.map(|(line, _)| [LINE.as_bytes(), line, b"\n"].concat()).concat();
    let folder = DataFolder::new();
    fs::write(folder.data_file(), &file).unwrap();
    let server = start(&folder);
    post(&server, METRIC);
    let exit = server.stop();
    exit.assert_success();
    assert_eq!(exit.stderr.len(), damaged.len(), "{:?}", exit.stderr);
    for (index, (said, (_, reason))) in exit.stderr.iter().zip(damaged).enumerate() {
        let expected = format!(": line {} is damaged ({reason}", 2 * (index + 1));
        assert!(said.contains(&expected), "{expected} is not in {said}");
    }
    assert!(fs::read(folder.data_file()).unwrap() == [&file, LINE.as_bytes()].concat());
}

#[test]
fn a_second_server_on_the_same_file_is_refused_and_touches_nothing() {
    let folder = DataFolder::new();
    let server = start(&folder);
    // As if the first one stood in the middle of a write.
    let half = &LINE[..9];
    fs::write(folder.data_file(), half).unwrap();
    let exit = Server::run(&mut folder.command(PHASE1, &[]));
    assert_eq!(exit.status.code(), Some(1));
    let error = exit.stderr.join("\n");
    let path = folder.data_file().display().to_string();
    assert!(error.contains(&path) && error.contains("in use by another process"), "{error}");
    assert_eq!(text(&folder), half);
    server.stop().assert_success();
}

#[test]
fn what_cannot_be_a_data_file_is_named_with_the_reason() {
    for (path, reason) in [
        ("/tmp", "Is a directory"),
        ("/no-such-folder/metrics.jsonl", "No such file or directory"),
        ("/dev/zero", "not a regular file"),
    ] {
        let options = ["--port", "0", "--data-file", path];
        let exit = Server::run(Command::new(PHASE1).args(options));
        assert_eq!(exit.status.code(), Some(1));
        let error = exit.stderr.join("\n");
        assert!(error.contains(path) && error.contains(reason), "{error}");
    }
}

#[test]
fn clients_at_once_leave_every_batch_whole_and_in_one_piece() {
    const CLIENTS: usize = 8;
    const BATCHES: usize = 20;
    const METRICS: usize = 50;
    let folder = DataFolder::new();
    let server = start(&folder);
    let send_batches = |client: usize| {
        for batch in 0..BATCHES {
            let item = |index| format!(r#"{{"name":"client_{client}","value":{index}}}"#);
            let items: Vec<_> = (batch * METRICS..(batch + 1) * METRICS).map(item).collect();
            post(&server, &format!(r#"{{"metrics":[{}]}}"#, items.join(",")));
        }
    };
    thread::scope(|scope| {
        (0..CLIENTS).for_each(|client| drop(scope.spawn(move || send_batches(client))));
    });
    let stored = folder.stored();
    assert_eq!(stored.len(), CLIENTS * BATCHES * METRICS);
    for batch in stored.chunks(METRICS) {
        assert!(batch.iter().all(|line| line["name"] == batch[0]["name"]), "{batch:?}");
    }
    for client in 0..CLIENTS {
        let is_theirs = |line: &&Value| line["name"] == format!("client_{client}");
        let values = stored.iter().filter(is_theirs).map(|line| line["value"].as_f64().unwrap());
        let sent = (0..BATCHES * METRICS).map(|index| index as f64);
        assert!(values.eq(sent), "the metrics of client {client}");
    }
}

fn end_under_load(end: impl FnOnce(Server) -> Exit) -> Ended {
    let folder = DataFolder::new();
    ending::end_under_load(&folder, || start(&folder), end)
}

#[test]
fn a_stop_under_load_stores_what_it_answered_and_answers_what_it_stored() {
    for signal in [Signal::TERM, Signal::INT] {
        let Ended { exit, answered, stored } = end_under_load(|server| {
            server.signal(signal);
            server.wait()
        });
        exit.assert_success();
        assert_eq!(answered, stored);
        let said = format!("stopped: wrote {} metrics to ", stored.len());
        let last = exit.stdout.last().unwrap();
        assert!(last.starts_with(&said), "{last}");
    }
}

#[test]
fn a_kill_under_load_loses_nothing_that_was_answered() {
    let Ended { answered, stored, .. } = end_under_load(Server::kill);
    let lost: Vec<_> = answered.difference(&stored).collect();
    assert!(lost.is_empty(), "{lost:?}");
    let unanswered = stored.len() - answered.len();
    assert!(unanswered <= CLIENTS, "{unanswered} were stored and not answered");
}

#[cfg(target_os = "linux")]
mod full_disk {
    use testkit::{file_size, get};

    use super::*;

    #[test]
    fn is_answered_503_and_leaves_no_half_a_line_wherever_it_ends_and_passes() {
        let folder = DataFolder::new();
        let server = file_size::start(&folder, PHASE1, &[]);
        post(&server, METRIC);
        let two = format!(r#"{{"metrics":[{METRIC},{METRIC}]}}"#);
        for room in 0..2 * LINE.len() {
            file_size::limit(&server, Some(LINE.len() + room));
            let refusal = post_json(server.address(), "/metrics", &two);
            let found = (refusal.status, refusal.field("retry-after"));
            assert_eq!(found, (503, Some("1")), "with room for {room} bytes");
            assert_eq!(text(&folder), LINE, "with room for {room} bytes");
        }
        assert_eq!(get(server.address(), "/health").status, 200);
        file_size::limit(&server, None);
        post(&server, &two);
        assert_eq!(text(&folder), LINE.repeat(3));
        let exit = server.stop();
        exit.assert_success();
        let last = exit.stdout.last().unwrap();
        assert!(last.starts_with("stopped: wrote 3 metrics to "), "{last}");
        assert!(exit.stderr.iter().all(|it| it.starts_with("cannot write ")), "{:?}", exit.stderr);
        assert_eq!(exit.stderr.len(), 2 * LINE.len());
    }
}
