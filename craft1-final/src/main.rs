//! Craft 1, final: puts the layers together. Each `use` says where a layer was born.

use std::net::SocketAddr;
use std::process::exit;
use std::sync::{Arc, Weak};
use std::thread::{self, available_parallelism};
use std::time::Instant;
use std::{env, io};

use anyhow::{Context, Result};
use craft1_final::application::{Application, Layers};
use craft1_final::listen;
use craft1_final::obstacle::{Obstacle, Share};
use craft1_final::options::{BadOptions, Options, Storage};
use craft1_final::rate_limit::Limiter;
use craft1_final::server::{self, EventLoop, Lane, Setup};
use craft1_final::telemetry::Telemetry;
use craft1_final::tokens::TokenFile;
use craft1_final::writer::{self, Outbox, Status, Writer};
use craft1_phase1::program::{cannot_listen, now, say};
use craft1_phase1::service::{Health, Service};
use craft1_phase1::shutdown::Shutdown;
use craft1_phase2::descriptors;
use craft1_phase3::json;
use signal_hook::consts::SIGHUP;
use signal_hook::iterator::Signals;

/// Beside those of clients: data files, lock, standard streams, and a few for each loop.
const OTHER_DESCRIPTORS: usize = 512;

fn main() -> Result<()> {
    let options = match Options::load(env::args_os()) {
        Err(BadOptions::Line(error)) => error.exit(),
        Err(BadOptions::File(error)) => {
            eprintln!("{error}");
            // As for an option that is wrong.
            exit(2)
        }
        Ok(options) => options,
    };
    let tokens = options.check()?;
    if options.check_config {
        say("the options are good");
        return Ok(());
    }
    options.logging.start()?;
    serve(&options, tokens.map(Arc::new).as_ref())
}

/// From the open port to the last metric on the disk.
fn serve(options: &Options, tokens: Option<&Arc<TokenFile>>) -> Result<()> {
    let loops = match options.loops {
        Some(count) => count,
        None => available_parallelism().context("the number of processors: say --loops")?,
    };
    let listeners = listen::bind(options.address(), loops, options.listen_backlog())
        .map_err(|error| cannot_listen(options.address(), &error))?;
    let address = listeners[0].local_addr()?;
    let event_loops: Vec<EventLoop> =
        listeners.into_iter().map(EventLoop::new).collect::<io::Result<_>>()?;
    let (writer, outboxes) = start_writer(options, address, &event_loops)?;
    let (telemetry, meters) = Telemetry::new(loops.get(), options.storage.ack);
    let limiter = Limiter::with_capacity(
        options.limiter,
        options.limit,
        options.limit_clients,
        Instant::now(),
    );
    let wanted = options.max_connections.saturating_add(OTHER_DESCRIPTORS);
    if let Err(too_few) = descriptors::allow(wanted as u64, "--max-connections") {
        tracing::warn!("{too_few}");
    }
    reload_on_hangup(tokens.cloned())?;
    // Before the first line: whoever reads it may send a signal at once.
    let shutdown = Shutdown::on_signals(loss(Arc::downgrade(&writer)))?;
    say(&format!("listening on http://{address}"));
    tracing::info!(%address, loops, ack = ?options.storage.ack, "started");

    let health = || {
        let Status { queue_size, stored_metrics: stored, .. } = writer.status();
        Health { queue_size, accepted: telemetry.accepted_metrics(), stored }
    };
    let render = || {
        let mut text = String::new();
        telemetry.render(&mut text);
        writer.render(&mut text);
        limiter.render(&mut text);
        text
    };
    let obstacle = || {
        let (taken, max) = (telemetry.open_connections(), options.max_connections as u64);
        let connections = Share { taken, max };
        let (taken, max) = (telemetry.most_buffered_bytes(), options.buffer_bytes_max() as u64);
        Obstacle::find(shutdown.has_begun(), writer.status(), connections, Share { taken, max })
    };
    let layers = Layers {
        tokens: tokens.map(|tokens| &**tokens),
        limiter: &limiter,
        ack: options.storage.ack,
        service: Service { parse_body: json::parse, health: &health, telemetry: &render },
        obstacle: &obstacle,
        clock: now,
    };
    let (limits, timeouts) = options.bounds();
    let (idle, connections_max) = (options.idle_timeout, options.max_connections);
    let buffer_bytes_max = options.buffer_bytes_max();
    let shutdown = &shutdown;
    let setup = Setup { limits, timeouts, idle, connections_max, buffer_bytes_max, shutdown };
    let lane = |((event_loop, outbox), meter)| Lane { event_loop, outbox, meter };
    let lanes = event_loops.into_iter().zip(outboxes).zip(meters).map(lane).collect();
    let served = server::run(lanes, &setup, |_number, meter| {
        let mut application = Application::new(layers, meter);
        Box::new(move |request, peer, now, outbox| application.answer(request, peer, now, outbox))
    });

    tracing::info!("stopping: everybody is answered");
    finish(writer, options)?;
    // Last, because what was accepted is to be written whatever has failed.
    served.context("the server ended before its time")
}

/// Writes what is still to be written, and says how much it was.
fn finish(writer: Arc<Writer>, options: &Options) -> Result<()> {
    let at = options.storage.data_file.display();
    // Nobody else has it by now, unless the second signal is about to end the process.
    let writer = Arc::into_inner(writer).context("stopped at once")?;
    let stored = writer.finish().with_context(|| format!("data file {at}"))?;
    say(&format!("stopped: wrote {stored} metrics to {at}"));
    Ok(())
}

fn start_writer(
    options: &Options,
    address: SocketAddr,
    event_loops: &[EventLoop],
) -> Result<(Arc<Writer>, Vec<Outbox>)> {
    let Storage {
        data_file,
        ack,
        queue_bytes,
        linger,
        segment_bytes,
        segment_age,
        retain,
        skip_damage,
    } = options.storage.clone();
    let at = data_file.display();
    let chosen = writer::Options {
        ack,
        queue_bytes,
        linger,
        segment_bytes,
        segment_age,
        retain_bytes: retain,
        skip_damage,
        address,
        ..writer::Options::default()
    };
    let wakers = event_loops.iter().map(EventLoop::waker).collect();
    let (writer, outboxes) = Writer::start(&data_file, json::parse, chosen, wakers)
        .with_context(|| format!("data file {at}"))?;
    Ok((Arc::new(writer), outboxes))
}

/// What the second signal says.
fn loss(writer: Weak<Writer>) -> impl Fn() -> String + Send + 'static {
    move || {
        let waiting = writer.upgrade().map_or(0, |writer| writer.status().queue_size);
        format!("{waiting} accepted metrics are lost")
    }
}

/// Reads the tokens again whenever SIGHUP comes, from a thread that waits for nothing else.
fn reload_on_hangup(tokens: Option<Arc<TokenFile>>) -> io::Result<()> {
    let mut signals = Signals::new([SIGHUP])?;
    let reload = move || {
        for _ in signals.forever() {
            match tokens.as_deref().map(TokenFile::reload) {
                Some(Ok(count)) => tracing::info!(tokens = count, "read the tokens again"),
                Some(Err(error)) => tracing::error!(%error, "the tokens stay as they were"),
                None => tracing::info!("there are no tokens to read again"),
            }
        }
    };
    thread::Builder::new().name("reload".into()).spawn(reload)?;
    Ok(())
}
