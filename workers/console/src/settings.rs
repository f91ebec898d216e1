//! What the console is told.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use shared::config::{Broker, ConfigError, Database, secret};

use crate::{access::Access, guard::Guard};

/// The console's settings.
#[derive(Debug, Clone, Args)]
pub struct Settings {
    #[command(flatten)]
    pub(crate) database: Database,
    #[command(flatten)]
    pub(crate) broker: Broker,
    /// Where the pages are served. Any other address than one of this machine wants a token
    #[arg(long, env, default_value = "127.0.0.1:8400", value_name = "ADDRESS")]
    pub(crate) console_listen: SocketAddr,
    /// Further names under which a browser may ask for the console, beside `localhost` and addresses of this machine
    #[arg(long, env, value_delimiter = ',', value_name = "HOSTS")]
    pub(crate) console_hosts: Vec<String>,
    /// File that holds the token (or `CONSOLE_TOKEN`). With one, a browser asks for it: any user name, the token as password
    #[arg(long, env, value_name = "FILE")]
    console_token_file: Option<PathBuf>,
}

impl Settings {
    /// Who is answered. Fails where the pages would be open to a network.
    pub(crate) fn guard(&self) -> Result<Guard, ConfigError> {
        let access = match secret("CONSOLE_TOKEN", self.console_token_file.as_ref()) {
            Ok(token) => Some(Access::new(&token)),
            Err(ConfigError::Missing { .. }) if self.console_listen.ip().is_loopback() => None,
            Err(ConfigError::Missing { .. }) => {
                return Err(ConfigError::Unusable {
                    name: "CONSOLE_LISTEN".into(),
                    why: format!(
                        "{} is reached from other machines: set CONSOLE_TOKEN_FILE too, or listen on 127.0.0.1",
                        self.console_listen
                    ),
                });
            }
            Err(error) => return Err(error),
        };
        Ok(Guard::new(&self.console_hosts, access))
    }
}
