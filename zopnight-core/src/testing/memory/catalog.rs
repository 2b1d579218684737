//! The tables of the catalog.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::options::MemoryOptions;
use crate::domain::{
    AppName, AttemptId, BranchKey, BuildAttempt, Deployment, DeploymentId, DeploymentRef, DeploymentView, Event,
    IdempotencyRecord, IdempotencyRef, LogSource, LogTail, OrgId, Revision, RevisionId, RevisionView, Source, Timestamp,
};
use crate::testing::peek::{AttemptPeek, DeploymentPeek, EventPeek, Peek, RevisionPeek};

#[derive(Clone, Debug)]
pub(super) struct RevisionRow {
    pub(super) revision: Revision,
    pub(super) delivery_digest: Option<[u8; 32]>,
    pub(super) events: u32,
}

/// A deployment with all that hangs on it but attempts and logs.
#[derive(Debug)]
pub(super) struct DeploymentRow {
    pub(super) deployment: Deployment,
    pub(super) deleted_at: Option<Timestamp>,
    /// By number.
    pub(super) revisions: BTreeMap<u32, RevisionRow>,
    pub(super) unfinished: BTreeSet<u32>,
    pub(super) events: Vec<Event>,
}

#[derive(Debug, Default)]
pub(super) struct Catalog {
    pub(super) deployments: BTreeMap<DeploymentRef, DeploymentRow>,
    pub(super) names: HashMap<(OrgId, AppName), DeploymentId>,
    pub(super) live: HashMap<OrgId, usize>,
    /// Live deployments with auto_deploy, by what they follow.
    pub(super) followers: HashMap<BranchKey, BTreeSet<DeploymentRef>>,
    /// Where a revision is: its deployment and its number there.
    pub(super) places: HashMap<(OrgId, RevisionId), (DeploymentId, u32)>,
    pub(super) attempts: HashMap<(OrgId, AttemptId), BuildAttempt>,
    pub(super) attempts_of: HashMap<(OrgId, RevisionId), BTreeMap<u32, AttemptId>>,
    pub(super) open: HashMap<OrgId, BTreeSet<AttemptId>>,
    pub(super) logs: HashMap<(OrgId, RevisionId, LogSource), LogTail>,
    pub(super) idempotency: HashMap<(OrgId, IdempotencyRef), IdempotencyRecord>,
}

impl Catalog {
    /// The deployment, unless it is gone or another tenant's.
    pub(super) fn row(&self, org: &OrgId, id: DeploymentId) -> Option<&DeploymentRow> {
        self.deployments.get(&DeploymentRef { org: org.clone(), id }).filter(|row| row.deleted_at.is_none())
    }

    pub(super) fn revision(&self, org: &OrgId, id: RevisionId) -> Option<&RevisionRow> {
        let (deployment, number) = self.places.get(&(org.clone(), id))?;
        self.row(org, *deployment)?.revisions.get(number)
    }

    pub(super) fn attempts_of(&self, org: &OrgId, revision: RevisionId) -> impl DoubleEndedIterator<Item = &BuildAttempt> {
        let of = self.attempts_of.get(&(org.clone(), revision)).into_iter().flatten();
        of.filter_map(|(_, jti)| self.attempts.get(&(org.clone(), *jti)))
    }

    pub(super) fn open_attempts(&self, org: &OrgId) -> usize {
        self.open.get(org).map_or(0, BTreeSet::len)
    }

    /// Whether the row stands in the index of what it follows.
    pub(super) fn follow(&mut self, at: &DeploymentRef, source: &Source, follows: bool) {
        let key = BranchKey { forge: source.forge.clone(), repository: source.repository, branch: source.branch.clone() };
        let followers = self.followers.entry(key).or_default();
        if follows {
            followers.insert(at.clone());
        } else {
            followers.remove(at);
        }
    }

