//! Lab tests: `GET /metrics` reports on the fleet, and its log tells what is news.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;
use testkit::{DataFolder, Exit, Server, get, post_json, wait_until};

const PHASE4: &str = env!("CARGO_BIN_EXE_craft1-phase4");
const HEADER: &str = "id,address,role,region,cpu_cores,memory_gib,disk_gib";

fn nodes_file(folder: &DataFolder) -> PathBuf {
    folder.path().join("nodes.csv")
}

/// A server that looks for its fleet ten times a second.
fn command(folder: &DataFolder, options: &[&str]) -> Command {
    let mut command = folder.command(PHASE4, &["--check-interval", "100ms"]);
    command.arg("--nodes-file").arg(nodes_file(folder)).args(options);
    // What a test logs does not depend on who runs it.
    command.env_remove("RUST_LOG");
    command
}

fn write_fleet(folder: &DataFolder, rows: &[&str]) {
    fs::write(nodes_file(folder), format!("{HEADER}\n{}\n", rows.join("\n"))).unwrap();
}

/// The server itself, as a row of its own fleet.
fn row_of(server: &Server) -> String {
    format!("self,{},gateway,local,2,8,100", server.address())
}

/// A row of a node where nobody listens.
fn row_of_nobody() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    format!("gone,{},db,eu-west,4,16,200", listener.local_addr().unwrap())
}

fn wait_for(server: &Server, line: &str) {
    wait_until(line, || get(server.address(), "/metrics").text().lines().any(|it| it == line));
}

/// Each family of a page with its samples. Whatever is no page of the format fails.
fn families(page: &str) -> Vec<(&str, Vec<&str>)> {
    let mut families: Vec<(&str, Vec<&str>)> = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        if let Some(head) = line.strip_prefix("# HELP ") {
            let (name, help) = head.split_once(' ').expect("a family says what it means");
            let kind = lines.next().and_then(|line| line.strip_prefix("# TYPE "));
            let kind = kind.and_then(|kind| kind.strip_prefix(name)).expect("and then its kind");
            assert!(!help.is_empty() && [" counter", " gauge", " histogram"].contains(&kind));
            assert!(families.iter().all(|(other, _)| *other != name), "{name} comes twice");
            families.push((name, Vec::new()));
        } else {
            let (family, samples) = families.last_mut().expect("a sample has a family");
            assert!(line.starts_with(*family), "{line} stands below {family}");
            let (_series, value) = line.rsplit_once(' ').expect("a sample has a value");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            samples.push(line);
        }
    }
    families
}

#[test]
fn every_family_says_what_it_means_and_stands_in_one_place() {
    let folder = DataFolder::new();
    let server = Server::start(&mut command(&folder, &[]));
    write_fleet(&folder, &[&row_of(&server), &row_of_nobody()]);
    post_json(server.address(), "/metrics", r#"{"name":"m","value":1}"#);
    wait_for(&server, "node_up{id=\"gone\",role=\"db\",region=\"eu-west\"} 0");
    let page = get(server.address(), "/metrics").text();
    let families = families(&page);
    let of_nodes = families.iter().filter(|(name, _)| name.starts_with("node_"));
    assert!(of_nodes.clone().count() >= 7, "{page}");
    for (name, samples) in of_nodes {
        assert_eq!(samples.len(), 2, "{name}: one for each node");
    }
}

#[test]
fn reports_on_the_fleet_and_follows_its_file() {
    let folder = DataFolder::new();
    let server = Server::start(&mut command(&folder, &[]));
    write_fleet(&folder, &[&row_of(&server), &row_of_nobody()]);
    wait_for(&server, "node_up{id=\"self\",role=\"gateway\",region=\"local\"} 1");
    wait_for(&server, "node_up{id=\"gone\",role=\"db\",region=\"eu-west\"} 0");
    wait_for(
        &server,
        "node_memory_size_bytes{id=\"self\",role=\"gateway\",region=\"local\"} 8589934592",
    );
    write_fleet(&folder, &["bad", &row_of(&server).replace("gateway", "edge")]);
    wait_for(&server, "node_up{id=\"self\",role=\"edge\",region=\"local\"} 1");
    wait_for(&server, "ingest_nodes_file_bad_rows 1");
    assert!(!get(server.address(), "/metrics").text().contains("gone"), "who is gone is gone");
}

#[test]
fn without_a_fleet_there_is_nothing_about_one() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE4, &[]);
    let page = get(server.address(), "/metrics").text();
    assert!(!page.contains("node"), "{page}");
}

