//! hyper 1 with `serde_json`: what a team would write today. The reference rival.

use rivals::{Rival, hyper_server};

fn main() -> anyhow::Result<()> {
    let rival = Rival::start()?;
    let address = hyper_server::start(rival.options(), rival.intake(), |intake, body| {
        intake.take(serde_json::from_slice(&body))
    })?;
    rival.serve_until_stopped(address)
}
