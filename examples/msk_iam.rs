//! AWS MSK with IAM: a token source for the SASL mechanism OAUTHBEARER.
//!
//! ```text
//! AWS_REGION=eu-west-1 AWS_ACCESS_KEY_ID=... AWS_SECRET_ACCESS_KEY=... [AWS_SESSION_TOKEN=...] \
//!     cargo run --example msk_iam -- b-1.example.kafka.eu-west-1.amazonaws.com:9098 TOPIC
//! ```
//!
//! Java's clients name `software.amazon.msk.auth.iam.IAMLoginModule` and the mechanism
//! `AWS_MSK_IAM` for this; the same listeners (port 9098, or 9198 from outside of the VPC) take
//! OAUTHBEARER with a token that each client signs by itself, without asking anybody: a URL that
//! asks for `kafka-cluster:Connect`, pre-signed with Signature Version 4 for 900 s, in base64url.
//!
//! The credentials are read from the environment for each token, ahead of the end of the last one.
//! A program with AWS's SDK asks its credentials provider there instead, which knows of profiles,
//! of roles and of the instance.

mod support;

use std::env;
use std::fmt::Write;
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hmac::{Hmac, KeyInit, Mac};
use milena::{Config, Producer, Record, SecurityProtocol, Token, TokenSource};
use sha2::{Digest, Sha256};

const USAGE: &str = "usage: msk_iam BOOTSTRAP_SERVERS TOPIC    (AWS_REGION, AWS_ACCESS_KEY_ID, \
    AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN are read)";

/// How long a token holds: the longest that MSK takes.
const LIFETIME: Duration = Duration::from_secs(900);

type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    support::log_to_stderr();
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [servers, topic] = arguments.as_slice() else {
        println!("{USAGE}");
        return ExitCode::SUCCESS;
    };
    match run(servers, topic) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(servers: &str, topic: &str) -> Result<(), AnyError> {
    let source = MskIam {
        region: variable("AWS_REGION")?,
    };
    let config = Config::new(servers)
        .security_protocol(SecurityProtocol::SaslSsl)
        .sasl_oauthbearer(source)
        .idempotence(true);
    let producer = Producer::new(config)?;
    let metadata = producer.send(Record::to(topic).value("hello")).wait()?;
    println!(
        "partition {}, offset {:?}",
        metadata.partition(),
        metadata.offset()
    );
    producer.close()?;
    Ok(())
}

/// Signs tokens for the clusters of a region.
struct MskIam {
    region: String,
}

impl TokenSource for MskIam {
    fn token(&self) -> Result<Token, AnyError> {
        let credentials = Credentials {
            key_id: variable("AWS_ACCESS_KEY_ID")?,
            secret: variable("AWS_SECRET_ACCESS_KEY")?,
            session: env::var("AWS_SESSION_TOKEN").ok(),
        };
        let now = SystemTime::now();
        let token = token(&self.region, &credentials, seconds(now)?);
        // The principal is for messages; MSK goes by the key that signed.
        Ok(Token::new(token)
            .expires_at(now + LIFETIME)
            .principal(credentials.key_id))
    }
}

fn variable(name: &str) -> Result<String, AnyError> {
    env::var(name).map_err(|error| format!("{name}: {error}").into())
}

fn seconds(time: SystemTime) -> Result<u64, AnyError> {
    Ok(time.duration_since(UNIX_EPOCH)?.as_secs())
}

struct Credentials {
    key_id: String,
    secret: String,
    /// Of temporary credentials.
    session: Option<String>,
}

/// What MSK takes for a token.
fn token(region: &str, credentials: &Credentials, now: u64) -> String {
    let url = Request {
        host: &format!("kafka.{region}.amazonaws.com"),
        path: "/",
        query: &[("Action", "kafka-cluster:Connect")],
        region,
        service: "kafka-cluster",
        lifetime: LIFETIME,
        // Of no body.
        payload: &hex(&Sha256::digest("")),
    }
    .presigned(credentials, now);
    // Not signed; it tells AWS's logs who asked.
    base64url(format!("{url}&User-Agent=milena-example").as_bytes())
}

/// A GET that is to be signed (Signature Version 4).
struct Request<'a> {
    host: &'a str,
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    region: &'a str,
    service: &'a str,
    lifetime: Duration,
    /// The hash of the body in hexadecimal digits, or `UNSIGNED-PAYLOAD`.
    payload: &'a str,
}

