//! Retention: what is past its time is removed, daily and by one program.
//!
//! Harmless when it is cut short or done twice: each step asks again what is there, and a day that was detached and not
//! dropped is dropped by the next run.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde::Serialize;

use crate::{
    clock::Clock,
    failure::{Class, Failure},
    store::{Leaving, Place, RETENTION_CLASSES, RetentionClass, Store, StoredDay, Ttl},
};

/// How long after a run the next is due, where nothing is kept for a shorter time than days.
const EVERY: TimeDelta = TimeDelta::hours(24);
/// The same for what is kept for hours: nothing is older than its time to live and a quarter of it, or an hour.
const OFTENEST: TimeDelta = TimeDelta::hours(1);

/// The name under which one program is elected.
const DUTY: &str = "retention";

/// A class of data: how long it is kept, what is stored of it, and what would go now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassSurvey {
    /// The class.
    pub class: &'static str,
    /// What it holds.
    pub about: &'static str,
    /// How long it is kept.
    pub ttl: Ttl,
    /// Whether that is the default.
    pub is_default: bool,
    /// Rows, or pages.
    pub rows: i64,
    /// Bytes: on disk for whole days, of the rows themselves otherwise.
    pub bytes: i64,
    /// The oldest.
    pub oldest: Option<DateTime<Utc>>,
    /// What would go now.
    pub due: Removed,
}

/// A day that has to stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeptDay {
    /// The day, in UTC.
    pub day: NaiveDate,
    /// Why it stays.
    pub why: String,
}

/// What a run removed of a class, or would remove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removed {
    /// The class.
    pub class: &'static str,
    /// Rows deleted or emptied, whole days apart.
    pub rows: i64,
    /// Whole days that were dropped.
    pub days: Vec<NaiveDate>,
    /// What dropping them freed, in bytes.
    pub bytes: i64,
    /// Days that are past their time and had to stay, and why.
    pub kept: Vec<KeptDay>,
}

impl Removed {
    /// Nothing, yet.
    const fn of(class: &RetentionClass) -> Self {
        Self { class: class.name, rows: 0, days: Vec::new(), bytes: 0, kept: Vec::new() }
    }
}

/// Looks what is stored of each class, and what would go now. With `beyond_lake`, also what a lake lacks.
pub async fn survey(
    store: &Store,
    now: DateTime<Utc>,
    beyond_lake: bool,
) -> Result<Vec<ClassSurvey>, Failure> {
    let set = store.retention().await?;
    let mut surveys = Vec::with_capacity(RETENTION_CLASSES.len());
    for class in &RETENTION_CLASSES {
        let ttl = ttl(class, &set);
        let mut found = ClassSurvey {
            class: class.name,
            about: class.about,
            ttl,
            is_default: !set.contains_key(class.name),
            rows: 0,
            bytes: 0,
            oldest: None,
            due: Removed::of(class),
        };
        for place in class.places {
            look_at(store, place, cutoff(ttl, now), beyond_lake, &mut found).await?;
        }
        surveys.push(found);
    }
    Ok(surveys)
}

async fn look_at(
    store: &Store,
    place: &Place,
    cutoff: Option<DateTime<Utc>>,
    beyond_lake: bool,
    found: &mut ClassSurvey,
) -> Result<(), Failure> {
    if let Place::Days { table, in_lake, .. } = place {
        let days = store.stored_days(table, cutoff, *in_lake && !beyond_lake).await?;
        found.bytes += days.iter().map(|day| day.bytes).sum::<i64>();
        let stored = store.stored_at(place, days.first().map(|day| day.from)).await?;
        found.rows += stored.rows;
        found.oldest = stored.oldest;
        let (kept, due) = past(days, cutoff);
        found.due.bytes += due.iter().map(|day| day.bytes).sum::<i64>();
        found.due.days.extend(due.into_iter().map(|day| day.from.date_naive()));
        found.due.kept.extend(kept);
    } else {
        let stored = store.stored_at(place, cutoff).await?;
        found.rows += stored.rows;
        found.bytes += stored.bytes;
        found.due.rows += stored.due;
        found.oldest = found.oldest.into_iter().chain(stored.oldest).min();
    }
    Ok(())
}

/// Carries retention out, unless somebody else is at it just now. Needs the rights of the tables' owner.
pub async fn apply(
    store: &Store,
    clock: &Clock,
    by: &str,
    beyond_lake: bool,
) -> Result<Option<Vec<Removed>>, Failure> {
    store.if_elected(DUTY, remove_all(store, clock, by, beyond_lake)).await
}

/// The same, if the run before is long enough ago.
pub async fn apply_if_due(store: &Store, clock: &Clock, by: &str) -> Result<Option<Vec<Removed>>, Failure> {
    let run = async {
        let last = store.last_retention_run().await?;
        let set = store.retention().await?;
        if last.is_some_and(|run| clock.now() - run.ended_at < period(&set)) {
            return Ok(None);
        }
        remove_all(store, clock, by, false).await.map(Some)
    };
    Ok(store.if_elected(DUTY, run).await?.flatten())
}

