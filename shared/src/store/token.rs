//! Table `helix_token`: the sealed app token that all processes of a client id share.

use futures::future::BoxFuture;
use tokio_postgres::Row;

use super::{Error, Store, column::Columns};
use crate::{
    failure::Failure,
    token_store::{Sealed, TokenStore},
};

impl TokenStore for Store {
    fn load<'a>(&'a self, client_id: &'a str) -> BoxFuture<'a, Result<Option<Sealed>, Failure>> {
        Box::pin(async move {
            let sql = "/* token::load */ select generation, sealed from helix_token where client_id = $1";
            let client = self.client().await?;
            let row = client.query_opt(sql, &[&client_id]).await.map_err(Error::from)?;
            Ok(row.as_ref().map(sealed).transpose()?)
        })
    }

    /// One transaction holds the client id's lock while the token is obtained; a process that dies lets go of it.
    fn renew<'a>(
        &'a self,
        client_id: &'a str,
        seen: i64,
        obtain: BoxFuture<'a, Result<Vec<u8>, Failure>>,
    ) -> BoxFuture<'a, Result<Sealed, Failure>> {
        Box::pin(async move {
            let mut client = self.client().await?;
            let transaction = client.transaction().await.map_err(Error::from)?;
            // The transaction is idle while Twitch is asked, and others wait as long for its lock.
            let patience = "/* token::renew, patience */
                set local idle_in_transaction_session_timeout = '2min'; set local lock_timeout = '50s'";
            transaction.batch_execute(patience).await.map_err(Error::from)?;
            let lock = "/* token::renew, lock */ select pg_advisory_xact_lock(hashtext('helix_token'), hashtext($1))";
            transaction.execute(lock, &[&client_id]).await.map_err(Error::from)?;
            let current = "/* token::renew, current */
                select generation, sealed from helix_token where client_id = $1";
            if let Some(row) = transaction.query_opt(current, &[&client_id]).await.map_err(Error::from)? {
                let sealed = sealed(&row)?;
                if sealed.generation > seen {
                    return Ok(sealed);
                }
            }
            let bytes = obtain.await?;
            let keep = "/* token::renew, keep */
                insert into helix_token as t (client_id, generation, sealed) values ($1, $2, $3)
                on conflict (client_id) do update set generation = t.generation + 1, sealed = excluded.sealed
                returning generation";
            let row =
                transaction.query_one(keep, &[&client_id, &(seen + 1), &bytes]).await.map_err(Error::from)?;
            let generation = row.column("generation")?;
            transaction.commit().await.map_err(Error::from)?;
            Ok(Sealed { generation, bytes })
        })
    }
}

/// The token of a row with `generation` and `sealed`.
fn sealed(row: &Row) -> Result<Sealed, Error> {
    Ok(Sealed { generation: row.column("generation")?, bytes: row.column("sealed")? })
}
