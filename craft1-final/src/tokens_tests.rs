//! Tokens: which files are taken, which requests have a name, and what is never said.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const FIRST: &str = "0123456789abcdef0123456789abcdef";
const SECOND: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ-._~+/==";

/// With a colon, and with blanks.
fn tokens() -> Tokens {
    parse(&format!("# clients\n\nweb-1:{FIRST}\n  db  {SECOND} \n")).unwrap()
}

fn parse(text: &str) -> Result<Tokens, BadTokens> {
    text.parse()
}

fn name(authorization: &str) -> Result<String, Denied> {
    tokens().name(Some(authorization.as_bytes())).map(str::to_owned)
}

#[test]
fn a_bearer_is_known_by_its_token() {
    assert_eq!(name(&format!("Bearer {FIRST}")), Ok("web-1".into()));
    assert_eq!(name(&format!("bearer  {SECOND}")), Ok("db".into()), "the case of a scheme is free");
}

#[test]
fn who_brings_no_token_is_asked_for_one() {
    for value in ["", "Bearer", &format!("Basic {FIRST}"), FIRST, &format!("Bearer{FIRST}")] {
        assert_eq!(name(value), Err(Denied::Missing), "{value}");
    }
    assert_eq!(tokens().name(None), Err(Denied::Missing));
}

#[test]
fn a_token_that_nobody_has_is_unknown() {
    for token in ["", "x", &FIRST[1..], &format!("{FIRST}0"), &FIRST.to_uppercase(), "web-1"] {
        assert_eq!(name(&format!("Bearer {token}")), Err(Denied::Unknown), "{token}");
    }
}

#[test]
fn a_challenge_says_what_is_wrong_with_a_token_and_nothing_where_there_was_none() {
    assert_eq!(Denied::Missing.challenge(), "Bearer realm=\"metrics\"");
    assert_eq!(Denied::Unknown.challenge(), "Bearer realm=\"metrics\", error=\"invalid_token\"");
}

#[test]
fn a_name_may_have_two_tokens_while_one_replaces_the_other() {
    let tokens = parse(&format!("a:{FIRST}\na:{SECOND}")).unwrap();
    for token in [FIRST, SECOND] {
        assert_eq!(tokens.name(Some(format!("Bearer {token}").as_bytes())), Ok("a"));
    }
}

#[test]
fn a_bad_line_is_named_and_not_shown() {
    let (short, long) = ("x".repeat(31), "x".repeat(1025));
    for (line, reason) in [
        (FIRST.to_owned(), BadLine::Form),
        (format!(":{FIRST}"), BadLine::Name),
        (format!("{}:{FIRST}", "n".repeat(256)), BadLine::Name),
        (format!("a\u{7f}:{FIRST}"), BadLine::Name),
        (format!("a:{short}"), BadLine::TokenLength),
        (format!("a:{long}"), BadLine::TokenLength),
        ("a:".to_owned(), BadLine::TokenLength),
        (format!("a:{FIRST} {FIRST}"), BadLine::TokenCharacter),
        (format!("a:={FIRST}"), BadLine::TokenCharacter),
        (format!("a:{FIRST}é"), BadLine::TokenCharacter),
        (format!("a:{SECOND}"), BadLine::Repeated),
    ] {
        let error = parse(&format!("b:{SECOND}\n{line}\n")).unwrap_err();
        let is_named = matches!(error, BadTokens::Line { line: 2, reason: it } if it == reason);
        assert!(is_named, "{line}: {error}");
        let said = format!("{error} {error:?}");
        let secrets = [FIRST, SECOND, &short];
        assert!(!secrets.iter().any(|secret| said.contains(secret)), "{said}");
    }
}

