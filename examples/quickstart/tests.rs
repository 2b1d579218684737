//! The whole program, in process, and its adapters against the ports' conformance suites.

mod adapters;
mod container;
mod killed;
mod program;
mod repositories;
