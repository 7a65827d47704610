//! `cargo lab check --watch`: checks again on save, and listens to single keys.
//!
//! What always holds: the terminal is left as it was. Without a terminal, keys are lines.

use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::termios::{self, LocalFlags, SetArg, Termios};
use notify::{RecursiveMode, Watcher};

use super::{look, say_next};
use crate::checking::session::Request;
use crate::commands::{Verdict, hint, list, start};
use crate::desk::Desk;

/// What wakes the watch.
enum Event {
    Saved,
    Key(u8),
    /// Nobody can type any more.
    End,
}

/// An editor writes a file in several steps.
const SETTLE: Duration = Duration::from_millis(200);

const KEYS: &str = "\nwatching. n: next lab, h: hint, l: list, c: check again, q: quit";

/// Watches until somebody quits.
pub(super) fn run(
    desk: &mut Desk,
    id: &str,
    request: &Request,
    out: &mut dyn Write,
    has_colour: bool,
) -> Result<Verdict> {
    let (sender, events) = mpsc::channel();
    let _terminal = Terminal::of_keys();
    listen_to_keys(sender.clone());
    let mut id = id.to_owned();
    let mut watcher = watch(&desk.workshop.lab(&id), sender.clone())?;
    let mut verdict = check(desk, &id, request, out, has_colour)?;
    say_keys(out)?;
    let mut heard = None;
    while let Some(event) = heard.take().or_else(|| events.recv().ok()) {
        match event {
            Event::Saved => {
                heard = settle(&events);
                writeln!(out, "\nsaved")?;
                verdict = check(desk, &id, request, out, has_colour)?;
            }
            Event::Key(b'c' | b'r') => verdict = check(desk, &id, request, out, has_colour)?,
            Event::Key(b'h') => hint::give(desk, &id, None, out)?,
            Event::Key(b'l') => list::write(desk, out)?,
            Event::Key(b'n') => match desk.next(Some(&id)).map(|lab| lab.id.clone()) {
                Some(next) => {
                    start::begin(desk, &next, out)?;
                    id = next;
                    watcher = watch(&desk.workshop.lab(&id), sender.clone())?;
                    verdict = check(desk, &id, request, out, has_colour)?;
                }
                None => writeln!(out, "\nthat was the last one: all labs are done")?,
            },
            Event::Key(b'q') | Event::End => break,
            Event::Key(_) => continue,
        }
        say_keys(out)?;
    }
    drop(watcher);
    Ok(verdict)
}

fn check(
    desk: &mut Desk,
    id: &str,
    request: &Request,
    out: &mut dyn Write,
    has_colour: bool,
) -> Result<Verdict> {
    writeln!(out, "checking {id} …")?;
    out.flush()?;
    match look(desk, id, request) {
        Ok((lab, report)) => {
            report.write(&lab, out, has_colour)?;
            say_next(desk, &lab, &report, out)?;
            Ok(if report.passed { Verdict::Passed } else { Verdict::Failed })
        }
        // A prediction that is missing, say. It can be made while this goes on.
        Err(error) => {
            writeln!(out, "{error:#}")?;
            Ok(Verdict::Failed)
        }
    }
}

fn say_keys(out: &mut dyn Write) -> Result<()> {
    writeln!(out, "{KEYS}")?;
    Ok(out.flush()?)
}

/// Says when a file of the learner's was written. What cargo writes is elsewhere.
fn watch(folder: &Path, sender: Sender<Event>) -> Result<notify::RecommendedWatcher> {
    let cannot = || format!("cannot watch {}", folder.display());
    let told = move |event: notify::Result<notify::Event>| {
        if event.is_ok_and(|event| event.kind.is_modify() || event.kind.is_create()) {
            let _ = sender.send(Event::Saved);
        }
    };
    let mut watcher = notify::recommended_watcher(told).with_context(cannot)?;
    for part in ["src", "tests"].map(|part| folder.join(part)) {
        if part.exists() {
            watcher.watch(&part, RecursiveMode::Recursive).with_context(cannot)?;
        }
    }
    Ok(watcher)
}

/// Waits until nothing more is saved, and returns what else was heard meanwhile.
fn settle(events: &Receiver<Event>) -> Option<Event> {
    loop {
        match events.recv_timeout(SETTLE) {
            Ok(Event::Saved) => {}
            other => return other.ok(),
        }
    }
}

fn listen_to_keys(sender: Sender<Event>) {
    thread::spawn(move || {
        for byte in io::stdin().lock().bytes() {
            let Ok(byte) = byte else { break };
            if sender.send(Event::Key(byte.to_ascii_lowercase())).is_err() {
                return;
            }
        }
        let _ = sender.send(Event::End);
    });
}

/// A terminal that hands over each key at once. Dropping it gives it back as it was.
struct Terminal(Option<Termios>);

impl Terminal {
    fn of_keys() -> Self {
        let input = io::stdin();
        if !input.is_terminal() {
            return Self(None);
        }
        let before = termios::tcgetattr(input.as_fd()).ok();
        if let Some(mut settings) = before.clone() {
            // Ctrl-C goes on ending the program, and lines go on ending where they should.
            settings.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
            let _ = termios::tcsetattr(input.as_fd(), SetArg::TCSANOW, &settings);
        }
        Self(before)
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = termios::tcsetattr(io::stdin().as_fd(), SetArg::TCSANOW, before);
        }
    }
}
