//! Headers that carry secrets.

use reqwest::header::HeaderValue;

/// A header that shows itself to nobody but the receiver.
pub(super) fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut header = HeaderValue::from_str(value).ok()?;
    header.set_sensitive(true);
    Some(header)
}
