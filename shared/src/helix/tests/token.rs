//! One token for all: single flight, renewal, refusal, the vault, and that nothing shows a secret.

use std::{
    io::Write,
    sync::{Mutex, PoisonError},
};

use chrono::TimeDelta;
use futures::future::join_all;

use super::*;

/// As many calls at once, each in a task of its own.
async fn at_once(client: &Client, calls: usize) -> Vec<Result<(), Error>> {
    let call = |client: Client| tokio::spawn(async move { client.streams(None).await.map(drop) });
    let tasks: Vec<_> = (0..calls).map(|_| call(client.clone())).collect();
    join_all(tasks).await.into_iter().map(Result::unwrap).collect()
}

#[tokio::test]
async fn a_hundred_calls_ask_for_one_token() {
    let world = World::with([]).await;
    assert!(at_once(&world.client, 100).await.iter().all(Result::is_ok));
    assert_eq!(world.server.asked("/token").len(), 1);
    let asked = world.server.asked("/token").remove(0);
    assert_eq!(
        asked.body,
        format!("client_id={CLIENT_ID}&client_secret={CLIENT_SECRET}&grant_type=client_credentials")
    );
    assert_eq!(asked.uri.query(), None, "the secret is not in the address");
}

#[tokio::test]
async fn a_hundred_refused_calls_ask_for_one_new_token() {
    let world = World::with([]).await;
    world.client.streams(None).await.unwrap();
    world.server.revoke_tokens();
    assert!(at_once(&world.client, 100).await.iter().all(Result::is_ok));
    assert_eq!(world.server.asked("/token").len(), 2);
}

#[tokio::test]
async fn processes_share_a_token_and_its_renewal() {
    let world = World::with([]).await;
    let other = world.another(CLIENT_SECRET);
    world.client.streams(None).await.unwrap();
    other.streams(None).await.unwrap();
    assert_eq!(world.server.asked("/token").len(), 1, "taken from the vault");

    world.server.revoke_tokens();
    let (ours, theirs) = tokio::join!(world.client.streams(None), other.streams(None));
    assert!(ours.is_ok() && theirs.is_ok());
    assert_eq!(world.server.asked("/token").len(), 2);
    assert_eq!(world.token_store.kept.lock().await[CLIENT_ID].generation, 2);
}

#[tokio::test]
async fn a_token_sealed_with_another_secret_is_none() {
    let world = World::with([]).await;
    world.client.streams(None).await.unwrap();
    let rotated = world.another("a-newer-secret");
    rotated.streams(None).await.unwrap();
    assert_eq!(world.server.asked("/token").len(), 2);
    assert_eq!(world.server.asked("/streams")[1].headers["authorization"], "Bearer token-2");
}

