//! Lab test: phase 4 keeps the wire contract, as far as it goes.

use testkit::DataFolder;
use testkit::contract::{self, Capability};

const PHASE4: &str = env!("CARGO_BIN_EXE_craft1-phase4");

/// What phase 4 has. What it has not stands in its README.
const HAS: [Capability; 5] = [
    Capability::Chunked,
    Capability::Head,
    Capability::KeepAlive,
    Capability::Offset,
    Capability::Ready,
];

#[test]
fn keeps_the_wire_contract() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE4, &[]);
    contract::run(server.address(), &HAS).assert();
    server.stop().assert_success();
    for line in folder.stored() {
        assert!(line["timestamp"].is_string() && line["value"].is_number(), "{line}");
    }
}
