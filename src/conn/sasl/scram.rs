//! SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677): each side proves that it knows the
//! password, and nobody sends it. Messages go in and out as bytes; each step is a type.
//!
//! Without channel binding, as Kafka has none.

mod messages;

#[cfg(test)]
mod tests;

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};
use zeroize::{Zeroize, Zeroizing};

use crate::config::{ScramConfig, ScramHash};
use crate::error::{Error, ErrorKind};

use self::messages::{ServerFinal, ServerFirst};
use crate::conn::base64;

/// What is told to bind no channel, and in front of the first message.
const GS2_HEADER: &str = "n,,";

/// As many as RFC 7677 asks for at least, and Kafka too.
const ITERATIONS_MIN: u32 = 4096;

/// Half a second with SHA-512. Kafka makes credentials of at most 16,384.
const ITERATIONS_MAX: u32 = 1_000_000;

/// Refuses what SASLprep (RFC 4013) prohibits. What else it would change goes as it is, for so
/// Kafka does when it stores a password.
pub(super) fn check(scram: &ScramConfig) -> Result<(), Error> {
    let mechanism = scram.hash.name();
    for (what, text) in [
        ("user name", scram.username.as_str()),
        ("password", scram.password.expose()),
    ] {
        let wrong = match text {
            "" => "is empty",
            text if text.contains(char::is_control) => "holds a control character",
            _ => continue,
        };
        let text = format!("the {what} for {mechanism} {wrong}");
        return Err(Error::new(ErrorKind::Config, text));
    }
    Ok(())
}

/// The first message of a login, and what waits for the answer to it.
pub(super) fn start(scram: &ScramConfig) -> Result<(Vec<u8>, Greeted<'_>), Error> {
    let mut random = [0; 24];
    getrandom::fill(&mut random).map_err(|error| {
        let text = format!("the system has no random bytes for a SCRAM nonce: {error}");
        Error::new(ErrorKind::Config, text)
    })?;
    Ok(greet(scram, base64::encode(&random)))
}

fn greet(scram: &ScramConfig, nonce: String) -> (Vec<u8>, Greeted<'_>) {
    let user = scram.username.replace('=', "=3D").replace(',', "=2C");
    let token = if scram.is_token {
        ",tokenauth=true"
    } else {
        ""
    };
    let bare = format!("n={user},r={nonce}{token}");
    let message = format!("{GS2_HEADER}{bare}").into_bytes();
    (message, Greeted { scram, nonce, bare })
}

/// Both answers of a broker, for the fuzzer.
#[cfg(fuzzing)]
pub(crate) fn converse(first: &[u8], last: &[u8]) -> Result<(), String> {
    let scram = ScramConfig {
        hash: ScramHash::Sha256,
        username: "user".into(),
        password: crate::config::Secret::new("pencil"),
        is_token: false,
    };
    let (_, greeted) = greet(&scram, "rOprNGfwEbeRWgbNEkqO".into());
    let answered = greeted
        .answer(first)
        .and_then(|(_, proved)| proved.verify(last));
    answered.map_err(|refusal| refusal.to_string())
}

/// The broker knows the user, and has to say how its key is made of the password.
pub(super) struct Greeted<'a> {
    scram: &'a ScramConfig,
    nonce: String,
    /// The first message, for the proofs.
    bare: String,
}

impl Greeted<'_> {
    /// The proof, and what checks the broker's.
    pub(super) fn answer(self, message: &[u8]) -> Result<(Vec<u8>, Proved), Refusal> {
        let (text, first) = ServerFirst::read(message)?;
        let added = first.nonce.strip_prefix(self.nonce.as_str());
        if added.is_none_or(str::is_empty) {
            return Err(Refusal::ForeignNonce);
        }
        let iterations = u32::try_from(first.iterations).unwrap_or(u32::MAX);
        if !(ITERATIONS_MIN..=ITERATIONS_MAX).contains(&iterations) {
            return Err(Refusal::Iterations(first.iterations));
        }
        let hash = Functions::of(self.scram.hash);
        let password = self.scram.password.expose().as_bytes();
        let salted = (hash.stretch)(password, &first.salt, iterations);

        let channel = base64::encode(GS2_HEADER.as_bytes());
        let last = format!("c={channel},r={}", first.nonce);
        let said = format!("{},{text},{last}", self.bare);
        let client_key = (hash.keyed)(&salted, b"Client Key");
        let signature = (hash.keyed)(&(hash.digest)(&client_key), said.as_bytes());
        let proof: Vec<u8> = client_key
            .iter()
            .zip(signature.iter())
            .map(|(a, b)| a ^ b)
            .collect();
        let message = format!("{last},p={}", base64::encode(&proof)).into_bytes();
        let proved = Proved {
            hash,
            server_key: (hash.keyed)(&salted, b"Server Key"),
            said,
        };
        Ok((message, proved))
    }
}

