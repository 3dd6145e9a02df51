//! The typed setters of metadata, connections, pauses and security.

use std::path::Path;
use std::time::Duration;

use crate::config::{
    Config, KeyStore, PemSource, SaslConfig, ScramConfig, ScramHash, Secret, SecurityProtocol,
    TlsVersion,
};
use crate::oauth::{AnyTokenSource, TokenSource};

/// Metadata and connections.
impl Config {
    /// The name under which brokers count, throttle and log this producer.
    ///
    /// Defaults to `producer-1`, `producer-2` and so on in the order that a process makes its
    /// producers, as in Java. A name that tells the service helps whoever reads the broker's
    /// metrics.
    ///
    /// Java's name: `client.id`.
    pub fn client_id(mut self, id: impl Into<String>) -> Self {
        self.client_id = id.into();
        self.by_code("client.id")
    }

    /// After what time topics and leaders are asked for again although nothing failed.
    ///
    /// Shorter sees new partitions sooner, at one request each time.
    ///
    /// Defaults to 5 min, as in Java.
    ///
    /// Java's name: `metadata.max.age.ms`.
    pub fn metadata_max_age(mut self, age: Duration) -> Self {
        self.metadata_max_age = age;
        self.by_code("metadata.max.age.ms")
    }

    /// After what time without a `send` a topic is forgotten, and no longer asked for; at least 5
    /// s.
    ///
    /// The next `send` asks for it as if it were new. A topic that has been sent to with
    /// [`idempotence`](Self::idempotence) is only no longer asked for: what brokers know the
    /// producer by there is kept.
    ///
    /// Defaults to 5 min, as in Java.
    ///
    /// Java's name: `metadata.max.idle.ms`.
    pub fn metadata_max_idle(mut self, idle: Duration) -> Self {
        self.metadata_max_idle = idle;
        self.by_code("metadata.max.idle.ms")
    }

    /// Whether asking for a topic that does not exist may create it, where brokers have
    /// `auto.create.topics.enable`.
    ///
    /// `false` keeps a misspelt name from becoming a topic.
    ///
    /// Defaults to `true`, which is what Java's producer always does.
    ///
    /// librdkafka's name, taken by [`set`](Self::set) too: `allow.auto.create.topics`.
    pub fn allow_auto_create_topics(mut self, allow: bool) -> Self {
        self.allow_auto_create_topics = allow;
        self.by_code("allow.auto.create.topics")
    }

    /// After what time without a request a connection is closed; `None` is never.
    ///
    /// Keep it below the broker's own `connections.max.idle.ms` (10 min), or the broker closes
    /// first and the next request finds out.
    ///
    /// Defaults to 9 min, as in Java.
    ///
    /// Java's name: `connections.max.idle.ms`, where a negative number is never.
    pub fn connections_max_idle(mut self, idle: impl Into<Option<Duration>>) -> Self {
        self.connections_max_idle = idle.into();
        self.by_code("connections.max.idle.ms")
    }

    /// How long one attempt to connect may take; it doubles with each failure, give or take 20 %.
    ///
    /// Defaults to 10 s, as in Java.
    ///
    /// Java's name: `socket.connection.setup.timeout.ms`.
    pub fn connection_setup_timeout(mut self, timeout: Duration) -> Self {
        self.connection_setup_timeout = timeout;
        self.by_code("socket.connection.setup.timeout.ms")
    }

    /// The longest that one attempt to connect may take. If it is below the first, every attempt
    /// has this long.
    ///
    /// Defaults to 30 s, as in Java.
    ///
    /// Java's name: `socket.connection.setup.timeout.max.ms`.
    pub fn connection_setup_timeout_max(mut self, timeout: Duration) -> Self {
        self.connection_setup_timeout_max = timeout;
        self.by_code("socket.connection.setup.timeout.max.ms")
    }

