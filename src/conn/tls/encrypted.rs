//! Private keys that are encrypted with a password: PKCS#8, by PBES2 of PKCS#5 (RFC 8018).

#[cfg(feature = "encrypted-keys")]
use pkcs8::{
    EncryptedPrivateKeyInfoRef,
    pkcs5::{self, EncryptionScheme, pbes2::Kdf},
};
use rustls::pki_types::PrivateKeyDer;
#[cfg(feature = "encrypted-keys")]
use rustls::pki_types::PrivatePkcs8KeyDer;

use crate::config::Secret;

/// What to do about a key that cannot be decrypted here.
pub(super) const REMEDY: &str = "decrypt it with `openssl pkey -in key.pem -out decrypted.pem`, or \
    encrypt it as PKCS#8 with `openssl pkcs8 -topk8 -v2 aes-256-cbc -in key.pem -out new.pem`";

/// The encrypted keys in a text, as if they were others: the parser only knows those.
pub(super) fn relabelled(pem: &[u8]) -> Vec<u8> {
    const LABEL: &[u8] = b"ENCRYPTED PRIVATE KEY-----";
    const BARE: &[u8] = b"PRIVATE KEY-----";
    let mut text = Vec::new();
    let mut is_inside = false;
    for line in pem.split(|byte| matches!(byte, b'\n' | b'\r')) {
        match line.trim_ascii_end().strip_suffix(LABEL) {
            Some(mark) => {
                is_inside = mark.starts_with(b"-----BEGIN ");
                text.extend_from_slice(mark);
                text.extend_from_slice(BARE);
                text.push(b'\n');
            }
            None if is_inside => {
                text.extend_from_slice(line);
                text.push(b'\n');
            }
            None => {}
        }
    }
    text
}

/// What is wrong is told without a word of the key.
#[cfg(not(feature = "encrypted-keys"))]
pub(super) fn decrypted(_: &[u8], _: Option<&Secret>) -> Result<PrivateKeyDer<'static>, String> {
    Err(format!(
        "holds an encrypted private key, which needs the cargo feature \"encrypted-keys\"; or \
         {REMEDY}"
    ))
}

/// What is wrong is told without a word of the key.
#[cfg(feature = "encrypted-keys")]
pub(super) fn decrypted(
    der: &[u8],
    password: Option<&Secret>,
) -> Result<PrivateKeyDer<'static>, String> {
    let Some(password) = password else {
        return Err("holds an encrypted private key: set ssl.key.password to its password".into());
    };
    let key = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| {
        format!("holds a private key that is encrypted in a way that is not read here: {REMEDY}")
    })?;
    check_cost(&key.encryption_algorithm)?;
    let plain = key
        .decrypt(password.expose())
        .map_err(|error| match error {
            pkcs8::Error::EncryptedPrivateKey(
                pkcs5::Error::NoPbes1CryptSupport | pkcs5::Error::UnsupportedAlgorithm { .. },
            ) => format!("holds a private key that is encrypted in an old, weak way: {REMEDY}"),
            _ => "holds an encrypted private key that ssl.key.password does not open: is it the \
            password of another key?"
                .into(),
        })?;
    let plain = PrivatePkcs8KeyDer::from(plain.as_bytes());
    Ok(plain.clone_key().into())
}

/// A file must not keep a thread busy, or ask for memory, as it likes.
#[cfg(feature = "encrypted-keys")]
fn check_cost(scheme: &EncryptionScheme) -> Result<(), String> {
    /// Ten times what password managers advise for long; seconds at most.
    const ITERATIONS_MAX: u32 = 10_000_000;
    /// Openssl's default is 16 MiB.
    const SCRYPT_BYTES_MAX: u64 = 64 << 20;
    const SCRYPT_ROUNDS_MAX: u16 = 16;

    let EncryptionScheme::Pbes2(parameters) = scheme else {
        return Ok(());
    };
    match &parameters.kdf {
        Kdf::Pbkdf2(pbkdf2) if pbkdf2.iteration_count > ITERATIONS_MAX => Err(format!(
            "holds a private key that asks for {} iterations, {ITERATIONS_MAX} are the most that \
             is done: {REMEDY}",
            pbkdf2.iteration_count
        )),
        Kdf::Scrypt(scrypt)
            if scrypt.parallelization > SCRYPT_ROUNDS_MAX
                || scrypt
                    .cost_parameter
                    .saturating_mul(128)
                    .saturating_mul(scrypt.block_size.into())
                    > SCRYPT_BYTES_MAX =>
        {
            Err(format!(
                "holds a private key whose scrypt asks for more than {} MiB or {SCRYPT_ROUNDS_MAX} \
                 rounds: {REMEDY}",
                SCRYPT_BYTES_MAX >> 20
            ))
        }
        _ => Ok(()),
    }
}
