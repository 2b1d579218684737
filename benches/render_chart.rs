//! Rendering the service chart in process, against reading the YAML that it produces: the least any renderer has to do.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::Criterion;
use zopnight_core::domain::{
    CommitSha, DeployedImage, DeploymentId, Digest, EnvName, Fence, ImageRepository, Namespace, OrgId, Port, ReleaseName,
    ReleaseRef, Replicas, RevisionNumber, RuntimeSpec, SpaceId, Timestamp,
};
use zopnight_core::ports::ReleaseRequest;
use zopnight_k8s::{Chart, ChartSource, RenderOptions, parse_manifest, render};

fn request() -> zopnight_core::Result<ReleaseRequest> {
    let mut runtime = RuntimeSpec { port: Some(Port::new(8_000)?), ..RuntimeSpec::default() };
    runtime.replicas = Replicas { min: 2, max: 4 };
    for n in 0..10 {
        runtime.env.insert(EnvName::parse(&format!("SETTING_{n}"))?, format!("value {n}: \"quoted\""));
    }
    let now = Timestamp::from_secs(1_767_225_600);
    let target = ReleaseRef {
        org: OrgId::parse("acme")?,
        deployment: DeploymentId::new(now, [7; 10]),
        space: SpaceId::parse("prod")?,
        namespace: Namespace::parse("shop")?,
        release: ReleaseName::parse("checkout-0707070707")?,
    };
    let repository = ImageRepository::parse("registry.example.test/acme/checkout")?;
    let image = DeployedImage { repository, digest: Digest::of(b"{}") };
    let commit = CommitSha::parse("9f2b6c1e0d4a7b8c5e3f1a2d6c9b8e7f0a1b2c3d")?;
    Ok(ReleaseRequest::new(target, RevisionNumber::new(7)?, Fence::of(1, 1), commit, image, runtime, now))
}

fn once(work: &mut dyn FnMut()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// The fastest of many runs, which is what the machine can do when nothing disturbs it.
fn fastest(mut work: impl FnMut()) -> Duration {
    (0..200).map(|_| once(&mut work)).min().unwrap_or_default()
}

fn main() -> zopnight_core::Result<()> {
    let chart = Chart::load(&ChartSource::Embedded)?;
    let (request, options) = (request()?, RenderOptions::default());
    let manifest = render(&chart, &request, &options)?.manifest;

    let mut criterion = Criterion::default().configure_from_args();
    criterion.bench_function("render_chart/render", |b| b.iter(|| render(&chart, black_box(&request), &options)));
    criterion.bench_function("render_chart/parse_manifest", |b| b.iter(|| parse_manifest(black_box(&manifest))));
    criterion.bench_function("render_chart/load", |b| b.iter(|| Chart::load(black_box(&ChartSource::Embedded))));
    criterion.final_summary();

    let rendering = fastest(|| drop(black_box(render(&chart, &request, &options))));
    let reading = fastest(|| drop(black_box(parse_manifest(&manifest))));
    let loading = fastest(|| drop(black_box(Chart::load(&ChartSource::Embedded))));
    let ratio = rendering.as_secs_f64() / reading.as_secs_f64();
    println!(
        "render {rendering:?} = {ratio:.2} x reading its {} bytes ({reading:?}); load once {loading:?}",
        manifest.len()
    );
    Ok(())
}