    /// The size of a socket's send buffer; `None` is the system's choice. Needs the feature
    /// `socket-buffers`.
    ///
    /// Defaults to `None`, other than in Java (128 KiB): a fixed size caps throughput to distant
    /// brokers, and Linux turns off the tuning by which it finds a better one.
    ///
    /// Java's name: `send.buffer.bytes`, where -1 is the system's choice.
    pub fn send_buffer_bytes(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.send_buffer_bytes = bytes.into();
        self.by_code("send.buffer.bytes")
    }

    /// The size of a socket's receive buffer; `None` is the system's choice. Needs the feature
    /// `socket-buffers`.
    ///
    /// Defaults to `None`, other than in Java (32 KiB), for the reason of
    /// [`send_buffer_bytes`](Self::send_buffer_bytes).
    ///
    /// Java's name: `receive.buffer.bytes`, where -1 is the system's choice.
    pub fn receive_buffer_bytes(mut self, bytes: impl Into<Option<usize>>) -> Self {
        self.receive_buffer_bytes = bytes.into();
        self.by_code("receive.buffer.bytes")
    }
}

/// Pauses after failures.
impl Config {
    /// The first pause before a request is sent again; it doubles with each failure, give or take
    /// 20 %.
    ///
    /// Shorter hides short failures better and weighs on brokers that are in trouble.
    ///
    /// Defaults to 100 ms, as in Java.
    ///
    /// Java's name: `retry.backoff.ms`.
    pub fn retry_backoff(mut self, pause: Duration) -> Self {
        self.retry_backoff = pause;
        self.by_code("retry.backoff.ms")
    }

    /// The longest pause before a request is sent again. If it is below the first, every pause has
    /// this length.
    ///
    /// Defaults to 1 s, as in Java.
    ///
    /// Java's name: `retry.backoff.max.ms`.
    pub fn retry_backoff_max(mut self, pause: Duration) -> Self {
        self.retry_backoff_max = pause;
        self.by_code("retry.backoff.max.ms")
    }

    /// The first pause before a broker is connected to again; it doubles with each failure, give or
    /// take 20 %.
    ///
    /// As in Java, setting it without [`reconnect_backoff_max`](Self::reconnect_backoff_max) makes
    /// every pause this long.
    ///
    /// Defaults to 50 ms, as in Java.
    ///
    /// Java's name: `reconnect.backoff.ms`.
    pub fn reconnect_backoff(mut self, pause: Duration) -> Self {
        self.reconnect_backoff = pause;
        self.by_code("reconnect.backoff.ms")
    }

    /// The longest pause before a broker is connected to again. If it is below the first, every
    /// pause has this length.
    ///
    /// Defaults to 1 s, as in Java.
    ///
    /// Java's name: `reconnect.backoff.max.ms`.
    pub fn reconnect_backoff_max(mut self, pause: Duration) -> Self {
        self.reconnect_backoff_max = pause;
        self.by_code("reconnect.backoff.max.ms")
    }
}

/// Security.
impl Config {
    /// Whether connections are encrypted, and whether the producer names itself.
    ///
    /// Credentials such as [`sasl_plain`](Self::sasl_plain) do not change it: say
    /// [`SecurityProtocol::SaslSsl`] as well.
    ///
    /// Defaults to [`SecurityProtocol::Plaintext`], as in Java.
    ///
    /// Java's name: `security.protocol`.
    ///
    /// ```
    /// use milena::{Config, SecurityProtocol};
    ///
    /// let config = Config::new("kafka-1:9093")
    ///     .security_protocol(SecurityProtocol::SaslSsl)
    ///     .ssl_truststore_file("/etc/kafka/ca.pem")
    ///     .sasl_plain("alice", "secret");
    /// ```
    pub fn security_protocol(mut self, protocol: SecurityProtocol) -> Self {
        self.security_protocol = protocol;
        self.by_code("security.protocol")
    }

