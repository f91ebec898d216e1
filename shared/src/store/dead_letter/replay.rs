//! Tables `replay` and `replay_letter`: what was sent back, how far it got, and what came of it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use tokio_postgres::{Row, types::ToSql};

use super::{
    filter::{CONDITION, DeadLetterFilter},
    record::lock_dead_letter_tables,
};
use crate::{
    store::{Error, Store, column::Columns},
    version::Version,
};

/// How long a replay may be silent before it counts as interrupted.
const LEASE: TimeDelta = TimeDelta::seconds(30);

/// A dead letter of a replay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplayedDeadLetter {
    /// Its number.
    pub id: i64,
    /// Its own name, by which it is found in its queue.
    pub letter: String,
    /// The stage in whose dead-letter queue it lies.
    pub stage: String,
    /// planned, sending, sent or removed.
    pub state: String,
    /// Whether something came of it already.
    pub settled: bool,
    /// What is sent instead of its own body, where somebody edited it.
    pub body: Option<Vec<u8>>,
}

/// A replay and whoever carries it out: one who was away for too long has been replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplayLease {
    /// The replay.
    pub replay_id: i64,
    /// The how-manieth to carry it out.
    lease: i32,
}

/// What came of one dead letter of a replay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// The letter.
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

/// A replay that was interrupted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interrupted {
    /// Its number.
    pub replay_id: i64,
    /// The stage it sends to; none is each dead letter's own.
    pub target: Option<String>,
}

/// A replay as it is planned.
#[derive(Debug, Clone, Default)]
pub struct Plan<'a> {
    /// The stage it sends to; none is each dead letter's own.
    pub target: Option<&'a str>,
    /// Most letters.
    pub limit: Option<i64>,
    /// What is sent instead of each dead letter's own body.
    pub body: Option<&'a [u8]>,
    /// Who asks.
    pub by: &'a str,
}

