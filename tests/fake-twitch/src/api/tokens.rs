//! App tokens: issued, valid for a while, sometimes dead early.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use crate::world::rng::Rng;

/// The tokens that are valid. All belong to the one client there is.
#[derive(Debug, Default)]
pub(crate) struct Tokens {
    valid: HashMap<String, Instant>,
    issued: Vec<String>,
}

const LETTERS: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";

impl Tokens {
    /// A new token: thirty lower-case dead letters and digits.
    pub(crate) fn issue(&mut self, seed: u64, lifetime: Duration) -> String {
        let rng = &mut Rng::new(seed, self.issued.len() as u64 + 1);
        let token: String = (0..30).map(|_| char::from(rng.pick(LETTERS))).collect();
        self.valid.insert(token.clone(), Instant::now() + lifetime);
        self.issued.push(token.clone());
        token
    }

    /// Every token issued so far, valid or not.
    pub(crate) fn issued(&self) -> &[String] {
        &self.issued
    }

    /// How long the token is still good for, if it is.
    pub(crate) fn left(&self, token: &str) -> Option<Duration> {
        self.valid.get(token)?.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
    }

    /// No token issued so far is valid any more.
    pub(crate) fn expire(&mut self) {
        self.valid.clear();
    }
}
