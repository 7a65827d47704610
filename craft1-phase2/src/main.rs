//! Craft 1, phase 2: puts the layers together. Each `use` says where a layer was born.

use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context, Result};
use clap::Parser;
use craft1_phase1::connection::Connection;
use craft1_phase1::http::{Request, Response};
use craft1_phase1::program::{Bounds, Place, now, positive_count, say};
use craft1_phase1::service::{Call, Delivery, Health, Service};
use craft1_phase1::shutdown::Shutdown;
use craft1_phase1::telemetry::Telemetry;
use craft1_phase1::writer::Writer;
use craft1_phase1::{json, line};
use craft1_phase2::overflow::{self, Overflow};
use craft1_phase2::pool::Pool;
use craft1_phase2::rate_limit::{Algorithm, Limit, Limiter};
use craft1_phase2::readiness::{self, Obstacle};
use craft1_phase2::{admission, descriptors, server};

/// Takes metrics over HTTP and appends them to a file, with bounded work: so many workers, so many
/// connections that wait for one, so many requests of one client.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Options {
    #[command(flatten)]
    place: Place,
    /// Connections that are served at once; a worker waits for its client, so more than processors
    #[arg(long, value_name = "COUNT", default_value_t = 64, value_parser = positive_count)]
    workers: usize,
    /// Connections that wait for a worker; one more gets 503
    #[arg(long, value_name = "COUNT", default_value_t = 1024, value_parser = positive_count)]
    backlog: usize,
    /// How the requests of a client are counted
    #[arg(long, value_enum, value_name = "ALGORITHM", default_value_t = Algorithm::Counter)]
    limiter: Algorithm,
    /// Most POST /metrics of one client, by X-Client-Id or else its address; one more gets 429
    #[arg(long, value_name = "COUNT/WINDOW", default_value = "1000/1s")]
    limit: Limit,
    #[command(flatten)]
    bounds: Bounds,
}

const EXAMPLES: &str = r#"Examples:
  craft1-phase2 --port 8080 --data-file metrics.jsonl
  craft1-phase2 --workers 8 --backlog 64 --limiter log --limit 100/10s
  curl --json '{"name":"cpu_usage","value":85.5}' http://127.0.0.1:8080/metrics
  curl http://127.0.0.1:8080/ready

Ctrl-C answers the requests that are on their way, and exits. A second Ctrl-C exits at once."#;

/// Those of clients without room; and the listener, the data file, standard streams and the like.
const OTHER_DESCRIPTORS: usize = overflow::SOCKETS_MAX + 32;

fn main() -> Result<()> {
    let Options { place, workers, backlog, limiter, limit, bounds } = Options::parse();
    let listener = place.listen()?;
    let address = listener.local_address()?;
    let at = place.data_file.display();
    let writer = Writer::open(&place.data_file, json::parse, |damage| eprintln!("{at}: {damage}"))
        .with_context(|| format!("data file {at}"))?;
    let wanted = workers.saturating_add(backlog).saturating_add(OTHER_DESCRIPTORS);
    if let Err(too_few) = descriptors::allow(wanted as u64, "--backlog") {
        eprintln!("{too_few}");
    }
    let telemetry = Telemetry::default();
    let pool = Pool::new(workers, backlog);
    let limiter = Limiter::new(limiter, limit);
    // Before the first line: whoever reads it may send a signal at once.
    let shutdown = Shutdown::on_signals(|| "0 accepted metrics are lost".into())?;
    say(&format!("listening on http://{address}"));

    let store = |delivery: &Delivery<'_>| writer.store(delivery, line::encode, now(), &telemetry);
    let health = || Health::in_place(telemetry.stored_metrics());
    let render = || {
        let mut text = telemetry.render(health());
        pool.render(&mut text);
        limiter.render(&mut text);
        text
    };
    let service = Service { parse_body: json::parse, health: &health, telemetry: &render };
    let obstacle = || Obstacle::find(shutdown.has_begun(), pool.load());
    let route = |call: &Call<'_>| {
        readiness::answer(call, obstacle).unwrap_or_else(|| service.answer(call, store))
    };
    let answer = |request: &Request, peer: SocketAddr| match Call::try_from(request) {
        Ok(call) => admission::refuse(&limiter, &call, peer.ip(), Instant::now())
            .unwrap_or_else(|| route(&call)),
        Err(repeated) => Response::error(400, repeated, None),
    };
    let (limits, timeouts) = bounds.split();
    let count = server::counting(&telemetry);
    let overflow = Overflow::new(&route, &count);
    server::run(listener, &shutdown, &pool, &telemetry, overflow, |socket, peer| {
        let (shutdown, telemetry) = (&shutdown, &telemetry);
        let connection = Connection { socket: &socket, limits, timeouts, shutdown, telemetry };
        // A client that leaves before its answer loses nothing but the answer.
        drop(connection.serve(|request| answer(request, peer)));
    })?;
    writer
        .sync()
        .with_context(|| format!("the last writes to {at} may not survive a power cut"))?;
    say(&format!("stopped: wrote {} metrics to {at}", telemetry.stored_metrics()));
    Ok(())
}
