//! A text in lower case, and what it says where it is escaped: `\u00e9` and its like of JSON, `%C3%A9` of addresses, and one within
//! the other.

/// Most readings of one text: whoever escapes more often hides something on purpose.
const MOST: usize = 8;

/// The text as it is and with its escapes resolved, in lower case; characters beyond ASCII keep their case where only ASCII is searched for.
pub(super) fn layers(text: &str, ascii: bool) -> Vec<String> {
    let mut layers = vec![lower(text, ascii)];
    let mut next = 0;
    while let Some(layer) = layers.get(next)
        && layers.len() < MOST
    {
        let decoded = [json(layer), percent(layer)].into_iter().flatten().map(|text| lower(&text, ascii));
        let decoded: Vec<String> = decoded.collect();
        layers.extend(decoded);
        next += 1;
    }
    layers
}

fn lower(text: &str, ascii: bool) -> String {
    // Most texts; and a hundred times faster.
    if ascii || text.is_ascii() {
        text.to_ascii_lowercase()
    } else {
        text.chars().flat_map(char::to_lowercase).collect()
    }
}

/// With the escapes of JSON resolved; none where there are none.
fn json(text: &str) -> Option<String> {
    let (start, mut rest) = text.split_once('\\')?;
    let mut decoded = start.to_owned();
    loop {
        let (c, taken) = escape(rest);
        decoded.push(c);
        rest = &rest[taken..];
        let Some((plain, after)) = rest.split_once('\\') else {
            decoded.push_str(rest);
            return Some(decoded);
        };
        decoded.push_str(plain);
        rest = after;
    }
}

/// The character that an escape stands for, and how many bytes follow its backslash.
fn escape(rest: &str) -> (char, usize) {
    let unit = |at: usize| rest.get(at..at + 4).and_then(|four| u32::from_str_radix(four, 16).ok());
    let second = || if rest.get(5..7) == Some("\\u") { unit(7) } else { None };
    match rest.chars().next() {
        Some('u') => match unit(1) {
            Some(high @ 0xd800..0xdc00) => match second() {
                Some(low @ 0xdc00..0xe000) => {
                    let point = 0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00);
                    (char::from_u32(point).unwrap_or(' '), 11)
                }
                _ => (' ', 5),
            },
            Some(point) => (char::from_u32(point).unwrap_or(' '), 5),
            None => ('u', 1),
        },
        Some('n' | 'r' | 't' | 'b' | 'f') => (' ', 1),
        Some(other) => (other, other.len_utf8()),
        None => ('\\', 0),
    }
}

/// With `%41` and its like resolved; none where there are none.
fn percent(text: &str) -> Option<String> {
    let byte = |at: usize| text.get(at + 1..at + 3).and_then(|two| u8::from_str_radix(two, 16).ok());
    text.match_indices('%').find_map(|(at, _)| byte(at))?;
    let mut decoded = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        match (text.as_bytes()[at], byte(at)) {
            (b'%', Some(escaped)) => {
                decoded.push(escaped);
                at += 3;
            }
            (plain, _) => {
                decoded.push(plain);
                at += 1;
            }
        }
    }
    Some(String::from_utf8_lossy(&decoded).into_owned())
}
