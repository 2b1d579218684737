//! Follows a deployment through the routes: its timeline as it grows, its revisions until they end.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use zopnight_core::domain::Timestamp;

use crate::client::{Answer, Broken};
use crate::report::{Report, took};
use crate::stop::Stop;
use crate::wire::{Data, Event, Refused, Revision};
use crate::world::World;

/// Between looks at the timeline.
const LOOK: Duration = Duration::from_millis(100);

/// One deployment, as far as it has been seen.
#[derive(Debug)]
pub(crate) struct Timeline<'w> {
    world: &'w World,
    report: &'w Report,
    deployment: String,
    seen: u64,
    numbers: BTreeMap<String, u32>,
    lines: Vec<(Option<String>, String)>,
    deploying: BTreeMap<String, Timestamp>,
    rollouts: BTreeMap<String, u64>,
    ended: BTreeMap<u32, Revision>,
}

impl<'w> Timeline<'w> {
    pub(crate) fn of(world: &'w World, report: &'w Report, deployment: String) -> Self {
        Self {
            world,
            report,
            deployment,
            seen: 0,
            numbers: BTreeMap::new(),
            lines: Vec::new(),
            deploying: BTreeMap::new(),
            rollouts: BTreeMap::new(),
            ended: BTreeMap::new(),
        }
    }

