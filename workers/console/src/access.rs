//! Who is at the other end: the token, as the password of HTTP's own login or of the login page, whose cookie says who it was.

use std::{net::IpAddr, time::Duration};

use axum::http::{
    HeaderMap, HeaderName,
    header::{AUTHORIZATION, COOKIE},
};
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Mutex, time::sleep};

/// After so many wrong tokens in a row each further try waits.
const WRONG_TRIES: u32 = 5;
/// For so long; one try at a time.
const WAIT: Duration = Duration::from_secs(1);
/// What is signed with a token, to compare tokens without telling by the time it takes how much of them is right.
const PROBE: &[u8] = b"console";
/// The cookie of whoever has logged in.
pub(crate) const SESSION: &str = "console-session";
/// How long a login lasts, in seconds.
pub(crate) const LASTS: i64 = 12 * 60 * 60;
/// The longest name of a person.
const LONGEST_NAME: usize = 60;

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

    /// Whether the request has the token, as the password of HTTP's own login.
    pub(crate) async fn admits(&self, headers: &HeaderMap) -> bool {
        let given = headers.get(AUTHORIZATION).and_then(|value| password(value.to_str().ok()?));
        // Who sends none is asked for it, which is no try.
        let Some(given) = given else { return false };
        self.is_right(&given).await
    }

    /// Whether this is the token. Guessing becomes slow.
    pub(crate) async fn is_right(&self, given: &[u8]) -> bool {
        let right = hmac::verify(&self.token, PROBE, hmac::sign(&key(given), PROBE).as_ref()).is_ok();
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

    /// What the cookie of this person says, who logs in now (in seconds since 1970). Only who knows the token can make one.
    pub(crate) fn session(&self, user: &str, now: i64) -> String {
        let payload = format!("{}.{}", URL_SAFE_NO_PAD.encode(user), now + LASTS);
        let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&self.token, payload.as_bytes()));
        format!("{payload}.{signature}")
    }

    /// Who has logged in, by the cookie of the request; none where that is forged, or too old.
    pub(crate) fn user(&self, headers: &HeaderMap, now: i64) -> Option<String> {
        let cookies = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut cookies = cookies.flat_map(|cookies| cookies.split(';'));
        let session = cookies.find_map(|cookie| cookie.trim().strip_prefix(SESSION)?.strip_prefix('='))?;
        let (payload, signature) = session.rsplit_once('.')?;
        let signature = URL_SAFE_NO_PAD.decode(signature).ok()?;
        hmac::verify(&self.token, payload.as_bytes(), &signature).ok()?;
        let (user, until) = payload.split_once('.')?;
        if until.parse::<i64>().ok()? < now {
            return None;
        }
        person(std::str::from_utf8(&URL_SAFE_NO_PAD.decode(user).ok()?).ok()?)
    }
}

/// Proxies that say who somebody is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Proxies {
    /// Their addresses.
    pub(crate) trusted: Vec<IpAddr>,
    /// The header in which they say it.
    pub(crate) header: Option<HeaderName>,
}

impl Proxies {
    /// Who it is, as one of these proxies says.
    pub(crate) fn user(&self, headers: &HeaderMap, peer: IpAddr) -> Option<String> {
        if !self.trusted.contains(&peer.to_canonical()) {
            return None;
        }
        let mut said = headers.get_all(self.header.as_ref()?).iter();
        match (said.next(), said.next()) {
            (Some(user), None) => person(user.to_str().ok()?),
            _ => None,
        }
    }
}

/// A name that can be recorded; none where it is empty, too long, or holds what cannot be seen.
pub(crate) fn person(name: &str) -> Option<String> {
    let name = name.trim();
    let fits =
        !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control);
    fits.then(|| name.to_owned())
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

    #[test]
    fn a_session_is_of_one_person_and_of_a_while() {
        let access = Access::new(&SecretString::from("s3cret"));
        let with = |session: &str| {
            HeaderMap::from_iter([(COOKIE, format!("a=b; {SESSION}={session}; c=d").parse().unwrap())])
        };
        let session = access.session("Ada Łovelace", 1_000);
        assert_eq!(access.user(&with(&session), 1_000).as_deref(), Some("Ada Łovelace"));
        assert_eq!(access.user(&with(&session), 1_001 + LASTS), None, "it is over");
        let others = Access::new(&SecretString::from("other")).session("ada", 1_000);
        for forged in [others.as_str(), "", "x", "..", &session[1..], &session[..session.len() - 2]] {
            assert_eq!(access.user(&with(forged), 1_000), None, "{forged}");
        }
        assert_eq!(access.user(&HeaderMap::new(), 1_000), None);
    }

    #[test]
    fn only_a_trusted_proxy_says_who_somebody_is() {
        let header = HeaderName::from_static("x-forwarded-user");
        let proxies = Proxies { trusted: vec!["10.0.0.1".parse().unwrap()], header: Some(header.clone()) };
        let says = |user: &str| HeaderMap::from_iter([(header.clone(), user.parse().unwrap())]);
        let from = |peer: &str, user: &str| proxies.user(&says(user), peer.parse().unwrap());
        assert_eq!(from("10.0.0.1", "ada").as_deref(), Some("ada"));
        assert_eq!(from("::ffff:10.0.0.1", "ada").as_deref(), Some("ada"));
        assert_eq!(from("10.0.0.2", "ada"), None);
        assert_eq!(from("10.0.0.1", " "), None);
    }
}