    /// A PEM file with the certificates that brokers' certificates must lead to. Replaces
    /// [`ssl_truststore_pem`](Self::ssl_truststore_pem).
    ///
    /// Defaults to the web's certificate authorities as Mozilla lists them, for brokers with public
    /// certificates; Java's default is the list of its virtual machine.
    ///
    /// Java's name: `ssl.truststore.location`, where `ssl.truststore.type` is `PEM` (Java's own
    /// formats are not read).
    pub fn ssl_truststore_file(mut self, path: impl AsRef<Path>) -> Self {
        self.tls.truststore = Some(PemSource::File(path.as_ref().to_owned()));
        self.origins.forget("ssl.truststore.certificates");
        self.origins.forget("ssl.truststore.type");
        self.by_code("ssl.truststore.location")
    }

    /// The certificates themselves, as PEM text. Replaces
    /// [`ssl_truststore_file`](Self::ssl_truststore_file), whose default applies.
    ///
    /// Java's name: `ssl.truststore.certificates`.
    pub fn ssl_truststore_pem(mut self, pem: impl Into<String>) -> Self {
        self.tls.truststore = Some(PemSource::Inline(Secret::new(pem)));
        self.origins.forget("ssl.truststore.location");
        self.origins.forget("ssl.truststore.type");
        self.by_code("ssl.truststore.certificates")
    }

    /// A PEM file with the client's private key (PKCS#8, PKCS#1 or SEC1) and its
    /// certificate, followed by those of the authorities in between. Replaces
    /// [`ssl_keystore_pem`](Self::ssl_keystore_pem). A key in encrypted PKCS#8 needs
    /// [`ssl_key_password`](Self::ssl_key_password).
    ///
    /// Brokers that ask for a client certificate (`ssl.client.auth`) are shown it. When the file
    /// changes, new connections use what is in it by then, without a restart; while what is in it
    /// cannot be used, they go on with what was, and the log has a warning. The same holds for
    /// [`ssl_truststore_file`](Self::ssl_truststore_file).
    ///
    /// Defaults to none.
    ///
    /// Java's name: `ssl.keystore.location`, where `ssl.keystore.type` is `PEM` (Java's own formats
    /// are not read).
    ///
    /// ```
    /// use milena::{Config, SecurityProtocol};
    ///
    /// let config = Config::new("kafka-1:9093")
    ///     .security_protocol(SecurityProtocol::Ssl)
    ///     .ssl_truststore_file("/etc/kafka/ca.pem")
    ///     .ssl_keystore_file("/etc/kafka/client.pem");
    /// ```
    pub fn ssl_keystore_file(mut self, path: impl AsRef<Path>) -> Self {
        self.tls.keystore = KeyStore {
            location: Some(path.as_ref().to_owned()),
            key_password: self.tls.keystore.key_password.take(),
            ..KeyStore::default()
        };
        self.origins.forget("ssl.keystore.key");
        self.origins.forget("ssl.keystore.certificate.chain");
        self.by_code("ssl.keystore.location")
    }

    /// The client's private key and its certificate chain themselves, as PEM text. Replaces
    /// [`ssl_keystore_file`](Self::ssl_keystore_file), whose default applies. `Debug` and errors do
    /// not show them.
    ///
    /// Java's names: `ssl.keystore.key` and `ssl.keystore.certificate.chain`.
    pub fn ssl_keystore_pem(
        mut self,
        private_key: impl Into<String>,
        certificate_chain: impl Into<String>,
    ) -> Self {
        self.tls.keystore = KeyStore {
            location: None,
            key_password: self.tls.keystore.key_password.take(),
            key: Some(Secret::new(private_key)),
            chain: Some(Secret::new(certificate_chain)),
        };
        self.origins.forget("ssl.keystore.location");
        self.by_code("ssl.keystore.key")
            .by_code("ssl.keystore.certificate.chain")
    }

