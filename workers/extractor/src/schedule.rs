//! When pulls are started: one a slot, however many replicas run; a slot without a pull is recorded with its reason.
//!
//! There is no leader to lose: every replica decides every slot, and the database lets one of them.

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use clap::Args;
use croner::Cron;
use shared::{
    clock::Clock,
    failure::Failure,
    runtime::{Announcer, Duty, scheduled, sharing},
    schema::PullRequested,
    store::{SlotDecision, Store},
    topology::{Announcement, EXTRACTOR},
};
use tokio::sync::Mutex;

/// Most passed slots that are recorded one by one after an absence: ten weeks of ten minutes.
const MOST_MISSED: usize = 10_000;
/// How soon to look again whether there is a next slot.
const NO_SLOT: Duration = Duration::from_hours(1);

/// The schedule's settings.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "When pulls are started")]
pub struct ScheduleSettings {
    /// Time between two pulls, such as 10m; 0 starts them on request only
    #[arg(long, env, default_value = "10m", value_name = "DURATION", value_parser = interval)]
    pub pull_interval: Duration,
    /// A cron expression in UTC, such as `*/10 * * * *`; takes the place of the interval
    #[arg(long, env, value_name = "CRON", value_parser = cron)]
    pub pull_cron: Option<Cron>,
}

fn interval(text: &str) -> Result<Duration, String> {
    if text.trim() == "0" {
        return Ok(Duration::ZERO);
    }
    let interval = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if interval.subsec_nanos() == 0 { Ok(interval) } else { Err("write whole seconds, such as 10m".into()) }
}

fn cron(text: &str) -> Result<Cron, String> {
    Cron::from_str(text).map_err(|error| error.to_string())
}

/// When pulls are started.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// On request only.
    Never,
    /// At every whole multiple of the interval since 1970, so that all replicas mean the same slots.
    Every(TimeDelta),
    /// At the times of a cron expression, in UTC. croner carries the fraction of a second it is asked with over to its
    /// answer, so it is asked with whole seconds: otherwise every replica would mean a slot of its own.
    Cron(Box<Cron>),
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Never => f.write_str("on request"),
            Self::Every(interval) => {
                write!(f, "every {}", humantime::format_duration(interval.to_std().unwrap_or_default()))
            }
            Self::Cron(cron) => write!(f, "at {}", cron.pattern),
        }
    }
}

impl Schedule {
    /// The schedule these settings ask for.
    pub fn new(settings: &ScheduleSettings) -> Self {
        match (&settings.pull_cron, TimeDelta::from_std(settings.pull_interval)) {
            (Some(cron), _) => Self::Cron(Box::new(cron.clone())),
            (_, Ok(interval)) if interval > TimeDelta::zero() => Self::Every(interval),
            _ => Self::Never,
        }
    }

    /// The latest slot at or before `now`.
    pub fn current(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Never => None,
            Self::Every(interval) => {
                let seconds = interval.num_seconds();
                DateTime::from_timestamp(now.timestamp().div_euclid(seconds) * seconds, 0)
            }
            Self::Cron(cron) => cron.find_previous_occurrence(&now.trunc_subsecs(0), true).ok(),
        }
    }

    /// The first slot after `now`.
    pub fn next(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Never => None,
            Self::Every(interval) => self.current(now)?.checked_add_signed(*interval),
            Self::Cron(cron) => cron.find_next_occurrence(&now.trunc_subsecs(0), false).ok(),
        }
    }

    /// The duty to start pulls; none where they are started on request only.
    pub fn duty(&self, store: &Store, clock: &Clock, announcer: &Announcer) -> Option<Duty> {
        if matches!(self, Self::Never) {
            return None;
        }
        let starter = Arc::new(Starter {
            schedule: self.clone(),
            store: store.clone(),
            clock: clock.clone(),
            announcer: announcer.clone(),
            unannounced: Mutex::default(),
            trouble: Mutex::default(),
        });
        Some(scheduled("schedule", sharing(&starter, Starter::start_due)))
    }

    /// Decides the slot of `now`, and those that passed undecided because nobody was there. Returns what is to be announced.
    pub async fn tick(&self, store: &Store, now: DateTime<Utc>) -> Result<Option<Announcement>, Failure> {
        self.decide(store, "no extractor was there to start it", now).await
    }

    /// The same, where `why` is the reason that slots have passed undecided.
    async fn decide(
        &self,
        store: &Store,
        why: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<Announcement>, Failure> {
        let Some(slot) = self.current(now) else { return Ok(None) };
        let passed = self.passed(store.last_slot().await?, slot);
        if !passed.is_empty() {
            let missed = store.miss_slots(&passed, why, now).await?;
            if missed > 0 {
                tracing::warn!(missed, "slots passed: {why}; see `operator status`");
            }
        }
        match store.open_slot(slot, now).await? {
            SlotDecision::Opened(pull_id) => {
                tracing::info!(pull = pull_id.0, %slot, "pull {pull_id} is started for {slot}");
                Ok(Some(EXTRACTOR.request(&PullRequested { pull_id })))
            }
            SlotDecision::Missed(reason) => {
                tracing::warn!(%slot, reason, "no pull for {slot}: {reason}");
                Ok(None)
            }
            SlotDecision::Decided => Ok(None),
        }
    }

    /// The slots between the last decided one and this one.
    fn passed(&self, last: Option<DateTime<Utc>>, slot: DateTime<Utc>) -> Vec<DateTime<Utc>> {
        let later = |slot: &DateTime<Utc>| self.next(*slot);
        std::iter::successors(last.and_then(|last| self.next(last)), later)
            .take_while(|passed| *passed < slot)
            .take(MOST_MISSED)
            .collect()
    }
}

