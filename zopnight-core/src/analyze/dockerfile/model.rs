//! What a Dockerfile says.

use std::collections::BTreeMap;

use super::expand::expand;
use super::lexer::{self, Instruction};

/// A parsed Dockerfile with at least one stage.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dockerfile {
    pub(crate) stages: Vec<Stage>,
}

/// One `FROM` and what follows it.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) name: Option<String>,
    /// The base image, variables expanded as far as they are known.
    pub(crate) base: String,
    /// The earlier stage it builds on.
    pub(crate) parent: Option<usize>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) line: u32,
    pub(crate) op: Op,
}

#[derive(Clone, Debug)]
pub(crate) enum Op {
    Env(Vec<(String, String)>),
    Expose(Vec<String>),
    Cmd(Command),
    Entrypoint(Command),
    Healthcheck(Option<Command>),
    Copy(CopyStep),
    Workdir(String),
    Run(String),
}

/// A `COPY` or `ADD`; `None` for a source with an unknown variable.
#[derive(Clone, Debug)]
pub(crate) struct CopyStep {
    pub(crate) from: Option<String>,
    pub(crate) sources: Vec<Option<String>>,
    pub(crate) destination: String,
}

/// A command in shell or exec form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Shell(String),
    Exec(Vec<String>),
}

impl Command {
    fn parse(text: &str) -> Self {
        match serde_json::from_str::<Vec<String>>(text) {
            Ok(words) if text.starts_with('[') => Self::Exec(words),
            _ => Self::Shell(text.to_owned()),
        }
    }

    /// As one line for a shell.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Shell(line) => line.clone(),
            Self::Exec(words) => shlex::try_join(words.iter().map(String::as_str)).unwrap_or_else(|_| words.join(" ")),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Exec(words) if words.is_empty())
    }
}

/// What the final image declares, inherited along the chain of stages.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    pub(crate) base: String,
    pub(crate) env: BTreeMap<String, (String, u32)>,
    pub(crate) exposed: Vec<(u16, u32)>,
    pub(crate) cmd: Option<(Command, u32)>,
    pub(crate) entrypoint: Option<(Command, u32)>,
    pub(crate) healthcheck: Option<(Command, u32)>,
    pub(crate) workdir: String,
}

impl Image {
    /// What the container runs: entrypoint and command as one line, with the line of the file.
    pub(crate) fn start(&self) -> Option<(String, u32)> {
        match (&self.entrypoint, &self.cmd) {
            (Some((Command::Exec(entry), at)), Some((Command::Exec(cmd), _))) => {
                Some((Command::Exec(entry.iter().chain(cmd).cloned().collect()).line(), *at))
            }
            (Some((Command::Exec(entry), at)), Some((Command::Shell(cmd), _))) => {
                Some((format!("{} {cmd}", Command::Exec(entry.clone()).line()), *at))
            }
            (Some((entry, at)), _) => Some((entry.line(), *at)),
            (None, Some((cmd, at))) => Some((cmd.line(), *at)),
            (None, None) => None,
        }
    }
}

impl Dockerfile {
    /// `None` if there is no usable `FROM`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parser = Parser::default();
        for instruction in lexer::instructions(text) {
            parser.take(&instruction);
        }
        (!parser.file.stages.is_empty()).then_some(parser.file)
    }

    /// Index of the stage a `--from` or `FROM` names.
    pub(crate) fn stage(&self, name: &str) -> Option<usize> {
        let by_name = self.stages.iter().rposition(|s| s.name.as_deref().is_some_and(|n| n.eq_ignore_ascii_case(name)));
        by_name.or_else(|| name.parse().ok().filter(|index| *index < self.stages.len()))
    }

    /// The final stage and its parents, oldest first.
    pub(crate) fn chain(&self) -> Vec<usize> {
        let mut chain = Vec::new();
        let mut at = self.stages.len().checked_sub(1);
        while let Some(index) = at {
            chain.push(index);
            at = self.stages.get(index).and_then(|s| s.parent).filter(|p| *p < index);
        }
        chain.reverse();
        chain
    }

    /// What the final image declares.
    pub(crate) fn image(&self) -> Image {
        let mut image = Image::default();
        for stage in self.chain().into_iter().filter_map(|index| self.stages.get(index)) {
            if stage.parent.is_none() {
                image.base = stage.base.clone();
            }
            for Step { line, op } in &stage.steps {
                match op {
                    Op::Env(pairs) => image.env.extend(pairs.iter().map(|(k, v)| (k.clone(), (v.clone(), *line)))),
                    Op::Expose(ports) => image.exposed.extend(ports.iter().flat_map(|p| exposed(p)).map(|p| (p, *line))),
                    Op::Cmd(cmd) => image.cmd = (!cmd.is_empty()).then(|| (cmd.clone(), *line)),
                    Op::Entrypoint(entry) => {
                        image.entrypoint = (!entry.is_empty()).then(|| (entry.clone(), *line));
                        image.cmd = None;
                    }
                    Op::Healthcheck(check) => image.healthcheck = check.clone().map(|c| (c, *line)),
                    Op::Workdir(dir) => image.workdir = dir.clone(),
                    Op::Copy(_) | Op::Run(_) => {}
                }
            }
        }
        image
    }
}

