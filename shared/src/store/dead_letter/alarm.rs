//! Alarms about dead letters: each is raised once, however many finalizers look.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use tokio_postgres::Row;

use crate::store::{Error, Store, column::Columns};

/// Growth is counted over so long.
const GROWTH_WINDOW: TimeDelta = TimeDelta::minutes(10);

/// When dead letters are worth an alarm.
#[derive(Debug, Clone, Copy)]
pub struct AlarmLimits {
    /// The oldest dead letter of a queue may lie for so long.
    pub age: Duration,
    /// So many more dead letters in ten minutes are many.
    pub growth: i64,
}

/// Something about dead letters that somebody should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Alarm {
    /// When it was raised.
    pub at: DateTime<Utc>,
    /// The dead-letter queue.
    pub queue: String,
    /// `first`: dead letters where there were none. `age`: the oldest lies there for too long. `growth`: many in a short time.
    pub kind: String,
    /// The same in words.
    pub detail: String,
}

/// How a dead-letter queue stands, as the dead-letter store knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterDepth {
    /// The queue.
    pub queue: String,
    /// Dead letters in it.
    pub dead_letters: i64,
    /// When the oldest of them died.
    pub oldest: Option<DateTime<Utc>>,
}

/// What is remembered of a queue from one look to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Memory {
    dead_letters: i64,
    age_told: bool,
    grown_from: i64,
    /// Whether the time over which growth is counted has passed.
    window_over: bool,
}

impl Store {
    /// Looks at these dead-letter queues and raises what alarms there are to raise. How the queues stand, and the alarms that
    /// this call raised: of several callers at once, one raises each.
    pub async fn raise_alarms(
        &self,
        queues: &[String],
        limits: AlarmLimits,
        now: DateTime<Utc>,
    ) -> Result<(Vec<DeadLetterDepth>, Vec<Alarm>), Error> {
        let mut client = self.client().await?;
        let transaction = client.transaction().await?;
        let watch = "/* alarm::raise */ insert into alarm_watch (queue) select unnest($1::text[]) on conflict do nothing";
        transaction.execute(watch, &[&queues]).await?;
        // Locked before the dead letters are counted: who comes second counts after the first has told.
        let hold = "/* alarm::raise */ select from alarm_watch order by queue for update";
        transaction.query(hold, &[]).await?;
        let look = "/* alarm::raise */
            select w.queue, w.letters, w.age_told, w.grown_from, w.grown_since < $1 as window_over,
                   coalesce(d.letters, 0) as there, d.oldest
            from alarm_watch w left join dead_letter_depth d on d.queue = w.queue order by w.queue";
        let (mut depths, mut raised) = (Vec::new(), Vec::new());
        for row in transaction.query(look, &[&(now - GROWTH_WINDOW)]).await? {
            let depth = DeadLetterDepth {
                queue: row.column("queue")?,
                dead_letters: row.column("there")?,
                oldest: row.column("oldest")?,
            };
            let before = Memory {
                dead_letters: row.column("letters")?,
                age_told: row.column("age_told")?,
                grown_from: row.column("grown_from")?,
                window_over: row.column("window_over")?,
            };
            let (after, alarms) = judge(before, &depth, limits, now);
            if after != before {
                let remember = "/* alarm::raise */
                    update alarm_watch set letters = $2, age_told = $3, grown_from = $4,
                        grown_since = case when $5 then $6 else grown_since end
                    where queue = $1";
                let (begun, from) = (after.window_over != before.window_over, after.grown_from);
                let begun = begun || from != before.grown_from;
                transaction
                    .execute(
                        remember,
                        &[&depth.queue, &after.dead_letters, &after.age_told, &from, &begun, &now],
                    )
                    .await?;
            }
            for alarm in &alarms {
                let tell =
                    "/* alarm::raise */ insert into alarm (at, queue, kind, detail) values ($1, $2, $3, $4)";
                transaction.execute(tell, &[&now, &alarm.queue, &alarm.kind, &alarm.detail]).await?;
            }
            depths.push(depth);
            raised.extend(alarms);
        }
        transaction.commit().await?;
        Ok((depths, raised))
    }

