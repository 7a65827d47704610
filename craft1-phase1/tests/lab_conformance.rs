//! Lab test: the requests of llhttp's own tests are taken or refused as RFC 9112 demands.

use testkit::{DataFolder, llhttp};

const PHASE1: &str = env!("CARGO_BIN_EXE_craft1-phase1");

#[test]
fn llhttp_requests_are_taken_or_refused_in_one_piece_and_byte_by_byte() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE1, &[]);
    llhttp::check(server.address(), false);
    server.stop().assert_success();
}
