//! What makes images: a container program of this machine, or our own packing.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncRead, BufReader};
use tokio::process::Command;
use zopnight_core::domain::{BuildMode, BuildRequest, Digest, RepoPath};
use zopnight_core::ports::EntryKind;

use crate::args::BuilderChoice;
use crate::image_layout::{Entry, ImageLayout, layer};
use crate::tree::GitTree;

const PROBE: Duration = Duration::from_secs(3);
pub(crate) const NO_BASE: &str =
    "packed the source as an image layout without a base; it has a real digest but will not run";

/// A container program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Program {
    Docker,
    Podman,
    Buildah,
}

/// What makes images.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    Pack,
    Container { program: Program, path: PathBuf },
}

/// A tool, and what the user should know about the choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) tool: Tool,
    pub(crate) notes: Vec<String>,
}

/// Why there is no image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct BuildFailure {
    /// As the callback has it: `[a-z_]{1,40}`.
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

/// Takes one line of a build's log.
pub(crate) type Log<'a> = &'a (dyn Fn(&str) + Send + Sync);

impl Program {
    const ALL: [Self; 3] = [Self::Docker, Self::Podman, Self::Buildah];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Docker => "docker",
            Self::Podman => "podman",
            Self::Buildah => "buildah",
        }
    }
}

/// Finds the tool on `path`, a list of directories as in `PATH`. The error is one sentence: what was named is not there.
pub(crate) async fn choose(choice: BuilderChoice, path: &OsStr) -> Result<Chosen, String> {
    let named = match choice {
        BuilderChoice::Pack => return Ok(Chosen { tool: Tool::Pack, notes: vec![NO_BASE.to_owned()] }),
        BuilderChoice::Auto => None,
        BuilderChoice::Docker => Some(Program::Docker),
        BuilderChoice::Podman => Some(Program::Podman),
        BuilderChoice::Buildah => Some(Program::Buildah),
    };
    if let Some(program) = named {
        let found = find(program, path);
        let name = program.name();
        let at = found.ok_or_else(|| format!("there is no {name} on PATH; install it, or take --builder pack"))?;
        return Ok(Chosen { tool: Tool::Container { program, path: at }, notes: Vec::new() });
    }
    let mut notes = Vec::new();
    for program in Program::ALL {
        let Some(at) = find(program, path) else { continue };
        match probe(program, &at).await {
            Ok(()) => return Ok(Chosen { tool: Tool::Container { program, path: at }, notes }),
            Err(reason) => notes.push(format!("{} is there but does not answer: {reason}", program.name())),
        }
    }
    notes.push(format!("no container builder found: {NO_BASE}"));
    Ok(Chosen { tool: Tool::Pack, notes })
}

fn find(program: Program, path: &OsStr) -> Option<PathBuf> {
    let file = format!("{}{}", program.name(), std::env::consts::EXE_SUFFIX);
    std::env::split_paths(path).filter(|d| d.is_absolute()).map(|d| d.join(&file)).find(|p| p.is_file())
}

async fn probe(program: Program, at: &Path) -> Result<(), String> {
    let question = if program == Program::Buildah { "version" } else { "info" };
    let mut command = Command::new(at);
    command.arg(question).stdin(Stdio::null()).kill_on_drop(true);
    match tokio::time::timeout(PROBE, command.output()).await {
        Err(_) => Err(format!("no answer to `{} {question}` within {} s", program.name(), PROBE.as_secs())),
        Ok(Err(e)) => Err(e.to_string()),
        Ok(Ok(output)) if output.status.success() => Ok(()),
        Ok(Ok(output)) => {
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let said = text.lines().map(str::trim).rfind(|l| !l.is_empty()).unwrap_or("it gave no reason");
            Err(said.to_owned())
        }
    }
}