/// The broker got our proof and owes its own.
pub(super) struct Proved {
    hash: &'static Functions,
    server_key: Key,
    /// All messages but the proofs, which both sides sign.
    said: String,
}

impl Proved {
    /// Whether the broker knows the password too.
    pub(super) fn verify(self, message: &[u8]) -> Result<(), Refusal> {
        let ServerFinal { signature } = ServerFinal::read(message)?;
        match (self.hash.is_signed)(&self.server_key, self.said.as_bytes(), &signature) {
            true => Ok(()),
            false => Err(Refusal::WrongSignature),
        }
    }
}

/// Why a login ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The broker's own word.
    Said(String),
    Unreadable(&'static str),
    ForeignNonce,
    Iterations(u64),
    WrongSignature,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(said) => write!(f, "the broker refused: {said}"),
            Self::Unreadable(what) => write!(f, "the broker's message cannot be read: {what}"),
            Self::ForeignNonce => f.write_str(
                "the broker's nonce does not continue ours: its answer is to another login, \
                 perhaps replayed by somebody who poses as the broker",
            ),
            Self::Iterations(count) if *count < u64::from(ITERATIONS_MIN) => write!(
                f,
                "the broker asks for {count} iterations, and at least {ITERATIONS_MIN} keep the \
                 password safe: set the password anew at the broker with more of them, unless it \
                 is somebody who poses as the broker"
            ),
            Self::Iterations(count) => write!(
                f,
                "the broker asks for {count} iterations, and no more than {ITERATIONS_MAX} are \
                 done: set the password anew at the broker with fewer of them"
            ),
            Self::WrongSignature => f.write_str(
                "the broker's signature is wrong: it does not know the password and may be \
                 somebody who poses as the broker",
            ),
        }
    }
}

/// What is made of the password, and may serve as well as that.
type Key = Zeroizing<Vec<u8>>;

/// What a mechanism does with its hash.
struct Functions {
    digest: fn(&[u8]) -> Key,
    /// HMAC of a message with a key.
    keyed: fn(&[u8], &[u8]) -> Key,
    /// Whether this is the HMAC, in a time that does not tell how far it is right.
    is_signed: fn(&[u8], &[u8], &[u8]) -> bool,
    /// Hi() of RFC 5802: of password, salt and iterations.
    stretch: fn(&[u8], &[u8], u32) -> Key,
}

impl Functions {
    fn of(hash: ScramHash) -> &'static Self {
        match hash {
            ScramHash::Sha256 => &const { Self::with::<Sha256, Hmac<Sha256>>() },
            ScramHash::Sha512 => &const { Self::with::<Sha512, Hmac<Sha512>>() },
        }
    }

    const fn with<D: Digest, M: Mac + KeyInit + Clone>() -> Self {
        Self {
            digest: |bytes| Zeroizing::new(D::digest(bytes).to_vec()),
            keyed: |key, message| {
                let mac = mac::<M>(key).chain_update(message);
                Zeroizing::new(mac.finalize().into_bytes().to_vec())
            },
            is_signed: |key, message, signature| {
                let mac = mac::<M>(key).chain_update(message);
                mac.verify_slice(signature).is_ok()
            },
            stretch: stretch::<M>,
        }
    }
}

fn stretch<M: Mac + KeyInit + Clone>(password: &[u8], salt: &[u8], iterations: u32) -> Key {
    let keyed = mac::<M>(password);
    let first = keyed.clone().chain_update(salt).chain_update([0, 0, 0, 1]);
    let mut block = first.finalize().into_bytes();
    let mut sum = Zeroizing::new(block.to_vec());
    for _ in 1..iterations {
        block = keyed.clone().chain_update(&block).finalize().into_bytes();
        for (sum, byte) in sum.iter_mut().zip(&block) {
            *sum ^= byte;
        }
    }
    block.as_mut_slice().zeroize();
    sum
}

fn mac<M: Mac + KeyInit>(key: &[u8]) -> M {
    <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length")
}
