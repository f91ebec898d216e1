//! Where the app token is kept so that all processes share one. A leaf: `helix` uses it, `store` implements it.

use futures::future::BoxFuture;

use crate::failure::Failure;

/// A token sealed by the Helix client: the token store cannot read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// Grows by one with every new token.
    pub generation: i64,
    /// The sealed token.
    pub bytes: Vec<u8>,
}

/// A place shared by all processes that use one client id.
pub trait TokenStore: Send + Sync {
    /// The token kept for the client id, if any.
    fn load<'a>(&'a self, client_id: &'a str) -> BoxFuture<'a, Result<Option<Sealed>, Failure>>;

    /// Obtains a new token and keeps it, while no other process does the same for this client id.
    ///
    /// When the token store by then holds a generation above `seen` (somebody else was quicker), `obtain` is not run and
    /// theirs is returned. `seen` is 0 for who never had one. A failure of `obtain` changes nothing.
    fn renew<'a>(
        &'a self,
        client_id: &'a str,
        seen: i64,
        obtain: BoxFuture<'a, Result<Vec<u8>, Failure>>,
    ) -> BoxFuture<'a, Result<Sealed, Failure>>;
}
