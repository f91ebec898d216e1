//! A database and a vhost of one's own, on the servers that `tests/run` brought up; each program has its own users there,
//! with the rights that a deployment gives them and no others.

use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use secrecy::{ExposeSecret, SecretString};
use shared::store::migrate;
use tokio::sync::OnceCell;
use tokio_postgres::{Client, NoTls};
use url::Url;

/// A URL in the file that a variable of `tests/run` names.
fn url(variable: &str) -> Url {
    #[expect(clippy::disallowed_methods, reason = "the tests' only settings, made by tests/run")]
    let path = std::env::var(variable).unwrap_or_else(|_| {
        panic!("{variable} is not set: run the tests with tests/run, which brings up the servers")
    });
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{variable} names {path}: {error}"));
    text.trim().parse().unwrap_or_else(|error| panic!("{path} holds no URL: {error}"))
}

/// Who has users of their own.
pub(crate) const PROGRAMS: [&str; 8] = [
    "extractor",
    "game-enricher",
    "channel-enricher",
    "finalizer",
    "exporter",
    "operator",
    "console",
    "reader",
];

/// The role whose rights a program has: the exporter's is named for what it writes.
fn role_of(program: &str) -> String {
    if program == "exporter" {
        "twitch_lake".to_owned()
    } else {
        format!("twitch_{}", program.replace('-', "_"))
    }
}

/// A server's URL for the user of a program. Users belong to a whole server, so the password is the same in all tests.
pub(crate) fn as_user_of(url: &Url, program: &str) -> Url {
    let mut own = url.clone();
    let password = format!("{program}-{}", url.password().unwrap_or_default());
    own.set_username(&user_of(program)).expect("a user");
    own.set_password(Some(&password)).expect("a password");
    own
}

fn user_of(program: &str) -> String {
    format!("suite_{}", program.replace('-', "_"))
}

/// What a deployment tells RabbitMQ of its users and their rights.
pub(crate) fn definitions() -> serde_json::Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/rabbitmq/definitions.json");
    serde_json::from_str(&fs::read_to_string(path).expect("the definitions")).expect("JSON")
}

/// A name no other test of this run has.
fn fresh_name() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A PostgreSQL connection that closes when dropped.
pub(crate) async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("PostgreSQL should answer");
    tokio::spawn(async move {
        // An error ends the connection, and the test notices at its next statement.
        let _ = connection.await;
    });
    client
}

/// A database of one's own, not migrated yet.
pub(crate) struct Database {
    name: String,
    server: Url,
}

impl Database {
    pub(crate) async fn create() -> Self {
        Self::create_with("").await
    }

    /// One with what `create database` is told beside its name.
    pub(crate) async fn create_with(how: &str) -> Self {
        let (name, server) = (fresh_name(), url("TEST_DATABASE_URL_FILE"));
        connect(server.as_str())
            .await
            .batch_execute(&format!("create database {name} {how}"))
            .await
            .expect("a database");
        Self { name, server }
    }

