//! The rows. Within a language the first match wins: meta-frameworks, then servers, then bundlers.
//!
//! A port stands here only where the specification gives it as established; `None` means that the source decides.

/// What is known of a framework.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) id: &'static str,
    /// Dependency names, import prefixes or build-file texts, by language.
    pub(crate) signals: &'static [&'static str],
    pub(crate) port: Option<u16>,
    pub(crate) env: Option<&'static str>,
    /// Whether an app of this kind always listens.
    pub(crate) server: bool,
}

const fn row(id: &'static str, signals: &'static [&'static str], port: u16, env: &'static str, server: bool) -> Row {
    let port = if port == 0 { None } else { Some(port) };
    let env = if env.is_empty() { None } else { Some(env) };
    Row { id, signals, port, env, server }
}

/// The rows of a language.
pub(crate) fn rows(language: &str) -> &'static [Row] {
    match language {
        "node" => NODE,
        "deno" => DENO,
        "python" => PYTHON,
        "go" => GO,
        "rust" => RUST,
        "ruby" => RUBY,
        "php" => PHP,
        "elixir" => ELIXIR,
        "java" => JVM,
        "gleam" => GLEAM,
        "crystal" => CRYSTAL,
        "swift" => SWIFT,
        "dart" => DART,
        "cpp" => CPP,
        _ => &[],
    }
}

const NODE: &[Row] = &[
    row("blitzjs", &["blitz"], 0, "PORT", true),
    row("redwoodjs", &["@redwoodjs/core"], 0, "PORT", true),
    row("next", &["next"], 3000, "PORT", true),
    row("nuxt", &["nuxt", "nuxt3", "nuxt-nightly"], 3000, "PORT", true),
    row("remix", &["@remix-run/node", "@remix-run/dev"], 3000, "PORT", true),
    row("react-router", &["@react-router/dev", "@react-router/node"], 3000, "PORT", true),
    row("tanstack-start", &["@tanstack/react-start", "@tanstack/solid-start"], 3000, "PORT", true),
    row("solidstart", &["@solidjs/start", "solid-start"], 3000, "PORT", true),
    row("sveltekit", &["@sveltejs/kit"], 3000, "PORT", true),
    row("astro", &["astro"], 4321, "PORT", true),
    row("hydrogen", &["@shopify/hydrogen"], 0, "PORT", true),
    row("nitro", &["nitropack", "nitro"], 3000, "PORT", true),
    row("h3", &["h3"], 3000, "PORT", true),
    row("gatsby", &["gatsby"], 0, "", false),
    row("docusaurus", &["@docusaurus/core", "docusaurus"], 0, "", false),
    row("vitepress", &["vitepress"], 0, "", false),
    row("vuepress", &["vuepress"], 0, "", false),
    row("eleventy", &["@11ty/eleventy"], 0, "", false),
    row("hexo", &["hexo"], 0, "", false),
    row("umijs", &["umi"], 0, "", false),
    row("sapper", &["sapper"], 0, "", false),
    row("ember", &["ember-source"], 0, "", false),
    row("preact", &["preact-cli"], 0, "", false),
    row("stencil", &["@stencil/core"], 0, "", false),
    row("gridsome", &["gridsome"], 0, "", false),
    row("ionic-react", &["@ionic/react"], 0, "", false),
    row("ionic-angular", &["@ionic/angular"], 0, "", false),
    row("adonis", &["@adonisjs/core"], 0, "PORT", true),
    row("strapi", &["@strapi/strapi"], 0, "PORT", true),
    row("directus", &["directus"], 0, "PORT", true),
    row("medusa", &["@medusajs/medusa"], 0, "PORT", true),
    row("keystone", &["@keystone-6/core"], 0, "PORT", true),
    row("payload", &["payload"], 0, "PORT", true),
    row("nestjs", &["@nestjs/core"], 3000, "", true),
    row("mastra", &["mastra", "@mastra/core"], 0, "PORT", true),
    row("xmcp", &["xmcp"], 0, "PORT", true),
    row("elysia", &["elysia"], 0, "", true),
    row("hono", &["hono"], 0, "", true),
    row("fastify", &["fastify"], 0, "", true),
    row("koa", &["koa"], 0, "", true),
    row("hapi", &["@hapi/hapi"], 0, "", true),
    row("restify", &["restify"], 0, "", true),
    row("polka", &["polka"], 0, "", true),
    row("feathers", &["@feathersjs/feathers"], 0, "", true),
    row("sails", &["sails"], 0, "", true),
    row("moleculer", &["moleculer"], 0, "", false),
    row("loopback", &["@loopback/core"], 0, "", true),
    row("express", &["express"], 0, "", true),
    row("storybook", &["storybook"], 0, "", false),
    row("sanity", &["sanity"], 0, "", false),
    row("parcel", &["parcel"], 0, "", false),
    row("expo", &["expo"], 0, "", false),
    row("cra", &["react-scripts"], 0, "", false),
    row("vue", &["@vue/cli-service"], 0, "", false),
    row("angular", &["@angular/core"], 0, "", false),
    row("svelte", &["svelte"], 0, "", false),
    row("vite", &["vite"], 0, "", false),
];