impl Request<'_> {
    /// The URL with its signature among the parameters.
    fn presigned(&self, credentials: &Credentials, now: u64) -> String {
        let (day, time) = iso(now);
        let scope = format!("{day}/{}/{}/aws4_request", self.region, self.service);
        let credential = format!("{}/{scope}", credentials.key_id);
        let lifetime = self.lifetime.as_secs().to_string();
        let mut parameters = self.query.to_vec();
        parameters.extend([
            ("X-Amz-Algorithm", "AWS4-HMAC-SHA256"),
            ("X-Amz-Credential", &credential),
            ("X-Amz-Date", &time),
            ("X-Amz-Expires", &lifetime),
            ("X-Amz-SignedHeaders", "host"),
        ]);
        if let Some(session) = &credentials.session {
            parameters.push(("X-Amz-Security-Token", session));
        }
        let mut parameters: Vec<String> = parameters
            .into_iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(value)))
            .collect();
        parameters.sort_unstable();
        let query = parameters.join("&");

        let (host, path, payload) = (self.host, self.path, self.payload);
        let canonical = format!("GET\n{path}\n{query}\nhost:{host}\n\nhost\n{payload}");
        let hash = hex(&Sha256::digest(canonical));
        let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hash}");
        let key = signing_key(&credentials.secret, &day, self.region, self.service);
        let signature = hex(&hmac(&key, &to_sign));
        format!("https://{host}{path}?{query}&X-Amz-Signature={signature}")
    }
}

fn signing_key(secret: &str, day: &str, region: &str, service: &str) -> Vec<u8> {
    [day, region, service, "aws4_request"]
        .into_iter()
        .fold(format!("AWS4{secret}").into_bytes(), |key, part| {
            hmac(&key, part)
        })
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

/// The day and the time in UTC, `20150830` and `20150830T123600Z`.
fn iso(seconds: u64) -> (String, String) {
    // Howard Hinnant's civil_from_days: years begin in March, so that a leap day ends one.
    let days = seconds / 86_400 + 719_468;
    let (era, day_of_era) = (days / 146_097, days % 146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    let date = format!("{year:04}{month:02}{day:02}");
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let time = format!("{date}T{hour:02}{minute:02}{second:02}Z");
    (date, time)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("strings take what is written");
        text
    })
}

/// As Signature Version 4 has it: all but RFC 3986's unreserved characters as `%XX`.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            byte => write!(encoded, "%{byte:02X}").expect("strings take what is written"),
        }
        encoded
    })
}

/// Without padding.
fn base64url(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let byte = |at: usize| u32::from(chunk.get(at).copied().unwrap_or_default());
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for digit in 0..=chunk.len() {
            text.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn credentials(key_id: &str, secret: &str) -> Credentials {
        Credentials {
            key_id: key_id.into(),
            secret: secret.into(),
            session: None,
        }
    }

    /// "Deriving the signing key" of AWS's General Reference.
    #[test]
    fn the_signing_key_is_that_of_the_reference() {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let key = signing_key(secret, "20150830", "us-east-1", "iam");
        let expected = "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9";
        assert_eq!(hex(&key), expected);
    }

    /// "Authenticating Requests: Using Query Parameters" of the reference of Amazon S3.
    #[test]
    fn the_example_of_the_reference_is_signed_alike() {
        let request = Request {
            host: "examplebucket.s3.amazonaws.com",
            path: "/test.txt",
            query: &[],
            region: "us-east-1",
            service: "s3",
            lifetime: Duration::from_secs(86_400),
            payload: "UNSIGNED-PAYLOAD",
        };
        let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        let url = request.presigned(&credentials("AKIAIOSFODNN7EXAMPLE", secret), 1_369_353_600);
        assert_eq!(
            url,
            "https://examplebucket.s3.amazonaws.com/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256\
             &X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request\
             &X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host\
             &X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        );
    }

    #[test]
    fn a_token_is_a_signed_url_in_base64url() {
        let mut temporary = credentials("AKIDEXAMPLE", "secret");
        temporary.session = Some("session/token".into());
        let token = token("eu-west-1", &temporary, 1_440_938_160);
        assert!(
            token
                .bytes()
                .all(|c| c.is_ascii_alphanumeric() || b"-_".contains(&c))
        );
        let url = b"https://kafka.eu-west-1.amazonaws.com/?Action=kafka-cluster%3AConnect&";
        let whole = url.len() / 3 * 3;
        assert!(token.starts_with(&base64url(&url[..whole])));
        assert_eq!(iso(1_440_938_160).1, "20150830T123600Z");
        assert_eq!(iso(951_782_400).0, "20000229");
        for (bytes, text) in [
            ("f", "Zg"),
            ("fo", "Zm8"),
            ("foo", "Zm9v"),
            ("\u{3ff}", "z78"),
        ] {
            assert_eq!(base64url(bytes.as_bytes()), text);
        }
    }
}
