//! The values of `security.protocol`, `ssl.*` and `sasl.*`, read from text.

use crate::config::jaas::Jaas;
use crate::config::oidc::MSK_IAM;
use crate::config::value::Setting;
use crate::config::{
    Config, KeyStore, Mechanism, PemSource, SaslConfig, ScramConfig, ScramHash, Secret,
    SecurityProtocol, TlsVersion, TlsVersions,
};
use crate::error::Error;

/// The mechanisms that there are.
const SPOKEN: &str = "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 and OAUTHBEARER";

/// Why not, and what instead.
const GSSAPI: &str = "GSSAPI (Kerberos) is not offered: it needs the system's C library, and this \
    crate is Rust alone; let the brokers offer SCRAM-SHA-512 or OAUTHBEARER beside it \
    (sasl.enabled.mechanisms), or a listener with client certificates (security.protocol=SSL with \
    ssl.keystore.location)";

impl Config {
    pub(super) fn read_security_protocol(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        self.security_protocol = SecurityProtocol::named(setting.value).ok_or_else(|| {
            setting.wrong("is not one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL")
        })?;
        Ok(())
    }

    /// `ssl.protocol`: as Java's documentation has it, `TLSv1.2` keeps TLS 1.3 out whatever
    /// `ssl.enabled.protocols` lists; the others leave the choice to that list.
    pub(super) fn read_ssl_protocol(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        self.chosen.tls_1_2_only = if setting.is("TLS") {
            false
        } else {
            tls_version(setting, setting.value)? == TlsVersion::V1_2
        };
        self.settle_tls_versions();
        Ok(())
    }

    pub(super) fn read_ssl_enabled_protocols(
        &mut self,
        setting: &Setting<'_>,
    ) -> Result<(), Error> {
        let versions = setting.list().map(|name| tls_version(setting, name));
        let enabled = versions.collect::<Result<TlsVersions, Error>>()?;
        if enabled.is_empty() {
            return Err(setting.wrong("names no version: TLSv1.2 and TLSv1.3 are known"));
        }
        self.chosen.tls_enabled = enabled;
        self.settle_tls_versions();
        Ok(())
    }

    /// Which of these there are depends on the cryptography, which is asked later.
    pub(super) fn read_cipher_suites(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        self.tls.suites = setting.list().map(str::to_owned).collect();
        Ok(())
    }

    pub(super) fn settle_tls_versions(&mut self) {
        let enabled = self.chosen.tls_enabled;
        self.tls.versions = TlsVersions {
            v1_2: enabled.v1_2,
            v1_3: enabled.v1_3 && !self.chosen.tls_1_2_only,
        };
    }

    pub(super) fn read_endpoint_identification(
        &mut self,
        setting: &Setting<'_>,
    ) -> Result<(), Error> {
        if setting.value.is_empty() {
            self.tls.verify_host_name = false;
            self.warn(format!(
                "{} is empty: any broker with a trusted certificate passes, whatever its name",
                setting.key
            ));
        } else if setting.is("https") {
            self.tls.verify_host_name = true;
        } else {
            return Err(setting.wrong(
                "is neither https (a certificate must be for the broker's name) nor empty (it need \
                 not)",
            ));
        }
        Ok(())
    }

    pub(super) fn read_truststore_location(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        if setting.value.is_empty() {
            return Err(setting.wrong("is no file"));
        }
        if matches!(self.tls.truststore, Some(PemSource::Inline(_))) {
            return Err(setting.refused("ssl.truststore.certificates is set too; keep one of them"));
        }
        self.no_system_store(setting)?;
        self.tls.truststore = Some(PemSource::File(setting.value.into()));
        Ok(())
    }

    pub(super) fn read_truststore_pem(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        if !setting.value.contains("-----BEGIN") {
            return Err(setting.wrong(
                "is not PEM, -----BEGIN CERTIFICATE-----; for a file use ssl.truststore.location",
            ));
        }
        if matches!(self.tls.truststore, Some(PemSource::File(_))) {
            return Err(setting.refused("ssl.truststore.location is set too; keep one of them"));
        }
        self.no_system_store(setting)?;
        self.tls.truststore = Some(PemSource::Inline(Secret::new(setting.value)));
        Ok(())
    }

    pub(super) fn read_keystore_type(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        if setting.is("PEM") || setting.value.is_empty() {
            Ok(())
        } else if setting.is("JKS") || setting.is("PKCS12") {
            Err(setting.wrong(&format!(
                "is a format of Java's, and this producer reads PEM: {}",
                KeyStore::how_to_convert("keystore")
            )))
        } else {
            Err(setting.wrong("is not PEM"))
        }
    }

    pub(super) fn read_keystore_location(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        let path = (!setting.value.is_empty()).then(|| setting.value.into());
        let store = &self.tls.keystore;
        if path.is_some() && (store.key.is_some() || store.chain.is_some()) {
            return Err(setting.refused(
                "ssl.keystore.key or ssl.keystore.certificate.chain is set too; keep the file or \
                 these two",
            ));
        }
        self.tls.keystore.location = path;
        Ok(())
    }

    pub(super) fn read_keystore_key(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        self.tls.keystore.key = self.keystore_text(setting, "-----BEGIN PRIVATE KEY-----")?;
        Ok(())
    }

