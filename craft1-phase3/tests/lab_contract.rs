//! Lab test: phase 3 keeps the wire contract, as far as it goes.

use testkit::DataFolder;
use testkit::contract::{self, Capability};

const PHASE3: &str = env!("CARGO_BIN_EXE_craft1-phase3");

/// What phase 3 has. What it has not stands in its README.
const HAS: [Capability; 4] =
    [Capability::Chunked, Capability::Head, Capability::Offset, Capability::Ready];

#[test]
fn keeps_the_wire_contract() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE3, &[]);
    contract::run(server.address(), &HAS).assert();
    server.stop().assert_success();
    for line in folder.stored() {
        assert!(line["timestamp"].is_string() && line["value"].is_number(), "{line}");
    }
}
