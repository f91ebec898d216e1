//! A token that is asked for once, used, and forgotten, and a point budget of nobody else's: a check changes nothing that
//! others see.

use std::{future::Future, pin::Pin};

use shared::{
    budget_store::{Bucket, BudgetStore},
    failure::Failure,
    token_store::{Sealed, TokenStore},
};

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Failure>> + Send + 'a>>;

/// Keeps nothing.
pub(super) struct Forgetful;

impl TokenStore for Forgetful {
    fn load<'a>(&'a self, _client_id: &'a str) -> Answer<'a, Option<Sealed>> {
        Box::pin(async { Ok(None) })
    }

    fn renew<'a>(
        &'a self,
        _client_id: &'a str,
        seen: i64,
        obtain: Answer<'a, Vec<u8>>,
    ) -> Answer<'a, Sealed> {
        Box::pin(async move { Ok(Sealed { generation: seen + 1, bytes: obtain.await? }) })
    }
}

impl BudgetStore for Forgetful {
    fn bucket<'a>(&'a self, _client_id: &'a str) -> Answer<'a, (Option<Bucket>, i64)> {
        Box::pin(async { Ok((None, 0)) })
    }

    fn keep_bucket<'a>(
        &'a self,
        _client_id: &'a str,
        _bucket: &'a Bucket,
        _changes: i64,
    ) -> Answer<'a, bool> {
        Box::pin(async { Ok(true) })
    }
}
