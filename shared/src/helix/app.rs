//! Who we are at Twitch, and where Twitch is.

use std::path::PathBuf;

use secrecy::SecretString;
use url::Url;

/// The app we are, and its Twitch.
#[derive(Debug)]
pub(super) struct App {
    pub(super) client_id: SecretString,
    pub(super) client_secret: SecretString,
    /// Base of the API; may carry a path, with or without a slash at its end.
    pub(super) api_url: Url,
    /// The token endpoint; `validate` is its sibling.
    pub(super) token_url: Url,
    /// Whom to trust, in the place of the system's authorities.
    pub(super) ca_bundle: Option<PathBuf>,
    /// Points of the bucket that are left to others.
    pub(super) reserved_points: u32,
}
