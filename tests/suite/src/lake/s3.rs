//! As much of S3 as the exporter needs, and as much trouble as a test wants: it can answer every request with one status.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_Operations_Amazon_Simple_Storage_Service.html>; signatures are not checked.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use axum::{
    Router,
    body::Bytes,
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    response::{IntoResponse, Response},
};
use tokio::sync::Notify;

/// The bucket that is there.
const BUCKET: &str = "/lake";
const MODIFIED: &str = "Mon, 23 Nov 2026 12:00:00 GMT";

/// A bucket and its server, which ends with the test.
#[derive(Clone)]
pub(super) struct S3 {
    /// Where it answers.
    pub(super) endpoint: String,
    shared: Arc<Mutex<Bucket>>,
}

#[derive(Default)]
struct Bucket {
    objects: BTreeMap<String, Bytes>,
    trouble: Option<(StatusCode, &'static str)>,
    held: Option<(Method, &'static str, Arc<Gate>)>,
}

#[derive(Default)]
struct Gate {
    begun: Notify,
    go_on: Notify,
}

/// A request that has come, and is carried out once it may go on.
pub(super) struct Held(Arc<Gate>);

impl Held {
    /// Waits until it has come.
    pub(super) async fn begun(&self) {
        self.0.begun.notified().await;
    }

    /// Lets it go on.
    pub(super) fn go_on(self) {
        self.0.go_on.notify_one();
    }
}

impl S3 {
    /// Starts one.
    pub(super) async fn start() -> Self {
        let shared = Arc::new(Mutex::new(Bucket::default()));
        let app =
            Router::new().fallback(answer).layer(DefaultBodyLimit::disable()).with_state(Arc::clone(&shared));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { endpoint, shared }
    }

    /// Every request is answered so from now on; `None`: as it should be.
    pub(super) fn suffer(&self, trouble: Option<(StatusCode, &'static str)>) {
        lock(&self.shared).trouble = trouble;
    }

    /// Holds the next request of this method whose key has this part.
    pub(super) fn hold(&self, method: Method, part: &'static str) -> Held {
        let gate = Arc::<Gate>::default();
        lock(&self.shared).held = Some((method, part, Arc::clone(&gate)));
        Held(gate)
    }

    /// The objects, by key.
    pub(super) fn objects(&self) -> BTreeMap<String, Bytes> {
        lock(&self.shared).objects.clone()
    }
}

fn lock(shared: &Mutex<Bucket>) -> MutexGuard<'_, Bucket> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn answer(
    State(shared): State<Arc<Mutex<Bucket>>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let gate = {
        let mut bucket = lock(&shared);
        let held = bucket.held.take_if(|(of, part, _)| *of == method && uri.path().contains(*part));
        held.map(|(_, _, gate)| gate)
    };
    if let Some(gate) = gate {
        gate.begun.notify_one();
        gate.go_on.notified().await;
    }
    let mut bucket = lock(&shared);
    if let Some((status, code)) = bucket.trouble {
        return (
            status,
            format!("<Error><Code>{code}</Code><Message>as the test wants it</Message></Error>"),
        )
            .into_response();
    }
    // Of what stands escaped in a path, our keys have this alone.
    let key = uri.path().strip_prefix(BUCKET);
    let Some(key) = key.map(|key| key.trim_start_matches('/').replace("%3D", "=")) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let tag = (header::ETAG, "\"tag\"");
    match method {
        Method::PUT if headers.contains_key(header::IF_NONE_MATCH) && bucket.objects.contains_key(&key) => {
            StatusCode::PRECONDITION_FAILED.into_response()
        }
        Method::PUT => {
            bucket.objects.insert(key, body);
            [tag].into_response()
        }
        Method::GET if key.is_empty() => list(&bucket, uri.query().unwrap_or_default()).into_response(),
        Method::GET | Method::HEAD => match bucket.objects.get(&key) {
            Some(object) => ([tag, (header::LAST_MODIFIED, MODIFIED)], object.clone()).into_response(),
            None => StatusCode::NOT_FOUND.into_response(),
        },
        Method::DELETE => {
            bucket.objects.remove(&key);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => StatusCode::METHOD_NOT_ALLOWED.into_response(),
    }
}

fn list(bucket: &Bucket, query: &str) -> String {
    let prefix = url::form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "prefix");
    let prefix = prefix.map_or_else(String::new, |(_, prefix)| prefix.into_owned());
    let mut xml = "<ListBucketResult><IsTruncated>false</IsTruncated>".to_owned();
    for (key, object) in
        bucket.objects.range(prefix.clone()..).take_while(|(key, _)| key.starts_with(&prefix))
    {
        write!(
            xml,
            "<Contents><Key>{key}</Key><LastModified>2026-11-23T12:00:00.000Z</LastModified><ETag>tag</ETag><Size>{}</Size></Contents>",
            object.len()
        )
        .expect("a text");
    }
    xml + "</ListBucketResult>"
}
