//! Values that nobody asked for: where they end, and how deep they may be.

use super::super::error::Reason;
use super::*;

fn skip(body: &str, outside: u32) -> Result<usize, (usize, Reason)> {
    let mut cursor = Cursor::new(body.as_bytes()).unwrap();
    value(&mut cursor, outside).map_err(|refusal| (refusal.offset, refusal.reason))?;
    Ok(cursor.position())
}

#[test]
fn a_value_ends_where_it_ends() {
    for body in [
        "null",
        "true",
        "false",
        "0",
        "-1.5e3",
        "\"\"",
        "\"a\\\"]}\"",
        "[]",
        "{}",
        "[ ]",
        "{ }",
        "[1]",
        "[[],{}]",
        "{\"a\":1}",
        " \t\r\n[ 1 , { \"a\" : [ null ] , \"\\u0061\" : {} } ]",
        "[[[[[[]]]],{\"a\":{\"b\":[{}]}}]]",
    ] {
        for behind in ["", " ", ",", "]", "}", "x"] {
            assert_eq!(skip(&format!("{body}{behind}"), 1), Ok(body.len()), "{body}{behind}");
        }
    }
}

#[test]
fn what_is_no_json_is_refused_at_its_byte() {
    for (body, offset, rule) in [
        ("", 0, Syntax::End),
        (" ", 1, Syntax::End),
        ("x", 0, Syntax::Value),
        ("nul", 0, Syntax::Value),
        ("True", 0, Syntax::Value),
        ("+1", 0, Syntax::Value),
        ("'a'", 0, Syntax::Value),
        ("]", 0, Syntax::Value),
        ("[", 1, Syntax::End),
        ("[,", 1, Syntax::Value),
        ("[1,]", 3, Syntax::Value),
        ("[1 2]", 3, Syntax::InArray),
        ("[1}", 2, Syntax::InArray),
        ("[01]", 2, Syntax::InArray),
        ("[1e999]", 1, Syntax::Overflow),
        ("{", 1, Syntax::End),
        ("{1:1}", 1, Syntax::Key),
        ("{\"a\"}", 4, Syntax::Colon),
        ("{\"a\":}", 5, Syntax::Value),
        ("{\"a\":1]", 6, Syntax::InObject),
        ("{\"a\":1,}", 7, Syntax::Key),
        ("{\"a\":1 \"b\":2}", 7, Syntax::InObject),
        ("{\"a\":[1}", 7, Syntax::InArray),
        ("[{\"a\":1]]", 7, Syntax::InObject),
        ("[\"\\ud800\"]", 2, Syntax::Surrogate),
        ("{\"\\ud800\":1}", 2, Syntax::Surrogate),
    ] {
        assert_eq!(skip(body, 1), Err((offset, rule.into())), "{body}");
    }
}

#[test]
fn there_are_127_levels_and_no_more() {
    for outside in [0, 1, 3] {
        let levels = (DEPTH_MAX - outside) as usize;
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{\"a\":", "}]")] {
            let count = levels / open.matches(['[', '{']).count();
            let nested = |count| format!("{}1{}", open.repeat(count), close.repeat(count));
            assert!(skip(&nested(count), outside).is_ok(), "{open}");
            let (_, reason) = skip(&nested(count + 1), outside).unwrap_err();
            assert_eq!(reason, Reason::Syntax(Syntax::Depth), "{open}");
        }
    }
}

#[test]
fn a_million_opening_brackets_are_refused_at_the_first_that_is_too_deep() {
    let refused = Err((126, Reason::Syntax(Syntax::Depth)));
    assert_eq!(skip(&"[".repeat(1_000_000), 1), refused);
}

#[test]
fn levels_that_are_closed_do_not_count() {
    let wide = format!("[{}]", vec!["[[{\"a\":[]}]]"; 10_000].join(","));
    assert_eq!(skip(&wide, 1), Ok(wide.len()));
}
