//! A cluster that does as it is told.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;

use super::faults::{Faults, Gate, lock};
use crate::domain::{
    ChangeKind, CommitSha, DeployedImage, DeploymentId, FailureClass, Fence, LoadBalancerStatus, ObjectChange, OnFailure,
    ProgressLine, ReleaseOutcome, ReleaseRef, ReleaseStatus, ReplicaCounts, RevisionNumber, RolloutEvidence, RolloutFailure,
    UninstallOutcome, UninstallRequest, Verdict,
};
use crate::error::{Error, ErrorKind, Result, Retry};
use crate::ports::{Clock, ClusterApplier, ReleaseRequest};

/// How a rollout goes.
#[derive(Clone)]
pub enum Rolls {
    /// It becomes ready.
    Ready,
    /// It fails with this class and an ordinary message.
    Fails(FailureClass),
    /// It fails like this.
    FailsWith(Box<RolloutFailure>),
    /// It waits until the gate is released and is ready then; the request's deadline ends it.
    Stalls(Gate),
    /// No verdict is reached: the objects are written, then the cluster gives this error.
    Errors(Arc<dyn Fn() -> Error + Send + Sync>),
}

impl Rolls {
    /// No verdict is reached: the objects are written, then the cluster gives this error.
    #[must_use]
    pub fn errors(error: impl Fn() -> Error + Send + Sync + 'static) -> Self {
        Self::Errors(Arc::new(error))
    }
}

impl fmt::Debug for Rolls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("Ready"),
            Self::Fails(class) => write!(f, "Fails({class:?})"),
            Self::FailsWith(failure) => write!(f, "FailsWith({:?})", failure.class),
            Self::Stalls(_) => f.write_str("Stalls"),
            Self::Errors(_) => f.write_str("Errors"),
        }
    }
}

/// One write of a release's workload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppliedRelease {
    /// The revision of the pod template.
    pub revision: RevisionNumber,
    /// Its image.
    pub image: DeployedImage,
    /// Its commit.
    pub commit: CommitSha,
    /// Of the job that wrote it.
    pub job_fence: Fence,
    /// A failed revision's own roll-back put it here.
    pub rollback: bool,
    replicas: u32,
}

#[derive(Debug)]
struct Holder {
    token: u64,
    revision: RevisionNumber,
    job_fence: Fence,
    wanted: watch::Sender<Option<RevisionNumber>>,
}

#[derive(Debug, Default)]
struct Release {
    fence: Option<RevisionNumber>,
    uninstalled: bool,
    holder: Option<Holder>,
    /// A revision whose apply was dropped between its first write and its verdict.
    interrupted: Option<RevisionNumber>,
    live: Option<AppliedRelease>,
    good: Option<(AppliedRelease, u32)>,
    history: Vec<AppliedRelease>,
    record: u32,
    status: &'static str,
    addresses: Option<LoadBalancerStatus>,
}

#[derive(Debug, Default)]
struct State {
    releases: HashMap<ReleaseRef, Release>,
    script: BTreeMap<(DeploymentId, RevisionNumber), Rolls>,
    default: Option<Rolls>,
    tokens: u64,
}

/// A [`ClusterApplier`] that keeps releases under a lock and a fence as a cluster does, and plays a script of verdicts.
///
/// Faults are named `apply`, `status`, `load_balancer`, `uninstall`; `fail` before the lock is taken, `fail_after` once the
/// verdict stands.
#[derive(Debug)]
pub struct FakeApplier {
    clock: Arc<dyn Clock>,
    faults: Faults,
    state: Mutex<State>,
}

