//! Lab tests: what the server says of itself is what its clients have seen, and Prometheus takes it.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use testkit::{Client, DataFolder, get, post_json, wait_until};

const FINAL: &str = env!("CARGO_BIN_EXE_craft1-final");
const BODY: &str = r#"{"metrics":[{"name":"a","value":1},{"name":"b","value":2}]}"#;

/// The samples by their names and labels.
fn samples(text: &str) -> BTreeMap<&str, f64> {
    let samples = text.lines().filter(|line| !line.starts_with('#'));
    let sample = |line: &'_ str| -> Option<(usize, f64)> {
        let at = line.rfind(' ')?;
        Some((at, line[at + 1..].parse().ok()?))
    };
    let parse = |line| {
        let (at, value) = sample(line).unwrap_or_else(|| panic!("{line} is no sample"));
        (&line[..at], value)
    };
    samples.map(parse).collect()
}

#[test]
fn it_counts_what_its_clients_have_seen() {
    for ack in ["accepted", "stored", "durable"] {
        let folder = DataFolder::new();
        let server = folder.start(FINAL, &["--ack", ack, "--loops", "2"]);
        let address = server.address();
        for _ in 0..3 {
            assert_eq!(post_json(address, "/metrics", BODY).status, 202);
        }
        assert_eq!(post_json(address, "/metrics", "{}").status, 400);
        assert_eq!(get(address, "/nothing").status, 404);
        let ingest = format!("{{route=\"ingest\",ack=\"{ack}\"}}");
        let durations = format!("ingest_request_duration_seconds_count{ingest}");
        // The writer and the other loop say a moment later what they have seen.
        let mut text = String::new();
        wait_until("all is stored and counted, and no connection but this one is open", || {
            text = get(address, "/metrics").text();
            let samples = samples(&text);
            samples["ingest_stored_lag_seconds_count"] >= 3.0
                && samples["ingest_queue_size"] <= 0.0
                && samples["ingest_open_connections"] <= 1.0
                && samples[&*durations] >= 4.0
        });
        let samples = samples(&text);
        for (name, expected) in [
            ("ingest_requests_total{status=\"202\"}".into(), 3.0),
            ("ingest_requests_total{status=\"400\"}".into(), 1.0),
            ("ingest_requests_total{status=\"404\"}".into(), 1.0),
            ("ingest_dropped_requests_total{reason=\"malformed\"}".into(), 1.0),
            ("ingest_accepted_metrics_total".into(), 6.0),
            ("ingest_stored_metrics_total".into(), 6.0),
            ("ingest_stored_requests_total".into(), 3.0),
            ("ingest_queue_size".into(), 0.0),
            ("ingest_open_connections".into(), 1.0),
            ("ingest_writer_failing".into(), 0.0),
            (durations, 4.0),
            ("ingest_stored_lag_seconds_count".into(), 3.0),
        ] {
            assert_eq!(samples.get(&*name), Some(&expected), "{ack}: {name} in\n{text}");
        }
        assert!(samples["ingest_received_bytes_total"] > 3.0 * BODY.len() as f64);
        server.stop().assert_success();
    }
}

#[test]
fn a_request_that_is_no_request_is_counted_as_malformed() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &[]);
    let mut client = Client::connect(server.address()).unwrap();
    client.send(b"POST /metrics HTTP/1.1\nHost: test\n\n").unwrap();
    assert_eq!(client.read_response().unwrap().status, 400);
    let text = get(server.address(), "/metrics").text();
    let expected = "ingest_dropped_requests_total{reason=\"malformed\"} 1";
    assert!(text.lines().any(|line| line == expected), "{text}");
}

#[test]
fn no_sample_is_there_twice_and_every_one_has_a_type_and_a_meaning() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &[]);
    let text = get(server.address(), "/metrics").text();
    let lines = text.lines().filter(|line| !line.starts_with('#')).count();
    assert_eq!(samples(&text).len(), lines, "{text}");
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let name = line.split(['{', ' ']).next().unwrap();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|it| name.strip_suffix(it));
        let is_said = |what: &str| {
            [Some(name), family].into_iter().flatten().any(|it| {
                let beginning = format!("# {what} {it} ");
                text.lines().any(|line| line.starts_with(&beginning))
            })
        };
        assert!(is_said("HELP") && is_said("TYPE"), "{name}");
    }
}

/// Where Prometheus is installed.
#[test]
fn promtool_finds_nothing_to_say() {
    let folder = DataFolder::new();
    let server = folder.start(FINAL, &[]);
    post_json(server.address(), "/metrics", BODY);
    let text = get(server.address(), "/metrics").text();
    let mut command = Command::new("promtool");
    let piped = command.args(["check", "metrics"]).stdin(Stdio::piped());
    let Ok(mut promtool) = piped.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn() else {
        println!("not run: there is no promtool (Debian package prometheus)");
        return;
    };
    promtool.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    assert_eq!(String::from_utf8_lossy(&said), "");
}
