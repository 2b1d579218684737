//! The conformance suites, run for the fakes.
#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::sync::Arc;

use async_trait::async_trait;
use zopnight_core::domain::{
    BranchName, ChangedPaths, CommitInfo, CommitSha, Delivery, DeliveryId, DeploymentId, Digest, ForgeId, IgnoreReason,
    ImageRepository, IntegrationId, Namespace, OwnerName, PushEvent, RefEvent, RepoEvent, RepoInfo, RepoName, RepoRef,
    RepositoryId, RunOutcome, RunRef, SecretSlot, SpaceId, Tag, Timestamp,
};
use zopnight_core::ports::{
    BuildDispatcher, Clock, ClusterApplier, DeliveryLog, ImageResolver, RepoSource, StatusReporter, WebhookDecoder,
    WebhookRequest,
};
use zopnight_core::testing::fakes::{FakeApplier, FakeDecoder, FakeDispatcher, FakeForge, FakeResolver, ManualClock};
use zopnight_core::testing::suites::applier::ApplierHarness;
use zopnight_core::testing::suites::build_dispatcher::DispatcherHarness;
use zopnight_core::testing::suites::delivery_log::DeliveryLogHarness;
use zopnight_core::testing::suites::repo_source::RepoSourceHarness;
use zopnight_core::testing::suites::resolver::{IMAGE_MEDIA_TYPES, MAX_MANIFEST, ResolverHarness};
use zopnight_core::testing::suites::status_reporter::{ReporterHarness, Shown};
use zopnight_core::testing::suites::webhook_decoder::{DecoderHarness, Sample};

fn clock() -> Arc<ManualClock> {
    ManualClock::new(Timestamp::parse("2026-01-01T00:00:00Z").unwrap())
}

struct Cluster {
    clock: Arc<ManualClock>,
    applier: Arc<FakeApplier>,
}

impl Cluster {
    async fn start() -> Self {
        let clock = clock();
        let applier = FakeApplier::new(Arc::<ManualClock>::clone(&clock));
        Self { clock, applier }
    }
}

impl ApplierHarness for Cluster {
    fn applier(&self) -> Arc<dyn ClusterApplier> {
        Arc::<FakeApplier>::clone(&self.applier)
    }
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
    fn place(&self) -> (SpaceId, Namespace) {
        (SpaceId::parse("space").unwrap(), Namespace::parse("apps").unwrap())
    }
}

zopnight_core::cluster_applier_suite!(applier, Cluster::start);

struct Registry(Arc<FakeResolver>);

impl Registry {
    async fn start() -> Self {
        Self(FakeResolver::new())
    }
}

#[async_trait]
impl ResolverHarness for Registry {
    fn resolver(&self) -> Arc<dyn ImageResolver> {
        Arc::<FakeResolver>::clone(&self.0)
    }
    fn registry(&self) -> String {
        "registry.test".to_owned()
    }
    async fn push(&self, repository: &ImageRepository, tag: &Tag, media_type: &str, body: &[u8]) {
        let digest = Digest::of(body);
        if IMAGE_MEDIA_TYPES.contains(&media_type) && body.len() <= MAX_MANIFEST {
            self.0.push(repository, tag, &digest);
        } else {
            self.0.push_other(repository, tag, &digest);
        }
    }
}

zopnight_core::image_resolver_suite!(resolver, Registry::start);

struct Builder {
    clock: Arc<ManualClock>,
    dispatcher: Arc<FakeDispatcher>,
}

impl Builder {
    async fn start() -> Self {
        let clock = clock();
        let dispatcher = FakeDispatcher::new(Arc::<ManualClock>::clone(&clock));
        Self { clock, dispatcher }
    }
}

#[async_trait]
impl DispatcherHarness for Builder {
    fn dispatcher(&self) -> Arc<dyn BuildDispatcher> {
        Arc::<FakeDispatcher>::clone(&self.dispatcher)
    }
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
    async fn write_log(&self, run: &RunRef, lines: &[&str]) {
        self.dispatcher.write_log(run, lines);
    }
    async fn finish(&self, run: &RunRef, outcome: RunOutcome) {
        self.dispatcher.finish(run, outcome);
    }
}

zopnight_core::build_dispatcher_suite!(dispatcher, Builder::start);

struct Forge(Arc<FakeForge>);

impl Forge {
    async fn start() -> Self {
        let forge = FakeForge::new();
        forge.connect(&integration());
        Self(forge)
    }
}

fn integration() -> IntegrationId {
    IntegrationId::parse("suite").unwrap()
}

