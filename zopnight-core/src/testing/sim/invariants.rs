//! What holds of a deployment when the world is at rest.

use std::collections::BTreeMap;

use super::world::World;
use crate::domain::{
    DeploymentId, EventKind, EventQuery, PageRequest, ReleaseRef, RevisionId, RevisionQuery, RevisionSort, RevisionState,
};

impl World {
    /// The timeline of a deployment, oldest first.
    ///
    /// # Panics
    /// If the store does not answer.
    pub async fn timeline(&self, id: DeploymentId) -> Vec<crate::domain::Event> {
        let mut events = Vec::new();
        loop {
            let after = events.last().map_or(0, |e: &crate::domain::Event| e.seq);
            let query = EventQuery { page: PageRequest { page: 1, limit: 100 }, newest_first: false, after: Some(after) };
            let page = self.store.events(&self.org, id, &query).await.expect("the store answers").items;
            if page.is_empty() {
                return events;
            }
            events.extend(page);
        }
    }
}

/// Checks a deployment of the world's tenant at rest: every revision is terminal, numbers and events have no gap, the states told by the
/// timeline are the rows' states, no attempt was dispatched twice, no run is alive, and what runs in the cluster is what the catalog says
/// serves, by a digest that was resolved.
///
/// # Panics
/// If one of these does not hold.
pub async fn check_at_rest(world: &World, id: DeploymentId) {
    let query =
        RevisionQuery { page: PageRequest { page: 1, limit: 100 }, sort: RevisionSort::NumberAscending, state: None };
    let view = world.store.deployment(&world.org, id).await.expect("the deployment is there");
    let revisions = world.store.revisions(&world.org, id, &query).await.expect("its revisions are there").items;
    let numbers: Vec<u32> = revisions.iter().map(|r| r.revision.number.get()).collect();
    assert_eq!(numbers, (1..=view.deployment.newest_number).collect::<Vec<_>>(), "revision numbers have no gap");
    for view in &revisions {
        let revision = &view.revision;
        assert!(revision.state.is_terminal(), "revision {} rests in {:?}", revision.number, revision.state);
        assert_eq!(revision.finished_at.is_some(), revision.state.is_terminal(), "finished_at tells of the end");
        for attempt in world.store.attempts(&world.org, revision.id).await.expect("its attempts are there") {
            let sent = world.dispatcher.dispatches(revision.id, attempt.number);
            assert!(sent <= 1, "attempt {} of revision {} was dispatched {sent} times", attempt.number, revision.number);
            assert!(!attempt.is_open(), "attempt {} of revision {} is open", attempt.number, revision.number);
        }
    }
    assert!(world.dispatcher.live().is_empty(), "runs are alive at rest: {:?}", world.dispatcher.live());
    check_timeline(world, id, &revisions.iter().map(|r| (r.revision.id, r.revision.state)).collect()).await;
    let deployment = &view.deployment;
    let release = ReleaseRef::of(&world.org, id, &deployment.name, &deployment.target);
    match (&view.current, world.applier.running(&release)) {
        (Some(current), Some(running)) => {
            let image = current.image.as_ref().expect("what serves has an image");
            assert_eq!(running.image, *image, "the cluster runs the image of the revision that serves");
            assert!(image.repository == deployment.target.image_repository, "in the allotted repository");
        }
        (None, None) => {}
        (current, running) => panic!("the catalog says {current:?} serves, the cluster runs {running:?}"),
    }
}

/// Events are numbered without a gap, and folded they give the states of the rows; nothing comes after a revision's end but notes.
async fn check_timeline(world: &World, id: DeploymentId, states: &BTreeMap<RevisionId, RevisionState>) {
    let events = world.timeline(id).await;
    let seqs: Vec<u64> = events.iter().map(|e| e.seq).collect();
    assert_eq!(seqs, (1..=events.len() as u64).collect::<Vec<_>>(), "events have no gap");
    let mut told: BTreeMap<RevisionId, RevisionState> = BTreeMap::new();
    for event in &events {
        let (Some(revision), Some(state)) = (event.revision, state_of(event.kind)) else { continue };
        let before = told.insert(revision, state);
        assert!(before.is_none_or(|s| !s.is_terminal()), "revision {revision} left {before:?} for {state:?}");
        assert!(before != Some(state), "revision {revision} became {state:?} twice");
    }
    assert_eq!(&told, states, "the timeline tells the states of the rows");
}

const fn state_of(kind: EventKind) -> Option<RevisionState> {
    Some(match kind {
        EventKind::RevisionQueued => RevisionState::Queued,
        EventKind::RevisionBuilding => RevisionState::Building,
        EventKind::RevisionBuilt => RevisionState::Built,
        EventKind::RevisionDeploying => RevisionState::Deploying,
        EventKind::RevisionSucceeded => RevisionState::Succeeded,
        EventKind::RevisionFailed => RevisionState::Failed,
        EventKind::RevisionSuperseded => RevisionState::Superseded,
        EventKind::RevisionCancelled => RevisionState::Cancelled,
        EventKind::RevisionTimedOut => RevisionState::TimedOut,
        _ => return None,
    })
}
