//! What the app's own source says: where it listens, which variable moves it, which routes it has.

mod constants;
mod entry;
mod env_read;
mod lex;
mod listen;
mod prefix;
mod routes;

pub(crate) use entry::{Sources, find};
pub(crate) use env_read::port_reads;
pub(crate) use lex::Code;
pub(crate) use listen::listens;
pub(crate) use routes::{health_routes, literal_gets};

pub(crate) use constants::address;
