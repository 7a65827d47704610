//! The final phase keeps the wire contract over a channel as over its own rings.

use testkit::DataFolder;
use testkit::contract::{self, Capability};

const PROGRAM: &str = env!("CARGO_BIN_EXE_final-channel");

const HAS: [Capability; 5] = [
    Capability::Chunked,
    Capability::Head,
    Capability::KeepAlive,
    Capability::Offset,
    Capability::Ready,
];

#[test]
fn keeps_the_wire_contract_over_a_channel() {
    for ack in ["accepted", "stored", "durable"] {
        let folder = DataFolder::new();
        let server = folder.start(PROGRAM, &["--ack", ack]);
        contract::run(server.address(), &HAS).assert();
        server.stop().assert_success();
        assert!(!folder.stored().is_empty(), "nothing is stored with --ack {ack}");
    }
}
