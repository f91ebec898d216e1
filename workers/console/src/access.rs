//! The token, which a browser sends as the password of HTTP's own login.

use std::time::Duration;

use axum::http::{HeaderMap, header::AUTHORIZATION};
use base64::{Engine, engine::general_purpose::STANDARD};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Mutex, time::sleep};

/// After so many wrong tokens in a row each further try waits.
const WRONG_TRIES: u32 = 5;
/// For so long; one try at a time.
const WAIT: Duration = Duration::from_secs(1);
/// What is signed with a token, to compare tokens without telling by the time it takes how much of them is right.
const PROBE: &[u8] = b"console";

/// Lets in who has the token.
pub(crate) struct Access {
    token: hmac::Key,
    wrong: Mutex<u32>,
}

impl Access {
    /// With this token.
    pub(crate) fn new(token: &SecretString) -> Self {
        Self { token: key(token.expose_secret().as_bytes()), wrong: Mutex::new(0) }
    }

    /// Whether the request has the token.
    pub(crate) async fn admits(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).and_then(|value| password(value.to_str().ok()?));
        // Who sends none is asked for it, which is no try.
        let Some(given) = given else { return false };
        let right = hmac::verify(&self.token, PROBE, hmac::sign(&key(&given), PROBE).as_ref()).is_ok();
        if right {
            if let Ok(mut wrong) = self.wrong.try_lock() {
                *wrong = 0;
            }
            return true;
        }
        let mut wrong = self.wrong.lock().await;
        *wrong = wrong.saturating_add(1);
        if *wrong > WRONG_TRIES {
            sleep(WAIT).await;
        }
        false
    }
}

fn key(token: &[u8]) -> hmac::Key {
    hmac::Key::new(hmac::HMAC_SHA256, token)
}

/// The password of a `Basic` login: <https://www.rfc-editor.org/rfc/rfc7617>.
fn password(header: &str) -> Option<Vec<u8>> {
    let (scheme, login) = header.split_once(' ')?;
    let login = STANDARD.decode(login.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("basic"))?;
    let colon = login.iter().position(|byte| *byte == b':')?;
    Some(login[colon + 1..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(text: &str) -> HeaderMap {
        let value = format!("Basic {}", STANDARD.encode(text)).parse().unwrap();
        HeaderMap::from_iter([(AUTHORIZATION, value)])
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_token_is_let_in_and_guessing_becomes_slow() {
        let access = Access::new(&SecretString::from("s3cret"));
        assert!(!access.admits(&HeaderMap::new()).await);
        assert!(access.admits(&login("anybody:s3cret")).await);
        let began = tokio::time::Instant::now();
        for _ in 0..WRONG_TRIES {
            assert!(!access.admits(&login("anybody:s3cre")).await);
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
        assert!(!access.admits(&login("anybody:s3cret ")).await);
        assert_eq!(began.elapsed(), WAIT);
        assert!(access.admits(&login(":s3cret")).await, "who has it does not wait");
    }
}
