//! The requests of a run, encoded once before it starts.
//!
//! Sending then costs one system call and no formatting: a request is a range of bytes in one
//! buffer. What a request contains therefore does not change with the time of sending; the metrics
//! carry no time stamp, so the server stamps them.

use std::{fmt::Write as _, ops::Range};

use crate::{
    payload::Bodies,
    plan::{Method, Plan, PlanError, Reuse},
    target::Target,
};

/// Different bodies of a varied profile. More than fit into a first-level cache, few enough to be
/// prepared in a moment.
const VARIANTS: usize = 512;
/// Memory for prepared requests.
const PREPARED_BYTES_MAX: usize = 256 << 20;

/// All requests of a run, in the order in which they are sent, again from the first after the last.
#[derive(Debug)]
pub(crate) struct Requests {
    bytes: Vec<u8>,
    ranges: Vec<Range<usize>>,
}

impl Requests {
    /// Encodes what the plan sends to the target.
    pub(crate) fn prepare(plan: &Plan, target: &Target) -> Result<Self, PlanError> {
        let mut bodies = Bodies::new(plan.payload, plan.batch, plan.seed);
        let same_body = plan.method == Method::Get || bodies.is_constant();
        let variants = if same_body { 1 } else { VARIANTS };
        let mut requests = Self { bytes: Vec::new(), ranges: Vec::new() };
        for index in 0..variants.max(plan.clients) {
            let mut body = Vec::new();
            if plan.method == Method::Post {
                bodies.write(&mut body);
            }
            let head = head(plan, target, index, body.len());
            requests.push(head.as_bytes(), &body)?;
        }
        Ok(requests)
    }

    /// How many there are, at least one.
    pub(crate) fn len(&self) -> usize {
        self.ranges.len()
    }

    /// The bytes of one request.
    ///
    /// # Panics
    /// When `index` is not below [`Self::len`].
    pub(crate) fn get(&self, index: usize) -> &[u8] {
        &self.bytes[self.ranges[index].clone()]
    }

    fn push(&mut self, head: &[u8], body: &[u8]) -> Result<(), PlanError> {
        let start = self.bytes.len();
        let needed = start + head.len() + body.len();
        if needed > PREPARED_BYTES_MAX {
            let (needed_mib, limit_mib) = (needed.div_ceil(1 << 20), PREPARED_BYTES_MAX >> 20);
            return Err(PlanError::TooMuchPayload { needed_mib, limit_mib });
        }
        self.bytes.extend_from_slice(head);
        self.bytes.extend_from_slice(body);
        self.ranges.push(start..needed);
        Ok(())
    }
}

/// Request line and fields (RFC 9112, sections 3 and 5), with only the fields that a server needs.
fn head(plan: &Plan, target: &Target, index: usize, body_len: usize) -> String {
    let method = plan.method.as_str();
    let Target { path, authority, .. } = target;
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {authority}\r\n");
    if plan.method == Method::Post {
        write!(head, "Content-Type: application/json\r\nContent-Length: {body_len}\r\n")
            .expect("a string takes all text");
    }
    if plan.clients > 0 {
        write!(head, "X-Client-Id: client-{:05}\r\n", index % plan.clients)
            .expect("a string takes all text");
    }
    if plan.reuse == Reuse::Close {
        head.push_str("Connection: close\r\n");
    }
    head.push_str("\r\n");
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::payload::Profile;

    fn prepare(plan: &Plan) -> Requests {
        let target = Target::parse(&plan.url).unwrap();
        Requests::prepare(plan, &target).unwrap()
    }

    fn text(requests: &Requests, index: usize) -> String {
        String::from_utf8(requests.get(index).to_vec()).unwrap()
    }

    #[test]
    fn the_default_request_is_what_curl_would_send() {
        let requests = prepare(&Plan::default());
        assert_eq!(requests.len(), 1);
        let expected = "POST /metrics HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\
            Content-Type: application/json\r\nContent-Length: 33\r\n\r\n\
            {\"name\":\"cpu_usage\",\"value\":85.5}";
        assert_eq!(text(&requests, 0), expected);
    }

    #[test]
    fn a_get_has_no_body_and_no_length() {
        let plan = Plan {
            method: Method::Get,
            url: "http://localhost:1/health?full=1".to_owned(),
            reuse: Reuse::Close,
            ..Plan::default()
        };
        let expected =
            "GET /health?full=1 HTTP/1.1\r\nHost: localhost:1\r\nConnection: close\r\n\r\n";
        assert_eq!(text(&prepare(&plan), 0), expected);
    }

    #[test]
    fn every_client_has_its_turn() {
        let requests = prepare(&Plan { clients: 3, ..Plan::default() });
        assert_eq!(requests.len(), 3);
        for index in 0..3 {
            assert!(text(&requests, index).contains(&format!("X-Client-Id: client-0000{index}")));
        }
    }

    #[test]
    fn a_varied_profile_has_many_bodies_of_the_length_they_announce() {
        let plan = Plan { payload: Profile::Adversarial, batch: 7, ..Plan::default() };
        let requests = prepare(&plan);
        assert_eq!(requests.len(), VARIANTS);
        for index in 0..requests.len() {
            let text = text(&requests, index);
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("Content-Length: {}", body.len())));
        }
    }

    #[test]
    fn refuses_to_prepare_more_than_the_memory_set_aside() {
        let plan = Plan { batch: 1_000, clients: 10_000, ..Plan::default() };
        let target = Target::parse(&plan.url).unwrap();
        let error = Requests::prepare(&plan, &target).unwrap_err();
        assert!(matches!(error, PlanError::TooMuchPayload { limit_mib: 256, .. }));
    }
}
