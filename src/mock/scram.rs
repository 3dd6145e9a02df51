//! The broker's side of SCRAM (RFC 5802), by code of its own.

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256, Sha512};

use super::MockCluster;
use super::state::State;

/// As many as Kafka's tools make credentials of by default.
const ITERATIONS: u32 = 4096;
const SALT: &[u8] = b"salt of the mock";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// The mechanisms, with their hashes.
pub(super) const MECHANISMS: [(&str, Hash); 2] = [
    ("SCRAM-SHA-256", Hash::Sha256),
    ("SCRAM-SHA-512", Hash::Sha512),
];

impl MockCluster {
    /// Connections that come from now on have to authenticate with SASL SCRAM-SHA-256 or
    /// SCRAM-SHA-512, as this user or another one that was added. Before, a broker hangs up on
    /// everything but ApiVersions. Needs the feature `scram`.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// cluster.sasl_scram("alice", "secret");
    /// ```
    pub fn sasl_scram(&self, user: &str, password: &str) {
        self.enter(user, false, password);
    }

    /// The same for a delegation token, by its id and HMAC.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// cluster.sasl_delegation_token("tokenID123", "lAYYSFmLs4bTjf+lTZ1LCHR/ZZFNA==");
    /// ```
    pub fn sasl_delegation_token(&self, id: &str, hmac: &str) {
        self.enter(id, true, hmac);
    }

    /// Brokers claim that the keys of SCRAM are made with so many iterations. They are made with
    /// 4096, so that a client which believes it does not get in.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// cluster.sasl_scram("alice", "secret");
    /// cluster.sasl_scram_iterations(100_000_000);
    /// ```
    pub fn sasl_scram_iterations(&self, iterations: u32) {
        self.shared
            .update(|state| state.settings.sasl_scram.iterations = Some(iterations));
    }

    /// Brokers end a login that went well by this message instead of their proof: `v=` and a wrong
    /// signature, say, or garbage. With `None` they tell the truth again.
    ///
    /// ```
    /// # let cluster = milena::mock::MockCluster::start(1);
    /// cluster.sasl_scram("alice", "secret");
    /// cluster.sasl_scram_proof(Some("v=AAAA"));
    /// ```
    pub fn sasl_scram_proof(&self, message: Option<&str>) {
        let message = message.map(str::to_owned);
        self.shared
            .update(|state| state.settings.sasl_scram.proof = message);
    }

    fn enter(&self, name: &str, is_token: bool, password: &str) {
        let [sha256, sha512] = MECHANISMS.map(|(_, hash)| Keys::of(hash, password));
        self.shared.update(|state| {
            let known = &mut state.settings.sasl_scram.known;
            known.retain(|one| (one.name.as_str(), one.is_token) != (name, is_token));
            known.push(Known {
                name: name.to_owned(),
                is_token,
                sha256,
                sha512,
            });
        });
    }
}

/// Who may log in.
#[derive(Default)]
pub(super) struct Users {
    pub(super) known: Vec<Known>,
    /// What is claimed instead of the truth.
    iterations: Option<u32>,
    proof: Option<String>,
}

pub(super) struct Known {
    name: String,
    is_token: bool,
    sha256: Keys,
    sha512: Keys,
}

/// What a broker keeps instead of a password.
#[derive(Clone, PartialEq)]
struct Keys {
    stored: Vec<u8>,
    server: Vec<u8>,
}

