//! A message's body for people: JSON laid out, else text, else bytes in hexadecimal.

use serde_json::Value;

/// The most bytes that are shown in hexadecimal.
const LONGEST_HEX: usize = 512;

/// What the body is (`JSON`, `text` or `bytes`), and the body.
pub fn readable(body: &[u8]) -> (&'static str, String) {
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        return ("JSON", serde_json::to_string_pretty(&json).unwrap_or_default());
    }
    match std::str::from_utf8(body) {
        Ok(text) if !text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) => {
            ("text", text.to_owned())
        }
        _ => ("bytes", hex(body)),
    }
}

/// Sixteen bytes per line: offset, bytes, and the readable ones among them.
fn hex(body: &[u8]) -> String {
    let lines = body[..body.len().min(LONGEST_HEX)].chunks(16).enumerate().map(|(n, line)| {
        let bytes: Vec<String> = line.iter().map(|byte| format!("{byte:02x}")).collect();
        let readable: String = line
            .iter()
            .map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' })
            .collect();
        format!("{:06x}  {:47}  {readable}", n * 16, bytes.join(" "))
    });
    let rest = body.len().saturating_sub(LONGEST_HEX);
    let rest = (rest > 0).then(|| format!("and {rest} more bytes"));
    lines.chain(rest).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_body_is_shown_as_what_it_is() {
        assert_eq!(readable(b"{\"a\":1}"), ("JSON", "{\n  \"a\": 1\n}".to_owned()));
        assert_eq!(readable("{\"a\":ż".as_bytes()), ("text", "{\"a\":ż".to_owned()));
        let (what, text) = readable(&[0, 0x41, 0xff]);
        assert_eq!(what, "bytes");
        assert!(text.starts_with("000000  00 41 ff ") && text.ends_with("  .A."), "{text}");
        assert!(readable(&[0; 600]).1.ends_with("and 88 more bytes"));
    }
}