impl FakeApplier {
    /// A cluster in which every rollout becomes ready at once.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Arc<Self> {
        Self::with_faults(clock, Faults::new())
    }

    /// The same with this script of faults.
    #[must_use]
    pub fn with_faults(clock: Arc<dyn Clock>, faults: Faults) -> Arc<Self> {
        Arc::new(Self { clock, faults, state: Mutex::default() })
    }

    /// The script of faults.
    #[must_use]
    pub const fn faults(&self) -> &Faults {
        &self.faults
    }

    /// How the rollout of one revision goes, each time it is applied.
    pub fn script(&self, deployment: DeploymentId, revision: RevisionNumber, rolls: Rolls) {
        lock(&self.state).script.insert((deployment, revision), rolls);
    }

    /// How rollouts without a script of their own go.
    pub fn script_all(&self, rolls: Rolls) {
        lock(&self.state).default = Some(rolls);
    }

    /// The rollout of one revision waits at the gate and is ready once that is released.
    #[must_use]
    pub fn stall(&self, deployment: DeploymentId, revision: RevisionNumber) -> Gate {
        let gate = Gate::new();
        self.script(deployment, revision, Rolls::Stalls(gate.clone()));
        gate
    }

    /// What the release's workload runs now.
    #[must_use]
    pub fn running(&self, release: &ReleaseRef) -> Option<AppliedRelease> {
        lock(&self.state).releases.get(release).and_then(|r| r.live.clone())
    }

    /// Every write of the release's workload, oldest first; it outlives an uninstall.
    #[must_use]
    pub fn history(&self, release: &ReleaseRef) -> Vec<AppliedRelease> {
        lock(&self.state).releases.get(release).map(|r| r.history.clone()).unwrap_or_default()
    }

    /// The highest revision ever admitted.
    #[must_use]
    pub fn fence(&self, release: &ReleaseRef) -> Option<RevisionNumber> {
        lock(&self.state).releases.get(release).and_then(|r| r.fence)
    }

    /// The releases that are installed.
    #[must_use]
    pub fn releases(&self) -> Vec<ReleaseRef> {
        let state = lock(&self.state);
        state.releases.iter().filter(|(_, r)| r.live.is_some()).map(|(name, _)| name.clone()).collect()
    }

    /// What `load_balancer` answers for the release while it is installed.
    pub fn set_addresses(&self, release: &ReleaseRef, addresses: LoadBalancerStatus) {
        lock(&self.state).releases.entry(release.clone()).or_default().addresses = Some(addresses);
    }

    fn admit(&self, act: Act, target: &ReleaseRef, revision: RevisionNumber, job_fence: Fence) -> Result<Admission<'_>> {
        let mut state = lock(&self.state);
        state.tokens += 1;
        let token = state.tokens;
        let release = state.releases.entry(target.clone()).or_default();
        if act == Act::Apply && release.uninstalled && release.fence.is_some_and(|f| f >= revision) {
            let message = "the release was removed at this revision or a newer one";
            return Err(Error::conflict("applier.lock", "release_uninstalled", message));
        }
        if let Some(fence) = release.fence.filter(|f| *f > revision) {
            return Ok(Admission::Fenced(fence));
        }
        if let Some(holder) = &release.holder {
            let retake = holder.revision == revision && holder.job_fence < job_fence;
            if !retake {
                let wait = if holder.revision < revision { 2 } else { 10 };
                if holder.revision < revision {
                    holder.wanted.send_if_modified(|w| w.replace(revision) != Some(revision));
                }
                return Err(Error::conflict("applier.lock", "release_locked", "the release is being applied")
                    .with_retry(Retry::After(Duration::from_secs(wait))));
            }
        }
        release.fence = Some(revision);
        let (wanted, wakes) = watch::channel(None);
        release.holder = Some(Holder { token, revision, job_fence, wanted });
        Ok(Admission::Held(Hold { applier: self, target: target.clone(), token }, wakes))
    }

    fn remove(&self, request: &UninstallRequest) -> bool {
        let mut state = lock(&self.state);
        let release = state.releases.entry(request.target.clone()).or_default();
        release.good = None;
        release.interrupted = None;
        release.uninstalled = true;
        release.record = if request.keep_history { release.record } else { 0 };
        release.live.take().is_some()
    }

    fn write(&self, request: &ReleaseRequest) -> Written {
        let mut state = lock(&self.state);
        let script = state.script.get(&(request.target.deployment, request.revision)).or(state.default.as_ref()).cloned();
        let release = state.releases.entry(request.target.clone()).or_default();
        let applied = AppliedRelease {
            revision: request.revision,
            image: request.image.clone(),
            commit: request.commit.clone(),
            job_fence: request.job_fence,
            rollback: false,
            replicas: request.runtime.replicas.min,
        };
        let before = release.live.take();
        let resumed = release.interrupted == Some(request.revision);
        let change = match &before {
            None => ChangeKind::Created,
            Some(live) if live.revision == applied.revision && live.image == applied.image => ChangeKind::Unchanged,
            Some(_) => ChangeKind::Updated,
        };
        if change != ChangeKind::Unchanged {
            release.record += 1;
            release.history.push(applied.clone());
        }
        release.live = Some(applied.clone());
        release.uninstalled = false;
        release.interrupted = Some(request.revision);
        release.status = "pending-upgrade";
        Written {
            applied,
            previous: before.map(|b| b.revision),
            change,
            resumed,
            record: release.record,
            rolls: script.unwrap_or(Rolls::Ready),
        }
    }

    async fn roll(&self, request: &ReleaseRequest, rolls: Rolls, mut wakes: Wakes) -> Result<Verdict> {
        let failed = |class| Verdict::Failed(Box::new(failure(class, &request.image)));
        Ok(match rolls {
            Rolls::Ready => Verdict::Ready,
            Rolls::Fails(class) => failed(class),
            Rolls::FailsWith(failure) => Verdict::Failed(failure),
            Rolls::Errors(error) => return Err(error()),
            Rolls::Stalls(gate) => {
                let left = request.deadline.since(self.clock.now());
                tokio::select! {
                    biased;
                    () = gate.pass() => Verdict::Ready,
                    newer = overtaken(&mut wakes) => Verdict::Superseded { by: newer },
                    () = tokio::time::sleep(left) => failed(FailureClass::DeadlineExceeded),
                }
            }
        })
    }

    fn conclude(
        &self,
        request: &ReleaseRequest,
        hold: &Hold<'_>,
        written: Written,
        verdict: Verdict,
    ) -> Result<ReleaseOutcome> {
        let mut state = lock(&self.state);
        let release = state.releases.entry(request.target.clone()).or_default();
        if release.holder.as_ref().is_none_or(|h| h.token != hold.token) {
            return Err(Error::conflict("applier.apply", "release_locked", "the lock was taken over")
                .with_retry(Retry::After(Duration::from_secs(2))));
        }
        release.interrupted = None;
        let mut outcome = ReleaseOutcome::of(verdict, written.record);
        outcome.previous = written.previous;
        outcome.resumed = written.resumed;
        outcome.changed.push(workload(&request.target, written.change));
        match &outcome.verdict {
            Verdict::Ready => {
                outcome.running_image = Some(request.image.digest.clone());
                release.good = Some((written.applied, written.record));
                release.status = "deployed";
            }
            Verdict::Superseded { .. } => release.status = "failed",
            Verdict::Failed(_) => {
                release.status = "failed";
                match (request.on_failure, &release.good) {
                    (OnFailure::Keep, _) => {}
                    (OnFailure::RollBack, None) => outcome.warnings.push("there is nothing to roll back to".to_owned()),
                    (OnFailure::RollBack, Some((good, record))) => {
                        let back = AppliedRelease { rollback: true, ..good.clone() };
                        outcome.rolled_back_to = Some(*record);
                        release.record += 1;
                        release.status = "deployed";
                        release.history.push(back.clone());
                        release.live = Some(back);
                    }
                }
            }
        }
        Ok(outcome)
    }
}

