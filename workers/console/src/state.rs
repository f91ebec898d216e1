//! What the program is made of.

use std::{net::SocketAddr, sync::Arc};

use shared::{clock::Clock, config::SetupError, runtime::check_url, store::Store};

use crate::{guard::Guard, live::Live, memory::Memory, sampler::Sampler, settings::Settings};

/// Its name, as PostgreSQL, RabbitMQ and the log show it.
pub(crate) const NAME: &str = "console";

/// The program.
pub struct Console {
    pub(crate) store: Store,
    pub(crate) clock: Clock,
    pub(crate) sampler: Sampler,
    pub(crate) memory: Memory,
    pub(crate) live: Arc<Live>,
    pub(crate) guard: Guard,
    pub(crate) listen: SocketAddr,
    /// Its own settings as a person may see them.
    pub(crate) shown_settings: String,
}

impl Console {
    /// Makes the program; calls nobody yet.
    pub fn new(settings: &Settings, shown_settings: String, clock: Clock) -> Result<Self, SetupError> {
        let database = &settings.database;
        let store = Store::new(&database.url()?, database.database_connections, NAME)?;
        let amqp_url = settings.broker.url()?;
        check_url(&amqp_url)?;
        let sampler =
            Sampler::new(store.clone(), clock.clone(), amqp_url, settings.broker.retry_delays.clone());
        Ok(Self {
            store,
            clock,
            sampler,
            memory: Memory::default(),
            live: Arc::default(),
            guard: settings.guard()?,
            listen: settings.console_listen,
            shown_settings,
        })
    }
}
