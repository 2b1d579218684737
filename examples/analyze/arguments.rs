//! The command line.

use std::collections::BTreeMap;

/// What to do.
pub(crate) struct Arguments {
    pub(crate) mode: Mode,
    pub(crate) env: BTreeMap<String, String>,
}

pub(crate) enum Mode {
    One { target: Target, pretty: bool },
    Batch { file: String, jobs: usize },
}

/// A directory on disk, the app's root in it, and the repository's name.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) path: String,
    pub(crate) root: String,
    pub(crate) name: Option<String>,
}

impl Arguments {
    /// Parses the arguments after the program's name; the error is one line.
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut arguments = arguments;
        let (mut path, mut root, mut name, mut batch, mut jobs) = (None, None, None, None, None);
        let mut pretty = false;
        let mut env = BTreeMap::new();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().ok_or_else(|| format!("{argument} needs a value"));
            match argument.as_str() {
                "--root" => root = Some(value()?),
                "--name" => name = Some(value()?),
                "--pretty" => pretty = true,
                "--batch" => batch = Some(value()?),
                "--jobs" => {
                    let number = value()?.parse::<usize>().ok().filter(|n| (1..=256).contains(n));
                    jobs = Some(number.ok_or("--jobs needs a number from 1 to 256")?);
                }
                "--env" => {
                    let pair = value()?;
                    let (key, value) = pair.split_once('=').ok_or("--env needs KEY=VALUE")?;
                    env.insert(key.to_owned(), value.to_owned());
                }
                flag if flag.starts_with("--") => return Err(format!("unknown argument {flag}")),
                _ if path.is_some() => return Err("more than one PATH".to_owned()),
                _ => path = Some(argument),
            }
        }
        let mode = match (batch, path) {
            (Some(_), _) if pretty => return Err("--batch cannot be combined with --pretty".to_owned()),
            (Some(_), _) if root.is_some() || name.is_some() => {
                return Err("--batch takes roots and names from its lines".to_owned());
            }
            (Some(_), Some(_)) => return Err("--batch takes its paths from FILE".to_owned()),
            (Some(file), None) => {
                let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
                Mode::Batch { file, jobs: jobs.unwrap_or(cores) }
            }
            (None, Some(path)) => {
                Mode::One { target: Target { path, root: root.unwrap_or_else(|| ".".to_owned()), name }, pretty }
            }
            (None, None) => return Err("PATH is missing".to_owned()),
        };
        Ok(Self { mode, env })
    }
}
