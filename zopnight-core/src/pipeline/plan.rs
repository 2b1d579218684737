//! From a build specification and one analysis to what the builder is told.

use crate::domain::analysis::Builder;
use crate::domain::{Analysis, BuildMode, BuildPlan, BuildSpec, EnvName, Reason, RepoPath, RuntimeSpec};

/// The plan, or why nothing can be built.
pub(super) fn plan(spec: &BuildSpec, analysis: &Analysis) -> Result<BuildPlan, Reason> {
    let named = spec.dockerfile.as_ref();
    let mode = match (spec.mode, named, analysis.builder) {
        (BuildMode::Railpack, ..) => BuildMode::Railpack,
        (BuildMode::Dockerfile, ..) | (BuildMode::Auto, Some(_), _) => BuildMode::Dockerfile,
        (BuildMode::Auto, None, Some(Builder::Dockerfile)) => BuildMode::Dockerfile,
        (BuildMode::Auto, None, Some(Builder::Railpack)) => BuildMode::Railpack,
        (BuildMode::Auto, None, None) => {
            return Err(Reason::new("nothing_to_build", "neither a Dockerfile nor anything Railpack can build was found"));
        }
    };
    let (dockerfile, context) = match mode {
        BuildMode::Railpack if analysis.builder.is_none() && !analysis.railpack.success => {
            return Err(Reason::new("nothing_to_build", "Railpack finds nothing to build in this directory"));
        }
        BuildMode::Railpack | BuildMode::Auto => (None, analysis.root_path.clone()),
        BuildMode::Dockerfile => {
            let Some(file) = named.or(analysis.dockerfile.as_ref()) else {
                return Err(Reason::new("no_dockerfile", "there is no Dockerfile in this directory"));
            };
            let known = analysis.dockerfile.as_ref() == Some(file);
            let beside = file.parent().unwrap_or_else(RepoPath::root);
            (Some(file.clone()), if known { analysis.build_context.clone() } else { beside })
        }
    };
    Ok(BuildPlan { mode, dockerfile, context, target: None, args: spec.args.clone() })
}

/// The runtime with what the deployment left open filled in from the analysis.
pub(super) fn fill(runtime: &RuntimeSpec, analysis: &Analysis) -> RuntimeSpec {
    let mut filled = runtime.clone();
    let guessed = runtime.port.is_none() || runtime.port == analysis.suggested_port;
    filled.port = runtime.port.or(analysis.suggested_port);
    if filled.port.is_none() {
        return filled;
    }
    if guessed {
        filled.health_path = runtime.health_path.clone().or_else(|| analysis.suggested_health_path.clone());
        filled.liveness_path = runtime.liveness_path.clone().or_else(|| analysis.suggested_liveness_path.clone());
    }
    let variable = analysis.port_env.as_deref().and_then(|v| EnvName::parse(v).ok());
    if let Some(variable) = variable.filter(|_| runtime.port_env == RuntimeSpec::default().port_env) {
        filled.port_env = variable;
    }
    filled
}

/// Nothing is analysed anew for an image that is reused: what its analysis filled in is kept where the setting is still open.
pub(super) fn keep_filled(runtime: &mut RuntimeSpec, built: &RuntimeSpec) {
    runtime.port = runtime.port.or(built.port);
    runtime.health_path = runtime.health_path.take().or_else(|| built.health_path.clone());
    runtime.liveness_path = runtime.liveness_path.take().or_else(|| built.liveness_path.clone());
    if runtime.port_env == RuntimeSpec::default().port_env {
        runtime.port_env = built.port_env.clone();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{HealthPath, Port};

    fn analysis() -> Analysis {
        let mut a = Analysis::nothing(RepoPath::parse("app").unwrap());
        a.dockerfile = Some(RepoPath::parse("app/Dockerfile").unwrap());
        a.build_context = RepoPath::root();
        a.builder = Some(Builder::Dockerfile);
        a.needs_build = true;
        a.suggested_port = Some(Port::new(8080).unwrap());
        a.suggested_health_path = Some(HealthPath::parse("/health").unwrap());
        a
    }

    #[test]
    fn auto_follows_the_analysis() {
        let p = plan(&BuildSpec::default(), &analysis()).unwrap();
        assert_eq!((p.mode, p.context.as_str()), (BuildMode::Dockerfile, "."));
        let none = plan(&BuildSpec::default(), &Analysis::nothing(RepoPath::root())).unwrap_err();
        assert_eq!(none.code(), "nothing_to_build");
    }

    #[test]
    fn a_named_dockerfile_wins_and_builds_beside_itself() {
        let spec = BuildSpec { dockerfile: Some(RepoPath::parse("ops/Dockerfile").unwrap()), ..BuildSpec::default() };
        let p = plan(&spec, &analysis()).unwrap();
        assert_eq!((p.dockerfile.unwrap().as_str(), p.context.as_str()), ("ops/Dockerfile", "ops"));
        let spec = BuildSpec { dockerfile: Some(RepoPath::parse("app/Dockerfile").unwrap()), ..BuildSpec::default() };
        assert_eq!(plan(&spec, &analysis()).unwrap().context.as_str(), ".");
    }

    #[test]
    fn gaps_are_filled_and_settings_kept() {
        let filled = fill(&RuntimeSpec::default(), &analysis());
        assert_eq!(filled.port.unwrap().get(), 8080);
        assert_eq!(filled.health_path.unwrap().as_str(), "/health");
        let own = RuntimeSpec { port: Some(Port::new(9000).unwrap()), ..RuntimeSpec::default() };
        let filled = fill(&own, &analysis());
        assert_eq!((filled.port.unwrap().get(), filled.health_path), (9000, None));
    }
}