    pub(super) fn read_keystore_chain(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        self.tls.keystore.chain = self.keystore_text(setting, "-----BEGIN CERTIFICATE-----")?;
        Ok(())
    }

    pub(super) fn read_key_password(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        let is_set = !setting.value.is_empty();
        self.tls.keystore.key_password = is_set.then(|| Secret::new(setting.value));
        Ok(())
    }

    fn keystore_text(&self, setting: &Setting<'_>, begin: &str) -> Result<Option<Secret>, Error> {
        if setting.value.is_empty() {
            return Ok(None);
        }
        if !setting.value.contains("-----BEGIN") {
            return Err(setting.wrong(&format!(
                "is not PEM, {begin}; for a file use ssl.keystore.location"
            )));
        }
        if self.tls.keystore.location.is_some() {
            return Err(setting.refused(
                "ssl.keystore.location is set too; keep the file, or key and chain as text",
            ));
        }
        Ok(Some(Secret::new(setting.value)))
    }

    pub(super) fn read_mechanism(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        let named = |mechanism: &Mechanism| setting.is(mechanism.name());
        let mechanism = Mechanism::ALL.into_iter().find(named).ok_or_else(|| {
            if setting.is("GSSAPI") {
                return setting.refused(GSSAPI);
            }
            if setting.is("AWS_MSK_IAM") {
                return setting.refused(MSK_IAM);
            }
            setting.wrong(&format!(
                "is no mechanism that this version knows, which speaks {SPOKEN}"
            ))
        })?;
        self.chosen.mechanism = Some(mechanism);
        if let (Mechanism::Scram(hash), Some(SaslConfig::Scram(scram))) =
            (mechanism, &mut self.sasl)
        {
            scram.hash = hash;
        }
        Ok(())
    }

    pub(super) fn read_jaas(&mut self, setting: &Setting<'_>) -> Result<(), Error> {
        let jaas = Jaas::parse(setting.value).map_err(|malformed| {
            let what = malformed.what;
            setting.refused(&format!(
                "at character {} of the value: {what}",
                malformed.at
            ))
        })?;
        if jaas.module == "OAuthBearerLoginModule" {
            return self.read_oauth_options(&jaas, setting);
        }
        let (module, known): (_, &[&str]) = match jaas.module.as_str() {
            "PlainLoginModule" => ("PlainLoginModule", &["username", "password"]),
            "ScramLoginModule" => ("ScramLoginModule", &["username", "password", "tokenauth"]),
            other => return Err(other_module(setting, other)),
        };
        let needs = |name| {
            let missing = format!("{module} needs the option {name}=\"...\"");
            jaas.option(name).ok_or_else(|| setting.refused(&missing))
        };
        let username = needs("username")?.expose().to_owned();
        let password = needs("password")?.clone();
        let is_known = |name: &str| known.contains(&name);
        if jaas.options.iter().any(|(name, _)| !is_known(name)) {
            let known = known.join(", ");
            self.warn(format!(
                "{}: {module} has no options but {known}, others are ignored",
                setting.key
            ));
        }
        self.credentials = None;
        self.sasl = Some(match module {
            "PlainLoginModule" => SaslConfig::Plain { username, password },
            _ => SaslConfig::Scram(ScramConfig {
                hash: match self.chosen.mechanism {
                    Some(Mechanism::Scram(hash)) => hash,
                    _ => ScramHash::Sha256,
                },
                username,
                password,
                is_token: token_option(setting, &jaas)?,
            }),
        });
        Ok(())
    }
}

/// What Java's `Boolean.parseBoolean` takes for true; it takes everything else for false.
fn token_option(setting: &Setting<'_>, jaas: &Jaas) -> Result<bool, Error> {
    let value = jaas.option("tokenauth").map_or("false", Secret::expose);
    match value.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(setting.refused("the option tokenauth is neither true nor false")),
    }
}

fn tls_version(setting: &Setting<'_>, name: &str) -> Result<TlsVersion, Error> {
    const OLD: [&str; 6] = ["SSL", "SSLv2", "SSLv3", "TLSv1", "TLSv1.0", "TLSv1.1"];
    let is = |known: &str| name.eq_ignore_ascii_case(known);
    if is("TLSv1.2") {
        Ok(TlsVersion::V1_2)
    } else if is("TLSv1.3") {
        Ok(TlsVersion::V1_3)
    } else if OLD.into_iter().any(is) {
        Err(setting
            .wrong("asks for a version that is broken and not built in: use TLSv1.2 or TLSv1.3"))
    } else {
        Err(setting.wrong("asks for an unknown version: TLSv1.2 and TLSv1.3 are known"))
    }
}

/// The class's name may be anything, a password too.
fn other_module(setting: &Setting<'_>, module: &str) -> Error {
    setting.refused(&match module {
        "Krb5LoginModule" => format!("it names Krb5LoginModule: {GSSAPI}"),
        "IAMLoginModule" => MSK_IAM.to_owned(),
        _ => format!(
            "it names a login module that is not known here; this version speaks {SPOKEN}: \
             org.apache.kafka.common.security.plain.PlainLoginModule, \
             org.apache.kafka.common.security.scram.ScramLoginModule or \
             org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule; for a login of \
             your own, Config::sasl_oauthbearer takes a source of tokens in Rust"
        ),
    })
}
