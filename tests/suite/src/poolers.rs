//! PgBouncer between us and PostgreSQL: session mode works as it is, transaction mode is refused in one line.

use std::{
    fs,
    path::Path,
    process::{Child, Command, Stdio},
};

use fake_twitch::{World, WorldConfig};
use shared::{
    failure::{Class, Failure},
    store::{Store, migrate},
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use url::Url;

use crate::{builders::now, dead_letter_rig::command, eventually::eventually, rig::Rig, services::Database};

/// Where Debian puts it.
const PGBOUNCER: &str = "/usr/sbin/pgbouncer";

/// A PgBouncer of one's own. Killed when dropped.
struct Pooler {
    child: Child,
    url: String,
    _folder: TempDir,
}

impl Pooler {
    async fn start(database: &Database, mode: &str) -> Self {
        let folder = TempDir::new().expect("a folder");
        let mut url: Url = database.plain_url().parse().expect("a URL");
        let free = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = free.local_addr().expect("an address").port();
        drop(free);
        let (host, server) = (url.host_str().expect("a host"), url.port().expect("a port"));
        let (user, password) = (url.username(), url.password().expect("a password"));
        // As root it wants to be told whom to become.
        let root = fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0);
        let become_user = if root { "user = postgres" } else { "" };
        let settings = format!(
            "[databases]\n* = host={host} port={server} user={user} password={password}\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any\n\
             pool_mode = {mode}\n{become_user}\n"
        );
        let path = folder.path().join("pgbouncer.ini");
        fs::write(&path, settings).expect("settings");
        let child = Command::new(PGBOUNCER)
            .arg("-q")
            .arg(&path)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("PgBouncer");
        url.set_port(Some(port)).expect("a port");
        eventually("PgBouncer should listen", || tokio::net::TcpStream::connect(("127.0.0.1", port))).await;
        Self { child, url: url.into(), _folder: folder }
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        // One that is gone already cannot be killed, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_transaction_mode_is_refused_where_pgbouncer_is_installed() {
    if !Path::new(PGBOUNCER).exists() {
        return;
    }
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let pooler = Pooler::start(&rig.database, "transaction").await;
    let url = pooler.url.clone().into();
    let store = Store::new(&url, 2, "test").expect("a store");
    for failure in [
        Failure::from(store.check().await.expect_err("a pooler")),
        migrate(&url).await.expect_err("a pooler").into(),
    ] {
        let told = failure.to_string();
        assert_eq!((failure.class, failure.code), (Class::Outage, "store.pooler"), "{told}");
        assert!(told.contains("transaction mode") && told.contains("session mode"), "{told}");
    }
    let mut preflight = command(&rig, "doctor --preflight");
    preflight.env("DATABASE_URL", &pooler.url);
    let checked = tokio::task::spawn_blocking(move || preflight.output()).await.expect("a thread");
    let said = String::from_utf8(checked.expect("the operator").stdout).expect("text");
    assert!(
        said.starts_with("NOT OK  database: DATABASE_URL leads to a pooler in transaction mode"),
        "{said}"
    );
    drop(pooler);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_in_session_mode_works_where_pgbouncer_is_installed() {
    if !Path::new(PGBOUNCER).exists() {
        return;
    }
    let database = Database::create().await;
    let pooler = Pooler::start(&database, "session").await;
    let url = format!("{}?options=-csearch_path%3Dpublic", pooler.url).into();
    migrate(&url).await.unwrap_or_else(|error| panic!("{}", Failure::from(error)));
    let store = Store::new(&url, 2, "test").expect("a store");
    store.check().await.expect("the schema");
    for _ in 0..3 {
        store.request_pull("test", now()).await.expect("a pull");
    }
    drop((store, pooler));
    database.drop().await;
}
