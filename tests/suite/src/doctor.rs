//! `operator doctor` names the true cause first: for each fault that is injected here, and before the first start.

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
    services::Database,
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_first_start_lacks_is_named_before_it() {
    let mut score = Score::default();
    let rig = rig().await;
    let twitch = |secret: &str, api: String| {
        vec![
            ("TWITCH_CLIENT_ID", rig.twitch.client_id().to_owned()),
            ("TWITCH_CLIENT_SECRET", secret.to_owned()),
            ("TWITCH_TOKEN_URL", rig.twitch.token_url().clone()),
            ("TWITCH_API_URL", api),
        ]
    };
    let good = twitch(rig.twitch.client_secret(), rig.twitch.api_url().clone());
    let preflight = async |changed: Vec<(&'static str, String)>| {
        let variables: Vec<_> = good.iter().cloned().chain(changed).collect();
        doctor(&rig, "--preflight", &variables).await
    };
    let said = preflight(vec![]).await;
    assert_eq!(said["well"], true, "{said}");

    let database = |url: String| vec![("DATABASE_URL", url)];
    let url = rig.database.url_of("operator");
    score.check("no URL", &preflight(database(String::new())).await, "settings", "DATABASE_URL");
    score.check("a bad URL", &preflight(database("mysql://h/d".into())).await, "settings", "scheme");
    let nobody = database(format!("postgres://nobody@{NOBODY}/none"));
    score.check("no database server", &preflight(nobody).await, "database", "cannot be reached");
    let nowhere = url.replace(rig.database.name(), "no_such_database");
    score.check("no database", &preflight(database(nowhere)).await, "database", "does not exist");
    let empty = Database::create().await;
    score.check("no schema", &preflight(database(empty.plain_url())).await, "schema", "operator migrate");
    let latin = Database::create_with("encoding 'LATIN1' locale 'C' template template0").await;
    score.check("encoding", &preflight(database(latin.plain_url())).await, "encoding", "LATIN1");
    let limit = |number: i32| format!("alter database {} connection limit {number}", rig.database.name());
    rig.db.batch_execute(&limit(12)).await.expect("a limit");
    score.check("few sessions", &preflight(vec![]).await, "sessions", "more sessions may be opened");
    rig.db.batch_execute(&limit(-1)).await.expect("no limit");
    rig.db.batch_execute("revoke insert on stage_pause from twitch_operator").await.expect("a revoke");
    score.check("rights", &preflight(vec![]).await, "rights", "insert on stage_pause");
    rig.db.batch_execute("select grant_roles()").await.expect("grants");
    let sql = "update _sqlx_migrations set success = false where version = (select max(version) from _sqlx_migrations)";
    rig.db.batch_execute(sql).await.expect("an update");
    score.check("old schema", &preflight(vec![]).await, "schema", "operator migrate");
    rig.db.batch_execute("update _sqlx_migrations set success = true").await.expect("an update");
    let read_only = format!("alter database {} set default_transaction_read_only", rig.database.name());
    rig.db.batch_execute(&format!("{read_only} = on")).await.expect("read-only");
    score.check("read-only", &preflight(vec![]).await, "writes", "the database is read-only");
    rig.db.batch_execute(&format!("{read_only} = off")).await.expect("read-write");

    let amqp = |url: String| vec![("AMQP_URL", url)];
    let broker = rig.vhost.url_of("operator").expose_secret().to_owned();
    score.check(
        "no broker",
        &preflight(amqp(format!("amqp://a:b@{NOBODY}/%2f"))).await,
        "broker",
        "cannot be reached",
    );
    score.check("bad broker URL", &preflight(amqp("http://h".into())).await, "settings", "AMQP_URL");
    let nowhere = broker.replace(rig.vhost.name(), "no-such-vhost");
    score.check("no vhost", &preflight(amqp(nowhere)).await, "broker", "refused");
    let proxy = AmqpProxy::to(&rig.vhost.url_of("operator")).await;
    proxy.block("low on disk");
    let blocked = proxy.url(&rig.vhost.url_of("operator")).expose_secret().to_owned();
    score.check("disk", &preflight(amqp(blocked)).await, "disk", "low on disk");
    rig.vhost.call(Method::DELETE, "queues/{vhost}/finalizer.dead", None).await;
    score.check("queue gone", &preflight(vec![]).await, "topology", "finalizer.dead is not there");
    // Another kind of queue under that name.
    let other = serde_json::json!({"durable": true, "arguments": {"x-queue-type": "quorum"}});
    rig.vhost.call(Method::PUT, "queues/{vhost}/finalizer.dead", Some(other)).await;
    score.check("queue differs", &preflight(vec![]).await, "topology", "other properties");
    let (code, out, err) = operator(&rig, "topology apply").await;
    assert_eq!(code, 1, "{out}");
    assert!(out.contains("! finalizer.dead: nothing.") && err.contains("nothing was changed"), "{out} {err}");
    rig.vhost.call(Method::DELETE, "queues/{vhost}/finalizer.dead", None).await;
    assert_eq!(operator(&rig, "topology apply").await.0, 0);

    let wrong = twitch("wrong", rig.twitch.api_url().clone());
    score.check("client secret", &preflight(wrong).await, "twitch", "");
    let down = twitch(rig.twitch.client_secret(), format!("http://{NOBODY}/helix/"));
    score.check("Twitch down", &preflight(down).await, "twitch", "");
    score.end("broken environments", 1);
    empty.drop().await;
    latin.drop().await;
    rig.end(&[]).await;
}
