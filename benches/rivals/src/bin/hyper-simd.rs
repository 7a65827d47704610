//! hyper 1 with simd-json through its serde support.
//!
//! simd-json unescapes strings in place, so it needs a body of its own to write to: one copy, which
//! is what its users pay. Its tape and scratch buffers are kept and used again.

use std::cell::RefCell;

use bytes::{Bytes, BytesMut};
use rivals::{Intake, Reply, Rival, hyper_server};
use simd_json::Buffers;

thread_local! {
    static BUFFERS: RefCell<Buffers> = RefCell::default();
}

fn main() -> anyhow::Result<()> {
    let rival = Rival::start()?;
    let address = hyper_server::start(rival.options(), rival.intake(), take)?;
    rival.serve_until_stopped(address)
}

fn take(intake: Intake, body: Bytes) -> Reply {
    let mut body = BytesMut::from(body);
    BUFFERS.with_borrow_mut(|buffers| {
        intake.take(simd_json::serde::from_slice_with_buffers(&mut body, buffers))
    })
}
