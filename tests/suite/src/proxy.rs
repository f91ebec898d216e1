//! A line between programs and a server that a test can cut at any moment, and ways to a server at another address.

use std::{
    io,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use secrecy::{ExposeSecret, SecretString};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::AbortHandle,
};
use url::Url;

/// The line. Ends, with all that goes through it, when dropped.
pub(crate) struct Proxy {
    address: SocketAddr,
    /// Whether it is open; any news cuts what goes through it.
    open: watch::Sender<bool>,
    /// Whether it swallows what is sent, as on the way to a host that has vanished or a process that was stopped.
    silent: watch::Sender<bool>,
}

impl Proxy {
    /// A line to the server of this URL.
    pub(crate) async fn to(url: &SecretString) -> Self {
        let url: Url = url.expose_secret().parse().expect("a URL");
        let server = (url.host_str().expect("a host").to_owned(), url.port().expect("a port"));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let (open, state) = watch::channel(true);
        let (silent, silence) = watch::channel(false);
        tokio::spawn(async move {
            let mut ended = state.clone();
            loop {
                let near = tokio::select! {
                    near = listener.accept() => near.expect("a connection").0,
                    Err(_) = ended.changed() => return,
                };
                if *state.borrow() {
                    tokio::spawn(through(near, server.clone(), state.clone(), silence.clone()));
                }
            }
        });
        Self { address, open, silent }
    }

    /// The same URL by way of this line.
    pub(crate) fn url(&self, url: &SecretString) -> SecretString {
        let mut url: Url = url.expose_secret().parse().expect("a URL");
        url.set_host(Some("127.0.0.1")).expect("a host");
        url.set_port(Some(self.address.port())).expect("a port");
        String::from(url).into()
    }

    /// Cuts every connection; new ones can be made at once.
    pub(crate) fn cut(&self) {
        self.open.send_replace(true);
    }

    /// Cuts every connection, and lets nobody through until it is opened.
    pub(crate) fn close(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }

    /// Swallows all that is sent from now on: every connection to it stays, new ones too, and nothing comes back.
    pub(crate) fn swallow(&self) {
        self.silent.send_replace(true);
    }

    /// Carries again what comes by new connections.
    pub(crate) fn carry(&self) {
        self.silent.send_replace(false);
    }

    /// Where it is, as a URL names it.
    pub(crate) fn place(&self) -> String {
        self.address.to_string()
    }
}

async fn through(
    mut near: TcpStream,
    server: (String, u16),
    mut state: watch::Receiver<bool>,
    mut silence: watch::Receiver<bool>,
) {
    state.mark_unchanged();
    let carried = async {
        let carried = async {
            let Ok(mut far) = TcpStream::connect(server).await else { return };
            // Ends when either side does; why is no concern of the line.
            let _ = copy_bidirectional(&mut near, &mut far).await;
        };
        let swallows = async { drop(silence.wait_for(|silent| *silent).await) };
        tokio::select! {
            biased;
            () = swallows => {}
            () = carried => return,
        }
        // The near end stays open, and nothing is carried. What the server had begun is gone, as with a server that is lost.
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = carried => {}
        _ = state.changed() => {}
    }
}

/// This machine, where it has IPv6.
pub(crate) const LOOPBACK_6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Another way to a server, which counts who takes it. Ends when dropped.
pub(crate) struct Forward {
    address: SocketAddr,
    taken: Arc<AtomicUsize>,
    accepting: AbortHandle,
}

impl Forward {
    /// A way from a port at `address` to `server`, a host and its port. Fails where there is no such address.
    pub(crate) async fn to(address: IpAddr, server: String) -> io::Result<Self> {
        let listener = TcpListener::bind((address, 0)).await?;
        let address = listener.local_addr()?;
        let taken = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&taken);
        let accepting = tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                count.fetch_add(1, Ordering::SeqCst);
                let server = server.clone();
                tokio::spawn(async move {
                    let Ok(mut far) = TcpStream::connect(server).await else { return };
                    // Ends when either side does; why is no concern of the way.
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        });
        Ok(Self { address, taken, accepting: accepting.abort_handle() })
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// How many connections went this way.
    pub(crate) fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}
