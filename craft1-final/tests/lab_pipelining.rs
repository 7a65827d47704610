//! Lab tests: requests that come together are answered together, in their order, in one write.
//!
//! A connection is driven turn by turn, as its loop does it. Its wire is a pair of sockets in this
//! process that keeps each write apart from the next, so that a test can count them.

use std::iter;
use std::net::{IpAddr, Ipv4Addr, Shutdown, TcpStream};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, channel};

use craft1_final::connection::buffers::Buffers;
use craft1_final::connection::exchange::{
    Client, Handler, Outcome, Reply, Rest, Shared, Then, Unanswered,
};
use craft1_final::connection::parked::PARKED_MAX;
use craft1_final::connection::patience::Patience;
use craft1_final::connection::{Connection, Fate};
use craft1_final::request::{Missing, Reader};
use craft1_final::slab::Slab;
use craft1_final::telemetry::Telemetry;
use craft1_final::writer::{Options, Writer};
use craft1_phase1::http::{Limits, Response};
use craft1_phase1::timeouts::Timeouts;
use craft1_phase3::json;
use craft1_phase4::ack::Ack;
use socket2::SockRef;
use testkit::{DEADLINE, DataFolder};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What a loop sends at once: it stops answering when there is as much.
const OUT_BYTES: usize = 64 * 1024;

const LONG_BYTES: usize = 10_000;

/// Larger than every request here, and everything that a client sends at once.
const READ_BYTES: usize = 64 * 1024;

/// What a loop has for its connections.
struct Loop {
    shared: Shared<'static>,
    buffer: Vec<u8>,
    woken: Receiver<()>,
    _writer: Writer,
    _folder: DataFolder,
}

/// POST is taken as so many metrics as its path says, and they have to be stored first. Everything else
/// is answered with its path and its body, in many bytes where the path begins with `long`.
fn application() -> Handler<'static> {
    Box::new(|request, _peer, _now, outbox| {
        let call = request.call.expect("no field is given twice");
        if call.method == "POST" {
            outbox.lines().extend_from_slice(b"{}\n");
            let metrics = call.path[1..].parse().expect("a number");
            return Reply::Accepted { metrics, wait_for: Some(outbox.take(metrics)) };
        }
        let body = str::from_utf8(call.body.unwrap_or_default()).expect("a text");
        let len_min = if call.path.starts_with("/long") { LONG_BYTES } else { 0 };
        Reply::Response(Response::new(200, "text/plain", format!("{:len_min$}{body}", call.path)))
    })
}

impl Loop {
    fn start() -> Self {
        Self::with_room_for(usize::MAX)
    }

    /// There is room for so many bytes that clients leave here.
    fn with_room_for(buffer_bytes: usize) -> Self {
        let folder = DataFolder::new();
        let (sender, woken) = channel();
        let waker = Box::new(move || sender.send(()).unwrap_or_default());
        let options = Options { ack: Ack::Stored, ..Options::default() };
        let (writer, mut outboxes) =
            Writer::start(&folder.data_file(), json::parse, options, vec![waker]).unwrap();
        let (_telemetry, mut meters) = Telemetry::new(1, options.ack);
        let timeouts = Timeouts { header: DEADLINE, body: DEADLINE, write: DEADLINE };
        let shared = Shared::new(
            application(),
            outboxes.remove(0),
            Rc::new(meters.remove(0)),
            Limits::default(),
            Patience::new(timeouts, DEADLINE),
            Buffers::new(buffer_bytes),
        );
        Self { shared, buffer: vec![0; READ_BYTES], woken, _writer: writer, _folder: folder }
    }

    /// A connection whose client gets each write by itself, and whose writes are read one by one.
    fn connect(&self) -> (Connection, UnixDatagram) {
        let (ours, theirs) = UnixDatagram::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        (self.accept(ours.into()), theirs)
    }

    fn accept(&self, end: OwnedFd) -> Connection {
        let stream = mio::net::TcpStream::from_std(TcpStream::from(end));
        Connection::new(stream, Slab::<()>::default().next_key(), PEER, &self.shared)
    }

    /// A turn of a connection from which bytes have come.
    fn turn(&mut self, connection: &mut Connection) -> Fate {
        connection.event(true, false, &mut self.buffer, &mut self.shared)
    }

