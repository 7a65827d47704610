//! Lab tests: what was accepted is in the file after a clean stop, and the file survives its writer.

use std::fs;
use std::process::Command;

use rustix::process::Signal;
use testkit::{DataFolder, Server, get, get_json, post_json, wait_until};

const PHASE0: &str = env!("CARGO_BIN_EXE_phase0");

/// Without the sampler, so that the file holds what the test sent and nothing else.
fn start(folder: &DataFolder, options: &[&str]) -> Server {
    folder.start(PHASE0, &[&["--no-self-monitor"], options].concat())
}

#[test]
fn a_clean_stop_loses_nothing_that_was_accepted() {
    for signal in [Signal::TERM, Signal::INT] {
        let folder = DataFolder::new();
        let server = start(&folder, &[]);
        let item = |index: u32| format!(r#"{{"name":"drain","value":{index}}}"#);
        for batch in 0..20 {
            let items: Vec<_> = (batch * 1_000..(batch + 1) * 1_000).map(item).collect();
            let body = format!(r#"{{"metrics":[{}]}}"#, items.join(","));
            assert_eq!(post_json(server.address(), "/metrics", &body).status, 202);
        }
        server.signal(signal);
        let exit = server.wait();
        exit.assert_success();
        let last = exit.stdout.last().unwrap();
        assert!(last.starts_with("stopped: wrote 20000 metrics to "), "{last}");
        let values: Vec<_> =
            folder.stored().iter().map(|it| it["value"].as_f64().unwrap()).collect();
        assert_eq!(values, (0..20_000).map(f64::from).collect::<Vec<_>>());
    }
}

#[test]
fn stores_a_metric_in_the_form_of_the_contract() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    let full = r#"{"value":75.5,"tags":{"host":"a","core":"0"},"type":"counter",
                   "name":"cpu_usage","timestamp":1758116723123}"#;
    post_json(server.address(), "/metrics", full);
    post_json(
        server.address(),
        "/metrics",
        r#"{"name":"m","value":1,"timestamp":"2025-09-17T15:45:23+02:00"}"#,
    );
    server.stop().assert_success();
    assert_eq!(
        fs::read_to_string(folder.data_file()).unwrap(),
        "{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"cpu_usage\",\"value\":75.5,\
         \"type\":\"counter\",\"tags\":{\"core\":\"0\",\"host\":\"a\"}}\n\
         {\"timestamp\":\"2025-09-17T13:45:23.000Z\",\"name\":\"m\",\"value\":1.0}\n"
    );
}

#[test]
fn numbers_come_back_bit_for_bit() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
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
        "-1.5e-10",
    ];
    for number in numbers {
        let body = format!(r#"{{"name":"n","value":{number}}}"#);
        assert_eq!(post_json(server.address(), "/metrics", &body).status, 202, "{number}");
    }
    let stored = || get_json(server.address(), "/health")["stored"] == numbers.len();
    wait_until("all are stored", stored);
    let points = get_json(server.address(), "/query?name=n");
    for (point, number) in points.as_array().unwrap().iter().zip(numbers) {
        let sent: f64 = number.parse().unwrap();
        assert_eq!(point["value"].as_f64().unwrap().to_bits(), sent.to_bits(), "{number}");
    }
    server.stop().assert_success();
}

