//! SASL.

use super::*;
use crate::wire::api_versions::ApiVersionsRequest;
use crate::wire::sasl_authenticate::{SaslAuthenticateRequest, SaslAuthenticateResponse};
use crate::wire::sasl_handshake::SaslHandshakeRequest;

fn secured() -> MockCluster {
    let cluster = cluster_of(1);
    cluster.sasl_plain("alice", "secret");
    cluster
}

fn handshake(client: &mut Client, mechanism: &str) -> (Code, Vec<String>) {
    let mechanism = mechanism.to_owned();
    let response = client.call(&SaslHandshakeRequest { mechanism }, 1);
    (response.error, response.mechanisms)
}

fn authenticate(client: &mut Client, token: &[u8], version: i16) -> SaslAuthenticateResponse {
    let auth_bytes = token.to_vec();
    client.call(&SaslAuthenticateRequest { auth_bytes }, version)
}

#[test]
fn a_known_user_may_do_everything() {
    let cluster = secured();
    cluster.sasl_plain("bob", "b");
    for (version, token) in [
        (0, "\0alice\0secret"),
        (1, "bob\0bob\0b"),
        (2, "\0alice\0secret"),
    ] {
        let mut client = Client::connect(&cluster, 1);
        assert!(client.call(&ApiVersionsRequest::default(), 3).error.is_ok());
        assert_eq!(handshake(&mut client, "PLAIN").0, Code::NONE);
        let response = authenticate(&mut client, token.as_bytes(), version);
        assert_eq!(response.error, Code::NONE);
        assert!(client.produce("t", 0, &plain_batch(&["v"])).error.is_ok());
    }
}

#[test]
fn a_wrong_password_is_answered_with_a_text_and_a_hang_up() {
    let cluster = secured();
    let tokens: [&[u8]; 6] = [
        b"root\0alice\0secret",
        b"\0alice\0wrong",
        b"\0mallory\0secret",
        b"alice",
        b"\0alice\0secret\0",
        b"\0\xff\0secret",
    ];
    for token in tokens {
        let mut client = Client::connect(&cluster, 1);
        handshake(&mut client, "PLAIN");
        let response = authenticate(&mut client, token, 2);
        assert_eq!(response.error, Code::SASL_AUTHENTICATION_FAILED);
        assert!(response.error_message.is_some());
        assert!(client.is_hung_up());
    }
}

#[test]
fn another_mechanism_is_told_which_there_is() {
    let cluster = secured();
    let mut client = Client::connect(&cluster, 1);
    let (error, offered) = handshake(&mut client, "SCRAM-SHA-512");
    assert_eq!(
        (error, offered),
        (Code::UNSUPPORTED_SASL_MECHANISM, vec!["PLAIN".to_owned()])
    );
    assert!(client.is_hung_up());
}

#[test]
fn who_has_not_authenticated_is_hung_up_on() {
    let cluster = secured();
    let produce = produce_request(1, "t", 0, &plain_batch(&["v"]));
    let mut client = Client::connect(&cluster, 1);
    assert!(client.try_call(&produce, 9).is_none());
    let mut client = Client::connect(&cluster, 1);
    assert!(client.try_call(&MetadataRequest::default(), 9).is_none());
    let mut client = Client::connect(&cluster, 1);
    handshake(&mut client, "PLAIN");
    let refused = only_partition(client.call(&produce, 9));
    assert_eq!(refused.error, Code::ILLEGAL_SASL_STATE);
    assert!(client.is_hung_up());
    assert_eq!(cluster.end_offset("t", 0), 0);
}

#[test]
fn sasl_out_of_place_is_refused() {
    let cluster = secured();
    let mut client = Client::connect(&cluster, 1);
    let auth_bytes = b"\0alice\0secret".to_vec();
    let token = SaslAuthenticateRequest { auth_bytes };
    assert!(client.try_call(&token, 2).is_none());

    let open = cluster_of(1);
    let mut client = Client::connect(&open, 1);
    assert_eq!(handshake(&mut client, "PLAIN").0, Code::ILLEGAL_SASL_STATE);
}

/// A connection of alice's whose session lasts so long.
fn logged_in(cluster: &MockCluster, lifetime_ms: i64) -> Client {
    cluster.sasl_session_lifetime_ms(lifetime_ms);
    let mut client = Client::connect(cluster, 1);
    handshake(&mut client, "PLAIN");
    let response = authenticate(&mut client, b"\0alice\0secret", 2);
    assert_eq!(response.session_lifetime_ms, lifetime_ms);
    client
}