#[test]
fn a_file_has_a_token_and_not_too_many() {
    for text in ["", "# nobody\n\n"] {
        assert!(matches!(parse(text), Err(BadTokens::Empty)), "{text:?}");
    }
    let line = |index| format!("a:{index:032}");
    let lines = |count| (0..count).map(line).collect::<Vec<_>>().join("\n");
    assert_eq!(parse(&lines(TOKENS_MAX)).unwrap().count(), TOKENS_MAX);
    let error = parse(&lines(TOKENS_MAX + 1)).unwrap_err();
    assert!(matches!(error, BadTokens::Line { line: 257, reason: BadLine::TooMany }), "{error}");
}

#[test]
fn nothing_secret_is_in_what_is_kept() {
    let shown = format!("{:?}", tokens());
    assert!(!shown.contains(FIRST) && !shown.contains(SECOND), "{shown}");
}

/// A file with this text and mode, in a folder that is gone with the guard.
fn file(text: &str, mode: u32) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
    (folder, path)
}

#[test]
fn a_file_that_others_may_use_is_refused_and_it_is_said_what_to_do() {
    for (mode, is_taken) in [
        (0o600, true),
        (0o400, true),
        (0o700, true),
        (0o640, false),
        (0o604, false),
        (0o620, false),
    ] {
        let (_folder, path) = file(&format!("a:{FIRST}\n"), mode);
        match Tokens::load(&path) {
            Ok(_) => assert!(is_taken, "{mode:o}"),
            Err(error) => {
                let expected =
                    format!("others than its owner may use it (mode {mode:o}): chmod 600");
                assert_eq!((error.to_string(), is_taken), (expected, false));
            }
        }
    }
}

#[test]
fn what_is_no_file_of_tokens_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Tokens::load(folder.path()), Err(BadTokens::NotRegular)));
    assert!(matches!(Tokens::load(&folder.path().join("none")), Err(BadTokens::Io(_))));
    let bytes = usize::try_from(FILE_BYTES_MAX).unwrap();
    for (len, is_too_long) in [(bytes, false), (bytes + 1, true)] {
        let (_folder, path) = file(&"#".repeat(len), 0o600);
        let error = Tokens::load(&path).unwrap_err();
        assert_eq!(matches!(error, BadTokens::TooLong), is_too_long, "{error}");
    }
}

#[test]
fn a_reader_sees_new_tokens_and_keeps_the_old_where_the_file_is_bad() {
    let (_folder, path) = file(&format!("a:{FIRST}\n"), 0o600);
    let tokens = TokenFile::open(&path).unwrap();
    let mut reader = tokens.reader();
    let name = |reader: &mut TokenReader<'_>, token| {
        let authorization = format!("Bearer {token}");
        reader.tokens().name(Some(authorization.as_bytes())).map(str::to_owned)
    };
    assert_eq!(name(&mut reader, FIRST), Ok("a".into()));

    fs::write(&path, "half a li").unwrap();
    assert!(tokens.reload().is_err());
    assert_eq!(name(&mut reader, FIRST), Ok("a".into()));

    fs::write(&path, format!("b:{SECOND}\n")).unwrap();
    assert_eq!(tokens.reload().unwrap(), 1);
    assert_eq!(name(&mut reader, SECOND), Ok("b".into()));
    assert_eq!(name(&mut reader, FIRST), Err(Denied::Unknown));
}

proptest! {
    #[test]
    fn no_line_makes_it_panic(line in ".*") {
        let _ = parse(&line);
    }

    #[test]
    fn every_token_has_the_name_of_its_line(
        texts in proptest::collection::hash_set("[A-Za-z0-9._~+/-]{32,64}={0,2}", 1..20),
    ) {
        let lines: Vec<_> = texts.iter().enumerate().map(|(at, it)| format!("c{at} {it}")).collect();
        let tokens = parse(&lines.join("\n")).unwrap();
        for (at, text) in texts.iter().enumerate() {
            let authorization = format!("Bearer {text}");
            let expected = format!("c{at}");
            prop_assert_eq!(tokens.name(Some(authorization.as_bytes())), Ok(expected.as_str()));
        }
    }
}
