//! Servers that end while clients send: what was answered, and what was kept.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::{io, thread};

use crate::{Client, DataFolder, Exit, Response, Server, get_json, wait_until};

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
        let send = |client| scope.spawn(move || send_until_gone(address, client));
        let clients: Vec<_> = (0..CLIENTS).map(send).collect();
        wait_until("a hundred are stored", || stored() >= Some(STORED_MIN));
        let exit = end(server);
        let names = clients.into_iter().flat_map(|it| it.join().expect("only 202 is answered"));
        (exit, names.collect())
    });
    start().stop().assert_success();
    let lines = folder.stored();
    let name = |line: &serde_json::Value| line["name"].as_str().map(String::from);
    let stored: BTreeSet<_> = lines.iter().filter_map(name).collect();
    assert_eq!(stored.len(), lines.len(), "a metric is stored twice");
    Ended { exit, answered, stored }
}

/// Sends metrics whose names no other client uses, one by one, until there is nobody to take them,
/// and returns the names that were answered. A connection is used for as long as it is kept.
fn send_until_gone(address: SocketAddr, client: usize) -> Vec<String> {
    let (mut connection, mut answered) = (None, Vec::new());
    loop {
        let name = format!("client_{client}.metric_{}", answered.len());
        match try_post(&mut connection, address, &name) {
            Ok(response) => assert_eq!(response.status, 202, "{}", response.text()),
            Err(_) => return answered,
        }
        answered.push(name);
    }
}

fn try_post(
    connection: &mut Option<Client>,
    address: SocketAddr,
    name: &str,
) -> io::Result<Response> {
    let mut client = match connection.take() {
        Some(client) => client,
        None => Client::connect(address)?,
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
