//! Craft 1, phase 1: puts the layers together. All of them are born here; see `lib.rs`.

use anyhow::{Context, Result};
use clap::Parser;
use craft1_phase1::connection::Connection;
use craft1_phase1::http::{Request, Response};
use craft1_phase1::program::{Bounds, Place, now, positive_count, say};
use craft1_phase1::service::{Call, Delivery, Health, Service};
use craft1_phase1::shutdown::Shutdown;
use craft1_phase1::telemetry::Telemetry;
use craft1_phase1::writer::Writer;
use craft1_phase1::{json, line, server};

/// Takes metrics over HTTP and appends them to a file, with a thread for each connection.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Options {
    #[command(flatten)]
    place: Place,
    /// Connections that are served at once; one more gets 503
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = positive_count)]
    max_connections: usize,
    #[command(flatten)]
    bounds: Bounds,
}

const EXAMPLES: &str = r#"Examples:
  craft1-phase1 --port 8080 --data-file metrics.jsonl
  curl --json '{"name":"cpu_usage","value":85.5}' http://127.0.0.1:8080/metrics
  curl http://127.0.0.1:8080/metrics

Ctrl-C answers the requests that are on their way, and exits. A second Ctrl-C exits at once."#;

fn main() -> Result<()> {
    let Options { place, max_connections, bounds } = Options::parse();
    let listener = place.listen()?;
    let address = listener.local_address()?;
    let at = place.data_file.display();
    let writer = Writer::open(&place.data_file, json::parse, |damage| eprintln!("{at}: {damage}"))
        .with_context(|| format!("data file {at}"))?;
    let telemetry = Telemetry::default();
    // Before the first line: whoever reads it may send a signal at once.
    let shutdown = Shutdown::on_signals(|| "0 accepted metrics are lost".into())?;
    say(&format!("listening on http://{address}"));

    let store = |delivery: &Delivery<'_>| writer.store(delivery, line::encode, now(), &telemetry);
    let health = || Health::in_place(telemetry.stored_metrics());
    let render = || telemetry.render(health());
    let service = Service { parse_body: json::parse, health: &health, telemetry: &render };
    let answer = |request: &Request| match Call::try_from(request) {
        Ok(call) => service.answer(&call, store),
        Err(repeated) => Response::error(400, repeated, None),
    };
    let (limits, timeouts) = bounds.split();
    server::run(listener, &shutdown, max_connections, &telemetry, |socket, _peer| {
        let (shutdown, telemetry) = (&shutdown, &telemetry);
        let connection = Connection { socket: &socket, limits, timeouts, shutdown, telemetry };
        // A client that leaves before its answer loses nothing but the answer.
        drop(connection.serve(answer));
    })?;
    writer
        .sync()
        .with_context(|| format!("the last writes to {at} may not survive a power cut"))?;
    say(&format!("stopped: wrote {} metrics to {at}", telemetry.stored_metrics()));
    Ok(())
}
