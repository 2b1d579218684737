//! Which source files are read: the entry file, the usual names, and what they import one hop away.

use crate::domain::RepoPath;
use crate::ports::EntryKind;

use super::super::glob;
use super::super::parse::shell;
use super::super::railpack::{self, Plan};
use super::super::view::{View, clean};
use super::super::wants::Priority;
use super::lex::{Code, Dialect};

const MAX_FILES: usize = 20;

/// One source file that was read.
#[derive(Clone, Debug)]
pub(crate) struct SourceFile {
    pub(crate) path: RepoPath,
    pub(crate) code: Code,
    /// Whether the app begins here.
    pub(crate) entry: bool,
}

/// The source files of an app, the entry first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    pub(crate) files: Vec<SourceFile>,
}

impl Sources {
    #[cfg(test)]
    pub(super) fn of_one(name: &str, text: &str, dialect: Dialect) -> Self {
        let path = RepoPath::parse(name).unwrap();
        Self { files: vec![SourceFile { path, code: Code::lex(text, dialect), entry: true }] }
    }

    /// Whether any file has `needle` outside comments.
    pub(crate) fn contains(&self, needle: &str) -> bool {
        self.files.iter().any(|f| f.code.text.contains(needle))
    }

    /// The first file and 1-based line with `needle` outside comments.
    pub(crate) fn find(&self, needle: &str) -> Option<(&RepoPath, u32)> {
        self.files.iter().find_map(|f| {
            let at = f.code.text.find(needle)?;
            Some((&f.path, super::super::view::line_of(&f.code.text, at)))
        })
    }
}

const STEMS: &[&str] =
    &["main", "server", "app", "index", "start", "bot", "wsgi", "asgi", "Program", "Application", "Startup", "www"];
const FOLDERS: &[&str] = &["", "src", "app", "server", "bin"];
const HOPS: &[&str] = &[
    "server",
    "app",
    "config",
    "settings",
    "routes",
    "router",
    "http",
    "api",
    "health",
    "constants",
    "env",
    "urls",
    "main",
];
const ROUTE_FOLDERS: &[&str] = &["routes", "router", "controllers", "handlers", "handler", "api", "health"];

fn suffixes(language: &str) -> &'static [&'static str] {
    match language {
        "go" => &["go"],
        "node" => &["ts", "js", "mts", "mjs", "cjs", "tsx"],
        "deno" => &["ts", "js", "mts", "mjs"],
        "python" => &["py"],
        "rust" => &["rs"],
        "java" => &["java", "kt", "scala"],
        "ruby" => &["rb", "ru"],
        "php" => &["php"],
        "dotnet" => &["cs"],
        "elixir" => &["ex", "exs"],
        "gleam" => &["gleam"],
        "crystal" => &["cr"],
        "swift" => &["swift"],
        "dart" => &["dart"],
        "cpp" => &["cpp", "cc", "c"],
        _ => &[],
    }
}

/// Reads what is known of the app's sources and wants the rest. `starts` are the effective start commands, the strongest first.
pub(crate) fn find(view: &View<'_>, language: &str, plan: &Plan, starts: &[String]) -> Sources {
    let mut finder = Finder { view, language, suffixes: suffixes(language), sources: Sources::default(), tried: Vec::new() };
    if finder.suffixes.is_empty() {
        return finder.sources;
    }
    for path in starts.iter().flat_map(|start| named_by(view, language, start)) {
        finder.add(&path, true, Priority::Entry);
    }
    match language {
        "go" => finder.go_package(),
        "node" => {
            let main = plan.manifest.as_ref().map(|m| m.main.as_str()).unwrap_or_default();
            for path in compiled_from(view, main) {
                finder.add(&path, true, Priority::Entry);
            }
        }
        "java" => finder.jvm(),
        "elixir" => finder.elixir(),
        "ruby" => {
            for name in ["config.ru", "config/puma.rb"] {
                finder.named(name, false);
            }
        }
        _ => {}
    }
    finder.usual_names();
    finder.one_hop();
    finder.route_folders();
    finder.sources
}

struct Finder<'v, 'a> {
    view: &'v View<'a>,
    language: &'v str,
    suffixes: &'static [&'static str],
    sources: Sources,
    tried: Vec<RepoPath>,
}

impl Finder<'_, '_> {
    fn add(&mut self, path: &RepoPath, entry: bool, priority: Priority) {
        if self.tried.len() >= MAX_FILES * 2 || self.sources.files.len() >= MAX_FILES || self.tried.contains(path) {
            return;
        }
        if glob::is_aside(path, self.view.root()) || self.view.kind(path) != Some(EntryKind::File) {
            return;
        }
        self.tried.push(path.clone());
        if let Some(text) = self.view.text(path, priority) {
            let code = Code::lex(text.strip_prefix('\u{feff}').unwrap_or(text), Dialect::of(self.language));
            let entry = entry && (self.language != "go" || code.text.contains("func main("));
            self.sources.files.push(SourceFile { path: path.clone(), code, entry });
        }
    }