    /// Tells the timeline until the revision has ended.
    pub(crate) async fn end_of(&mut self, revision: &str) -> Result<Revision, Stop> {
        loop {
            let now = self.revision(revision).await?;
            self.tell().await?;
            if now.is_terminal() {
                self.ended.insert(now.number, now.clone());
                return Ok(now);
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// The same; a revision that does not succeed is a failure, told with its timeline.
    pub(crate) async fn success_of(&mut self, revision: &str) -> Result<Revision, Stop> {
        let ended = self.end_of(revision).await?;
        if ended.state == "succeeded" {
            return Ok(ended);
        }
        self.report.complain(&format!("the timeline of revision {}:", ended.number));
        for (of, line) in &self.lines {
            if of.as_deref() == Some(revision) {
                self.report.complain(&format!("  {line}"));
            }
        }
        for line in self.world.builder.last_lines(revision) {
            self.report.complain(&format!("  | {line}"));
        }
        if ended.reason.as_ref().is_some_and(|r| r.code == "nothing_to_build") {
            self.report.complain("add a Dockerfile, or name the app's own directory: --repo PATH/TO/APP");
        }
        let why = ended.reason.as_ref().map(|r| format!(": {} ({})", r.message, r.code)).unwrap_or_default();
        let how = match ended.state.as_str() {
            "superseded" | "cancelled" => format!("was {}", ended.state),
            _ => ended.state.replace('_', " "),
        };
        Err(Stop::Failed(format!("revision {} {how}{why}", ended.number)))
    }

    /// The revision of this number, which exists.
    pub(crate) async fn numbered(&self, number: u32) -> Result<Revision, Stop> {
        let path = format!("/deployments/{}/revisions?sort=number&limit=100", self.deployment);
        let all: Vec<Revision> = expect(200, self.world.api("GET", &path, None).await)?;
        let found = all.into_iter().find(|r| r.number == number);
        found.ok_or_else(|| Stop::Failed(format!("there is no revision {number}")))
    }

    /// Tells what is new.
    pub(crate) async fn tell(&mut self) -> Result<(), Stop> {
        loop {
            let path = format!("/deployments/{}/events?sort=seq&limit=100&after={}", self.deployment, self.seen);
            let items: Vec<Value> = expect(200, self.world.api("GET", &path, None).await)?;
            let more = items.len() >= 100;
            for item in items {
                self.report.event(&item);
                let event: Event =
                    serde_json::from_value(item).map_err(|e| Stop::Failed(format!("an event cannot be read: {e}")))?;
                self.seen = event.seq;
                self.line(&event).await?;
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// What the summary says of the revisions that ended.
    pub(crate) fn summary(&self) -> Vec<Value> {
        let one = |r: &Revision| {
            json!({
                "number": r.number, "id": r.id, "cause": r.cause.kind, "state": r.state, "commit": r.commit.sha,
                "imageRef": r.build.image_ref, "buildMs": r.build.duration_ms, "rolloutMs": self.rollouts.get(&r.id),
            })
        };
        self.ended.values().map(one).collect()
    }

    /// The same for people.
    pub(crate) fn table(&self) -> Vec<String> {
        let time = |ms: Option<u64>| ms.map_or_else(|| "-".to_owned(), took);
        let one = |r: &Revision| {
            let (build, rollout) = (time(r.build.duration_ms), time(self.rollouts.get(&r.id).copied()));
            let image = r.digest().and_then(|d| d.get(..19)).unwrap_or("no image");
            format!("rev {:<3} {:<9} {:<11} build {build:<7} rollout {rollout:<7} {image}", r.number, r.cause.kind, r.state)
        };
        self.ended.values().map(one).collect()
    }

    async fn line(&mut self, event: &Event) -> Result<(), Stop> {
        let who = match &event.revision {
            Some(id) => format!("rev {}", self.number(id).await?),
            None => "-".to_owned(),
        };
        let kind = event.kind.strip_prefix("revision.").unwrap_or(&event.kind);
        let extra = self.extra(event).await?;
        let line = format!("{who:<6} {kind:<22} {}{extra}", event.message);
        self.report.timed(line.trim_end());
        self.lines.push((event.revision.clone(), line));
        Ok(())
    }

    /// What is worth knowing at a milestone: the image and how long it took.
    async fn extra(&mut self, event: &Event) -> Result<String, Stop> {
        let Some(id) = &event.revision else { return Ok(String::new()) };
        let at = Timestamp::parse(&event.at).ok();
        match event.kind.as_str() {
            "revision.built" => {
                let revision = self.revision(id).await?;
                let time = revision.build.duration_ms.map(|ms| format!("  (build {})", took(ms))).unwrap_or_default();
                Ok(format!("  {}{time}", revision.build.image_ref.unwrap_or_default()))
            }
            "revision.deploying" => {
                if let Some(at) = at {
                    self.deploying.insert(id.clone(), at);
                }
                Ok(String::new())
            }
            "revision.succeeded" => {
                let time = self.deploying.get(id).zip(at).map(|(from, to)| to.since(*from).as_millis());
                let time = time.and_then(|ms| u64::try_from(ms).ok());
                if let Some(time) = time {
                    self.rollouts.insert(id.clone(), time);
                }
                Ok(time.map(|ms| format!("  (rollout {})", took(ms))).unwrap_or_default())
            }
            _ => Ok(String::new()),
        }
    }

    async fn number(&mut self, id: &str) -> Result<u32, Stop> {
        if let Some(number) = self.numbers.get(id) {
            return Ok(*number);
        }
        let number = self.revision(id).await?.number;
        self.numbers.insert(id.to_owned(), number);
        Ok(number)
    }

    async fn revision(&self, id: &str) -> Result<Revision, Stop> {
        let path = format!("/deployments/{}/revisions/{id}", self.deployment);
        expect(200, self.world.api("GET", &path, None).await)
    }
}

/// The data of an answer with this status.
pub(crate) fn expect<T: DeserializeOwned>(status: u16, answer: Result<Answer, Broken>) -> Result<T, Stop> {
    let answer = answer.map_err(|e| Stop::Failed(e.to_string()))?;
    if answer.status == status {
        return answer.json::<Data<T>>().map(|d| d.data).map_err(|e| Stop::Failed(e.to_string()));
    }
    let said = match answer.json::<Refused>() {
        Ok(refused) => format!("{} ({})", refused.error.message, refused.error.code),
        Err(_) => "no reason was given".to_owned(),
    };
    Err(Stop::Failed(format!("answered {} instead of {status}: {said}", answer.status)))
}