#[async_trait]
impl RepoSourceHarness for Forge {
    fn source(&self) -> Arc<dyn RepoSource> {
        Arc::<FakeForge>::clone(&self.0)
    }
    fn integration(&self) -> IntegrationId {
        integration()
    }
    async fn create(&self, name: &str) -> RepoRef {
        self.0.create_repo(&integration(), &format!("acme/{name}"))
    }
    async fn delete(&self, repo: &RepoRef) {
        self.0.delete_repo(repo);
    }
    async fn rename(&self, repo: &RepoRef, name: &str) -> Option<RepoRef> {
        Some(self.0.rename(repo, &format!("acme/{name}")))
    }
    async fn commit(&self, repo: &RepoRef, branch: &str, files: &[(&str, &str)], message: &str) -> CommitSha {
        self.0.commit_as(repo, branch, files, message, "Ada")
    }
    async fn delete_branch(&self, repo: &RepoRef, branch: &str) {
        self.0.delete_branch(repo, branch);
    }
}

zopnight_core::repo_source_suite!(forge, Forge::start);

#[async_trait]
impl DeliveryLogHarness for Forge {
    fn log(&self) -> Arc<dyn DeliveryLog> {
        Arc::<FakeForge>::clone(&self.0)
    }
    fn start(&self) -> Timestamp {
        Timestamp::parse("2026-01-01T00:00:00Z").unwrap()
    }
    async fn record(&self, at: Timestamp, status: Option<u16>) -> DeliveryId {
        let delivery = self.0.event(RepoEvent::Push(push("refs/heads/", "main", None, &commit())));
        self.0.record_delivery(&delivery, at, status);
        delivery.id
    }
    async fn redelivered(&self) -> Vec<DeliveryId> {
        let log = self.0.deliveries().into_iter();
        log.filter(|entry| entry.redeliveries > 0).map(|entry| entry.delivery.id).collect()
    }
    async fn deliver_again(&self, status: Option<u16>) {
        for delivery in self.0.take_redelivered() {
            self.0.record_answer(&delivery.id, status);
        }
    }
}

fn commit() -> CommitSha {
    CommitSha::parse(&"1".repeat(40)).unwrap()
}

zopnight_core::delivery_log_suite!(delivery_log, Forge::start);

#[async_trait]
impl ReporterHarness for Forge {
    fn reporter(&self) -> Arc<dyn StatusReporter> {
        Arc::<FakeForge>::clone(&self.0)
    }
    async fn shown(&self, deployment: DeploymentId, commit: &CommitSha) -> Option<Shown> {
        self.0.shown(deployment, commit).map(|report| Shown::of(report.state))
    }
}

zopnight_core::status_reporter_suite!(reporter, Forge::start);

struct Webhooks(Arc<FakeDecoder>);

impl Webhooks {
    async fn start() -> Self {
        Self(FakeDecoder::new("a secret of the suite"))
    }
}

fn repository() -> RepoInfo {
    RepoInfo {
        forge: FakeForge::id(),
        id: RepositoryId::new(1_001).unwrap(),
        owner: OwnerName::parse("acme").unwrap(),
        name: RepoName::parse("shop").unwrap(),
        default_branch: BranchName::parse("main").ok(),
        private: true,
        archived: false,
    }
}

fn push(prefix: &str, name: &str, before: Option<&CommitSha>, after: &CommitSha) -> PushEvent {
    PushEvent {
        repository: repository(),
        installation: None,
        git_ref: [prefix, name].concat(),
        name: name.to_owned(),
        before: before.cloned(),
        after: after.clone(),
        created: before.is_none(),
        forced: false,
        head: Some(CommitInfo::of(after.clone())),
        changed: ChangedPaths::Unknown("not told"),
        skip: None,
    }
}

fn event(sample: &Sample) -> RepoEvent {
    match sample {
        Sample::Ping => RepoEvent::Ping,
        Sample::Push { branch, before, after } => RepoEvent::Push(push("refs/heads/", branch, before.as_ref(), after)),
        Sample::BranchDeleted { branch, .. } => {
            RepoEvent::BranchDeleted(RefEvent { repository: repository(), name: (*branch).to_owned() })
        }
        Sample::Tag { tag, after } => RepoEvent::TagPushed(push("refs/tags/", tag, None, after)),
        Sample::Unknown => {
            RepoEvent::Ignored { event: "star".to_owned(), action: String::new(), reason: IgnoreReason::UnknownEvent }
        }
    }
}

impl DecoderHarness for Webhooks {
    fn decoder(&self) -> Arc<dyn WebhookDecoder> {
        Arc::<FakeDecoder>::clone(&self.0)
    }
    fn forge(&self) -> ForgeId {
        FakeForge::id()
    }
    fn request(&self, sample: &Sample, id: &str) -> WebhookRequest {
        let delivery = Delivery {
            forge: FakeForge::id(),
            id: DeliveryId::parse(id).unwrap(),
            body_sha256: [0; 32],
            secret: SecretSlot::Current,
            event: event(sample),
        };
        let mut request = self.0.request(&delivery);
        for (name, value) in &mut request.headers {
            if name == self.delivery_header() {
                *value = id.as_bytes().to_vec();
            }
        }
        request
    }
    fn signature_header(&self) -> &'static str {
        "x-hub-signature-256"
    }
    fn delivery_header(&self) -> &'static str {
        "x-github-delivery"
    }
}

zopnight_core::webhook_decoder_suite!(decoder, Webhooks::start);
