//! Many directories, answered in input order whatever the number of tasks.

use std::collections::{BTreeMap, VecDeque};
use std::io::Read as _;
use std::sync::Arc;

use serde_json::json;

use crate::arguments::Target;
use crate::{Failure, analyze, print};

/// Analyses each line of `file` on `jobs` tasks.
pub(crate) async fn run(file: &str, jobs: usize, env: BTreeMap<String, String>) -> Result<(), Failure> {
    let mut text = String::new();
    let read = if file == "-" {
        std::io::stdin().read_to_string(&mut text).map(|_| ())
    } else {
        std::fs::read_to_string(file).map(|content| text = content)
    };
    read.map_err(|e| Failure(2, format!("cannot read {file}: {e}")))?;
    let env = Arc::new(env);
    let mut targets = text.lines().filter_map(target);
    let mut running = VecDeque::new();
    loop {
        while running.len() < jobs
            && let Some(target) = targets.next()
        {
            let env = Arc::clone(&env);
            running.push_back(tokio::spawn(async move { line(&target, &env).await }));
        }
        let Some(next) = running.pop_front() else { return Ok(()) };
        let line = next.await.map_err(|e| Failure(1, e.to_string()))?;
        if !print(&line)? {
            return Ok(());
        }
    }
}

/// `PATH[TAB]ROOT[TAB]NAME`; `None` for a blank line or a comment.
fn target(line: &str) -> Option<Target> {
    let line = line.trim_end_matches('\r');
    if line.trim().is_empty() || line.starts_with('#') {
        return None;
    }
    let mut fields = line.split('\t').map(str::to_owned);
    let path = fields.next()?;
    let root = fields.next().filter(|r| !r.is_empty()).unwrap_or_else(|| ".".to_owned());
    Some(Target { path, root, name: fields.next().filter(|n| !n.is_empty()) })
}

async fn line(target: &Target, env: &BTreeMap<String, String>) -> String {
    let (path, root) = (json!(target.path), json!(target.root));
    match analyze(target, env).await.map(|analysis| serde_json::to_string(&analysis)) {
        Ok(Ok(analysis)) => format!(r#"{{"path":{path},"root":{root},"analysis":{analysis}}}"#),
        Ok(Err(e)) => {
            format!(r#"{{"path":{path},"root":{root},"error":{{"kind":"internal","message":{}}}}}"#, json!(e.to_string()))
        }
        Err(e) => {
            let (kind, message) = (json!(e.kind().as_str()), json!(e.message()));
            format!(r#"{{"path":{path},"root":{root},"error":{{"kind":{kind},"message":{message}}}}}"#)
        }
    }
}