#[test]
fn a_session_that_is_over_is_closed_at_the_next_request() {
    let cluster = secured();
    for (lifetime_ms, is_over) in [(1, true), (0, false), (-1, false), (i64::MAX, false)] {
        let mut client = logged_in(&cluster, lifetime_ms);
        std::thread::sleep(Duration::from_millis(5));
        let answer = client.try_call(&MetadataRequest::default(), 9);
        assert_eq!(answer.is_none(), is_over, "{lifetime_ms}");
    }
}

/// As Kafka's `KafkaChannel` has it.
#[test]
fn a_session_is_renewed_even_behind_its_end_but_not_twice_in_a_second() {
    let cluster = secured();
    let mut client = logged_in(&cluster, 1);
    std::thread::sleep(Duration::from_millis(5));
    cluster.sasl_session_lifetime_ms(60_000);
    assert_eq!(handshake(&mut client, "PLAIN").0, Code::NONE);
    let response = authenticate(&mut client, b"\0alice\0secret", 2);
    assert_eq!(
        (response.error, response.session_lifetime_ms),
        (Code::NONE, 60_000)
    );
    assert!(client.produce("t", 0, &plain_batch(&["v"])).error.is_ok());
    assert_eq!(handshake(&mut client, "PLAIN").0, Code::ILLEGAL_SASL_STATE);
    assert!(client.produce("t", 0, &plain_batch(&["v"])).error.is_ok());
    // Without an end there is nothing to renew.
    let mut client = logged_in(&cluster, 0);
    assert_eq!(handshake(&mut client, "PLAIN").0, Code::ILLEGAL_SASL_STATE);
    assert!(client.produce("t", 0, &plain_batch(&["v"])).error.is_ok());
}

#[test]
fn who_renews_a_session_is_who_he_was_and_says_nothing_else_meanwhile() {
    let cluster = secured();
    cluster.sasl_plain("bob", "b");
    let mut client = logged_in(&cluster, 60_000);
    handshake(&mut client, "PLAIN");
    let response = authenticate(&mut client, b"\0bob\0b", 2);
    assert_eq!(response.error, Code::SASL_AUTHENTICATION_FAILED);
    let text = response.error_message.expect("a reason");
    assert!(text.contains("from User.alice: User.bob"), "{text}");
    assert!(client.is_hung_up());

    let mut client = logged_in(&cluster, 60_000);
    handshake(&mut client, "PLAIN");
    let refused = only_partition(client.call(&produce_request(1, "t", 0, &plain_batch(&["v"])), 9));
    assert_eq!(refused.error, Code::ILLEGAL_SASL_STATE);
    assert!(client.is_hung_up());
}

#[test]
fn passwords_are_not_shown() {
    let cluster = secured();
    let mut client = Client::connect(&cluster, 1);
    handshake(&mut client, "PLAIN");
    authenticate(&mut client, b"\0alice\0secret", 2);
    let shown = format!(
        "{cluster:?} {:?} {:?}",
        cluster.on(Api::Produce),
        cluster.requests()
    );
    assert!(!shown.contains("secret") && shown.contains(&cluster.bootstrap()));
}

#[cfg(feature = "scram")]
#[test]
fn a_session_is_not_renewed_by_another_mechanism() {
    let cluster = secured();
    cluster.sasl_scram("alice", "secret");
    let mut client = logged_in(&cluster, 60_000);
    assert_eq!(handshake(&mut client, "SCRAM-SHA-256").0, Code::NONE);
    let auth_bytes = b"n,,n=alice,r=abc".to_vec();
    let answer = client.try_call(&SaslAuthenticateRequest { auth_bytes }, 2);
    assert!(answer.is_none());
}

#[test]
fn after_a_handshake_of_version_0_a_token_comes_without_a_header() {
    let cluster = secured();
    for (token, is_right) in [(b"\0alice\0secret", true), (b"\0alice\0wrong!", false)] {
        let mut client = Client::connect(&cluster, 1);
        let mechanism = "PLAIN".to_owned();
        let chosen = client.call(&SaslHandshakeRequest { mechanism }, 0);
        assert_eq!(chosen.error, Code::NONE);
        client.socket.write_all(&[0, 0, 0, 13]).unwrap();
        client.socket.write_all(token).unwrap();
        let answer = client.frame();
        assert_eq!(answer, is_right.then(Vec::new));
        if is_right {
            assert!(client.produce("t", 0, &plain_batch(&["v"])).error.is_ok());
        }
    }
    let requests = cluster.requests();
    let is_bare = |request: &&MockRequest| request.is(Api::SaslAuthenticate);
    assert!(
        requests
            .iter()
            .filter(is_bare)
            .all(|request| request.version == -1)
    );
}

