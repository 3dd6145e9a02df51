//! Tokens that nobody has signed, for tests: the options `unsecuredLogin*` of
//! `OAuthBearerLoginModule`, as Java's `OAuthBearerUnsecuredLoginCallbackHandler` reads them.

use std::time::Duration;

use crate::config::Secret;
use crate::config::validate::wrong;
use crate::error::Error;

/// What stands in such a token beside its times, which are the client's own.
#[derive(Clone, Debug)]
pub(crate) struct UnsecuredConfig {
    pub(crate) claims: Vec<(String, Claim)>,
    pub(crate) principal: String,
    pub(crate) lifetime: Duration,
    pub(crate) extensions: Vec<(String, Secret)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Claim {
    Text(String),
    Number(f64),
    List(Vec<String>),
}

impl UnsecuredConfig {
    /// Reads options, by their names without `unsecuredLogin`.
    pub(super) fn read(options: &[(String, Secret)]) -> Result<Self, Error> {
        let mut claims = Vec::new();
        let mut extensions = Vec::new();
        let (mut principal_claim, mut lifetime) = ("sub".to_owned(), Duration::from_secs(3600));
        for (name, value) in options {
            let text = value.expose();
            let bad = |what: &str| wrong(format!("sasl.jaas.config: unsecuredLogin{name}: {what}"));
            match name.as_str() {
                "PrincipalClaimName" => principal_claim = text.trim().to_owned(),
                // Brokers name the claim of the scope; nothing here goes by it.
                "ScopeClaimName" => {}
                "LifetimeSeconds" => {
                    let seconds: Option<u32> = text.trim().parse().ok();
                    let seconds = seconds.ok_or_else(|| bad("it is no whole number of seconds"))?;
                    lifetime = Duration::from_secs(seconds.into());
                }
                name => {
                    let (kind, name) = name.split_once('_').unwrap_or((name, ""));
                    if name.is_empty() || matches!(name, "iat" | "exp") {
                        return Err(bad("it names no claim that can be set"));
                    }
                    let claim = match kind {
                        "StringClaim" => Claim::Text(text.to_owned()),
                        "NumberClaim" => {
                            let number = text.trim().parse().ok().filter(|n: &f64| n.is_finite());
                            Claim::Number(number.ok_or_else(|| bad("it is no number"))?)
                        }
                        "ListClaim" => Claim::List(list(text)),
                        "Extension" => {
                            extensions.push((name.to_owned(), value.clone()));
                            continue;
                        }
                        _ => return Err(bad("there is no such option")),
                    };
                    claims.push((name.to_owned(), claim));
                }
            }
        }
        let principal = claims.iter().find(|(name, _)| *name == principal_claim);
        let principal = match principal {
            Some((_, Claim::Text(principal))) if !principal.trim().is_empty() => principal.clone(),
            _ => {
                return Err(wrong(format!(
                    "sasl.jaas.config: the option unsecuredLoginStringClaim_{principal_claim}, \
                     which says whom an unsecured token is for, is missing or empty"
                )));
            }
        };
        Ok(Self {
            claims,
            principal,
            lifetime,
            extensions,
        })
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

    fn read(options: &[(&str, &str)]) -> Result<UnsecuredConfig, String> {
        let owned = |&(name, value): &(&str, &str)| (name.to_owned(), Secret::new(value));
        let options: Vec<_> = options.iter().map(owned).collect();
        UnsecuredConfig::read(&options).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_claims_and_extensions() {
        let read = read(&[
            ("StringClaim_sub", "alice"),
            ("NumberClaim_n", "7.5"),
            ("ListClaim_scope", "|a|b"),
            ("ListClaim_none", "|"),
            ("LifetimeSeconds", "60"),
            ("Extension_traceId", "123"),
        ])
        .unwrap();
        assert_eq!(
            (read.principal.as_str(), read.lifetime.as_secs()),
            ("alice", 60)
        );
        let expected = [
            ("sub", Claim::Text("alice".into())),
            ("n", Claim::Number(7.5)),
            ("scope", Claim::List(vec!["a".into(), "b".into()])),
            ("none", Claim::List(Vec::new())),
        ];
        assert_eq!(
            read.claims,
            expected.map(|(name, claim)| (name.to_owned(), claim))
        );
        assert_eq!(
            read.extensions,
            [("traceId".to_owned(), Secret::new("123"))]
        );
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
                "LifetimeSeconds: it is no whole",
            ),
            (
                &[SUB, ("NumberClaim_n", "x")],
                "NumberClaim_n: it is no number",
            ),
            (
                &[SUB, ("NumberClaim_n", "NaN")],
                "NumberClaim_n: it is no number",
            ),
            (&[SUB, ("StringClaim_exp", "1")], "no claim that can be set"),
            (&[SUB, ("StringClaim_", "1")], "no claim that can be set"),
            (&[SUB, ("OddClaim_a", "1")], "no such option"),
        ] {
            let error = read(options).unwrap_err();
            assert!(error.contains(says), "{error}, not {says}");
        }
    }
}
