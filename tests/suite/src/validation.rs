//! Every record that is not stored is kept, whole, with the rule that rejected it.

use std::collections::{BTreeMap, BTreeSet};

use fake_twitch::{Defect, Stream, World, WorldConfig};
use shared::schema::{PullId, RecordsRejected, Rule, decode};

use crate::{eventually::eventually, rig::Rig, truth::assert_matches_world, wire::Wire};

/// The rule each defect breaks; none where the record is mended and stored (see `titles`).
fn rule(defect: Defect) -> Option<Rule> {
    Some(match defect {
        Defect::NonNumericId | Defect::MissingId | Defect::EmptyId => Rule::StreamIdNotNumeric,
        Defect::NumericUserId | Defect::MissingUserId => Rule::ChannelIdNotNumeric,
        Defect::NonNumericGameId => Rule::GameIdNotNumeric,
        Defect::TextViewerCount | Defect::NegativeViewerCount | Defect::HugeViewerCount => {
            Rule::ViewerCountNotANumber
        }
        Defect::TitleNotText | Defect::NullLogin => Rule::TextNotAString,
        Defect::NumberAmongTags => Rule::TagsNotStrings,
        Defect::BadStartedAt => Rule::StartedAtNotATime,
        Defect::LoneSurrogate | Defect::DuplicateKey => Rule::MalformedJson,
        Defect::NotAnObject => Rule::NotAnObject,
        Defect::NulInTitle | Defect::NewField => return None,
    })
}

/// A thousand streams with an audience, two of every defect that costs a record, and Twitch's own test record.
fn defective() -> World {
    let world = World::generate(WorldConfig { tail: 0, short_pages: 0.0, ..WorldConfig::sized(1_000) });
    let defects: Vec<Defect> = Defect::ALL.into_iter().filter(|defect| rule(*defect).is_some()).collect();
    world.spread(&defects, 2, 10);
    world
}

/// A record that must be rejected: chunk, place, rule, and its very bytes.
type Reject = (i32, i32, String, String);

fn expected(world: &World) -> BTreeSet<Reject> {
    // No page is short, so a stream's number tells where it stands.
    let reject = |number: usize, rule: Rule, raw: String| {
        let number = i32::try_from(number).expect("a small world");
        (number / 100 + 1, number % 100 + 1, rule.as_str().to_owned(), raw)
    };
    let streams = world.streams();
    let defects = world.injected().into_iter().map(|told| {
        reject(told.number, rule(told.defect).expect("a rule"), told.defect.tell(&streams[told.number]))
    });
    let test = streams.iter().position(Stream::is_test_record).expect("the test record");
    let raw = serde_json::to_string(&streams[test]).expect("JSON");
    defects.chain([reject(test, Rule::ChannelIdNotNumeric, raw)]).collect()
}

/// Shows the first difference: all of them would be a hundred lines long.
fn assert_same(found: &BTreeSet<Reject>, expected: &BTreeSet<Reject>) {
    assert_eq!(found.difference(expected).next(), None, "should not be there");
    assert_eq!(expected.difference(found).next(), None, "should be there");
}

fn by_rule(rejects: &BTreeSet<Reject>) -> BTreeMap<String, i32> {
    let mut counts = BTreeMap::new();
    for (_, _, rule, _) in rejects {
        *counts.entry(rule.clone()).or_default() += 1;
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_defective_record_is_kept_as_it_came_with_the_rule_it_broke() {
    let mut rig = Rig::new(defective()).await;
    rig.start_all();
    let report = rig.whole_pull().await;
    let expected = expected(rig.twitch.world());
    assert_eq!(expected.len(), 31);
    assert_eq!((report.fetched, report.stored, report.rejected, report.duplicates), (1_001, 970, 31, 0));
    assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
    assert_eq!(report.rejected_by_rule, by_rule(&expected));
    assert_eq!(report.rejected_by_rule.len(), 9, "every rule that a defect of the fake breaks");

    let sql = "select chunk, place, rule, raw_text, detail from rejected_record where pull_id = $1";
    let rows = rig.db.query(sql, &[&report.pull_id.0]).await.expect("rejected records should be readable");
    let kept: BTreeSet<Reject> = rows
        .iter()
        .map(|row| (row.get("chunk"), row.get("place"), row.get("rule"), row.get("raw_text")))
        .collect();
    assert_same(&kept, &expected);
    assert!(rows.iter().all(|row| !row.get::<_, &str>("detail").is_empty()), "each says what is wrong");

    let pages: BTreeSet<i32> = expected.iter().map(|(chunk, ..)| *chunk).collect();
    eventually("each page's rejects should be one message", || async {
        let waiting = rig.ready("streams.rejected").await;
        if usize::try_from(waiting) == Ok(pages.len()) { Ok(()) } else { Err(waiting) }
    })
    .await;
    let mut counts: BTreeMap<(i32, String), u32> = BTreeMap::new();
    for (chunk, _, rule, _) in &expected {
        *counts.entry((*chunk, rule.clone())).or_default() += 1;
    }
    assert_eq!(announced(&rig, report.pull_id).await, counts);
    rig.end(&[]).await;
}

/// The rejects by chunk and rule, as their queue tells them, which has one message of a page at most.
async fn announced(rig: &Rig, pull: PullId) -> BTreeMap<(i32, String), u32> {
    let wire = Wire::connect(&rig.vhost).await;
    let mut counts = BTreeMap::new();
    while let Some(message) = wire.take("streams.rejected").await {
        let body = &message.delivery.data;
        assert!(body.len() < 500, "keys and counts: {}", String::from_utf8_lossy(body));
        let RecordsRejected { chunk, by_rule } = decode(body).expect("a message");
        assert_eq!(chunk.pull_id, pull);
        for (rule, records) in by_rule {
            assert_eq!(counts.insert((chunk.chunk, rule), records), None, "a second message of {chunk}");
        }
    }
    counts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_database_refuses_a_pull_that_does_not_add_up() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(120))).await;
    rig.start_all();
    rig.whole_pull().await;
    // What is stored is counted once more, by its channels, and that is what the database looks at first.
    let tables = [("pull", "a_finished_pull_is_complete"), ("pull_chunk", "a_merged_chunk_is_counted")];
    for (table, by_channels) in tables {
        for column in ["fetched", "stored", "rejected", "duplicates"] {
            let sql = format!("update {table} set {column} = {column} + 1");
            let refused = rig.db.execute(&sql, &[]).await.expect_err("it should be refused");
            let constraint = refused.as_db_error().and_then(|error| error.constraint());
            let expected = if column == "stored" { by_channels } else { "every_record_is_accounted_for" };
            assert_eq!(constraint, Some(expected), "{table}.{column}: {refused}");
        }
        let moved = format!("update {table} set fetched = fetched + 1, duplicates = duplicates + 1");
        assert!(rig.db.execute(&moved, &[]).await.expect("it adds up") > 0);
    }
    rig.end(&[]).await;
}
