//! Craft 1, phase 4: puts the layers together. Each `use` says where a layer was born.

use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::thread::available_parallelism;
use std::time::Duration;

use anyhow::{Context, Result};
use clap::Parser;
use craft1_phase1::http::Response;
use craft1_phase1::program::{Bounds, Place, now, positive_count, positive_duration, say};
use craft1_phase1::service::{Decision, Health, Service};
use craft1_phase1::shutdown::Shutdown;
use craft1_phase1::socket::Listener;
use craft1_phase1::telemetry::Telemetry;
use craft1_phase2::rate_limit::{Algorithm, Limit, Limiter};
use craft1_phase2::{admission, descriptors, readiness};
use craft1_phase3::{json, line};
use craft1_phase4::ack::Ack;
use craft1_phase4::connection::{self, Conditions, Request};
use craft1_phase4::draining::Draining;
use craft1_phase4::health_checker::{self, HealthChecker, Statuses};
use craft1_phase4::obstacle::Obstacle;
use craft1_phase4::server::{self, Threads};
use craft1_phase4::writer::{self, QUEUE_BYTES_MAX, Writer};
use craft1_phase4::{exposition, logging};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Takes metrics over HTTP and appends them to a file: asynchronously, over connections that are
/// used again, with one writer for all of them.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
struct Options {
    #[command(flatten)]
    place: Place,
    /// Threads that serve connections [default: as many as there are processors]
    #[arg(long, value_name = "COUNT")]
    threads: Option<NonZeroUsize>,
    /// Connections that may be open; one more gets 503
    #[arg(long, value_name = "COUNT", default_value_t = 16_384, value_parser = positive_count)]
    max_connections: usize,
    /// What a 202 means
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = Ack::Stored)]
    ack: Ack,
    /// Bytes that may wait to be written; beyond them POST /metrics gets 503
    #[arg(long, value_name = "BYTES", default_value_t = QUEUE_BYTES_MAX, value_parser = positive_count)]
    queue_bytes: usize,
    /// How the requests of a client are counted
    #[arg(long, value_enum, value_name = "ALGORITHM", default_value_t = Algorithm::Counter)]
    limiter: Algorithm,
    /// Most POST /metrics of one client, by X-Client-Id or else its address; one more gets 429
    #[arg(long, value_name = "COUNT/WINDOW", default_value = "1000/1s")]
    limit: Limit,
    #[command(flatten)]
    bounds: Bounds,
    /// Longest time for a connection to wait for its next request; a longer one is closed
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = positive_duration)]
    idle_timeout: Duration,
    #[command(flatten)]
    fleet: health_checker::Options,
    #[command(flatten)]
    logging: logging::Options,
}

const EXAMPLES: &str = r#"Examples:
  craft1-phase4 --port 8080 --data-file metrics.jsonl
  craft1-phase4 --ack durable --threads 4 --limit 10000/1s
  craft1-phase4 --nodes-file datasets/infrastructure/nodes.csv
  curl --json '{"name":"cpu_usage","value":85.5}' http://127.0.0.1:8080/metrics
  curl http://127.0.0.1:8080/ready

Ctrl-C answers the requests that are on their way, and exits. A second Ctrl-C exits at once."#;

/// Beside those of clients: listener, data file, standard streams, and what each thread has.
const OTHER_DESCRIPTORS: usize = 512;

fn main() -> Result<()> {
    let options = Options::parse();
    options.logging.start()?;
    let place = &options.place;
    let listener = place.listen()?;
    let address = listener.local_address()?;
    let at = place.data_file.display();
    let queue = writer::Options {
        queue_bytes_max: options.queue_bytes,
        ..writer::Options::new(options.ack)
    };
    let writer = Writer::open(&place.data_file, json::parse, queue, |it| eprintln!("{at}: {it}"))
        .with_context(|| format!("data file {at}"))?;
    let wanted = options.max_connections.saturating_add(OTHER_DESCRIPTORS);
    if let Err(too_few) = descriptors::allow(wanted as u64, "--max-connections") {
        eprintln!("{too_few}");
    }
    let threads = match options.threads {
        Some(count) => count,
        None => available_parallelism().context("how many processors there are: say --threads")?,
    };
    let threads = Threads::start(threads)?;
    let counted = writer.clone();
    // Before the first line: whoever reads it may send a signal at once.
    let shutdown = Shutdown::on_signals(move || loss(&counted))?;
    say(&format!("listening on http://{address}"));

    threads.block_on(serve(&options, listener, &shutdown, &threads, writer.clone()))?;
    let stored = writer.finish().with_context(|| format!("data file {at}"))?;
    say(&format!("stopped: wrote {stored} metrics to {at}"));
    Ok(())
}

