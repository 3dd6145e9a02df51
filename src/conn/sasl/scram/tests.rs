//! The messages of SCRAM, with brokers that lie.

use super::*;
use crate::config::Secret;

const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";
/// What the server of RFC 7677 adds.
const ADDED: &str = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
const SALT: &str = "W22ZaJ0SNY7soEsUEjb6gQ==";

fn scram(hash: ScramHash, username: &str, password: &str) -> ScramConfig {
    ScramConfig {
        hash,
        username: username.into(),
        password: Secret::new(password),
        is_token: false,
    }
}

fn first_of(username: &str, is_token: bool) -> String {
    let mut scram = scram(ScramHash::Sha256, username, "pencil");
    scram.is_token = is_token;
    let (message, _) = greet(&scram, NONCE.into());
    String::from_utf8(message).unwrap()
}

/// The refusal of a first answer, or of a final one behind a good first one.
fn refusal(first: &[u8], last: &[u8]) -> Refusal {
    let scram = scram(ScramHash::Sha256, "user", "pencil");
    let (_, greeted) = greet(&scram, NONCE.into());
    match greeted.answer(first) {
        Ok((_, proved)) => proved.verify(last).unwrap_err(),
        Err(refusal) => refusal,
    }
}

fn good_first() -> String {
    format!("r={NONCE}{ADDED},s={SALT},i=4096")
}

/// The first row is section 3 of RFC 7677. The others are what Kafka 4.3.1's ScramFormatter made of
/// the same nonces and salt, with a password outside ASCII in the last two.
#[test]
fn the_vectors_of_the_rfc_and_of_kafka_hold() {
    for (hash, password, proof, signature) in [
        (
            ScramHash::Sha256,
            "pencil",
            "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
            "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=",
        ),
        (
            ScramHash::Sha512,
            "pencil",
            "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw+3R2xNJdMNnzMlTN8PPC6wdp6d\
             ybEmDYXYTxwnYPJQ==",
            "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXn\
             Jq199RVG2rR7N7Zw==",
        ),
        (
            ScramHash::Sha256,
            "p\u{e4}ss,w=rd \u{20ac}",
            "O9i9Ip3XMFXCDvT6taj1F7yvEEQTiHenOlKCC4A+gyQ=",
            "upcqc4UuJzM9FODpWoSzyu0ftpwiE6M3CW3qpbJuWmc=",
        ),
        (
            ScramHash::Sha512,
            "p\u{e4}ss,w=rd \u{20ac}",
            "MRtD/9sK+YpK9JzOhjAfQ2du1CBuQgbF144TbEm2e/jvd4ZJwgS9TrcupLOBC0pLajg4q5\
             pemdvXrBh/fdeyMQ==",
            "DpOg8rFtlQ7+cFTdKsnA4cjJDKsBpIkx5Gxzz1tXbpefTMSCUKDpkC/grcjY3foMizKCHb\
             DlcddCbwKwZd3d7g==",
        ),
    ] {
        let scram = scram(hash, "user", password);
        let (message, greeted) = greet(&scram, NONCE.into());
        assert_eq!(message, b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
        let (message, proved) = greeted.answer(good_first().as_bytes()).unwrap();
        let expected = format!("c=biws,r={NONCE}{ADDED},p={proof}");
        assert_eq!(String::from_utf8(message).unwrap(), expected);
        let last = format!("v={signature}");
        assert_eq!(proved.verify(last.as_bytes()), Ok(()));
    }
}

#[test]
fn a_user_name_is_escaped_and_a_token_said_to_be_one() {
    assert_eq!(
        first_of("a=b,c=", false),
        format!("n,,n=a=3Db=2Cc=3D,r={NONCE}")
    );
    assert_eq!(first_of("=2C", false), format!("n,,n==3D2C,r={NONCE}"));
    assert_eq!(first_of("zoë", false), format!("n,,n=zoë,r={NONCE}"));
    assert_eq!(
        first_of("id", true),
        format!("n,,n=id,r={NONCE},tokenauth=true")
    );
}

#[test]
fn every_login_has_its_own_nonce() {
    let scram = scram(ScramHash::Sha512, "user", "pencil");
    let nonces: Vec<String> = (0..50).map(|_| start(&scram).unwrap().1.nonce).collect();
    let mut distinct = nonces.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), nonces.len());
    let is_fit = |nonce: &String| nonce.len() == 32 && !nonce.contains([',', '=']);
    assert!(nonces.iter().all(is_fit), "{nonces:?}");
}

#[test]
fn a_nonce_that_does_not_continue_ours_is_refused() {
    let half = &NONCE[..10];
    let other = NONCE.to_lowercase();
    for nonce in [
        "",
        "x",
        ADDED,
        NONCE,
        half,
        &format!("{other}{ADDED}"),
        &format!("x{NONCE}y"),
    ] {
        let first = format!("r={nonce},s={SALT},i=4096");
        assert_eq!(
            refusal(first.as_bytes(), b""),
            Refusal::ForeignNonce,
            "{nonce}"
        );
    }
}

