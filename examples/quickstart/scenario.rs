//! The seven steps, each of them a check.

use std::path::Path;

use serde::Serialize;
use serde_json::{Value, json};
use zopnight_core::domain::{AppName, DeliveryId, DeploymentId};

use crate::cluster;
use crate::report::Report;
use crate::seed::{Planted, Seed, Step};
use crate::stop::Stop;
use crate::timeline::{Timeline, expect};
use crate::webhook::Push;
use crate::wire::{Analysis, Branch, Deployment, Evidence, Hooked, Made, Named, Repository, Revision};
use crate::world::{SPACE, World, random_secret};

/// What the run came to; the last object of `--json`.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Summary {
    ok: bool,
    revisions: Vec<Value>,
    duplicates: u32,
    refused: u32,
    pub(crate) deployment: Deployed,
    paths: Value,
}

#[derive(Clone, Debug, Serialize)]
pub(crate) struct Deployed {
    pub(crate) id: String,
    name: String,
}

struct Scenario<'w> {
    world: &'w World,
    report: &'w Report,
    planted: Planted,
}

/// Runs all steps. `kept` says whether what lies on disk outlives the run.
pub(crate) async fn run(world: &World, report: &Report, seed: &Seed, race: bool, kept: bool) -> Result<Summary, Stop> {
    let earlier: Vec<Named> = expect(200, world.api("GET", "/deployments?limit=100", None).await)?;
    cancel_unfinished(world, report, &earlier).await?;
    let taken: Vec<String> = earlier.into_iter().map(|d| d.name).collect();
    let planted = seed.plant(&world.forge, &taken).await?;
    let scenario = Scenario { world, report, planted };

    scenario.look().await?;
    let made = scenario.create().await?;
    let mut timeline = Timeline::of(world, report, made.deployment.id.clone());
    let first = timeline.success_of(&made.revision.id).await?;

    let (delivery, push) = scenario.push(&mut timeline, &made.deployment.id, race).await?;
    let duplicates = scenario.repeat(&delivery, &push).await?;
    let rolled = scenario.roll_back(&mut timeline, &made.deployment.id, &first).await?;
    let refused = scenario.forge_callback().await?;
    timeline.tell().await?;
    scenario.check_serving(&made.deployment.id, &rolled).await?;

    let paths = &world.paths;
    let release = scenario.release_dir(&made.deployment.id)?;
    report.say("");
    report.say("7. summary");
    timeline.table().iter().for_each(|line| report.say(&format!("   {line}")));
    let gone = if kept { "" } else { "  (removed at the end; --keep or --work-dir DIR keeps it)" };
    report.say(&format!("   manifests     {}{gone}", release.display()));
    report.say(&format!("   image layout  {}{gone}", paths.images.display()));
    report.say(&format!("   repository    {}{gone}", scenario.planted.git.dir().display()));
    let database = paths.database.as_ref().map_or_else(|| "in memory".to_owned(), |p| p.display().to_string());
    report.say(&format!("   database      {database}"));
    Ok(Summary {
        ok: true,
        revisions: timeline.summary(),
        duplicates,
        refused,
        deployment: Deployed { id: made.deployment.id, name: scenario.planted.app.to_string() },
        paths: json!({
            "work": text(&paths.work), "manifests": text(&paths.manifests), "release": text(&release),
            "images": text(&paths.images), "repository": text(scenario.planted.git.dir()),
            "database": paths.database.as_deref().map(text),
        }),
    })
}

