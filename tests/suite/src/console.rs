//! The console over HTTP: every page and its JSON, what is refused, and what is shown while a server is unavailable.

use fake_twitch::{World, WorldConfig};
use reqwest::{Method, StatusCode, header::HOST};
use serde_json::Value;
use shared::{
    dead_letter::{DeadLetter, DeadLetterStore},
    operations::{self, Action, Requester},
    schema::ChunkRef,
};

use crate::console_rig::{Console, hostile};
use crate::{
    builders::dead_letter,
    dead_letter_rig::{operator, operator_json},
    eventually::eventually,
    rig::Rig,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_shows_a_pull_its_chunks_and_its_dead_letters_and_every_hostile_text_inert() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(300))).await;
    rig.start_all();
    let pull = rig.pull().await;
    assert_eq!(rig.ended(pull).await.status, "success");
    let console = Console::start(&rig, Vec::new()).await;

    let hostile = hostile();
    let sql =
        "update pull_data d set title = h.text, channel_login = h.text, game_name = h.text, language = h.text
        from (select stream_id, $1::text[] as texts, row_number() over () as n from pull_data) r,
             lateral (select r.texts[1 + r.n % 200] as text) h
        where d.stream_id = r.stream_id";
    rig.db.execute(sql, &[&hostile]).await.expect("renamed");
    let pulled_at = rig.store.pull_report(pull).await.expect("a report").started_at;
    let about = ChunkRef { pull_id: pull, pulled_at, chunk: 1 };
    for (n, text) in (0_i32..).zip(&hostile).take(20) {
        let event = "insert into event values (current_date, $1, 'ERROR', 'finalizer', $2, 1, 1, $2, null, '', $2, 3, now(), now())";
        rig.db.execute(event, &[&n.to_string(), text]).await.expect("an event");
        let order = Action::Cancel { pull: n.into(), reason: Some(text.clone()) };
        let requester = Requester { by: text, from: "console", counted: None };
        operations::request(&rig.store, &rig.setup.clock, &order, requester).await.expect("ordered");
        let dead_letter = DeadLetter {
            letter: text.clone(),
            message: text.clone(),
            causes: text.clone(),
            fingerprint: "3fa9c0de3fa9c0de".to_owned(),
            host: text.clone(),
            body: text.clone().into_bytes(),
            ..dead_letter("finalizer", about)
        };
        rig.store.record(&dead_letter).await.expect("recorded");
    }
    let groups = console.json("/dead-letters.json").await;
    assert_eq!(groups["letters"], 20);
    let group = groups["groups"][0]["fingerprint"].as_str().expect("a fingerprint").to_owned();
    let dead_letter = groups["groups"][0]["sample"].as_i64().expect("a number");

    let mut pages =
        ["/", "/pulls", "/data", "/workers", "/operations", "/events", "/trace"].map(str::to_owned).to_vec();
    pages.push(format!("/pulls/{pull}"));
    pages.extend((1..=3).map(|chunk| format!("/pulls/{pull}/chunks/{chunk}")));
    pages.extend(["/dead-letters".to_owned(), "/dead-letters?stage=finalizer&state=dead".to_owned()]);
    pages.extend([format!("/dead-letters/groups/{group}"), format!("/dead-letters/{dead_letter}")]);
    let stream: String =
        rig.db.query_one("select min(stream_id) from pull_data", &[]).await.expect("a stream").get(0);
    let channel: String =
        rig.db.query_one("select min(channel_id) from pull_data", &[]).await.expect("a channel").get(0);
    pages.push(format!("/trace?stream={stream}"));
    pages.push(format!("/trace?channel={channel}"));
    pages.push(format!("/trace?pull={pull}&chunk=1"));
    pages.push("/trace?game=nowhere".to_owned());
    pages.push("/operations/1".to_owned());
    let mut whole = String::new();
    let mut commands = Vec::new();
    for path in &pages {
        let html = console.page(path).await;
        for text in &hostile {
            let markup = text.contains('<') || text.contains('"') || text.contains('\'');
            assert!(!markup || !html.contains(text.as_str()), "{path} shows {text} as markup");
        }
        assert_eq!(html.matches("<script").count(), 1, "{path} has a script of its own only");
        assert!(
            !html.contains(" style=\"") && !html.contains("=\"http") && !html.contains("=\"//"),
            "{path}"
        );
        for list in html.split("<dl class=\"commands\">").skip(1) {
            let list = list.split("</dl>").next().unwrap_or_default();
            let shown = list.split("<code>").skip(1).filter_map(|rest| rest.split("</code>").next());
            commands.extend(shown.map(str::to_owned));
        }
        whole += &html;
        let (path, query) = path.split_once('?').map_or((path.as_str(), ""), |(path, query)| (path, query));
        let path = if path == "/" { "/flow" } else { path };
        console.json(&format!("{path}.json?{query}")).await;
    }
    for shown in
        ["All is well", "Not well: 20 dead letters of the finalizer", "fetched ", "merged", "&#60;script"]
    {
        let missing = shown != "All is well";
        assert_eq!(whole.contains(shown), missing, "{shown}");
    }
    // The texts themselves are there for whoever asks for data.
    let chunk = console.json(&format!("/pulls/{pull}/chunks/1.json")).await;
    let title = chunk["streams"][0]["title"].as_str().expect("a title");
    assert!(hostile.iter().any(|text| text == title), "{title}");
    for command in commands {
        // What is quoted for a shell stands for one word.
        let words = command
            .split('\'')
            .enumerate()
            .map(|(n, part)| if n % 2 == 1 { "quoted".into() } else { part.to_owned() });
        let words = words.collect::<String>();
        let words = words.split_whitespace().map(str::to_owned);
        let parsed = ::operator::command_line().try_get_matches_from(words);
        assert!(parsed.is_ok(), "{command}: {:?}", parsed.err());
    }
    console.process.terminate().await;
    rig.db.execute("delete from dead_letter_event", &[]).await.expect("gone");
    rig.db.execute("delete from dead_letter", &[]).await.expect("gone");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_says_what_the_operator_says() {
    let rig = Rig::new(World::generate(WorldConfig::plain(10))).await;
    let console = Console::start(&rig, Vec::new()).await;
    let flow = console.json("/flow.json").await;
    let status = serde_json::from_str::<Value>(&operator(&rig, "status --json").await.1).expect("JSON");
    for same in ["well", "verdict", "troubles", "rejected"] {
        assert_eq!(flow[same], status[same], "{same}");
    }
    let pull = rig.store.request_pull("test", rig.setup.clock.now()).await.expect("a pull");
    let shown = operator_json(&rig, &format!("show {pull}")).await;
    assert_eq!(console.json(&format!("/pulls/{pull}.json")).await["pull"], shown["pull"]);
    let html = console.page("/").await;
    assert!(html.contains("no worker is running"), "{html}");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_refuses_in_words() {
    let rig = Rig::new(World::generate(WorldConfig::plain(10))).await;
    let console = Console::start(&rig, Vec::new()).await;
    for (path, status, words) in [
        ("/nothing", 404, "There is no page /nothing."),
        ("/pulls/7", 404, "there is no pull 7"),
        ("/pulls/7/chunks/1", 404, "there is no pull 7"),
        ("/dead-letters/7", 404, "There is no dead letter 7."),
        ("/pulls/x", 400, "is no number of a pull"),
        ("/pulls?status=odd", 400, "it is one of pending"),
        ("/pulls?colour=red", 400, "There is no filter"),
        ("/data?day=2026-02-30", 400, "a day is written as"),
        ("/search?q=nothing", 400, "Nothing is found"),
        ("/live?page=/nothing", 404, "There is no page /nothing."),
        ("/live?page=/trace", 404, "This page has no news."),
        ("/operations/7", 404, "There is no operation 7."),
        ("/order/replay?all=yes", 404, "read-only without ALLOW_ACTIONS"),
        ("/events?since=yesterday", 400, "is not understood"),
        ("/trace?stream=1&game=2", 400, "Trace one thing"),
        ("/trace?pull=7", 404, "there is no pull 7"),
    ] {
        let (found, html) = console.get(path).await;
        assert_eq!(found.as_u16(), status, "{path}: {html}");
        assert!(html.contains(words), "{path}: {html}");
    }
    let (status, error) = console.get("/pulls/7.json").await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    assert!(error.starts_with("{\"error\":\"there is no pull 7"), "{error}");

    for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
        let answer = console.ask(method.clone(), "/pulls", &[("Sec-Fetch-Site", "same-origin")]).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{method}");
        assert_eq!(answer.headers()["allow"], "GET, HEAD");
    }
    for host in ["evil.example", "localhost.evil.example"] {
        assert_eq!(
            console.ask(Method::GET, "/", &[(HOST.as_str(), host)]).await.status(),
            StatusCode::FORBIDDEN
        );
    }
    let answer = console.ask(Method::GET, "/", &[(HOST.as_str(), "localhost:1")]).await;
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.headers()[name], value);
    }
    let policy = answer.headers()["content-security-policy"].to_str().expect("text").to_owned();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'") && !policy.contains("unsafe"),
        "{policy}"
    );
    let html = answer.text().await.expect("text");
    for asset in html.split(['"']).filter(|text| text.starts_with("/assets/")) {
        let answer = console.ask(Method::GET, asset, &[]).await;
        assert_eq!(answer.headers()["cache-control"], "public, max-age=31536000, immutable");
    }
    let found = console.ask(Method::GET, "/search?q=7/1", &[]).await;
    assert_eq!(found.headers()["location"], "/pulls/7/chunks/1");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_is_asked_for_where_there_is_one() {
    let rig = Rig::new(World::generate(WorldConfig::plain(10))).await;
    let console = Console::start(&rig, vec![("CONSOLE_TOKEN", "s3cret".to_owned())]).await;
    let login = |login: &str| {
        console.client.get(format!("http://{}/pulls", console.address)).basic_auth("me", Some(login))
    };
    let answer = console.ask(Method::GET, "/pulls", &[]).await;
    assert_eq!(answer.status(), StatusCode::UNAUTHORIZED);
    assert!(answer.headers()["www-authenticate"].to_str().expect("text").starts_with("Basic realm="));
    assert_eq!(login("wrong").send().await.expect("an answer").status(), StatusCode::UNAUTHORIZED);
    assert_eq!(login("s3cret").send().await.expect("an answer").status(), StatusCode::OK);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_server_is_unavailable_pages_say_so_and_keep_what_they_showed() {
    let rig = Rig::new(World::generate(WorldConfig::plain(10))).await;
    let pull = rig.store.request_pull("somebody", rig.setup.clock.now()).await.expect("a pull");
    let nobody = ("AMQP_URL", "amqp://me:secret@127.0.0.1:1/%2f".to_owned());
    let console = Console::start(&rig, vec![nobody]).await;
    let page = format!("/pulls/{pull}");
    assert!(console.page(&page).await.contains("somebody"));
    let html = console.page("/").await;
    assert!(html.contains("RabbitMQ is unavailable: nothing is known from it yet"), "{html}");

    rig.database.allow_connections(false).await;
    rig.database.cut_connections().await;
    let html = console.page(&page).await;
    assert!(html.contains("Stale: this is how it was at") && html.contains("somebody"), "{html}");
    let (status, json) = console.get(&format!("{page}.json")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    let json: Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(json["last"]["pull"]["requested_by"], "somebody");
    let (status, html) = console.get("/workers").await;
    assert_eq!(status, StatusCode::OK, "what the sample knows is there: {html}");
    assert_eq!(console.get("/pulls").await.0, StatusCode::SERVICE_UNAVAILABLE, "nobody had looked at it");
    eventually("the flow should say so", || async {
        let html = console.page("/").await;
        if html.contains("PostgreSQL is unavailable: what it said at") { Ok(()) } else { Err(html) }
    })
    .await;
    rig.database.allow_connections(true).await;
    eventually("the page should be fresh again", || async {
        let html = console.page(&page).await;
        if html.contains("Stale:") { Err(html) } else { Ok(()) }
    })
    .await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_page_gets_its_news() {
    let rig = Rig::new(World::generate(WorldConfig::plain(10))).await;
    let console = Console::start(&rig, Vec::new()).await;
    let mut news = console.ask(Method::GET, "/live?page=%2Fpulls", &[]).await;
    assert_eq!(news.headers()["content-type"], "text/event-stream");
    let first = news.chunk().await.expect("an event").expect("news");
    assert!(String::from_utf8_lossy(&first).contains("No pull matches."));
    rig.store.request_pull("a-newcomer", rig.setup.clock.now()).await.expect("a pull");
    let mut told = String::new();
    while !told.contains("/pulls/1") {
        let more =
            tokio::time::timeout(crate::eventually::DEADLINE, news.chunk()).await.expect("news in time");
        told += &String::from_utf8_lossy(&more.expect("an event").expect("news"));
    }
    rig.end(&[]).await;
}
