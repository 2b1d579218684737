//! The command line.

use std::time::Duration;

use crate::chaos::Settings;

pub(crate) const USAGE: &str =
    "usage: chaos (--url URL | --private mariadb|postgres) [--jobs 20000] [--workers 6] [--kills 200]
             [--stops 3] [--sweeps 2] [--restarts 0] [--full 0] [--seed 1] [--minutes 5]
             [--history chaos.jsonl]
       chaos --mix (--url URL | --private mariadb|postgres) [--seconds 60]";

#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) settings: Settings,
    /// A server of our own instead of a URL.
    pub(crate) private: Option<String>,
    /// Only the mix of callers in one process, for so long.
    pub(crate) mix: Option<Duration>,
}

impl Arguments {
    /// # Errors
    /// What is wrong with the command line.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut settings = Settings {
            url: String::new(),
            seed: 1,
            jobs: 20_000,
            workers: 6,
            kills: 200,
            stops: 3,
            sweeps: 2,
            restarts: 0,
            full: 0,
            skewed: true,
            window: Duration::from_secs(300),
            history: std::env::current_dir().map_err(|e| e.to_string())?.join("chaos.jsonl"),
        };
        let (mut private, mut mix, mut seconds) = (None, false, 60);
        while let Some(name) = words.next() {
            if name == "--mix" {
                mix = true;
                continue;
            }
            let value = words.next().ok_or_else(|| format!("{name} needs a value"))?;
            let number = || value.parse::<u32>().map_err(|_| format!("{name} needs a number, not {value}"));
            match name.as_str() {
                "--url" => settings.url = value,
                "--private" if ["mariadb", "postgres"].contains(&value.as_str()) => private = Some(value),
                "--jobs" => settings.jobs = number()?,
                "--workers" => settings.workers = number()?.max(1),
                "--kills" => settings.kills = number()?,
                "--stops" => settings.stops = number()?,
                "--sweeps" => settings.sweeps = number()?,
                "--full" => settings.full = number()?,
                "--restarts" => settings.restarts = number()?,
                "--seconds" => seconds = number()?,
                "--seed" => settings.seed = u64::from(number()?),
                "--minutes" => {
                    let minutes: f64 = value.parse().map_err(|_| format!("{name} needs a number, not {value}"))?;
                    settings.window = Duration::try_from_secs_f64(minutes * 60.0).map_err(|e| e.to_string())?;
                }
                "--history" => settings.history = std::path::absolute(value).map_err(|e| e.to_string())?,
                _ => return Err(format!("{name} {value} is not understood")),
            }
        }
        if settings.url.is_empty() == private.is_none() {
            return Err("either --url or --private".to_owned());
        }
        if settings.restarts > 0 && private.is_none() {
            return Err("only a private server is killed".to_owned());
        }
        if settings.url.starts_with("sqlite") {
            settings.sweeps = 0;
            settings.skewed = false;
        }
        let mix = mix.then(|| Duration::from_secs(u64::from(seconds)));
        Ok(Self { settings, private, mix })
    }
}