/// A run that was killed leaves builds that no builder has any more; they would hold their places until their deadline.
async fn cancel_unfinished(world: &World, report: &Report, earlier: &[Named]) -> Result<(), Stop> {
    for deployment in earlier {
        for state in ["queued", "building"] {
            let path = format!("/deployments/{}/revisions?state={state}", deployment.id);
            let unfinished: Vec<Revision> = expect(200, world.api("GET", &path, None).await)?;
            for revision in unfinished {
                let path = format!("/deployments/{}/revisions/{}/cancel", deployment.id, revision.id);
                let _: Revision = expect(200, world.api("POST", &path, None).await)?;
                let (number, name) = (revision.number, &deployment.name);
                report.say(&format!("revision {number} of {name} was left unfinished by an earlier run: cancelled"));
            }
        }
    }
    Ok(())
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

impl Scenario<'_> {
    /// Step 1: the forge's repositories and branches, and what the app is.
    async fn look(&self) -> Result<(), Stop> {
        let (repo, branch) = (&self.planted.repo, self.planted.branch.as_str());
        let listed: Vec<Repository> = expect(200, self.world.api("GET", "/repositories", None).await)?;
        let here = |r: &&Repository| r.owner == repo.owner.as_str() && r.repo == repo.name.as_str();
        let found = listed.iter().find(here).ok_or_else(|| Stop::Failed(format!("{repo} is not listed")))?;
        let path = format!("/branches?integrationID={}&owner={}&repo={}", repo.integration, repo.owner, repo.name);
        let branches: Vec<Branch> = expect(200, self.world.api("GET", &path, None).await)?;
        let head = self.planted.head().await?;
        if !branches.iter().any(|b| b.name == branch && b.sha == head.as_str()) {
            return Err(Stop::Failed(format!("branch {branch} of {repo} is not listed at {head}")));
        }
        let default = found.default_branch.as_deref().unwrap_or("none");
        self.report.say(&format!("1. {repo}, default branch {default}; {branch} is at {}", head.short()));
        let body = json!({
            "integrationID": repo.integration, "owner": repo.owner, "repo": repo.name,
            "branch": branch, "rootPath": self.planted.root.as_str(),
        });
        let analysis = expect(200, self.world.api("POST", "/analyze", Some(&body)).await)?;
        analysis_lines(&analysis).iter().for_each(|line| self.report.say(&format!("   {line}")));
        Ok(())
    }

    /// Step 2: a deployment and its first revision.
    async fn create(&self) -> Result<Made, Stop> {
        let repo = &self.planted.repo;
        let body = json!({
            "name": self.planted.app,
            "source": {
                "integrationID": repo.integration, "owner": repo.owner, "repo": repo.name,
                "branch": self.planted.branch, "rootPath": self.planted.root.as_str(),
            },
            "target": {"spaceID": SPACE},
        });
        self.report.say(&format!("2. create deployment {}", self.planted.app));
        expect(201, self.world.api("POST", "/deployments", Some(&body)).await)
    }

    /// Step 3: one commit and its webhook, or two at once. Answers the newest delivery.
    async fn push(&self, timeline: &mut Timeline<'_>, deployment: &str, race: bool) -> Result<(String, Push), Stop> {
        self.report.say(if race { "3. push two commits at once" } else { "3. push a commit" });
        let first = self.deliver(&self.planted.step(1).await?).await?;
        let newest = if race { self.deliver(&self.planted.step(2).await?).await? } else { first };
        let number = if race { 3 } else { 2 };
        if race {
            let overtaken = timeline.numbered(2).await?;
            let ended = timeline.end_of(&overtaken.id).await?;
            if !matches!(ended.state.as_str(), "superseded" | "succeeded") {
                return Err(Stop::Failed(format!("revision 2 is {}, neither superseded nor succeeded", ended.state)));
            }
        }
        let pushed = timeline.numbered(number).await?;
        let pushed = timeline.success_of(&pushed.id).await?;
        self.check_serving(deployment, &pushed).await?;
        Ok(newest)
    }

    async fn deliver(&self, step: &Step) -> Result<(String, Push), Stop> {
        let push = Push {
            repo: self.planted.repo.clone(),
            branch: self.planted.branch.clone(),
            before: step.before.clone(),
            after: step.after.clone(),
            message: step.message.clone(),
        };
        let id: String = random_secret().expose().chars().take(32).collect();
        let delivery = DeliveryId::parse(&id)?.to_string();
        let hooked: Hooked = expect(202, self.world.deliver(&delivery, &push).await)?;
        if (hooked.outcome.as_str(), hooked.revisions) != ("accepted", 1) {
            let Hooked { outcome, revisions } = hooked;
            return Err(Stop::Failed(format!("the webhook was {outcome} with {revisions} revisions, not accepted with 1")));
        }
        Ok((delivery, push))
    }

    /// Step 4: the same delivery again.
    async fn repeat(&self, delivery: &str, push: &Push) -> Result<u32, Stop> {
        let hooked: Hooked = expect(202, self.world.deliver(delivery, push).await)?;
        if hooked.outcome != "duplicate" {
            return Err(Stop::Failed(format!("a repeated webhook was {}, not duplicate", hooked.outcome)));
        }
        self.report.say("4. the same webhook again: duplicate, nothing written");
        Ok(1)
    }

    /// Step 5: back to revision 1, without a build.
    async fn roll_back(&self, timeline: &mut Timeline<'_>, deployment: &str, to: &Revision) -> Result<Revision, Stop> {
        self.report.say(&format!("5. roll back to revision {}", to.number));
        let builds = self.world.builder.dispatched();
        let path = format!("/deployments/{deployment}/rollback");
        let made: Revision = expect(201, self.world.api("POST", &path, Some(&json!({"number": to.number}))).await)?;
        let ended = timeline.success_of(&made.id).await?;
        self.check_serving(deployment, &ended).await?;
        if ended.digest() != to.digest() {
            return Err(Stop::Failed(format!("revision {} does not have the digest of {}", ended.number, to.number)));
        }
        if self.world.builder.dispatched() != builds {
            return Err(Stop::Failed("the rollback dispatched a build".to_owned()));
        }
        Ok(ended)
    }

    /// Step 6: the newest callback with one character of its token's signature altered.
    async fn forge_callback(&self) -> Result<u32, Stop> {
        let sent = self.world.builder.last_callback();
        let sent = sent.ok_or_else(|| Stop::Failed("no build was ever dispatched".to_owned()))?;
        let token = altered(sent.token.expose());
        let body = json!({"jwt": token, "status": "cancelled"});
        let answer = self.world.call_back(&format!("/build-callbacks/{}", sent.revision), &body).await;
        let status = answer.map_err(|e| Stop::Failed(e.to_string()))?.status;
        if status != 401 {
            return Err(Stop::Failed(format!("a forged callback was answered {status}, not 401")));
        }
        self.report.say("6. a forged build callback: refused 401");
        Ok(1)
    }

    /// The routes and the manifests both say that this revision serves.
    async fn check_serving(&self, deployment: &str, revision: &Revision) -> Result<(), Stop> {
        let path = format!("/deployments/{deployment}");
        let now: Deployment = expect(200, self.world.api("GET", &path, None).await)?;
        if now.current.as_deref() != Some(&revision.id) {
            return Err(Stop::Failed(format!("revision {} succeeded but does not serve", revision.number)));
        }
        let manifests = cluster::current(&self.release_dir(deployment)?).unwrap_or_default();
        if revision.digest().is_none_or(|digest| !manifests.contains(digest)) {
            return Err(Stop::Failed(format!("the manifests do not hold the image of revision {}", revision.number)));
        }
        Ok(())
    }

    fn release_dir(&self, deployment: &str) -> Result<std::path::PathBuf, Stop> {
        let app: &AppName = &self.planted.app;
        Ok(cluster::release_dir(&self.world.paths.manifests, app, DeploymentId::parse(deployment)?))
    }
}

