//! SHA-256, hexadecimal.

use ring::digest::{Context, SHA256};

/// The sum of what comes in parts.
pub(crate) struct Sha256(Context);

impl Sha256 {
    /// Of nothing yet.
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// The next part.
    pub(crate) fn update(&mut self, part: &[u8]) {
        self.0.update(part);
    }

    /// The sum.
    pub(crate) fn finish(self) -> String {
        self.0.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    }

    /// Of these bytes.
    pub(crate) fn of(bytes: &[u8]) -> String {
        let mut sum = Self::new();
        sum.update(bytes);
        sum.finish()
    }
}