/// Starts pulls when they are due.
struct Starter {
    schedule: Schedule,
    store: Store,
    clock: Clock,
    announcer: Announcer,
    /// What could not be announced yet. A crash forgets it: the pull's row is there, and the stall watch announces it.
    unannounced: Mutex<Vec<Announcement>>,
    /// Why no slot could be decided since the last that was.
    trouble: Mutex<Option<String>>,
}

impl Starter {
    /// Decides the slot that is due, and announces its pull; how long to wait for the next slot.
    async fn start_due(self: Arc<Self>) -> Result<Duration, Failure> {
        let mut unannounced = self.unannounced.lock().await;
        let mut trouble = self.trouble.lock().await;
        let now = self.clock.now();
        let decided = match &*trouble {
            Some(why) => self.schedule.decide(&self.store, why, now).await,
            None => self.schedule.tick(&self.store, now).await,
        };
        match decided {
            Ok(due) => {
                *trouble = None;
                unannounced.extend(due);
            }
            Err(failure) => {
                trouble.get_or_insert_with(|| format!("no pull could be started: {failure}"));
                return Err(failure);
            }
        }
        if !unannounced.is_empty() {
            self.announcer.announce(unannounced.clone()).await?;
            unannounced.clear();
        }
        let now = self.clock.now();
        let next = self.schedule.next(now).and_then(|next| (next - now).to_std().ok());
        Ok(next.unwrap_or(NO_SLOT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn slots_are_the_same_for_every_replica() {
        let schedule = Schedule::Every(TimeDelta::minutes(10));
        assert_eq!(schedule.current(at("2026-11-23T12:07:31Z")), Some(at("2026-11-23T12:00:00Z")));
        assert_eq!(schedule.next(at("2026-11-23T12:10:00Z")), Some(at("2026-11-23T12:20:00Z")));
        let cron = Schedule::Cron(Box::new("*/15 8-9 * * *".parse().unwrap()));
        for now in ["2026-11-23T08:15:00Z", "2026-11-23T08:15:00.331Z", "2026-11-23T08:29:59.9Z"] {
            assert_eq!(cron.current(at(now)), Some(at("2026-11-23T08:15:00Z")), "{now}");
            assert_eq!(cron.next(at(now)), Some(at("2026-11-23T08:30:00Z")), "{now}");
        }
        assert_eq!(cron.next(at("2026-11-23T09:45:00Z")), Some(at("2026-11-24T08:00:00Z")));
        assert_eq!(Schedule::Never.current(at("2026-11-23T08:15:00Z")), None);
    }

    #[test]
    fn passed_slots_lie_between_the_last_and_this() {
        let schedule = Schedule::Every(TimeDelta::minutes(10));
        let passed = schedule.passed(Some(at("2026-11-23T12:00:00Z")), at("2026-11-23T12:30:00Z"));
        assert_eq!(passed, [at("2026-11-23T12:10:00Z"), at("2026-11-23T12:20:00Z")]);
        assert!(
            schedule.passed(None, at("2026-11-23T12:30:00Z")).is_empty(),
            "nothing is missed before the first"
        );
    }

    #[test]
    fn the_command_line_knows_intervals_and_cron() {
        #[derive(clap::Parser)]
        struct Cli {
            #[command(flatten)]
            schedule: ScheduleSettings,
        }
        let of = |flags: &[&str]| {
            let flags = std::iter::once("test").chain(flags.iter().copied());
            <Cli as clap::Parser>::try_parse_from(flags).map(|cli| Schedule::new(&cli.schedule))
        };
        assert!(matches!(of(&[]), Ok(Schedule::Every(interval)) if interval == TimeDelta::minutes(10)));
        assert!(matches!(of(&["--pull-interval=0"]), Ok(Schedule::Never)));
        assert!(
            matches!(of(&["--pull-cron=*/5 * * * *"]), Ok(Schedule::Cron(_))),
            "takes the place of the interval"
        );
        assert!(of(&["--pull-cron=often"]).is_err());
    }

    #[test]
    fn bad_intervals_are_refused() {
        assert_eq!(interval("0"), Ok(Duration::ZERO));
        for bad in ["", "ten", "-5m", "1500ms"] {
            assert!(interval(bad).is_err(), "{bad:?}");
        }
        assert!(cron("every day").is_err());
    }
}
