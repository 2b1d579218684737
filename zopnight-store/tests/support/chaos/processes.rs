//! The processes of a run: started, killed, frozen, started again.

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};

use super::settings::{CrashAt, Launch, Orders, Role, Settings};
use crate::history::now;
use crate::random::Random;

#[derive(Debug)]
pub(super) struct Processes {
    settings: Settings,
    launch: Launch,
    directory: PathBuf,
    began: u64,
    slots: Vec<Slot>,
    started: u32,
    random: Random,
    /// Processes started from now on do not crash by themselves.
    pub(super) calm: bool,
    faketime: Option<PathBuf>,
    /// Processes with a clock that was off.
    pub(super) skewed: u32,
    /// Processes that killed themselves at a point of a transaction.
    pub(super) crashed: u32,
}

#[derive(Debug)]
struct Slot {
    role: Role,
    child: Option<Child>,
    frozen: bool,
    /// Of the producer: everything is stored.
    over: bool,
}

impl Processes {
    /// None runs yet.
    pub(super) fn new(settings: &Settings, launch: &Launch) -> Self {
        let roles = (0..settings.workers).map(|_| Role::Worker).chain([Role::Producer]);
        let slots = roles.map(|role| Slot { role, child: None, frozen: false, over: false });
        Self {
            launch: launch.clone(),
            directory: settings.history.parent().expect("the history is a file").to_owned(),
            began: now(),
            slots: slots.collect(),
            started: 0,
            random: Random::new(settings.seed, "processes"),
            calm: false,
            faketime: settings.skewed.then(faketime).flatten(),
            skewed: 0,
            crashed: 0,
            settings: settings.clone(),
        }
    }

    /// Starts what does not run and should.
    ///
    /// # Errors
    /// If a process ended for a reason that the run did not give it.
    pub(super) fn tend(&mut self) -> Result<(), String> {
        for at in 0..self.slots.len() {
            let slot = &mut self.slots[at];
            if let Some(status) = slot.child.as_mut().and_then(|child| child.try_wait().expect("a child of ours")) {
                slot.child = None;
                slot.over = slot.role == Role::Producer && status.success();
                // Only the crash hook aborts.
                self.crashed += u32::from(status.core_dumped() || status.signal() == Some(6));
                expected(slot.role, status)?;
            }
            if self.slots[at].child.is_none() && !self.slots[at].over {
                let child = self.start(self.slots[at].role);
                self.slots[at].child = Some(child);
            }
        }
        Ok(())
    }

    fn start(&mut self, role: Role) -> Child {
        let incarnation = self.started;
        self.started += 1;
        let crash = (!self.calm && self.random.chance(60)).then(|| CrashAt::of(role, incarnation, &mut self.random));
        let full = !self.calm && role == Role::Worker && crash.is_none() && self.random.chance(self.settings.full);
        let (settings, began) = (self.settings.clone(), self.began);
        let (variable, orders) = Orders { settings, role, incarnation, began, crash, full }.variable();
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        if let Some(library) = self.faketime.as_ref().filter(|_| role == Role::Worker && incarnation % 2 == 1) {
            let offset = if incarnation % 4 == 1 { "+1h" } else { "-1h" };
            // Its shared memory would outlive a killed process.
            command.env("LD_PRELOAD", library).env("FAKETIME", offset).env("FAKETIME_DISABLE_SHM", "1");
            command.env("FAKETIME_DONT_FAKE_MONOTONIC", "1").env("TZ", "Asia/Kolkata");
            self.skewed += 1;
        }
        command
            .args(&self.launch.arguments)
            .env(variable, orders)
            .current_dir(&self.directory)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("this program starts")
    }

    /// Kills the process, or the next one that is not frozen; whether there was one.
    pub(super) fn kill(&mut self, at: u32) -> bool {
        let count = self.slots.len();
        let order = (0..count).map(|n| (at as usize + n) % count);
        let Some(victim) = order.into_iter().find(|n| self.slots[*n].child.is_some() && !self.slots[*n].frozen) else {
            return false;
        };
        let child = self.slots[victim].child.as_mut().expect("just seen");
        child.kill().is_ok()
    }

    pub(super) fn stop(&mut self, at: u32) -> bool {
        self.slots[at as usize].frozen = self.signal(at, "STOP");
        self.slots[at as usize].frozen
    }

    pub(super) fn wake(&mut self, at: u32) {
        self.slots[at as usize].frozen = false;
        self.signal(at, "CONT");
    }

    fn signal(&self, at: u32, name: &str) -> bool {
        let Some(child) = &self.slots[at as usize].child else { return false };
        let sent = Command::new("sh").args(["-c", "kill -$0 $1", name, &child.id().to_string()]).status();
        sent.is_ok_and(|status| status.success())
    }

    /// Everything is stored, and nobody is frozen.
    pub(super) fn produced(&self) -> bool {
        self.slots.iter().all(|slot| !slot.frozen && (slot.over || slot.role == Role::Worker))
    }

    pub(super) const fn started(&self) -> u32 {
        self.started
    }
}

/// The library that gives a program another clock, where Debian's package of it puts it.
fn faketime() -> Option<PathBuf> {
    let machines = std::fs::read_dir("/usr/lib").ok()?.flatten();
    machines.map(|entry| entry.path().join("faketime/libfaketime.so.1")).find(|library| library.is_file())
}

fn expected(role: Role, status: ExitStatus) -> Result<(), String> {
    let over = role == Role::Producer && status.success();
    let killed = status.signal().is_some_and(|signal| [6, 9].contains(&signal));
    if over || killed { Ok(()) } else { Err(format!("a {role:?} ended by itself: {status}")) }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in self.slots.iter_mut().filter_map(|slot| slot.child.as_mut()) {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
