//! The tests of the whole: real RabbitMQ, real PostgreSQL, a fake only where Twitch stands.
//!
//! `tests/run` brings up the servers and runs this. Every test has a database and a vhost of its own ([`rig`]), and
//! ends by showing that no message is left over. Nothing sleeps: what takes time is awaited with a named deadline
//! ([`eventually`]).

mod alarms;
mod barrier;
mod broker_urls;
mod bucket;
mod catalogue;
mod collector;
mod configuration;
mod craft;
mod crash;
mod cursors;
mod database_sessions;
mod database_urls;
mod delivery;
mod documents;
mod events;
mod eventually;
mod imports;
mod kubernetes;
mod letters;
mod logs;
mod messages;
mod metrics;
mod outages;
mod pipeline;
mod poolers;
mod process;
mod proxy;
mod refusals;
mod replays;
mod rerun;
mod rescue;
mod rig;
mod rights;
mod schedule;
mod schema;
mod secrets;
mod services;
mod settings;
mod status;
mod titles;
mod tls;
mod token;
mod traces;
mod truth;
mod validation;
mod verdicts;
mod vocabulary;
mod ward;
mod weather;
mod wire;
