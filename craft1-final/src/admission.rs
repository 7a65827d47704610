//! Who may come in: the token, and then the rate limit in front of `POST /metrics`.
//!
//! What always holds: a client without a token costs a hash, one beyond its limit no parsing and no
//! writing. It hears what to do, and does not read its own name in the answer. Reading is never
//! limited: who measures the server must not disturb it.
//!
//! Where tokens are configured, everything needs one but `/health` and `/ready`. Those are asked by
//! supervisors and load balancers that have no secret to keep, and they say nothing about clients.
//! `GET /metrics` does need one: how many clients there are and how much they send is not for
//! everybody who can reach the port. What is no route at all is refused as well: without a token
//! nobody learns what there is.
//!
//! A client is the name of its token. Where there are no tokens, it is who it says it is, by
//! `X-Client-Id`, or else its address; then a limit keeps honest clients from disturbing each other
//! and does not stop one that calls itself something else every time.

use std::net::IpAddr;
use std::time::Instant;

use craft1_phase1::http::Response;
use craft1_phase1::service::Call;

use crate::rate_limit::{ClientKey, Limiter};
use crate::tokens::Tokens;

/// What anybody may ask.
const PROBES: [&str; 2] = ["/health", "/ready"];

/// The name of the token that a request brings; nothing for a probe.
///
/// # Errors
/// 401, where there is no token or nobody has it.
pub fn identify<'t>(
    tokens: &'t Tokens,
    call: &Call<'_>,
    authorization: Option<&[u8]>,
) -> Result<Option<&'t str>, Response> {
    if PROBES.contains(&call.path) {
        return Ok(None);
    }
    tokens.name(authorization).map(Some).map_err(|denied| {
        let challenge = Some(denied.challenge());
        Response { challenge, ..Response::error(401, denied, None) }
    })
}

/// The rate limit as one event loop asks it.
#[derive(Debug)]
pub struct Admission<'l> {
    limiter: &'l Limiter,
    /// Who came last without a name. Whoever sends much comes many times in a row, and the key of an
    /// address takes longer to make than the limit to ask.
    last_peer: Option<(IpAddr, ClientKey)>,
}

impl<'l> Admission<'l> {
    /// Before anybody came.
    pub fn new(limiter: &'l Limiter) -> Self {
        Self { limiter, last_peer: None }
    }

    /// Refuses a request that the limit does not allow now to who has this name, or else comes from
    /// `peer`.
    pub fn refuse(
        &mut self,
        call: &Call<'_>,
        name: Option<&str>,
        peer: IpAddr,
        now: Instant,
    ) -> Option<Response> {
        if (call.method, call.path) != ("POST", "/metrics") {
            return None;
        }
        let client = match name.map(str::as_bytes).or(call.client_id) {
            Some(id) => self.limiter.key(id),
            None => self.key_of_peer(peer),
        };
        let refused = self.limiter.check(client, now).err()?;
        let refusal = Response::error(429, "this client has reached its limit of requests", None);
        Some(Response { retry_after_s: Some(refused.retry_after_s()), ..refusal })
    }