#[test]
fn too_few_and_too_many_iterations_are_refused_without_doing_them() {
    let max = u64::MAX.to_string();
    for (count, says) in [
        (
            "0",
            "asks for 0 iterations, and at least 4096 keep the password safe",
        ),
        ("1", "asks for 1 iterations, and at least 4096"),
        ("4095", "asks for 4095 iterations, and at least 4096"),
        (
            "1000001",
            "asks for 1000001 iterations, and no more than 1000000 are done",
        ),
        (
            "100000000",
            "asks for 100000000 iterations, and no more than 1000000",
        ),
        (
            "2147483647",
            "asks for 2147483647 iterations, and no more than",
        ),
        (
            "4294971392",
            "asks for 4294971392 iterations, and no more than",
        ),
        (
            &max,
            "asks for 18446744073709551615 iterations, and no more than",
        ),
        (
            &"9".repeat(500),
            "asks for 18446744073709551615 iterations, and no more than",
        ),
    ] {
        let first = format!("r={NONCE}{ADDED},s={SALT},i={count}");
        let text = refusal(first.as_bytes(), b"").to_string();
        assert!(text.contains(says), "{text}");
    }
}

#[test]
fn first_answers_that_cannot_be_read_say_what_is_wrong() {
    let start = format!("r={NONCE}{ADDED}");
    let long = format!("{},x={}", good_first(), "y".repeat(8 << 10));
    for (first, says) in [
        ("", "does not begin with a nonce"),
        ("garbage", "does not begin with a nonce"),
        (
            &format!("s={SALT},{start},i=4096"),
            "does not begin with a nonce",
        ),
        (
            &format!("m=new,{start},s={SALT},i=4096"),
            "an extension, m=",
        ),
        (
            &format!("{start}\u{7f},s={SALT},i=4096"),
            "nonce is not printable",
        ),
        (
            &format!("{start}\u{e9},s={SALT},i=4096"),
            "nonce is not printable",
        ),
        (&start, "no salt, s="),
        (&format!("{start},i=4096"), "no salt, s="),
        (&format!("{start},s=,i=4096"), "salt is empty or no Base64"),
        (
            &format!("{start},s=W22*,i=4096"),
            "salt is empty or no Base64",
        ),
        (&format!("{start},s={SALT}"), "no number of iterations"),
        (&format!("{start},s={SALT},j=1"), "no number of iterations"),
        (&format!("{start},s={SALT},i="), "is no number"),
        (&format!("{start},s={SALT},i=abc"), "is no number"),
        (&format!("{start},s={SALT},i=-1"), "is no number"),
        (&format!("{start},s={SALT},i=+4096"), "is no number"),
        (&format!("{start},s={SALT},i=4096 "), "is no number"),
        (&long, "longer than 8 KiB"),
    ] {
        let text = refusal(first.as_bytes(), b"").to_string();
        assert!(
            text.starts_with("the broker's message cannot be read: "),
            "{text}"
        );
        assert!(text.contains(says), "{first}: {text}");
    }
    let text = refusal(b"r=\xff\xfe,s=,i=", b"").to_string();
    assert!(text.ends_with("it is not UTF-8"), "{text}");
    // Extensions that may be left alone are.
    let extended = format!("{},x=1,tokenauth=yes", good_first());
    assert_eq!(
        refusal(extended.as_bytes(), b"v=AAAA"),
        Refusal::WrongSignature
    );
}

#[test]
fn a_broker_that_does_not_prove_itself_is_refused() {
    // Of another password, of SHA-512, cut, and of one bit that is wrong.
    for signature in [
        "upcqc4UuJzM9FODpWoSzyu0ftpwiE6M3CW3qpbJuWmc=",
        "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXn\
         Jq199RVG2rR7N7Zw==",
        "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95A==",
        "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G8=",
        "",
    ] {
        let last = format!("v={signature}");
        let refused = refusal(good_first().as_bytes(), last.as_bytes());
        assert_eq!(refused, Refusal::WrongSignature, "{signature}");
    }
    for last in ["", "v", "v=*", "p=6rri", "garbage", "x=1,v=6rri"] {
        let refused = refusal(good_first().as_bytes(), last.as_bytes()).to_string();
        assert!(
            refused.contains("it has no signature, v="),
            "{last}: {refused}"
        );
    }
}

#[test]
fn what_a_broker_says_of_its_refusal_is_told_in_one_line() {
    for (said, told) in [
        ("e=invalid-proof", "the broker refused: invalid-proof"),
        ("e=other-error,x=1", "the broker refused: other-error"),
        ("e=a\x1bb\n", "the broker refused: a b "),
        ("e=", "the broker refused: "),
    ] {
        assert_eq!(refusal(said.as_bytes(), b"").to_string(), told);
        let late = refusal(good_first().as_bytes(), said.as_bytes());
        assert_eq!(late.to_string(), told);
    }
    let long = format!("e={}", "x".repeat(5000));
    assert!(refusal(long.as_bytes(), b"").to_string().len() < 400);
}

#[test]
fn credentials_that_saslprep_prohibits_are_refused_without_being_shown() {
    for (user, password, says) in [
        ("", "hush", "the user name for SCRAM-SHA-256 is empty"),
        ("user", "", "the password for SCRAM-SHA-256 is empty"),
        (
            "us\0er",
            "hush",
            "the user name for SCRAM-SHA-256 holds a control character",
        ),
        (
            "user",
            "hu\tsh",
            "the password for SCRAM-SHA-256 holds a control character",
        ),
        (
            "user",
            "hush\u{85}",
            "the password for SCRAM-SHA-256 holds a control character",
        ),
    ] {
        let error = check(&scram(ScramHash::Sha256, user, password)).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (ErrorKind::Config, says.to_owned())
        );
    }
    for good in ["päss,w=rd €", " ", "pencil"] {
        assert!(check(&scram(ScramHash::Sha512, good, good)).is_ok());
    }
}
