//! Reached, but refused: who answers and says no is not told to be away.

use std::process::{Command, Output};

use fake_twitch::{World, WorldConfig};
use secrecy::ExposeSecret;
use url::Url;

use crate::{process::binary, rig::Rig};

/// Runs the operator on these two URLs.
fn operator(words: &[&str], database: &str, amqp: &str) -> Output {
    let mut command = Command::new(binary("operator"));
    command.args(words).env_clear().env("DATABASE_URL", database).env("AMQP_URL", amqp);
    command.output().expect("the operator")
}

/// It exits 69, and its one line says this and nothing of that.
fn says(output: &Output, words: &[&str], never: &[&str]) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(69), "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    assert!(words.iter().all(|word| said.contains(word)), "it should say {words:?}: {said}");
    assert!(never.iter().all(|word| !said.contains(word)), "it must not say {never:?}: {said}");
}

fn changed(url: &str, change: impl Fn(&mut Url)) -> String {
    let mut url: Url = url.parse().expect("a URL");
    change(&mut url);
    url.into()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_login_is_no_missing_server() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let (database, amqp) = (rig.database.plain_url(), rig.amqp_url.expose_secret().to_owned());
    let wrong = |url: &str| changed(url, |url| url.set_password(Some("canary-7f3a")).expect("a password"));
    let away = ["cannot be reached", "PostgreSQL run", "RabbitMQ run", "canary-7f3a"];

    let refused = ["PostgreSQL was reached, but refused", "password authentication failed for user", "28P01"];
    for command in [&["migrate"][..], &["pulls"]] {
        says(&operator(command, &wrong(&database), &amqp), &refused, &away);
    }
    let missing = changed(&database, |url| url.set_path("/no_such_database"));
    let refused = ["PostgreSQL was reached, but refused", "\"no_such_database\" does not exist", "3D000"];
    says(&operator(&["pulls"], &missing, &amqp), &refused, &away);

    let refused = ["RabbitMQ was reached, but refused", "ACCESS_REFUSED"];
    says(&operator(&["topology", "--declare"], &database, &wrong(&amqp)), &refused, &away);
    let missing = changed(&amqp, |url| url.set_path("/no_such_vhost"));
    let refused = ["RabbitMQ was reached, but refused", "no_such_vhost"];
    says(&operator(&["topology", "--declare"], &database, &missing), &refused, &away);

    let nobody = |url: &str| changed(url, |url| url.set_port(Some(1)).expect("a port"));
    let unreached = ["PostgreSQL cannot be reached", "127.0.0.1:1", "is PostgreSQL running"];
    says(&operator(&["pulls"], &nobody(&database), &amqp), &unreached, &["refused the connection"]);
    let unreached = ["RabbitMQ cannot be reached", "127.0.0.1:1", "is RabbitMQ running"];
    says(&operator(&["topology", "--declare"], &database, &nobody(&amqp)), &unreached, &[]);
    rig.end(&[]).await;
}
