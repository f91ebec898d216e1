//! No secret gets out: a run in which everything is told that can be told, and a search of all of it.

use std::fmt::Write as _;

use fake_twitch::{Scenario, Settings as TwitchSettings, World, WorldConfig};
use secrecy::ExposeSecret;
use shared::{
    schema::PullId,
    topology::{STAGES, queues},
};
use tokio_postgres::Client;
use url::Url;

use crate::{
    dead_letter_rig::operator,
    eventually::eventually,
    process::{Options, Process, probe},
    rig::{Rig, Setup},
    wire::Wire,
};

const WORKERS: [&str; 4] = ["extractor", "game-enricher", "channel-enricher", "finalizer"];
/// Settings that lead nowhere are told as errors, of which these must not be a part.
const CLIENT_SECRET: &str = "canary-client-secret-2b9e";
const WRONG_CLIENT_SECRET: &str = "canary-wrong-client-secret-77d1";
const WRONG_DATABASE: &str = "canary-wrong-database-5c40";
const WRONG_BROKER: &str = "canary-wrong-broker-e8f3";

/// What was found, by the place where it was.
#[derive(Default)]
struct Findings(Vec<(String, String)>);

impl Findings {
    fn keep(&mut self, place: impl Into<String>, text: impl Into<String>) {
        let (place, text) = (place.into(), text.into());
        assert!(!text.is_empty(), "{place} says nothing");
        self.0.push((place, text));
    }

    /// Fails if a secret is anywhere, as it is or as PostgreSQL writes bytes.
    fn hold_none_of(&self, secrets: &[String]) {
        for secret in secrets {
            assert!(secret.len() >= 8, "too short to be looked for");
            let hex = secret.bytes().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            for (place, text) in &self.0 {
                for form in [secret.as_str(), &hex] {
                    if let Some(at) = text.find(form) {
                        let before = text[..at].lines().next_back().unwrap_or_default();
                        panic!("{place} tells a secret of {} dead letters, after {before:?}", secret.len());
                    }
                }
            }
        }
    }
}

fn password(url: &str) -> String {
    let url: Url = url.parse().expect("a URL");
    url.password().expect("a password").to_owned()
}

/// The same user, with another password.
fn with_password(url: &str, password: &str) -> String {
    let mut url: Url = url.parse().expect("a URL");
    url.set_password(Some(password)).expect("a password");
    url.into()
}

/// Every row of every table, as text.
async fn dump(db: &Client, findings: &mut Findings) {
    let tables = "select c.oid::regclass::text from pg_class c
                  where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and not c.relispartition";
    let mut filled = 0;
    for table in db.query(tables, &[]).await.expect("tables") {
        let table: String = table.get(0);
        let rows = format!("select string_agg(t::text, e'\\n') from {table} t");
        if let Some(rows) = db.query_one(&rows, &[]).await.expect("rows").get::<_, Option<String>>(0) {
            findings.keep(format!("table {table}"), rows);
            filled += 1;
        }
    }
    assert!(filled > 10, "only {filled} tables hold anything");
}

