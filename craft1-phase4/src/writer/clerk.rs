//! The one thread that writes: it takes a batch, brings it as far as the acknowledgement promises,
//! and says what became of it.
//!
//! What always holds: a batch is settled once, and as stored only when it is in the file, or on the
//! disk where that is the promise. While the disk fails, what was promised already is kept and tried
//! again; what was not is refused, and whether the disk is back is found out without it.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use craft1_phase1::service::Unstored;

use super::failure::Failure;
use super::numbers::Numbers;
use super::queue::{Batch, Queue};
use super::storage::Storage;
use super::tail::Tail;
use super::{Core, FinishError};
use crate::ack::Ack;

/// What the thread works with.
#[derive(Debug)]
pub(super) struct Clerk<S> {
    core: Arc<Core>,
    tail: Tail<S>,
}

impl<S: Storage> Clerk<S> {
    pub(super) fn new(core: Arc<Core>, storage: S, end: u64) -> Self {
        Self { core, tail: Tail::new(storage, end) }
    }

    /// Writes until the queue is closed and empty.
    pub(super) fn run(mut self) -> Result<(), FinishError> {
        let core = Arc::clone(&self.core);
        let _if_it_panics = Abandon(&core.queue);
        while let Some(batch) = self.core.queue.take() {
            self.write(batch);
        }
        self.finish()
    }

    /// Brings one batch to its end.
    pub(super) fn write(&mut self, batch: Batch) {
        match (self.commit(&batch), self.core.queue.options.ack) {
            (Ok(()), _) => self.core.queue.settle(batch, Ok(())),
            (Err(error), Ack::Accepted) => self.keep_trying(batch, &error),
            (Err(error), Ack::Stored | Ack::Durable) => self.refuse_until_back(batch, &error),
        }
    }

    /// It was promised to be kept. It stays in memory, and counts there, until there is room for it;
    /// what comes behind it waits as well, up to the bounds of the queue.
    fn keep_trying(&mut self, batch: Batch, error: &io::Error) {
        self.fails(error);
        loop {
            // At the end it gets one more try.
            let is_last = self.core.queue.pause(self.core.queue.options.retry_pause);
            match self.commit(&batch) {
                Ok(()) => {
                    self.works_again();
                    return self.core.queue.settle(batch, Ok(()));
                }
                Err(error) => self.fails(&error),
            }
            if is_last {
                return self.core.queue.settle(batch, Err(Unstored::Unwritable));
            }
        }
    }

    /// Nothing was promised. Everybody who waits is refused now, everybody who comes is refused by
    /// the queue, and so it is left to us to find out when the disk is back.
    fn refuse_until_back(&mut self, batch: Batch, error: &io::Error) {
        self.fails(error);
        self.core.queue.settle(batch, Err(Unstored::Unwritable));
        while let Some(batch) = self.core.queue.try_take() {
            self.core.queue.settle(batch, Err(Unstored::Unwritable));
        }
        let is_synced = self.core.queue.options.ack == Ack::Durable;
        while !self.core.queue.pause(self.core.queue.options.retry_pause) {
            match self.tail.probe(is_synced) {
                Ok(()) => return self.works_again(),
                Err(error) => self.fails(&error),
            }
        }
    }

    /// Writes a batch, and syncs it where that is the promise. After an error nothing of it is in
    /// the file, or will be once the file can be repaired.
    fn commit(&mut self, batch: &Batch) -> io::Result<()> {
        // ANCHOR: commit
        let result = self.append(batch).and_then(|()| match self.core.queue.options.ack {
            Ack::Durable => self.sync(),
            Ack::Accepted | Ack::Stored => Ok(()),
        });
        if result.is_err() {
            // At once, so that nobody reads half a line. Where it fails, the next try begins with it.
            let _ = self.tail.repair();
        }
        result
        // ANCHOR_END: commit
    }

    fn append(&mut self, batch: &Batch) -> io::Result<()> {
        let started = Instant::now();
        self.tail.append(&batch.lines)?;
        self.core.counters.wrote(batch.load, started.elapsed());
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let started = Instant::now();
        self.tail.sync()?;
        self.core.counters.synced(started.elapsed());
        Ok(())
    }

    fn finish(mut self) -> Result<(), FinishError> {
        let synced = match self.core.queue.options.ack {
            // Not repaired where it fails: what is in the file was promised to be there.
            Ack::Accepted | Ack::Stored => self.sync().map_err(FinishError::NotSynced),
            Ack::Durable => Ok(()),
        };
        match self.core.queue.numbers() {
            Numbers { lost: metrics @ 1.., failure: Some(failure), .. } => {
                Err(FinishError::Lost { metrics, failure })
            }
            _ => synced,
        }
    }

    fn fails(&self, error: &io::Error) {
        self.core.counters.failed();
        self.core.counters.renewed(self.tail.renewals());
        let failure = Failure::from(error);
        if self.core.queue.set_failure(Some(failure)) != Some(failure) {
            tracing::error!("{failure}");
        }
    }

    fn works_again(&self) {
        self.core.counters.renewed(self.tail.renewals());
        self.core.queue.set_failure(None);
        tracing::info!("the data file can be written again");
    }
}

/// Should the thread ever panic, nobody is to wait for it, and nobody is to be sent here.
struct Abandon<'q>(&'q Queue);

impl Drop for Abandon<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.abandon();
        }
    }
}