/// The log of a server with a fleet of a good and a bad row, which it has seen.
fn log(options: &[&str], filter: Option<&str>) -> Vec<String> {
    let folder = DataFolder::new();
    let mut command = command(&folder, options);
    if let Some(filter) = filter {
        command.env("RUST_LOG", filter);
    }
    let server = Server::start(&mut command);
    write_fleet(&folder, &["bad", &row_of(&server)]);
    wait_for(&server, "node_up{id=\"self\",role=\"gateway\",region=\"local\"} 1");
    let Exit { status, stderr, .. } = server.stop();
    assert!(status.success());
    stderr
}

#[test]
fn a_missing_file_is_told_and_looked_for_again() {
    let folder = DataFolder::new();
    let server = Server::start(&mut command(&folder, &[]));
    let told = server.wait_for_error("no fleet in the file of nodes; mend the file");
    let path = nodes_file(&folder).display().to_string();
    for word in [" WARN ", &path, "error=cannot read: No such file or directory", "kept=0"] {
        assert!(told.contains(word), "{word} is not in {told}");
    }
    write_fleet(&folder, &[&row_of(&server)]);
    wait_for(&server, "node_up{id=\"self\",role=\"gateway\",region=\"local\"} 1");
}

#[test]
fn a_bad_row_is_told_with_path_line_and_reason() {
    let log = log(&[], None).join("\n");
    for told in [
        "WARN craft1_phase4::health_checker: skipped a row path=\"",
        "line=2 reason=1 fields under 7 columns",
        " INFO craft1_phase4::health_checker: read the fleet path=\"",
        "nodes=1 skipped=1",
        "node is up id=\"self\" role=\"gateway\" region=\"local\"",
    ] {
        assert!(log.contains(told), "{told} is not in\n{log}");
    }
    assert!(!log.contains('\u{1b}'), "a pipe gets no colours");
}

#[test]
fn the_log_can_be_json() {
    let parse = |line: &String| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"));
    let log: Vec<Value> = log(&["--log-format", "json"], None).iter().map(parse).collect();
    let up = log.iter().find(|line| line["message"] == "node is up").expect("it is told");
    assert_eq!((&up["level"], &up["id"]), (&"INFO".into(), &"self".into()));
    assert!(up["timestamp"].is_string(), "{up}");
}

#[test]
fn rust_log_says_what_is_told() {
    let log_of_errors = log(&[], Some("error"));
    assert!(log_of_errors.is_empty(), "{log_of_errors:?}");
    let log = log(&[], Some("warn")).join("\n");
    assert!(log.contains("skipped a row") && !log.contains("node is up"), "{log}");
}

#[test]
fn a_rust_log_that_is_none_is_refused_with_a_way_out() {
    let folder = DataFolder::new();
    let exit = Server::run(command(&folder, &[]).env("RUST_LOG", "a=b=c"));
    let error = exit.stderr.join("\n");
    assert_eq!(exit.status.code(), Some(1));
    assert!(error.contains("RUST_LOG: ") && error.contains("try RUST_LOG=info"), "{error}");
}

#[test]
fn a_log_that_nobody_reads_stops_nothing() {
    let folder = DataFolder::new();
    // Standard error goes to a process that is gone at once, standard output to us.
    let mut shell = Command::new("sh");
    shell.args(["-c", r#"{ "$0" "$@" 2>&1 >&3 | :; } 3>&1"#, PHASE4]);
    shell.args(command(&folder, &[]).get_args());
    let server = Server::start(&mut shell);
    write_fleet(&folder, &["bad", &row_of(&server)]);
    wait_for(&server, "node_up{id=\"self\",role=\"gateway\",region=\"local\"} 1");
    // It has tried to tell of the missing file, of the bad row and of itself.
    assert_eq!(get(server.address(), "/health").status, 200);
}

#[test]
fn a_node_that_hangs_does_not_hold_up_the_end() {
    let folder = DataFolder::new();
    // Whoever connects is in its backlog, and stays there.
    let hanging = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let row = format!("hangs,{},db,eu-west,4,16,200", hanging.local_addr().unwrap());
    write_fleet(&folder, &[&row]);
    let server = Server::start(&mut command(&folder, &["--check-timeout", "1h"]));
    hanging.accept().unwrap();
    server.stop().assert_success();
}
