//! Java: Gradle with a wrapper, or Maven.

use super::super::view::View;

pub(crate) fn start(view: &View<'_>) -> Option<String> {
    if is_gradle(view) {
        let build = if view.has("build.gradle") { "build.gradle" } else { "build.gradle.kts" };
        let spring = ["org.springframework.boot", "spring-boot-gradle-plugin", "org.grails:grails-"];
        let port = if spring.iter().any(|name| view.contains(build, name)) { "-Dserver.port=$PORT" } else { "" };
        return Some(format!("java $JAVA_OPTS -jar {port} $(ls -1 */build/libs/*jar | grep -v plain)"));
    }
    if !view.has("pom.xml") {
        return Some("java $JAVA_OPTS -jar target/*jar".to_owned());
    }
    let contains = |needle| view.contains("pom.xml", needle);
    let port = if contains("<groupId>org.wildfly.swarm") {
        "-Dswarm.http.port=$PORT"
    } else if contains("<groupId>org.springframework.boot") && contains("<artifactId>spring-boot") {
        "-Dserver.port=$PORT"
    } else {
        ""
    };
    Some(format!("java {port} $JAVA_OPTS -jar target/*jar"))
}

pub(crate) fn is_gradle(view: &View<'_>) -> bool {
    view.has("gradlew")
}
