//! The command line.

use std::ffi::{OsStr, OsString};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

pub(crate) const HELP: &str = "\
Push to deploy on this machine: a git repository, a build, a signed callback, manifests. No account, no cluster, no network.

Usage: cargo run --example quickstart -- [options]

  --repo PATH        deploy this git repository instead of a small sample app; it is cloned, never written to
  --builder NAME     auto (default), docker, podman, buildah or pack; pack needs nothing and builds nothing that runs
  --db memory|FILE   where SQLite keeps its data; default memory
  --work-dir DIR     where clones, images and manifests go; default a fresh temporary directory
  --race             push two commits at once
  --json             one JSON object a line on stdout; everything else on stderr
  --keep             afterwards keep the routes and the worker until Ctrl-C, and print how to call them
  --listen ADDR      a loopback address and port; default 127.0.0.1:0, any free port
  --timeout SECONDS  for the whole run, 10 to 86400; default 300
  --help

Exit: 0 all steps good, 1 a step failed, 2 usage or something is missing, 130 interrupted.
";

/// Where the store keeps its rows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Database {
    Memory,
    File(PathBuf),
}

/// Which program builds images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BuilderChoice {
    Auto,
    Docker,
    Podman,
    Buildah,
    Pack,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) repo: Option<PathBuf>,
    pub(crate) builder: BuilderChoice,
    pub(crate) db: Database,
    pub(crate) work_dir: Option<PathBuf>,
    pub(crate) race: bool,
    pub(crate) json: bool,
    pub(crate) keep: bool,
    pub(crate) listen: SocketAddr,
    pub(crate) timeout: Duration,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            repo: None,
            builder: BuilderChoice::Auto,
            db: Database::Memory,
            work_dir: None,
            race: false,
            json: false,
            keep: false,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            timeout: Duration::from_secs(300),
        }
    }
}

/// What the command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Run(Box<Args>),
}

/// Reads the arguments after the program's name. The error is one sentence for the user.
pub(crate) fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut args = Args::default();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        let text = word.to_str().ok_or_else(|| format!("{} is no option; see --help", word.display()))?;
        let (name, inline) = match text.split_once('=') {
            Some((name, value)) if name.starts_with("--") => (name, Some(OsString::from(value))),
            _ => (text, None),
        };
        let mut value = || match inline.clone().or_else(|| words.next()) {
            Some(value) if !value.is_empty() => Ok(value),
            _ => Err(format!("{name} needs a value; see --help")),
        };
        match name {
            "--help" | "-h" => return Ok(Command::Help),
            "--repo" => args.repo = Some(value()?.into()),
            "--builder" => args.builder = builder(&value()?)?,
            "--db" => args.db = database(value()?),
            "--work-dir" => args.work_dir = Some(value()?.into()),
            "--listen" => args.listen = listen(&value()?)?,
            "--timeout" => args.timeout = timeout(&value()?)?,
            "--race" | "--json" | "--keep" if inline.is_some() => return Err(format!("{name} takes no value")),
            "--race" => args.race = true,
            "--json" => args.json = true,
            "--keep" => args.keep = true,
            "--kubeconfig" | "--context" | "--namespace" | "--registry" => {
                return Err(format!("{name} is not available yet: this program writes manifests to a directory"));
            }
            _ => return Err(format!("{text} is no option; see --help")),
        }
    }
    Ok(Command::Run(Box::new(args)))
}

fn builder(name: &OsStr) -> Result<BuilderChoice, String> {
    match name.to_str() {
        Some("auto") => Ok(BuilderChoice::Auto),
        Some("docker") => Ok(BuilderChoice::Docker),
        Some("podman") => Ok(BuilderChoice::Podman),
        Some("buildah") => Ok(BuilderChoice::Buildah),
        Some("pack") => Ok(BuilderChoice::Pack),
        _ => Err(format!("--builder is auto, docker, podman, buildah or pack, not {}", name.display())),
    }
}

fn database(value: OsString) -> Database {
    if value == "memory" { Database::Memory } else { Database::File(value.into()) }
}

fn listen(value: &OsStr) -> Result<SocketAddr, String> {
    let address: Option<SocketAddr> = value.to_str().and_then(|v| v.parse().ok());
    match address {
        Some(address) if address.ip().is_loopback() => Ok(address),
        Some(_) => Err("--listen must be a loopback address: this program is for one machine".to_owned()),
        None => Err(format!("--listen is an address and a port such as 127.0.0.1:8080, not {}", value.display())),
    }
}

fn timeout(value: &OsStr) -> Result<Duration, String> {
    match value.to_str().and_then(|v| v.parse::<u64>().ok()) {
        Some(seconds @ 10..=86_400) => Ok(Duration::from_secs(seconds)),
        _ => Err(format!("--timeout is 10 to 86400 seconds, not {}", value.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn run(line: &str) -> Args {
        match read(line) {
            Ok(Command::Run(args)) => *args,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn every_option_is_read_in_both_forms() {
        assert_eq!(run(""), Args::default());
        let spaced =
            run("--repo r --builder pack --db f --work-dir w --listen 127.0.0.1:8 --timeout 10 --race --json --keep");
        let joined =
            run("--repo=r --builder=pack --db=f --work-dir=w --listen=127.0.0.1:8 --timeout=10 --race --json --keep");
        assert_eq!(spaced, joined);
        assert_eq!((spaced.builder, &spaced.db), (BuilderChoice::Pack, &Database::File("f".into())));
        assert_eq!((spaced.listen.port(), spaced.timeout), (8, Duration::from_secs(10)));
        assert!(spaced.race && spaced.json && spaced.keep);
        assert_eq!(run("--db memory").db, Database::Memory);
        assert_eq!(run("--listen [::1]:0").listen.port(), 0);
        assert_eq!(read("--json --help"), Ok(Command::Help));
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_a_sentence() {
        for (line, says) in [
            ("--listen 0.0.0.0:80", "loopback"),
            ("--listen 192.168.0.1:80", "loopback"),
            ("--listen 127.0.0.1", "such as 127.0.0.1:8080"),
            ("--builder kaniko", "not kaniko"),
            ("--timeout 9", "10 to 86400"),
            ("--timeout soon", "10 to 86400"),
            ("--repo", "needs a value"),
            ("--db=", "needs a value"),
            ("--race=yes", "takes no value"),
            ("--kubeconfig ~/.kube/config", "not available yet"),
            ("--registry=localhost:5000/x", "not available yet"),
            ("--nonsense", "--help"),
            ("nonsense", "--help"),
        ] {
            let refused = read(line).expect_err(line);
            assert!(refused.contains(says), "{line}: {refused}");
        }
    }
}
