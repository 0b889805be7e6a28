//! Every mail in a real browser, on a phone and on a desk, light and dark: `browser.js` judges what is shown.
//!
//! Needs `KEYVAWLT_TEST_CHROMIUM`, which tests/run sets. With `KEYVAWLT_TEST_PICTURES` pictures are left in that folder, to be looked at.

#![expect(clippy::disallowed_methods, reason = "the variables that name the tests' browser and where its pictures go")]

use super::{Letter, Templates};
use crate::words::samples;
use serde::Deserialize;
use std::path::Path;
use std::process::Command;

/// A small phone, and a window beside a list of mails.
const WIDTHS: [u32; 2] = [360, 800];
/// Everything a mail must not be: wide, faint, small, hard to tap.
const BAD: &str = r#"<!doctype html><body style="background:#fff"><p style="color:#999">faint</p><p style="font-size:9px">small</p>
<pre>wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide wide</pre>
<a href="https://example.com">tap</a></body>"#;

#[derive(Debug, Deserialize)]
struct Judged {
    name: String,
    width: u32,
    is_dark: bool,
    is_light: bool,
    texts: usize,
    links: usize,
    problems: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Dark = 0,
    Light = 1,
}

#[test]
fn every_mail_is_readable_on_a_phone_and_on_a_desk_in_light_and_in_dark() {
    let Ok(chromium) = std::env::var("KEYVAWLT_TEST_CHROMIUM") else {
        println!("skipped: KEYVAWLT_TEST_CHROMIUM names no browser");
        return;
    };
    let mut mails: Vec<(&str, String)> = samples::messages().iter().map(|(name, message)| (*name, html(message))).collect();
    mails.push(("bad", BAD.to_owned()));
    for scheme in [Scheme::Light, Scheme::Dark] {
        let judged = judge(&chromium, &mails, scheme);
        assert_eq!(judged.len(), mails.len() * WIDTHS.len());
        for mail in &judged {
            assert!(mail.texts > 0 && WIDTHS.contains(&mail.width), "{mail:?}");
            if mail.name == "bad" {
                finds_everything(mail);
                continue;
            }
            assert_eq!(mail.problems, Vec::<String>::new(), "{} at {}", mail.name, mail.width);
            assert_eq!((mail.is_dark, mail.is_light), (scheme == Scheme::Dark, scheme == Scheme::Light), "{}", mail.name);
            assert_eq!(
                mail.links,
                usize::from(matches!(mail.name.as_str(), "digest" | "longest" | "monthly_digest" | "to_a_team")),
                "{}: links but to unsubscribe",
                mail.name
            );
        }
    }
    if let Ok(folder) = std::env::var("KEYVAWLT_TEST_PICTURES") {
        take_pictures(&chromium, &mails, Path::new(&folder));
    }
}

/// The judge sees: what is wrong on purpose is found.
fn finds_everything(bad: &Judged) {
    for fault in ["faint: 2.8", "small: 9px", "beyond the edge: \"wide", "hard to tap", "scrolls sideways"] {
        assert!(bad.problems.iter().any(|problem| problem.contains(fault)), "{fault} is not found at {}: {:?}", bad.width, bad.problems);
    }
}

fn html(message: &crate::message::Message) -> String {
    Letter::of(message, Templates::default()).html.expect("a mail has HTML")
}

fn judge(chromium: &str, mails: &[(&str, String)], scheme: Scheme) -> Vec<Judged> {
    let folder = tempfile::tempdir().expect("a folder");
    let page = write_page(folder.path(), mails);
    let shown = browse(chromium, scheme, &["--dump-dom", &page]);
    let (_, rest) = shown.split_once("<pre hidden=\"\" id=\"judged\">").expect("the page");
    let judged = rest.split_once("</pre>").expect("its end").0;
    let judged = judged.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&judged).unwrap_or_else(|error| panic!("{error}: {judged:?}"))
}

fn take_pictures(chromium: &str, mails: &[(&str, String)], folder: &Path) {
    std::fs::create_dir_all(folder).expect("the folder for pictures");
    for mail in mails {
        for (scheme, name) in [(Scheme::Light, "light"), (Scheme::Dark, "dark")] {
            let aside = tempfile::tempdir().expect("a folder");
            let page = write_page(aside.path(), std::slice::from_ref(mail));
            let picture = format!("--screenshot={}", folder.join(format!("{}-{name}.png", mail.0)).display());
            browse(chromium, scheme, &[&picture, "--window-size=1220,1500", &page]);
        }
    }
}

/// One page with all mails, each in windows of its own.
fn write_page(folder: &Path, mails: &[(&str, String)]) -> String {
    let mut page = "<!doctype html><meta charset=utf-8><meta name=color-scheme content=\"light dark\"><body>\n".to_owned();
    for (name, html) in mails {
        let source = html.replace('&', "&amp;").replace('"', "&quot;");
        for width in WIDTHS {
            let style = format!("width:{width}px;border:0;vertical-align:top");
            page.extend(["<iframe data-name=\"", name, "\" style=\"", &style, "\" srcdoc=\"", &source, "\"></iframe>\n"]);
        }
    }
    page.extend(["<pre hidden=\"\" id=\"judged\"></pre><script>", include_str!("browser.js"), "</script>"]);
    let path = folder.join("mails.html");
    std::fs::write(&path, page).expect("the page is written");
    format!("file://{}", path.display())
}

/// Runs the browser once, on this one file: without the network, and without anything it would do by itself.
fn browse(chromium: &str, scheme: Scheme, what: &[&str]) -> String {
    let profile = tempfile::tempdir().expect("a folder");
    let output = Command::new("timeout")
        .args(["--kill-after=5", "90", chromium, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars"])
        .args(["--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=5000"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--blink-settings=preferredColorScheme={}", scheme as u8))
        .args(what)
        .output()
        .expect("the browser runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{chromium}: {}\n{errors}", output.status);
    String::from_utf8(output.stdout).expect("a page in UTF-8")
}
