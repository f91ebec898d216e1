//! Dead letters: what they tell, how they are found, put away, brought back, carried elsewhere, and noticed.

use std::time::Instant;

use fake_twitch::{World, WorldConfig};
use lapin::types::AMQPValue;
use secrecy::ExposeSecret;
use shared::{
    dead_letter::DeadLetterStore,
    dead_letters::{self, Revalidation},
    failure::Failure,
    runtime::{Job, Outcome, Worker, header},
    schema::{ChunkStored, GamesFilled, encode},
    store::{DeadLetterFilter, Store},
    topology::{GAME_ENRICHER, REJECTED, Stage},
};

use crate::{
    dead_letter_rig::{
        DEAD, FailingWorker, announce, await_dead_letters, empty_rig, leave_dead_letters, message, operator,
        operator_json, report_figure,
    },
    rig::Rig,
    wire::Wire,
};

/// A worker whose failures are as long as failures get.
struct Verbose(Store);

impl Worker for Verbose {
    type In = ChunkStored;
    type Out = GamesFilled;

    const STAGE: Stage<ChunkStored, GamesFilled> = GAME_ENRICHER;

    async fn handle(&self, jobs: &[Job<ChunkStored>]) -> Vec<Outcome> {
        let failure = || Failure {
            causes: vec!["ż because ".repeat(200); 20],
            ..Failure::permanent("test.verbose", "much is to be said ".repeat(500))
        };
        jobs.iter().map(|_| Err(failure())).collect()
    }

    fn dead_letters(&self) -> &dyn DeadLetterStore {
        &self.0
    }

