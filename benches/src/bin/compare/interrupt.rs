//! Ctrl-C: the first ends the comparison in good order, the second ends it at once.
//!
//! Servers stand in process groups of their own and do not see the signal, so even the second one
//! must take them along.

use std::{
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use anyhow::{Context, Result};
use benches::server::kill_all;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

/// A flag that the first signal sets.
pub(crate) fn stop_on_signals() -> Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot listen for signals")?;
    let seen = Arc::clone(&stop);
    thread::spawn(move || {
        for signal in signals.forever() {
            if seen.swap(true, Ordering::Relaxed) {
                kill_all();
                process::exit(128 + signal);
            }
            eprintln!("ending after this run; once more ends at once");
        }
    });
    Ok(stop)
}
