//! Acting from the console: who may, what is refused, and what becomes of an order.

use reqwest::{
    Method, Response, StatusCode,
    header::{COOKIE, HOST, ORIGIN, SET_COOKIE},
};
use shared::{dead_letter::DeadLetterStore, schema::ChunkRef, store::OperationRow};

use crate::{
    builders::{dead_letter, now},
    console_rig::{Console, hostile},
    dead_letter_rig::{DEAD, await_dead_letters, empty_rig, leave_dead_letters},
    eventually::eventually,
    process::{Options, Process},
    rig::Rig,
};

/// Says that a request comes from a page of the console.
pub(crate) const OURS: (&str, &str) = ("sec-fetch-site", "same-origin");

/// A console whose visitors may act.
pub(crate) async fn acting(rig: &Rig) -> Console {
    let variables = [("ALLOW_ACTIONS", "true"), ("CONSOLE_TOKEN", "s3cret")];
    Console::start(rig, variables.map(|(name, value)| (name, value.to_owned())).to_vec()).await
}

/// Sends a form.
pub(crate) async fn send(console: &Console, path: &str, headers: &[(&str, &str)], form: &str) -> Response {
    let mut request = console.client.post(format!("http://{}{path}", console.address)).body(form.to_owned());
    request = request.header("content-type", "application/x-www-form-urlencoded");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    request.send().await.expect("an answer")
}

/// Signs in, and returns the cookie.
pub(crate) async fn sign_in(console: &Console, name: &str) -> String {
    let name: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
    let answer = send(console, "/login", &[OURS], &format!("name={name}&token=s3cret&next=/pulls")).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    assert_eq!(answer.headers()["location"], "/pulls");
    let cookie = answer.headers()[SET_COOKIE].to_str().expect("text").to_owned();
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    cookie.split(';').next().expect("a cookie").to_owned()
}