impl Keys {
    fn of(hash: Hash, password: &str) -> Self {
        let password = password.as_bytes();
        let mut block = hash.hmac(password, &[SALT, &[0, 0, 0, 1]].concat());
        let mut salted = block.clone();
        for _ in 1..ITERATIONS {
            block = hash.hmac(password, &block);
            salted = xor(&salted, &block);
        }
        Self {
            stored: hash.of(&hash.hmac(&salted, b"Client Key")),
            server: hash.hmac(&salted, b"Server Key"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    Sha256,
    Sha512,
}

impl Hash {
    fn of(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Sha256 => Sha256::digest(bytes).to_vec(),
            Self::Sha512 => Sha512::digest(bytes).to_vec(),
        }
    }

    fn hmac(self, key: &[u8], bytes: &[u8]) -> Vec<u8> {
        fn with<M: Mac + KeyInit>(key: &[u8], bytes: &[u8]) -> Vec<u8> {
            let mut mac = <M as KeyInit>::new_from_slice(key).expect("a key may have every length");
            mac.update(bytes);
            mac.finalize().into_bytes().to_vec()
        }
        match self {
            Self::Sha256 => with::<Hmac<Sha256>>(key, bytes),
            Self::Sha512 => with::<Hmac<Sha512>>(key, bytes),
        }
    }
}

/// How far a connection has come.
#[derive(Clone, Debug)]
pub(super) enum Exchange {
    Begun(Hash),
    Asked {
        hash: Hash,
        name: String,
        is_token: bool,
        nonce: String,
        /// Both first messages, as they are signed.
        said: String,
    },
}

/// What a token leads to.
pub(super) enum Step {
    Next(Exchange, String),
    Done(String),
    Refused,
}

impl Exchange {
    /// Who logs in, if that was said.
    pub(super) fn user(&self) -> &str {
        match self {
            Self::Begun(_) => "",
            Self::Asked { name, .. } => name,
        }
    }

    pub(super) fn step(&self, state: &State, connection: usize, token: &[u8]) -> Step {
        let users = &state.settings.sasl_scram;
        let step = str::from_utf8(token).ok().and_then(|token| match self {
            Self::Begun(hash) => ask(*hash, users, connection, token),
            Self::Asked { .. } => self.prove(users, token),
        });
        step.unwrap_or(Step::Refused)
    }

    fn prove(&self, users: &Users, token: &str) -> Option<Step> {
        let Self::Asked {
            hash,
            name,
            is_token,
            nonce,
            said,
        } = self
        else {
            return None;
        };
        let keys = users.keys(*hash, name, *is_token)?;
        let (without_proof, proof) = token.rsplit_once(",p=")?;
        // biws is "n,,": no channel is bound.
        if without_proof != format!("c=biws,r={nonce}") {
            return None;
        }
        let said = format!("{said},{without_proof}");
        let signature = hash.hmac(&keys.stored, said.as_bytes());
        let proof = from_base64(proof).filter(|proof| proof.len() == signature.len())?;
        let is_right = hash.of(&xor(&proof, &signature)) == keys.stored;
        let own = to_base64(&hash.hmac(&keys.server, said.as_bytes()));
        let last = users.proof.clone().unwrap_or(format!("v={own}"));
        is_right.then_some(Step::Done(last))
    }
}

impl Users {
    fn keys(&self, hash: Hash, name: &str, is_token: bool) -> Option<&Keys> {
        let is_meant = |one: &&Known| one.name == name && one.is_token == is_token;
        let known = self.known.iter().find(is_meant)?;
        Some(match hash {
            Hash::Sha256 => &known.sha256,
            Hash::Sha512 => &known.sha512,
        })
    }
}

/// The answer to the first message: `n,,n=name,r=nonce` and extensions.
fn ask(hash: Hash, users: &Users, connection: usize, token: &str) -> Option<Step> {
    let bare = token.strip_prefix("n,,")?;
    let mut parts = bare.split(',');
    let name = parts.next()?.strip_prefix("n=")?;
    let nonce = parts.next()?.strip_prefix("r=")?;
    if nonce.is_empty() || name.replace("=2C", "").replace("=3D", "").contains('=') {
        return None;
    }
    let name = name.replace("=2C", ",").replace("=3D", "=");
    let is_token = parts.any(|extension| extension == "tokenauth=true");
    users.keys(hash, &name, is_token)?;
    let nonce = format!("{nonce}mock{connection}");
    let iterations = users.iterations.unwrap_or(ITERATIONS);
    let first = format!("r={nonce},s={},i={iterations}", to_base64(SALT));
    let next = Exchange::Asked {
        hash,
        name,
        is_token,
        nonce,
        said: format!("{bare},{first}"),
    };
    Some(Step::Next(next, first))
}

fn xor(one: &[u8], other: &[u8]) -> Vec<u8> {
    one.iter().zip(other).map(|(a, b)| a ^ b).collect()
}

fn to_base64(bytes: &[u8]) -> String {
    let digits = (bytes.len() * 8).div_ceil(6);
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| byte >> (7 - at % 8) & 1);
    let digit = |at: usize| (0..6).fold(0, |value, n| value << 1 | bit(at * 6 + n));
    let text: String = (0..digits)
        .map(|at| char::from(BASE64[usize::from(digit(at))]))
        .collect();
    text + &"=".repeat(digits.next_multiple_of(4) - digits)
}

fn from_base64(text: &str) -> Option<Vec<u8>> {
    let (mut bytes, mut value, mut bits) = (Vec::new(), 0_u32, 0);
    for digit in text.trim_end_matches('=').bytes() {
        let digit = BASE64.iter().position(|one| *one == digit)?;
        value = (value << 6 | u32::try_from(digit).ok()?) & 0xffff;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((value >> bits & 0xff) as u8);
        }
    }
    Some(bytes)
}
