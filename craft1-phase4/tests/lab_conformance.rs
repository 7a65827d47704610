//! Lab test: HTTP is read as strictly by the workers of a pool, by the same suite as in phase 1.

use testkit::{DataFolder, llhttp};

const PHASE4: &str = env!("CARGO_BIN_EXE_craft1-phase4");

#[test]
fn llhttp_requests_are_taken_or_refused_in_one_piece_and_byte_by_byte() {
    let folder = DataFolder::new();
    let server = folder.start(PHASE4, &[]);
    llhttp::check(server.address(), true);
    server.stop().assert_success();
}