async fn orders(rig: &Rig) -> Vec<OperationRow> {
    rig.store.operations(None, 100).await.expect("operations")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_requests_change_nothing() {
    let rig = empty_rig().await;
    let chunk = ChunkRef { pull_id: shared::schema::PullId(1), pulled_at: now(), chunk: 1 };
    rig.store.record(&dead_letter("finalizer", chunk)).await.expect("a dead letter");
    let console = acting(&rig).await;
    let session = sign_in(&console, "ada").await;
    let cookie = (COOKIE.as_str(), session.as_str());
    let own = format!("http://{}", console.address);
    let (path, form) = ("/order/hold", "all=yes&counted=1");
    let forged = [
        ("a form of another site", vec![cookie, ("sec-fetch-site", "cross-site")]),
        (
            "a form of another port",
            vec![cookie, ("sec-fetch-site", "same-site"), (ORIGIN.as_str(), "http://127.0.0.1:1")],
        ),
        ("a sandboxed frame", vec![cookie, (ORIGIN.as_str(), "null")]),
        ("another origin", vec![cookie, (ORIGIN.as_str(), "http://evil.example")]),
        ("an origin that begins like ours", vec![cookie, (ORIGIN.as_str(), "http://127.0.0.1.evil.example")]),
        ("nothing that says where it comes from", vec![cookie]),
        ("a name that leads here", vec![cookie, OURS, (HOST.as_str(), "evil.example")]),
        (
            "our own origin, said of a cross-site request",
            vec![cookie, ("sec-fetch-site", "cross-site"), (ORIGIN.as_str(), &own)],
        ),
    ];
    for (what, headers) in &forged {
        let answer = send(&console, path, headers, form).await;
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{what}");
    }
    // Nobody, somebody who makes a cookie up, and somebody who says what only a proxy may.
    let made_up = format!("{session}x");
    for headers in
        [vec![OURS], vec![OURS, (COOKIE.as_str(), made_up.as_str())], vec![OURS, ("x-forwarded-user", "ada")]]
    {
        let answer = send(&console, path, &headers, form).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{headers:?}");
    }
    // The token is of use over our own page only.
    let elsewhere = [("sec-fetch-site", "cross-site")];
    let answer = send(&console, "/login", &elsewhere, "name=eve&token=s3cret").await;
    assert_eq!((answer.status(), answer.headers().get(SET_COOKIE)), (StatusCode::FORBIDDEN, None));
    // Asking changes nothing, whatever is asked.
    for path in ["/order/hold?all=yes&counted=1", "/operations/1/stop", "/logout"] {
        let answer = console.ask(Method::GET, path, &[cookie]).await;
        assert!(answer.status().is_client_error(), "{path}: {}", answer.status());
    }
    let page = console.ask(Method::GET, "/order/hold?all=yes", &[cookie]).await;
    assert_eq!(
        (page.status(), page.headers()["x-frame-options"].to_str().ok()),
        (StatusCode::OK, Some("DENY"))
    );
    for method in [Method::PUT, Method::DELETE, Method::PATCH] {
        let answer = console.ask(method.clone(), "/order/hold?all=yes", &[cookie, OURS]).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
    }
    assert_eq!(orders(&rig).await, [], "nothing was ordered");
    let answer = send(&console, path, &[cookie, OURS], form).await;
    assert_eq!((answer.status(), orders(&rig).await.len()), (StatusCode::SEE_OTHER, 1), "the real one is");

    // Guessing is refused, and reading wants the token as well.
    assert_eq!(
        send(&console, "/login", &[OURS], "name=eve&token=guess").await.status(),
        StatusCode::UNAUTHORIZED
    );
    let answer = console.ask(Method::GET, "/pulls?status=failed", &[]).await;
    assert_eq!(answer.headers()["location"], "/login?next=%2Fpulls%3Fstatus%3Dfailed");
    assert_eq!(console.ask(Method::GET, "/pulls.json", &[]).await.status(), StatusCode::UNAUTHORIZED);
    console.process.terminate().await;
    rig.db.batch_execute("delete from dead_letter_event; delete from dead_letter").await.expect("gone");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_ordered_in_a_browser_is_counted_twice_confirmed_and_carried_out_elsewhere() {
    let mut rig = empty_rig().await;
    let worker = leave_dead_letters(&mut rig, 1, 12).await;
    let console = acting(&rig).await;
    let session = sign_in(&console, "<b>ada</b>").await;
    let cookie = (COOKIE.as_str(), session.as_str());
    let get = async |path: &str| {
        let answer = console.ask(Method::GET, path, &[cookie]).await;
        (answer.status(), answer.text().await.expect("text"))
    };
    let (status, page) = get("/order/discard?stage=game-enricher").await;
    assert_eq!(status, StatusCode::OK, "{page}");
    for words in [
        "12 dead letters match now.",
        "Discard 12 dead letters",
        "dead-letters discard --stage game-enricher",
    ] {
        assert!(page.contains(words), "{words:?} is missing in {page}");
    }
    // Others match than were counted; the number is not typed.
    for (form, words) in [
        ("stage=game-enricher&counted=11&typed=11", "11 were counted, and 12 match now"),
        ("stage=game-enricher&typed=12", "none were counted, and 12 match now"),
        ("stage=game-enricher&counted=12", "type 12 to confirm"),
        ("stage=game-enricher&counted=12&typed=13", "type 12 to confirm"),
        ("stage=finalizer&counted=0&typed=0", "No dead letter matches"),
    ] {
        let answer = send(&console, "/order/discard", &[cookie, OURS], form).await;
        let (status, page) = (answer.status(), answer.text().await.expect("text"));
        assert_eq!(status, StatusCode::CONFLICT, "{form}");
        assert!(page.contains(words), "{words:?} is missing in {page}");
    }
    assert_eq!(orders(&rig).await, []);

    // Ordered while nobody is there to do it; whoever comes does it.
    let answer =
        send(&console, "/order/discard", &[cookie, OURS], "stage=game-enricher&counted=12&typed=+12+").await;
    let operation = answer.headers()["location"].to_str().expect("text").to_owned();
    assert_eq!(operation, "/operations/1");
    let (_, page) = get(&operation).await;
    assert!(page.contains("waiting for an extractor") && page.contains("Stop operation 1"), "{page}");
    assert!(page.contains("&#60;b&#62;ada") && !page.contains("<b>ada"), "{page}");
    rig.start(rig.extractor());
    let done = async |path: &str, words: &str| {
        eventually(&format!("{path} should say {words:?}"), || async {
            let (_, page) = get(path).await;
            if page.contains(words) { Ok(page) } else { Err(page) }
        })
        .await
    };
    let page = done(&operation, "12 dead letters discarded").await;
    assert!(!page.contains("Stop operation"), "{page}");
    let ids: Vec<String> = rig
        .db
        .query("select id::text from dead_letter order by id", &[])
        .await
        .expect("dead letters")
        .iter()
        .map(|row| row.get(0))
        .collect();
    let form = format!("id={}&counted=12", ids.join("%2C"));
    assert_eq!(
        send(&console, "/order/restore", &[cookie, OURS], &form).await.status(),
        StatusCode::SEE_OTHER
    );
    done("/operations/2", "12 dead letters restored").await;
    await_dead_letters(&rig, 12).await;

    // A replay with a canary; stopped from here.
    worker.fail_with(0);
    let form = "all=yes&counted=12&canary=yes&rate=1";
    assert_eq!(send(&console, "/order/replay", &[cookie, OURS], form).await.status(), StatusCode::SEE_OTHER);
    done("/operations/3", "3 of 12 dead letters sent").await;
    assert_eq!(
        send(&console, "/operations/3/stop", &[cookie, OURS], "").await.status(),
        StatusCode::SEE_OTHER
    );
    done("/operations/3", "was stopped by").await;
    assert_eq!(
        send(&console, "/operations/9/stop", &[cookie, OURS], "").await.status(),
        StatusCode::NOT_FOUND
    );

    console.process.terminate().await;
    let left = rig.ready(DEAD).await;
    rig.end(&[(DEAD, left)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_order_is_recorded_with_who_gave_it_and_hostile_texts_are_inert() {
    let mut rig = empty_rig().await;
    rig.start(rig.extractor());
    let console = acting(&rig).await;
    let session = sign_in(&console, "<b>ada</b>").await;
    let cookie = (COOKIE.as_str(), session.as_str());
    for text in hostile().iter().take(10) {
        let reason: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let form = format!("stage=finalizer&minutes=5&reason={reason}");
        assert_eq!(
            send(&console, "/order/pause", &[cookie, OURS], &form).await.status(),
            StatusCode::SEE_OTHER
        );
    }
    eventually("all should be carried out", || async {
        let open: Vec<_> = orders(&rig).await.into_iter().filter(|row| row.ended_at.is_none()).collect();
        if open.is_empty() { Ok(()) } else { Err(open) }
    })
    .await;
    for path in ["/operations", "/workers", "/", "/operations/5", "/operations/10"] {
        let page = console.ask(Method::GET, path, &[cookie]).await.text().await.expect("text");
        assert_eq!(page.matches("<script").count(), 1, "{path}");
        assert!(
            !page.contains("<img") && !page.contains("<svg onload") && !page.contains("<b>ada"),
            "{path}"
        );
    }
    let answer = console.ask(Method::GET, "/workers.json", &[cookie]).await;
    let workers: serde_json::Value = serde_json::from_str(&answer.text().await.expect("text")).expect("JSON");
    let audit = workers["audit"].as_array().expect("orders");
    let hers = |order: &&serde_json::Value| order["by"] == "<b>ada</b>" && order["place"] == "console";
    assert_eq!((audit.len(), audit.iter().filter(hers).count()), (10, 10), "each is recorded once");
    console.process.terminate().await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_that_is_trusted_says_who_acts_and_nobody_else_may() {
    let rig = empty_rig().await;
    let variables = [("ALLOW_ACTIONS", "true"), ("TRUSTED_PROXY", "127.0.0.1"), ("USER_HEADER", "x-who")];
    let variables = variables.map(|(name, value)| (name, value.to_owned())).to_vec();
    let console = Console::start(&rig, variables).await;
    let (form, who) = ("stage=finalizer", ("x-who", "ada"));
    assert_eq!(send(&console, "/order/resume", &[OURS, who], form).await.status(), StatusCode::SEE_OTHER);
    assert_eq!(orders(&rig).await[0].requested_by, "ada");
    assert_eq!(send(&console, "/order/resume", &[OURS], form).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(console.ask(Method::GET, "/", &[]).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(orders(&rig).await.len(), 1);
    console.process.terminate().await;

    // Nobody could tell who acts: it does not start.
    let open = Options { variables: vec![("ALLOW_ACTIONS", "true".to_owned())], ..Options::default() };
    let process = Process::start(&rig, "console", &open);
    eventually("it should say what is missing", || async {
        let log = process.log();
        if log.iter().any(|line| line.contains("ALLOW_ACTIONS")) { Ok(()) } else { Err(log) }
    })
    .await;
    rig.end(&[]).await;
}
