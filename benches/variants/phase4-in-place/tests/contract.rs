//! Phase 4 keeps the wire contract with phase 1's writer as with its own.

use testkit::DataFolder;
use testkit::contract::{self, Capability};

const PROGRAM: &str = env!("CARGO_BIN_EXE_phase4-in-place");

const HAS: [Capability; 5] = [
    Capability::Chunked,
    Capability::Head,
    Capability::KeepAlive,
    Capability::Offset,
    Capability::Ready,
];

#[test]
fn keeps_the_wire_contract_with_the_writer_of_phase1() {
    for ack in ["accepted", "stored", "durable"] {
        let folder = DataFolder::new();
        let server = folder.start(PROGRAM, &["--ack", ack]);
        contract::run(server.address(), &HAS).assert();
        server.stop().assert_success();
        assert!(!folder.stored().is_empty(), "nothing is stored with --ack {ack}");
    }
}
