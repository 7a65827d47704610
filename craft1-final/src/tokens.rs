//! Bearer tokens: who may send, and under which name.
//!
//! What always holds: a token is nowhere but in its file and with its client. The server keeps a
//! keyed hash of each, says none in a log, an error or an answer, and takes the same time whichever
//! token it is asked about, right or wrong: the hash hides how much of it was right, and every entry
//! is compared to its end. What could be read by anybody else is refused before it is used.
//!
//! The file has a name and a token a line, `web-1:3f2c…` or with a blank between them; empty lines
//! and lines that begin with `#` say nothing. A name may have several tokens, so that a token can be
//! replaced without a gap: add the new one, reload, give it to the client, take the old one out,
//! reload. The file is read again on SIGHUP and never by itself, because a file that is being
//! written would lock its clients out; and where it cannot be read the tokens stay as they were.
//!
//! The hash is `SipHash` under two keys of this process (Jean-Philippe Aumasson and Daniel J.
//! Bernstein, 2012), 128 bits in all. How a token is sent is RFC 6750, section 2.1; how it is asked
//! for is RFC 9110, section 11.6.1.

use std::collections::HashSet;
use std::fs::File;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering::Acquire, Ordering::Release};
use std::sync::{Arc, Mutex, PoisonError};

use subtle::{ConditionallySelectable, ConstantTimeEq};

/// Shortest token: 32 hexadecimal digits of a random number have 128 bits, beyond any guessing.
pub const TOKEN_BYTES_MIN: usize = 32;

/// Longest token. It has to fit into a field line with room to spare.
pub const TOKEN_BYTES_MAX: usize = 1024;

/// Longest name, as that of any client.
const NAME_BYTES_MAX: usize = metrics_model::limits::NAME_BYTES_MAX;

/// Most tokens. All of them are compared with each request, a few nanoseconds each.
pub const TOKENS_MAX: usize = 256;

/// Longest file: as many lines as there may be, and comments.
const FILE_BYTES_MAX: u64 = 1024 * 1024;

/// Whoever is not the owner of the file, in the mode of a file.
const OTHERS: u32 = 0o077;

/// All tokens, as hashes.
#[derive(Debug)]
pub struct Tokens {
    hashers: [RandomState; 2],
    digests: Vec<[u8; DIGEST_LEN]>,
    /// Whose they are, in the same order.
    names: Vec<String>,
}

const DIGEST_LEN: usize = 2 * size_of::<u64>();

/// Why a request has no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// It brings no token, or not as a bearer.
    #[error("send Authorization: Bearer and your token")]
    Missing,
    /// It brings one that nobody has.
    #[error("this token is not known here")]
    Unknown,
}

impl Denied {
    /// The field WWW-Authenticate: what would be taken (RFC 6750, section 3).
    pub const fn challenge(self) -> &'static str {
        match self {
            Self::Missing => r#"Bearer realm="metrics""#,
            Self::Unknown => r#"Bearer realm="metrics", error="invalid_token""#,
        }
    }
}

/// Why a file has no tokens. Lines are named, their content never is.
#[derive(Debug, thiserror::Error)]
pub enum BadTokens {
    /// The system does not let us.
    #[error("cannot read it: {0}")]
    Io(#[from] io::Error),
    /// A folder, a device or a pipe.
    #[error("it is not a regular file")]
    NotRegular,
    /// Its mode lets others see or change it.
    #[error("others than its owner may use it (mode {mode:03o}): chmod 600")]
    Exposed {
        /// Its permissions.
        mode: u32,
    },
    /// It is longer than any that is meant.
    #[error("it is longer than {FILE_BYTES_MAX} bytes")]
    TooLong,
    /// A line is not a name and a token.
    #[error("line {line}: {reason}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        reason: BadLine,
    },
    /// Nobody could send.
    #[error("it has no tokens")]
    Empty,
}

/// What is wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadLine {
    /// There is no colon and no blank in it.
    #[error("expected a name and a token, as in NAME:TOKEN")]
    Form,
    /// The name has no length, or too much of it, or a control character.
    #[error("expected a name of 1 to {NAME_BYTES_MAX} bytes")]
    Name,
    /// The token could be guessed, or does not fit.
    #[error("expected a token of {TOKEN_BYTES_MIN} to {TOKEN_BYTES_MAX} bytes")]
    TokenLength,
    /// RFC 6750, section 2.1: a token is letters, digits and these.
    #[error("expected a token of letters, digits and -._~+/, with = at its end or without")]
    TokenCharacter,
    /// Two lines have the same token.
    #[error("this token stands in an earlier line")]
    Repeated,
    /// There are too many.
    #[error("more than {TOKENS_MAX} tokens")]
    TooMany,
}

impl Tokens {
    /// Reads a file, unless others may.
    ///
    /// # Errors
    /// Those of the system, and what is wrong with the file or with its first bad line.
    pub fn load(path: &Path) -> Result<Self, BadTokens> {
        let file = File::open(path)?;
        // Of the file that is open, and not of whatever has its name a moment later.
        let metadata = file.metadata()?;
        if !metadata.is_file() {
            return Err(BadTokens::NotRegular);
        }
        let mode = metadata.mode() & 0o777;
        if mode & OTHERS != 0 {
            return Err(BadTokens::Exposed { mode });
        }
        let mut text = String::new();
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
        if text.len() as u64 > FILE_BYTES_MAX {
            return Err(BadTokens::TooLong);
        }
        text.parse()
    }