#[test]
fn a_restart_continues_the_file() {
    let folder = DataFolder::new();
    for run in 1..=3 {
        let server = start(&folder, &[]);
        let body = format!(r#"{{"name":"run","value":{run}}}"#);
        assert_eq!(post_json(server.address(), "/metrics", &body).status, 202);
        server.stop().assert_success();
        assert_eq!(folder.stored().len(), run);
    }
    let server = start(&folder, &[]);
    assert_eq!(get_json(server.address(), "/query?name=run").as_array().unwrap().len(), 3);
}

#[test]
fn a_torn_last_line_is_cut_and_said_wherever_it_tears() {
    let whole = "{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"m\",\"value\":1.0}\n";
    for torn_len in 1..whole.len() {
        let folder = DataFolder::new();
        fs::write(folder.data_file(), format!("{whole}{}", &whole[..torn_len])).unwrap();
        let exit = start(&folder, &[]).stop();
        exit.assert_success();
        assert_eq!(fs::read_to_string(folder.data_file()).unwrap(), whole);
        let said = format!("cut 1 torn last line of {torn_len} bytes");
        assert!(exit.stderr.iter().any(|line| line.contains(&said)), "{:?}", exit.stderr);
    }
}

#[test]
fn damage_in_the_middle_is_said_with_its_line_and_stays() {
    let line = |value: u8| {
        format!(
            "{{\"timestamp\":\"2025-09-17T13:45:23.123Z\",\"name\":\"m\",\"value\":{value}.0}}\n"
        )
    };
    let before = format!("{}{{\"timestamp\":\0\0\0}}\n{}", line(1), line(2));
    let folder = DataFolder::new();
    fs::write(folder.data_file(), &before).unwrap();
    let server = start(&folder, &[]);
    assert_eq!(get_json(server.address(), "/query?name=m").as_array().unwrap().len(), 2);
    let exit = server.stop();
    exit.assert_success();
    assert!(exit.stderr.iter().any(|it| it.contains("line 2 is damaged")), "{:?}", exit.stderr);
    assert_eq!(fs::read_to_string(folder.data_file()).unwrap(), before);
}

#[test]
fn a_data_file_in_use_is_refused() {
    let folder = DataFolder::new();
    let server = start(&folder, &[]);
    let exit = Server::run(&mut folder.command(PHASE0, &["--no-self-monitor"]));
    assert_eq!(exit.status.code(), Some(1));
    let error = exit.stderr.join("\n");
    assert!(error.contains("is in use by another process"), "{error}");
    server.stop().assert_success();
}

#[test]
fn a_data_file_that_cannot_be_opened_is_named() {
    let missing = ["--port", "0", "--data-file", "/no-such-folder/metrics.jsonl"];
    let exit = Server::run(Command::new(PHASE0).args(missing));
    assert_eq!(exit.status.code(), Some(1));
    let error = exit.stderr.join("\n");
    assert!(error.contains("cannot open /no-such-folder/metrics.jsonl"), "{error}");
}

#[test]
fn what_is_no_regular_file_is_refused() {
    let endless = ["--port", "0", "--data-file", "/dev/zero"];
    let exit = Server::run(Command::new(PHASE0).args(endless));
    assert_eq!(exit.status.code(), Some(1));
    let error = exit.stderr.join("\n");
    assert!(error.contains("/dev/zero is not a regular file"), "{error}");
}

/// A limit on the file's size fails writes as a full disk does, the last one in the middle.
#[test]
fn a_full_disk_is_said_and_the_loss_is_counted_and_no_line_is_torn() {
    /// Stored as 65 bytes, which do not divide the limit: the write that meets it is a short one.
    const ITEM: &str = r#"{"name":"mm","value":1}"#;
    let folder = DataFolder::new();
    let mut command = Command::new("sh");
    let script = r#"trap "" XFSZ; ulimit -f 2; exec "$@""#;
    command.args(["-c", script, "sh", PHASE0, "--port", "0", "--no-self-monitor", "--data-file"]);
    let server = Server::start(command.arg(folder.data_file()));
    let body = format!(r#"{{"metrics":[{}]}}"#, vec![ITEM; 1_000].join(","));
    assert_eq!(post_json(server.address(), "/metrics", &body).status, 202);
    assert_eq!(get(server.address(), "/health").status, 200, "it goes on answering");
    let exit = server.stop();
    assert_eq!(exit.status.code(), Some(1));
    let (errors, stored) = (exit.stderr.join("\n"), folder.stored().len());
    assert!((1..1_000).contains(&stored), "{stored}");
    assert!(errors.contains("cannot write"), "{errors}");
    let lost = format!("{} accepted metrics could not be written", 1_000 - stored);
    assert!(errors.contains(&lost), "{lost} is not in {errors}");
}
