//! `options` of a database's URL: libpq's way to give settings to every session, such as `-csearch_path=pulls`.
//!
//! They are set once a session is open, not sent while it opens: a pooler refuses the latter, and pool and migrator come to
//! mean the same.

/// Settings that no URL may change, for the programs' statements are right with one value only.
const FIXED: [&str; 4] =
    ["default_transaction_isolation", "timezone", "client_encoding", "standard_conforming_strings"];

/// The settings in `options`: words `-c name=value`, `-cname=value` or `--name=value`; a backslash takes the next character
/// as it is. Names come in lower case. Fails with which one cannot be used.
pub(super) fn parse(options: &str) -> Result<Vec<(String, String)>, String> {
    let mut settings = Vec::new();
    let mut words = words(options).into_iter();
    while let Some(word) = words.next() {
        let setting = match word.strip_prefix("-c") {
            Some("") => words.next(),
            Some(setting) => Some(setting.to_owned()),
            None => word.strip_prefix("--").map(str::to_owned),
        };
        let Some((name, value)) = setting.as_deref().and_then(|setting| setting.split_once('=')) else {
            return Err(
                "its options hold what is no setting: only -c name=value and --name=value can be used".into(),
            );
        };
        let name = name.replace('-', "_").to_lowercase();
        if FIXED.contains(&&*name) {
            return Err(format!("its options set {name}, which the programs set themselves: leave it out"));
        }
        settings.push((name, value.to_owned()));
    }
    Ok(settings)
}

fn words(text: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let word = words.last_mut().filter(|_| !character.is_whitespace());
        match (word, character) {
            (Some(word), '\\') => word.extend(characters.next()),
            (Some(word), character) => word.push(character),
            (None, _) => words.push(String::new()),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_libpq_writes_them() {
        let settings = parse(r"-csearch_path=a,b  -c work_mem=8MB --Lock-Timeout=5s -cx.y=a\ b").unwrap();
        let expected = [("search_path", "a,b"), ("work_mem", "8MB"), ("lock_timeout", "5s"), ("x.y", "a b")];
        assert_eq!(settings, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(parse("").unwrap().is_empty());
        for bad in ["-e", "-c", "search_path=a", "-c search_path"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
