//! What a message carries beside its body.

pub(super) mod dead_letter;
pub(super) mod fingerprint;
pub(super) mod headers;
pub(super) mod properties_json;
pub(super) mod trace_context;
