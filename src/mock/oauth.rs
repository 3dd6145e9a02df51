//! The broker's side of OAUTHBEARER (RFC 7628): tokens that nobody has signed, checked as Kafka's
//! `OAuthBearerUnsecuredValidatorCallbackHandler` does, by code of its own.

use super::MockCluster;
use super::state::State;
use crate::time::wall_clock_ms;

pub(super) const MECHANISM: &str = "OAUTHBEARER";

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

impl MockCluster {
    /// Connections that come from now on have to authenticate with SASL OAUTHBEARER, by an
    /// unsecured JSON web token with `sub` and `exp`. Before, a broker hangs up on everything but
    /// ApiVersions. Whoever the token is for may do everything until it ends.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// cluster.sasl_oauthbearer();
    /// ```
    pub fn sasl_oauthbearer(&self) {
        self.shared
            .update(|state| state.settings.sasl_oauthbearer.is_offered = true);
    }

    /// Tokens have to have this in their claim `scope` too; with `None` nothing again.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// cluster.sasl_oauthbearer();
    /// cluster.sasl_oauthbearer_scope(Some("produce"));
    /// ```
    pub fn sasl_oauthbearer_scope(&self, scope: Option<&str>) {
        let scope = scope.map(str::to_owned);
        self.shared
            .update(|state| state.settings.sasl_oauthbearer.scope = scope);
    }

    /// Brokers refuse every token, with this as their reason: a JSON object, or garbage. With
    /// `None` they check tokens again.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// cluster.sasl_oauthbearer();
    /// cluster.sasl_oauthbearer_refusal(Some(r#"{"status":"invalid_token"}"#));
    /// ```
    pub fn sasl_oauthbearer_refusal(&self, reason: Option<&str>) {
        let reason = reason.map(str::to_owned);
        self.shared
            .update(|state| state.settings.sasl_oauthbearer.refusal = reason);
    }

    /// Who has authenticated with OAUTHBEARER so far, in that order, and the extensions that came
    /// along, by name.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// assert!(cluster.sasl_oauthbearer_logins().is_empty());
    /// ```
    pub fn sasl_oauthbearer_logins(&self) -> Vec<(String, Vec<(String, String)>)> {
        self.shared
            .read(|state| state.settings.sasl_oauthbearer.logins.clone())
    }
}

#[derive(Default)]
pub(super) struct Bearers {
    pub(super) is_offered: bool,
    scope: Option<String>,
    refusal: Option<String>,
    logins: Vec<(String, Vec<(String, String)>)>,
}

/// How far a connection has come.
#[derive(Clone, Debug)]
pub(super) enum Bearer {
    Expected,
    /// It was told this, and has to acknowledge it.
    Refused(String),
    In {
        principal: String,
        lifetime_ms: i64,
    },
}

impl Bearer {
    /// What a token leads to, and the answer to it; the error is a broker's text.
    pub(super) fn step(&self, state: &mut State, token: &[u8]) -> Result<(Self, String), String> {
        if let (Self::Refused(reason), [1]) = (self, token) {
            return Err(reason.clone());
        }
        let message = Message::read(token).ok_or("invalid OAUTHBEARER client first message")?;
        let bearers = &mut state.settings.sasl_oauthbearer;
        match bearers.check(&message.token) {
            Ok((principal, lifetime_ms)) => {
                bearers.logins.push((principal.clone(), message.extensions));
                let entered = Self::In {
                    principal,
                    lifetime_ms,
                };
                Ok((entered, String::new()))
            }
            Err(reason) => Ok((Self::Refused(reason.clone()), reason)),
        }
    }
}