/// Every message that lies in a queue: taken out, so the last thing to look at.
async fn messages(rig: &Rig, findings: &mut Findings) {
    let wire = Wire::connect(&rig.vhost).await;
    let mut dead = 0;
    for queue in queues(&rig.setup.delays) {
        while let Some(message) = wire.take(&queue.name).await {
            let message = message.delivery;
            dead += usize::from(STAGES.iter().any(|stage| stage.dead() == queue.name));
            let body = String::from_utf8_lossy(&message.data);
            findings.keep(format!("a message in {}", queue.name), format!("{body} {:?}", message.properties));
        }
    }
    assert!(dead > 0, "no dead letter was there to look into");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_told_anywhere() {
    let twitch = TwitchSettings { client_secret: CLIENT_SECRET.into(), ..Setup::default().twitch };
    let setup = Setup { twitch, ..Setup::default() };
    let world = WorldConfig { tail: 30, test_record: true, ..WorldConfig::sized(300) };
    let rig = Rig::with(World::generate(world), setup).await;
    let told =
        |name: &'static str, value: &str| vec![("RUST_LOG", "trace".to_owned()), (name, value.to_owned())];
    let mut processes = Vec::new();
    let mut findings = Findings::default();

    // Those that do the work, at the most talkative, and those that cannot log in anywhere.
    for name in WORKERS {
        let variables = told("PULL_INTERVAL", "0");
        processes.push(Process::start(&rig, name, &Options { variables, ..Options::default() }));
    }
    let database = with_password(&rig.database.url_of("extractor"), WRONG_DATABASE);
    let broker = with_password(rig.amqp_url_of("extractor").expose_secret(), WRONG_BROKER);
    let strangers = [
        ("extractor", told("DATABASE_URL", &database), "password authentication failed"),
        ("extractor", told("AMQP_URL", &broker), "ACCESS"),
        ("game-enricher", told("TWITCH_CLIENT_SECRET", WRONG_CLIENT_SECRET), "invalid client secret"),
    ];
    // A stage that dies, tokens that Twitch takes back, a replay.
    for process in &processes {
        process.ready().await;
    }
    rig.twitch.world().play(&"users-gone".parse::<Scenario>().expect("the fake knows it"));
    assert_eq!(operator(&rig, "pull --wait").await.0, 1);
    rig.twitch.expire_tokens();
    rig.twitch.world().heal();
    eventually("what died should be replayed", || async {
        // Refused while no dead letter is known yet.
        let said = operator(&rig, "dead-letters replay --all --yes").await;
        let report = rig.store.pull_report(PullId(1)).await.expect("a report");
        if report.status == "success" { Ok(()) } else { Err((said, report)) }
    })
    .await;
    rig.db
        .batch_execute("delete from twitch_channel; delete from helix_token")
        .await
        .expect("all is to be asked for");
    rig.whole_pull().await;
    rig.twitch.world().play(&"users-gone".parse::<Scenario>().expect("the fake knows it"));
    rig.db.batch_execute("delete from twitch_channel").await.expect("all is to be asked for");
    assert_eq!(operator(&rig, "pull --wait").await.0, 1);
    assert!(rig.twitch.tokens().len() > 1, "more than one token was in use");

    for process in &processes {
        let address = process.ready().await;
        for page in ["metrics", "livez", "readyz"] {
            findings.keep(format!("/{page} of {address}"), probe(address, page).await.1);
        }
        findings.keep("a process list", process.command_line());
    }
    for words in [
        "status",
        "pulls",
        "show latest",
        "topology",
        "dead-letters list",
        "dead-letters groups",
        "dead-letters show 1",
        "dead-letters report 1",
        "rejected groups",
        "config show",
        "config check",
    ] {
        for words in [words.to_owned(), format!("{words} --json")] {
            let (_, out, err) = operator(&rig, &words).await;
            findings.keep(format!("operator {words}"), out + &err);
        }
    }
    let mut talkative = false;
    for process in processes {
        let log = process.whole_log().await.join("\n");
        talkative |= log.contains("\"TRACE\"");
        findings.keep("a log", log);
    }
    assert!(talkative, "the level was not the most talkative");
    for (name, variables, word) in strangers {
        let process = Process::start(&rig, name, &Options { variables, ..Options::default() });
        let log = eventually(&format!("the log of the {name} should say {word}"), || async {
            let log = process.log().join("\n");
            if log.contains(word) { Ok(log) } else { Err(log) }
        })
        .await;
        findings.keep(format!("the log of a {name} that cannot log in"), log);
    }
    dump(&rig.db, &mut findings).await;
    messages(&rig, &mut findings).await;

    let mut secrets: Vec<String> =
        [CLIENT_SECRET, WRONG_CLIENT_SECRET, WRONG_DATABASE, WRONG_BROKER].map(str::to_owned).into();
    secrets.extend(rig.twitch.tokens());
    for name in WORKERS.into_iter().chain(["operator"]) {
        secrets.push(password(&rig.database.url_of(name)));
        secrets.push(password(rig.amqp_url_of(name).expose_secret()));
    }
    findings.hold_none_of(&secrets);
    assert!(STAGES.iter().all(|stage| findings.0.iter().any(|(_, text)| text.contains(stage.name))));
    rig.end(&[]).await;
}