/// `80`, `443/tcp`, `7000-7010`; no udp, no range above ten.
fn exposed(spec: &str) -> Vec<u16> {
    let (ports, protocol) = spec.split_once('/').unwrap_or((spec, "tcp"));
    if !protocol.eq_ignore_ascii_case("tcp") {
        return Vec::new();
    }
    let (low, high) = ports.split_once('-').unwrap_or((ports, ports));
    match (low.parse::<u16>(), high.parse::<u16>()) {
        (Ok(low), Ok(high)) if low > 0 && high >= low && high - low < 10 => (low..=high).collect(),
        _ => Vec::new(),
    }
}

#[derive(Default)]
struct Parser {
    file: Dockerfile,
    global_args: BTreeMap<String, String>,
    args: BTreeMap<String, String>,
    env: BTreeMap<String, String>,
}

impl Parser {
    fn lookup(&self, name: &str) -> Option<String> {
        self.env.get(name).or_else(|| self.args.get(name)).cloned()
    }

    fn expand(&self, text: &str) -> Option<String> {
        expand(text, &|name| self.lookup(name))
    }

    fn take(&mut self, instruction: &Instruction) {
        let Instruction { name, rest, line, heredoc } = instruction;
        match name.as_str() {
            "FROM" => return self.from(rest),
            "ARG" => return self.arg(rest),
            _ => {}
        }
        let op = match name.as_str() {
            "ENV" => self.env(rest),
            "EXPOSE" => Some(Op::Expose(rest.split_whitespace().filter_map(|p| self.expand(p)).collect())),
            "CMD" => Some(Op::Cmd(Command::parse(rest))),
            "ENTRYPOINT" => Some(Op::Entrypoint(Command::parse(rest))),
            "HEALTHCHECK" => healthcheck(rest),
            "WORKDIR" => Some(Op::Workdir(self.workdir(rest))),
            "RUN" => Some(Op::Run(rest.clone())),
            "COPY" | "ADD" => self.copy(rest, *heredoc),
            _ => None,
        };
        if let (Some(op), Some(stage)) = (op, self.file.stages.last_mut()) {
            stage.steps.push(Step { line: *line, op });
        }
    }

    fn from(&mut self, rest: &str) {
        let mut words = rest.split_whitespace().filter(|w| !w.starts_with("--"));
        let Some(image) = words.next() else { return };
        let base = expand(image, &|name| self.global_args.get(name).cloned()).unwrap_or_else(|| image.to_owned());
        let name = words.next().filter(|w| w.eq_ignore_ascii_case("as")).and_then(|_| words.next()).map(str::to_owned);
        let parent = self.file.stage(&base);
        self.args.clear();
        self.env = parent.map(|index| self.stage_env(index)).unwrap_or_default();
        self.file.stages.push(Stage { name, base, parent, steps: Vec::new() });
    }

    fn stage_env(&self, index: usize) -> BTreeMap<String, String> {
        let Some(stage) = self.file.stages.get(index) else { return BTreeMap::new() };
        let mut env = stage.parent.filter(|p| *p < index).map(|p| self.stage_env(p)).unwrap_or_default();
        for step in &stage.steps {
            if let Op::Env(pairs) = &step.op {
                env.extend(pairs.iter().cloned());
            }
        }
        env
    }

