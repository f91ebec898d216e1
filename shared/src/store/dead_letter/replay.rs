//! Tables `replay` and `replay_letter`: what is sent back, and how far it got.

use chrono::{DateTime, TimeDelta, Utc};
use tokio_postgres::{Row, types::ToSql};

use super::{
    filter::{CONDITION, DeadLetterFilter},
    record::lock_dead_letter_tables,
};
use crate::store::{Error, Store, column::Columns};

/// How long a replay may be silent before it counts as interrupted.
pub(super) const LEASE: TimeDelta = TimeDelta::seconds(30);

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
    /// A fencing token: raised whenever somebody takes the replay over.
    pub(super) lease: i32,
}

/// A replay as it is planned.
#[derive(Debug, Clone, Default)]
pub struct Plan<'a> {
    /// The stage it sends to; none is each dead letter's own.
    pub target: Option<&'a str>,
    /// Most dead letters.
    pub limit: Option<i64>,
    /// What is sent instead of each dead letter's own body.
    pub body: Option<&'a [u8]>,
    /// Who asks.
    pub by: &'a str,
    /// The operation that it is for.
    pub operation: Option<i64>,
    /// It is planned only if so many dead letters are chosen.
    pub exactly: Option<i64>,
}

impl Store {
    /// Plans a replay of the dead letters meant, oldest first: those that lie in their queue and are not held, or are named by
    /// number. Returns the replay and how many dead letters it has; one without dead letters, or with others than so many as it
    /// is to have exactly, is not kept.
    pub async fn plan_replay(
        &self,
        filter: &DeadLetterFilter,
        plan: &Plan<'_>,
        now: DateTime<Utc>,
    ) -> Result<(ReplayLease, i64), Error> {
        let mut client = self.client().await?;
        let transaction = lock_dead_letter_tables(&mut client).await?;
        let insert = "/* replay::plan */
            insert into replay (requested_at, requested_by, filter, target, active_until, operation_id)
            values ($1, $2, $3, $4, $5, $6) returning id";
        let told = serde_json::to_string(filter).unwrap_or_default();
        let active_until = now + LEASE;
        let parameters: [&(dyn ToSql + Sync); 6] =
            [&now, &plan.by, &told, &plan.target, &active_until, &plan.operation];
        let row = transaction.query_one(insert, &parameters).await?;
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
        let chosen = transaction.execute(&choose, &parameters).await?;
        let chosen = i64::try_from(chosen).unwrap_or(i64::MAX);
        if chosen > 0 && plan.exactly.is_none_or(|exactly| chosen == exactly) {
            transaction.commit().await?;
        }
        Ok((ReplayLease { replay_id: replay, lease: 0 }, chosen))
    }

    /// How many dead letters [`Store::plan_replay`] would choose.
    pub async fn count_replay(&self, filter: &DeadLetterFilter, limit: Option<i64>) -> Result<i64, Error> {
        let sql = format!(
            "/* replay::count */
            select count(*) as dead_letters from (
                select from dead_letter d
                where {CONDITION} and d.queued_at is not null
                  and (d.state = 'dead' or (d.state = 'held' and $1::bigint[] is not null)) limit $12) chosen"
        );
        let states = filter.states();
        let mut parameters = filter.parameters(&states);
        parameters.push(&limit);
        self.client().await?.query_one(&sql, &parameters).await?.column("dead_letters")
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
        let dead_letter = |row: &Row| {
            Ok(ReplayedDeadLetter {
                id: row.column("id")?,
                letter: row.column("letter")?,
                stage: row.column("stage")?,
                state: row.column("state")?,
                settled: row.column("settled")?,
                body: row.column("body")?,
            })
        };
        rows.iter().map(dead_letter).collect()
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
}
