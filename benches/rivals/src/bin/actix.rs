//! actix-web with `serde_json`: one acceptor, and a worker with a runtime of its own per thread.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::web::{self, Bytes, Data, PayloadConfig};
use actix_web::{App, HttpResponse, HttpServer, rt};
use metrics_model::limits::BODY_BYTES_MAX;
use rivals::{Intake, Options, Reply, Rival, listen};

fn main() -> anyhow::Result<()> {
    let rival = Rival::start()?;
    let address = start(rival.options(), rival.intake())?;
    rival.serve_until_stopped(address)
}

fn start(options: &Options, intake: Intake) -> io::Result<SocketAddr> {
    let (listener, address) = listen::listen_once(options)?;
    let workers = options.threads.get();
    thread::Builder::new()
        .name("acceptor".into())
        .spawn(move || rt::System::new().block_on(serve(listener, workers, intake)))?;
    Ok(address)
}

async fn serve(listener: TcpListener, workers: usize, intake: Intake) -> io::Result<()> {
    let app = move || {
        App::new()
            .app_data(Data::new(intake))
            .app_data(PayloadConfig::new(BODY_BYTES_MAX))
            .route("/metrics", web::post().to(metrics))
            .route("/health", web::get().to(health))
            .default_service(web::to(async || response(&Reply::NotFound)))
    };
    HttpServer::new(app)
        .workers(workers)
        // No timer to arm and cancel for every request.
        .client_request_timeout(Duration::ZERO)
        .tcp_nodelay(true)
        .disable_signals()
        .listen(listener)?
        .run()
        .await
}

async fn metrics(intake: Data<Intake>, body: Bytes) -> HttpResponse {
    response(&intake.take(serde_json::from_slice(&body)))
}

async fn health(intake: Data<Intake>) -> HttpResponse {
    response(&intake.health())
}

fn response(reply: &Reply) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status().0).expect("a status of ours");
    let mut response = HttpResponse::build(status);
    if let Some(seconds) = reply.retry_after() {
        response.insert_header((RETRY_AFTER, seconds));
    }
    response.content_type("application/json").body(reply.body())
}
