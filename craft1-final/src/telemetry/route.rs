//! What a request was for: the label `route` of its latency.

use craft1_phase1::service::Call;

/// What a request was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    /// `POST /metrics`
    Ingest,
    /// `GET /metrics`
    Telemetry,
    /// `/health`
    Health,
    /// `/ready`
    Ready,
    /// Whatever has no route, and what could not be read as a request at all.
    Other,
}

impl Route {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 5] =
        [Self::Ingest, Self::Telemetry, Self::Health, Self::Ready, Self::Other];

    /// The route of a request.
    pub fn of(call: &Call<'_>) -> Self {
        match (call.path, call.method) {
            ("/metrics", "POST") => Self::Ingest,
            ("/metrics", _) => Self::Telemetry,
            ("/health", _) => Self::Health,
            ("/ready", _) => Self::Ready,
            _ => Self::Other,
        }
    }

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ingest => "ingest",
            Self::Telemetry => "telemetry",
            Self::Health => "health",
            Self::Ready => "ready",
            Self::Other => "other",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_for_its_route() {
        for (method, path, route) in [
            ("POST", "/metrics", Route::Ingest),
            ("GET", "/metrics", Route::Telemetry),
            ("HEAD", "/health", Route::Health),
            ("GET", "/ready", Route::Ready),
            ("GET", "/metrics/", Route::Other),
            ("", "", Route::Other),
        ] {
            assert_eq!(Route::of(&Call { method, path, ..Call::default() }), route, "{path}");
        }
    }
}
