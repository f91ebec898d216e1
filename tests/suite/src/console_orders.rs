//! A page orders whatever the command orders: the same options, and the same row for both.

use reqwest::{Method, StatusCode, header::COOKIE};
use shared::{dead_letter::DeadLetterStore, schema::ChunkRef};

use crate::{
    builders::{dead_letter, now},
    console_actions::{OURS, acting, send, sign_in},
    dead_letter_rig::{empty_rig, operator},
    eventually::eventually,
    scripted::{Scripted, announce_work, consuming},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_has_the_options_of_the_command_and_says_which_command_is_the_same() {
    let rig = empty_rig().await;
    let chunk = ChunkRef { pull_id: shared::schema::PullId(1), pulled_at: now(), chunk: 1 };
    rig.store.record(&dead_letter("finalizer", chunk)).await.expect("a dead letter");
    rig.db.execute("update dead_letter set queued_at = now()", &[]).await.expect("confirmed");
    let console = acting(&rig).await;
    let session = sign_in(&console, "ada").await;
    let cookie = (COOKIE.as_str(), session.as_str());
    for (kind, fields) in [
        ("replay", &["canary", "tolerate", "patience", "to", "limit", "rate"][..]),
        ("hold", &["until-build"][..]),
    ] {
        let answer = console.ask(Method::GET, &format!("/order/{kind}?all=yes"), &[cookie]).await;
        let page = answer.text().await.expect("text");
        for field in fields {
            assert!(page.contains(&format!(" name=\"{field}\"")), "{kind} has no {field}: {page}");
        }
    }
    for (kind, form, command) in [
        (
            "replay",
            "all=yes&counted=1&canary=yes&tolerate=0.5&patience=90s&to=game-enricher&limit=1&rate=2",
            "dead-letters replay --all --to game-enricher --limit 1 --rate 2 --canary --tolerate 0.5 --patience '1m 30s'",
        ),
        (
            "replay",
            "all=yes&counted=1&tolerate=0.1&patience=1m&to=its+own+stage&limit=&rate=",
            "dead-letters replay --all",
        ),
        ("hold", "all=yes&counted=1&until-build=1.4.0", "dead-letters hold --all --until-build 1.4.0"),
    ] {
        let answer = send(&console, &format!("/order/{kind}"), &[cookie, OURS], form).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER, "{form}");
        let ordered = rig.store.operations(None, 1).await.expect("operations").remove(0);
        assert_eq!((ordered.command.as_str(), ordered.counted), (command, Some(1)));
    }
    // What selects them comes back with the form.
    let selected = "class=permanent&code=test&since=2026-07-12T10:00:00Z&until=2126-07-12T10:00:00Z";
    let answer = console.ask(Method::GET, &format!("/order/hold?{selected}"), &[cookie]).await;
    let page = answer.text().await.expect("text");
    for (name, value) in [("class", "permanent"), ("since", "2026-07-12T10:00:00Z")] {
        let field = format!(" name=\"{name}\" value=\"{value}\"");
        assert!(page.contains(&field), "{field} is missing in {page}");
    }
    // What makes no sense is refused in words, and nothing is ordered.
    let before = rig.store.operations(None, 100).await.expect("operations").len();
    for (kind, form, words) in [
        ("replay", "all=yes&counted=1&rate=0", "The filter rate cannot be 0"),
        ("replay", "all=yes&counted=1&canary=yes&tolerate=7", "it is from 0 to 1"),
        ("hold", "all=yes&counted=1&until-build=soon", "write a version"),
    ] {
        let answer = send(&console, &format!("/order/{kind}"), &[cookie, OURS], form).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{form}");
        let page = answer.text().await.expect("text");
        assert!(page.contains(words), "{words:?} is missing in {page}");
    }
    assert_eq!(rig.store.operations(None, 100).await.expect("operations").len(), before);
    console.process.terminate().await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_stage_handles_one_message_that_is_ordered_from_the_page() {
    let mut rig = empty_rig().await;
    let worker = Scripted::new(&rig);
    rig.start(worker.clone());
    consuming(&rig, "game-enricher").await;
    let console = acting(&rig).await;
    let session = sign_in(&console, "ada").await;
    let cookie = (COOKIE.as_str(), session.as_str());
    let page = async |path: &str| {
        let answer = console.ask(Method::GET, path, &[cookie]).await;
        answer.text().await.expect("text")
    };
    assert!(!page("/").await.contains("Run one message of"), "nothing is paused");
    let (code, _, err) = operator(&rig, "pause game-enricher --by ada").await;
    assert_eq!(code, 0, "{err}");
    announce_work(&rig, 3).await;
    rig.waits("game-enricher", 3).await;
    eventually("the page should offer it", || async {
        let page = page("/").await;
        if page.contains("/order/run-once?stage=game-enricher") { Ok(()) } else { Err(page) }
    })
    .await;
    let asked = page("/order/run-once?stage=game-enricher").await;
    assert!(asked.contains("run-once game-enricher"), "{asked}");
    rig.start(rig.extractor());
    let answer = send(&console, "/order/run-once", &[cookie, OURS], "stage=game-enricher").await;
    let operation = answer.headers()["location"].to_str().expect("text").to_owned();
    eventually("it should say what became of it", || async {
        let page = page(&operation).await;
        if page.contains("is settled, by") { Ok(()) } else { Err(page) }
    })
    .await;
    rig.waits("game-enricher", 2).await;
    let audit = rig.store.audit(10).await.expect("orders");
    let orders: Vec<&str> = audit.iter().map(|order| order.action.as_str()).collect();
    assert_eq!(orders, ["run-once", "pause"], "each is recorded once");
    let (code, _, err) = operator(&rig, "resume game-enricher --by ada").await;
    assert_eq!(code, 0, "{err}");
    eventually("all should be handled", || async {
        let handled: usize = worker.given().into_values().sum();
        if handled == 3 { Ok(()) } else { Err(handled) }
    })
    .await;
    console.process.terminate().await;
    rig.end(&[]).await;
}
