//! SASL against a scripted broker.

use std::io::{Read, Write};
use std::time::Duration;

use super::super::tests::*;
use super::*;
use crate::config::Secret;
use crate::conn::{Address, Connection, Connector, Due};
use crate::oauth::AnyTokenSource;
use crate::time::after;
use crate::wire::Request;
use crate::wire::api_versions::ApiRange;

const PASSWORD: &str = "s3cret-pa55";

fn credentials() -> SaslConfig {
    SaslConfig::Plain {
        username: "anna".into(),
        password: Secret::new(PASSWORD),
    }
}

fn open_with_sasl(address: &Address) -> Result<Connection, Error> {
    let connector = connector(SecurityProtocol::SaslPlaintext, Some(&credentials()));
    let opened = open(&connector, address);
    let shown = format!("{connector:?} {opened:?}");
    assert!(!shown.contains(PASSWORD), "{shown}");
    opened
}

fn agree(stream: &mut (impl Read + Write)) {
    serve::<SaslHandshakeRequest>(stream, |request| {
        assert_eq!(request.mechanism, "PLAIN");
        SaslHandshakeResponse::default()
    });
}

fn refused(response: SaslAuthenticateResponse) -> Error {
    let (address, thread) = peer(move |mut socket| {
        serve_versions(&mut socket);
        agree(&mut socket);
        serve::<SaslAuthenticateRequest>(&mut socket, |_| response);
        assert_eq!(drain(&mut socket), 0);
    });
    let error = open_with_sasl(&address).unwrap_err();
    thread.join().unwrap();
    error
}

#[test]
fn plain_sends_user_and_password_and_keeps_the_end_of_the_session() {
    for (lifetime_ms, ends) in [(0, false), (-1, false), (60_000, true)] {
        let (address, thread) = peer(move |mut socket| {
            serve_versions(&mut socket);
            agree(&mut socket);
            serve::<SaslAuthenticateRequest>(&mut socket, |request| {
                assert_eq!(
                    request.auth_bytes,
                    format!("\0anna\0{PASSWORD}").into_bytes()
                );
                SaslAuthenticateResponse {
                    session_lifetime_ms: lifetime_ms,
                    ..SaslAuthenticateResponse::default()
                }
            })
        });
        let connection = open_with_sasl(&address).unwrap();
        let much_later = after(now(), Duration::from_secs(61)).unwrap();
        let (write, _read) = connection.split();
        assert_eq!(write.due(much_later) != Due::Nothing, ends);
        assert_eq!(thread.join().unwrap().api_version, 2);
    }
}

#[test]
fn a_wrong_password_gives_the_words_of_the_broker_and_the_user_and_no_password() {
    let error = refused(SaslAuthenticateResponse {
        error: Code::SASL_AUTHENTICATION_FAILED,
        error_message: Some("Authentication failed: Invalid username or password".into()),
        ..SaslAuthenticateResponse::default()
    });
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert_eq!(error.code(), Some(Code::SASL_AUTHENTICATION_FAILED.0));
    let text = error.to_string();
    assert!(
        text.ends_with(
            "SASL authentication: the broker refused user \"anna\" (PLAIN): Authentication \
             failed: Invalid username or password"
        ),
        "{text}"
    );
}

#[test]
fn what_a_broker_says_is_bounded_and_cannot_carry_the_password_or_control_characters() {
    let say = |said: String| {
        let error = refused(SaslAuthenticateResponse {
            error: Code::SASL_AUTHENTICATION_FAILED,
            error_message: Some(said),
            ..SaslAuthenticateResponse::default()
        });
        error.to_string()
    };
    let echoed = say(format!("user anna with {PASSWORD}"));
    assert!(
        !echoed.contains(PASSWORD) && echoed.contains("hidden"),
        "{echoed}"
    );
    let long = say("\x1b[31m\n".repeat(5000));
    assert!(
        long.len() < 600 && !long.contains(char::is_control),
        "{long}"
    );
}

#[test]
fn a_mechanism_that_is_not_offered_lists_those_that_are() {
    let table = [
        (
            Code::UNSUPPORTED_SASL_MECHANISM,
            "sasl.mechanism is PLAIN, which this listener does not offer; it offers \
             SCRAM-SHA-256, OAUTHBEARER",
        ),
        (
            Code::ILLEGAL_SASL_STATE,
            "this listener does not use SASL: security.protocol should be PLAINTEXT or SSL",
        ),
    ];
    for (code, says) in table {
        let (address, thread) = peer(move |mut socket| {
            serve_versions(&mut socket);
            serve::<SaslHandshakeRequest>(&mut socket, |_| SaslHandshakeResponse {
                error: code,
                mechanisms: vec!["SCRAM-SHA-256".into(), "OAUTHBEARER".into()],
            });
            assert_eq!(drain(&mut socket), 0);
        });
        let error = open_with_sasl(&address).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication);
        assert_eq!(error.code(), Some(code.0));
        let text = error.to_string();
        assert!(
            text.contains("SASL handshake: ") && text.ends_with(says),
            "{text}"
        );
        thread.join().unwrap();
    }
}