    fn named(&mut self, relative: &str, entry: bool) {
        if let Some(path) = self.view.at(relative) {
            self.add(&path, entry, Priority::Entry);
        }
    }

    fn usual_names(&mut self) {
        let suffixes = self.suffixes;
        for folder in FOLDERS {
            let Some(dir) = self.view.at(folder) else { continue };
            if !folder.is_empty() && self.view.kind(&dir) != Some(EntryKind::Directory) {
                continue;
            }
            let entries = self.view.list(&dir, Priority::Entry);
            for stem in STEMS {
                for entry in entries.iter().filter(|e| is_source(suffixes, &e.name) && stem_of(&e.name) == *stem) {
                    if let Ok(path) = dir.join(&entry.name) {
                        let first = self.sources.files.iter().all(|f| !f.entry) && self.tried.is_empty();
                        self.add(&path, first, Priority::Entry);
                    }
                }
            }
        }
    }

    fn go_package(&mut self) {
        let Some(dir) = railpack::go_target(self.view) else { return };
        let mut names: Vec<&str> = self.view.list(&dir, Priority::Entry).iter().map(|e| &*e.name).collect();
        names.retain(|name| is_source(self.suffixes, name) && !name.ends_with("_test.go"));
        names.sort_by_key(|name| (*name != "main.go", !HOPS.contains(&stem_of(name)), name.len()));
        if let Ok(main) = dir.join("main.go") {
            self.view.text_eagerly(&main, Priority::Entry);
        }
        for name in names.into_iter().take(8) {
            if let Ok(path) = dir.join(name) {
                self.add(&path, true, Priority::Entry);
            }
        }
    }

    fn jvm(&mut self) {
        let wanted =
            |stem: &str| stem.contains("Application") || ["Main", "App", "Server"].iter().any(|p| stem.starts_with(p));
        for folder in ["src/main/java", "src/main/kotlin", "src/main/scala"] {
            let Some(start) = self.view.at(folder).filter(|_| self.view.has_dir("src")) else { continue };
            let files = self.view.walk(&start, 8, Priority::Entry);
            let named =
                files.iter().filter(|f| f.file_name().is_some_and(|n| is_source(self.suffixes, n) && wanted(stem_of(n))));
            let named: Vec<RepoPath> = named.take(12).cloned().collect();
            for path in named {
                let first = self.tried.is_empty();
                self.add(&path, first, Priority::Entry);
            }
        }
    }

    fn elixir(&mut self) {
        for name in ["config/runtime.exs", "config/prod.exs", "config/config.exs"] {
            self.named(name, false);
        }
        let Some(lib) = self.view.at("lib") else { return };
        for entry in self.view.list(&lib, Priority::Entry) {
            for name in ["application.ex", "endpoint.ex", "router.ex"] {
                self.named(&format!("lib/{}/{name}", entry.name), false);
            }
        }
    }

    fn one_hop(&mut self) {
        let here: Vec<SourceFile> = self.sources.files.clone();
        for file in &here {
            for path in imports(self.view, self.language, file) {
                self.add(&path, false, Priority::Source);
            }
        }
    }

    fn route_folders(&mut self) {
        let suffixes = self.suffixes;
        for base in ["", "src"] {
            for folder in ROUTE_FOLDERS {
                let relative = if base.is_empty() { (*folder).to_owned() } else { format!("{base}/{folder}") };
                let Some(dir) = self.view.at(&relative).filter(|dir| self.view.kind(dir) == Some(EntryKind::Directory))
                else {
                    continue;
                };
                for entry in self.view.list(&dir, Priority::Source).iter().filter(|e| is_source(suffixes, &e.name)).take(8) {
                    if let Ok(path) = dir.join(&entry.name) {
                        self.add(&path, false, Priority::Source);
                    }
                }
            }
        }
        let root = self.view.root().clone();
        for entry in self
            .view
            .root_entries()
            .iter()
            .filter(|e| is_source(suffixes, &e.name) && e.name.to_lowercase().contains("health"))
        {
            if let Ok(path) = root.join(&entry.name) {
                self.add(&path, false, Priority::Source);
            }
        }
    }
}

fn is_source(suffixes: &[&str], name: &str) -> bool {
    name.rsplit_once('.').is_some_and(|(_, suffix)| suffixes.contains(&suffix)) && !name.ends_with(".d.ts")
}

fn stem_of(name: &str) -> &str {
    name.split('.').next().unwrap_or(name)
}

