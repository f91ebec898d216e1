//! A console beside a rig, and texts that would do harm on a page.

use std::net::SocketAddr;

use reqwest::{Client, Method, Response, StatusCode};
use serde_json::Value;

use crate::{
    process::{Options, Process},
    rig::Rig,
};

/// A console on a rig.
pub(crate) struct Console {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    pub(crate) client: Client,
}

impl Console {
    pub(crate) async fn start(rig: &Rig, variables: Vec<(&'static str, String)>) -> Self {
        let listen = ("CONSOLE_LISTEN", "127.0.0.1:0".to_owned());
        let variables = [listen].into_iter().chain(variables).collect();
        let process = Process::start(rig, "console", &Options { variables, ..Options::default() });
        let address = process.ready().await;
        let client = Client::builder().redirect(reqwest::redirect::Policy::none()).build().expect("a client");
        Self { process, address, client }
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Response {
        let mut request = self.client.request(method, format!("http://{}{path}", self.address));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.expect("an answer")
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, String) {
        let answer = self.ask(Method::GET, path, &[]).await;
        (answer.status(), answer.text().await.expect("text"))
    }

    pub(crate) async fn page(&self, path: &str) -> String {
        let (status, html) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {html}");
        assert!(html.len() <= 100_000, "{path} has {} bytes", html.len());
        html
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let (status, text) = self.get(path).await;
        assert_eq!(status, StatusCode::OK, "{path}: {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{path}: {error}: {text}"))
    }
}

/// Texts that would do something in a page that does not escape them.
pub(crate) fn hostile() -> Vec<String> {
    let cores = [
        "<script>alert(N)</script>",
        "<img src=x onerror=alert(N)>",
        "\"><svg onload=alert(N)>",
        "' onmouseover='alert(N)",
        "\" autofocus onfocus=\"alert(N)",
        "</title><script>alert(N)</script>",
        "</table></section><iframe src=javascript:alert(N)>",
        "<!--/live--><script>alert(N)</script>",
        "{{ 7*N }} {% include \"/etc/passwd\" %}",
        "<style>@import url(//evil.example/N)</style>",
    ];
    (0..200).map(|n: usize| cores[n % cores.len()].replace('N', &n.to_string())).collect()
}