const DENO: &[Row] = &[
    row("fresh", &["$fresh/", "@fresh/"], 0, "", true),
    row("oak", &["@oak/oak", "deno.land/x/oak"], 0, "", true),
    row("hono", &["@hono/hono", "npm:hono"], 0, "", true),
];

const PYTHON: &[Row] = &[
    row("django", &["django"], 8000, "", true),
    row("fastapi", &["fastapi"], 8000, "", true),
    row("starlette", &["starlette"], 8000, "", true),
    row("litestar", &["litestar"], 8000, "", true),
    row("fasthtml", &["python-fasthtml"], 0, "", true),
    row("sanic", &["sanic"], 0, "", true),
    row("aiohttp", &["aiohttp"], 0, "", false),
    row("tornado", &["tornado"], 0, "", false),
    row("bottle", &["bottle"], 0, "", true),
    row("quart", &["quart"], 0, "", true),
    row("falcon", &["falcon"], 0, "", true),
    row("pyramid", &["pyramid"], 0, "", true),
    row("robyn", &["robyn"], 0, "", true),
    row("blacksheep", &["blacksheep"], 8000, "", true),
    row("flask", &["flask"], 5000, "", true),
    row("streamlit", &["streamlit"], 8501, "", true),
    row("gradio", &["gradio"], 0, "", true),
    row("dash", &["dash"], 0, "", true),
    row("chainlit", &["chainlit"], 0, "", true),
    row("panel", &["panel"], 0, "", true),
];

const GO: &[Row] = &[
    row("gofr", &["gofr.dev"], 8000, "HTTP_PORT", true),
    row("gin", &["github.com/gin-gonic/gin"], 0, "", true),
    row("echo", &["github.com/labstack/echo"], 0, "", true),
    row("fiber", &["github.com/gofiber/fiber"], 0, "", true),
    row("chi", &["github.com/go-chi/chi"], 0, "", true),
    row("gorilla-mux", &["github.com/gorilla/mux"], 0, "", true),
    row("fasthttp", &["github.com/valyala/fasthttp"], 0, "", true),
    row("atreugo", &["github.com/savsgio/atreugo"], 0, "", true),
    row("httprouter", &["github.com/julienschmidt/httprouter"], 0, "", true),
    row("bunrouter", &["github.com/uptrace/bunrouter"], 0, "", true),
    row("beego", &["github.com/beego/beego", "github.com/astaxie/beego"], 8080, "", true),
    row("iris", &["github.com/kataras/iris"], 0, "", true),
    row("revel", &["github.com/revel/revel"], 0, "", true),
    row("hertz", &["github.com/cloudwego/hertz"], 0, "", true),
    row("kratos", &["github.com/go-kratos/kratos"], 0, "", true),
    row("go-zero", &["github.com/zeromicro/go-zero"], 0, "", true),
    row("goframe", &["github.com/gogf/gf"], 0, "", true),
    row("buffalo", &["github.com/gobuffalo/buffalo"], 0, "", true),
];

