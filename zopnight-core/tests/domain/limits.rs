//! Bounds of specifications and logs that no single type can keep.

use zopnight_core::domain::*;

fn env(name: &str) -> EnvName {
    EnvName::parse(name).unwrap()
}

fn faults(change: impl FnOnce(&mut RuntimeSpec)) -> Vec<&'static str> {
    let mut spec = RuntimeSpec::default();
    change(&mut spec);
    spec.faults().into_iter().map(|(field, _)| field).collect()
}

fn quantity(text: &str) -> Option<Quantity> {
    Some(Quantity::parse(text).unwrap())
}

#[test]
fn environment() {
    let many = |n: usize| faults(|s| s.env = (0..n).map(|i| (env(&format!("V{i}")), String::new())).collect());
    assert!(many(256).is_empty() && many(257) == ["env"]);
    let long = |n: usize| faults(|s| s.env = [(env("A"), "x".repeat(n))].into());
    assert!(long(32_768).is_empty() && long(32_769) == ["env"]);
    let together = |n: usize| faults(|s| s.env = (0..n).map(|i| (env(&format!("V{i}")), "x".repeat(32_768))).collect());
    assert!(together(8).is_empty() && together(9) == ["env"]);
    assert_eq!(faults(|s| s.env = [(env("A"), "a\0b".into())].into()), ["env"]);
    let secret = |name: &str| SecretRef {
        name: env(name),
        secret: SecretName::parse("s").unwrap(),
        key: SecretKey::parse("k").unwrap(),
    };
    assert_eq!(faults(|s| (s.env, s.secret_refs) = ([(env("A"), String::new())].into(), vec![secret("A")])), ["secretRefs"]);
    assert_eq!(faults(|s| s.secret_refs = vec![secret("A"), secret("A")]), ["secretRefs"]);
    let refs = |n: usize| faults(|s| s.secret_refs = (0..n).map(|i| secret(&format!("V{i}"))).collect());
    assert!(refs(64).is_empty() && refs(65) == ["secretRefs"]);
    for (name, secret) in [
        ("API_KEY", true),
        ("APIKEY", true),
        ("my_Token", true),
        ("PRIVATE", true),
        ("PASSWD", true),
        ("PORT", false),
        ("KEY", false),
    ] {
        assert_eq!(env(name).looks_secret(), secret, "{name}");
    }
}

#[test]
fn replicas_and_resources() {
    let replicas = |min, max| faults(|s| s.replicas = Replicas { min, max }).is_empty();
    assert!(replicas(0, 0) && replicas(0, 100) && replicas(100, 100) && !replicas(0, 101) && !replicas(2, 1));
    let cpu = |request: &str, limit: &str| {
        faults(|s| (s.resources.cpu_request, s.resources.cpu_limit) = (quantity(request), quantity(limit))).is_empty()
    };
    assert!(cpu("1m", "64") && cpu("0.5", "500m") && cpu("0.001", "0.001"));
    assert!(!cpu("0", "1") && !cpu("1", "64.001") && !cpu("501m", "0.5") && !cpu("1Gi", "1Gi"));
    let memory = |request: &str, limit: &str| {
        faults(|s| (s.resources.memory_request, s.resources.memory_limit) = (quantity(request), quantity(limit))).is_empty()
    };
    assert!(memory("4Mi", "512Gi") && memory("4096Ki", "4Mi") && memory("4194304", "4Mi"));
    assert!(
        !memory("4095Ki", "4Mi")
            && !memory("4Mi", "524289Mi")
            && !memory("2Gi", "1Gi")
            && !memory("4194304.0", "4Mi")
            && !memory("4000000000000m", "4Mi")
    );
}

#[test]
fn builds() {
    let timeout = |seconds| BuildSpec { timeout_seconds: seconds, ..BuildSpec::default() }.faults().is_empty();
    assert!(timeout(60) && timeout(14_400) && !timeout(59) && !timeout(14_401));
    let args = |n: usize| BuildSpec {
        args: (0..n).map(|i| (env(&format!("V{i}")), String::new())).collect(),
        ..BuildSpec::default()
    };
    assert!(args(32).faults().is_empty() && !args(33).faults().is_empty());
    let value = |v: String| BuildSpec { args: [(env("A"), v)].into(), ..BuildSpec::default() }.faults().is_empty();
    assert!(value("x".repeat(4_096)) && !value("x".repeat(4_097)) && !value("\0".into()));
    let dockerfile =
        |p: &str| BuildSpec { dockerfile: Some(RepoPath::parse(p).unwrap()), ..BuildSpec::default() }.faults().is_empty();
    assert!(dockerfile("docker/Dockerfile") && !dockerfile("."));
    assert!(serde_json::from_str::<BuildSpec>(r#"{"timeoutSeconds":60,"x":1}"#).is_err());
}

#[test]
fn specifications_survive_their_json() {
    let json = r#"{"port":8080,"healthPath":"/healthz","env":{"A":"b"},"secretRefs":[{"name":"S","secretName":"s","key":"k"}],"replicas":{"min":1,"max":3},"resources":{"cpuRequest":"100m"}}"#;
    let spec: RuntimeSpec = serde_json::from_str(json).unwrap();
    assert_eq!(spec.port_env.as_str(), "PORT");
    let again: RuntimeSpec = serde_json::from_str(&serde_json::to_string(&spec).unwrap()).unwrap();
    assert_eq!(again, spec);
    for bad in [
        r#"{"port":0}"#,
        r#"{"env":{"1A":"x"}}"#,
        r#"{"healthPath":"x"}"#,
        r#"{"x":1}"#,
        r#"{"replicas":{"min":1,"max":1,"x":1}}"#,
    ] {
        assert!(serde_json::from_str::<RuntimeSpec>(bad).is_err(), "{bad}");
    }
}

#[test]
fn log_tails_keep_the_end() {
    let lines = |n: usize| (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
    let tail = LogTail::bounded(lines(2_000), false, true);
    assert!(tail.lines.len() == 2_000 && !tail.truncated && tail.complete);
    let tail = LogTail::bounded(lines(2_001), false, false);
    assert!(
        tail.lines.len() == 2_000
            && tail.truncated
            && tail.lines.first().unwrap() == "1"
            && tail.lines.last().unwrap() == "2000"
    );
    let long = LogTail::bounded(vec!["x".repeat(4_097)], false, false);
    assert_eq!(long.lines[0].len(), 4_096);
    let full = LogTail::bounded(vec!["x".repeat(4_095); 256], false, false);
    assert!(full.lines.len() == 256 && !full.truncated && full.is_bounded());
    let over = LogTail::bounded(vec!["x".repeat(4_096); 256], false, false);
    assert!(over.lines.len() == 255 && over.truncated && over.is_bounded());
    assert!(LogTail::bounded(vec![], true, false).truncated);
}
