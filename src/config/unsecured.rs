//! Tokens that nobody has signed, for tests: the options `unsecuredLogin*` of
//! `OAuthBearerLoginModule`, as Java's `OAuthBearerUnsecuredLoginCallbackHandler` reads them.

use std::time::Duration;

use crate::config::Secret;
use crate::config::oidc::extension_fault;
use crate::config::validate::wrong;
use crate::error::Error;
use crate::oauth::{UnsecuredTokens, quoted};

/// Makes tokens of options, by their names without `unsecuredLogin`.
pub(super) fn read(options: &[(String, Secret)]) -> Result<UnsecuredTokens, Error> {
    let mut read = Options::default();
    for (name, value) in options {
        read.take(name, value.expose()).map_err(|what| {
            wrong(format!(
                "sasl.jaas.config: the option unsecuredLogin{name} {what}"
            ))
        })?;
    }
    let subject = read.text("sub");
    let claim = read.principal_claim.as_deref().unwrap_or("sub");
    let principal = read.text(claim).filter(|text| !text.trim().is_empty());
    let Some(principal) = principal else {
        return Err(wrong(format!(
            "sasl.jaas.config: the option unsecuredLoginStringClaim_{claim}, which says whom an \
             unsecured token is for, is missing or empty"
        )));
    };
    let mut tokens = UnsecuredTokens::new(subject.unwrap_or(principal)).lifetime(read.lifetime);
    for (name, claim) in read.claims.iter().filter(|(name, _)| name != "sub") {
        tokens.set(name, claim.json());
    }
    let extensions = read.extensions.into_iter();
    Ok(extensions.fold(tokens, |tokens, (name, value)| {
        tokens.extension(name, value)
    }))
}

struct Options {
    claims: Vec<(String, Claim)>,
    principal_claim: Option<String>,
    lifetime: Duration,
    extensions: Vec<(String, String)>,
}

enum Claim {
    Text(String),
    Number(f64),
    List(Vec<String>),
}

impl Default for Options {
    fn default() -> Self {
        Self {
            claims: Vec::new(),
            principal_claim: None,
            lifetime: Duration::from_secs(3600),
            extensions: Vec::new(),
        }
    }
}

impl Options {
    fn take(&mut self, name: &str, value: &str) -> Result<(), &'static str> {
        match name {
            "PrincipalClaimName" => {
                self.principal_claim =
                    Some(value.trim().to_owned()).filter(|name| !name.is_empty());
                return Ok(());
            }
            // Brokers have the name of this claim too; here nothing goes by it.
            "ScopeClaimName" => return Ok(()),
            "LifetimeSeconds" => {
                let seconds: Result<u32, _> = value.trim().parse();
                let seconds = seconds.map_err(|_| "is no whole number of seconds")?;
                self.lifetime = Duration::from_secs(seconds.into());
                return Ok(());
            }
            _ => {}
        }
        let (kind, name) = name.split_once('_').unwrap_or((name, ""));
        if name.is_empty() || matches!(name, "iat" | "exp") {
            return Err("names no claim that can be set");
        }
        let claim = match kind {
            "StringClaim" => Claim::Text(value.to_owned()),
            "NumberClaim" => {
                let number = value.trim().parse().ok().filter(|n: &f64| n.is_finite());
                Claim::Number(number.ok_or("is no number")?)
            }
            "ListClaim" => Claim::List(list(value)),
            "Extension" => {
                if let Some(what) = extension_fault(name, value) {
                    return Err(what);
                }
                self.extensions.push((name.to_owned(), value.to_owned()));
                return Ok(());
            }
            _ => return Err("is none that there is"),
        };
        self.claims.push((name.to_owned(), claim));
        Ok(())
    }

    fn text(&self, claim: &str) -> Option<&str> {
        let found = self.claims.iter().find(|(name, _)| name == claim);
        match found {
            Some((_, Claim::Text(text))) => Some(text),
            _ => None,
        }
    }
}

impl Claim {
    fn json(&self) -> String {
        match self {
            Self::Text(text) => quoted(text),
            Self::Number(number) => number.to_string(),
            Self::List(texts) => {
                let texts: Vec<String> = texts.iter().map(|text| quoted(text)).collect();
                format!("[{}]", texts.join(","))
            }
        }
    }
}

/// The first character separates the others.
fn list(text: &str) -> Vec<String> {
    let mut chars = text.chars();
    match (chars.next(), chars.as_str()) {
        (None, _) | (_, "") => Vec::new(),
        (Some(separator), rest) => rest.split(separator).map(str::to_owned).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::TokenSource;

    fn read(options: &[(&str, &str)]) -> Result<UnsecuredTokens, String> {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), Secret::new(value));
        let options: Vec<_> = options.iter().map(owned).collect();
        super::read(&options).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_claims_and_extensions() {
        let tokens = read(&[
            ("StringClaim_sub", "alice"),
            ("StringClaim_q", "\""),
            ("NumberClaim_n", "7.5"),
            ("ListClaim_scope", "|a|b"),
            ("ListClaim_none", "|"),
            ("LifetimeSeconds", "60"),
            ("Extension_traceId", "123"),
        ]);
        let tokens = tokens.unwrap();
        let expected = UnsecuredTokens::new("alice").lifetime(Duration::from_secs(60));
        let mut expected = expected.claim("q", "\"").extension("traceId", "123");
        expected.set("n", "7.5".into());
        let mut expected = expected.scope(&["a", "b"]);
        expected.set("none", "[]".into());
        assert_eq!(format!("{tokens:?}"), format!("{expected:?}"));
        assert_eq!(tokens.token().unwrap().principal.as_deref(), Some("alice"));

        let renamed = [("PrincipalClaimName", "name"), ("StringClaim_name", "bob")];
        assert_eq!(read(&renamed).unwrap().principal(), "bob");
    }

    #[test]
    fn options_that_make_no_token_are_refused() {
        const SUB: (&str, &str) = ("StringClaim_sub", "alice");
        for (options, says) in [
            (&[][..], "StringClaim_sub"),
            (&[("StringClaim_sub", " ")], "StringClaim_sub"),
            (&[("NumberClaim_sub", "1")], "StringClaim_sub"),
            (&[SUB, ("PrincipalClaimName", "name")], "StringClaim_name"),
            (
                &[SUB, ("LifetimeSeconds", "-1")],
                "LifetimeSeconds is no whole",
            ),
            (&[SUB, ("NumberClaim_n", "x")], "NumberClaim_n is no number"),
            (
                &[SUB, ("NumberClaim_n", "NaN")],
                "NumberClaim_n is no number",
            ),
            (&[SUB, ("StringClaim_exp", "1")], "no claim that can be set"),
            (&[SUB, ("StringClaim_", "1")], "no claim that can be set"),
            (&[SUB, ("Extension_a1", "1")], "Extension_a1 has a name"),
            (&[SUB, ("OddClaim_a", "1")], "none that there is"),
        ] {
            let error = read(options).unwrap_err();
            assert!(error.contains(says), "{error}, not {says}");
        }
    }
}
