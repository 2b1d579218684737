//! Timeline, logs, malformed changes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::domain::{
    DeploymentOp, EventKind, EventQuery, EventValue, LogSource, LogTail, NewEvent, PageRequest, RevisionChange, RevisionLog,
    RevisionMove, RevisionOp, RevisionPatch, RevisionState,
};
use crate::error::ErrorKind;
use crate::ports::Store;
use crate::testing::hook::Act;
use crate::testing::suites::fixtures::{
    deployment_id, image, new_deployment, new_revision, org, plain_job, revision_id, step, told,
};
use crate::testing::suites::harness::StoreHarness;
use crate::testing::suites::stepper::meanwhile;
use crate::testing::suites::store::{App, Kit, committed};

fn note(text: &str) -> NewEvent {
    NewEvent::new(EventKind::ImageResolved, text)
}

/// 16 writers, 1,008 events of four revisions: numbers without gaps, in the order of commits.
pub async fn events_dense_under_concurrency(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let mut revisions = vec![app.first];
    for n in 2..5 {
        revisions.push(kit.push(&app, n).await);
    }
    let first = kit.events(&app).await.len();
    let writers: Vec<_> = (0..16)
        .map(|n| {
            let store = if n % 2 == 0 { h.store() } else { h.other() };
            let (app, revision) = (app.clone(), revisions[n % 4]);
            tokio::spawn(async move {
                let mut given = Vec::new();
                for _ in 0..21 {
                    let events = (0..3).map(|i| note(&format!("{n}/{i}")).of(revision));
                    let change = events.fold(app.change(), RevisionChange::with_event);
                    let done = committed(store.apply(change).await.expect("a change is answered"));
                    given.extend(done.events);
                }
                given
            })
        })
        .collect();
    let mut given = Vec::new();
    for writer in writers {
        let mine = writer.await.expect("a writer ends");
        assert!(mine.is_sorted(), "a writer's own commits are in order");
        given.extend(mine);
    }
    given.sort_unstable();
    assert!(given.iter().all(|(from, to)| to - from == 2));
    let events = kit.events(&app).await;
    assert_eq!(events.len(), first + 1_008);
    assert!(events.iter().map(|e| e.seq).eq(1..=events.len() as u64));
    assert!(events.is_sorted_by_key(|e| e.at), "by the store's clock, too");
    for (from, to) in given {
        let one = events.iter().filter(|e| (from..=to).contains(&e.seq));
        let texts: Vec<_> =
            one.map(|e| e.message.rsplit_once('/').map(|(writer, i)| (writer.to_owned(), i.to_owned()))).collect();
        let writer = texts[0].as_ref().map(|(writer, _)| writer.clone());
        assert!(
            texts.iter().zip(["0", "1", "2"]).all(|(t, i)| *t == writer.clone().map(|w| (w, i.to_owned()))),
            "{texts:?}"
        );
    }
}

/// Two changes of one deployment beside each other, one of which stands at each of its points in turn: each gets a run of
/// numbers of its own, in the order of their commits.
pub async fn events_dense_at_every_point(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let tell = |n: usize| {
        let change = (0..n).map(|_| note("x").of(app.first)).fold(app.change(), RevisionChange::with_event);
        move |store: Arc<dyn Store>| async move {
            committed(store.apply(change).await.expect("a change is answered")).events.expect("events")
        }
    };
    let mut next = 3;
    for at in 0.. {
        let Some(both) = meanwhile(h, at, Act::Go, tell(2), tell(3)).await else { break };
        let runs = [(next, next + 1), (next + 2, next + 4)];
        let other = [(next + 3, next + 4), (next, next + 2)];
        let given = [both.first, both.second];
        assert!(given == runs || given == other, "{given:?} {:?}", both.at);
        let first_won = both.first.0 == next;
        assert!(!both.overtook || first_won == both.at.is_committed(), "{given:?} {:?}", both.at);
        next += 5;
    }
}

