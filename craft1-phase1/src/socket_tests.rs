//! Sockets on the loopback interface: what is waited for, until when, and what ends it.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::*;

const SOON: Duration = Duration::from_millis(50);
const LONG: Duration = Duration::from_secs(30);

pub(crate) fn listener(backlog: i32) -> Listener {
    Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0)), backlog).unwrap()
}

fn accept(listener: &Listener) -> (Socket, SocketAddr) {
    let deadline = Some(Instant::now() + LONG);
    wait(listener.fd.as_fd(), PollFlags::IN, None, deadline).unwrap();
    listener.accept().unwrap()
}

/// The two ends of a connection: ours and a client's.
pub(crate) fn pair() -> (Socket, TcpStream) {
    let listener = listener(1);
    let peer = TcpStream::connect(listener.local_address().unwrap()).unwrap();
    let (socket, address) = accept(&listener);
    assert_eq!(address, peer.local_addr().unwrap());
    (socket, peer)
}

#[test]
fn carries_bytes_both_ways_and_says_when_each_way_ends() {
    let (socket, mut peer) = pair();
    peer.write_all(b"ping").unwrap();
    let (mut bytes, deadline) = (Vec::new(), Instant::now() + LONG);
    assert_eq!(socket.recv(&mut bytes, deadline, None).unwrap(), Received::Bytes(4));
    peer.shutdown(std::net::Shutdown::Write).unwrap();
    assert_eq!(socket.recv(&mut bytes, deadline, None).unwrap(), Received::End);
    socket.send_all(b"pong", deadline).unwrap();
    socket.finish_sending().unwrap();
    let mut answer = String::new();
    peer.read_to_string(&mut answer).unwrap();
    assert_eq!((bytes.as_slice(), answer.as_str()), (&b"ping"[..], "pong"));
}

#[test]
fn a_wait_for_bytes_ends_at_its_deadline() {
    let (socket, _peer) = pair();
    let deadline = Instant::now() + SOON;
    let received = socket.recv(&mut Vec::new(), deadline, None).unwrap();
    assert_eq!(received, Received::TimedOut);
    assert!(Instant::now() >= deadline);
}

#[test]
fn a_wait_for_bytes_ends_when_the_server_stops() {
    let (socket, mut peer) = pair();
    let (stop, stopper) = rustix::pipe::pipe().unwrap();
    drop(stopper);
    let (mut bytes, deadline) = (Vec::new(), Instant::now() + LONG);
    let received = socket.recv(&mut bytes, deadline, Some(stop.as_fd())).unwrap();
    assert_eq!(received, Received::Stopping);
    peer.write_all(b"x").unwrap();
    let received = socket.recv(&mut bytes, deadline, None).unwrap();
    assert_eq!(received, Received::Bytes(1), "it can still be read");
}

#[test]
fn takes_no_more_than_there_is_room_for_and_waits_for_nothing() {
    let (socket, mut peer) = pair();
    let mut bytes = [0; 3];
    assert_eq!(socket.try_recv(&mut bytes).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    peer.write_all(b"ping").unwrap();
    wait_for_any(&[socket.as_fd()], Some(Instant::now() + LONG)).unwrap();
    assert_eq!((socket.try_recv(&mut bytes).unwrap(), &bytes), (3, b"pin"));
    assert_eq!(socket.try_recv(&mut bytes).unwrap(), 1);
    drop(peer);
    wait_for_any(&[socket.as_fd()], Some(Instant::now() + LONG)).unwrap();
    assert_eq!(socket.try_recv(&mut bytes).unwrap(), 0);
}

#[test]
fn a_wait_for_several_says_which_of_them_are_readable() {
    let ((quiet, _peer), (loud, mut loud_peer), (ended, ended_peer)) = (pair(), pair(), pair());
    let sockets = [quiet.as_fd(), loud.as_fd(), ended.as_fd()];
    let wait = |wait| wait_for_any(&sockets, Some(Instant::now() + wait)).unwrap();
    assert_eq!(wait(SOON), [false, false, false]);
    loud_peer.write_all(b"x").unwrap();
    assert_eq!(wait(LONG), [false, true, false]);
    drop(ended_peer);
    wait_for_any(&sockets[2..], Some(Instant::now() + LONG)).unwrap();
    assert_eq!(wait(LONG), [false, true, true]);
}

#[test]
fn a_crowd_at_the_door_does_not_put_off_the_end() {
    let listener = listener(1);
    let (stop, stopper) = rustix::pipe::pipe().unwrap();
    let _waiting = TcpStream::connect(listener.local_address().unwrap()).unwrap();
    let deadline = Some(Instant::now() + LONG);
    assert_eq!(listener.wait(stop.as_fd(), deadline).unwrap(), Wake::Ready);
    drop(stopper);
    assert_eq!(listener.wait(stop.as_fd(), deadline).unwrap(), Wake::Stopping);
}

#[test]
fn a_peer_that_does_not_read_cannot_hold_us_beyond_the_deadline() {
    let (socket, _peer) = pair();
    let deadline = Instant::now() + SOON;
    let more_than_any_buffer = vec![0; 64 << 20];
    let error = socket.send_all(&more_than_any_buffer, deadline).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

#[test]
fn a_port_in_use_is_an_error() {
    let first = listener(1);
    let error = Listener::bind(first.local_address().unwrap(), 1).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

/// What the doc of [`Listener::bind`] says about Linux.
#[test]
#[cfg(target_os = "linux")]
fn a_full_backlog_lets_clients_wait_instead_of_refusing_them() {
    let listener = listener(1);
    let address = listener.local_address().unwrap();
    let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300));
    let queued: Vec<_> = (0..10).map_while(|_| connect().ok()).collect();
    assert!((1..10).contains(&queued.len()), "{}", queued.len());
    assert_eq!(connect().unwrap_err().kind(), io::ErrorKind::TimedOut);
    accept(&listener);
    assert!(TcpStream::connect_timeout(&address, LONG).is_ok(), "there is room again");
}