    fn arg(&mut self, rest: &str) {
        for word in shlex::split(rest).unwrap_or_default() {
            let (name, default) = match word.split_once('=') {
                Some((name, value)) => (name.to_owned(), self.expand(value)),
                None => (word.clone(), self.global_args.get(&word).cloned()),
            };
            let scope = if self.file.stages.is_empty() { &mut self.global_args } else { &mut self.args };
            if let Some(default) = default {
                scope.insert(name, default);
            }
        }
    }

    fn env(&mut self, rest: &str) -> Option<Op> {
        let words = shlex::split(rest)?;
        let pairs: Vec<(String, String)> = if words.first()?.contains('=') {
            words.iter().filter_map(|w| w.split_once('=')).map(|(k, v)| (k.to_owned(), v.to_owned())).collect()
        } else {
            let (key, value) = rest.split_once(char::is_whitespace)?;
            vec![(key.to_owned(), value.trim().to_owned())]
        };
        let pairs: Vec<_> = pairs.into_iter().filter_map(|(k, v)| Some((k, self.expand(&v)?))).collect();
        self.env.extend(pairs.iter().cloned());
        Some(Op::Env(pairs))
    }

    fn workdir(&self, rest: &str) -> String {
        let dir = self.expand(rest.trim_matches(['"', '\''])).unwrap_or_else(|| rest.to_owned());
        if dir.starts_with('/') {
            return dir;
        }
        let steps = self.file.stages.last().map(|s| s.steps.as_slice()).unwrap_or_default();
        let before = steps.iter().rev().find_map(|s| if let Op::Workdir(d) = &s.op { Some(d.as_str()) } else { None });
        format!("{}/{dir}", before.unwrap_or("").trim_end_matches('/'))
    }

    fn copy(&self, rest: &str, heredoc: bool) -> Option<Op> {
        let mut from = None;
        let mut tail = rest;
        while let Some(flag) = tail.strip_prefix("--") {
            let (flag, after) = flag.split_once(char::is_whitespace)?;
            if let Some(stage) = flag.strip_prefix("from=") {
                from = Some(self.expand(stage).unwrap_or_else(|| stage.to_owned()));
            }
            tail = after.trim_start();
        }
        let mut words = match Command::parse(tail) {
            Command::Exec(words) => words,
            Command::Shell(_) => tail.split_whitespace().map(|w| w.trim_matches(['"', '\'']).to_owned()).collect(),
        };
        let destination = words.pop()?;
        let remote = |w: &str| w.contains("://") || w.starts_with("git@") || (heredoc && w.starts_with("<<"));
        let sources = words.iter().filter(|w| !remote(w)).map(|w| self.expand(w)).collect();
        let destination = self.expand(&destination).unwrap_or(destination);
        Some(Op::Copy(CopyStep { from, sources, destination }))
    }
}

fn healthcheck(rest: &str) -> Option<Op> {
    if rest.trim().eq_ignore_ascii_case("none") {
        return Some(Op::Healthcheck(None));
    }
    let mut tail = rest;
    while tail.starts_with("--") {
        tail = tail.split_once(char::is_whitespace)?.1.trim_start();
    }
    let (word, command) = tail.split_once(char::is_whitespace)?;
    word.eq_ignore_ascii_case("cmd").then(|| Op::Healthcheck(Some(Command::parse(command.trim()))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inherits_along_the_chain() {
        let file = Dockerfile::parse(
            "ARG V=3\nFROM node:$V AS base\nENV PORT=8080 A=\"b c\"\nEXPOSE $PORT/tcp 53/udp 7000-7002\nCMD [\"a\"]\n\
             FROM alpine AS other\nEXPOSE 1\nFROM base\nENTRYPOINT [\"x\", \"y z\"]\nHEALTHCHECK --interval=5s CMD curl -f http://localhost/h\n",
        )
        .unwrap();
        let image = file.image();
        assert_eq!(image.base, "node:3");
        assert_eq!(image.exposed.iter().map(|(p, _)| *p).collect::<Vec<_>>(), [8080, 7000, 7001, 7002]);
        assert_eq!(image.start(), Some(("x 'y z'".to_owned(), 9)));
        assert_eq!(image.env.get("A").map(|(v, _)| v.as_str()), Some("b c"));
        assert!(image.healthcheck.is_some() && image.cmd.is_none());
    }

    #[test]
    fn needs_a_from() {
        assert!(Dockerfile::parse("EXPOSE 80\n").is_none());
        assert!(Dockerfile::parse("\u{0}\nFROM\n").is_none());
    }
}