impl Tool {
    /// Makes the image that `request` asks for and puts it into `layout`. `scratch` is an empty directory of this build.
    pub(crate) async fn build(
        &self,
        request: &BuildRequest,
        tree: &GitTree,
        scratch: &Path,
        layout: &ImageLayout,
        log: Log<'_>,
    ) -> Result<Digest, BuildFailure> {
        match (self, &request.plan.dockerfile) {
            (Self::Container { program, path }, Some(dockerfile)) if request.plan.mode == BuildMode::Dockerfile => {
                let run = Run { program: *program, path, scratch, log };
                run.build(request, dockerfile, tree, layout).await
            }
            (Self::Container { .. }, _) => {
                log("there is no Dockerfile, and this program has no railpack");
                pack(request, tree, layout, log).await
            }
            (Self::Pack, _) => pack(request, tree, layout, log).await,
        }
    }
}

async fn pack(request: &BuildRequest, tree: &GitTree, layout: &ImageLayout, log: Log<'_>) -> Result<Digest, BuildFailure> {
    let entries = read(tree, &request.plan.context).await?;
    let files = entries.len();
    let layer = layer(&entries);
    let digest = layout.put_packed(&request.image, &request.commit, &layer).map_err(|e| unwritable(&e))?;
    log(&format!("{files} entries, {} bytes: {NO_BASE}", layer.len()));
    Ok(digest)
}

/// The build context as entries of an archive, without submodules.
async fn read(tree: &GitTree, context: &RepoPath) -> Result<Vec<(RepoPath, Entry)>, BuildFailure> {
    let below = tree.below(context);
    let files: Vec<_> = below.iter().filter(|(_, n)| n.kind == EntryKind::File).map(|(_, n)| *n).collect();
    let contents = tree.contents(&files).await;
    let mut contents = contents.map_err(|e| failure("source", e.message().to_owned()))?.into_iter();
    let entry = |node: &crate::tree::Node| match node.kind {
        EntryKind::Directory => Some(Entry::Directory),
        EntryKind::File => contents.next().map(|bytes| Entry::File { bytes, executable: node.executable }),
        EntryKind::Symlink => node.link.clone().map(|target| Entry::Link { target }),
        _ => None,
    };
    let mut entry = entry;
    Ok(below.into_iter().filter_map(|(path, node)| Some((path, entry(node)?))).collect())
}

/// One build by a container program.
struct Run<'a> {
    program: Program,
    path: &'a Path,
    scratch: &'a Path,
    log: Log<'a>,
}

