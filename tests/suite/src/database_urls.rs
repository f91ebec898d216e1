//! `DATABASE_URL` means the same to the pool, the migrator and `config check`, and is obeyed or refused in words.

use std::process::Command;

use secrecy::{ExposeSecret, SecretString};
use shared::{
    failure::{Class, Failure},
    store::{Store, migrate},
};
use url::Url;

use crate::{
    builders::now,
    process::binary,
    proxy::{Forward, LOOPBACK_6},
    services::Database,
};

/// The database's URL with these hosts in the place of its own, and these parameters.
fn with_hosts(database: &Database, hosts: &str, query: &str) -> SecretString {
    let url: Url = database.plain_url().parse().expect("a URL");
    let (user, password) = (url.username(), url.password().expect("a password"));
    format!("postgresql://{user}:{password}@{hosts}{}?{query}", url.path()).into()
}

fn server(database: &Database) -> String {
    let url: Url = database.plain_url().parse().expect("a URL");
    format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"))
}

/// Migrator and pool work by this URL, and `config check` agrees.
async fn works(url: &SecretString) {
    migrate(url).await.unwrap_or_else(|error| panic!("migrate: {}", Failure::from(error)));
    let store = Store::new(url, 2, "test").expect("a store");
    store.check().await.unwrap_or_else(|error| panic!("check: {}", Failure::from(error)));
    store.request_pull("test", now()).await.expect("a pull");
    let check = Command::new(binary("operator"))
        .args(["config", "check"])
        .env_clear()
        .env("DATABASE_URL", url.expose_secret())
        .env("AMQP_URL", "amqp://localhost/%2f")
        .output()
        .expect("the operator");
    assert!(check.status.success(), "{check:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn database_hosts_are_tried_in_turn() {
    let database = Database::create().await;
    let hosts = format!("127.0.0.1:1,nowhere.invalid:5432,{}", server(&database));
    works(&with_hosts(&database, &hosts, "target_session_attrs=read-write&connect_timeout=5")).await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_at_an_ipv6_address_is_found_there() {
    let database = Database::create().await;
    // A machine without IPv6 has no such address.
    if let Ok(forward) = Forward::to(LOOPBACK_6, server(&database)).await {
        works(&with_hosts(&database, &format!("[::1]:{}", forward.port()), "")).await;
        assert!(forward.taken() >= 3, "by no other way");
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_path_is_the_same_for_migrator_and_pool() {
    let database = Database::create().await;
    let client = database.client().await;
    client.batch_execute("create schema pulls").await.expect("a schema");
    let url = with_hosts(&database, &server(&database), "options=-csearch_path%3Dpulls&application_name=us");
    works(&url).await;
    let there = "select to_regclass('pulls.pull') is not null and to_regclass('public.pull') is null";
    let there: bool = client.query_one(there, &[]).await.expect("a look").get(0);
    assert!(there, "the schema of the URL, and no other");
    drop(client);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_takes_no_writes_is_passed_over_and_named() {
    let database = Database::create().await;
    let client = database.client().await;
    let read_only = "alter database {} set default_transaction_read_only = on";
    client.batch_execute(&read_only.replace("{}", database.name())).await.expect("read-only");
    let hosts = format!("{},127.0.0.1:1", server(&database));
    let url = with_hosts(&database, &hosts, "target_session_attrs=read-write");
    let store = Store::new(&url, 2, "test").expect("a store");
    for failure in [
        Failure::from(store.check().await.expect_err("read-only")),
        migrate(&url).await.expect_err("read-only").into(),
    ] {
        let told = failure.to_string();
        assert_eq!((failure.class, failure.code), (Class::Outage, "store.login_refused"), "{told}");
        assert!(told.contains(&format!("{}: it is read-only", server(&database))), "{told}");
        assert!(told.contains("; 127.0.0.1:1: "), "every host is named, the telling one first: {told}");
    }
    drop(client);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_another_encoding_is_refused_and_left_as_it_was() {
    let database = Database::create_with("encoding 'LATIN1' template template0 locale 'C'").await;
    let error = migrate(&database.url()).await.expect_err("it cannot hold a title");
    let told = error.to_string();
    for words in ["encoding is LATIN1", "nothing was changed", "encoding 'UTF8'"] {
        assert!(told.contains(words), "{told}");
    }
    let client = database.client().await;
    let tables = "select count(*) from pg_class where relnamespace = 'public'::regnamespace";
    let tables: i64 = client.query_one(tables, &[]).await.expect("a count").get(0);
    assert_eq!(tables, 0, "nothing was changed");
    drop(client);
    database.drop().await;
}
