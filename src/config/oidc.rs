//! Where the tokens of OAUTHBEARER come from, as text says it: `sasl.oauthbearer.*` and
//! `sasl.login.*` (KIP-768, KIP-1139), and the older options of `OAuthBearerLoginModule`.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::jaas::Jaas;
use crate::config::url::{Place, Url};
use crate::config::validate::wrong;
use crate::config::value::Setting;
use crate::config::{
    Config, Mechanism, SaslConfig, Secret, SecurityProtocol, TlsConfig, keys, unsecured,
};
use crate::error::Error;
use crate::oauth::UnsecuredTokens;

/// The tokens that the settings ask for.
#[derive(Clone, Debug)]
pub(crate) struct OidcConfig {
    pub(crate) origin: TokenOrigin,
    pub(crate) scope_claim: String,
    pub(crate) subject_claim: String,
    /// Names without `extension_`.
    pub(crate) extensions: Vec<(String, Secret)>,
}

#[derive(Clone, Debug)]
pub(crate) enum TokenOrigin {
    File(PathBuf),
    Endpoint(Box<EndpointConfig>),
    Unsecured(UnsecuredTokens),
}

/// A provider's token endpoint, and who asks there.
#[derive(Clone, Debug)]
#[cfg_attr(
    not(feature = "oidc"),
    allow(dead_code, reason = "only an endpoint needs it")
)]
pub(crate) struct EndpointConfig {
    pub(crate) url: Url,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) scope: String,
    pub(crate) is_urlencoded: bool,
    pub(crate) connect_timeout: Duration,
    pub(crate) read_timeout: Duration,
    pub(crate) retry_backoff: Duration,
    pub(crate) retry_backoff_max: Duration,
    /// Of the endpoint: as in Java, brokers have their own.
    pub(crate) tls: TlsConfig,
}

/// What the keys say, before it is known whether they matter.
#[derive(Clone, Debug)]
pub(crate) struct OidcKeys {
    pub(super) place: Option<Place>,
    pub(super) client_id: Option<String>,
    pub(super) client_secret: Option<Secret>,
    pub(super) scope: Option<String>,
    pub(super) is_urlencoded: bool,
    pub(super) scope_claim: String,
    pub(super) subject_claim: String,
    pub(super) connect_timeout: Duration,
    pub(super) read_timeout: Duration,
    pub(super) retry_backoff: Duration,
    pub(super) retry_backoff_max: Duration,
    pub(super) retriever: Retriever,
    /// `sasl.login.callback.handler.class` names the one for endpoints.
    pub(super) has_handler: bool,
}

/// `sasl.oauthbearer.jwt.retriever.class`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retriever {
    /// By the URL.
    Default,
    ClientCredentials,
    File,
}

impl Retriever {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Default => "DefaultJwtRetriever",
            Self::ClientCredentials => "ClientCredentialsJwtRetriever",
            Self::File => "FileJwtRetriever",
        }
    }
}

impl Default for OidcKeys {
    fn default() -> Self {
        Self {
            place: None,
            client_id: None,
            client_secret: None,
            scope: None,
            is_urlencoded: false,
            scope_claim: "scope".into(),
            subject_claim: "sub".into(),
            // Java waits for ever, which nobody wants.
            connect_timeout: Duration::from_secs(10),
            read_timeout: Duration::from_secs(10),
            retry_backoff: Duration::from_millis(100),
            retry_backoff_max: Duration::from_secs(10),
            retriever: Retriever::Default,
            has_handler: false,
        }
    }
}

/// The options of `OAuthBearerLoginModule`.
#[derive(Clone, Debug, Default)]
pub(crate) struct OidcOptions {
    client_id: Option<Secret>,
    client_secret: Option<Secret>,
    scope: Option<Secret>,
    extensions: Vec<(String, Secret)>,
    /// Names without `unsecuredLogin`.
    unsecured: Vec<(String, Secret)>,
    tls: TlsConfig,
}

impl OidcOptions {
    /// Reads the options, and says what has no effect.
    pub(super) fn read(jaas: &Jaas, setting: &Setting<'_>) -> Result<(Self, Vec<String>), Error> {
        let mut options = Self::default();
        // Java makes the endpoint's TLS of these, with the names and rules of the settings.
        let mut ssl = Config::with_defaults();
        ssl.security_protocol = SecurityProtocol::Ssl;
        let mut unknown = false;
        for (name, value) in &jaas.options {
            match name.as_str() {
                "clientId" => options.client_id = Some(value.clone()),
                "clientSecret" => options.client_secret = Some(value.clone()),
                "scope" => options.scope = Some(value.clone()),
                name if name.starts_with("ssl.") => {
                    let option = Setting::new(name, value.expose());
                    keys::apply(&mut ssl, &option).map_err(|error| of_option(setting, error))?;
                }
                name => {
                    let without = |prefix| name.strip_prefix(prefix).map(str::to_owned);
                    if let Some(name) = without("extension_") {
                        options.extensions.push((name, value.clone()));
                    } else if let Some(name) = without("unsecuredLogin") {
                        options.unsecured.push((name, value.clone()));
                    } else {
                        unknown = true;
                    }
                }
            }
        }
        ssl.check_tls().map_err(|error| of_option(setting, error))?;
        options.tls = ssl.tls.clone();
        let mut warnings: Vec<String> = ssl.warnings().to_vec();
        if unknown {
            warnings.push(
                "OAuthBearerLoginModule has no options but clientId, clientSecret, scope, \
                 extension_*, unsecuredLogin* and ssl.*, others are ignored"
                    .into(),
            );
        }
        let key = setting.key;
        let warnings = warnings.into_iter().map(|text| format!("{key}: {text}"));
        Ok((options, warnings.collect()))
    }
}