#[tokio::test]
async fn a_second_401_is_the_callers_business() {
    let refusal = Answer::new(401, r#"{"status":401,"message":"Client ID and OAuth token do not match"}"#);
    let world = World::with([("/streams", vec![refusal])]).await;
    let error = world.client.streams(None).await.unwrap_err();
    assert!(error.to_string().contains("do not match"), "{error}");
    assert_eq!(verdict::<()>(Err(error)), (Class::Auth, "helix.unauthorized"));
    assert_eq!((world.client.calls(), world.server.asked("/token").len()), (2, 2));
}

#[tokio::test]
async fn a_token_is_renewed_ahead_of_its_end() {
    let world = World::with([]).await;
    world.client.streams(None).await.unwrap();
    world.clock.advance(TimeDelta::seconds(5_000_000 - 601));
    world.client.streams(None).await.unwrap();
    assert_eq!(world.server.asked("/token").len(), 1);
    world.clock.advance(TimeDelta::seconds(1));
    world.client.streams(None).await.unwrap();
    assert_eq!(world.server.asked("/token").len(), 2);
}

#[tokio::test]
async fn the_old_token_serves_to_its_end_while_there_is_no_new_one() {
    let token = Answer::new(200, r#"{"access_token":"token-1","expires_in":1200}"#);
    let world = World::with([("/token", vec![token, Answer::new(500, "")])]).await;
    world.client.streams(None).await.unwrap();
    world.clock.advance(TimeDelta::seconds(700));
    for _ in 0..5 {
        world.client.streams(None).await.unwrap();
    }
    assert_eq!(world.server.asked("/token").len(), 2, "asked again only after a minute");
    world.clock.advance(TimeDelta::seconds(500));
    assert_eq!(verdict(world.client.streams(None).await), (Class::Outage, "helix.token_unavailable"));
}

#[tokio::test]
async fn a_refusal_is_told_in_words_and_not_provoked_again() {
    for (status, message, setting) in
        [(400, "invalid client", "TWITCH_CLIENT_ID"), (403, "invalid client secret", "TWITCH_CLIENT_SECRET")]
    {
        let refusal = Answer::new(status, format!(r#"{{"status":{status},"message":"{message}"}}"#));
        let token = Answer::new(200, r#"{"access_token":"token-1","expires_in":5000000}"#);
        let world = World::with([("/token", vec![refusal, token])]).await;
        let mut outcomes = at_once(&world.client, 50).await;
        outcomes.push(world.client.streams(None).await.map(drop));
        for outcome in outcomes {
            let failure = Failure::from(outcome.unwrap_err());
            assert_eq!((failure.class, failure.code), (Class::Auth, "helix.token_refused"));
            assert!(failure.message.contains(setting) && failure.message.contains(message), "{failure}");
            assert!(failure.message.contains(&status.to_string()), "{failure}");
        }
        assert_eq!(world.server.asked("/token").len(), 1);
        assert_eq!(world.client.calls(), 0);

        world.clock.advance(TimeDelta::seconds(60));
        world.client.streams(None).await.unwrap();
    }
}

#[tokio::test]
async fn whatever_the_token_endpoint_answers_no_message_is_charged() {
    let unavailable = (Class::Outage, "helix.token_unavailable");
    for (answer, verdict_of_it, asked) in [
        (Answer::new(500, ""), unavailable, 1),
        (Answer::new(503, "<html>"), unavailable, 2),
        (Answer::new(200, "<html>"), unavailable, 1),
        (Answer::new(200, r#"{"access_token":"t"#), unavailable, 1),
        (Answer::new(200, r#"{"expires_in":5000000}"#), unavailable, 1),
        (Answer::new(302, "").with("location", "/"), unavailable, 1),
        (Answer::new(404, "<html>"), (Class::Auth, "helix.token_refused"), 1),
        (Answer::new(408, ""), (Class::RateLimited, "helix.token_rate_limited"), 1),
        (Answer::new(429, ""), (Class::RateLimited, "helix.token_rate_limited"), 1),
    ] {
        let world = World::with([("/token", vec![answer])]).await;
        assert_eq!(verdict(world.client.streams(None).await), verdict_of_it);
        assert_eq!(world.server.asked("/token").len(), asked);
    }
}

#[tokio::test]
async fn a_token_of_untold_life_is_used_until_it_is_refused() {
    for life in ["", r#","expires_in":0"#, r#","expires_in":null"#, r#","expires_in":-1"#] {
        let token = |number| Answer::new(200, format!(r#"{{"access_token":"token-{number}"{life}}}"#));
        let world = World::with([("/token", vec![token(1), token(2)])]).await;
        for _ in 0..20 {
            world.client.streams(None).await.unwrap();
            world.clock.advance(TimeDelta::hours(1));
        }
        assert_eq!(world.server.asked("/token").len(), 1, "{life}");
    }
}

#[tokio::test]
async fn a_twitch_that_refuses_every_token_is_not_begged_for_more() {
    let refusal = Answer::new(401, r#"{"status":401,"message":"Invalid OAuth token"}"#);
    let world = World::with([("/streams", vec![refusal])]).await;
    for second in 0..180 {
        let verdict = verdict(world.client.streams(None).await);
        assert_eq!(verdict, (Class::Auth, "helix.unauthorized"), "after {second} s");
        if second == 59 {
            assert_eq!(world.server.asked("/token").len(), 3, "in the first minute");
        }
        world.clock.advance(TimeDelta::seconds(1));
    }
    assert_eq!(world.server.asked("/token").len(), 5, "then one a minute");
}

#[tokio::test]
async fn a_failed_probe_is_shared_and_a_good_one_ends_the_pause() {
    let sick = Answer::new(500, "");
    let world = World::with([("/streams", [vec![sick; 5], vec![Answer::empty()]].concat())]).await;
    world.client.check().await.unwrap();
    assert_eq!(world.client.calls(), 0, "nothing is tried out before a call has failed");
    assert_eq!(verdict(world.client.streams(None).await), (Class::Outage, "helix.outage"));
    assert_eq!(world.client.calls(), 2, "the probe fails as well, so it is not the call's fault");

    let checks = join_all((0..20).map(|_| world.client.check())).await;
    assert!(checks.iter().all(|check| check.as_ref().unwrap_err().code == "helix.outage"), "{checks:?}");
    assert_eq!(world.client.calls(), 3, "one probe for all who asked");
    let probe = world.server.asked("/streams").pop().unwrap();
    assert_eq!(probe.uri.query(), Some("first=1"));

    world.client.check().await.unwrap_err();
    world.client.check().await.unwrap_err();
    world.client.check().await.unwrap();
    world.client.check().await.unwrap();
    assert_eq!(world.client.calls(), 6, "no call while it works");
}

#[tokio::test]
async fn who_waited_for_a_renewal_shares_its_failure() {
    let world = World::with([("/token", vec![Answer::new(500, "")])]).await;
    assert!(at_once(&world.client, 50).await.iter().all(Result::is_err));
    assert_eq!(world.server.asked("/token").len(), 1);
    world.client.streams(None).await.unwrap_err();
    assert_eq!(world.server.asked("/token").len(), 2, "who comes later has a try of their own");
}

#[tokio::test]
async fn a_vault_that_is_away_is_told_as_it_is() {
    let away = Some(Failure::new(Class::Outage, "store.away", "no database"));
    let world = World::start([], MemoryVault { away, ..MemoryVault::default() }).await;
    assert_eq!(verdict(world.client.streams(None).await), (Class::Outage, "store.away"));
    assert_eq!(world.token_store.loads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn validation_replaces_a_bad_token_once() {
    let world = World::with([]).await;
    world.client.validate_token().await.unwrap();
    let asked = world.server.asked("/prefix/oauth2/validate").remove(0);
    assert_eq!(asked.headers["authorization"], "OAuth token-1");
    world.server.revoke_tokens();
    world.client.validate_token().await.unwrap();
    assert_eq!((world.server.asked("/token").len(), world.server.asked("/validate").len()), (2, 3));
    assert_eq!(world.client.calls(), 0);

    let refusal = Answer::new(401, r#"{"status":401,"message":"invalid access token"}"#);
    let world = World::with([("/validate", vec![refusal])]).await;
    assert_eq!(verdict(world.client.validate_token().await), (Class::Auth, "helix.unauthorized"));
    assert_eq!(world.server.asked("/validate").len(), 2);
}

/// Where log lines go.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(part)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn nothing_shows_a_secret() {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    // With a single subscriber, an event first reached on another test's thread is switched off for all threads.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());

    let secrets = [CLIENT_SECRET, "token-1", "token-2"];
    for answers in [
        ("/streams", vec![Answer::new(500, "you came with Bearer token-1")]),
        ("/streams", vec![Answer::new(401, "token-1"), Answer::new(401, "token-2")]),
        ("/streams", vec![Answer::new(200, r#"{"data":[]"#)]),
        ("/streams", vec![Answer::new(429, "token-1")]),
        ("/token", vec![Answer::new(403, format!("{CLIENT_SECRET} is wrong"))]),
        ("/token", vec![Answer::new(500, CLIENT_SECRET)]),
        ("/token", vec![Answer::new(200, format!(r#"{{"access_token":"{CLIENT_SECRET}"}}"#))]),
    ] {
        let world = World::with([answers]).await;
        let error = world.client.streams(None).await.unwrap_err();
        let shown = format!("{error} {error:?} {:?}", world.client);
        let shown = format!("{shown} {:?}", Failure::from(error));
        assert!(secrets.iter().all(|secret| !shown.contains(secret)), "{shown}");
    }
    let log = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("the app token is renewed") && log.contains("/streams answered 500"), "{log}");
    assert!(secrets.iter().all(|secret| !log.contains(secret)), "{log}");
}
