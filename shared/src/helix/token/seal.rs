//! Seals tokens for the token store, so that its table alone opens nothing. Knows no token.
//!
//! ChaCha20-Poly1305 with a key drawn by HKDF-SHA256 from the client secret; a random nonce of 12 bytes goes ahead of the
//! sealed text, and the client id is authenticated with it. Another secret, another id or another version of this
//! scheme opens nothing, which is the same as an empty store.

use ring::{
    aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
    rand::{SecureRandom, SystemRandom},
};
use secrecy::{ExposeSecret, SecretString};

use crate::failure::Failure;

/// What the key is for; changes with the scheme.
const PURPOSE: &[u8] = b"app token, version 1";

/// The key of one client id and secret.
pub(super) struct Seal {
    key: LessSafeKey,
    client_id: String,
    random: SystemRandom,
}

impl Seal {
    pub(super) fn new(client_id: &SecretString, client_secret: &SecretString) -> Self {
        let client_id = client_id.expose_secret().to_owned();
        let secret =
            Salt::new(HKDF_SHA256, client_id.as_bytes()).extract(client_secret.expose_secret().as_bytes());
        let key = secret.expand(&[PURPOSE], &CHACHA20_POLY1305).map(UnboundKey::from);
        let key = LessSafeKey::new(key.expect("HKDF-SHA256 can draw 32 bytes"));
        Self { key, client_id, random: SystemRandom::new() }
    }

    /// The sealed form of `text`. Fails only where the system has no randomness.
    pub(super) fn close(&self, text: &[u8]) -> Result<Vec<u8>, Failure> {
        let mut nonce = [0; NONCE_LEN];
        let mut body = text.to_vec();
        self.random
            .fill(&mut nonce)
            .and_then(|()| {
                let nonce = Nonce::assume_unique_for_key(nonce);
                self.key.seal_in_place_append_tag(nonce, Aad::from(&self.client_id), &mut body)
            })
            .map_err(|_| {
                Failure::transient("helix.token_unsealed", "the token cannot be sealed for the token store")
            })?;
        Ok([nonce.as_slice(), &body].concat())
    }

    /// What was sealed, if it was sealed with the same id and secret.
    pub(super) fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let mut body = body.to_vec();
        let text = self.key.open_in_place(nonce, Aad::from(&self.client_id), &mut body).ok()?;
        Some(text.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_same_id_and_secret_open_what_is_sealed() {
        let seal = Seal::new(&"id".into(), &"secret".into());
        let sealed = seal.close(b"token").unwrap();
        assert_ne!(sealed, seal.close(b"token").unwrap(), "no nonce is used twice");
        assert!(!sealed.windows(5).any(|part| part == b"token"));

        assert_eq!(Seal::new(&"id".into(), &"secret".into()).open(&sealed).unwrap(), b"token");
        assert_eq!(Seal::new(&"id".into(), &"other".into()).open(&sealed), None);
        assert_eq!(Seal::new(&"other".into(), &"secret".into()).open(&sealed), None);
        for cut in [0, 5, NONCE_LEN, sealed.len() - 1] {
            assert_eq!(seal.open(&sealed[..cut]), None);
        }
    }
}
