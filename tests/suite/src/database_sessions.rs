//! Sessions with PostgreSQL: what they ask for, when they are thrown away, and what is told when there is none.

use std::time::Duration;

use fake_twitch::{World, WorldConfig};
use shared::{
    failure::{Class, Failure},
    store::Store,
};

use crate::{
    builders::now,
    eventually::eventually,
    rig::Rig,
    services::{as_user_of, connect},
};

async fn rig() -> Rig {
    Rig::new(World::generate(WorldConfig::plain(1))).await
}

/// What a store that may only read fails with when it asks for a pull.
async fn request(store: &Store) -> Result<(), Failure> {
    Ok(store.request_pull("test", now()).await.map(drop)?)
}

async fn alter(rig: &Rig, what: &str) {
    let sql = format!("alter database {} {what}", rig.database.name());
    rig.db.batch_execute(&sql).await.expect("altered");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_read_only_failure_the_next_try_has_another_session() {
    let rig = rig().await;
    alter(&rig, "set default_transaction_read_only = on").await;
    let store = Store::new(&rig.database.url(), 2, "test").expect("a store");
    let failure = request(&store).await.expect_err("read-only");
    assert_eq!((failure.class, failure.code), (Class::Outage, "store.read_only"), "{failure}");
    assert!(failure.to_string().starts_with("the database is read-only: cannot execute"), "{failure}");
    let failure = Failure::from(store.check().await.expect_err("read-only"));
    assert_eq!((failure.class, failure.code), (Class::Outage, "store.read_only"), "{failure}");
    // The sessions of before stay read-only for their life; the server is not any more.
    alter(&rig, "reset default_transaction_read_only").await;
    store.check().await.expect("another session");
    request(&store).await.expect("a pull");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_data_is_a_messages_own_fault() {
    let rig = rig().await;
    let reader = Store::new(&rig.database.url_of("reader").into(), 2, "test").expect("a store");
    let failure = request(&reader).await.expect_err("a reader");
    assert_eq!((failure.class, failure.code), (Class::Outage, "store.denied"), "{failure}");
    for words in [": permission denied for ", "(SQLSTATE 42501)"] {
        assert!(failure.to_string().contains(words), "what is denied is named: {failure}");
    }

    rig.db.batch_execute("alter table pull rename column requested_by to gone").await.expect("renamed");
    let failure = request(&rig.store).await.expect_err("a column is missing");
    assert_eq!((failure.class, failure.code), (Class::Outage, "store.statement"), "{failure}");
    assert!(failure.to_string().contains("requested_by"), "{failure}");
    rig.db.batch_execute("alter table pull rename column gone to requested_by").await.expect("renamed");

    rig.db
        .batch_execute("alter table pull add constraint no_test check (requested_by <> 'test')")
        .await
        .expect("a check");
    let failure = request(&rig.store).await.expect_err("data that may not be");
    assert_eq!((failure.class, failure.code), (Class::Permanent, "store.refused"), "{failure}");
    assert!(failure.to_string().contains("no_test") && !failure.to_string().contains("Failing row"));
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_have_what_they_rely_on_whatever_the_database_is_set_to() {
    let rig = rig().await;
    for setting in [
        "default_transaction_isolation = 'serializable'",
        "timezone = 'Asia/Kathmandu'",
        "synchronous_commit = off",
        "statement_timeout = 0",
        "lock_timeout = 0",
        "idle_in_transaction_session_timeout = 0",
    ] {
        alter(&rig, &format!("set {setting}")).await;
    }
    // What a session of ours says of itself while it writes.
    let witness = "
        create table witness (setting text, value text);
        create function witness() returns trigger language plpgsql as $$ begin
            insert into witness select name, current_setting(name) from unnest(array['transaction_isolation', 'timezone',
                'synchronous_commit', 'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout',
                'work_mem', 'application_name']) name;
            return new;
        end $$;
        create trigger witness before insert on pull for each row execute function witness()";
    rig.db.batch_execute(witness).await.expect("a witness");
    let url = format!("{}?options=-cwork_mem%3D7MB%20-clock_timeout%3D3s", rig.database.plain_url());
    let store = Store::new(&url.into(), 2, "test").expect("a store");
    request(&store).await.expect("a pull");
    let rows = rig.db.query("select setting || '=' || value from witness", &[]).await.expect("rows");
    let said: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
    let expected = [
        "transaction_isolation=read committed",
        "timezone=UTC",
        "synchronous_commit=local",
        "statement_timeout=1min",
        "lock_timeout=3s",
        "idle_in_transaction_session_timeout=1min",
        "work_mem=7MB",
        "application_name=test",
    ];
    assert_eq!(said, expected);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_a_lock_is_contention() {
    let rig = rig().await;
    let url = format!("{}?options=-clock_timeout%3D100ms", rig.database.plain_url());
    let store = Store::new(&url.into(), 2, "test").expect("a store");
    rig.db.batch_execute("begin; lock table pull in access exclusive mode").await.expect("a lock");
    let failure = request(&store).await.expect_err("locked");
    assert_eq!((failure.class, failure.code), (Class::Contention, "store.contention"), "{failure}");
    rig.db.batch_execute("rollback").await.expect("let go");
    request(&store).await.expect("a pull");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn idle_sessions_are_closed_and_a_limit_is_named() {
    let rig = rig().await;
    let role = format!("limited_{}", rig.database.name());
    rig.db
        .batch_execute(&format!("create user {role} superuser password 'limited' connection limit 2"))
        .await
        .expect("a user");
    // Superusers are not limited.
    rig.db
        .batch_execute(&format!("alter user {role} nosuperuser; grant twitch_extractor to {role}"))
        .await
        .expect("a user with a limit");
    let mut url = as_user_of(&rig.database.plain_url().parse().expect("a URL"), "extractor");
    url.set_username(&role).expect("a user");
    url.set_password(Some("limited")).expect("a password");

    let store = Store::new(&String::from(url.clone()).into(), 4, "test")
        .expect("a store")
        .idle_for(Duration::from_millis(200));
    store.check().await.expect("one session");
    let open = "select count(*) from pg_stat_activity where usename = $1";
    eventually("an idle session should be closed", || async {
        let open: i64 = rig.db.query_one(open, &[&role]).await.expect("a count").get(0);
        if open == 0 { Ok(()) } else { Err(open) }
    })
    .await;

    let held = [connect(url.as_str()).await, connect(url.as_str()).await];
    let failure = Failure::from(store.check().await.expect_err("no session is left"));
    assert_eq!((failure.class, failure.code), (Class::Outage, "store.login_refused"), "{failure}");
    for words in
        [&format!("too many connections for role \"{role}\" (SQLSTATE 53300)")[..], "DATABASE_CONNECTIONS"]
    {
        assert!(failure.to_string().contains(words), "{failure}");
    }
    drop(held);
    eventually("the store should work again", || async { store.check().await }).await;
    drop(store);
    eventually("the user should go", || async {
        rig.db.batch_execute(&format!("revoke twitch_extractor from {role}; drop user {role}")).await
    })
    .await;
    rig.end(&[]).await;
}
