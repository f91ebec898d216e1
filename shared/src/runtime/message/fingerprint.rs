//! What two failures have in common when they have the same cause.

use ring::{
    digest::{SHA256, digest},
    rand::{SecureRandom, SystemRandom},
};

/// Sixteen hexadecimal digits that are equal for failures of one stage, class and code whose texts differ only in
/// numbers, ids, times and quoted words.
pub(in crate::runtime) fn fingerprint(
    stage: &str,
    class: &str,
    code: &str,
    message: &str,
    causes: &str,
) -> String {
    let text = [stage, class, code, &pattern(message), &pattern(causes)].join("\n");
    hash(text.as_bytes())
}

/// Sixteen hexadecimal digits of SHA-256.
pub(in crate::runtime) fn hash(bytes: &[u8]) -> String {
    let digest = digest(&SHA256, bytes);
    let eight: [u8; 8] = std::array::from_fn(|at| digest.as_ref()[at]);
    format!("{:016x}", u64::from_be_bytes(eight))
}

/// Sixteen hexadecimal digits nobody drew before.
pub(in crate::runtime) fn nonce() -> String {
    let mut bytes = [0; 16];
    // Without randomness the hash of nothing is as good a name as any: it only tells equal dead letters apart.
    let _ = SystemRandom::new().fill(&mut bytes);
    hash(&bytes)
}

/// The text with every word that holds a digit, and everything between double quotes, made alike.
fn pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    for (n, part) in text.split('"').enumerate() {
        if n % 2 == 1 {
            pattern.push_str("\"…\"");
            continue;
        }
        for word in
            part.split_inclusive(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.' | ':' | '/'))
        {
            let (word, end) = match word.char_indices().next_back() {
                Some((at, c)) if !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.' | ':' | '/') => {
                    word.split_at(at)
                }
                _ => (word, ""),
            };
            pattern.push_str(if word.chars().any(|c| c.is_ascii_digit()) { "#" } else { word });
            pattern.push_str(end);
        }
    }
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(message: &str) -> String {
        fingerprint("stage", "permanent", "code", message, "")
    }

    #[test]
    fn numbers_ids_and_times_do_not_split_a_group() {
        assert_eq!(of("pull 7 chunk 12 is not there"), of("pull 8 chunk 3 is not there"));
        assert_eq!(of("at 2026-11-23T10:00:00.5Z on a1-b2"), of("at 2027-01-01T00:00:00Z on c9"));
        assert_eq!(of("the message is a \"x\""), of("the message is a \"some other thing\""));
        assert_ne!(of("pull 7 is not there"), of("chunk 7 is not there"));
        assert_ne!(fingerprint("a", "c", "c", "m", ""), fingerprint("b", "c", "c", "m", ""));
    }
}
