//! What is typed into the search field, and the page that is meant.

use crate::error::Error;

/// The page that is meant: `123` a pull, `123/7` a chunk, `#45` a dead letter, `3fa9c0de` a group, a stage's name its dead letters.
pub(crate) fn find(words: &str) -> Result<String, Error> {
    let words = words.trim();
    let lower = words.to_ascii_lowercase();
    let digits =
        |text: &str| !text.is_empty() && text.len() < 19 && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(dead_letter) = words.strip_prefix('#').filter(|dead_letter| digits(dead_letter)) {
        return Ok(format!("/dead-letters/{dead_letter}"));
    }
    if let Some((pull, chunk)) = words.split_once('/').filter(|(pull, chunk)| digits(pull) && digits(chunk)) {
        return Ok(format!("/pulls/{pull}/chunks/{chunk}"));
    }
    // Pulls are numbered one by one: none has a number as long as a fingerprint.
    if digits(words) && words.len() < 16 {
        return Ok(format!("/pulls/{words}"));
    }
    if shared::topology::StageInfo::find(&lower).is_some() {
        return Ok(format!("/dead-letters?stage={lower}"));
    }
    if (8..=64).contains(&lower.len()) && lower.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(format!("/dead-letters/groups/{lower}"));
    }
    Err(Error::BadRequest(format!(
        "Nothing is found for {words:?}. Search for a pull by number (123), a chunk (123/7), a dead letter (#45), a group of dead \
         letters by fingerprint (3fa9c0de…), or the dead letters of a stage (finalizer)."
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_lead_to_pages() {
        for (words, page) in [
            ("123", "/pulls/123"),
            (" 123/7 ", "/pulls/123/chunks/7"),
            ("#45", "/dead-letters/45"),
            ("Finalizer", "/dead-letters?stage=finalizer"),
            ("3FA9C0DE3fa9c0de", "/dead-letters/groups/3fa9c0de3fa9c0de"),
        ] {
            assert_eq!(find(words).unwrap(), page);
        }
        for nothing in ["", "//evil.example", "#", "1/", "javascript:alert(1)"] {
            assert!(find(nothing).is_err(), "{nothing}");
        }
    }
}
