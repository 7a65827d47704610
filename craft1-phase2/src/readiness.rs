//! `GET /ready`: whether more work should be sent here.
//!
//! What always holds: the answer turns to 503 before the server has to refuse anybody. A load
//! balancer asks every few seconds, and what it hears must still be true until it asks again.
//! `GET /health` is another question: a server that is full is alive, and killing it for being busy
//! would only move the load to the next one.

use std::fmt::Display;

use craft1_phase1::http::Response;
use craft1_phase1::service::Call;
use serde_json::json;

use crate::pool::Load;

/// When it makes sense to ask again.
const RETRY_AFTER_S: u32 = 1;

/// What the path can be asked.
const ALLOW: &str = "GET, HEAD, OPTIONS";

/// Why no more work should come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Obstacle {
    /// The first signal has come.
    #[error("the server is stopping")]
    Stopping,
    /// Three quarters of the backlog are taken.
    #[error("the backlog is nearly full")]
    Backlog,
}

impl Obstacle {
    /// Looks for one.
    pub fn find(is_stopping: bool, load: Load) -> Option<Self> {
        // Three quarters: half would send work away at every burst, and what is left behind nine
        // tenths is gone before anybody asks again.
        let is_nearly_full = load.queue_depth >= load.backlog_max - load.backlog_max / 4;
        match (is_stopping, is_nearly_full) {
            (true, _) => Some(Self::Stopping),
            (false, true) => Some(Self::Backlog),
            (false, false) => None,
        }
    }
}

/// Answers a request for `/ready`; no other. `obstacle` looks for one now, and its text is what is
/// answered.
pub fn answer<O: Display>(
    call: &Call<'_>,
    obstacle: impl FnOnce() -> Option<O>,
) -> Option<Response> {
    if call.path != "/ready" {
        return None;
    }
    Some(match call.method {
        "GET" | "HEAD" => match obstacle() {
            None => Response::json(200, &json!({ "status": "ready" })),
            Some(obstacle) => Response::unavailable(obstacle, RETRY_AFTER_S),
        },
        "OPTIONS" => Response { allow: Some(ALLOW), ..Response::empty() },
        method => {
            let refusal = Response::error(405, format_args!("{method} is not for /ready"), None);
            Response { allow: Some(ALLOW), ..refusal }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(queue_depth: usize, backlog_max: usize) -> Load {
        Load { workers: 2, busy: 2, queue_depth, backlog_max, panics: 0 }
    }

    fn ask(method: &'static str, obstacle: Option<Obstacle>) -> Response {
        let call = Call { method, path: "/ready", ..Call::default() };
        answer(&call, || obstacle).expect("it is for /ready")
    }

    #[test]
    fn is_ready_until_three_quarters_of_the_backlog_are_taken() {
        for (backlog_max, nearly_full_at) in [(1, 1), (2, 2), (3, 3), (4, 3), (5, 4), (100, 75)] {
            for queue_depth in 0..=backlog_max {
                let expected = (queue_depth >= nearly_full_at).then_some(Obstacle::Backlog);
                let found = Obstacle::find(false, load(queue_depth, backlog_max));
                assert_eq!(found, expected, "{queue_depth} of {backlog_max}");
            }
        }
    }

    #[test]
    fn is_not_ready_once_it_stops() {
        assert_eq!(Obstacle::find(true, load(0, 4)), Some(Obstacle::Stopping));
    }

    #[test]
    fn says_ready_or_why_not_and_when_to_ask_again() {
        for method in ["GET", "HEAD"] {
            assert_eq!(ask(method, None), Response::json(200, &json!({ "status": "ready" })));
            let refusal = ask(method, Some(Obstacle::Backlog));
            let expected = Response::unavailable("the backlog is nearly full", 1);
            assert_eq!(refusal, expected);
        }
    }

    #[test]
    fn names_its_methods_to_who_asks_and_to_who_uses_another() {
        for (method, status) in [("OPTIONS", 204), ("POST", 405), ("DELETE", 405)] {
            let answer = ask(method, None);
            assert_eq!((answer.status, answer.allow), (status, Some("GET, HEAD, OPTIONS")));
        }
    }

    #[test]
    fn leaves_every_other_path_alone() {
        for path in ["/", "/health", "/ready/", "/metrics", "*", ""] {
            let call = Call { method: "GET", path, ..Call::default() };
            let looked =
                || -> Option<Obstacle> { unreachable!("nobody asked whether it is ready") };
            assert_eq!(answer(&call, looked), None, "{path}");
        }
    }
}
