//! `may_minihttp` with `serde_json`: a stackful coroutine per connection, set up as in its entry in
//! the `TechEmpower` benchmarks.

use std::io::{self, BufRead, Read};

use may_minihttp::{BodyReader, HttpServer, HttpService, Request, Response};
use metrics_model::limits::BODY_BYTES_MAX;
use rivals::listen::Reservation;
use rivals::{Intake, Reply, Rival};

/// Words of stack for a coroutine, 128 KiB: four times the framework's own choice, because a JSON
/// parser runs on it. Pages that are never touched cost nothing.
const STACK_WORDS: usize = 0x4000;

/// Coroutines made ready at the start and kept for later connections, as in that entry.
const POOL_CAPACITY: usize = 1_000;

fn main() -> anyhow::Result<()> {
    let rival = Rival::start()?;
    may::config()
        .set_workers(rival.options().threads.get())
        .set_stack_size(STACK_WORDS)
        .set_pool_capacity(POOL_CAPACITY)
        // Whoever starts this program chooses its cores.
        .set_worker_pin(false);
    let reservation = Reservation::new(rival.options().port)?;
    let address = reservation.address()?;
    let _acceptor = HttpServer(Service { intake: rival.intake() }).start(address)?;
    rival.serve_until_stopped(address)
}

#[derive(Clone)]
struct Service {
    intake: Intake,
}

impl HttpService for Service {
    fn call(
        &mut self,
        request: Request<'_, '_, '_>,
        response: &mut Response<'_>,
    ) -> io::Result<()> {
        let reply = self.answer(request)?;
        let (code, reason) = reply.status();
        response.status_code(code.into(), reason).header("Content-Type: application/json");
        if reply.retry_after().is_some() {
            response.header("Retry-After: 1");
        }
        response.body_mut().extend_from_slice(&reply.body());
        Ok(())
    }
}

impl Service {
    fn answer(&self, request: Request<'_, '_, '_>) -> io::Result<Reply> {
        let body_len = body_len(&request)?;
        let reply = match (request.method(), request.path()) {
            ("POST", "/metrics") if body_len > BODY_BYTES_MAX => Reply::TooLarge,
            ("POST", "/metrics") => return self.take(request.body(), body_len),
            ("GET", "/health") => self.intake.health(),
            _ => Reply::NotFound,
        };
        // The framework skips a body only when it has been asked for.
        drop(request.body());
        Ok(reply)
    }

    /// Parses the body where it was read, if it came with the head; else gathers it first.
    fn take(&self, mut body: BodyReader<'_, '_>, body_len: usize) -> io::Result<Reply> {
        let arrived = body.fill_buf()?;
        if arrived.len() == body_len {
            return Ok(self.intake.take(serde_json::from_slice(arrived)));
        }
        let mut whole = vec![0; body_len];
        body.read_exact(&mut whole)?;
        Ok(self.intake.take(serde_json::from_slice(&whole)))
    }
}

/// The framework would panic on a length that is no number. It knows no chunks: a body framed in
/// them is taken for an empty one.
fn body_len(request: &Request<'_, '_, '_>) -> io::Result<usize> {
    let mut headers = request.headers().iter();
    let Some(header) = headers.find(|header| header.name.eq_ignore_ascii_case("content-length"))
    else {
        return Ok(0);
    };
    let text = std::str::from_utf8(header.value).map_err(|_| io::ErrorKind::InvalidData)?;
    text.parse().map_err(|_| io::ErrorKind::InvalidData.into())
}