    /// The turn ends; the writer stores what it brought and says so; and the answers that waited for
    /// that go out, as the loop does it.
    fn store(&mut self, connection: &mut Connection) -> Fate {
        self.shared.end_turn();
        self.woken.recv_timeout(DEADLINE).expect("the writer has a verdict");
        let verdict = self.shared.verdict().expect("it is there");
        let mut count = 0;
        while self.shared.next_unparked(&verdict).is_some() {
            self.shared.unpark(&verdict);
            count += 1;
        }
        connection.unpark(count, &mut self.buffer, &mut self.shared)
    }

    /// What is answered to all of this at once, without a connection.
    fn answer_all(&mut self, bytes: &str, client: &mut Client) -> Outcome {
        self.shared.answer_all(&mut Reader::default(), &mut bytes.to_owned().into_bytes(), client)
    }
}

fn client() -> Client {
    Client { key: Slab::<()>::default().next_key(), peer: PEER, parked: 0 }
}

fn get(path: &str) -> String {
    format!("GET /{path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

fn post(metrics: usize) -> String {
    format!("POST /{metrics} HTTP/1.1\r\nHost: test\r\nContent-Length: 0\r\n\r\n")
}

/// A body that has to be put together, from what lies around its framing.
const CHUNKS: &str = "PUT /2 HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n\
                      3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n";

/// What has come, write by write.
fn writes(client: &UnixDatagram) -> Vec<String> {
    let mut buffer = vec![0; 4 * OUT_BYTES];
    let next = || {
        let len = client.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..len].to_vec()).expect("answers are text"))
    };
    iter::from_fn(next).collect()
}

/// What a client has come to know of each answer: the number of a 202, the text of a 200, or the status.
fn heard(answers: &str) -> Vec<String> {
    let heard = |answer: &str| {
        let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
        match &head[..3] {
            "202" => body.rsplit(':').next().unwrap().trim_end_matches('}').to_owned(),
            "200" => body.trim()[1..].to_owned(),
            status => status.to_owned(),
        }
    };
    answers.split("HTTP/1.1 ").skip(1).map(heard).collect()
}

#[test]
fn requests_that_come_together_are_answered_in_their_order_with_one_write() {
    let mut event_loop = Loop::start();
    let (mut connection, client) = event_loop.connect();
    client.send(["1", "2", "3", "4", "5"].map(get).concat().as_bytes()).unwrap();
    assert_eq!(event_loop.turn(&mut connection), Fate::Wait);
    let writes = writes(&client);
    assert_eq!(writes.len(), 1, "{writes:?}");
    assert_eq!(heard(&writes[0]), ["1", "2", "3", "4", "5"]);
}

#[test]
fn a_turn_reads_once_so_that_nobody_waits_for_who_sends_much() {
    let mut event_loop = Loop::start();
    let (mut connection, client) = event_loop.connect();
    for path in ["1", "2", "3"] {
        client.send(get(path).as_bytes()).unwrap();
    }
    for path in ["1", "2", "3"] {
        event_loop.turn(&mut connection);
        assert_eq!(heard(&writes(&client).concat()), [path]);
    }
}

/// There is one event for what has come, so whoever does not take all of it has to come back by itself.
#[test]
fn a_read_that_fills_the_buffer_may_have_left_something() {
    let mut event_loop = Loop::start();
    let (mut connection, client) = event_loop.connect();
    event_loop.buffer.truncate(get("1").len());
    client.send(get("1").as_bytes()).unwrap();
    assert_eq!(event_loop.turn(&mut connection), Fate::Again);
    assert_eq!(event_loop.turn(&mut connection), Fate::Wait, "it had not");
    event_loop.buffer.resize(READ_BYTES, 0);
    client.send(get("2").as_bytes()).unwrap();
    assert_eq!(event_loop.turn(&mut connection), Fate::Wait, "the buffer had room");
    assert_eq!(heard(&writes(&client).concat()), ["1", "2"]);
}

#[test]
fn who_ends_its_side_is_answered_first_and_told_that_half_a_request_is_none() {
    for (sent, expected) in [(get("1"), &["1"][..]), (get("1") + "GET /2", &["1", "400"])] {
        let mut event_loop = Loop::start();
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        let mut connection = event_loop.accept(ours.into());
        std::io::Write::write_all(&mut &theirs, sent.as_bytes()).unwrap();
        theirs.shutdown(Shutdown::Write).unwrap();
        let (buffer, shared) = (&mut event_loop.buffer, &mut event_loop.shared);
        // There is no second event for the end.
        assert_eq!(connection.event(true, true, buffer, shared), Fate::Again);
        assert_eq!(event_loop.turn(&mut connection), Fate::Close);
        drop(connection);
        assert_eq!(heard(&std::io::read_to_string(theirs).unwrap()), expected);
    }
}

