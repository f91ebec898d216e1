//! `AMQP_URL` may name several nodes and IPv6 addresses, and leads where it says.

use secrecy::{ExposeSecret, SecretString};
use shared::{
    failure::{Class, Failure},
    runtime::Announcer,
    topology::RetryDelays,
};
use tokio::net::TcpListener;
use url::Url;

use crate::{
    proxy::{Forward, LOOPBACK_6},
    services::Vhost,
};

/// The broker's URL with these nodes in the place of its own.
fn with_nodes(vhost: &Vhost, nodes: &str) -> SecretString {
    let url: Url = vhost.url().expose_secret().parse().expect("a URL");
    let (user, password) = (url.username(), url.password().expect("a password"));
    format!("amqp://{user}:{password}@{nodes}{}", url.path()).into()
}

fn node(vhost: &Vhost) -> String {
    let url: Url = vhost.url().expose_secret().parse().expect("a URL");
    format!("{}:{}", url.host_str().expect("a host"), url.port().expect("a port"))
}

async fn connect(url: &SecretString) -> Result<(), Failure> {
    let delays: RetryDelays = "1s".parse().expect("delays");
    Announcer::connect(url, &delays, "test").await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broker_nodes_are_tried_in_turn() {
    let vhost = Vhost::create().await;
    // One where nobody is, one that takes connections and says nothing, one without a name, and the broker.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let silent = silent.local_addr().expect("an address");
    let (here, listening) = (node(&vhost), format!("127.0.0.1:1,{silent},nowhere.invalid,{}", node(&vhost)));
    connect(&with_nodes(&vhost, &listening)).await.unwrap_or_else(|failure| panic!("{here}: {failure}"));
    vhost.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_node_costs_its_share_of_the_time_only() {
    let vhost = Vhost::create().await;
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let nodes = format!("{},{}", silent.local_addr().expect("an address"), node(&vhost));
    // Which is tried first is by chance.
    for _ in 0..3 {
        connect(&with_nodes(&vhost, &nodes)).await.unwrap_or_else(|failure| panic!("{failure}"));
    }
    vhost.drop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_broker_at_an_ipv6_address_is_found_there_and_nowhere_else() {
    let vhost = Vhost::create().await;
    // A machine without IPv6 has no such address; the second half holds there too.
    if let Ok(forward) = Forward::to(LOOPBACK_6, node(&vhost)).await {
        connect(&with_nodes(&vhost, &format!("[::1]:{}", forward.port()))).await.expect("connected");
        assert!(forward.taken() >= 2, "a connection to consume and one to publish, by no other way");
    }
    // The broker listens at this port, but not at that address.
    let port = node(&vhost).rsplit_once(':').expect("a port").1.to_owned();
    let failure =
        connect(&with_nodes(&vhost, &format!("[2001:db8::dead]:{port}"))).await.expect_err("nowhere");
    assert_eq!((failure.class, failure.code), (Class::Outage, "broker.unreachable"));
    assert!(failure.to_string().contains("[2001:db8::dead]:"), "{failure}");
    vhost.drop().await;
}