/// Files that a start command names: `node dist/main.js`, `uvicorn app.main:app`, `python -m api`.
fn named_by(view: &View<'_>, language: &str, start: &str) -> Vec<RepoPath> {
    let mut found = Vec::new();
    let words: Vec<String> = shell::commands(start).into_iter().flatten().collect();
    for (index, word) in words.iter().enumerate() {
        match language {
            "node" | "deno" if word.rsplit_once('.').is_some_and(|(_, s)| suffixes("node").contains(&s)) => {
                found.extend(compiled_from(view, word));
            }
            "python" => {
                let module =
                    word.split_once(':').filter(|(_, app)| !app.is_empty() && !app.contains('/')).map(|(module, _)| module);
                let module = module
                    .or_else(|| (index > 0 && words.get(index - 1).is_some_and(|w| w == "-m")).then_some(word.as_str()));
                if word.ends_with(".py") {
                    found.extend(view.at(word));
                } else if let Some(module) =
                    module.filter(|m| m.chars().all(|c| c.is_alphanumeric() || c == '_' || c == '.'))
                {
                    let base = module.replace('.', "/");
                    for name in [
                        format!("{base}.py"),
                        format!("{base}/__init__.py"),
                        format!("{base}/__main__.py"),
                        format!("src/{base}.py"),
                    ] {
                        found.extend(view.at(&name));
                    }
                }
            }
            "ruby" | "php" if word.ends_with(".rb") || word.ends_with(".php") => found.extend(view.at(word)),
            _ => {}
        }
    }
    found
}

/// The source of a script that may be compiler output: `dist/main.js` comes of `src/main.ts`.
fn compiled_from(view: &View<'_>, script: &str) -> Vec<RepoPath> {
    let Some(script) = clean(script).filter(|s| !s.is_empty()) else { return Vec::new() };
    let mut names = vec![script.clone(), format!("{script}.js"), format!("{script}.ts")];
    let tail = ["dist/", "build/", "lib/", "out/", ".output/"].iter().find_map(|dir| script.strip_prefix(dir));
    if let Some(tail) = tail {
        let stem = tail.rsplit_once('.').map_or(tail, |(stem, _)| stem);
        let inner = stem.strip_prefix("src/").unwrap_or(stem);
        names.extend(["ts", "js", "mts"].iter().map(|suffix| format!("src/{inner}.{suffix}")));
        names.extend(["ts", "js"].iter().map(|suffix| format!("{inner}.{suffix}")));
    }
    names.iter().filter_map(|name| view.at(name)).filter(|path| view.kind(path) == Some(EntryKind::File)).collect()
}

/// Files that `file` imports by a relative path or from its own module, with a telling name.
fn imports(view: &View<'_>, language: &str, file: &SourceFile) -> Vec<RepoPath> {
    let Some(dir) = file.path.parent() else { return Vec::new() };
    let text = file.code.text.as_str();
    let telling = |path: &str| {
        let stem = stem_of(path.rsplit('/').next().unwrap_or(path)).to_ascii_lowercase();
        HOPS.iter().any(|hop| stem.contains(hop))
    };
    let below = |target: &str| -> Option<RepoPath> {
        let joined = if dir.is_root() { target.to_owned() } else { format!("{dir}/{target}") };
        RepoPath::parse(&clean(&joined)?).ok()
    };
    let mut found = Vec::new();
    match language {
        "node" | "deno" => {
            for quoted in quoted(text).filter(|q| q.starts_with("./") || q.starts_with("../")).filter(|q| telling(q)) {
                let stem = quoted.strip_suffix(".js").unwrap_or(quoted);
                for name in [
                    quoted.to_owned(),
                    format!("{stem}.ts"),
                    format!("{stem}.js"),
                    format!("{quoted}/index.ts"),
                    format!("{quoted}/index.js"),
                ] {
                    found.extend(below(&name));
                }
            }
        }
        "go" => {
            let module = module_of(view);
            for quoted in module.iter().flat_map(|m| quoted(text).filter_map(move |q| q.strip_prefix(m.as_str()))) {
                let Some(package) = view.at(quoted.trim_start_matches('/')).filter(|p| p != view.root()) else { continue };
                let entries = view.list(&package, Priority::Source).iter();
                let sources = entries.filter(|e| {
                    e.name.ends_with(".go") && !e.name.ends_with("_test.go") && (telling(quoted) || telling(&e.name))
                });
                found.extend(sources.take(4).filter_map(|e| package.join(&e.name).ok()));
            }
        }
        "python" => {
            for line in text.lines().map(str::trim) {
                let Some(rest) = line.strip_prefix("from ") else { continue };
                let Some((module, names)) = rest.split_once(" import ") else { continue };
                let relative = module.starts_with('.');
                let base = module.trim_start_matches('.').replace('.', "/");
                let mut targets = vec![base.clone()];
                targets
                    .extend(names.split(',').map(|n| format!("{base}/{}", n.split_whitespace().next().unwrap_or_default())));
                for target in targets.iter().filter(|t| telling(t)) {
                    let name = format!("{}.py", target.trim_start_matches('/'));
                    found.extend(if relative { below(&name) } else { view.at(&name) });
                }
            }
        }
        _ => {}
    }
    found.truncate(40);
    found
}

fn module_of(view: &View<'_>) -> Option<String> {
    let text = view.raw("go.mod")?;
    let line = text.lines().find_map(|l| l.trim().strip_prefix("module "))?;
    Some(line.trim().trim_matches('"').to_owned()).filter(|m| !m.is_empty())
}

/// The contents of the string literals of a text, roughly.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split(['"', '\'', '`']).skip(1).step_by(2))
}