#[test]
fn wherever_requests_are_cut_what_is_whole_is_answered_at_once_and_the_rest_when_it_is() {
    let requests = [get("1"), CHUNKS.to_owned(), get("3")];
    let expected = ["1", "2abcde", "3"];
    let all = requests.concat();
    let mut event_loop = Loop::start();
    for cut in 1..all.len() {
        let (mut connection, client) = event_loop.connect();
        let (first, rest) = all.split_at(cut);
        client.send(first.as_bytes()).unwrap();
        assert_eq!(event_loop.turn(&mut connection), Fate::Wait, "cut at {cut}");
        let at_once = heard(&writes(&client).concat());
        let whole = (0..3).filter(|last| requests[..=*last].concat().len() <= cut).count();
        assert_eq!(at_once, expected[..whole], "cut at {cut}");
        client.send(rest.as_bytes()).unwrap();
        assert_eq!(event_loop.turn(&mut connection), Fate::Wait, "cut at {cut}");
        let later = heard(&writes(&client).concat());
        assert_eq!([at_once, later].concat(), expected, "cut at {cut}");
    }
}

#[test]
fn an_answer_that_is_known_waits_behind_those_that_are_not() {
    let mut event_loop = Loop::start();
    let (mut connection, client) = event_loop.connect();
    client.send([get("1"), post(2), get("3"), post(4), get("5")].concat().as_bytes()).unwrap();
    assert_eq!(event_loop.turn(&mut connection), Fate::Wait);
    assert_eq!(heard(&writes(&client).concat()), ["1"], "before the writer has a verdict");
    assert_eq!(event_loop.store(&mut connection), Fate::Wait);
    let writes = writes(&client);
    assert_eq!(writes.len(), 1, "{writes:?}");
    assert_eq!(heard(&writes[0]), ["2", "3", "4", "5"]);
}

#[test]
fn an_answer_that_has_to_wait_needs_room_and_without_it_the_last_one_says_so() {
    let mut event_loop = Loop::with_room_for(2 * LONG_BYTES);
    let mut client = client();
    let requests = [post(1), get("long2"), get("long3"), get("4")].concat();
    let outcome = event_loop.answer_all(&requests, &mut client);
    assert_eq!(outcome.then, Then::End(Rest::Surely));
    assert_eq!((client.parked, event_loop.shared.out.len()), (3, 0));
    event_loop.shared.end_turn();
    event_loop.woken.recv_timeout(DEADLINE).unwrap();
    let verdict = event_loop.shared.verdict().unwrap();
    (0..3).for_each(|_| event_loop.shared.unpark(&verdict));
    let answers = String::from_utf8(event_loop.shared.out.clone()).unwrap();
    assert_eq!(heard(&answers), ["1", "long2", "503"]);
    assert_eq!(event_loop.shared.buffers.taken_bytes(), 0, "room is given back");
}

#[test]
fn requests_with_long_answers_are_answered_a_few_at_a_time() {
    let mut event_loop = Loop::start();
    let paths: Vec<String> = (0..20).map(|number| format!("long{number}")).collect();
    let requests: String = paths.iter().map(|path| get(path)).collect();
    let (mut rest, mut answers, mut client) = (requests.as_str(), String::new(), client());
    loop {
        let Outcome { unanswered, then } = event_loop.answer_all(rest, &mut client);
        let out = &mut event_loop.shared.out;
        assert!(out.len() < OUT_BYTES + LONG_BYTES + 1_000, "{} bytes at once", out.len());
        answers.push_str(str::from_utf8(out).unwrap());
        out.clear();
        match then {
            Then::Wait(Unanswered::Held) => rest = &rest[unanswered],
            Then::Wait(Unanswered::For(Missing::All)) => break,
            then => panic!("{then:?}"),
        }
    }
    assert_eq!(heard(&answers), paths);
}

