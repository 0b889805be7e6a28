//! `keyvawlt monitor set`: changing what is looked at, and how. What is not said stays.

use keyvawlt_client::monitors::{BodyRule, MonitorTarget};

use super::{Watch, name_of, shown};
use crate::args::monitor::{Expected, Rule, Set, WebUrl};
use crate::commands::Context;
use crate::failure::{Failure, Outcome};

pub(super) async fn set(said: &Set, context: &mut Context) -> Outcome {
    let watch = Watch::open(context).await?;
    let monitor = watch.find(&said.monitor)?;
    let before = monitor.target.clone().unwrap_or_default();
    let after = changed(said, before.clone());
    if after == before {
        return Err(Failure::usage("nothing to change").on(name_of(monitor)).hint("say --url, --interval or the like"));
    }
    watch.vault.update_monitor(monitor, after.clone()).await.map_err(|error| Failure::from(error).on(name_of(monitor)))?;
    let shown = watch.shown(&keyvawlt_client::monitors::Monitor { target: Some(after), ..monitor.clone() }).state_as("unknown");
    let name = shown.name.clone();
    context.output.result(&shown, || format!("{name} is looked at anew: keyvawlt monitor show {}", shown::quoted(&name)))
}

/// What is looked at after this was said.
fn changed(said: &Set, before: MonitorTarget) -> MonitorTarget {
    let without = |rule: Rule| said.without.contains(&rule);
    let body = |text: &Option<String>, absent: bool| text.clone().map(|text| BodyRule { text, absent });
    let headers: Vec<_> = said.headers.iter().map(|header| header.0.clone()).collect();
    MonitorTarget {
        name: said.name.clone().unwrap_or(before.name),
        url: said.url.as_ref().map_or(before.url, |WebUrl(url)| url.clone()),
        method: said.method.clone().unwrap_or(before.method),
        statuses: said.expect.as_ref().map_or(before.statuses, |Expected(statuses)| statuses.clone()),
        headers: if headers.is_empty() && !without(Rule::Headers) { before.headers } else { headers },
        body: body(&said.body, false).or_else(|| body(&said.body_without, true)).or(before.body.filter(|_| !without(Rule::Body))),
        timeout_ms: said.timeout.map_or(before.timeout_ms, crate::duration::Length::ms),
        slow_ms: said.slow.unwrap_or(if without(Rule::Slow) { 0 } else { before.slow_ms }),
        interval_ms: said.interval.map_or(before.interval_ms, crate::duration::Length::ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::monitor::Monitor;
    use crate::args::{Cli, Command};
    use clap::Parser as _;
    use keyvawlt_client::monitors::{HeaderRule, StatusRange};

    fn before() -> MonitorTarget {
        MonitorTarget {
            name: "api".to_owned(),
            url: "https://a.example/".to_owned(),
            method: "GET".to_owned(),
            statuses: vec![StatusRange { from: 200, to: 299 }],
            headers: vec![HeaderRule { name: "x-ok".to_owned(), contains: String::new() }],
            body: Some(BodyRule { text: "ok".to_owned(), absent: false }),
            timeout_ms: 10_000,
            slow_ms: 800,
            interval_ms: 60_000,
        }
    }

    fn after(words: &str) -> MonitorTarget {
        let line = ["keyvawlt", "monitor", "set", "api"].into_iter().chain(words.split_whitespace());
        let Ok(Cli { command: Command::Monitor(Monitor::Set(said)), .. }) = Cli::try_parse_from(line) else { panic!("{words}") };
        changed(&said, before())
    }

    #[test]
    fn what_is_not_said_stays() {
        assert_eq!(after(""), before());
        let cases = [
            ("--name web", MonitorTarget { name: "web".to_owned(), ..before() }),
            ("--url https://b.example/", MonitorTarget { url: "https://b.example/".to_owned(), ..before() }),
            ("--method HEAD --without body", MonitorTarget { method: "HEAD".to_owned(), body: None, ..before() }),
            ("--expect 401", MonitorTarget { statuses: vec![StatusRange { from: 401, to: 401 }], ..before() }),
            (
                "--header x-other",
                MonitorTarget { headers: vec![HeaderRule { name: "x-other".to_owned(), contains: String::new() }], ..before() },
            ),
            ("--without headers,slow", MonitorTarget { headers: vec![], slow_ms: 0, ..before() }),
            ("--body-without error", MonitorTarget { body: Some(BodyRule { text: "error".to_owned(), absent: true }), ..before() }),
            ("--interval 5m --timeout 2s --slow 500", MonitorTarget { interval_ms: 300_000, timeout_ms: 2_000, slow_ms: 500, ..before() }),
        ];
        for (words, expected) in cases {
            assert_eq!(after(words), expected, "{words}");
        }
    }
}
