//! Servers that end while clients send: what was answered, and what was kept.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::{io, thread, time::Duration};

use crate::{Client, DEADLINE, DataFolder, Exit, Response, Server, get_json, wait_until};

/// How many clients send at once.
pub const CLIENTS: usize = 4;

/// Metrics that are stored before the end begins, so that it comes in the middle of work.
const STORED_MIN: u64 = 100;

/// What became of the metrics of clients that went on sending while their server ended.
#[derive(Debug)]
pub struct Ended {
    /// How the server ended.
    pub exit: Exit,
    /// The names that were answered with 202.
    pub answered: BTreeSet<String>,
    /// The names in the file.
    pub stored: BTreeSet<String>,
}

/// Starts a server, sends to it from [`CLIENTS`] sides, and lets `end` end it. Then starts it once
/// more, because what the end has torn is cut by the next start.
///
/// # Panics
/// If the server does not start or stop, answers with anything but 202, or stores a metric twice.
#[track_caller]
pub fn end_under_load(
    folder: &DataFolder,
    start: impl Fn() -> Server,
    end: impl FnOnce(Server) -> Exit,
) -> Ended {
    let server = start();
    let address = server.address();
    let stored = || get_json(address, "/health")["stored"].as_u64();
    let (exit, answered) = thread::scope(|scope| {
        let send = |client| scope.spawn(move || send_until_gone(address, client, DEADLINE));
        let clients: Vec<_> = (0..CLIENTS).map(send).collect();
        wait_until("a hundred are stored", || stored() >= Some(STORED_MIN));
        let exit = end(server);
        let ended = clients.into_iter().map(|it| it.join().expect("a client ends"));
        let only_202 = |sent: Sent| match sent.refusal {
            None => sent.answered,
            Some(refusal) => panic!("{}: {}", refusal.status, refusal.text()),
        };
        (exit, ended.flat_map(only_202).collect())
    });
    start().stop().assert_success();
    let lines = folder.stored();
    let name = |line: &serde_json::Value| line["name"].as_str().map(String::from);
    let stored: BTreeSet<_> = lines.iter().filter_map(name).collect();
    assert_eq!(stored.len(), lines.len(), "a metric is stored twice");
    Ended { exit, answered, stored }
}

/// What a client sent before its server was gone.
#[derive(Debug, Default)]
pub struct Sent {
    /// The names that were answered with 202.
    pub answered: Vec<String>,
    /// The answer that was not 202, which ends the sending too.
    pub refusal: Option<Response>,
}

/// Sends metrics whose names no other client uses, one by one, until there is nobody to take them or
/// an answer takes longer than `deadline`. A connection is used for as long as it is kept.
pub fn send_until_gone(address: SocketAddr, client: usize, deadline: Duration) -> Sent {
    let (mut connection, mut sent) = (None, Sent::default());
    loop {
        let name = format!("client_{client}.metric_{}", sent.answered.len());
        match try_post(&mut connection, address, &name, deadline) {
            Ok(response) if response.status == 202 => sent.answered.push(name),
            Ok(response) => return Sent { refusal: Some(response), ..sent },
            Err(_) => return sent,
        }
    }
}

fn try_post(
    connection: &mut Option<Client>,
    address: SocketAddr,
    name: &str,
    deadline: Duration,
) -> io::Result<Response> {
    let mut client = match connection.take() {
        Some(client) => client,
        None => Client::connect_with_deadline(address, deadline)?,
    };
    let body = format!(r#"{{"name":"{name}","value":1}}"#);
    let head = format!("POST /metrics HTTP/1.1\r\nHost: test\r\nContent-Length: {}", body.len());
    client.send(format!("{head}\r\n\r\n{body}").as_bytes())?;
    let response = client.read_response()?;
    if response.field("connection") != Some("close") {
        *connection = Some(client);
    }
    Ok(response)
}