    /// One with this build's schema, and the programs' users: a copy of one that is migrated once, which takes a fifth of the time.
    pub(crate) async fn migrated() -> Self {
        static TEMPLATE: OnceCell<String> = OnceCell::const_new();
        let migrated = async || {
            let template = Self::create().await;
            migrate(&template.url()).await.expect("the migrations should run");
            template.admit_programs().await;
            template.name
        };
        let template = TEMPLATE.get_or_init(migrated).await;
        let database = Self::create_with(&format!("template {template}")).await;
        // What every migration makes anew.
        let sql = "update lake.ducklake_schema set schema_uuid = gen_random_uuid()";
        database.client().await.batch_execute(sql).await.expect("an id of its own");
        database
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn url(&self) -> SecretString {
        self.plain_url().into()
    }

    pub(crate) fn plain_url(&self) -> String {
        let mut url = self.server.clone();
        url.set_path(&self.name);
        url.into()
    }

    /// The URL for the user of a program, who is a member of that program's role and of no other.
    pub(crate) fn url_of(&self, program: &str) -> String {
        as_user_of(&self.plain_url().parse().expect("a URL"), program).into()
    }

    /// Makes the programs' users, whose roles the migrations have made.
    pub(crate) async fn admit_programs(&self) {
        let client = self.client().await;
        for program in PROGRAMS {
            let (user, role) = (user_of(program), role_of(program));
            let url = as_user_of(&self.server, program);
            let password = url.password().expect("a password");
            let sql = format!(
                "do $$ begin create user {user} password '{password}' in role {role};
                 exception when duplicate_object or unique_violation then null; end $$"
            );
            client.batch_execute(&sql).await.expect("a user");
        }
    }

    pub(crate) async fn client(&self) -> Client {
        connect(&self.plain_url()).await
    }

    /// Ends every connection to it, as a restart of the server would.
    pub(crate) async fn cut_connections(&self) {
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1 and pid <> pg_backend_pid()";
        connect(self.server.as_str())
            .await
            .execute(sql, &[&self.name])
            .await
            .expect("connections should be cut");
    }

    /// Whether it takes connections: an outage for everybody but superusers' reserved slots.
    pub(crate) async fn allow_connections(&self, allow: bool) {
        let sql = format!("alter database {} with allow_connections {allow}", self.name);
        connect(self.server.as_str())
            .await
            .batch_execute(&sql)
            .await
            .expect("the database should be altered");
    }

    pub(crate) async fn drop(self) {
        let sql = format!("drop database {} with (force)", self.name);
        connect(self.server.as_str()).await.batch_execute(&sql).await.expect("the database should go");
    }
}

/// A vhost of one's own.
pub(crate) struct Vhost {
    name: String,
    management: Url,
    amqp: Url,
    http: reqwest::Client,
}

impl Vhost {
    pub(crate) async fn create() -> Self {
        // reqwest wants a provider even for plain HTTP; who installed one before us is fine too.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let vhost = Self {
            name: fresh_name(),
            management: url("TEST_MANAGEMENT_URL_FILE"),
            amqp: url("TEST_AMQP_URL_FILE"),
            http: reqwest::Client::builder().build().expect("an HTTP client"),
        };
        vhost.call(reqwest::Method::PUT, "vhosts/{vhost}", None).await;
        let rights = serde_json::json!({"configure": ".*", "write": ".*", "read": ".*"});
        vhost
            .call(
                reqwest::Method::PUT,
                &format!("permissions/{{vhost}}/{}", vhost.amqp.username()),
                Some(rights),
            )
            .await;
        vhost
    }

    pub(crate) fn url(&self) -> SecretString {
        let mut url = self.amqp.clone();
        url.set_path(&self.name);
        String::from(url).into()
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn management(&self) -> &Url {
        &self.management
    }

    pub(crate) fn url_of(&self, program: &str) -> SecretString {
        String::from(as_user_of(&self.url().expose_secret().parse().expect("a URL"), program)).into()
    }

    /// Makes the programs' users, with the rights that the definitions of a deployment give them.
    pub(crate) async fn admit_programs(&self) {
        // Users belong to the whole broker, which may answer 400 `user_already_exists` to whoever makes one
        // that another is just making: the first test makes them, and the others wait for it.
        static USERS: OnceCell<()> = OnceCell::const_new();
        let definitions = definitions();
        USERS.get_or_init(|| self.make_users(&definitions)).await;
        for rights in definitions["permissions"].as_array().expect("permissions") {
            let user = user_of(rights["user"].as_str().expect("a user"));
            self.call(reqwest::Method::PUT, &format!("permissions/{{vhost}}/{user}"), Some(rights.clone()))
                .await;
        }
    }

    async fn make_users(&self, definitions: &serde_json::Value) {
        for user in definitions["users"].as_array().expect("users") {
            let program = user["name"].as_str().expect("a name");
            let url = as_user_of(&self.amqp, program);
            let user = serde_json::json!({"password": url.password(), "tags": user["tags"]});
            self.call(reqwest::Method::PUT, &format!("users/{}", url.username()), Some(user)).await;
        }
    }

    /// A call of the management API; `{vhost}` in the path becomes this one's name.
    pub(crate) async fn call(
        &self,
        method: reqwest::Method,
        path: &str,
        body: Option<serde_json::Value>,
    ) -> serde_json::Value {
        let url =
            self.management.join(&format!("api/{}", path.replace("{vhost}", &self.name))).expect("a path");
        let request = self.http.request(method, url);
        let request = if let Some(body) = body { request.json(&body) } else { request };
        let response = request.send().await.expect("the management API should answer");
        let status = response.status();
        let text = response.text().await.expect("an answer");
        assert!(status.is_success(), "{path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    pub(crate) async fn drop(self) {
        self.call(reqwest::Method::DELETE, "vhosts/{vhost}", None).await;
    }
}
