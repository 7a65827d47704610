//! axum's router and extractors on the same hyper loop as `hyper-serde`, with `serde_json`.
//!
//! Not `axum::serve`: that one offers neither a listener per thread nor `pipeline_flush`, and the
//! comparison should show what the framework costs, not a default of its server function.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use hyper_util::service::TowerToHyperService;
use metrics_model::limits::BODY_BYTES_MAX;
use rivals::{Intake, Reply, Rival, hyper_server};

fn main() -> anyhow::Result<()> {
    let rival = Rival::start()?;
    let router = Router::new()
        .route("/metrics", post(metrics))
        .route("/health", get(health))
        .fallback(async || response(&Reply::NotFound))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(rival.intake());
    let address = hyper_server::start_service(rival.options(), move || {
        TowerToHyperService::new(router.clone())
    })?;
    rival.serve_until_stopped(address)
}

async fn metrics(State(intake): State<Intake>, body: Bytes) -> Response {
    response(&intake.take(serde_json::from_slice(&body)))
}

async fn health(State(intake): State<Intake>) -> Response {
    response(&intake.health())
}

fn response(reply: &Reply) -> Response {
    let status = StatusCode::from_u16(reply.status().0).expect("a status of ours");
    let json = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let mut response = (status, json, reply.body()).into_response();
    if let Some(seconds) = reply.retry_after() {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static(seconds));
    }
    response
}
