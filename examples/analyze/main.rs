//! Analyses a directory on disk: `cargo run --release --example analyze -- PATH [--root DIR] [--name NAME] [--pretty]`.
//!
//! `--env KEY=VALUE` (repeatable) gives Railpack's variables. `--batch FILE` (`-` = standard input) analyses one
//! `PATH[TAB]ROOT[TAB]NAME` a line on `--jobs N` tasks and prints one line each, in input order.
//! Exit 0: answered; 2: bad arguments, PATH or root; 1: the directory could not be read.

mod arguments;
mod batch;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use arguments::{Arguments, Mode, Target};
use zopnight_core::analyze::{DirectoryTree, StackAnalyzer};
use zopnight_core::domain::{Analysis, RepoPath};
use zopnight_core::ports::{AnalyzeRequest, Analyzer};
use zopnight_core::{Error, ErrorKind};

/// Why the program ends, with its exit code and the line for standard error.
struct Failure(u8, String);

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure(code, message)) => {
            eprintln!("error: {}", message.replace('\n', " "));
            ExitCode::from(code)
        }
    }
}

async fn run() -> Result<(), Failure> {
    let arguments = Arguments::parse(std::env::args().skip(1)).map_err(|message| Failure(2, message))?;
    match arguments.mode {
        Mode::One { target, pretty } => {
            let analysis = analyze(&target, &arguments.env).await.map_err(|e| {
                let code = if e.kind() == ErrorKind::Unavailable || e.kind() == ErrorKind::Internal { 1 } else { 2 };
                Failure(code, e.message().to_owned())
            })?;
            let json = if pretty { serde_json::to_string_pretty(&analysis) } else { serde_json::to_string(&analysis) };
            print(&json.map_err(|e| Failure(1, e.to_string()))?).map(|_| ())
        }
        Mode::Batch { file, jobs } => batch::run(&file, jobs, arguments.env).await,
    }
}

/// Analyses one target as it lies on disk.
async fn analyze(target: &Target, env: &BTreeMap<String, String>) -> zopnight_core::Result<Analysis> {
    let path = Path::new(&target.path);
    let tree = DirectoryTree::open(path).await?;
    let root = RepoPath::parse(&target.root)?;
    let name = match &target.name {
        Some(name) => name.clone(),
        None => base_name(path)?,
    };
    let request = AnalyzeRequest::new(Arc::new(tree), root, &name).with_railpack_env(env.clone());
    StackAnalyzer::default().analyze(&request).await
}

fn base_name(path: &Path) -> zopnight_core::Result<String> {
    let canonical = path.canonicalize().map_err(|_| Error::invalid("analyze", "the path cannot be resolved"))?;
    Ok(canonical.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned()))
}

/// Prints one line; `false` once nobody reads any more.
fn print(line: &str) -> Result<bool, Failure> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{line}").and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(e) => Err(Failure(1, e.to_string())),
    }
}
