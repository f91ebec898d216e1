//! Before the first start: what is lacking is named, and nothing is changed.

use reqwest::Method;
use secrecy::ExposeSecret;

use super::{NOBODY, Score, doctor, rig};
use crate::{amqp_proxy::AmqpProxy, dead_letter_rig::operator, services::Database};

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