const RUST: &[Row] = &[
    row("loco", &["loco-rs"], 0, "", true),
    row("leptos", &["leptos"], 0, "", true),
    row("rocket", &["rocket"], 8000, "ROCKET_PORT", true),
    row("actix-web", &["actix-web"], 0, "", true),
    row("axum", &["axum"], 0, "", true),
    row("poem", &["poem"], 0, "", true),
    row("salvo", &["salvo"], 0, "", true),
    row("warp", &["warp"], 0, "", true),
    row("tide", &["tide"], 0, "", true),
    row("gotham", &["gotham"], 0, "", true),
    row("hyper", &["hyper"], 0, "", false),
];

const RUBY: &[Row] = &[
    row("rails", &["rails"], 3000, "PORT", true),
    row("sinatra", &["sinatra"], 4567, "", true),
    row("hanami", &["hanami"], 0, "", true),
    row("grape", &["grape"], 9292, "", true),
    row("roda", &["roda"], 9292, "", true),
    row("bridgetown", &["bridgetown"], 0, "", false),
    row("jekyll", &["jekyll"], 0, "", false),
    row("middleman", &["middleman"], 0, "", false),
    row("rack", &["rack"], 9292, "", false),
];

const PHP: &[Row] = &[
    row("hyperf", &["hyperf/framework", "hyperf/http-server"], 9501, "", true),
    row("laravel", &["laravel/framework"], 80, "PORT", true),
    row("symfony", &["symfony/framework-bundle"], 80, "PORT", true),
    row("slim", &["slim/slim"], 80, "PORT", true),
    row("codeigniter", &["codeigniter4/framework"], 80, "PORT", true),
    row("cakephp", &["cakephp/cakephp"], 80, "PORT", true),
    row("lumen", &["laravel/lumen-framework"], 80, "PORT", true),
    row("yii", &["yiisoft/yii2"], 80, "PORT", true),
    row("laminas", &["laminas/laminas-mvc"], 80, "PORT", true),
    row("mezzio", &["mezzio/mezzio"], 80, "PORT", true),
];

const ELIXIR: &[Row] =
    &[row("phoenix", &["phoenix"], 4000, "PORT", true), row("plug", &["plug_cowboy", "bandit"], 0, "", true)];

const JVM: &[Row] = &[
    row("spring-boot", &["org.springframework.boot"], 8080, "SERVER_PORT", true),
    row("quarkus", &["io.quarkus"], 8080, "QUARKUS_HTTP_PORT", true),
    row("micronaut", &["io.micronaut"], 8080, "MICRONAUT_SERVER_PORT", true),
    row("helidon", &["io.helidon"], 0, "", true),
    row("dropwizard", &["io.dropwizard"], 0, "", true),
    row("javalin", &["io.javalin"], 0, "", true),
    row("spark", &["com.sparkjava"], 4567, "", true),
    row("ktor", &["io.ktor"], 0, "", true),
    row("vertx", &["io.vertx"], 0, "", true),
    row("ratpack", &["io.ratpack"], 0, "", true),
    row("http4s", &["org.http4s"], 0, "", true),
    row("pekko-http", &["pekko-http"], 0, "", true),
    row("akka-http", &["akka-http"], 0, "", true),
    row("grails", &["org.grails"], 8080, "", true),
];

const GLEAM: &[Row] = &[row("wisp", &["wisp"], 0, "", true), row("mist", &["mist"], 0, "", true)];
const CRYSTAL: &[Row] = &[row("kemal", &["kemal"], 0, "", true), row("lucky", &["lucky"], 0, "", true)];
const SWIFT: &[Row] = &[row("vapor", &["vapor/vapor"], 0, "", true)];
const DART: &[Row] = &[row("shelf", &["shelf"], 0, "", true)];
const CPP: &[Row] = &[row("drogon", &["Drogon"], 0, "", true), row("crow", &["Crow"], 0, "", true)];
