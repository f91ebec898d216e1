//! Tables `replay` and `replay_letter`: what came of a replay.

use chrono::{DateTime, Utc};
use serde::Serialize;
use tokio_postgres::Row;

use crate::{
    store::{Error, Store, column::Columns},
    version::Version,
};

/// What came of one dead letter of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The dead letter.
    pub id: i64,
    /// done, returned-same, returned-different; none while nothing came of it.
    pub outcome: Option<String>,
    /// When.
    pub outcome_at: Option<DateTime<Utc>>,
    /// The build that handled it, or failed it again.
    pub build: Option<String>,
    /// The dead letter that came back.
    pub came_back_as: Option<i64>,
}

/// What came of a replay; sums to the dead letters it chose.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ReplayReport {
    /// The replay.
    pub replay_id: i64,
    /// How many dead letters were chosen.
    pub letters: i64,
    /// Handled.
    pub done: i64,
    /// Dead again for the same cause.
    pub returned_same: i64,
    /// Dead again for another cause.
    pub returned_different: i64,
    /// Sent, and nothing came of it yet.
    pub pending: i64,
    /// Chosen, and not sent.
    pub not_sent: i64,
    /// The oldest build that handled one, by the order of [`Version`].
    pub cured_by: Option<String>,
    /// How it ended; none while it is under way.
    pub ending: Option<String>,
}

impl Store {
    /// What came of a replay so far; none if there is no such number.
    pub async fn replay_report(&self, replay: i64) -> Result<Option<ReplayReport>, Error> {
        let sql = "/* replay::report */
            select count(l.letter_id) as letters, count(*) filter (where outcome = 'done') as done,
                   count(*) filter (where outcome = 'returned-same') as returned_same,
                   count(*) filter (where outcome = 'returned-different') as returned_different,
                   count(*) filter (where outcome is null and l.state in ('sent', 'removed')) as pending,
                   count(*) filter (where outcome is null and l.state in ('planned', 'sending')) as not_sent,
                   array_agg(distinct build) filter (where outcome = 'done' and build is not null) as builds, r.ending
            from replay r left join replay_letter l on l.replay_id = r.id where r.id = $1 group by r.id";
        let row = self.client().await?.query_opt(sql, &[&replay]).await?;
        let Some(row) = row else { return Ok(None) };
        Ok(Some(ReplayReport {
            replay_id: replay,
            letters: row.column("letters")?,
            done: row.column("done")?,
            returned_same: row.column("returned_same")?,
            returned_different: row.column("returned_different")?,
            pending: row.column("pending")?,
            not_sent: row.column("not_sent")?,
            cured_by: oldest(row.column("builds")?),
            ending: row.column("ending")?,
        }))
    }

    /// The number of the newest replay.
    pub async fn latest_replay(&self) -> Result<Option<i64>, Error> {
        let sql = "/* replay::latest */ select max(id) as latest from replay";
        self.client().await?.query_one(sql, &[]).await?.column("latest")
    }

    /// The dead letters of a replay that failed again, in the order of their numbers; at most `limit`.
    pub async fn replay_failures(&self, replay: i64, limit: i64) -> Result<Vec<Outcome>, Error> {
        let sql = "/* replay::failures */
            select l.letter_id, l.outcome, l.outcome_at, l.build,
                   (select max(b.id) from dead_letter b
                    where b.replay_of = l.letter_id and b.properties->'headers'->'flow-replay' = to_jsonb($1::bigint)) as came_back_as
            from replay_letter l where l.replay_id = $1 and l.outcome <> 'done' order by l.letter_id limit $2";
        let rows = self.client().await?.query(sql, &[&replay, &limit]).await?;
        rows.iter().map(outcome).collect()
    }

    /// What came of each dead letter of a replay, in the order of their numbers.
    pub async fn replay_outcomes(&self, replay: i64) -> Result<Vec<Outcome>, Error> {
        let sql = "/* replay::outcomes */
            select l.letter_id, l.outcome, l.outcome_at, l.build,
                   (select max(b.id) from dead_letter b
                    where b.replay_of = l.letter_id and b.properties->'headers'->'flow-replay' = to_jsonb($1::bigint)) as came_back_as
            from replay_letter l where l.replay_id = $1 order by l.letter_id";
        let rows = self.client().await?.query(sql, &[&replay]).await?;
        rows.iter().map(outcome).collect()
    }
}

fn outcome(row: &Row) -> Result<Outcome, Error> {
    Ok(Outcome {
        id: row.column("letter_id")?,
        outcome: row.column("outcome")?,
        outcome_at: row.column("outcome_at")?,
        build: row.column("build")?,
        came_back_as: row.column("came_back_as")?,
    })
}

/// The oldest of several builds. What is no version is named only where nothing else is there.
fn oldest(builds: Option<Vec<String>>) -> Option<String> {
    builds?.into_iter().min_by_key(|build| {
        let version = build.parse::<Version>().ok();
        (version.is_none(), version)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_build_is_that_of_the_lowest_version_and_the_first_day() {
        for (builds, found) in [
            (&["0.10.0", "0.9.0"][..], "0.9.0"),
            (&["0.1.0+20261125.aaaaaaa", "0.1.0+20261124.bbbbbbb"], "0.1.0+20261124.bbbbbbb"),
            (&["", "0.1.0+20261125.aaaaaaa"], "0.1.0+20261125.aaaaaaa"),
            (&["unknown"], "unknown"),
        ] {
            let builds = builds.iter().map(ToString::to_string).collect();
            assert_eq!(oldest(Some(builds)).as_deref(), Some(found));
        }
        assert_eq!(oldest(None), None);
    }
}
