//! What people decide about dead letters that stay where they are: held, released, annotated.

use chrono::{DateTime, Utc};
use tokio_postgres::types::ToSql;

use super::filter::{CONDITION, DeadLetterFilter};
use crate::{
    store::{Error, Store, column::Columns},
    version::Version,
};

impl Store {
    /// Holds the dead letters meant: group commands pass them over, until a build of at least `until` is seen, or until
    /// somebody releases them. Returns how many.
    pub async fn hold_dead_letters(
        &self,
        filter: &DeadLetterFilter,
        until: Option<&str>,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<usize, Error> {
        self.change_dead_letters(filter, &["dead", "held"], "held", until, by, now).await
    }

    /// Releases the held dead letters among those meant. Returns how many.
    pub async fn release_dead_letters(
        &self,
        filter: &DeadLetterFilter,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<usize, Error> {
        self.change_dead_letters(filter, &["held"], "dead", None, by, now).await
    }

    async fn change_dead_letters(
        &self,
        filter: &DeadLetterFilter,
        from: &[&str],
        to: &str,
        until: Option<&str>,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<usize, Error> {
        let sql = format!(
            "/* annotate::change */
            with changed as (
                update dead_letter d set state = $12, state_at = $13, held_until = $14
                where {CONDITION} and d.state = any($15) returning id)
            insert into dead_letter_event (letter_id, at, by, event, detail)
            select id, $13, $16, case $12 when 'held' then 'held' else 'released' end, coalesce('until build ' || $14, '')
            from changed returning letter_id"
        );
        let states = filter.states();
        let mut parameters = filter.parameters(&states);
        parameters.extend([&to as &(dyn ToSql + Sync), &now, &until, &from, &by]);
        Ok(self.change_dead_letter_tables(&sql, &parameters).await?.len())
    }

    /// Releases dead letters held until `build` or an older one, by the order of [`Version`]. Returns how many. Those held until
    /// something that is no version stay held.
    ///
    /// A prerelease is older than its release: `1.2.0-rc.1` releases nothing that is held until `1.2.0`. Who trusts the
    /// prerelease can hold until that.
    pub async fn release_for_build(&self, build: &Version, now: DateTime<Utc>) -> Result<usize, Error> {
        let held = "/* annotate::held_until */
            select distinct held_until from dead_letter where state = 'held' and held_until is not null";
        let release = "/* annotate::release_for_build */
            with released as (
                update dead_letter set state = 'dead', state_at = $2, held_until = null
                where state = 'held' and held_until = any($3) returning id)
            insert into dead_letter_event (letter_id, at, by, event, detail)
            select id, $2, 'finalizer', 'released', 'build ' || $1 || ' is here' from released returning letter_id";
        let rows = self.client().await?.query(held, &[]).await?;
        let mut reached: Vec<String> =
            rows.iter().map(|row| row.column("held_until")).collect::<Result<_, _>>()?;
        reached.retain(|until| until.parse::<Version>().is_ok_and(|until| until <= *build));
        if reached.is_empty() {
            return Ok(0);
        }
        Ok(self.change_dead_letter_tables(release, &[&build.to_string(), &now, &reached]).await?.len())
    }

    /// Notes what is known about a group, and who looks after it; each kept where it is none.
    pub async fn note_group(
        &self,
        fingerprint: &str,
        note: Option<&str>,
        owner: Option<&str>,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let sql = "/* annotate::note */
            insert into dead_letter_note as n (fingerprint, note, owner, by, at)
            values ($1, coalesce($2, ''), coalesce($3, ''), $4, $5)
            on conflict (fingerprint) do update
            set note = coalesce($2, n.note), owner = coalesce($3, n.owner), by = $4, at = $5";
        self.client().await?.execute(sql, &[&fingerprint, &note, &owner, &by, &now]).await?;
        Ok(())
    }

    /// Adds a line to a dead letter's history.
    pub async fn note_dead_letter(
        &self,
        id: i64,
        by: &str,
        event: &str,
        detail: &str,
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        let sql = "/* annotate::note_letter */
            insert into dead_letter_event (letter_id, at, by, event, detail) values ($1, $2, $3, $4, $5)";
        self.client().await?.execute(sql, &[&id, &now, &by, &event, &detail]).await?;
        Ok(())
    }
}
