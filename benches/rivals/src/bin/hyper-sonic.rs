//! hyper 1 with sonic-rs through its serde support: SIMD parsing straight from the body, borrowed.

use rivals::{Rival, hyper_server};

fn main() -> anyhow::Result<()> {
    let rival = Rival::start()?;
    let address = hyper_server::start(rival.options(), rival.intake(), |intake, body| {
        intake.take(sonic_rs::from_slice(&body))
    })?;
    rival.serve_until_stopped(address)
}