/// A reader that asks for what is after its last event misses none that is written meanwhile.
pub async fn events_tail_misses_nothing(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let written = Arc::new(AtomicBool::new(false));
    let writers: Vec<_> = (0..4)
        .map(|n| {
            let (store, app) = (if n % 2 == 0 { h.store() } else { h.other() }, app.clone());
            tokio::spawn(async move {
                for i in 0..25 {
                    let change = app.change().with_event(note(&format!("{n}-{i}")));
                    committed(store.apply(change).await.expect("a change is answered"));
                }
            })
        })
        .collect();
    let (store, done, tail) = (h.other(), Arc::clone(&written), app.clone());
    let reader = tokio::spawn(async move {
        let mut seen = Vec::new();
        loop {
            let last = done.load(Ordering::SeqCst);
            let after = Some(seen.last().copied().unwrap_or(0));
            let query = EventQuery { page: PageRequest { page: 1, limit: 7 }, newest_first: false, after };
            let page = store.events(&tail.org, tail.id, &query).await.expect("the events are there");
            assert!(page.total.is_none() && page.items.len() <= 7);
            seen.extend(page.items.iter().map(|e| e.seq));
            if last && page.items.is_empty() {
                return seen;
            }
            tokio::task::yield_now().await;
        }
    });
    for writer in writers {
        writer.await.expect("a writer ends");
    }
    written.store(true, Ordering::SeqCst);
    assert!(reader.await.expect("the reader ends").into_iter().eq(1..=102));
}