fn of_option(setting: &Setting<'_>, error: Error) -> Error {
    error.context(format_args!("{}: its option", setting.key))
}

impl Config {
    pub(super) fn read_oauth_options(
        &mut self,
        jaas: &Jaas,
        setting: &Setting<'_>,
    ) -> Result<(), Error> {
        let (options, warnings) = OidcOptions::read(jaas, setting)?;
        for warning in warnings {
            self.warn(warning);
        }
        // It is said last, and holds over other credentials.
        self.sasl = None;
        self.chosen.oauth_options = Some(options);
        Ok(())
    }

    pub(super) fn read_token_url(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        let place = Place::parse(setting.value)
            .map_err(|what| setting.refused(&format!("the value {what}")))?;
        self.oidc.place = Some(place);
        Ok(())
    }

    pub(super) fn read_retriever(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        self.oidc.retriever = match class(setting.value) {
            "DefaultJwtRetriever" => Retriever::Default,
            "ClientCredentialsJwtRetriever" => Retriever::ClientCredentials,
            "FileJwtRetriever" => Retriever::File,
            "JwtBearerJwtRetriever" => {
                return Err(setting.refused(
                    "assertions (the grant jwt-bearer) are not offered: use client credentials, or \
                     Config::sasl_oauthbearer with a source of your own",
                ));
            }
            _ => return Err(setting.refused(OWN_CLASS)),
        };
        Ok(())
    }

    pub(super) fn read_validator(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        match class(setting.value) {
            "DefaultJwtValidator" | "ClientJwtValidator" => Ok(()),
            _ => Err(setting.refused(
                "only ClientJwtValidator's checks are offered here; the broker verifies the rest",
            )),
        }
    }

    pub(super) fn read_login_handler(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        self.oidc.has_handler = match class(setting.value) {
            "" | "OAuthBearerUnsecuredLoginCallbackHandler" => false,
            "OAuthBearerLoginCallbackHandler" => true,
            "IAMClientCallbackHandler" => return Err(setting.refused(MSK_IAM)),
            "JaasClientOauthLoginCallbackHandler" => {
                return Err(setting.refused(
                    "it names Strimzi's login, a class of Java: leave it out, and what its options \
                     oauth.token.endpoint.uri, oauth.client.id and oauth.client.secret say goes to \
                     sasl.oauthbearer.token.endpoint.url, .client.credentials.client.id and \
                     .client.credentials.client.secret",
                ));
            }
            _ => return Err(setting.refused(OWN_CLASS)),
        };
        Ok(())
    }

    /// The tokens that the settings ask for; `None` if they ask for none, or do not say whence.
    pub(super) fn settle_oauth(&mut self, chosen: Mechanism) -> Result<Option<SaslConfig>, Error> {
        let options = self.chosen.oauth_options.clone();
        if chosen != Mechanism::OauthBearer && options.is_none() {
            return Ok(None);
        }
        let settled = self.settle_oidc(&options.unwrap_or_default())?;
        Ok(settled.map(|config| SaslConfig::Oidc(Box::new(config))))
    }