    /// The name of who sends this as the value of Authorization.
    pub fn name(&self, authorization: Option<&[u8]>) -> Result<&str, Denied> {
        let token = authorization.and_then(bearer).ok_or(Denied::Missing)?;
        let digest = self.digest(token);
        let mut found = u64::MAX;
        for (index, known) in (0_u64..).zip(&self.digests) {
            found.conditional_assign(&index, known.ct_eq(&digest));
        }
        let name = usize::try_from(found).ok().and_then(|index| self.names.get(index));
        name.map(String::as_str).ok_or(Denied::Unknown)
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.names.len()
    }

    fn digest(&self, token: &[u8]) -> [u8; DIGEST_LEN] {
        let mut digest = [0; DIGEST_LEN];
        for (half, hasher) in digest.chunks_exact_mut(size_of::<u64>()).zip(&self.hashers) {
            half.copy_from_slice(&hasher.hash_one(token).to_ne_bytes());
        }
        digest
    }
}

impl FromStr for Tokens {
    type Err = BadTokens;

    fn from_str(text: &str) -> Result<Self, BadTokens> {
        let hashers = [RandomState::new(), RandomState::new()];
        let mut tokens = Self { hashers, digests: Vec::new(), names: Vec::new() };
        let mut seen = HashSet::new();
        for (index, line) in text.lines().enumerate() {
            let bad_line = |reason| BadTokens::Line { line: index + 1, reason };
            let Some((name, token)) = entry(line).map_err(bad_line)? else { continue };
            if !seen.insert(token) {
                return Err(bad_line(BadLine::Repeated));
            }
            if tokens.names.len() == TOKENS_MAX {
                return Err(bad_line(BadLine::TooMany));
            }
            tokens.digests.push(tokens.digest(token.as_bytes()));
            tokens.names.push(name.to_owned());
        }
        if tokens.names.is_empty() {
            return Err(BadTokens::Empty);
        }
        Ok(tokens)
    }
}

/// The name and the token of a line, or nothing where the line says nothing.
fn entry(line: &str) -> Result<Option<(&str, &str)>, BadLine> {
    let line = line.trim_ascii();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let (name, token) = line.split_once([':', ' ', '\t']).ok_or(BadLine::Form)?;
    let token = token.trim_ascii_start();
    if !(1..=NAME_BYTES_MAX).contains(&name.len()) || name.contains(char::is_control) {
        return Err(BadLine::Name);
    }
    if !(TOKEN_BYTES_MIN..=TOKEN_BYTES_MAX).contains(&token.len()) {
        return Err(BadLine::TokenLength);
    }
    let is_of_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if !token.trim_end_matches('=').bytes().all(is_of_token) {
        return Err(BadLine::TokenCharacter);
    }
    Ok(Some((name, token)))
}

/// RFC 9110, section 11.4: the scheme, whatever its case, blanks, and the token.
fn bearer(value: &[u8]) -> Option<&[u8]> {
    let (scheme, token) = value.split_at_checked(b"Bearer ".len())?;
    scheme.eq_ignore_ascii_case(b"Bearer ").then(|| token.trim_ascii())
}

/// The tokens of a file that may be read again while others ask.
#[derive(Debug)]
pub struct TokenFile {
    path: PathBuf,
    /// How often the tokens were replaced. Looked at with each request, so that the lock is not.
    edition: AtomicU64,
    tokens: Mutex<Arc<Tokens>>,
}

/// One thread's view of a [`TokenFile`].
#[derive(Debug)]
pub struct TokenReader<'f> {
    file: &'f TokenFile,
    edition: u64,
    tokens: Arc<Tokens>,
}

impl TokenFile {
    /// Reads it for the first time.
    ///
    /// # Errors
    /// As [`Tokens::load`].
    pub fn open(path: &Path) -> Result<Self, BadTokens> {
        let tokens = Mutex::new(Arc::new(Tokens::load(path)?));
        Ok(Self { path: path.to_owned(), edition: AtomicU64::new(0), tokens })
    }

    /// Reads it again and returns how many tokens there are now.
    ///
    /// # Errors
    /// As [`Tokens::load`]. The tokens are those that they were.
    pub fn reload(&self) -> Result<usize, BadTokens> {
        let tokens = Arc::new(Tokens::load(&self.path)?);
        let count = tokens.count();
        *self.tokens.lock().unwrap_or_else(PoisonError::into_inner) = tokens;
        // Pairs with the load in `TokenReader::tokens`: who sees this edition finds its tokens.
        self.edition.fetch_add(1, Release);
        Ok(count)
    }

    /// A view for one thread.
    pub fn reader(&self) -> TokenReader<'_> {
        let edition = self.edition.load(Acquire);
        TokenReader { file: self, edition, tokens: self.current() }
    }

    fn current(&self) -> Arc<Tokens> {
        Arc::clone(&self.tokens.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl TokenReader<'_> {
    /// The tokens now. Takes a lock only where they were replaced since the last call.
    pub fn tokens(&mut self) -> &Tokens {
        let edition = self.file.edition.load(Acquire);
        if edition != self.edition {
            self.edition = edition;
            self.tokens = self.file.current();
        }
        &self.tokens
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