/// The client sends nothing more, so no event would say that it goes on.
#[test]
fn who_was_held_back_for_room_comes_again_by_itself() {
    let mut event_loop = Loop::start();
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    SockRef::from(&ours).set_send_buffer_size(4 * OUT_BYTES).unwrap();
    let mut connection = event_loop.accept(ours.into());
    let paths: Vec<String> = (0..10).map(|number| format!("long{number}")).collect();
    let requests: String = paths.iter().map(|path| get(path)).collect();
    std::io::Write::write_all(&mut &theirs, requests.as_bytes()).unwrap();
    assert_eq!(event_loop.turn(&mut connection), Fate::Again);
    assert_eq!(event_loop.shared.requests(), 7, "sixty-four kibibytes of answers");
    assert_eq!(event_loop.turn(&mut connection), Fate::Again, "more may have come meanwhile");
    assert_eq!(event_loop.turn(&mut connection), Fate::Wait);
    drop(connection);
    assert_eq!(heard(&std::io::read_to_string(theirs).unwrap()), paths);
}

#[test]
fn no_more_answers_of_one_client_wait_than_may() {
    let mut event_loop = Loop::start();
    let (mut connection, client) = event_loop.connect();
    let count = usize::from(PARKED_MAX) + 10;
    client.send((1..=count).map(post).collect::<String>().as_bytes()).unwrap();
    assert_eq!(event_loop.turn(&mut connection), Fate::Wait, "for the writer");
    assert_eq!(event_loop.shared.requests(), u64::from(PARKED_MAX));
    // Those that were held back are answered now, without another byte, and wait as well.
    assert_eq!(event_loop.store(&mut connection), Fate::Again, "more may have come meanwhile");
    assert_eq!(event_loop.turn(&mut connection), Fate::Wait);
    assert_eq!(event_loop.store(&mut connection), Fate::Wait);
    let expected: Vec<String> = (1..=count).map(|number| number.to_string()).collect();
    assert_eq!(heard(&writes(&client).concat()), expected);
}

#[test]
fn behind_the_last_answer_nothing_is_answered_and_what_is_there_is_known() {
    let close = get("1").replace("Host: test", "Host: test\r\nConnection: close");
    let cases = [
        (close.clone(), Rest::Perhaps, &["1"][..]),
        (close + &get("2"), Rest::Surely, &["1"]),
        (get("1") + "no request\r\n" + &get("2"), Rest::Surely, &["1", "400"]),
    ];
    for (requests, rest, expected) in cases {
        let mut event_loop = Loop::start();
        let outcome = event_loop.answer_all(&requests, &mut client());
        assert_eq!(outcome.then, Then::End(rest), "{requests}");
        let answers = String::from_utf8(event_loop.shared.out.clone()).unwrap();
        assert_eq!(heard(&answers), expected);
        assert!(answers.contains("\r\nConnection: close\r\n"), "{answers}");
    }
}

#[test]
fn while_the_server_stops_the_last_answer_to_what_has_come_says_so() {
    let mut event_loop = Loop::start();
    event_loop.shared.stop();
    let outcome = event_loop.answer_all(&["1", "2"].map(get).concat(), &mut client());
    assert_eq!(outcome.then, Then::End(Rest::Perhaps));
    let answers = String::from_utf8(event_loop.shared.out.clone()).unwrap();
    let is_last = |answer: &str| answer.contains("\r\nConnection: close\r\n");
    let are_last: Vec<bool> = answers.split("HTTP/1.1 ").skip(1).map(is_last).collect();
    assert_eq!(are_last, [false, true]);
}

#[test]
fn who_waits_for_leave_to_send_a_body_is_told_to_go_on_behind_its_answers() {
    let awaiting =
        "POST /2 HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n";
    for (before, known) in [(get("1"), true), (post(1), false)] {
        let mut event_loop = Loop::start();
        let (mut connection, client) = event_loop.connect();
        client.send((before + awaiting).as_bytes()).unwrap();
        assert_eq!(event_loop.turn(&mut connection), Fate::Wait);
        if !known {
            assert_eq!(writes(&client), [""; 0], "before the writer has a verdict");
            assert_eq!(event_loop.store(&mut connection), Fate::Wait);
        }
        assert_eq!(heard(&writes(&client).concat()), ["1", "100"]);
        client.send(b"{}").unwrap();
        assert_eq!(event_loop.turn(&mut connection), Fate::Wait);
        assert_eq!(event_loop.store(&mut connection), Fate::Wait);
        assert_eq!(heard(&writes(&client).concat()), ["2"]);
    }
}