impl Bearers {
    /// Whom the token is for and how long it lasts, or a reason against it.
    fn check(&self, token: &str) -> Result<(String, i64), String> {
        if let Some(reason) = &self.refusal {
            return Err(reason.clone());
        }
        let now_ms = wall_clock_ms();
        let good = claims(token).and_then(|claims| {
            let Some(Claim::Text(principal)) = find(&claims, "sub") else {
                return None;
            };
            let Some(Claim::Number(end)) = find(&claims, "exp") else {
                return None;
            };
            let lifetime_ms = (end * 1000.0) as i64 - now_ms;
            let scopes = match find(&claims, "scope") {
                Some(Claim::Text(scopes)) => scopes.split(' ').map(str::to_owned).collect(),
                Some(Claim::List(scopes)) => scopes.clone(),
                _ => Vec::new(),
            };
            let is_good = !principal.is_empty() && lifetime_ms > 0;
            is_good.then(|| (principal.clone(), lifetime_ms, scopes))
        });
        let Some((principal, lifetime_ms, scopes)) = good else {
            return Err(r#"{"status":"invalid_token"}"#.into());
        };
        match &self.scope {
            Some(scope) if !scopes.contains(scope) => Err(format!(
                r#"{{"status":"insufficient_scope", "scope":"{scope}"}}"#
            )),
            _ => Ok((principal, lifetime_ms)),
        }
    }
}

/// `n,,^auth=Bearer TOKEN^name=value^^`, where `^` is a byte of value 1.
struct Message {
    token: String,
    extensions: Vec<(String, String)>,
}

impl Message {
    fn read(bytes: &[u8]) -> Option<Self> {
        let text = str::from_utf8(bytes).ok()?;
        let pairs = text.strip_prefix("n,,\x01")?.strip_suffix("\x01\x01")?;
        let (mut token, mut extensions) = (None, Vec::new());
        for pair in pairs.split('\x01') {
            let (name, value) = pair.split_once('=')?;
            let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
            if !is_name || value.is_empty() {
                return None;
            }
            match name {
                "auth" => token = Some(value.strip_prefix("Bearer ")?.to_owned()),
                name => extensions.push((name.to_owned(), value.to_owned())),
            }
        }
        extensions.sort();
        token.map(|token| Self { token, extensions })
    }
}

enum Claim {
    Text(String),
    Number(f64),
    List(Vec<String>),
}

fn find<'a>(claims: &'a [(String, Claim)], name: &str) -> Option<&'a Claim> {
    let mut named = claims.iter().filter(|(key, _)| key == name);
    named.next().map(|(_, claim)| claim)
}

/// The claims of a token without a signature.
fn claims(token: &str) -> Option<Vec<(String, Claim)>> {
    let mut parts = token.split('.');
    let (header, claims) = (parts.next()?, parts.next()?);
    if (parts.next(), parts.next()) != (Some(""), None) {
        return None;
    }
    let header = object(&from_base64url(header)?)?;
    let Some(Claim::Text(algorithm)) = find(&header, "alg") else {
        return None;
    };
    (algorithm == "none").then_some(())?;
    object(&from_base64url(claims)?)
}

fn from_base64url(text: &str) -> Option<String> {
    let (mut bytes, mut value, mut bits) = (Vec::new(), 0_u32, 0);
    for digit in text.bytes() {
        let digit = DIGITS.iter().position(|one| *one == digit)?;
        value = (value << 6 | u32::try_from(digit).ok()?) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((value >> bits & 0xff) as u8);
        }
    }
    String::from_utf8(bytes).ok()
}

/// A JSON object of texts, numbers and lists of texts.
fn object(text: &str) -> Option<Vec<(String, Claim)>> {
    let mut rest = text.trim_start().strip_prefix('{')?;
    let mut members = Vec::new();
    loop {
        let name = string(&mut rest)?;
        take(&mut rest, ':')?;
        members.push((name, claim(&mut rest)?));
        if take(&mut rest, ',').is_none() {
            take(&mut rest, '}')?;
            return rest.trim_start().is_empty().then_some(members);
        }
    }
}

fn claim(rest: &mut &str) -> Option<Claim> {
    if take(rest, '[').is_some() {
        let mut list = Vec::new();
        while take(rest, ']').is_none() {
            list.push(string(rest)?);
            let _ = take(rest, ',');
        }
        return Some(Claim::List(list));
    }
    if rest.trim_start().starts_with('"') {
        return string(rest).map(Claim::Text);
    }
    *rest = rest.trim_start();
    let end = rest.find([',', '}', ' '])?;
    let number = rest[..end].parse().ok()?;
    *rest = &rest[end..];
    Some(Claim::Number(number))
}

fn string(rest: &mut &str) -> Option<String> {
    take(rest, '"')?;
    let (mut text, mut is_escaped) = (String::new(), false);
    for (at, c) in rest.char_indices() {
        match c {
            '"' if !is_escaped => {
                *rest = &rest[at + 1..];
                return Some(text);
            }
            '\\' if !is_escaped => is_escaped = true,
            c => {
                text.push(c);
                is_escaped = false;
            }
        }
    }
    None
}

fn take(rest: &mut &str, c: char) -> Option<()> {
    *rest = rest.trim_start().strip_prefix(c)?;
    Some(())
}