type Wakes = watch::Receiver<Option<RevisionNumber>>;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Apply,
    Uninstall,
}

enum Admission<'a> {
    Fenced(RevisionNumber),
    Held(Hold<'a>, Wakes),
}

struct Written {
    applied: AppliedRelease,
    previous: Option<RevisionNumber>,
    change: ChangeKind,
    resumed: bool,
    record: u32,
    rolls: Rolls,
}

/// The release's lock, freed on drop.
struct Hold<'a> {
    applier: &'a FakeApplier,
    target: ReleaseRef,
    token: u64,
}

impl Drop for Hold<'_> {
    fn drop(&mut self) {
        if let Some(release) = lock(&self.applier.state).releases.get_mut(&self.target) {
            release.holder.take_if(|h| h.token == self.token);
        }
    }
}

async fn overtaken(wakes: &mut Wakes) -> RevisionNumber {
    let newer = wakes.wait_for(Option::is_some).await.ok().and_then(|seen| *seen);
    match newer {
        Some(newer) => newer,
        // The lock was taken over by a later hand-out of the same job; `conclude` will find out.
        None => std::future::pending().await,
    }
}

fn failure(class: FailureClass, image: &DeployedImage) -> RolloutFailure {
    let mut evidence =
        RolloutEvidence { counts: ReplicaCounts { desired: 1, ..ReplicaCounts::default() }, ..Default::default() };
    match class {
        FailureClass::ImagePull => evidence.image = Some(image.to_string()),
        FailureClass::CrashLoop => {
            evidence.exit_code = Some(1);
            evidence.restarts = 3;
            evidence.log_lines = vec!["starting".to_owned(), "cannot bind the port".to_owned()];
        }
        _ => evidence.reason = Some(class.as_str().to_owned()),
    }
    RolloutFailure {
        class,
        message: format!("scripted failure: {}", class.as_str()),
        object: "Pod/ns/app-1".to_owned(),
        evidence,
        after: Duration::from_secs(1),
    }
}

