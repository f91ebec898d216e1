//! A line to PostgreSQL that hears how each statement is carried out: PostgreSQL tells the client, as a notice.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy},
    net::{TcpListener, TcpStream},
    task::AbortHandle,
};
use tokio_postgres::Client;
use url::Url;

/// What was heard on all connections, as it came.
type Heard = Arc<Mutex<Vec<Vec<u8>>>>;

/// The line. Ends when dropped.
pub(crate) struct Listener {
    /// The database by way of this line.
    pub(crate) url: String,
    heard: Heard,
    accepting: AbortHandle,
}

/// A statement that was carried out.
#[derive(Debug)]
pub(crate) struct Statement {
    /// The function that it is of, as its comment says.
    pub(crate) name: String,
    plan: Value,
}

impl Listener {
    /// A line to the database of this URL, whose owner is `db`.
    pub(crate) async fn to(url: &str, db: &Client, name: &str) -> Self {
        let tell = format!(
            "alter database {name} set session_preload_libraries = 'auto_explain';
             alter database {name} set auto_explain.log_min_duration = 0;
             alter database {name} set auto_explain.log_level = 'notice';
             alter database {name} set auto_explain.log_format = 'json';
             alter database {name} set auto_explain.log_analyze = on;
             alter database {name} set auto_explain.log_timing = off"
        );
        db.batch_execute(&tell).await.expect("the owner may");
        let mut url: Url = url.parse().expect("a URL");
        let server = (url.host_str().expect("a host").to_owned(), url.port().expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        url.set_port(Some(listener.local_addr().expect("an address").port())).expect("a port");
        let heard = Heard::default();
        let kept = Arc::clone(&heard);
        let accepting = tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                tokio::spawn(through(near, server.clone(), Arc::clone(&kept)));
            }
        });
        Self { url: url.into(), heard, accepting: accepting.abort_handle() }
    }

    /// The statements that were heard since this was asked last. What is under way on another connection may follow.
    pub(crate) fn take(&self) -> Vec<Statement> {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.iter_mut().flat_map(|bytes| statements(&std::mem::take(bytes))).collect()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn through(near: TcpStream, server: (String, u16), heard: Heard) {
    let Ok(far) = TcpStream::connect(server).await else { return };
    let place = {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push(Vec::new());
        heard.len() - 1
    };
    let (mut from_near, mut to_near) = near.into_split();
    let (mut from_far, mut to_far) = far.into_split();
    let asking = async {
        // Ends when either side does; why is no concern of the line.
        let _ = copy(&mut from_near, &mut to_far).await;
        let _ = to_far.shutdown().await;
    };
    let answering = async {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from_far.read(&mut buffer).await {
            heard.lock().unwrap_or_else(PoisonError::into_inner)[place].extend_from_slice(&buffer[..read]);
            if to_near.write_all(&buffer[..read]).await.is_err() {
                return;
            }
        }
    };
    tokio::join!(asking, answering);
}

/// The statements that these bytes from the server tell of: in notices, each ended by a zero.
fn statements(bytes: &[u8]) -> Vec<Statement> {
    let told = bytes.split(|byte| *byte == 0).filter_map(|text| std::str::from_utf8(text).ok());
    told.filter_map(|text| {
        let (before, plan) = text.split_once("plan:\n")?;
        let plan: Value = before.contains("duration: ").then(|| serde_json::from_str(plan).ok())??;
        let text = plan["Query Text"].as_str()?;
        let name = text.split_once("/* ").and_then(|(_, rest)| rest.split_once(" */"))?.0.to_owned();
        Some(Statement { name, plan: plan["Plan"].clone() })
    })
    .collect()
}

impl Statement {
    /// The rows that were read of each table: those that were used, and those that were looked at and left out.
    pub(crate) fn rows_read(&self) -> Vec<(String, u64)> {
        let mut read = Vec::new();
        scans(&self.plan, &mut read);
        read
    }
}

fn scans(node: &Value, read: &mut Vec<(String, u64)>) {
    if let Some(table) = node["Relation Name"].as_str() {
        let of = |name: &str| node[name].as_f64().unwrap_or_default();
        let rows = of("Actual Rows") + of("Rows Removed by Filter") + of("Rows Removed by Index Recheck");
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of rows")]
        let rows = (rows * of("Actual Loops")) as u64;
        read.push((table.to_owned(), rows));
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        scans(child, read);
    }
}