    async fn ready(&self) -> Result<(), Failure> {
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_tells_all_in_bounds_and_no_secret() {
    let mut rig = empty_rig().await;
    rig.start(Verbose(rig.store.clone()));
    rig.announcer.announce(vec![GAME_ENRICHER.request(&message(7))]).await.expect("announced");
    await_dead_letters(&rig, 1).await;
    let dead_letter = Wire::connect(&rig.vhost).await.take(DEAD).await.expect("a dead letter").delivery;
    assert_eq!(dead_letter.data, encode(&message(7)), "byte for byte");
    let headers = dead_letter.properties.headers().clone().expect("headers");
    for name in header::OF_A_FAILURE.into_iter().chain([header::LETTER]) {
        assert!(headers.contains_key(name), "{name} is missing");
    }
    let size: usize = headers.inner().iter().map(|(name, value)| name.as_str().len() + length(value)).sum();
    assert!(size <= 8 * 1024, "{size} bytes of headers");
    let told = format!("{headers:?}");
    let (database, amqp) = (rig.database.plain_url(), rig.vhost.url().expose_secret().to_owned());
    for secret in [&database, &amqp, rig.twitch.client_secret()] {
        assert!(!told.contains(secret), "a secret is told");
    }
    report_figure(&format!("{size} bytes of headers at most"));
    rig.end(&[]).await;
}

fn length(value: &AMQPValue) -> usize {
    match value {
        AMQPValue::LongString(text) => text.len(),
        _ => 8,
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_dead_letters_are_seen_without_touching_them() {
    let mut rig = empty_rig().await;
    rig.start(FailingWorker::of(&rig, 5));
    announce(&rig, 10_000).await;
    let filter = DeadLetterFilter {
        code: Some("test.three".into()),
        stage: Some("game-enricher".into()),
        ..DeadLetterFilter::default()
    };
    let mut began = Instant::now();
    let mut lap = || {
        let took = began.elapsed();
        began = Instant::now();
        took
    };
    assert_eq!(
        rig.store.list_dead_letters(&DeadLetterFilter::default(), 0, 10_000).await.expect("letters").len(),
        10_000
    );
    let listed = lap();
    assert_eq!(rig.store.count_dead_letters(&filter).await.expect("a count"), 2_000);
    let page = rig.store.list_dead_letters(&filter, 0, 50).await.expect("letters");
    let next = rig.store.list_dead_letters(&filter, page[49].id, 50).await.expect("letters");
    assert!(page[49].id < next[0].id);
    let filtered = lap();
    assert_eq!(
        rig.store.dead_letter_groups(&DeadLetterFilter::default(), None).await.expect("groups").len(),
        5
    );
    let grouped = lap();
    let shown =
        operator_json(&rig, "dead-letters list --pull 1 --since 1h --class permanent --limit 50").await;
    assert_eq!(
        (shown["matching"].as_i64(), shown["letters"].as_array().map(Vec::len)),
        (Some(10_000), Some(50))
    );
    report_figure(&format!(
        "10,000 dead letters: listed in {listed:?}, filtered in {filtered:?}, grouped in {grouped:?}; by the operator in {:?}",
        began.elapsed()
    ));

    assert_eq!(rig.ready(DEAD).await, 10_000);
    let dead_letter = Wire::connect(&rig.vhost).await.take(DEAD).await.expect("a dead letter").delivery;
    assert!(!dead_letter.redelivered, "nobody has had it in hand");
    rig.end(&[(DEAD, 9_999)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_causes_make_five_groups() {
    let mut rig = empty_rig().await;
    leave_dead_letters(&mut rig, 5, 1_000).await;
    let groups = rig.store.dead_letter_groups(&DeadLetterFilter::default(), None).await.expect("groups");
    assert_eq!(groups.iter().map(|group| group.letters).collect::<Vec<_>>(), [200; 5]);
    // Along their index or row by row, they are the same; and those who want it count up to a bound.
    let numbers = DeadLetterFilter { pull: Some(1), ..DeadLetterFilter::default() };
    assert_eq!(rig.store.dead_letter_groups(&numbers, None).await.expect("groups"), groups);
    let twice = DeadLetterFilter::default().in_states(&["dead", "held", "dead"]);
    assert_eq!(rig.store.dead_letter_groups(&twice, None).await.expect("groups"), groups);
    for (field, filter) in [
        ("code", DeadLetterFilter { code: Some(groups[2].code.clone()), ..DeadLetterFilter::default() }),
        (
            "fingerprint",
            DeadLetterFilter {
                fingerprint: Some(groups[2].fingerprint[..10].to_owned()),
                ..DeadLetterFilter::default()
            },
        ),
    ] {
        let found = rig.store.dead_letter_groups(&filter, None).await.expect("groups");
        assert_eq!(found, [groups[2].clone()], "{field}");
    }
    let bounded =
        rig.store.dead_letter_groups(&DeadLetterFilter::default(), Some(150)).await.expect("groups");
    assert_eq!(bounded.iter().map(|group| group.letters).collect::<Vec<_>>(), [151; 5], "more than 150");

    // Of a queue with more than are counted up to, the finalizers' count is told; all are counted where they have none.
    let queue = [DEAD.to_owned()];
    let depth = async |most| rig.store.dead_letters_by_queue(&queue, most).await.expect("a depth")[0].1;
    assert_eq!((depth(2_000).await, depth(600).await), (1_000, 1_000));
    rig.db
        .execute("insert into alarm_watch (queue, letters) values ($1, 990)", &[&DEAD])
        .await
        .expect("seen");
    assert_eq!((depth(2_000).await, depth(600).await), (1_000, 990));
    rig.end(&[(DEAD, 1_000)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_others_do_to_the_queue_is_noticed() {
    let mut rig = empty_rig().await;
    leave_dead_letters(&mut rig, 1, 3).await;
    rig.stop_all().await;
    rig.start(rig.extractor());
    let wire = Wire::connect(&rig.vhost).await;
    wire.take(DEAD).await.expect("somebody else's tool takes one");
    await_dead_letters(&rig, 2).await;
    let vanished = DeadLetterFilter { states: Some(vec!["vanished".into()]), ..DeadLetterFilter::default() };
    assert_eq!(rig.store.count_dead_letters(&vanished).await.expect("a count"), 1);
    // A message that every worker dies of: the broker itself gives it up.
    rig.announcer.announce(vec![GAME_ENRICHER.request(&message(99))]).await.expect("announced");
    wire.exhaust(GAME_ENRICHER.info().queue()).await;
    await_dead_letters(&rig, 3).await;
    let queued = rig.store.list_dead_letters(&DeadLetterFilter::default(), 0, 10).await.expect("letters");
    let by_the_broker: Vec<_> =
        queued.iter().filter(|dead_letter| dead_letter.code == "broker.delivery_limit").collect();
    assert_eq!(by_the_broker.len(), 1, "{queued:#?}");
    assert_eq!(by_the_broker[0].chunk, Some(99));
    rig.end(&[(DEAD, 3)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rejected_record_enters_its_pull_when_the_setting_changed() {
    let world = WorldConfig { tail: 30, test_record: true, ..WorldConfig::sized(300) };
    let mut rig = Rig::new(World::generate(world)).await;
    rig.start_all();
    let before = rig.whole_pull().await;
    assert!(before.rejected > 1, "{before:#?}");
    let documents = "select count(*) as streams, count(data) as merged from pull_data where pull_id = $1";
    let pull = before.pull_id;

    let same = Revalidation { pull, rule: None, min_viewers: 10 };
    let counted =
        dead_letters::count_revalidation(&rig.store, &rig.setup.clock, &same).await.expect("a count");
    assert_eq!(
        (counted.entered, counted.remaining),
        (0, i64::from(before.rejected)),
        "the same rules, the same verdict"
    );
    let (code, _, err) = operator(&rig, &format!("rejected replay --pull {pull} --yes")).await;
    assert_eq!(code, 1, "{err}");

    let counted =
        operator_json(&rig, &format!("rejected replay --pull {pull} --min-viewers 0 --dry-run")).await;
    let entered = operator_json(&rig, &format!("rejected replay --pull {pull} --min-viewers 0 --yes")).await;
    assert_eq!(counted["entered"], entered["entered"]);
    let new = i32::try_from(entered["entered"].as_i64().expect("a number")).expect("a small one");
    assert!(new > 0 && entered["remaining"].as_i64() == Some(1), "the broken record stays: {entered}");

    let after = rig.succeeded(pull).await;
    assert_eq!((after.fetched, after.stored, after.rejected), (before.fetched, before.stored + new, 1));
    assert_eq!(after.fetched, after.stored + after.rejected + after.duplicates);
    assert!(after.completed_at > before.completed_at);
    let row = rig.db.query_one(documents, &[&pull.0]).await.expect("counts");
    let counts: (i64, i64) = (row.get("streams"), row.get("merged"));
    assert_eq!(counts, (after.stored.into(), after.stored.into()), "each stream once, each merged");
    // Again changes nothing, and the queue says what the database says.
    let again = Revalidation { pull, rule: None, min_viewers: 0 };
    let entered = dead_letters::revalidate(&rig.store, &rig.announcer, &rig.setup.clock, &again)
        .await
        .expect("nothing to do");
    assert_eq!((entered.entered, entered.remaining), (0, 1));
    rig.end(&[(REJECTED, 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_there_is_said_and_nothing_is_changed() {
    let mut rig = empty_rig().await;
    leave_dead_letters(&mut rig, 1, 2).await;
    for (words, code, said) in [
        ("dead-letters show 99", 1, "no dead letter 99"),
        ("dead-letters replay 99 --yes", 1, "no dead letter 99"),
        ("dead-letters replay --group ffffff --yes", 1, "no dead letter matches"),
        ("dead-letters discard --pull 77 --yes", 1, "no dead letter matches"),
        ("dead-letters replay --yes", 2, "select dead letters"),
        ("dead-letters list --stage nowhere", 2, "channel-enricher"),
        ("dead-letters report 5", 1, "no replay 5"),
        ("dead-letters note ffff --note x", 1, "no group"),
        ("dead-letters hold --all --until-build soon", 2, "1.2.0"),
        ("dead-letters hold --all --until-build v1.2.0", 2, "write a version such as 1.2.0"),
        ("rejected list", 1, "no pull has rejected"),
        ("rejected list --pull 5", 1, "no pull 5"),
    ] {
        let (found, _, err) = operator(&rig, words).await;
        assert_eq!(found, code, "{words}: {err}");
        assert!(err.contains(said), "{words}: {err}");
    }
    // A dead letter of a stage that this build does not have.
    rig.db.batch_execute("update dead_letter set stage = 'gone' where id = 1").await.expect("an update");
    let (code, _, err) = operator(&rig, "dead-letters replay --all --yes").await;
    assert_eq!(code, 1);
    assert!(err.contains("\"gone\"") && err.contains("nothing was sent"), "{err}");
    await_dead_letters(&rig, 2).await;
    rig.end(&[(DEAD, 2)]).await;
}