    /// The newest alarms since a time that nobody has acknowledged, newest first.
    pub async fn alarms(&self, since: DateTime<Utc>, limit: i64) -> Result<Vec<Alarm>, Error> {
        let sql = "/* alarm::list */
            select at, queue, kind, detail from alarm where at >= $1 and acknowledged_at is null order by at desc, id desc limit $2";
        let rows = self.client().await?.query(sql, &[&since, &limit]).await?;
        let alarm = |row: &Row| {
            Ok(Alarm {
                at: row.column("at")?,
                queue: row.column("queue")?,
                kind: row.column("kind")?,
                detail: row.column("detail")?,
            })
        };
        rows.iter().map(alarm).collect()
    }
}

/// What is to be told now, and what to remember for the next look.
fn judge(
    before: Memory,
    depth: &DeadLetterDepth,
    limits: AlarmLimits,
    now: DateTime<Utc>,
) -> (Memory, Vec<Alarm>) {
    let dead_letters = depth.dead_letters;
    let mut alarms = Vec::new();
    let mut tell = |kind: &str, detail: String| {
        alarms.push(Alarm { at: now, queue: depth.queue.clone(), kind: kind.to_owned(), detail });
    };
    if before.dead_letters == 0 && dead_letters > 0 {
        tell("first", format!("{dead_letters} where there were none"));
    }
    let age = depth.oldest.and_then(|oldest| (now - oldest).to_std().ok()).unwrap_or_default();
    let old = age > limits.age;
    if old && !before.age_told {
        let [age, limit] =
            [age, limits.age].map(|age| humantime::format_duration(Duration::from_secs(age.as_secs())));
        tell("age", format!("the oldest of {dead_letters} lies there for {age}, longer than {limit}"));
    }
    let from = if before.window_over { before.dead_letters } else { before.grown_from }.min(dead_letters);
    let many = dead_letters - from >= limits.growth;
    if many {
        tell("growth", format!("{} more within ten minutes, {dead_letters} in all", dead_letters - from));
    }
    let grown_from = if many { dead_letters } else { from };
    (Memory { dead_letters, age_told: old, grown_from, window_over: false }, alarms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: AlarmLimits = AlarmLimits { age: Duration::from_hours(1), growth: 100 };
    const NEW: Memory = Memory { dead_letters: 0, age_told: false, grown_from: 0, window_over: true };

    /// The kinds told when so many dead letters lie there, the oldest for so many minutes.
    fn told(memory: &mut Memory, dead_letters: i64, minutes: i64) -> Vec<String> {
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(1);
        let oldest = (dead_letters > 0).then(|| now - TimeDelta::minutes(minutes));
        let (after, alarms) =
            judge(*memory, &DeadLetterDepth { queue: "q".into(), dead_letters, oldest }, LIMITS, now);
        *memory = after;
        alarms.into_iter().map(|alarm| alarm.kind).collect()
    }

    #[test]
    fn the_first_dead_letter_is_told_once_and_again_after_there_were_none() {
        let mut memory = NEW;
        assert_eq!(told(&mut memory, 1, 0), ["first"]);
        assert_eq!(told(&mut memory, 2, 1), [""; 0]);
        assert_eq!(told(&mut memory, 0, 0), [""; 0]);
        assert_eq!(told(&mut memory, 1, 0), ["first"]);
    }

    #[test]
    fn age_is_told_once_until_the_oldest_is_young_again() {
        let mut memory = NEW;
        assert_eq!(told(&mut memory, 1, 61), ["first", "age"]);
        assert_eq!(told(&mut memory, 1, 62), [""; 0]);
        assert_eq!(told(&mut memory, 1, 5), [""; 0]);
        assert_eq!(told(&mut memory, 1, 61), ["age"]);
    }

    #[test]
    fn growth_is_counted_over_a_window_and_told_again_only_when_it_goes_on() {
        let mut memory = NEW;
        assert_eq!(told(&mut memory, 99, 0), ["first"]);
        assert_eq!(told(&mut memory, 100, 0), ["growth"]);
        assert_eq!(told(&mut memory, 199, 0), [""; 0]);
        assert_eq!(told(&mut memory, 200, 0), ["growth"]);
        memory.window_over = true;
        assert_eq!(told(&mut memory, 290, 0), [""; 0], "ninety since the last look");
        assert_eq!(told(&mut memory, 10, 0), [""; 0]);
        assert_eq!(told(&mut memory, 109, 0), [""; 0], "what was taken away counts from there");
        assert_eq!(told(&mut memory, 110, 0), ["growth"]);
    }
}
