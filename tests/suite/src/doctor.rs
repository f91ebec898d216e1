//! `operator doctor` names the true cause first: for each fault that is injected here, and before the first start.

mod preflight;

use std::process::Stdio;

use fake_twitch::{World, WorldConfig};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::Value;
use shared::{schema::PullId, steering::StagePause, store::WorkerRow};

use crate::{
    amqp_proxy::AmqpProxy,
    builders::now,
    dead_letter_rig::{command, operator, report_figure},
    eventually::eventually,
    process::{Options, Process},
    rig::Rig,
    scripted::paused,
};

/// A URL at which nobody answers.
const NOBODY: &str = "127.0.0.1:9";

async fn rig() -> Rig {
    Rig::new(World::generate(WorldConfig { tail: 0, test_record: false, ..WorldConfig::sized(300) })).await
}

/// What the doctor says, with variables of one's own.
async fn doctor(rig: &Rig, words: &str, variables: &[(&str, String)]) -> Value {
    let mut command = command(rig, &format!("doctor {words} --json"));
    command.env("MANAGEMENT_URL", rig.vhost.management().as_str()).stdin(Stdio::null());
    for (name, value) in variables {
        command.env(name, value);
    }
    let run = tokio::task::spawn_blocking(move || command.output());
    let output = run.await.expect("a thread").expect("tests/run builds the programs first");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// Counts what was named first.
#[derive(Default)]
struct Score {
    named: usize,
    missed: Vec<String>,
}

impl Score {
    fn note(&mut self, fault: &str, said: &Value, code: &str, words: &str) {
        let first = &said["causes"][0];
        let cause = first["cause"].as_str().unwrap_or_default();
        if first["code"] == code && cause.contains(words) {
            self.named += 1;
        } else {
            self.missed.push(format!("{fault}: {said}"));
        }
    }

    fn check(&mut self, fault: &str, said: &Value, name: &str, words: &str) {
        let checks = said["checks"].as_array().expect("checks");
        let first = checks.iter().find(|check| check["well"] == false);
        let finding = first.and_then(|check| check["finding"].as_str()).unwrap_or_default();
        if first.is_some_and(|check| check["name"] == name) && finding.contains(words) {
            self.named += 1;
        } else {
            self.missed.push(format!("{fault}: {said}"));
        }
    }

    fn end(self, what: &str, most_missed: usize) {
        let all = self.named + self.missed.len();
        report_figure(&format!("{what}: {} of {all} named first {:#?}", self.named, self.missed));
        assert!(self.missed.len() <= most_missed, "{:#?}", self.missed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_true_cause_of_a_pull_that_is_not_done_comes_first() {
    let mut score = Score::default();
    let rig = rig().await;
    let pull = rig.pull().await;
    let why = async |variables: &[(&str, String)]| doctor(&rig, &pull.to_string(), variables).await;

    score.note("no worker", &why(&[]).await, "no-worker", "no extractor is running");
    let gone = [("DATABASE_URL", format!("postgres://nobody@{NOBODY}/none"))];
    score.note("no database", &why(&gone).await, "database", "PostgreSQL cannot be reached");
    let gone = [("AMQP_URL", format!("amqp://guest:guest@{NOBODY}/%2f"))];
    score.note("no broker", &why(&gone).await, "broker", "RabbitMQ cannot be reached");
    let proxy = AmqpProxy::to(&rig.vhost.url_of("operator")).await;
    proxy.block("low on disk");
    let blocked = [("AMQP_URL", proxy.url(&rig.vhost.url_of("operator")).expose_secret().to_owned())];
    score.note("alarm", &why(&blocked).await, "alarm", "low on disk");

    let pause = StagePause {
        stage: "extractor".into(),
        paused_by: "anna".into(),
        reason: None,
        paused_at: now(),
        until: None,
    };
    rig.store.pause_stage(&pause).await.expect("a pause");
    score.note(
        "paused",
        &why(&[]).await,
        "paused",
        "the extractor is paused by anna; `operator resume extractor`",
    );
    rig.store.resume_stage("extractor", "anna", now()).await.expect("a resume");

    let wrong = vec![("TWITCH_CLIENT_SECRET", "wrong".to_owned())];
    let refused = Process::start(&rig, "extractor", &Options { variables: wrong, ..Options::default() });
    eventually("the extractor should pause", || async {
        let states = rig.store.worker_states(now()).await.expect("states");
        if states.iter().any(WorkerRow::is_paused) { Ok(()) } else { Err(states) }
    })
    .await;
    score.note("token refused", &why(&[]).await, "trouble", "the extractor is paused for");
    // Frozen: it is named as soon as it has missed to say that it lives.
    refused.signal("STOP");
    rig.db
        .batch_execute("update worker_state set seen_at = seen_at - interval '35 s'")
        .await
        .expect("an update");
    let silent = why(&[]).await;
    assert!(silent["causes"].to_string().contains("has been silent for 3"), "{silent}");
    drop(refused);
    rig.db.batch_execute("delete from worker_state").await.expect("a delete");
    let down = vec![("TWITCH_TOKEN_URL", format!("http://{NOBODY}/token"))];
    let waiting = Process::start(&rig, "extractor", &Options { variables: down, ..Options::default() });
    eventually("the extractor should pause", || async {
        let states = rig.store.worker_states(now()).await.expect("states");
        if states.iter().any(WorkerRow::is_paused) { Ok(()) } else { Err(states) }
    })
    .await;
    score.note("Twitch down", &why(&[]).await, "trouble", "the extractor is paused for");
    drop(waiting);
    rig.db.batch_execute("delete from worker_state").await.expect("a delete");

    rig.vhost.call(Method::DELETE, "queues/{vhost}/finalizer.dead", None).await;
    score.note("queue gone", &why(&[]).await, "topology", "finalizer.dead is not there");
    rig.vhost.call(Method::DELETE, "bindings/{vhost}/e/work/q/channel-enricher/games-filled", None).await;
    let applied = operator(&rig, "topology apply").await;
    assert_eq!(applied.0, 0, "{applied:?}");
    let sql = "update _sqlx_migrations set success = false where version = (select max(version) from _sqlx_migrations)";
    rig.db.batch_execute(sql).await.expect("an update");
    score.note("schema behind", &why(&[]).await, "database", "operator migrate");
    rig.db.batch_execute("update _sqlx_migrations set success = true").await.expect("an update");

    let skewed = "insert into worker_state (stage, replica, build, host, state, since, in_hand, seen_at)
                  values ('extractor', 'r', 'b', 'h', 'consuming', now(), 0, now() + interval '1 min')";
    rig.db.batch_execute(skewed).await.expect("a row");
    score.note("clock", &why(&[]).await, "clock", "ahead of the database's");
    let poor =
        "update worker_state set seen_at = now(), written_at = now(), points_left = 2, points_limit = 800";
    rig.db.batch_execute(poor).await.expect("an update");
    score.note("no points", &why(&[]).await, "points", "2 of 800 points");
    rig.db.batch_execute("delete from worker_state").await.expect("a delete");

    let sql = "update pull set status = 'failed', completed_at = now(), error = 'chunk 2 at game-enricher: it is poison' where id = $1";
    rig.db.execute(sql, &[&pull.0]).await.expect("an update");
    score.note("poison", &why(&[]).await, "failed", "it is poison");
    score.end("faults", 1);
    rig.end(&[("extractor", 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_grant_that_is_missing_and_a_binding_that_is_gone_are_named_and_then_nothing_is() {
    let mut rig = rig().await;
    rig.db.batch_execute("revoke select on twitch_game from twitch_game_enricher").await.expect("a revoke");
    rig.start_all();
    let pull: PullId = rig.pull().await;
    paused(&rig, "game-enricher", "store.denied").await;
    let said = doctor(&rig, &pull.to_string(), &[]).await;
    let cause = said["causes"][0]["cause"].as_str().expect("a cause");
    assert!(cause.contains("the game-enricher is paused") && cause.contains("operator migrate"), "{said}");
    rig.db.batch_execute("select grant_roles()").await.expect("grants");
    rig.succeeded(pull).await;

    rig.vhost.call(Method::DELETE, "bindings/{vhost}/e/work/q/finalizer/channels-filled", None).await;
    let said = doctor(&rig, "", &[]).await;
    assert_eq!(
        said["causes"][0]["cause"],
        "finalizer is not bound to exchange work with key channels-filled"
    );
    let (code, out, err) = operator(&rig, "topology apply").await;
    assert_eq!(code, 0, "{out} {err}");
    let said = eventually("nothing should be wrong any longer", || async {
        let said = doctor(&rig, "", &[]).await;
        if said["well"] == true { Ok(said) } else { Err(said) }
    })
    .await;
    assert_eq!(said["causes"], serde_json::json!([]));
    assert_eq!(said["bindings_unseen"], Value::Null);
    // Without the management API nobody knows, and that is said.
    for url in ["", "http://nobody:wrong@127.0.0.1:9"] {
        let without = [("MANAGEMENT_URL", url.to_owned())];
        let said = doctor(&rig, "", &without).await;
        assert_eq!(said["well"], true, "{said}");
        assert!(said["bindings_unseen"].as_str().is_some_and(|why| why.contains("management API")), "{said}");
        let said = doctor(&rig, "--preflight", &without).await;
        assert!(said["well"] == true && said.to_string().contains("not looked at: "), "{said}");
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exporters_binding_is_looked_at_where_there_is_an_exporter() {
    let mut rig = rig().await;
    rig.start_all();
    let folder = tempfile::tempdir().expect("a folder");
    rig.start_exporter(folder.path()).await;
    rig.vhost.call(Method::DELETE, "bindings/{vhost}/e/events/q/exporter/pull.completed", None).await;
    let said = doctor(&rig, "", &[]).await;
    assert_eq!(
        said["causes"][0]["cause"],
        "exporter is not bound to exchange events with key pull.completed"
    );
    let (code, out, err) = operator(&rig, "topology apply").await;
    assert_eq!(code, 0, "{out} {err}");
    eventually("nothing should be wrong any longer", || async {
        let said = doctor(&rig, "", &[]).await;
        if said["well"] == true { Ok(()) } else { Err(said) }
    })
    .await;
    rig.end(&[]).await;
}
