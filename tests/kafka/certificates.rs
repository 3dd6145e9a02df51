//! Certificates by the JDK's keytool: a CA, brokers good and bad, clients.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{once, source};

/// Of all key stores.
pub(super) const PASSWORD: &str = "changeit";

/// What a broker shows to its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Certificate {
    /// By the CA, for `localhost` and 127.0.0.1.
    Good,
    /// As the good one, but it ended days ago.
    Expired,
    /// By the CA, for `elsewhere.test`.
    WrongHost,
    /// For `localhost`, by a CA that nobody trusts.
    Untrusted,
}

/// Name, its signer (itself when empty), subject, and further options.
type Recipe = (&'static str, &'static str, &'static str, &'static str);

const CERTIFICATES: [Recipe; 10] = [
    (
        "ca",
        "",
        "CN=milena test CA",
        "-validity 3650 -ext bc:c=ca:true",
    ),
    (
        "unknown-ca",
        "",
        "CN=unknown CA",
        "-validity 3650 -ext bc:c=ca:true",
    ),
    (
        "good",
        "ca",
        "CN=localhost",
        "-validity 3650 -ext san=dns:localhost,ip:127.0.0.1",
    ),
    (
        "expired",
        "ca",
        "CN=localhost",
        "-validity 5 -ext san=dns:localhost,ip:127.0.0.1",
    ),
    (
        "wrong-host",
        "ca",
        "CN=elsewhere.test",
        "-validity 3650 -ext san=dns:elsewhere.test",
    ),
    (
        "untrusted",
        "unknown-ca",
        "CN=localhost",
        "-validity 3650 -ext san=dns:localhost,ip:127.0.0.1",
    ),
    (
        "alice",
        "ca",
        "CN=alice",
        "-validity 3650 -ext san=dns:alice",
    ),
    (
        "late-alice",
        "ca",
        "CN=alice",
        "-validity 5 -ext san=dns:alice",
    ),
    (
        "mallory",
        "ca",
        "CN=mallory",
        "-validity 3650 -ext san=dns:mallory",
    ),
    (
        "stranger",
        "unknown-ca",
        "CN=alice",
        "-validity 3650 -ext san=dns:alice",
    ),
];

impl Certificate {
    /// The key store (PKCS12, [`PASSWORD`]) that holds it.
    pub(super) fn key_store(self) -> PathBuf {
        directory().join(match self {
            Self::Good => "good.p12",
            Self::Expired => "expired.p12",
            Self::WrongHost => "wrong-host.p12",
            Self::Untrusted => "untrusted.p12",
        })
    }
}

/// The certificate, as PEM, of whose issuer a broker's certificate is.
pub(crate) fn authority(certificate: Certificate) -> String {
    let file = certificate.key_store().with_extension("pem");
    let chain = fs::read_to_string(file).expect("read the PEM of a broker");
    let last = chain.rfind("-----BEGIN CERTIFICATE");
    chain[last.expect("a chain of certificates")..].to_owned()
}

/// The PEM file of the CA that clients trust.
pub(crate) fn ca_pem() -> PathBuf {
    directory().join("ca.pem")
}

/// A PEM file with the key and the certificate chain of a client: `alice`, `mallory`, `late-alice`,
/// whose certificate ended days ago, or `stranger`, whose CA the brokers do not know.
pub(crate) fn client_pem(name: &str) -> PathBuf {
    let file = directory().join(format!("{name}.pem"));
    assert!(file.exists(), "no client certificate for {name}");
    file
}

/// The trust store of the brokers (PKCS12, [`PASSWORD`]).
pub(super) fn trust_store() -> PathBuf {
    directory().join("trust.p12")
}

fn directory() -> PathBuf {
    let split = fs::read_to_string(source("Split.java")).expect("read Split.java");
    once("certificates", &format!("{CERTIFICATES:?}\n{split}"), make)
}

fn make(directory: &Path) {
    for (name, signer, subject, options) in CERTIFICATES {
        let mut keytool = Command::new("keytool");
        keytool
            .args([
                "-genkeypair",
                "-keyalg",
                "EC",
                "-groupname",
                "secp256r1",
                "-startdate",
                "-20d",
            ])
            .args(["-alias", name, "-dname", subject])
            .args(options.split(' '))
            .args(["-storetype", "PKCS12", "-storepass", PASSWORD, "-keystore"])
            .arg(directory.join("all.p12"));
        if !signer.is_empty() {
            keytool.args(["-signer", signer]);
        }
        run(&mut keytool);
    }
    run(Command::new("java")
        .arg(source("Split.java"))
        .arg(directory)
        .arg(PASSWORD));
}

fn run(command: &mut Command) {
    let output = command
        .output()
        .expect("start a program of the JDK; tests/run installs it");
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{command:?} failed:\n{said}\n{complained}"
    );
}