#[cfg(feature = "scram")]
#[test]
fn who_does_not_prove_that_he_knows_the_password_is_refused_by_scram() {
    let cluster = cluster_of(1);
    cluster.sasl_scram("a,b=", "pencil");
    let first = "n,,n=a=2Cb=3D,r=abc";
    for tokens in [
        [first, "c=biws,r=abcmock0,p=AAAA"],
        [first, "c=biws,r=abcmock0"],
        ["n,,n=mallory,r=abc", ""],
        ["n,,n=a=b,r=abc", ""],
        ["n,,n=a=2Cb=3D,r=", ""],
        ["n,,n=a=2Cb=3D,r=abc,tokenauth=true", ""],
        ["y,,n=a=2Cb=3D,r=abc", ""],
        ["", ""],
    ] {
        let mut client = Client::connect(&cluster, 1);
        let (error, offered) = handshake(&mut client, "SCRAM-SHA-512");
        assert_eq!(
            (error, offered.len()),
            (Code::NONE, 2),
            "PLAIN has no users"
        );
        let mut answer = authenticate(&mut client, tokens[0].as_bytes(), 2);
        if tokens[0] == first {
            let text = String::from_utf8(answer.auth_bytes).expect("text");
            assert!(
                text.starts_with("r=abcmock") && text.ends_with(",i=4096"),
                "{text}"
            );
            answer = authenticate(&mut client, tokens[1].as_bytes(), 2);
        }
        assert_eq!(answer.error, Code::SASL_AUTHENTICATION_FAILED, "{tokens:?}");
        assert!(client.is_hung_up());
    }
}

/// A token without a signature, with these claims.
fn unsecured(claims: &str) -> String {
    const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let bits = claims
        .bytes()
        .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1));
    let bits: Vec<u8> = bits.collect();
    let digits = bits.chunks(6).map(|bits| {
        let value = (0..6).fold(0, |value, n| value << 1 | bits.get(n).unwrap_or(&0));
        char::from(DIGITS[usize::from(value)])
    });
    format!("eyJhbGciOiJub25lIn0.{}.", digits.collect::<String>())
}

#[test]
fn a_bearer_is_let_in_until_the_token_ends_and_others_are_told_why_not() {
    let cluster = cluster_of(1);
    cluster.sasl_oauthbearer();
    let end = crate::time::wall_clock_ms() / 1000 + 60;
    let good = unsecured(&format!(
        r#"{{"sub":"alice", "exp" : {end}.5,"scope":["a","b"]}}"#
    ));
    let old = unsecured(&format!(r#"{{"sub":"alice","exp":{}}}"#, end - 61));
    let nobody = unsecured(&format!(r#"{{"exp":{end}}}"#));
    let signed = good.replace("eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzI1NiJ9") + "abc";
    let first = |token: &str| format!("n,,\x01auth=Bearer {token}\x01a=b\x01\x01");
    let invalid = r#"{"status":"invalid_token"}"#;
    for (token, scope, reason) in [
        (&*good, None, ""),
        (&*good, Some("b"), ""),
        (
            &*good,
            Some("c"),
            r#"{"status":"insufficient_scope", "scope":"c"}"#,
        ),
        (&*old, None, invalid),
        (&*nobody, None, invalid),
        (&*signed, None, invalid),
        ("garbage", None, invalid),
    ] {
        cluster.sasl_oauthbearer_scope(scope);
        let mut client = Client::connect(&cluster, 1);
        assert_eq!(handshake(&mut client, "OAUTHBEARER").0, Code::NONE);
        let response = authenticate(&mut client, first(token).as_bytes(), 2);
        assert_eq!(response.error, Code::NONE);
        assert_eq!(response.auth_bytes, reason.as_bytes());
        if reason.is_empty() {
            assert!((50_000..=60_500).contains(&response.session_lifetime_ms));
            assert!(client.produce("t", 0, &plain_batch(&["v"])).error.is_ok());
            continue;
        }
        // That is no refusal yet.
        let response = authenticate(&mut client, &[1], 2);
        assert_eq!(response.error, Code::SASL_AUTHENTICATION_FAILED);
        assert_eq!(response.error_message.as_deref(), Some(reason));
        assert!(client.is_hung_up());
    }
    let login = ("alice".into(), vec![("a".into(), "b".into())]);
    assert_eq!(cluster.sasl_oauthbearer_logins(), [login.clone(), login]);
    let mut client = Client::connect(&cluster, 1);
    handshake(&mut client, "OAUTHBEARER");
    let response = authenticate(&mut client, b"\x01", 2);
    assert_eq!(response.error, Code::SASL_AUTHENTICATION_FAILED);
}