    /// The password of the client's private key, which is encrypted PKCS#8 (its first line says
    /// `BEGIN ENCRYPTED PRIVATE KEY`): PBES2 with AES, as `openssl pkcs8 -topk8 -v2 aes-256-cbc`
    /// makes it. Needs the feature `encrypted-keys`. `Debug` and errors do not show it.
    ///
    /// Defaults to none.
    ///
    /// Java's name: `ssl.key.password`.
    ///
    /// ```
    /// use milena::Config;
    ///
    /// let config = Config::new("kafka-1:9093")
    ///     .ssl_keystore_file("/etc/kafka/client.pem")
    ///     .ssl_key_password("secret");
    /// ```
    pub fn ssl_key_password(mut self, password: impl Into<String>) -> Self {
        self.tls.keystore.key_password = Some(Secret::new(password));
        self.by_code("ssl.key.password")
    }

    /// The versions of TLS that may be spoken.
    ///
    /// Defaults to both, as in Java; the newer one is chosen where the broker has it.
    ///
    /// Java's names: `ssl.enabled.protocols` is the list; `ssl.protocol=TLSv1.2` leaves out TLS
    /// 1.3, whatever the list says.
    ///
    /// ```
    /// use milena::{Config, TlsVersion};
    ///
    /// let config = Config::new("kafka-1:9093").ssl_versions(&[TlsVersion::V1_3]);
    /// ```
    pub fn ssl_versions(mut self, versions: &[TlsVersion]) -> Self {
        self.chosen.tls_enabled = versions.iter().copied().collect();
        self.chosen.tls_1_2_only = false;
        self.settle_tls_versions();
        self.by_code("ssl.protocol")
            .by_code("ssl.enabled.protocols")
    }

    /// The cipher suites that may be used, by their IANA names, which are Java's:
    /// `TLS_AES_256_GCM_SHA384`, `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256`. A name that the
    /// cryptography does not have is an error of `Producer::new` that lists those that it has.
    ///
    /// Defaults to all that the cryptography has, none of which is weak. An empty list is that too.
    ///
    /// Java's name: `ssl.cipher.suites`.
    ///
    /// ```
    /// use milena::Config;
    ///
    /// let config = Config::new("kafka-1:9093").ssl_cipher_suites(&["TLS_AES_256_GCM_SHA384"]);
    /// ```
    pub fn ssl_cipher_suites(mut self, suites: &[&str]) -> Self {
        self.tls.suites = suites.iter().map(|name| (*name).to_owned()).collect();
        self.by_code("ssl.cipher.suites")
    }

    /// Whether a broker's certificate must be for the host name, or address, that was connected to.
    ///
    /// Without it, everyone who has any trusted certificate can pose as a broker. Java names a
    /// broker so by `ssl.endpoint.identification.algorithm`: `https` is `true`, empty is `false`.
    ///
    /// Defaults to `true`, as in Java.
    pub fn ssl_verify_host_name(mut self, verify: bool) -> Self {
        self.tls.verify_host_name = verify;
        self.by_code("ssl.endpoint.identification.algorithm")
    }

    /// Name and password for the SASL mechanism PLAIN. The last credentials that are set hold.
    ///
    /// Takes effect with [`SecurityProtocol::SaslSsl`] or, the password readable on the wire,
    /// [`SecurityProtocol::SaslPlaintext`]. `Debug` and errors do not show the password.
    ///
    /// Defaults to no credentials.
    ///
    /// Java's names: `sasl.mechanism=PLAIN` and
    /// `sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required
    /// username="..." password="...";`
    pub fn sasl_plain(self, username: impl Into<String>, password: impl Into<String>) -> Self {
        self.log_in_with(SaslConfig::Plain {
            username: username.into(),
            password: Secret::new(password),
        })
    }

    /// Name and password for the SASL mechanism SCRAM-SHA-256: neither side sends the password, and
    /// each proves to the other that it knows it.
    ///
    /// Takes effect with [`SecurityProtocol::SaslSsl`] or, all but the password readable on the
    /// wire, [`SecurityProtocol::SaslPlaintext`]. `Debug` and errors do not show the password.
    ///
    /// Defaults to no credentials. Needs the feature `scram`.
    ///
    /// Java's names: `sasl.mechanism=SCRAM-SHA-256` and
    /// `sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required
    /// username="..." password="...";`
    ///
    /// ```
    /// use milena::{Config, SecurityProtocol};
    ///
    /// let config = Config::new("kafka-1:9093")
    ///     .security_protocol(SecurityProtocol::SaslSsl)
    ///     .sasl_scram_sha_256("alice", "secret");
    /// ```
    pub fn sasl_scram_sha_256(
        self,
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        self.scram(ScramHash::Sha256, username.into(), Secret::new(password))
    }

