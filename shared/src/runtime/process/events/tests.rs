use std::future::pending;

use futures::future::BoxFuture;
use tracing_subscriber::{Registry, layer::SubscriberExt};

use super::{super::log_fields::SpanScopes, *};
use crate::worker_state::{Retry, WorkerState};

const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

/// What is told in `f`.
fn collected(f: impl FnOnce()) -> Vec<Event> {
    let to = Collected::default();
    let layer = CollectEvents { stage: "finalizer", to: to.clone() };
    tracing::subscriber::with_default(Registry::default().with(SpanScopes).with(layer), f);
    to.take("finalizer", NOW)
}

#[test]
fn a_storm_of_one_cause_is_one_event_per_pull() {
    let events = collected(|| {
        for n in 0..5_000 {
            let _span = tracing::info_span!("process", pull = n % 2, chunk = n, trace = "abc").entered();
            tracing::warn!(code = "helix.server_error", "Twitch answered {} to call {n}", 500 + n % 3);
        }
        tracing::info!("this is fine");
    });
    let told: Vec<_> = events.iter().map(|event| (event.pull_id, event.chunk, event.count)).collect();
    assert_eq!(events.len(), 2, "{events:#?}");
    assert!(told.contains(&(Some(0), Some(4_998), 2_500)) && told.contains(&(Some(1), Some(4_999), 2_500)));
    assert_eq!(events[0].code.as_deref(), Some("helix.server_error"));
    assert_eq!((events[0].level, events[0].trace.as_deref()), ("WARN", Some("abc")));
}

#[test]
fn what_finds_no_room_is_counted() {
    let to = Collected::default();
    for n in 0..1_100 {
        let cause: String = format!("{n:04}").bytes().map(|digit| char::from(digit + 49)).collect();
        to.add(new_event(Level::WARN, "finalizer", None, &cause, NOW));
    }
    let events = to.take("finalizer", NOW);
    assert_eq!(events.len(), MOST_CAUSES + 1);
    let last = events.last().unwrap();
    assert_eq!((last.code.as_deref(), last.count), (Some("events.dropped"), 100));
    // As long as they are not written down they are told again, and are no more.
    assert_eq!(to.take("finalizer", NOW).last().map(|last| last.count), Some(100));
    to.with(|room| room.writing.clear());
    assert!(to.take("finalizer", NOW).is_empty(), "told once");
}

/// Keeps events while the database is there, and warns of it while it is not; or never answers.
#[derive(Default)]
struct Database {
    there: bool,
    hangs: bool,
    kept: Mutex<Vec<Event>>,
}

impl StatusReporter for Database {
    fn record_events<'a>(&'a self, events: &'a [Event]) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            if self.hangs {
                pending::<()>().await;
            }
            if !self.there {
                tracing::warn!("the database is gone");
                return Err(Failure::transient("store.unreachable", "gone"));
            }
            self.kept.lock().unwrap().extend_from_slice(events);
            Ok(())
        })
    }

    fn report<'a>(&'a self, _: &'a WorkerState, _: DateTime<Utc>) -> BoxFuture<'a, Result<(), Failure>> {
        unreachable!()
    }

    fn leave<'a>(&'a self, _: &'a WorkerState) -> BoxFuture<'a, Result<(), Failure>> {
        unreachable!()
    }

    fn note_retries<'a>(
        &'a self,
        _: &'static str,
        _: &'a [Retry],
        _: DateTime<Utc>,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        unreachable!()
    }

    fn forget_retries<'a>(&'a self, _: &'static str, _: &'a [String]) -> BoxFuture<'a, Result<(), Failure>> {
        unreachable!()
    }
}

#[tokio::test]
async fn what_cannot_be_written_down_is_kept_and_breeds_no_further_events() {
    let to = Collected::default();
    let layer = CollectEvents { stage: "finalizer", to: to.clone() };
    let _default = tracing::subscriber::set_default(Registry::default().with(SpanScopes).with(layer));
    tracing::error!("first");
    let (gone, back) = (Database::default(), Database { there: true, ..Database::default() });
    for _ in 0..3 {
        assert!(!to.write(&gone, &to.take("finalizer", NOW), pending()).await);
    }
    tracing::error!("first");
    assert!(to.write(&back, &to.take("finalizer", NOW), pending()).await);
    let kept = back.kept.lock().unwrap();
    let told: Vec<_> = kept.iter().map(|event| (event.message.as_str(), event.count)).collect();
    assert_eq!(told, [("first", 2)]);
}
#[tokio::test]
async fn what_was_being_written_down_when_it_was_cut_short_is_kept() {
    let to = Collected::default();
    let event = || new_event(Level::WARN, "finalizer", None, "first", NOW);
    to.add(event());
    let hanging = Database { hangs: true, ..Database::default() };
    // Its time is over; and whoever wrote is ended in the middle, without a word.
    assert!(!to.write(&hanging, &to.take("finalizer", NOW), async {}).await);
    assert!(to.write(&hanging, &to.take("finalizer", NOW), pending()).now_or_never().is_none());
    to.add(event());
    let back = Database { there: true, ..Database::default() };
    assert!(to.write(&back, &to.take("finalizer", NOW), pending()).await);
    let kept: Vec<u64> = back.kept.lock().unwrap().iter().map(|event| event.count).collect();
    assert_eq!(kept, [2]);
    assert!(to.take("finalizer", NOW).is_empty(), "once");
}