#[test]
fn a_broker_of_0_11_gets_the_token_without_a_header() {
    for accepts in [true, false] {
        let (address, thread) = peer(move |mut socket| {
            let old = ApiRange {
                key: SaslHandshakeRequest::KEY,
                min: 0,
                max: 0,
            };
            serve_these_versions(&mut socket, vec![old]);
            agree(&mut socket);
            let token = format!("\0anna\0{PASSWORD}").into_bytes();
            let mut bytes = vec![0; 4 + token.len()];
            socket.read_exact(&mut bytes).unwrap();
            assert_eq!(bytes[..4], (token.len() as u32).to_be_bytes());
            assert_eq!(bytes[4..], token);
            if accepts {
                socket.write_all(&[0; 4]).unwrap();
            }
        });
        let opened = open_with_sasl(&address);
        thread.join().unwrap();
        let Err(error) = opened else {
            assert!(accepts);
            continue;
        };
        assert!(!accepts);
        assert_eq!(error.kind(), ErrorKind::Connection);
        let text = error.to_string();
        assert!(
            text.contains("brokers before Apache Kafka 1.0 do so if"),
            "{text}"
        );
    }
}

#[test]
fn sasl_without_credentials_is_a_matter_of_the_settings() {
    let dialer = crate::conn::tcp::Dialer::default();
    let security = SecurityProtocol::SaslPlaintext;
    let error = Connector::with("tester", security, dialer, &no_tls(), None);
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Config);
}

fn bearer() -> Connector {
    let source = || Ok(crate::oauth::Token::new("abc").principal("anna"));
    let source = SaslConfig::OauthBearer(AnyTokenSource::new(source));
    connector(SecurityProtocol::SaslPlaintext, Some(&source))
}

fn agree_on_tokens(stream: &mut (impl Read + Write)) {
    serve::<SaslHandshakeRequest>(stream, |request| {
        assert_eq!(request.mechanism, "OAUTHBEARER");
        SaslHandshakeResponse::default()
    });
}

fn answer_token(
    stream: &mut (impl Read + Write),
    expected: &'static [u8],
    answer: SaslAuthenticateResponse,
) {
    serve::<SaslAuthenticateRequest>(stream, |request| {
        assert_eq!(request.auth_bytes, expected);
        answer
    });
}

const TOKEN: &[u8] = b"n,,\x01auth=Bearer abc\x01\x01";

#[test]
fn a_challenge_is_acknowledged_with_one_byte_and_then_the_refusal_comes() {
    let refusals = [Code::SASL_AUTHENTICATION_FAILED, Code::NONE];
    for refusal in refusals {
        let (address, thread) = peer(move |mut socket| {
            serve_versions(&mut socket);
            agree_on_tokens(&mut socket);
            let challenge = SaslAuthenticateResponse {
                auth_bytes: br#"{"status":"invalid_token"}"#.to_vec(),
                ..SaslAuthenticateResponse::default()
            };
            answer_token(&mut socket, TOKEN, challenge);
            let refusal = SaslAuthenticateResponse {
                error: refusal,
                ..SaslAuthenticateResponse::default()
            };
            answer_token(&mut socket, b"\x01", refusal);
            assert_eq!(drain(&mut socket), 0);
        });
        let error = open(&bearer(), &address).unwrap_err();
        thread.join().unwrap();
        let code = (refusal != Code::NONE).then_some(refusal.0);
        assert_eq!(
            (error.kind(), error.code()),
            (ErrorKind::Authentication, code)
        );
        let says = "the broker refused the token of \"anna\" (OAUTHBEARER): invalid_token";
        assert!(error.to_string().ends_with(says), "{error}");
    }
}

/// It may be good, but for another principal than the session has.
#[test]
fn a_token_that_is_refused_at_a_renewal_is_nothing_that_lasts() {
    let (address, thread) = peer(|mut socket| {
        serve_versions(&mut socket);
        agree_on_tokens(&mut socket);
        let granted = SaslAuthenticateResponse {
            session_lifetime_ms: 60_000,
            ..SaslAuthenticateResponse::default()
        };
        answer_token(&mut socket, TOKEN, granted);
        agree_on_tokens(&mut socket);
        let refused = SaslAuthenticateResponse {
            error: Code::SASL_AUTHENTICATION_FAILED,
            error_message: Some("Cannot change principals".into()),
            ..SaslAuthenticateResponse::default()
        };
        answer_token(&mut socket, TOKEN, refused);
    });
    let connector = bearer();
    let (mut write, mut read) = open(&connector, &address).unwrap().split();
    let identity = connector.prepare(&mut write).expect("a token");
    let renewed = connector.renew(&mut write, &mut read, &identity, patience());
    let error = renewed.unwrap_err();
    thread.join().unwrap();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(
        error.to_string().ends_with("Cannot change principals"),
        "{error}"
    );
    assert!(connector.refusal(&address).is_none());
}
