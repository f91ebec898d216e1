//! Which build a program is, and dead letters that are held until a build.

use std::{path::Path, process::Command};

use shared::{
    store::DeadLetterFilter,
    version::{VERSION, Version},
};

use crate::{
    dead_letter_rig::{DEAD, await_dead_letters, empty_rig, leave_dead_letters, operator},
    eventually::eventually,
    process::binary,
    rig::Rig,
};

const PROGRAMS: [&str; 7] =
    ["extractor", "game-enricher", "channel-enricher", "finalizer", "operator", "fake-twitch", "bench"];

/// What git says of the commit, in the build's words; none where git or the repository is missing.
fn commit() -> Option<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let show = ["show", "--no-show-signature", "-s", "--date=format-local:%Y%m%d", "--format=%cd.%H"];
    let output = Command::new("git").args(show).current_dir(&root).env("TZ", "UTC").output().ok()?;
    let known = String::from_utf8(output.stdout).ok()?;
    let is_ours = root.join(".git").exists() && output.status.success();
    is_ours.then(|| known[.."20261125.e6127a1".len()].to_owned())
}

#[test]
fn every_program_prints_its_version_with_date_and_commit() {
    for program in PROGRAMS {
        let output = Command::new(binary(program)).arg("--version").output();
        let output = output.unwrap_or_else(|error| panic!("{program}: {error}: cargo build --workspace"));
        let printed = String::from_utf8(output.stdout).expect("text");
        assert_eq!(printed.trim_end(), format!("{program} {VERSION}"), "older than the suite?");
    }
    VERSION.parse::<Version>().expect("SemVer");
    let given = option_env!("BUILD_COMMIT").filter(|given| !given.is_empty()).map(str::to_owned);
    let metadata = VERSION.split_once('+').map(|(_, metadata)| metadata);
    match given.or_else(commit) {
        Some(commit) => assert!(
            metadata.is_some_and(|metadata| metadata.strip_suffix(".dirty").unwrap_or(metadata) == commit),
            "{VERSION} is not of {commit}"
        ),
        None => assert_eq!(metadata, None),
    }
}

/// Holds the dead letter of this number until a build, as an older build may have written it.
async fn hold(rig: &Rig, dead_letter: i64, until: &str) {
    let sql = "update dead_letter set state = 'held', held_until = $2 where id = $1";
    assert_eq!(rig.db.execute(sql, &[&dead_letter, &until]).await.expect("held"), 1);
}

/// What dead letters are held until, in order.
async fn held(rig: &Rig) -> Vec<String> {
    let sql = r#"select held_until from dead_letter where state = 'held' order by held_until collate "C""#;
    let rows = rig.db.query(sql, &[]).await.expect("held dead letters");
    rows.iter().map(|row| row.get("held_until")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dead_letters_are_held_until_a_build_of_at_least_that_version_and_date() {
    let untils = [
        "10",
        "9.0.9",
        "9.1",
        "9.1.0+20261125.aaaaaaa",
        "9.1.0+20261126.bbbbbbb",
        "9.1.0-rc.1",
        "9.10.0",
        "9.2.0-rc.1",
        "soon",
    ];
    let mut rig = empty_rig().await;
    leave_dead_letters(&mut rig, 1, 9).await;
    rig.stop_all().await;
    for (dead_letter, until) in (1..).zip(untils) {
        hold(&rig, dead_letter, until).await;
    }
    for (build, released, left) in [
        ("0.1.0", 0, &untils[..]),
        ("9.1.0-rc.1", 2, &["10", "9.1", untils[3], untils[4], "9.10.0", "9.2.0-rc.1", "soon"]),
        ("9.1.0", 1, &["10", untils[3], untils[4], "9.10.0", "9.2.0-rc.1", "soon"]),
        ("9.1.0+20261125.ccccccc", 1, &["10", untils[4], "9.10.0", "9.2.0-rc.1", "soon"]),
        ("9.2.0+20260101.ddddddd", 2, &["10", "9.10.0", "soon"]),
        ("10.0.0", 2, &["soon"]),
    ] {
        let version: Version = build.parse().expect("a version");
        let found = rig.store.release_for_build(&version, rig.setup.clock.now()).await;
        assert_eq!(found.expect("released"), released, "{build}");
        assert_eq!(held(&rig).await, left, "{build}");
    }
    let told = "select count(*) from dead_letter_event where event = 'released' and detail ~ '^build [0-9].* is here$'";
    assert_eq!(rig.db.query_one(told, &[]).await.expect("a count").get::<_, i64>("count"), 8);
    rig.end(&[(DEAD, 9)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finalizer_releases_what_waits_for_its_build() {
    let mut rig = empty_rig().await;
    leave_dead_letters(&mut rig, 1, 2).await;
    rig.stop_all().await;
    for (dead_letter, until, kept) in [(1, VERSION, VERSION), (2, "99.9", "99.9.0")] {
        let (code, out, err) =
            operator(&rig, &format!("dead-letters hold {dead_letter} --until-build {until} --yes")).await;
        assert_eq!(code, 0, "{err}");
        assert!(out.contains(&format!("until build {kept} runs")), "{out}");
    }
    assert_eq!(held(&rig).await, [VERSION, "99.9.0"]);
    rig.start(rig.finalizer());
    eventually("the finalizer should release what waits for its build", || async {
        let held = held(&rig).await;
        if held == ["99.9.0"] { Ok(()) } else { Err(held) }
    })
    .await;
    await_dead_letters(&rig, 2).await;
    let dead_letter = DeadLetterFilter { ids: Some(vec![1]), ..DeadLetterFilter::default() };
    let dead_letter = rig.store.list_dead_letters(&dead_letter, 0, 1).await.expect("letters").remove(0);
    assert_eq!((dead_letter.state.as_str(), dead_letter.build.as_str()), ("dead", VERSION));
    rig.end(&[(DEAD, 2)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_report_names_the_oldest_build_that_handled_a_dead_letter() {
    let mut rig = empty_rig().await;
    leave_dead_letters(&mut rig, 1, 3).await;
    rig.stop_all().await;
    let sql = "with made as (
            insert into replay (requested_at, requested_by, filter, active_until)
            values (now(), 'test', '{}', now()) returning id)
        insert into replay_letter (replay_id, letter_id, state, outcome, outcome_at, build)
        select made.id, letter, 'removed', 'done', now() - make_interval(secs => letter), build
        from made, unnest(array[1, 2, 3], array['0.1.0+20261124.e6127a1', '0.1.0+20261125.b245e69', '0.10.0'])
            handled (letter, build)";
    rig.db.batch_execute(sql).await.expect("a replay by three builds");
    let replay = rig.store.latest_replay().await.expect("a replay").expect("a number");
    let report = rig.store.replay_report(replay).await.expect("a report").expect("a replay");
    assert_eq!(report.cured_by.as_deref(), Some("0.1.0+20261124.e6127a1"));
    rig.end(&[(DEAD, 3)]).await;
}
