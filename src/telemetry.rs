//! Logs: lines for people or objects for machines, to standard error. Nothing here or elsewhere logs what calls carry.

use crate::config::{ConfigError, LogFormat, LogSettings};
use tracing_subscriber::EnvFilter;

/// Starts logging; once per process.
pub fn start(settings: &LogSettings) -> Result<(), ConfigError> {
    let filter = EnvFilter::try_new(&settings.level).map_err(|error| ConfigError(format!("log.level: {error}")))?;
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    match settings.format {
        LogFormat::Text => log.with_target(false).try_init(),
        LogFormat::Json => log.json().flatten_event(true).try_init(),
    }
    .map_err(|error| ConfigError(format!("log: {error}")))
}
