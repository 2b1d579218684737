//! A server in a temporary directory, and its end.

use std::fs::{self, File};
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard};

use super::programs::{Programs, User};

/// Ends every process whose id is in a file of the directory, then removes the directory, when its standard input closes:
/// that happens however the test process ends. A program cannot start later, since it records its id there first.
const WATCHDOG: &str = r#"
trap '' HUP INT TERM
cat > /dev/null
signal=$1 n=0
while [ $n -lt 40 ]; do
    alive=
    for each in "$0"/*.pid; do [ -f "$each" ] && kill -s "$signal" "$(cat "$each")" && alive=1; done
    [ "$alive" ] || break
    sleep 0.1
    n=$((n + 1))
    [ $n -lt 20 ] || signal=KILL
done
rm -rf "$0" || { sleep 0.5; rm -rf "$0"; }
"#;

/// Records its process id, then becomes the program: from its first moment on the watchdog knows it.
const RECORDED: &str = r#"echo $$ > "$0" && exec "$@""#;

pub(super) struct Private {
    programs: Programs,
    user: Option<User>,
    directory: PathBuf,
    server: Mutex<Option<Child>>,
    watchdog: Child,
}

impl Private {
    /// Makes the directory, its watchdog and an empty cluster.
    pub(super) fn prepare(programs: Programs) -> Self {
        let user = programs.user();
        let directory = directory();
        let mut watchdog = Command::new("sh");
        // Killed, PostgreSQL would leave its shared memory behind.
        let signal = if matches!(programs, Programs::Postgres { .. }) { "QUIT" } else { "KILL" };
        watchdog.args(["-c", WATCHDOG]).arg(&directory).arg(signal).stdin(Stdio::piped());
        let watchdog = spawn(quiet(&mut watchdog));
        // A starting MariaDB removes what it takes for leftovers from its directory of temporary files, another's too.
        let temporary = directory.join("tmp");
        fs::create_dir(&temporary).expect("a directory of our own");
        if let Some(user) = user {
            for each in [&directory, &temporary] {
                chown(each, Some(user.uid), Some(user.gid)).expect("root gives its directory away");
            }
        }
        let private = Self { programs, user, directory, server: Mutex::new(None), watchdog };
        let mut install = private.install();
        let status = install.wait().expect("the installation ends");
        assert!(status.success(), "the installation failed: {status}\n{}", private.log());
        private.forget("install");
        private
    }

    /// The URL of the cluster's owner.
    pub(super) fn url(&self) -> String {
        let directory = self.directory.display();
        match self.programs {
            Programs::MariaDb { .. } | Programs::MySql { .. } => {
                format!("mysql://root@localhost/mysql?socket={directory}/s")
            }
            Programs::Postgres { .. } => format!("postgres://postgres@localhost/postgres?host={directory}"),
        }
    }

    pub(super) fn start(&self) {
        let mut server = self.server();
        assert!(server.is_none(), "the server runs already");
        *server = Some(self.serve());
    }

    /// Starts again a server that gave up because one before it has not let go of its memory yet.
    pub(super) fn start_if_gone(&self) {
        let mut server = self.server();
        if server.as_mut().is_some_and(|child| child.try_wait().is_ok_and(|gone| gone.is_some())) {
            *server = Some(self.serve());
        }
    }

    pub(super) fn kill(&self) {
        if let Some(mut child) = self.server().take() {
            // It may have ended by itself.
            let _ = child.kill();
            child.wait().expect("a killed process ends");
            self.forget("server");
        }
    }

    pub(super) fn pid(&self) -> u32 {
        self.server().as_ref().expect("the server runs").id()
    }

    /// What the programs wrote last.
    pub(super) fn log(&self) -> String {
        let log = fs::read(self.directory.join("log")).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(4_096)..]).into_owned()
    }

    fn server(&self) -> MutexGuard<'_, Option<Child>> {
        self.server.lock().expect("no panic while the lock is held")
    }

    fn install(&self) -> Child {
        let data = self.directory.join("data");
        let datadir = format!("--datadir={}", data.display());
        let tmpdir = format!("--tmpdir={}", self.directory.join("tmp").display());
        match &self.programs {
            Programs::MariaDb { install, .. } => {
                let more = ["--auth-root-authentication-method=normal", "--skip-test-db", "--skip-name-resolve"];
                self.run("install", install, &[&["--no-defaults", &datadir, &tmpdir], &more[..]].concat())
            }
            Programs::MySql { server } => {
                self.run("install", server, &["--no-defaults", "--initialize-insecure", &datadir, &tmpdir])
            }
            Programs::Postgres { init, .. } => {
                let data = data.display().to_string();
                let more = ["-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale", "--no-sync"];
                self.run("install", init, &[&["-D", &data], &more[..]].concat())
            }
        }
    }

    fn serve(&self) -> Child {
        let directory = self.directory.display();
        match &self.programs {
            Programs::MariaDb { server, .. } | Programs::MySql { server } => {
                let places = ["datadir=data", "socket=s", "pid-file=data/pid", "tmpdir=tmp"].map(|place| {
                    let (name, file) = place.split_once('=').expect("a name and a file");
                    format!("--{name}={directory}/{file}")
                });
                let mut arguments = vec!["--no-defaults", "--skip-networking"];
                arguments.extend(["--innodb-flush-log-at-trx-commit=1", "--max-connections=500"]);
                arguments.extend(places.iter().map(String::as_str));
                self.run("server", server, &arguments)
            }
            Programs::Postgres { server, .. } => {
                let (data, sockets) = (format!("{directory}/data"), directory.to_string());
                let durable = ["-c", "listen_addresses=", "-c", "fsync=on", "-c", "max_connections=500"];
                let memory = ["-c", "dynamic_shared_memory_type=mmap"];
                self.run("server", server, &[&["-D", &data, "-k", &sockets], &durable[..], &memory[..]].concat())
            }
        }
    }

    /// Starts a program whose process id the watchdog knows as `name`.
    fn run(&self, name: &str, program: &Path, arguments: &[&str]) -> Child {
        let log = File::options().create(true).append(true).open(self.directory.join("log")).expect("the log opens");
        let mut command = Command::new("sh");
        command.args(["-c", RECORDED]).arg(self.pid_file(name)).arg(program).args(arguments).current_dir(&self.directory);
        quiet(&mut command).stdout(log.try_clone().expect("the log opens")).stderr(log).stdin(Stdio::null());
        if let Some(user) = self.user {
            command.gid(user.gid).uid(user.uid);
        }
        spawn(&mut command)
    }

    /// So that the watchdog kills no later process with the same id.
    fn forget(&self, name: &str) {
        fs::remove_file(self.pid_file(name)).expect("a started program recorded its id");
    }

    fn pid_file(&self, name: &str) -> PathBuf {
        self.directory.join(format!("{name}.pid"))
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        drop(self.watchdog.stdin.take());
        if let Some(mut child) = self.server().take() {
            // The watchdog has ended it, and waits until it is gone.
            let _ = child.wait();
        }
        // Nothing is lost when it fails: the directory is a temporary one.
        let _ = self.watchdog.wait();
    }
}

/// A name short enough for a unix socket in it.
fn directory() -> PathBuf {
    let standard = std::env::temp_dir();
    let short = if standard.as_os_str().len() > 60 { PathBuf::from("/tmp") } else { standard };
    tempfile::Builder::new().prefix("zn-").tempdir_in(short).expect("a temporary directory").keep()
}

/// In a process group of its own, so that a key press in the terminal does not reach it; silent.
fn quiet(command: &mut Command) -> &mut Command {
    command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null())
}

fn spawn(command: &mut Command) -> Child {
    command.spawn().unwrap_or_else(|e| panic!("{command:?} does not start: {e}"))
}
