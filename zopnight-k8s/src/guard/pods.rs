//! What the pods of a release may be.

use serde_json::Value as Json;

use super::{Checked, Rules, is_empty, items, need};
use crate::object::Object;

const CONTAINERS: [&str; 3] = ["/containers", "/initContainers", "/ephemeralContainers"];

pub(super) fn check(rules: &Rules<'_>, object: &Object) -> Checked {
    let pointer = match object.kind() {
        "Deployment" | "StatefulSet" | "Job" => "/spec/template/spec",
        "CronJob" => "/spec/jobTemplate/spec/template/spec",
        _ => return Ok(()),
    };
    let Some(pod) = object.json().pointer(pointer) else {
        return need(false, "pod", || "there is no pod template".into());
    };
    for container in CONTAINERS.iter().flat_map(|list| items(pod, list)) {
        image(rules, container)?;
        environment(container)?;
    }
    if rules.config.allow_privileged { Ok(()) } else { unprivileged(rules, pod) }
}

fn image(rules: &Rules<'_>, container: &Json) -> Checked {
    let image = container.get("image").and_then(Json::as_str).unwrap_or_default();
    let known = image == rules.image || rules.config.allowed_images.iter().any(|allowed| allowed == image);
    need(known, "image", || "a container runs an image that is not the release's".into())
}

fn environment(container: &Json) -> Checked {
    let allowed = ["secretKeyRef", "configMapKeyRef", "fieldRef", "resourceFieldRef"];
    for from in items(container, "/env").filter_map(|variable| variable.get("valueFrom")) {
        let plain = from.as_object().is_some_and(|map| map.keys().all(|key| allowed.contains(&key.as_str())));
        need(plain, "env", || "a variable takes its value from elsewhere".into())?;
    }
    Ok(())
}

fn unprivileged(rules: &Rules<'_>, pod: &Json) -> Checked {
    for field in ["hostNetwork", "hostPID", "hostIPC", "nodeName"] {
        need(pod.get(field).is_none_or(is_empty), "pod", || format!("{field} is not allowed"))?;
    }
    let host_path = items(pod, "/volumes").any(|volume| volume.get("hostPath").is_some());
    need(!host_path, "pod", || "a hostPath volume is not allowed".into())?;
    for field in ["serviceAccountName", "serviceAccount"] {
        let account = pod.get(field).and_then(Json::as_str).unwrap_or("default");
        let known = account == "default" || rules.service_accounts.contains(account);
        need(known, "pod", || format!("{field} {account:?} is not of this release"))?;
    }
    for container in CONTAINERS.iter().flat_map(|list| items(pod, list)) {
        let privileged = container.pointer("/securityContext/privileged");
        need(privileged.is_none_or(is_empty), "pod", || "a privileged container is not allowed".into())?;
        let added = container.pointer("/securityContext/capabilities/add");
        need(added.is_none_or(is_empty), "pod", || "added capabilities are not allowed".into())?;
    }
    Ok(())
}
