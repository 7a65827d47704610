//! How a turn waits for a writer that is behind: no longer than it has to, never for ever, and only
//! where nobody waits for the writer anyway.

use std::sync::mpsc::{Receiver, channel};

use super::*;

const ROOM_BYTES: usize = 16 * CHUNK_BYTES;

/// The writer's side, played by the test.
struct Other {
    chunks: mpsc::Consumer<Chunk>,
    emptied: spsc_cached::Producer<Emptied>,
}

impl Other {
    /// Writes one chunk.
    fn write(&mut self) {
        let Chunk { lines, requests, .. } = self.chunks.pop().expect("a chunk");
        self.emptied.push(Emptied { lines, requests, result: Ok(()) }).unwrap();
    }
}

/// An outbox whose pauses the writer uses as `meanwhile` says; they are told to the receiver.
fn outbox(
    ack: Ack,
    mut meanwhile: impl FnMut(&mut Other) + Send + 'static,
) -> (Outbox, Receiver<Duration>) {
    let (producer, chunks) = mpsc::channel(64);
    let (emptied, back) = spsc_cached::channel(64);
    let (told, pauses) = channel();
    let mut other = Other { chunks, emptied };
    let pause = Pause::new(move |duration| {
        told.send(duration).unwrap_or_default();
        meanwhile(&mut other);
    });
    let counters = Arc::new(Counters::new(1));
    (Outbox::new(0, ROOM_BYTES, ack, producer, back, pause, counters), pauses)
}

/// Fills a chunk in each turn, as long as there is room, and returns how often each turn waited.
fn pauses_by_turn(outbox: &mut Outbox, pauses: &Receiver<Duration>) -> Vec<usize> {
    let mut counts = Vec::new();
    while outbox.has_room() && counts.len() < 100 {
        outbox.lines().extend_from_slice(&[b'x'; FULL_BYTES / 8].repeat(8));
        outbox.take(1);
        outbox.flush(Instant::now());
        let durations: Vec<_> = pauses.try_iter().collect();
        assert!(durations.iter().all(|it| *it == CATCH_UP_STEP), "{durations:?}");
        counts.push(durations.len());
    }
    counts
}

#[test]
fn a_turn_goes_on_as_soon_as_the_writer_has_caught_up() {
    let mut steps = 0;
    let (mut outbox, pauses) = outbox(Ack::Accepted, move |writer| {
        steps += 1;
        if steps % 3 == 0 {
            writer.write();
        }
    });
    let counts = pauses_by_turn(&mut outbox, &pauses);
    assert_eq!(counts.len(), 100, "there is always room again");
    let first = counts.iter().position(|count| *count > 0).expect("it is behind one day");
    assert_eq!(first + 1, chunks_max(ROOM_BYTES) * 3 / 4, "it does not wait while there is room");
    assert!(counts[first..].iter().all(|count| *count == 3), "{counts:?}");
    assert!(!outbox.is_nearly_full());
}

#[test]
fn a_turn_waits_for_a_writer_that_stands_still_for_so_long_and_no_longer() {
    let (mut outbox, pauses) = outbox(Ack::Accepted, |_| {});
    let counts = pauses_by_turn(&mut outbox, &pauses);
    let (early, late) = counts.split_at(chunks_max(ROOM_BYTES) * 3 / 4 - 1);
    assert!(early.iter().all(|count| *count == 0), "{counts:?}");
    assert!(!late.is_empty() && late.iter().all(|count| *count == CATCH_UP_STEPS), "{counts:?}");
    assert!(!outbox.has_room());
    assert!(outbox.cells().is_nearly_full.load(Relaxed), "whoever asks is told");
}

#[test]
fn where_clients_wait_for_the_writer_no_turn_does() {
    for ack in [Ack::Stored, Ack::Durable] {
        let (mut outbox, pauses) = outbox(ack, |_| unreachable!("nobody waits"));
        let counts = pauses_by_turn(&mut outbox, &pauses);
        assert!(counts.iter().all(|count| *count == 0), "{counts:?}");
        assert!(!outbox.has_room());
    }
}