impl Run<'_> {
    async fn build(
        &self,
        request: &BuildRequest,
        dockerfile: &RepoPath,
        tree: &GitTree,
        layout: &ImageLayout,
    ) -> Result<Digest, BuildFailure> {
        let source = self.scratch.join("source");
        let entries = read(tree, &RepoPath::root()).await?;
        check_out(&source, &entries).map_err(|e| unwritable(&e))?;
        let on_disk = |path: &RepoPath| path.components().fold(source.clone(), |at, part| at.join(part));
        let image = request.image.as_str();
        let mut build = vec!["build".to_owned(), "--file".to_owned(), display(&on_disk(dockerfile))];
        build.extend(["--tag".to_owned(), image.to_owned(), "--label".to_owned()]);
        build.push(format!("org.opencontainers.image.revision={}", request.commit));
        if self.program != Program::Docker {
            build.extend(["--format".to_owned(), "oci".to_owned()]);
        }
        if let Some(target) = &request.plan.target {
            build.extend(["--target".to_owned(), target.clone()]);
        }
        for (name, value) in &request.plan.args {
            build.extend(["--build-arg".to_owned(), format!("{name}={value}")]);
        }
        build.extend(["--".to_owned(), display(&on_disk(&request.plan.context))]);
        self.run(self.path, &build, "build_failed").await?;
        let saved = self.save(image).await;
        // The image is in our layout now; the program's own name for it would only pile up.
        let forget = ["rmi".to_owned(), image.to_owned()];
        if self.run(self.path, &forget, "image_untagged").await.is_err() {
            (self.log)("the image keeps its name in the container program");
        }
        layout.take_over(&saved?, &request.image).map_err(|e| failure("image_not_saved", e.to_string()))
    }

    /// Writes the image as an OCI layout and answers where.
    async fn save(&self, image: &str) -> Result<PathBuf, BuildFailure> {
        let out = self.scratch.join("image");
        let words = |list: &[&str]| list.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let to = display(&out);
        match self.program {
            Program::Docker => {
                fs::create_dir_all(&out).map_err(|e| unwritable(&e))?;
                let archive = display(&self.scratch.join("image.tar"));
                self.run(self.path, &words(&["save", "--output", &archive, "--", image]), "image_not_saved").await?;
                self.run(Path::new("tar"), &words(&["-xf", &archive, "-C", &to]), "image_not_saved").await?;
                if !out.join("index.json").is_file() {
                    return Err(failure("image_not_saved", "docker before 25 saves no OCI layout; take podman".to_owned()));
                }
            }
            Program::Podman => {
                let save = words(&["save", "--format", "oci-dir", "--output", &to, "--", image]);
                self.run(self.path, &save, "image_not_saved").await?;
            }
            Program::Buildah => {
                let push = words(&["push", "--", image, &format!("oci:{to}:image")]);
                self.run(self.path, &push, "image_not_saved").await?;
            }
        }
        Ok(out)
    }

    async fn run(&self, program: &Path, arguments: &[String], code: &'static str) -> Result<(), BuildFailure> {
        let name = program.file_name().unwrap_or_default().display().to_string();
        let verb = arguments.first().map_or("", String::as_str);
        (self.log)(&format!("$ {name} {}", arguments.join(" ")));
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|e| failure(code, format!("{name} cannot be started: {e}")))?;
        let (out, err) = (child.stdout.take(), child.stderr.take());
        let last = std::sync::Mutex::new(String::new());
        let heard = |line: &str| {
            (self.log)(line);
            line.clone_into(&mut last.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
        };
        let (_, (), status) = tokio::join!(lines(out, self.log), lines(err, &heard), child.wait());
        match status {
            Ok(status) if status.success() => Ok(()),
            Ok(status) => {
                let said = last.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
                Err(failure(code, format!("{name} {verb} failed ({status}): {said}")))
            }
            Err(e) => Err(failure(code, format!("{name} {verb} was lost: {e}"))),
        }
    }
}

async fn lines(stream: Option<impl AsyncRead + Unpin>, heard: Log<'_>) {
    let Some(stream) = stream else { return };
    let mut reader = BufReader::new(stream);
    let mut line = Vec::new();
    while matches!(reader.read_until(b'\n', &mut line).await, Ok(n) if n > 0) {
        heard(String::from_utf8_lossy(&line).trim_end());
        line.clear();
    }
}

/// Writes entries below `root`. Links come last, so that nothing is written through one.
fn check_out(root: &Path, entries: &[(RepoPath, Entry)]) -> io::Result<()> {
    fs::create_dir_all(root)?;
    let at = |path: &RepoPath| path.components().fold(root.to_path_buf(), |at, part| at.join(part));
    for (path, entry) in entries {
        let to = at(path);
        match entry {
            Entry::Directory => fs::create_dir_all(&to)?,
            Entry::File { bytes, executable } => {
                to.parent().map_or(Ok(()), fs::create_dir_all)?;
                fs::write(&to, bytes)?;
                make_executable(&to, *executable)?;
            }
            Entry::Link { .. } => {}
        }
    }
    for (path, entry) in entries {
        if let Entry::Link { target } = entry {
            link(target, &at(path))?;
        }
    }
    Ok(())
}

#[cfg(unix)]
fn make_executable(path: &Path, executable: bool) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = if executable { 0o755 } else { 0o644 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode))
}

#[cfg(unix)]
fn link(target: &str, path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    std::os::unix::fs::symlink(target, path)
}

#[cfg(not(unix))]
fn make_executable(_: &Path, _: bool) -> io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
fn link(target: &str, path: &Path) -> io::Result<()> {
    fs::write(path, target)
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

fn failure(code: &'static str, message: String) -> BuildFailure {
    BuildFailure { code, message }
}

fn unwritable(error: &io::Error) -> BuildFailure {
    failure("work_dir", format!("the work directory cannot be written: {error}"))
}
