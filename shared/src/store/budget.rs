//! Table `helix_token`: the bucket of points that all processes of a client id share, in the row of their token.

use futures::future::BoxFuture;

use super::{Error, Store, column::Columns};
use crate::{
    budget_store::{Bucket, BudgetStore},
    failure::Failure,
};

impl BudgetStore for Store {
    fn bucket<'a>(&'a self, client_id: &'a str) -> BoxFuture<'a, Result<(Option<Bucket>, i64), Failure>> {
        let sql = "/* budget::bucket */
            select points, points_at, points_limit, points_missing, closed_until, draws
            from helix_token where client_id = $1";
        Box::pin(async move {
            let client = self.client().await?;
            let statement = client.prepare_cached(sql).await.map_err(Error::from)?;
            let Some(row) = client.query_opt(&statement, &[&client_id]).await.map_err(Error::from)? else {
                return Ok((None, 0));
            };
            let Some((points, as_of)) = row.column::<Option<f64>>("points")?.zip(row.column("points_at")?)
            else {
                return Ok((None, row.column("draws")?));
            };
            let limit: Option<i32> = row.column("points_limit")?;
            let bucket = Bucket {
                points,
                as_of,
                limit: limit.and_then(|limit| u32::try_from(limit).ok()),
                missing: row.column("points_missing")?,
                closed_until: row.column("closed_until")?,
            };
            Ok((Some(bucket), row.column("draws")?))
        })
    }

    /// One statement, so that no lock outlives it: whoever has seen another state looks again.
    fn keep_bucket<'a>(
        &'a self,
        client_id: &'a str,
        bucket: &'a Bucket,
        changes: i64,
    ) -> BoxFuture<'a, Result<bool, Failure>> {
        let sql = "/* budget::keep_bucket */
            insert into helix_token as t (client_id, generation, sealed, points, points_at, points_limit, points_missing,
                                          closed_until, draws)
            values ($1, 0, '', $2, $3, $4, $5, $6, 1)
            on conflict (client_id) do update
            set points = excluded.points, points_at = excluded.points_at, points_limit = excluded.points_limit,
                points_missing = excluded.points_missing, closed_until = excluded.closed_until, draws = t.draws + 1
            where t.draws = $7";
        Box::pin(async move {
            let client = self.client().await?;
            let statement = client.prepare_cached(sql).await.map_err(Error::from)?;
            let Bucket { points, as_of, limit, missing, closed_until } = bucket;
            let limit = limit.map(|limit| i32::try_from(limit).unwrap_or(i32::MAX));
            let kept = client
                .execute(&statement, &[&client_id, points, as_of, &limit, missing, closed_until, &changes])
                .await
                .map_err(Error::from)?;
            Ok(kept == 1)
        })
    }
}