    /// Name and password for the SASL mechanism SCRAM-SHA-512; otherwise like
    /// [`sasl_scram_sha_256`](Self::sasl_scram_sha_256).
    ///
    /// Java's names: `sasl.mechanism=SCRAM-SHA-512` and the same `sasl.jaas.config`.
    pub fn sasl_scram_sha_512(
        self,
        username: impl Into<String>,
        password: impl Into<String>,
    ) -> Self {
        self.scram(ScramHash::Sha512, username.into(), Secret::new(password))
    }

    /// A delegation token, made by an administrator's tool: its id, and its HMAC in Base64. Brokers
    /// take it by SCRAM, here SCRAM-SHA-256; for a listener with SCRAM-SHA-512 alone,
    /// [`set`](Self::set) that as `sasl.mechanism` afterwards.
    ///
    /// Defaults to no credentials. Needs the feature `scram`.
    ///
    /// Java's name: `tokenauth="true"` in a `sasl.jaas.config` with
    /// `org.apache.kafka.common.security.scram.ScramLoginModule`.
    ///
    /// ```
    /// use milena::Config;
    ///
    /// let config = Config::new("kafka-1:9093")
    ///     .sasl_delegation_token("tokenID123", "lAYYSFmLs4bTjf+lTZ1LCHR/ZZFNA==")
    ///     .set("sasl.mechanism", "SCRAM-SHA-512")?;
    /// # Ok::<(), milena::Error>(())
    /// ```
    pub fn sasl_delegation_token(self, id: impl Into<String>, hmac: impl Into<String>) -> Self {
        self.log_in_with(SaslConfig::Scram(ScramConfig {
            hash: ScramHash::Sha256,
            username: id.into(),
            password: Secret::new(hmac),
            is_token: true,
        }))
    }

    /// A source of tokens for the SASL mechanism OAUTHBEARER: a [`TokenSource`], or a closure that
    /// gives a [`Token`](crate::Token).
    ///
    /// Takes effect with [`SecurityProtocol::SaslSsl`] or, the token readable on the wire,
    /// [`SecurityProtocol::SaslPlaintext`]. `Debug`, logs and errors do not show tokens.
    ///
    /// Defaults to no credentials.
    ///
    /// Java's names: `sasl.mechanism=OAUTHBEARER` and `sasl.login.callback.handler.class`, which
    /// takes a class of Java and is refused here.
    ///
    /// ```
    /// use std::time::{Duration, SystemTime};
    /// use milena::{Config, SecurityProtocol, Token};
    ///
    /// # fn fetch() -> std::io::Result<String> { Ok("ey...".into()) }
    /// let config = Config::new("kafka-1:9093")
    ///     .security_protocol(SecurityProtocol::SaslSsl)
    ///     .sasl_oauthbearer(|| {
    ///         let end = SystemTime::now() + Duration::from_secs(3600);
    ///         Ok(Token::new(fetch()?).expires_at(end))
    ///     });
    /// ```
    pub fn sasl_oauthbearer(self, source: impl TokenSource + 'static) -> Self {
        self.log_in_with(SaslConfig::OauthBearer(AnyTokenSource::new(source)))
    }

    fn scram(self, hash: ScramHash, username: String, password: Secret) -> Self {
        self.log_in_with(SaslConfig::Scram(ScramConfig {
            hash,
            username,
            password,
            is_token: false,
        }))
    }

    fn log_in_with(mut self, sasl: SaslConfig) -> Self {
        self.credentials = None;
        self.chosen.mechanism = Some(sasl.mechanism());
        self.sasl = Some(sasl);
        self.by_code("sasl.mechanism").by_code("sasl.jaas.config")
    }
}
