//! The limit of each client: 429 for who asks too much, and for nobody else.

use std::thread;
use std::time::{Duration, Instant};

use testkit::{DataFolder, Response};

use super::stored;
use crate::grader::bytes;
use crate::grader::check::{Check, Failure, Tried};
use crate::grader::phase::Phase;
use crate::grader::session::{METRIC, Session, get, post_with};
use crate::grader::stage::Stage;
use crate::grader::table::{asks, starts};
use crate::grader::target;
use crate::grader::template::Setting;

/// As the settings set it.
const LIMIT: usize = 5;

/// The longest that a window may be, an hour.
const RETRY_AFTER_MAX_S: u64 = 3_600;

/// The window of [`Setting::Refilling`] three times over: two numbers a client may forget late.
const REFILL_MAX: Duration = Duration::from_secs(6);

pub(in crate::grader) fn checks() -> Vec<Check> {
    vec![
        asks(
            "limits/429-when-the-window-is-full",
            "takes five requests of a client and answers 429 with Retry-After to the others",
            Phase::Two,
            Setting::Limited,
            window_is_full,
            "requests are not counted by X-Client-Id, the limit is off by one, or Retry-After is no \
             number of seconds",
        )
        .unless(&[target::needs_limit]),
        asks(
            "limits/other-clients",
            "does not count one client's requests against another, nor what only reads",
            Phase::Two,
            Setting::Limited,
            other_clients,
            "one window for all: the key is X-Client-Id where there is one, else the peer's address",
        )
        .unless(&[target::needs_limit]),
        asks(
            "limits/window-moves",
            "takes requests again once the window has moved on",
            Phase::Two,
            Setting::Refilling,
            window_moves,
            "refused requests are counted too, or the window never moves",
        )
        .unless(&[target::needs_limit]),
        starts(
            "limits/refused-is-not-stored",
            "stores nothing of a request that it answers with 429",
            Phase::Two,
            refused_is_not_stored,
            "the limit is asked after the metric is handed over: ask it first",
        )
        .unless(&[target::needs_limit, target::needs_data]),
    ]
}

/// A request of a client that no other run knows.
fn request(session: &Session, client: &str) -> Vec<u8> {
    post_with(&format!("X-Client-Id: {client}-{}\r\n", session.seed), METRIC)
}

/// Ten requests: five that are taken, and five that are refused as they should be.
fn exhaust(session: &Session, client: &str) -> Result<Response, Failure> {
    let request = request(session, client);
    let answers: Vec<Response> =
        (0..2 * LIMIT).map(|_| session.exchange(&request)).collect::<Result<_, _>>()?;
    let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    let expected = [[202; LIMIT], [429; LIMIT]].concat();
    let sent = format!("10 times {}", bytes::readable(&request));
    if statuses != expected {
        return Err(Failure::new(sent, format!("{statuses:?}"), format!("{expected:?}")));
    }
    let last = answers.into_iter().next_back().ok_or_else(Failure::default)?;
    if retry_after_s(&last).is_none() {
        let expected = format!("429 with Retry-After: 1 to {RETRY_AFTER_MAX_S} seconds");
        return Err(Failure::new(sent, bytes::response(&last), expected));
    }
    Ok(last)
}

pub(super) fn retry_after_s(response: &Response) -> Option<u64> {
    let seconds = response.field("Retry-After")?.parse().ok()?;
    (1..=RETRY_AFTER_MAX_S).contains(&seconds).then_some(seconds)
}

fn window_is_full(session: &Session) -> Tried {
    exhaust(session, "full").map(|_| None)
}

fn other_clients(session: &Session) -> Tried {
    exhaust(session, "first")?;
    session.expect(&get("/health"), 200)?;
    session.expect(&request(session, "second"), 202)?;
    session.expect(&post_with("", METRIC), 202).map(|_| None)
}

fn window_moves(session: &Session) -> Tried {
    let refusal = exhaust(session, "refilled")?;
    let until = Instant::now() + REFILL_MAX;
    thread::sleep(Duration::from_secs(retry_after_s(&refusal).unwrap_or(1).min(2)));
    loop {
        let answer = session.exchange(&request(session, "refilled"))?;
        if answer.status == 202 {
            return Ok(None);
        }
        if Instant::now() >= until {
            let sent =
                format!("5 requests, 5 more, and one each moment for {} s", REFILL_MAX.as_secs());
            return Err(Failure::new(sent, bytes::response(&answer), "202: the window is 2 s"));
        }
        thread::sleep(Duration::from_millis(200));
    }
}

fn refused_is_not_stored(stage: &Stage<'_>) -> Tried {
    let folder = DataFolder::new();
    let server = stage.start(&folder, Setting::Limited)?;
    exhaust(&stage.session(&server), "stored")?;
    stage.stop(server)?;
    let found = stored::lines(&folder.data_file())?.len();
    if found == LIMIT {
        return Ok(None);
    }
    Err(Failure::new(
        "5 requests answered 202, 5 answered 429",
        format!("{found} lines"),
        "5 lines",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_to_come_back_is_a_number_of_seconds() {
        for (value, seconds) in [
            (Some("1"), Some(1)),
            (Some("3600"), Some(3_600)),
            (Some("0"), None),
            (Some("3601"), None),
            (Some("soon"), None),
            (Some("Wed, 21 Oct 2015 07:28:00 GMT"), None),
            (None, None),
        ] {
            let fields = value.map(|value| ("retry-after".to_owned(), value.to_owned()));
            let response =
                Response { status: 429, fields: fields.into_iter().collect(), body: vec![] };
            assert_eq!(retry_after_s(&response), seconds, "{value:?}");
        }
    }
}
