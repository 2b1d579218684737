//! Readers of file formats: pure and total. What one does not understand it skips; a broken file is `None`.

pub(crate) mod dotenv;
pub(crate) mod gomod;
pub(crate) mod json;
pub(crate) mod pip;
pub(crate) mod procfile;
pub(crate) mod shell;
pub(crate) mod toml;
pub(crate) mod yaml;
