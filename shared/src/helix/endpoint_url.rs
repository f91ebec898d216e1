//! Addresses of endpoints, made from the settings. Calls none of them.

use url::Url;

/// `name` beneath `base`, with exactly one slash between: Twitch's CDN answers 5xx to two.
pub(super) fn child(base: &Url, name: &str) -> Url {
    let mut url = base.clone();
    url.set_path(&format!("{}/{name}", base.path().trim_end_matches('/')));
    url
}

/// `name` in the place of the last part of `url`.
pub(super) fn sibling(url: &Url, name: &str) -> Url {
    let mut parent = url.clone();
    let path = url.path().trim_end_matches('/');
    parent.set_path(path.rsplit_once('/').map_or("", |(parent, _)| parent));
    child(&parent, name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_have_one_slash_between_their_parts() {
        for (base, expected) in [
            ("https://api.twitch.tv/helix/", "https://api.twitch.tv/helix/users"),
            ("https://api.twitch.tv/helix", "https://api.twitch.tv/helix/users"),
            ("http://localhost:1/a/b//", "http://localhost:1/a/b/users"),
            ("http://localhost:1", "http://localhost:1/users"),
        ] {
            assert_eq!(child(&base.parse().unwrap(), "users").as_str(), expected);
        }
        for (token, expected) in [
            ("https://id.twitch.tv/oauth2/token", "https://id.twitch.tv/oauth2/validate"),
            ("http://localhost:1/x/oauth2/token/", "http://localhost:1/x/oauth2/validate"),
            ("http://localhost:1/token", "http://localhost:1/validate"),
        ] {
            assert_eq!(sibling(&token.parse().unwrap(), "validate").as_str(), expected);
        }
    }
}
