//! What a request is for: the four forms of a target (RFC 9112, section 3.2), and what a host is
//! (RFC 3986, section 3.2.2, by Berners-Lee, Fielding and Masinter).
//!
//! What always holds: only bytes that the grammar of URIs has get through, so nothing behind here
//! meets a quote, a backslash or a control character in a path.

use std::net::Ipv6Addr;

use super::refusal::Refusal;

/// The path of a target, which has the form that its method demands.
///
/// `*` for the server as a whole, and nothing for CONNECT, whose target is a host and a port.
pub(super) fn path<'a>(method: &[u8], target: &'a [u8]) -> Result<&'a [u8], Refusal> {
    match target {
        // Section 3.2.3: only CONNECT names a host and a port, and it names nothing else.
        _ if method == b"CONNECT" => authority_form(target),
        // Section 3.2.4: only OPTIONS asks about the server as a whole.
        b"*" if method == b"OPTIONS" => Ok(target),
        // Section 3.2.1: the usual form.
        [b'/', ..] => split_path(target),
        // Section 3.2.2: a server must take the form that is meant for proxies, too.
        _ => absolute_form(method, target),
    }
}

fn authority_form(target: &[u8]) -> Result<&[u8], Refusal> {
    let has_port = target.last().is_some_and(u8::is_ascii_digit) && target.contains(&b':');
    if has_port && is_host(target) { Ok(&target[..0]) } else { Err(Refusal::Target) }
}

/// The authority in the target overrides Host. All our hosts are one, so neither is looked up.
fn absolute_form<'a>(method: &[u8], target: &'a [u8]) -> Result<&'a [u8], Refusal> {
    let colon = target.iter().position(|byte| *byte == b':').ok_or(Refusal::Target)?;
    let (scheme, rest) = (&target[..colon], &target[colon + 1..]);
    if !is_scheme(scheme) {
        return Err(Refusal::Target);
    }
    // RFC 9110, section 7.4: https came without its encryption, and other schemes need a proxy.
    if !scheme.eq_ignore_ascii_case(b"http") {
        return Err(Refusal::Misdirected);
    }
    let rest = rest.strip_prefix(b"//").ok_or(Refusal::Target)?;
    let end = rest.iter().position(|byte| matches!(byte, b'/' | b'?')).unwrap_or(rest.len());
    let (authority, rest) = rest.split_at(end);
    if authority.contains(&b'@') {
        return Err(Refusal::UserInfo);
    }
    // RFC 9110, section 4.2.1: an http URI without a host is invalid.
    if authority.is_empty() || authority[0] == b':' || !is_host(authority) {
        return Err(Refusal::Target);
    }
    match split_path(rest)? {
        // RFC 9112, section 3.2.4: this is how a proxy is told to ask with an asterisk.
        b"" if method == b"OPTIONS" && rest.is_empty() => Ok(b"*"),
        b"" => Ok(b"/"),
        path => Ok(path),
    }
}

/// RFC 3986, section 3.1.
fn is_scheme(text: &[u8]) -> bool {
    let is_tail_byte = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    text.first().is_some_and(u8::is_ascii_alphabetic) && text.iter().all(is_tail_byte)
}

/// Cuts the query off. A fragment is not sent (RFC 9110, section 7.1), so `#` is out as well.
fn split_path(target: &[u8]) -> Result<&[u8], Refusal> {
    let is_path_byte = |byte| is_name_byte(byte) || b":@/?".contains(&byte);
    if !is_encoded(target, is_path_byte) {
        return Err(Refusal::Target);
    }
    let end = target.iter().position(|byte| *byte == b'?').unwrap_or(target.len());
    Ok(&target[..end])
}

/// RFC 9112, section 3.2, and RFC 3986, section 3.2.2: a name or an address, then perhaps a colon
/// and a port. All of it may be empty, which is what a client without an authority sends.
pub fn is_host(text: &[u8]) -> bool {
    let (host_is_good, port) = if let [b'[', rest @ ..] = text {
        let Some(end) = rest.iter().position(|byte| *byte == b']') else { return false };
        (is_ipv6(&rest[..end]), &rest[end + 1..])
    } else {
        let end = text.iter().position(|byte| *byte == b':').unwrap_or(text.len());
        (is_encoded(&text[..end], is_name_byte), &text[end..])
    };
    let port_is_good = match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    host_is_good && port_is_good
}

fn is_ipv6(text: &[u8]) -> bool {
    str::from_utf8(text).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
}

/// RFC 3986: the unreserved characters and the ones that delimit parts of a name.
fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=".contains(&byte)
}

/// RFC 3986, section 2.1: a percent sign stands before two hexadecimal digits.
fn is_encoded(mut text: &[u8], is_plain: impl Fn(u8) -> bool) -> bool {
    loop {
        text = match text {
            [] => return true,
            [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                rest
            }
            [byte, rest @ ..] if is_plain(*byte) => rest,
            _ => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_a_name_or_an_address_with_or_without_a_port() {
        for good in [
            "",
            "localhost",
            "localhost:8080",
            "localhost:",
            "a.b-c_d~e",
            "0.0.0.0=5000",
            "%41",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:80",
            "[::ffff:1.2.3.4]",
        ] {
            assert!(is_host(good.as_bytes()), "{good}");
        }
        for bad in [
            "a b",
            "a/b",
            "a@b",
            "a:b",
            "a:1:2",
            "[::1",
            "[1.2.3.4]",
            "[::1]x",
            "::1",
            "%4",
            "%zz",
            "a,b c",
            "\"a\"",
            "a\\b",
            "ü",
        ] {
            assert!(!is_host(bad.as_bytes()), "{bad}");
        }
    }

    #[test]
    fn an_absolute_target_has_the_path_of_its_uri() {
        for (target, expected) in [
            ("http://a", "/"),
            ("http://a?b", "/"),
            ("HTTP://a:80/metrics?x=/y", "/metrics"),
            ("http://[::1]:80/", "/"),
        ] {
            assert_eq!(path(b"GET", target.as_bytes()), Ok(expected.as_bytes()), "{target}");
        }
        assert_eq!(path(b"OPTIONS", b"http://a"), Ok(&b"*"[..]));
        assert_eq!(path(b"OPTIONS", b"http://a/"), Ok(&b"/"[..]));
    }

    #[test]
    fn a_target_in_no_form_is_refused() {
        for target in
            ["metrics", "a/b", "http:/a", "http:a", "http://", "http://:80/", "1http://a", "?a"]
        {
            assert_eq!(path(b"GET", target.as_bytes()), Err(Refusal::Target), "{target}");
        }
        for target in ["/\"", "/a|b", "/#a", "/\\", "/%", "/%4", "/%4x", "/{a}", "/<", "/`", "/^"] {
            assert_eq!(path(b"GET", target.as_bytes()), Err(Refusal::Target), "{target}");
        }
    }
}