/// Events come back as they were written; long messages are cut where they are made, and refused by the store.
pub async fn event_limits_cut(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let event = note(&"é".repeat(2_000)).of(app.first).with("count", 7).with("ok", true).with("text", "a\u{1F600}");
    kit.commit(app.change().with_event(event.clone())).await;
    let kept = kit.events(&app).await.pop().expect("the event is there");
    assert!(kept.message.len() <= NewEvent::MAX_MESSAGE && kept.message.ends_with('…'));
    assert_eq!((&kept.message, &kept.data, &kept.actor), (&event.message, &event.data, &event.actor));
    assert_eq!(kept.data.get("count"), Some(&EventValue::Integer(7)));
    let mut long = note("x");
    long.message = "x".repeat(NewEvent::MAX_MESSAGE + 1);
    let mut wide = note("x");
    wide.data.insert("text".to_owned(), EventValue::Text("x".repeat(NewEvent::MAX_DATA)));
    let many = (0..101).map(|_| note("x")).fold(app.change(), RevisionChange::with_event);
    let before = h.peek().await;
    for change in [app.change().with_event(long), app.change().with_event(wide), many] {
        assert_eq!(kit.store.apply(change).await.expect_err("over the limits").kind(), ErrorKind::Invalid);
    }
    assert_eq!(h.peek().await, before);
    let data = "x".repeat(NewEvent::MAX_DATA - r#"{"text":""}"#.len());
    let hundred =
        (0..99).map(|_| note("x")).fold(app.change().with_event(note("x").with("text", data)), RevisionChange::with_event);
    assert_eq!(kit.commit(hundred).await.events, Some((4, 103)));
}

/// Past 500 events of a revision only its end is told.
pub async fn event_cap_of_a_revision(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let hundred = || (0..100).map(|_| note("x").of(app.first)).fold(app.change(), RevisionChange::with_event);
    for _ in 0..5 {
        kit.commit(hundred()).await;
    }
    assert_eq!(kit.events(&app).await.len(), 501, "500 of the revision, one of the deployment");
    assert_eq!(kit.commit(hundred()).await.events, None);
    assert_eq!(kit.commit(app.change().with_event(note("of the deployment"))).await.events, Some((502, 502)));
    kit.go(&app, app.first, &[RevisionState::Failed]).await;
    let last = kit.events(&app).await.pop().expect("an event");
    assert_eq!((last.seq, last.kind), (503, EventKind::RevisionFailed));
}

fn logged(app: &App, source: LogSource, tail: LogTail) -> RevisionChange {
    app.change().with_log(RevisionLog { revision: app.first, source, tail })
}

/// A log tail replaces the one before, and each source has its own.
pub async fn log_tail_replaced(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let tail = |line: &str, complete| LogTail { lines: vec![line.to_owned(), String::new()], truncated: true, complete };
    let read = async |source| kit.store.log(&app.org, app.first, source).await.expect("the log is read");
    assert_eq!(read(LogSource::Build).await, None);
    kit.commit(logged(&app, LogSource::Build, tail("one", false))).await;
    kit.commit(logged(&app, LogSource::Rollout, tail("other", false))).await;
    kit.commit(logged(&app, LogSource::Build, tail("two \u{1F600}", true))).await;
    assert_eq!(read(LogSource::Build).await, Some(tail("two \u{1F600}", true)));
    assert_eq!(read(LogSource::Rollout).await, Some(tail("other", false)));
    assert_eq!(kit.store.log(&app.org, revision_id(), LogSource::Build).await.expect("the log is read"), None);
}

/// A log has at most 1 MiB, 2,000 lines, 4 KiB a line.
pub async fn log_limit_1mib(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let tail =
        |lines: usize, bytes: usize| LogTail { lines: vec!["x".repeat(bytes); lines], truncated: false, complete: true };
    for over in [tail(2_001, 1), tail(1, 4_097), tail(257, 4_095)] {
        let error = kit.store.apply(logged(&app, LogSource::Build, over)).await.expect_err("over the limits");
        assert_eq!(error.kind(), ErrorKind::Invalid);
    }
    let largest = tail(256, 4_095);
    kit.commit(logged(&app, LogSource::Build, largest.clone())).await;
    let read = kit.store.log(&app.org, app.first, LogSource::Build).await.expect("the log is read");
    assert_eq!(read, Some(largest));
}

/// Each malformed change is refused whole.
pub async fn invalid_changes(h: &dyn StoreHarness) {
    let kit = Kit::of(h);
    let app = kit.app(&org("a"), "shop").await;
    let view = kit.view(&app, app.first).await;
    let going = || step(&view, RevisionState::Building, RevisionPatch::default());
    let from_end = RevisionMove {
        id: app.first,
        version: view.revision.version,
        from: RevisionState::Failed,
        to: RevisionState::Queued,
        patch: RevisionPatch::default(),
    };
    let mut built = new_revision(revision_id(), 2);
    (built.state, built.image) = (RevisionState::Deploying, Some(image(1)));
    let orphan = RevisionChange::new(org("a"), deployment_id());
    let changes = [
        app.change().with_revision(step(&view, RevisionState::Queued, RevisionPatch::default())),
        app.change().with_revision(RevisionOp::Move(Box::new(from_end))),
        app.change().with_revision(going()).with_revision(going()),
        app.change().with_deployment(DeploymentOp::Gone),
        (0..101).map(|_| plain_job(&app.org)).fold(app.change(), RevisionChange::with_follow_up),
        app.change().with_revision(RevisionOp::Create(Box::new(built))),
        orphan.with_deployment(DeploymentOp::Create(Box::new(new_deployment("other")))),
    ];
    let before = h.peek().await;
    for (n, change) in changes.into_iter().enumerate() {
        let change = change.with_event(told(app.first, RevisionState::Queued));
        let error = kit.store.apply(change).await.expect_err("the change is malformed");
        assert_eq!(error.kind(), ErrorKind::Invalid, "change {n}");
    }
    assert_eq!(h.peek().await, before);
    let hundred = (0..100).map(|_| plain_job(&app.org)).fold(app.change(), RevisionChange::with_follow_up);
    assert_eq!(kit.commit(hundred).await.enqueued.len(), 100);
}
