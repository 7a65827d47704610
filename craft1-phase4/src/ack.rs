//! What a 202 means: a word that the operator picks.
//!
//! What always holds: a stronger word never says less than a weaker one. What each of them survives
//! is the table of [`Ack`].

/// How far a batch has come when its sender hears of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum Ack {
    /// In memory: lost when the process ends hard
    Accepted,
    /// Written to the file: survives the process, not a power cut
    Stored,
    /// Synced to the disk: survives a power cut; many requests share one fsync
    Durable,
}
