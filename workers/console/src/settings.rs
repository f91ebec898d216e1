//! What the console is told.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use axum::http::HeaderName;
use clap::{Args, builder::FalseyValueParser};
use shared::config::{Broker, ConfigError, Database, secret};

use crate::{
    access::{Access, Proxies},
    guard::Guard,
};

/// The console's settings.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    #[command(flatten)]
    pub(crate) database: Database,
    #[command(flatten)]
    pub(crate) broker: Broker,
    /// Where the pages are served. Any other address than one of this machine wants a token, or a proxy that is trusted
    #[arg(long, env, default_value = "127.0.0.1:8400", value_name = "ADDRESS")]
    pub(crate) console_listen: SocketAddr,
    /// Further names under which a browser may ask for the console, beside `localhost` and addresses of this machine
    #[arg(long, env, value_delimiter = ',', value_name = "HOSTS")]
    pub(crate) console_hosts: Vec<String>,
    /// File that holds the token (or `CONSOLE_TOKEN`). With one, a browser asks for it: any user name, the token as password
    #[arg(long, env, value_name = "FILE")]
    console_token_file: Option<PathBuf>,
    /// Let people who have logged in, or whom a trusted proxy names, act: replay, discard, pause, cancel and so on. It wants a
    /// token or such a proxy; a browser acts over https, or on this machine
    #[arg(long, env, action = clap::ArgAction::SetTrue, value_parser = FalseyValueParser::new())]
    allow_actions: bool,
    /// Addresses of proxies that say who somebody is, such as `10.0.0.7`. They have to take the header out of what browsers send
    #[arg(long, env, value_delimiter = ',', value_name = "ADDRESSES")]
    trusted_proxy: Vec<IpAddr>,
    /// The header in which a trusted proxy says who somebody is
    #[arg(long, env, default_value = "x-forwarded-user", value_name = "HEADER")]
    user_header: HeaderName,
}

impl Settings {
    /// Who is answered. Fails where the pages would be open to a network, or anybody could act.
    pub(crate) fn guard(&self) -> Result<Guard, ConfigError> {
        let token = secret("CONSOLE_TOKEN", self.console_token_file.as_ref());
        let access = match token {
            Ok(token) => Some(Access::new(&token)),
            Err(ConfigError::Missing { .. }) => None,
            Err(error) => return Err(error),
        };
        let known = access.is_some() || !self.trusted_proxy.is_empty();
        if !known && !self.console_listen.ip().is_loopback() {
            return Err(ConfigError::Unusable {
                name: "CONSOLE_LISTEN".into(),
                why: format!(
                    "{} is reached from other machines: set CONSOLE_TOKEN_FILE too, or listen on 127.0.0.1",
                    self.console_listen
                ),
            });
        }
        if self.allow_actions && !known {
            return Err(ConfigError::Unusable {
                name: "ALLOW_ACTIONS".into(),
                why: "nobody could tell who acts: set CONSOLE_TOKEN_FILE too, or TRUSTED_PROXY".into(),
            });
        }
        let proxies = Proxies {
            trusted: self.trusted_proxy.iter().map(IpAddr::to_canonical).collect(),
            header: Some(self.user_header.clone()),
        };
        Ok(Guard::new(&self.console_hosts, access, proxies, self.allow_actions))
    }
}