fn workload(target: &ReleaseRef, change: ChangeKind) -> ObjectChange {
    ObjectChange {
        kind: "Deployment".to_owned(),
        namespace: target.namespace.to_string(),
        name: target.release.to_string(),
        change,
    }
}

async fn tell(request: &ReleaseRequest, message: &str, ready: u32) {
    if let Some(progress) = &request.progress {
        let desired = request.runtime.replicas.min;
        let counts = ReplicaCounts { desired, updated: desired, ready, available: ready };
        progress.progress(&request.target, ProgressLine { message: message.to_owned(), counts }).await;
    }
}

#[async_trait]
impl ClusterApplier for FakeApplier {
    async fn apply(&self, request: &ReleaseRequest) -> Result<ReleaseOutcome> {
        let after = self.faults.enter("apply").await?;
        if request.deadline <= self.clock.now() {
            return Err(Error::new(ErrorKind::Timeout, "applier.apply", "no time is left"));
        }
        let (hold, wakes) = match self.admit(Act::Apply, &request.target, request.revision, request.job_fence)? {
            Admission::Held(hold, wakes) => (hold, wakes),
            Admission::Fenced(by) => return after.with(ReleaseOutcome::of(Verdict::Superseded { by }, 0)).await,
        };
        let mut written = self.write(request);
        tell(request, "objects applied", 0).await;
        let rolls = std::mem::replace(&mut written.rolls, Rolls::Ready);
        let verdict = self.roll(request, rolls, wakes).await?;
        let ready = if verdict == Verdict::Ready { request.runtime.replicas.min } else { 0 };
        let outcome = self.conclude(request, &hold, written, verdict)?;
        drop(hold);
        tell(request, "rollout ended", ready).await;
        after.with(outcome).await
    }

    async fn status(&self, release: &ReleaseRef) -> Result<ReleaseStatus> {
        let after = self.faults.enter("status").await?;
        let status = match lock(&self.state).releases.get(release) {
            None => ReleaseStatus::default(),
            Some(found) => {
                let live = found.live.as_ref();
                let up = if found.status == "deployed" { live.map_or(0, |l| l.replicas) } else { 0 };
                let desired = live.map_or(0, |l| l.replicas);
                ReleaseStatus {
                    helm_revision: (live.is_some() && found.record > 0).then_some(found.record),
                    helm_status: live.map(|_| found.status.to_owned()),
                    revision: live.map(|l| l.revision),
                    image: live.map(|l| l.image.to_ref()),
                    replicas: ReplicaCounts { desired, updated: desired, ready: up, available: up },
                    foreign: false,
                    locked: found.holder.is_some(),
                }
            }
        };
        after.with(status).await
    }

    async fn load_balancer(&self, release: &ReleaseRef) -> Result<LoadBalancerStatus> {
        let after = self.faults.enter("load_balancer").await?;
        let status = {
            let state = lock(&self.state);
            let installed = state.releases.get(release).filter(|r| r.live.is_some());
            installed.and_then(|r| r.addresses.clone()).unwrap_or_default()
        };
        after.with(status).await
    }

    async fn uninstall(&self, request: &UninstallRequest) -> Result<UninstallOutcome> {
        let after = self.faults.enter("uninstall").await?;
        let removed = match self.admit(Act::Uninstall, &request.target, request.revision, request.job_fence)? {
            Admission::Fenced(by) => {
                let message = format!("the cluster already runs revision {by}");
                return Err(Error::conflict("applier.uninstall", "release_newer", message));
            }
            Admission::Held(hold, _wakes) => {
                let removed = self.remove(request);
                drop(hold);
                removed
            }
        };
        let changed = if removed { vec![workload(&request.target, ChangeKind::Deleted)] } else { Vec::new() };
        after.with(UninstallOutcome { nothing_to_do: !removed, changed }).await
    }
}
