//! Lab test: the final phase keeps the wire contract, whatever a 202 means.

use testkit::DataFolder;
use testkit::contract::{self, Capability};

const FINAL: &str = env!("CARGO_BIN_EXE_craft1-final");

/// What the final phase has: everything but what only phase 0 has.
const HAS: [Capability; 5] = [
    Capability::Chunked,
    Capability::Head,
    Capability::KeepAlive,
    Capability::Offset,
    Capability::Ready,
];

#[test]
fn keeps_the_wire_contract() {
    for ack in ["accepted", "stored", "durable"] {
        let folder = DataFolder::new();
        let server = folder.start(FINAL, &["--ack", ack]);
        contract::run(server.address(), &HAS).assert();
        server.stop().assert_success();
        for line in folder.stored() {
            assert!(line["timestamp"].is_string() && line["value"].is_number(), "{line}");
        }
    }
}

#[test]
fn keeps_the_wire_contract_with_one_loop_and_with_several() {
    for loops in ["1", "4"] {
        let folder = DataFolder::new();
        let server = folder.start(FINAL, &["--loops", loops]);
        contract::run(server.address(), &HAS).assert();
        server.stop().assert_success();
    }
}