/// The token with another first character of its signature.
fn altered(token: &str) -> String {
    let (signed, signature) = token.rsplit_once('.').unwrap_or(("", token));
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    let rest: String = signature.chars().skip(1).collect();
    format!("{signed}.{first}{rest}")
}

fn analysis_lines(a: &Analysis) -> Vec<String> {
    let or = |value: Option<String>, none: &str| value.unwrap_or_else(|| none.to_owned());
    let port = or(a.suggested_port.map(|p| p.to_string()), "unknown");
    let health = or(a.suggested_health_path.clone(), "unknown");
    let builder =
        a.dockerfile.as_ref().map_or("no Dockerfile".to_owned(), |d| format!("{d} in context {}", a.build_context));
    let what = [or(a.language.clone(), "unknown language"), or(a.framework.clone(), "no framework")].join(", ");
    let mut lines = vec![format!("{what}; port {port}, health {health}; {builder}")];
    let used = |e: &&Evidence| e.used;
    for e in a.evidence.iter().filter(used) {
        let place = match (&e.file, e.line) {
            (Some(file), Some(line)) => format!("{file}:{line}"),
            (Some(file), None) => file.clone(),
            (None, _) => "-".to_owned(),
        };
        lines.push(format!("{:<14} {:<24} {place:<20} {}", e.field, e.value, e.rule));
    }
    lines.extend(a.warnings.iter().map(|w| format!("warning: {w}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_altered_token_differs_in_one_character() {
        for token in ["aa.bb.Acc", "aa.bb.zcc"] {
            let other = altered(token);
            let differing = token.chars().zip(other.chars()).filter(|(a, b)| a != b).count();
            assert_eq!((other.len(), differing), (token.len(), 1), "{other}");
        }
    }
}