async fn remove_all(
    store: &Store,
    clock: &Clock,
    by: &str,
    beyond_lake: bool,
) -> Result<Vec<Removed>, Failure> {
    let begun = clock.now();
    let run = store.begin_retention_run(by, begun).await?;
    let set = store.retention().await?;
    let mut all = Vec::with_capacity(RETENTION_CLASSES.len());
    for class in &RETENTION_CLASSES {
        let mut removed = Removed::of(class);
        if let Some(cutoff) = cutoff(ttl(class, &set), begun) {
            for place in class.places {
                remove(store, place, cutoff, begun, beyond_lake, &mut removed).await?;
            }
        }
        all.push(removed);
    }
    store.end_retention_run(run, &all, clock.now()).await?;
    Ok(all)
}

async fn remove(
    store: &Store,
    place: &Place,
    cutoff: DateTime<Utc>,
    now: DateTime<Utc>,
    beyond_lake: bool,
    removed: &mut Removed,
) -> Result<(), Failure> {
    if matches!(place, Place::LakeSnapshots) {
        removed.rows += store.expire_lake_snapshots(cutoff, now).await?.snapshots;
        return Ok(());
    }
    let Place::Days { table, in_lake, .. } = place else {
        loop {
            let (rows, more) = store.remove_batch(place, cutoff).await?;
            removed.rows += rows;
            if !more {
                break;
            }
        }
        return match place {
            Place::RowsOfDays { table, .. } => drop_empty_days(store, table, cutoff, removed).await,
            _ => Ok(()),
        };
    };
    let days = store.stored_days(table, Some(cutoff), *in_lake && !beyond_lake).await?;
    let (kept, due) = past(days, Some(cutoff));
    removed.kept.extend(kept);
    for day in due {
        match remove_day(store, table, &day).await {
            Ok(()) => {
                removed.bytes += day.bytes;
                removed.days.push(day.from.date_naive());
            }
            // Only one day of a table can be half detached: the rest waits as well.
            Err(failure) if failure.class == Class::Contention => {
                let why =
                    "a transaction that uses the table is open for too long: the next run goes on".to_owned();
                removed.kept.push(KeptDay { day: day.from.date_naive(), why });
                break;
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

async fn drop_empty_days(
    store: &Store,
    table: &str,
    cutoff: DateTime<Utc>,
    removed: &mut Removed,
) -> Result<(), Failure> {
    let days = store.stored_days(table, None, false).await?;
    for day in past(days, Some(cutoff)).1 {
        match store.drop_empty_day(table, &day).await.map_err(Failure::from) {
            Ok(true) => {
                removed.bytes += day.bytes;
                removed.days.push(day.from.date_naive());
            }
            Ok(false) => {}
            // Somebody writes: the next run drops it.
            Err(failure) if failure.class == Class::Contention => break,
            Err(failure) => return Err(failure),
        }
    }
    Ok(())
}

async fn remove_day(store: &Store, table: &str, day: &StoredDay) -> Result<(), Failure> {
    store.detach_day(table, day).await?;
    Ok(store.drop_day(day).await?)
}

/// The days that are past their time: those that have to stay, and those that can go, half detached ones first.
fn past(days: Vec<StoredDay>, cutoff: Option<DateTime<Utc>>) -> (Vec<KeptDay>, Vec<StoredDay>) {
    let Some(cutoff) = cutoff else { return (Vec::new(), Vec::new()) };
    let past = days.into_iter().filter(|day| day.from + TimeDelta::days(1) <= cutoff);
    let (kept, mut due): (Vec<StoredDay>, Vec<StoredDay>) = past.partition(|day| day.kept.is_some());
    due.sort_by_key(|day| day.leaving == Leaving::Attached);
    let kept = kept
        .into_iter()
        .filter_map(|day| Some(KeptDay { day: day.from.date_naive(), why: day.kept? }))
        .collect();
    (kept, due)
}

/// What of a class is older than this may go; none where it is kept for ever.
pub async fn cutoff_of(
    store: &Store,
    class: &str,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, Failure> {
    let set = store.retention().await?;
    Ok(RetentionClass::find(class).and_then(|class| cutoff(ttl(class, &set), now)))
}

/// How long after a run the next is due.
fn period(set: &HashMap<String, Ttl>) -> TimeDelta {
    let shortest = RETENTION_CLASSES.iter().filter_map(|class| ttl(class, set).duration()).min();
    let quarter = shortest.and_then(|shortest| TimeDelta::from_std(shortest / 4).ok());
    quarter.unwrap_or(EVERY).clamp(OFTENEST, EVERY)
}

fn ttl(class: &RetentionClass, set: &HashMap<String, Ttl>) -> Ttl {
    set.get(class.name).copied().unwrap_or(class.default)
}

/// What is older than this may go; none keeps everything.
fn cutoff(ttl: Ttl, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    now.checked_sub_signed(TimeDelta::from_std(ttl.duration()?).ok()?)
}