/// What is gone when the process ends now.
fn loss(writer: &Writer) -> String {
    let Health { accepted, stored, .. } = writer.status().health;
    format!("{} accepted metrics are lost", accepted - stored)
}

/// Serves until the first signal, and until everybody inside has an answer.
async fn serve(
    options: &Options,
    listener: Listener,
    shutdown: &Shutdown,
    threads: &Threads,
    writer: Writer,
) -> Result<()> {
    let checker = HealthChecker::start(options.fleet.clone());
    let statuses = checker.as_ref().map(HealthChecker::statuses);
    let application = Application::new(options, writer, statuses);
    let (conditions, connections_max) = (application.conditions, options.max_connections);
    let connection = move |stream: TcpStream, peer: SocketAddr| {
        connection::serve(stream, peer.ip(), conditions, |it| application.decide(it))
    };
    server::run(listener, shutdown, threads, connections_max, conditions, connection).await?;
    if let Some(checker) = checker {
        checker.stop().await;
    }
    Ok(())
}

/// The layers that a request passes.
struct Application {
    conditions: &'static Conditions,
    connections_max: usize,
    limiter: Limiter,
    writer: Writer,
    /// Of the fleet, where one is checked.
    statuses: Option<watch::Receiver<Statuses>>,
}

impl Application {
    /// It lives as long as the program, so that no request pays for counting who still needs it.
    fn new(
        options: &Options,
        writer: Writer,
        statuses: Option<watch::Receiver<Statuses>>,
    ) -> &'static Self {
        let (limits, timeouts) = options.bounds.split();
        let conditions = Box::leak(Box::new(Conditions {
            limits,
            timeouts,
            idle_timeout: options.idle_timeout,
            telemetry: Telemetry::default(),
            draining: Draining::default(),
        }));
        Box::leak(Box::new(Self {
            conditions,
            connections_max: options.max_connections,
            limiter: Limiter::new(options.limiter, options.limit),
            writer,
            statuses,
        }))
    }

    /// Everything up to the writer is computed at once; what is waited for is its word.
    fn decide(
        &'static self,
        request: &Request<'_>,
    ) -> Result<impl Future<Output = Response> + use<>, Response> {
        let call = request.call().map_err(|repeated| Response::error(400, repeated, None))?;
        let refusal = admission::refuse(&self.limiter, &call, request.peer, request.complete)
            .or_else(|| readiness::answer(&call, || self.obstacle()));
        if let Some(response) = refusal {
            return Err(response);
        }
        let (health, telemetry) = (|| self.writer.status().health, || self.render());
        let service = Service { parse_body: json::parse, health: &health, telemetry: &telemetry };
        match service.decide(&call) {
            Decision::Answer(response) => Err(response),
            Decision::Store(delivery) => {
                // About as long as what came; else the lines would move each time they grow.
                let mut lines = Vec::with_capacity(2 * request.body.len());
                line::encode(&mut lines, &delivery, now());
                Ok(self.stored(lines, delivery.batch.len()))
            }
        }
    }

    async fn stored(&self, lines: Vec<u8>, metrics: usize) -> Response {
        Service::stored(metrics, self.writer.append(lines, metrics).await)
    }

    fn obstacle(&self) -> Option<Obstacle> {
        Obstacle::find(self.conditions, self.connections_max, self.writer.status().obstacle)
    }

    fn render(&self) -> String {
        let mut text = self.conditions.telemetry.render(self.writer.status().health);
        self.writer.render(&mut text);
        self.limiter.render(&mut text);
        if let Some(statuses) = &self.statuses {
            exposition::render(&statuses.borrow(), &mut text);
        }
        text
    }
}
