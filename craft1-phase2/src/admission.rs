//! Who may send now: the rate limit in front of `POST /metrics`.
//!
//! What always holds: a client beyond its limit costs no parsing and no writing, hears when to come
//! back, and does not read its own name in the answer. Reading is never limited: who measures the
//! server must not disturb it.
//!
//! A client is who it says it is, by `X-Client-Id`; who says nothing is its address. Nobody checks
//! the name in this phase, so a limit keeps honest clients from disturbing each other, and does not
//! stop one that calls itself something else every time.

use std::net::IpAddr;
use std::time::Instant;

use craft1_phase1::http::Response;
use craft1_phase1::service::{Call, plain};

use crate::rate_limit::Limiter;

/// Refuses a request that the limit does not allow `peer` to make `now`.
pub fn refuse(limiter: &Limiter, call: &Call<'_>, peer: IpAddr, now: Instant) -> Option<Response> {
    if (call.method, &*plain(call.path)) != ("POST", "/metrics") {
        return None;
    }
    let client = match call.client_id {
        Some(id) => limiter.key(id),
        None => limiter.key_of_peer(peer),
    };
    let refused = limiter.check(client, now).err()?;
    let refusal = Response::error(429, "this client has reached its limit of requests", None);
    Some(Response { retry_after_s: Some(refused.retry_after_s()), ..refusal })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;
    use crate::rate_limit::Algorithm;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));
    const OTHER_PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 8));

    /// A limiter that has let the one request pass that this client has in 10 seconds.
    fn spent(client_id: Option<&[u8]>, now: Instant) -> Limiter {
        let limiter = Limiter::new(Algorithm::Log, "1/10s".parse().unwrap());
        assert_eq!(refuse(&limiter, &post(client_id), PEER, now), None);
        limiter
    }

    fn post(client_id: Option<&[u8]>) -> Call<'_> {
        Call { method: "POST", path: "/metrics", client_id, ..Call::default() }
    }

    #[test]
    fn a_client_beyond_its_limit_gets_429_and_hears_when_to_come_back() {
        let now = Instant::now();
        let limiter = spent(Some(b"web-1"), now);
        let later = now + Duration::from_millis(2_500);
        let refusal = refuse(&limiter, &post(Some(b"web-1")), PEER, later).unwrap();
        assert_eq!((refusal.status, refusal.retry_after_s), (429, Some(8)));
        let body = String::from_utf8(refusal.content.unwrap().bytes).unwrap();
        assert!(body.starts_with(r#"{"error":"too_many_requests","detail":""#), "{body}");
        assert!(!body.contains("web-1"), "{body}");
    }

    #[test]
    fn a_client_is_its_id_wherever_it_comes_from() {
        let now = Instant::now();
        let limiter = spent(Some(b"web-1"), now);
        assert!(refuse(&limiter, &post(Some(b"web-1")), OTHER_PEER, now).is_some());
        assert_eq!(refuse(&limiter, &post(Some(b"web-2")), PEER, now), None);
    }

    #[test]
    fn without_an_id_it_is_its_address() {
        let now = Instant::now();
        let limiter = spent(None, now);
        assert!(refuse(&limiter, &post(None), PEER, now).is_some());
        assert_eq!(refuse(&limiter, &post(None), OTHER_PEER, now), None);
    }

    #[test]
    fn a_name_that_looks_like_an_address_is_not_that_address() {
        let now = Instant::now();
        let limiter = spent(None, now);
        assert_eq!(refuse(&limiter, &post(Some(b"10.0.0.7")), PEER, now), None);
    }

    #[test]
    fn a_path_in_other_letters_is_the_same_path() {
        let now = Instant::now();
        let limiter = spent(None, now);
        let call = Call { path: "/%6Detrics", ..post(None) };
        assert!(refuse(&limiter, &call, PEER, now).is_some());
    }

    #[test]
    fn only_sending_is_limited() {
        let now = Instant::now();
        let limiter = spent(None, now);
        for (method, path) in [("GET", "/metrics"), ("GET", "/health"), ("POST", "/health")] {
            let call = Call { method, path, ..Call::default() };
            assert_eq!(refuse(&limiter, &call, PEER, now), None, "{method} {path}");
        }
    }
}
