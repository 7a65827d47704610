//! Lab tests: phase 1 keeps the wire contract, as far as it goes.

use std::process::Command;

use testkit::contract::{self, Capability};
use testkit::{Client, DataFolder, Server};

const PHASE1: &str = env!("CARGO_BIN_EXE_craft1-phase1");

/// What phase 1 has. What it has not stands in its README.
const HAS: [Capability; 3] = [Capability::Chunked, Capability::Head, Capability::Offset];

#[test]
fn keeps_the_wire_contract() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &[]);
    contract::run(server.address(), &HAS).assert();
    server.stop().assert_success();
    for line in folder.stored() {
        assert!(line["timestamp"].is_string() && line["value"].is_number(), "{line}");
    }
}

#[test]
fn a_connection_beyond_the_cap_is_told_so_at_once() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &["--max-connections", "1"]);
    let mut first = Client::connect(server.address()).unwrap();
    first.send(b"GET /health HTTP/1.1\r\n").unwrap();
    let mut second = Client::connect(server.address()).unwrap();
    let refusal = second.read_response().unwrap();
    assert_eq!((refusal.status, refusal.field("retry-after")), (503, Some("1")));
    second.assert_closed();
    first.send(b"Host: test\r\n\r\n").unwrap();
    assert_eq!(first.read_response().unwrap().status, 200, "the first one is not disturbed");
}

#[test]
fn a_wider_bind_must_be_meant() {
    let folder = DataFolder::new();
    let exit = Server::run(&mut folder.command(PHASE1, &["--bind", "0.0.0.0"]));
    assert_eq!(exit.status.code(), Some(1));
    assert!(exit.stderr.join("\n").contains("--insecure"), "{:?}", exit.stderr);
}

#[test]
fn a_port_in_use_is_said_with_a_way_out() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &[]);
    let port = server.address().port().to_string();
    let other = DataFolder::new();
    let mut command = Command::new(PHASE1);
    let command = command.args(["--port", &port, "--data-file"]).arg(other.data_file());
    let exit = Server::run(command);
    assert_eq!(exit.status.code(), Some(1));
    let error = exit.stderr.join("\n");
    assert!(error.contains(&format!("port {port} is in use")), "{error}");
}