    pub(super) fn put_attempt(&mut self, org: &OrgId, attempt: BuildAttempt) {
        let open = self.open.entry(org.clone()).or_default();
        if attempt.is_open() {
            open.insert(attempt.jti);
        } else {
            open.remove(&attempt.jti);
        }
        self.attempts_of.entry((org.clone(), attempt.revision)).or_default().insert(attempt.number, attempt.jti);
        self.attempts.insert((org.clone(), attempt.jti), attempt);
    }

    pub(super) fn view(&self, row: &RevisionRow) -> RevisionView {
        let (org, id) = (&row.revision.org, row.revision.id);
        let open = self.attempts_of(org, id).find(|a| a.is_open());
        RevisionView {
            attempt: open.or_else(|| self.attempts_of(org, id).next_back()).cloned(),
            revision: row.revision.clone(),
            delivery_digest: row.delivery_digest,
        }
    }

    pub(super) fn deployment_view(row: &DeploymentRow) -> Option<DeploymentView> {
        let d = &row.deployment;
        Some(DeploymentView {
            newest: row.revisions.get(&d.newest_number)?.revision.clone(),
            current: row.revisions.get(&d.current_number).map(|r| r.revision.clone()),
            deployment: d.clone(),
        })
    }

    /// Forgets what is past its retention; answers the number of rows.
    pub(super) fn purge(&mut self, now: Timestamp, options: &MemoryOptions) -> u64 {
        let before = self.idempotency.len();
        let cutoff = now.minus(options.idempotency_ttl);
        self.idempotency.retain(|_, record| record.created_at >= cutoff);
        let mut purged = before.saturating_sub(self.idempotency.len());
        let cutoff = now.minus(options.keep_deleted);
        let old = self.deployments.iter().filter(|(_, row)| row.deleted_at.is_some_and(|at| at < cutoff));
        let old: Vec<DeploymentRef> = old.map(|(key, _)| key.clone()).collect();
        for key in old {
            purged = purged.saturating_add(self.purge_deployment(&key));
        }
        u64::try_from(purged).unwrap_or(u64::MAX)
    }

    fn purge_deployment(&mut self, key: &DeploymentRef) -> usize {
        let Some(row) = self.deployments.remove(key) else { return 0 };
        let mut purged = row.events.len().saturating_add(row.revisions.len()).saturating_add(1);
        for id in row.revisions.into_values().map(|r| r.revision.id) {
            self.places.remove(&(key.org.clone(), id));
            for jti in self.attempts_of.remove(&(key.org.clone(), id)).unwrap_or_default().into_values() {
                self.attempts.remove(&(key.org.clone(), jti));
                purged = purged.saturating_add(1);
            }
            for source in [LogSource::Build, LogSource::Rollout] {
                let kept = self.logs.remove(&(key.org.clone(), id, source)).is_some();
                purged = purged.saturating_add(usize::from(kept));
            }
        }
        purged
    }

    pub(super) fn peek(&self, peek: &mut Peek) {
        for row in self.deployments.values() {
            let d = &row.deployment;
            peek.deployments.extend(row.deleted_at.is_none().then(|| DeploymentPeek {
                org: d.org.clone(),
                id: d.id,
                version: d.version,
                current_number: d.current_number,
                newest_number: d.newest_number,
            }));
            peek.revisions.extend(row.revisions.values().map(|r| RevisionPeek {
                org: d.org.clone(),
                deployment: d.id,
                id: r.revision.id,
                number: r.revision.number.get(),
                state: r.revision.state,
                version: r.revision.version,
                finished: r.revision.finished_at.is_some(),
            }));
            peek.events.extend(row.events.iter().map(|e| EventPeek {
                org: d.org.clone(),
                deployment: d.id,
                seq: e.seq,
                kind: e.kind,
                revision: e.revision,
            }));
        }
        peek.attempts.extend(self.attempts.iter().map(|((org, jti), a)| AttemptPeek {
            org: org.clone(),
            revision: a.revision,
            jti: *jti,
            number: a.number,
            open: a.is_open(),
        }));
        peek.idempotency = self.idempotency.len();
    }
}