/// What came of a replay; sums to `letters`.
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
    /// Plans a replay of the dead letters meant, oldest first: those that lie in their queue and are not held, or are named by
    /// number. Returns the replay and how many dead letters it has; one without dead letters is not kept.
    pub async fn plan_replay(
        &self,
        filter: &DeadLetterFilter,
        plan: &Plan<'_>,
        now: DateTime<Utc>,
    ) -> Result<(ReplayLease, i64), Error> {
        let mut client = self.client().await?;
        let transaction = lock_dead_letter_tables(&mut client).await?;
        let insert = "/* replay::plan */
            insert into replay (requested_at, requested_by, filter, target, active_until) values ($1, $2, $3, $4, $5)
            returning id";
        let told = serde_json::to_string(filter).unwrap_or_default();
        let row =
            transaction.query_one(insert, &[&now, &plan.by, &told, &plan.target, &(now + LEASE)]).await?;
        let replay: i64 = row.column("id")?;
        let choose = format!(
            "/* replay::plan, letters */
            with chosen as (
                select d.id, d.state = 'held' as was_held from dead_letter d
                where {CONDITION} and d.queued_at is not null
                  and (d.state = 'dead' or (d.state = 'held' and $1::bigint[] is not null))
                order by d.first_failed_at, d.id limit $12 for update
            ), replaying as (
                update dead_letter d set state = 'replaying', state_at = $13 from chosen where d.id = chosen.id
            ), noted as (
                insert into dead_letter_event (letter_id, at, by, event, detail)
                select id, $13, $14, 'replaying', 'replay ' || $15::bigint from chosen
            )
            insert into replay_letter (replay_id, letter_id, was_held, body) select $15, id, was_held, $16 from chosen"
        );
        let states = filter.states();
        let mut parameters = filter.parameters(&states);
        parameters.extend([&plan.limit as &(dyn ToSql + Sync), &now, &plan.by, &replay, &plan.body]);
        let letters = transaction.execute(&choose, &parameters).await?;
        if letters > 0 {
            transaction.commit().await?;
        }
        Ok((ReplayLease { replay_id: replay, lease: 0 }, i64::try_from(letters).unwrap_or(i64::MAX)))
    }

    /// How many dead letters [`Store::plan_replay`] would choose.
    pub async fn count_replay(&self, filter: &DeadLetterFilter, limit: Option<i64>) -> Result<i64, Error> {
        let sql = format!(
            "/* replay::count */
            select count(*) as letters from (
                select from dead_letter d
                where {CONDITION} and d.queued_at is not null
                  and (d.state = 'dead' or (d.state = 'held' and $1::bigint[] is not null)) limit $12) chosen"
        );
        let states = filter.states();
        let mut parameters = filter.parameters(&states);
        parameters.push(&limit);
        self.client().await?.query_one(&sql, &parameters).await?.column("letters")
    }

    /// The dead letters of a replay that are not out of their queue yet, oldest first; keeps the replay from counting as
    /// interrupted. Fails when somebody else carries it out by now.
    pub async fn replay_dead_letters(
        &self,
        lease: ReplayLease,
        limit: i64,
        now: DateTime<Utc>,
    ) -> Result<Vec<ReplayedDeadLetter>, Error> {
        let active = "/* replay::letters, active */
            update replay set active_until = $3 where id = $1 and keeper = $2 and ended_at is null";
        let sql = "/* replay::letters */
            select d.id, d.letter, d.stage, r.state, r.outcome is not null as settled, r.body
            from replay_letter r join dead_letter d on d.id = r.letter_id
            where r.replay_id = $1 and r.state <> 'removed' order by d.first_failed_at, d.id limit $2";
        let client = self.client().await?;
        let replay = lease.replay_id;
        if client.execute(active, &[&replay, &lease.lease, &(now + LEASE)]).await? == 0 {
            return Err(Error::Replaced { replay });
        }
        let rows = client.query(sql, &[&replay, &limit]).await?;
        let letter = |row: &Row| {
            Ok(ReplayedDeadLetter {
                id: row.column("id")?,
                letter: row.column("letter")?,
                stage: row.column("stage")?,
                state: row.column("state")?,
                settled: row.column("settled")?,
                body: row.column("body")?,
            })
        };
        rows.iter().map(letter).collect()
    }

    /// Notes how far dead letters of a replay have got. Returns those of them that are its own: none when somebody else
    /// carries it out by now.
    pub async fn replay_reached(
        &self,
        lease: ReplayLease,
        ids: &[i64],
        state: &str,
    ) -> Result<Vec<i64>, Error> {
        let sql = "/* replay::reached */
            update replay_letter l set state = $3 from replay r
            where l.replay_id = $1 and l.letter_id = any($2)
              and r.id = $1 and r.keeper = $4 and r.ended_at is null
            returning l.letter_id";
        let rows =
            self.change_dead_letter_tables(sql, &[&lease.replay_id, &ids, &state, &lease.lease]).await?;
        rows.iter().map(|row| row.column("letter_id")).collect()
    }

    /// Notes that dead letters of a replay are out of their queue.
    pub async fn replay_removed(&self, replay: i64, ids: &[i64], now: DateTime<Utc>) -> Result<(), Error> {
        let sql = "/* replay::removed */
            with removed as (
                update replay_letter set state = 'removed' where replay_id = $1 and letter_id = any($2)
                returning letter_id, outcome)
            update dead_letter d
            set state = case when removed.outcome = 'done' then 'cured' else 'replayed' end, state_at = $3
            from removed where d.id = removed.letter_id and d.state = 'replaying'";
        self.change_dead_letter_tables(sql, &[&replay, &ids, &now]).await?;
        Ok(())
    }

    /// Notes that dead letters of a replay were not in their queue, and so were not sent.
    pub async fn replay_lost(&self, replay: i64, ids: &[i64], now: DateTime<Utc>) -> Result<(), Error> {
        let sql = "/* replay::lost */
            with lost as (
                delete from replay_letter where replay_id = $1 and letter_id = any($2) returning letter_id
            ), vanished as (
                update dead_letter d set state = 'vanished', state_at = $3
                from lost where d.id = lost.letter_id and d.state = 'replaying' returning d.id
            )
            insert into dead_letter_event (letter_id, at, by, event, detail)
            select id, $3, 'replay ' || $1::bigint, 'vanished', 'it was not in its queue, so it was not sent' from vanished";
        self.change_dead_letter_tables(sql, &[&replay, &ids, &now]).await?;
        Ok(())
    }

    /// Ends a replay: dead letters it did not get to are as they were.
    pub async fn end_replay(&self, replay: i64, ending: &str, now: DateTime<Utc>) -> Result<(), Error> {
        let sql = "/* replay::end */
            with left_over as (
                delete from replay_letter where replay_id = $1 and state = 'planned' returning letter_id, was_held
            ), back as (
                update dead_letter d set state = case when was_held then 'held' else 'dead' end, state_at = $3
                from left_over where d.id = left_over.letter_id and d.state = 'replaying' returning d.id
            ), noted as (
                insert into dead_letter_event (letter_id, at, by, event, detail)
                select id, $3, 'replay ' || $1::bigint, 'not replayed', $2 from back
            )
            update replay set ended_at = $3, ending = $2 where id = $1";
        self.change_dead_letter_tables(sql, &[&replay, &ending, &now]).await?;
        Ok(())
    }

    /// Gives a replay up that cannot go on: dead letters that nothing was begun with are as they were, at once. What was begun is
    /// for whoever comes next to finish, without waiting for the lease to run out; where nothing was, the replay has ended.
    pub async fn give_up_replay(
        &self,
        lease: ReplayLease,
        why: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let sql = "/* replay::give_up */
            with ours as (
                update replay set active_until = $3,
                    ended_at = case when not begun then $3::timestamptz end, ending = case when not begun then $2::text end
                from (select exists (select from replay_letter where replay_id = $1 and state in ('sending', 'sent'))) b (begun)
                where id = $1 and keeper = $4 and ended_at is null returning id
            ), left_over as (
                delete from replay_letter using ours where replay_id = ours.id and state = 'planned'
                returning letter_id, was_held
            ), back as (
                update dead_letter d set state = case when was_held then 'held' else 'dead' end, state_at = $3
                from left_over where d.id = left_over.letter_id and d.state = 'replaying' returning d.id
            )
            insert into dead_letter_event (letter_id, at, by, event, detail)
            select id, $3, 'replay ' || $1::bigint, 'not replayed', $2 from back";
        self.change_dead_letter_tables(sql, &[&lease.replay_id, &why, &now, &lease.lease]).await?;
        Ok(())
    }

    /// Replays that somebody began and nobody is at any more.
    pub async fn interrupted_replays(&self, now: DateTime<Utc>) -> Result<Vec<Interrupted>, Error> {
        let sql = "/* replay::interrupted */
            select id, target from replay where ended_at is null and active_until < $1 order by id";
        let rows = self.client().await?.query(sql, &[&now]).await?;
        let interrupted =
            |row: &Row| Ok(Interrupted { replay_id: row.column("id")?, target: row.column("target")? });
        rows.iter().map(interrupted).collect()
    }

    /// Takes an interrupted replay over: for one caller. Dead letters that were only planned are as they were.
    pub async fn take_replay_over(
        &self,
        replay: i64,
        now: DateTime<Utc>,
    ) -> Result<Option<ReplayLease>, Error> {
        let take = "/* replay::take_over */
            update replay set active_until = $2, keeper = keeper + 1
            where id = $1 and ended_at is null and active_until < $3 returning keeper";
        let planned = "/* replay::take_over, planned */
            with left_over as (
                delete from replay_letter where replay_id = $1 and state = 'planned' returning letter_id, was_held)
            update dead_letter d set state = case when was_held then 'held' else 'dead' end, state_at = $2
            from left_over where d.id = left_over.letter_id and d.state = 'replaying'";
        let mut client = self.client().await?;
        let transaction = lock_dead_letter_tables(&mut client).await?;
        let Some(row) = transaction.query_opt(take, &[&replay, &(now + LEASE), &now]).await? else {
            return Ok(None);
        };
        transaction.execute(planned, &[&replay, &now]).await?;
        transaction.commit().await?;
        Ok(Some(ReplayLease { replay_id: replay, lease: row.column("keeper")? }))
    }

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

    /// What came of each dead letter of a replay, in the order of their numbers.
    pub async fn replay_outcomes(&self, replay: i64) -> Result<Vec<Outcome>, Error> {
        let sql = "/* replay::outcomes */
            select l.letter_id, l.outcome, l.outcome_at, l.build,
                   (select max(b.id) from dead_letter b
                    where b.replay_of = l.letter_id and b.properties->'headers'->'flow-replay' = to_jsonb($1::bigint)) as came_back_as
            from replay_letter l where l.replay_id = $1 order by l.letter_id";
        let rows = self.client().await?.query(sql, &[&replay]).await?;
        let outcome = |row: &Row| {
            Ok(Outcome {
                id: row.column("letter_id")?,
                outcome: row.column("outcome")?,
                outcome_at: row.column("outcome_at")?,
                build: row.column("build")?,
                came_back_as: row.column("came_back_as")?,
            })
        };
        rows.iter().map(outcome).collect()
    }
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
