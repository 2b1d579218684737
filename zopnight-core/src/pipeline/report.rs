//! The report_status job: the forge is told a revision's present state.

use crate::domain::{EventKind, HttpsUrl, Lease, NewEvent, RevisionJob, RevisionReport};
use crate::error::{ErrorKind, Result};

use super::Pipeline;
use super::jobs::{Handled, Task};

impl Pipeline {
    pub(super) async fn run_report_status(&self, lease: &Lease, job: RevisionJob) -> Result<Handled> {
        let task = Task::of(lease)?;
        let Some(reporter) = self.reporter() else { return Ok(Handled::DONE) };
        let Some(view) = self.job_revision(&task, job.revision).await? else { return Ok(Handled::DONE) };
        let Some(found) = self.job_deployment(&task).await? else { return Ok(Handled::DONE) };
        let (deployment, revision) = (found.deployment, view.revision);
        let settings = &self.config().report;
        let page = settings.page_url.as_ref().map(|template| {
            template.replace("{deployment}", &deployment.id.to_string()).replace("{revision}", &revision.id.to_string())
        });
        let report = RevisionReport {
            repo: deployment.source.repo(),
            commit: revision.commit.sha.clone(),
            deployment: deployment.id,
            name: deployment.name.clone(),
            environment: settings.environment.clone(),
            production: settings.production,
            revision: revision.id,
            number: revision.number,
            cause: revision.cause.clone(),
            state: revision.state,
            reason: revision.reason.clone(),
            page_url: page.and_then(|url| HttpsUrl::parse(&url).ok()),
            environment_url: None,
            run_url: view.attempt.and_then(|a| a.run).map(|r| r.url),
        };
        match reporter.report(&report).await {
            Ok(()) => Ok(Handled::DONE),
            Err(error) if error.kind() == ErrorKind::Forbidden => {
                let event = NewEvent::new(EventKind::StatusRefused, error.message()).of(job.revision);
                Ok(self.settled(task.finish().with_event(event)).await?.unwrap_or(Handled::DONE))
            }
            Err(error) => Err(error),
        }
    }
}
