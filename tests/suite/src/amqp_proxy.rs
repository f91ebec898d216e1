//! A way to the broker that can block publishers as the broker itself does when it is short of memory: it says so
//! (`connection.blocked`) on each connection that publishes, and reads nothing more from it. Or that loses what one side
//! says, as if a queue had no leader to answer or to confirm.
//!
//! A real alarm would block every other test on the same broker. Frames:
//! <https://www.rabbitmq.com/resources/specs/amqp0-9-1.pdf>, 2.3.5; the methods: <https://www.rabbitmq.com/docs/connection-blocked>.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};
use url::Url;

/// Class and method of `basic.publish`.
const PUBLISH: [u8; 4] = [0, 60, 0, 40];
/// Of `basic.consume`.
pub(crate) const CONSUME: [u8; 4] = [0, 60, 0, 20];
/// Of `basic.ack`, by which the broker confirms.
pub(crate) const ACK: [u8; 4] = [0, 60, 0, 80];

/// The way. Ends, with all that goes through it, when dropped.
pub(crate) struct AmqpProxy {
    address: SocketAddr,
    blocked: watch::Sender<Option<String>>,
    swallowed: Swallowed,
}

/// The method that is lost, from the client and from the broker.
type Swallowed = Arc<Mutex<[Option<[u8; 4]>; 2]>>;

impl AmqpProxy {
    /// A way to the server of this URL.
    pub(crate) async fn to(url: &SecretString) -> Self {
        let url: Url = url.expose_secret().parse().expect("a URL");
        let server = (url.host_str().expect("a host").to_owned(), url.port().expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (blocked, state) = watch::channel(None);
        let mut ended = state.clone();
        let swallowed = Swallowed::default();
        let swallow = Arc::clone(&swallowed);
        tokio::spawn(async move {
            loop {
                let near = tokio::select! {
                    near = listener.accept() => near.expect("a connection").0,
                    () = async { while ended.changed().await.is_ok() {} } => return,
                };
                let Ok(far) = TcpStream::connect(server.clone()).await else { continue };
                tokio::spawn(through(near, far, state.clone(), Arc::clone(&swallow)));
            }
        });
        Self { address, blocked, swallowed }
    }

    /// The same URL by this way.
    pub(crate) fn url(&self, url: &SecretString) -> SecretString {
        let mut url: Url = url.expose_secret().parse().expect("a URL");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(self.address.port())).expect("a port");
        String::from(url).into()
    }

    /// Blocks every connection as soon as it publishes.
    pub(crate) fn block(&self, why: &str) {
        self.blocked.send_replace(Some(why.to_owned()));
    }

    /// From now on loses this method when a client says it, or none.
    pub(crate) fn swallow_from_client(&self, method: Option<[u8; 4]>) {
        self.swallowed.lock().expect("a lock")[0] = method;
    }

    /// From now on loses this method when the broker says it, or none.
    pub(crate) fn swallow_from_broker(&self, method: Option<[u8; 4]>) {
        self.swallowed.lock().expect("a lock")[1] = method;
    }

    /// Reads on.
    pub(crate) fn unblock(&self) {
        self.blocked.send_replace(None);
    }
}

async fn through(
    near: TcpStream,
    far: TcpStream,
    mut state: watch::Receiver<Option<String>>,
    swallowed: Swallowed,
) {
    let (mut from_client, to_client) = near.into_split();
    let (from_server, mut to_server) = far.into_split();
    let (report_figure, told) = watch::channel(None);
    let down = tokio::spawn(downstream(from_server, to_client, told, Arc::clone(&swallowed)));
    let up = async {
        let mut header = [0; 8];
        from_client.read_exact(&mut header).await?;
        to_server.write_all(&header).await?;
        loop {
            let frame = frame(&mut from_client).await?;
            let publishes = frame[0] == 1 && frame.get(7..11) == Some(&PUBLISH[..]);
            let blocked = state.borrow_and_update().clone();
            if publishes && blocked.is_some() {
                report_figure.send_replace(blocked);
                let _ = state.wait_for(Option::is_none).await;
                report_figure.send_replace(None);
            }
            if !is_swallowed(&swallowed, 0, &frame) {
                to_server.write_all(&frame).await?;
            }
        }
        #[expect(unreachable_code, reason = "names the error's type")]
        Ok::<(), std::io::Error>(())
    };
    let _ = up.await;
    down.abort();
}

/// Whether a frame is of the method that is lost from this side.
fn is_swallowed(swallowed: &Swallowed, side: usize, frame: &[u8]) -> bool {
    let method = swallowed.lock().expect("a lock")[side];
    frame[0] == 1 && method.is_some_and(|method| frame.get(7..11) == Some(&method[..]))
}

/// What the server says, with the news of being blocked between two of its frames.
async fn downstream(
    mut from_server: OwnedReadHalf,
    mut to_client: OwnedWriteHalf,
    mut told: watch::Receiver<Option<String>>,
    swallowed: Swallowed,
) -> std::io::Result<()> {
    loop {
        let mut kind = [0; 1];
        tokio::select! {
            read = from_server.read_exact(&mut kind) => {
                read?;
                let frame = [&kind[..], &rest_of_frame(&mut from_server).await?].concat();
                if !is_swallowed(&swallowed, 1, &frame) {
                    to_client.write_all(&frame).await?;
                }
            }
            changed = told.changed() => {
                if changed.is_err() {
                    return Ok(());
                }
                let news = told.borrow_and_update().clone();
                to_client.write_all(&notice(news.as_deref())).await?;
            }
        }
    }
}

/// `connection.blocked` with its reason, or `connection.unblocked`.
fn notice(blocked: Option<&str>) -> Vec<u8> {
    let mut payload = vec![0, 10, 0, if blocked.is_some() { 60 } else { 61 }];
    if let Some(why) = blocked {
        payload.push(u8::try_from(why.len()).expect("a short text"));
        payload.extend_from_slice(why.as_bytes());
    }
    let size = u32::try_from(payload.len()).expect("a size").to_be_bytes();
    [&[1, 0, 0], &size[..], &payload, &[0xCE]].concat()
}

async fn frame(from: &mut OwnedReadHalf) -> std::io::Result<Vec<u8>> {
    let mut kind = vec![0; 1];
    from.read_exact(&mut kind).await?;
    kind.extend(rest_of_frame(from).await?);
    Ok(kind)
}

/// Channel, size, payload and end of a frame.
async fn rest_of_frame(from: &mut OwnedReadHalf) -> std::io::Result<Vec<u8>> {
    let mut head = [0; 6];
    from.read_exact(&mut head).await?;
    let size = u32::from_be_bytes([head[2], head[3], head[4], head[5]]);
    let mut rest = vec![0; usize::try_from(size).expect("a size") + 1];
    from.read_exact(&mut rest).await?;
    Ok([&head[..], &rest].concat())
}