    fn settle_oidc(&mut self, options: &OidcOptions) -> Result<Option<OidcConfig>, Error> {
        const URL: &str = "sasl.oauthbearer.token.endpoint.url";
        let keys = &self.oidc;
        let origin = match (&keys.place, keys.retriever) {
            (None, _) if keys.has_handler => {
                return Err(wrong(format!(
                    "{URL} is missing: it says where tokens come from, https://... or file:/..."
                )));
            }
            (None, _) if options.unsecured.is_empty() => return Ok(None),
            (None, _) => {
                let tokens = unsecured::read(&options.unsecured)?;
                self.note(
                    "sasl.jaas.config asks for unsecured tokens (unsecuredLogin...), which anybody \
                     can make for anybody: they are for tests"
                        .into(),
                );
                TokenOrigin::Unsecured(tokens)
            }
            (Some(Place::File(_)), Retriever::ClientCredentials) => {
                return Err(wrong(format!(
                    "sasl.oauthbearer.jwt.retriever.class is ClientCredentialsJwtRetriever, but \
                     {URL} names a file"
                )));
            }
            (Some(Place::Endpoint(_)), Retriever::File) => {
                return Err(wrong(format!(
                    "sasl.oauthbearer.jwt.retriever.class is FileJwtRetriever, but {URL} names no \
                     file"
                )));
            }
            (Some(Place::File(path)), _) => TokenOrigin::File(path.clone()),
            (Some(Place::Endpoint(url)), _) => {
                let (endpoint, notes) = keys.endpoint(url.clone(), options, &self.tls)?;
                for note in notes {
                    self.note(note);
                }
                TokenOrigin::Endpoint(Box::new(endpoint))
            }
        };
        for (name, value) in &options.extensions {
            if let Some(what) = extension_fault(name, value.expose()) {
                return Err(wrong(format!(
                    "sasl.jaas.config: the option extension_{name} {what}"
                )));
            }
        }
        Ok(Some(OidcConfig {
            extensions: options.extensions.clone(),
            origin,
            scope_claim: self.oidc.scope_claim.clone(),
            subject_claim: self.oidc.subject_claim.clone(),
        }))
    }
}

const CLIENT_ID: &str = "sasl.oauthbearer.client.credentials.client.id";
const CLIENT_SECRET: &str = "sasl.oauthbearer.client.credentials.client.secret";
const SCOPE: &str = "sasl.oauthbearer.scope";

impl OidcKeys {
    fn endpoint(
        &self,
        url: Url,
        options: &OidcOptions,
        brokers: &TlsConfig,
    ) -> Result<(EndpointConfig, Vec<String>), Error> {
        if cfg!(not(feature = "oidc")) {
            return Err(wrong(format!(
                "sasl.oauthbearer.token.endpoint.url is {url}: endpoints are not built in: build \
                 milena with its feature \"oidc\""
            )));
        }
        if self.retry_backoff_max < self.retry_backoff {
            return Err(wrong(
                "sasl.login.retry.backoff.max.ms is less than sasl.login.retry.backoff.ms",
            ));
        }
        let mut notes = Vec::new();
        let mut choose = |key: &'static str, given: Option<&str>, name, old: &Option<Secret>| {
            if given.is_some() && old.is_some() {
                notes.push(format!(
                    "the option {name} of sasl.jaas.config has no effect: {key} is set"
                ));
            }
            let old = old.as_ref().map(Secret::expose);
            let chosen = given.or(old).unwrap_or_default().trim();
            match chosen.is_empty() && name != "scope" {
                true => Err(wrong(format!(
                    "{key} (or the option {name} of sasl.jaas.config) is missing: the token \
                     endpoint {url} asks for it"
                ))),
                false => Ok(chosen.to_owned()),
            }
        };
        let (id, secret) = (&options.client_id, &options.client_secret);
        let given_secret = self.client_secret.as_ref().map(Secret::expose);
        let client_id = choose(CLIENT_ID, self.client_id.as_deref(), "clientId", id)?;
        let client_secret = choose(CLIENT_SECRET, given_secret, "clientSecret", secret)?;
        let scope = choose(SCOPE, self.scope.as_deref(), "scope", &options.scope)?;
        if !url.is_https {
            notes.push(format!(
                "sasl.oauthbearer.token.endpoint.url is {url}: the client secret and the tokens \
                 cross the network unencrypted"
            ));
        }
        let endpoint = EndpointConfig {
            url,
            client_id,
            client_secret: Secret::new(client_secret),
            scope,
            is_urlencoded: self.is_urlencoded,
            connect_timeout: self.connect_timeout,
            read_timeout: self.read_timeout,
            retry_backoff: self.retry_backoff,
            retry_backoff_max: self.retry_backoff_max,
            tls: options.tls.clone().with_cryptography_of(brokers),
        };
        Ok((endpoint, notes))
    }
}

/// KIP-342: names are letters, values printable; `auth` is the token itself.
pub(super) fn extension_fault(name: &str, value: &str) -> Option<&'static str> {
    let letters = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphabetic());
    if !letters || name == "auth" {
        return Some("has a name that is not allowed: only ASCII letters, and not auth");
    }
    let printable = |byte: u8| byte.is_ascii_graphic() || b" \t\r\n".contains(&byte);
    let is_good = !value.is_empty() && value.bytes().all(printable);
    (!is_good).then_some("is empty, or not printable ASCII")
}

pub(super) const OWN_CLASS: &str = "it names a class of Java, which this producer cannot run; \
    Config::sasl_oauthbearer takes a source of tokens in Rust";
pub(super) const MSK_IAM: &str = "it names AWS's login for MSK, a class of Java: use \
    sasl.mechanism=OAUTHBEARER and Config::sasl_oauthbearer with a source of tokens as in the \
    example msk_iam";

/// The class's name without its package.
fn class(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or_default()
}