    fn key_of_peer(&mut self, peer: IpAddr) -> ClientKey {
        match self.last_peer {
            Some((last, key)) if last == peer => key,
            _ => self.last_peer.insert((peer, self.limiter.key_of_peer(peer))).1,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;
    use crate::rate_limit::Algorithm;

    const PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 7));
    const OTHER_PEER: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 8));
    const TOKEN: &str = "Bearer 0123456789abcdef0123456789abcdef";

    fn tokens() -> Tokens {
        "web-1:0123456789abcdef0123456789abcdef".parse().unwrap()
    }

    fn post(client_id: Option<&[u8]>) -> Call<'_> {
        Call { method: "POST", path: "/metrics", client_id, ..Call::default() }
    }

    /// One that has let the one request pass that this client has in 10 seconds.
    fn spent(call: &Call<'_>, name: Option<&str>, now: Instant) -> Admission<'static> {
        let limiter = Limiter::new(Algorithm::Counter, "1/10s".parse().unwrap());
        let mut admission = Admission::new(Box::leak(Box::new(limiter)));
        assert_eq!(admission.refuse(call, name, PEER, now), None);
        admission
    }

    #[test]
    fn a_token_gives_its_name_whatever_is_asked() {
        let tokens = tokens();
        for (method, path) in [("POST", "/metrics"), ("GET", "/metrics"), ("GET", "/nothing")] {
            let call = Call { method, path, ..Call::default() };
            let name = identify(&tokens, &call, Some(TOKEN.as_bytes()));
            assert_eq!(name, Ok(Some("web-1")), "{method} {path}");
        }
    }

    #[test]
    fn without_a_token_only_a_probe_is_answered() {
        let tokens = tokens();
        for path in ["/health", "/ready"] {
            let call = Call { method: "GET", path, ..Call::default() };
            assert_eq!(identify(&tokens, &call, None), Ok(None), "{path}");
        }
        for path in ["/metrics", "/%6Detrics", "/nothing", "/", "*", "", "/health/", "/%68ealth"] {
            for method in ["POST", "GET", "OPTIONS"] {
                let call = Call { method, path, ..Call::default() };
                let refusal = identify(&tokens, &call, None).unwrap_err();
                let found = (refusal.status, refusal.challenge);
                assert_eq!(found, (401, Some("Bearer realm=\"metrics\"")), "{method} {path}");
            }
        }
    }

    #[test]
    fn a_token_that_is_not_known_is_not_repeated() {
        let call = post(None);
        let refusal = identify(&tokens(), &call, Some(b"Bearer hunter2")).unwrap_err();
        let challenge = refusal.challenge.unwrap();
        assert!(challenge.ends_with("error=\"invalid_token\""), "{challenge}");
        let body = String::from_utf8(refusal.content.unwrap().bytes).unwrap();
        assert!(body.contains("\"error\":\"unauthorized\"") && !body.contains("hunter2"), "{body}");
    }

    #[test]
    fn a_client_beyond_its_limit_gets_429_and_hears_when_to_come_back() {
        let now = Instant::now();
        let call = post(Some(b"web-1"));
        let mut admission = spent(&call, None, now);
        let later = now + Duration::from_millis(2_500);
        let refusal = admission.refuse(&call, None, PEER, later).unwrap();
        assert_eq!(refusal.status, 429);
        assert!((1..=20).contains(&refusal.retry_after_s.unwrap()));
        let body = String::from_utf8(refusal.content.unwrap().bytes).unwrap();
        assert!(body.starts_with(r#"{"error":"too_many_requests","detail":""#), "{body}");
        assert!(!body.contains("web-1"), "{body}");
    }

    #[test]
    fn a_client_is_its_token_and_not_what_it_calls_itself() {
        let now = Instant::now();
        let mut admission = spent(&post(Some(b"a")), Some("web-1"), now);
        let mut refused =
            |call: &Call<'_>, name, peer| admission.refuse(call, name, peer, now).is_some();
        assert!(refused(&post(Some(b"b")), Some("web-1"), OTHER_PEER));
        assert!(!refused(&post(Some(b"a")), Some("web-2"), PEER));
    }

    #[test]
    fn without_a_token_it_is_its_id_and_without_an_id_its_address() {
        let now = Instant::now();
        let mut admission = spent(&post(Some(b"a")), None, now);
        assert!(admission.refuse(&post(Some(b"a")), None, OTHER_PEER, now).is_some());
        assert_eq!(admission.refuse(&post(Some(b"b")), None, PEER, now), None);
        let mut admission = spent(&post(None), None, now);
        assert!(admission.refuse(&post(None), None, PEER, now).is_some());
        assert_eq!(admission.refuse(&post(None), None, OTHER_PEER, now), None);
        assert_eq!(admission.refuse(&post(Some(b"10.0.0.7")), None, PEER, now), None);
    }

    #[test]
    fn only_sending_is_limited() {
        let now = Instant::now();
        let mut admission = spent(&post(None), None, now);
        for (method, path) in [("GET", "/metrics"), ("GET", "/health"), ("POST", "/health")] {
            let call = Call { method, path, ..Call::default() };
            assert_eq!(admission.refuse(&call, None, PEER, now), None, "{method} {path}");
        }
    }
}
