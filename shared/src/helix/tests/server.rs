//! A server that answers what it is told to, and remembers what it was asked.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, Response, Uri},
};
use futures::{StreamExt, stream};
use url::Url;

/// An answer.
#[derive(Clone)]
pub(super) struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    /// The connection breaks after the body, though more was to come.
    broken: bool,
}

impl Answer {
    pub(super) fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), broken: false }
    }

    /// A list without items.
    pub(super) fn empty() -> Self {
        Self::new(200, r#"{"data":[],"pagination":{}}"#)
    }

    pub(super) fn with(mut self, name: &'static str, text: &str) -> Self {
        self.headers.push((name, text.to_owned()));
        self
    }

    pub(super) fn broken(self) -> Self {
        Self { broken: true, ..self }
    }

    fn response(self) -> Response<Body> {
        let mut response = Response::builder().status(self.status);
        for (name, text) in self.headers {
            response = response.header(name, text);
        }
        let body = if self.broken {
            // The pause lets the first part out.
            let end = stream::once(async {
                tokio::task::yield_now().await;
                Err(std::io::Error::other("broken"))
            });
            Body::from_stream(stream::iter([Ok(self.body)]).chain(end))
        } else {
            self.body.into()
        };
        response.body(body).unwrap()
    }
}

/// What was asked.
#[derive(Clone)]
pub(super) struct Asked {
    pub(super) uri: Uri,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

#[derive(Default)]
struct Script {
    answers: Mutex<HashMap<&'static str, VecDeque<Answer>>>,
    asked: Mutex<Vec<Asked>>,
    tokens: AtomicU64,
    /// Tokens up to this one are refused.
    revoked: AtomicU64,
}

/// The server. It gives out `token-1`, `token-2` and so on where nothing else is scripted.
pub(super) struct Server {
    base: Url,
    script: Arc<Script>,
}

impl Server {
    pub(super) async fn start(answers: impl IntoIterator<Item = (&'static str, Vec<Answer>)>) -> Self {
        let script = Arc::new(Script::default());
        script.answers.lock().unwrap().extend(answers.into_iter().map(|(path, all)| (path, all.into())));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::clone(&script));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { base, script }
    }

    pub(super) fn url(&self, path: &str) -> Url {
        self.base.join(path).unwrap()
    }

    /// What was asked of the path that ends so.
    pub(super) fn asked(&self, path: &str) -> Vec<Asked> {
        let asked = self.script.asked.lock().unwrap();
        asked.iter().filter(|asked| asked.uri.path().ends_with(path)).cloned().collect()
    }

    /// Honours no token given out so far.
    pub(super) fn revoke_tokens(&self) {
        self.script.revoked.store(self.script.tokens.load(Ordering::SeqCst), Ordering::SeqCst);
    }
}

async fn answer(State(script): State<Arc<Script>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let body = String::from_utf8(to_bytes(body, 1 << 20).await.unwrap().to_vec()).unwrap();
    let authorization = parts.headers.get("authorization").map(|text| text.to_str().unwrap().to_owned());
    let path = parts.uri.path().to_owned();
    script.asked.lock().unwrap().push(Asked { uri: parts.uri, headers: parts.headers, body });

    if let Some(token) = authorization.as_deref().and_then(|text| text.rsplit_once('-'))
        && token.1.parse::<u64>().unwrap() <= script.revoked.load(Ordering::SeqCst)
    {
        return Answer::new(401, r#"{"error":"Unauthorized","status":401,"message":"Invalid OAuth token"}"#)
            .response();
    }
    let mut answers = script.answers.lock().unwrap();
    match answers.iter_mut().find(|(name, _)| path.ends_with(*name)).map(|(_, all)| all) {
        Some(all) if all.len() > 1 => all.pop_front().unwrap(),
        Some(all) => all[0].clone(),
        None if path.ends_with("/token") => {
            let number = script.tokens.fetch_add(1, Ordering::SeqCst) + 1;
            Answer::new(200, format!(r#"{{"access_token":"token-{number}","expires_in":5000000}}"#))
        }
        None => Answer::empty(),
    }
    .response()
}
