//! Secrets that a flow holds where a reference should be: found, and never shown.

use super::component::Property;

/// Lower case, and only what tells one word from another.
pub(super) fn plain(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

/// Whether it is a reference to a value that is elsewhere, or a value that NiFi has encrypted.
pub(super) fn is_reference(value: &str) -> bool {
    let value = value.trim();
    ["${", "#{", "enc{"].iter().any(|start| value.starts_with(start)) && value.ends_with('}')
}

/// Whether a secret is written out here: by what the property is called, or by what its value looks like.
pub(super) fn is_secret(property: &Property) -> bool {
    const NAMES: [&str; 8] =
        ["password", "passwd", "secret", "token", "apikey", "accesskey", "authorization", "clientid"];
    let name = plain(&property.name);
    let named =
        NAMES.iter().any(|word| name.contains(word)) && !name.ends_with("url") && !name.ends_with("file");
    if is_reference(&property.value) {
        return false;
    }
    property.sensitive || named || holds_secret(&property.value)
}

/// Whether a text, such as a script, a request or a URL, holds a secret among other things.
fn holds_secret(value: &str) -> bool {
    let lower = value.to_ascii_lowercase();
    // A word that stands before a secret, and what must follow before it is one.
    let after = |word: &str| {
        lower.match_indices(word).any(|(at, _)| {
            let rest = lower[at + word.len()..].trim_start_matches([' ', '"', '\'', ':', '=', '>']);
            let secret =
                rest.chars().take_while(|c| c.is_ascii_alphanumeric() || "-_.~+/".contains(*c)).count();
            secret >= 8
        })
    };
    let in_url = lower.split("://").skip(1).any(|rest| {
        let authority = rest.split(['/', '?', '"', ' ']).next().unwrap_or_default();
        authority.split_once('@').is_some_and(|(user, _)| {
            user.split_once(':').is_some_and(|(_, password)| !password.is_empty() && !is_reference(password))
        })
    });
    let words = [
        "bearer ",
        "oauth ",
        "basic ",
        "client_secret",
        "client_id",
        "password=",
        "access_token",
        "client-id",
    ];
    words.iter().any(|word| after(word)) || in_url
}

/// The setting that takes the place of a secret of that name.
pub(super) fn secret_setting(name: &str) -> Option<&'static str> {
    let name = plain(name);
    if name.contains("clientsecret") {
        Some("TWITCH_CLIENT_SECRET_FILE")
    } else if name.contains("clientid") {
        Some("TWITCH_CLIENT_ID_FILE")
    } else if name.contains("password") {
        Some("DATABASE_URL_FILE or AMQP_URL_FILE")
    } else {
        None
    }
}
