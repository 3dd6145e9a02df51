//! Where tokens come from: `https://host/path`, `http://host/path` or `file:/path`.

use std::fmt;
use std::path::PathBuf;

use crate::config::Address;

/// A place that `sasl.oauthbearer.token.endpoint.url` can name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Endpoint(Url),
    File(PathBuf),
}

impl Place {
    /// Reads a URL, or says what is wrong with it without quoting it.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let (scheme, rest) = text.split_once(':').ok_or(SCHEMES)?;
        let is = |known: &str| scheme.eq_ignore_ascii_case(known);
        if is("file") {
            return file(rest).map(Self::File);
        }
        if !is("https") && !is("http") {
            return Err(SCHEMES);
        }
        let rest = rest
            .strip_prefix("//")
            .ok_or("has no // behind its scheme")?;
        Url::parse(is("https"), rest).map(Self::Endpoint)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Endpoint(url) => url.fmt(f),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

const SCHEMES: &str = "is no https://, http:// or file: URL";

/// The URL of an endpoint.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) is_https: bool,
    pub(crate) address: Address,
    path: String,
    /// With its question mark, or empty; it may hold a secret.
    query: String,
}

impl Url {
    fn parse(is_https: bool, rest: &str) -> Result<Self, &'static str> {
        // What could end a line of the request, or a word in it.
        if !rest.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("holds a character that no URL has: write it as %XX");
        }
        let rest = rest.split('#').next().unwrap_or_default();
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, target) = rest.split_at(end);
        if authority.contains('@') {
            return Err(
                "holds a user name: sasl.oauthbearer.client.credentials.client.id \
                and .client.secret take it",
            );
        }
        let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
        let path = if path.is_empty() { "/" } else { path };
        Ok(Self {
            is_https,
            address: address(authority, if is_https { 443 } else { 80 })?,
            path: path.to_owned(),
            query: query.to_owned(),
        })
    }

    /// What a request asks for.
    #[cfg_attr(
        not(feature = "oidc"),
        allow(dead_code, reason = "only an endpoint needs it")
    )]
    pub(crate) fn target(&self) -> String {
        format!("{}{}", self.path, self.query)
    }

    /// The host, with the port unless that goes without saying.
    pub(crate) fn authority(&self) -> String {
        let usual = if self.is_https { 443 } else { 80 };
        let whole = self.address.to_string();
        match whole.strip_suffix(&format!(":{usual}")) {
            Some(host) if self.address.port == usual => host.to_owned(),
            _ => whole,
        }
    }
}

impl fmt::Display for Url {
    /// Without the query.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_https { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// `/path` or `///path`, as Java has it: nothing in it is decoded.
fn file(rest: &str) -> Result<PathBuf, &'static str> {
    let path = match rest.strip_prefix("//") {
        Some(rest) => rest.strip_prefix("localhost").unwrap_or(rest),
        None => rest,
    };
    match path.starts_with('/') && path.len() > 1 {
        true => Ok(path.into()),
        false => Err("names no file of this machine: write file:/path/to/token"),
    }
}

fn address(authority: &str, usual_port: u16) -> Result<Address, &'static str> {
    const BAD_HOST: &str = "has no host, or not the name of one";
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or("has a bracket without end")?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err("has no IPv6 address in its brackets");
            }
            (host, port)
        }
        None => authority.split_at(authority.find(':').unwrap_or(authority.len())),
    };
    let is_host_char = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | ':');
    if host.is_empty() || !host.chars().all(is_host_char) {
        return Err(BAD_HOST);
    }
    let port = match port.strip_prefix(':') {
        None if port.is_empty() => usual_port,
        None => return Err(BAD_HOST),
        Some("") => usual_port,
        Some(port) => {
            let digits = port.bytes().all(|byte| byte.is_ascii_digit());
            let number = port.parse().ok().filter(|port| digits && *port > 0);
            number.ok_or("has a port that is none")?
        }
    };
    Ok(Address {
        host: host.to_owned(),
        port,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_shown_without_their_query() {
        for (text, shown, host, port, target) in [
            (
                "https://idp/token",
                "https://idp/token",
                "idp",
                443,
                "/token",
            ),
            (
                "HTTPS://idp:443/a/b?c=d#e",
                "https://idp/a/b",
                "idp",
                443,
                "/a/b?c=d",
            ),
            (
                "http://idp.x:8080",
                "http://idp.x:8080/",
                "idp.x",
                8080,
                "/",
            ),
            (
                "http://10.0.0.1?a",
                "http://10.0.0.1/",
                "10.0.0.1",
                80,
                "/?a",
            ),
            (
                "https://[::1]:8443/t",
                "https://[::1]:8443/t",
                "::1",
                8443,
                "/t",
            ),
            (
                "https://[fe80::1]/t",
                "https://[fe80::1]/t",
                "fe80::1",
                443,
                "/t",
            ),
            ("http://idp:443/", "http://idp:443/", "idp", 443, "/"),
            ("https://idp:8443/", "https://idp:8443/", "idp", 8443, "/"),
            ("https://idp:4430/", "https://idp:4430/", "idp", 4430, "/"),
        ] {
            let Ok(Place::Endpoint(url)) = Place::parse(text) else {
                panic!("{text} is refused");
            };
            assert_eq!(
                (url.to_string().as_str(), format!("{url:?}").as_str()),
                (shown, shown)
            );
            assert_eq!((url.address.host.as_str(), url.address.port), (host, port));
            assert_eq!(url.target(), target);
        }
        for (text, path) in [
            ("file:/a/b", "/a/b"),
            ("file:///a%20b", "/a%20b"),
            ("FILE://localhost/a", "/a"),
        ] {
            assert_eq!(Place::parse(text), Ok(Place::File(path.into())));
        }
    }

    #[test]
    fn what_is_no_url_is_refused_without_being_quoted() {
        for (text, says) in [
            ("", "https://"),
            ("idp/token", "https://"),
            ("ftp://idp/", "https://"),
            ("https:/idp", "//"),
            ("https://", "host"),
            ("https:///token", "host"),
            ("https://a b/", "character"),
            ("https://idp/a\r\nb", "character"),
            ("https://idp/ä", "character"),
            ("https://me:pw@idp/", "user name"),
            ("https://idp:0/", "port"),
            ("https://idp:99999/", "port"),
            ("https://idp:+1/", "port"),
            ("https://[::1/", "bracket"),
            ("https://[idp]/", "IPv6"),
            ("https://[::1]x/", "host"),
            ("https://a,b/", "host"),
            ("file:token", "file"),
            ("file://server/a", "file"),
            ("file:/", "file"),
        ] {
            let what = Place::parse(text).unwrap_err();
            assert!(what.contains(says), "{text}: {what}, not {says}");
        }
    }
}
