//! Whoever wants digests gets one mail a day, which carries the link that ends them.

use crate::world::{Person, World, on_each_store};
use keyvawlt_client::ledger::NsId;
use keyvawlt_client::{FactsInput, NoticePreferences, QuietHours, SecretWrite, Vault};
use keyvawlt_worker::SentMail;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

on_each_store!(
    a_digest_comes_once_a_day_until_its_link_is_followed,
    a_month_is_told_on_its_first_morning_until_its_link_is_followed,
    an_import_of_a_thousand_secrets_is_one_mail_to_each_when_that_one_wants_it,
);

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const PUBLIC: &str = "https://vault.example.com";

async fn a_digest_comes_once_a_day_until_its_link_is_followed(world: World) {
    let local = world.server.origins().to_vec();
    let world = world.restart_with(|config| config.api.origins = [local, vec![format!("{PUBLIC}:443")]].concat()).await;
    let mut ada = world.resident("ada").await;
    let (mut vault, production) = shop(&world, &mut ada).await;
    // At noon, for everybody.
    world
        .database
        .execute(
            "INSERT INTO notice_preference (org_id, identity_id, muted, namespaces, digest_hour, zone, updated_at) \
             SELECT org_id, identity_id, 0, '[]', 12, 'UTC', 0 FROM member",
        )
        .await;

    vault.write(&production, &[ending(&world, "a", 10 * DAY), ending(&world, "b", 20 * DAY)]).await.unwrap();
    hear(&world, HOUR).await;
    assert_eq!(digests(&world).len(), 0, "it is not noon");
    hear(&world, 3 * HOUR).await;
    let mails = digests(&world);
    let [mail] = mails.as_slice() else { panic!("one mail, not {}", mails.len()) };
    assert_eq!(mail.subject, "Your digest: 2 notices");
    assert!(mail.text.contains("a expires in 10 days") && mail.text.contains("b expires in 20 days"), "{}", mail.text);
    let path = mail.unsubscribe.as_deref().and_then(|url| url.strip_prefix(PUBLIC)).expect("a link").to_owned();

    for (method, path) in
        [("GET", path.as_str()), ("HEAD", &path), ("DELETE", &path), ("POST", "/unsubscribe/0"), ("POST", "/unsubscribe/")]
    {
        ask(&world, method, path).await;
    }
    vault.write(&production, &[ending(&world, "c", 10 * DAY)]).await.unwrap();
    hear(&world, DAY).await;
    assert_eq!(digests(&world).len(), 2, "to look changes nothing");
    assert_ne!(digests(&world)[1].unsubscribe, digests(&world)[0].unsubscribe);

    assert_eq!(vault.notice_preferences().await.unwrap().digest_ended_ms, 0);
    let ended = ask(&world, "POST", &path).await;
    let ended_ms = vault.notice_preferences().await.unwrap().digest_ended_ms;
    assert_eq!(ended_ms, world.now_ms(), "preferences say so");
    assert!(ended.starts_with("HTTP/1.1 200 ") && ended.contains("You get no more of these mails"), "{ended}");
    vault.write(&production, &[ending(&world, "d", 10 * DAY), ending(&world, "e", 2 * HOUR)]).await.unwrap();
    hear(&world, DAY).await;
    hear(&world, DAY).await;
    assert_eq!(digests(&world).len(), 2);
    world.tick().await;
    let last = world.mails_to("ada@example.com").pop().unwrap();
    assert_eq!((last.subject.as_str(), last.unsubscribe), ("e expired less than a day ago", None), "what is urgent");

    let mut wanted = vault.notice_preferences().await.unwrap();
    wanted.muted.push("monitor".to_owned());
    vault.set_notice_preferences(wanted.clone()).await.unwrap();
    assert_eq!(vault.notice_preferences().await.unwrap().digest_ended_ms, ended_ms, "to mute a kind begins nothing");
    wanted.digest_ended_ms = 0;
    vault.set_notice_preferences(wanted).await.unwrap();
    vault.write(&production, &[ending(&world, "f", 10 * DAY)]).await.unwrap();
    hear(&world, DAY).await;
    assert_eq!(digests(&world).len(), 3, "begun again");
    world.stop().await;
}

async fn a_month_is_told_on_its_first_morning_until_its_link_is_followed(world: World) {
    let local = world.server.origins().to_vec();
    let world = world.restart_with(|config| config.api.origins = [local, vec![PUBLIC.to_owned()]].concat()).await;
    let (mut ada, mut bob) = (world.resident("ada").await, world.resident("bob").await);
    let (mut vault, production) = shop(&world, &mut ada).await;
    // Bob reads nothing.
    world.admit(&mut vault, &mut bob, "Bob", &[]).await;
    vault.write(&production, &[ending(&world, "stripe_live", 20 * DAY), SecretWrite::new("endless", "v")]).await.unwrap();
    // It is Monday, 23 November, 09:00; the month's job comes while it is still November here.
    hear(&world, 7 * DAY + 14 * HOUR).await;
    assert_eq!(months(&world), Vec::<SentMail>::new());
    let world = world.restart().await;
    hear(&world, 9 * HOUR).await;
    let told = months(&world);
    let [mail] = &told[..] else { panic!("one mail, not {}", told.len()) };
    assert_eq!((mail.to.as_str(), mail.subject.as_str()), ("ada@example.com", "December 2026: 1 secret ends or is due"));
    assert!(
        mail.text.contains("stripe_live, 13 December 2026") && mail.text.contains("No expiry set: 1 key in namespace"),
        "{}",
        mail.text
    );
    assert!(!mail.text.contains("endless") && !mail.html.contains("production"));
    hear(&world, HOUR).await;
    hear(&world, 12 * HOUR).await;
    assert_eq!(months(&world).len(), 1, "once");

    let path = mail.unsubscribe.as_deref().and_then(|url| url.strip_prefix(PUBLIC)).expect("a link");
    ask(&world, "POST", path).await;
    assert_eq!(vault.notice_preferences().await.unwrap().muted, ["monthly-digest"]);
    hear(&world, 30 * DAY).await;
    hear(&world, 12 * HOUR).await;
    assert_eq!(months(&world).len(), 1, "January is not told");
    world.stop().await;
}

/// What many secrets of one date are to those who read them.
async fn an_import_of_a_thousand_secrets_is_one_mail_to_each_when_that_one_wants_it(world: World) {
    let (mut ada, mut bob) = (world.resident("ada").await, world.resident("bob").await);
    let (mut vault, production) = shop(&world, &mut ada).await;
    let mut bobs = world.admit(&mut vault, &mut bob, "Bob", &[(production, 3)]).await;
    // It is 09:00.
    let quiet = NoticePreferences {
        quiet_hours: Some(QuietHours { from: 8 * 60, to: 18 * 60 }),
        time_zone: "UTC".to_owned(),
        ..Default::default()
    };
    vault.set_notice_preferences(quiet).await.unwrap();
    let secrets: Vec<SecretWrite> = (0..IMPORTED).map(|nth| ending(&world, &format!("key_{nth}"), 10 * DAY)).collect();
    for part in secrets.chunks(250) {
        bobs.write(&production, part).await.unwrap();
    }
    world.drain().await;
    world.pass(Duration::from_mins(1));
    world.tick().await;
    let [mail] = &world.mails_to("bob@example.com").into_iter().filter(about_many).collect::<Vec<_>>()[..] else { panic!("one mail") };
    assert!(mail.subject.ends_with(&format!(", and {} more", IMPORTED - 1)), "{}", mail.subject);
    let unsaid = format!("... and {} more. `keyvawlt status` lists everything that is due.", IMPORTED - 20);
    assert!(mail.text.contains(&unsaid), "{}", mail.text);
    assert_eq!(world.mails_to("ada@example.com").iter().filter(|mail| about_many(mail)).count(), 0, "quiet hours");
    hear(&world, 10 * HOUR).await;
    let to_ada: Vec<SentMail> = world.mails_to("ada@example.com").into_iter().filter(about_many).collect();
    assert_eq!((to_ada.len(), &to_ada[0].subject[to_ada[0].subject.len() - 9..]), (1, " 999 more"));
    let [sent] = &bobs.notice_deliveries(false, "").await.unwrap().0[..] else { panic!("one message") };
    assert_eq!((sent.state.as_str(), sent.notices, sent.dropped), ("sent", IMPORTED as u64, 0));
    hear(&world, DAY).await;
    assert_eq!(world.mails().iter().filter(|mail| about_many(mail)).count(), 2, "and no more");
    world.stop().await;
}

const IMPORTED: usize = 1_000;

fn about_many(mail: &SentMail) -> bool {
    mail.subject.contains("expires")
}

fn months(world: &World) -> Vec<SentMail> {
    world
        .mails()
        .into_iter()
        .filter(|mail| mail.subject.starts_with("December 2026: ") || mail.subject.starts_with("January 2027: "))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_alone_and_tells_nobody_anything() {
    let world = World::start().await;
    let (one, other) = (ask(&world, "GET", "/unsubscribe/1").await, ask(&world, "GET", "/unsubscribe/2").await);
    assert_eq!(one, other);
    assert!(one.starts_with("HTTP/1.1 200 ") && one.contains("<form method=\"post\">"), "{one}");
    let headers = one.split("\r\n\r\n").next().unwrap().to_lowercase();
    for header in ["content-security-policy: default-src 'none';", "referrer-policy: no-referrer", "cache-control: no-store"] {
        assert!(headers.contains(header), "{header}: {headers}");
    }
    assert!(!headers.contains("set-cookie") && !one.contains("<script"));
    assert!(ask(&world, "PUT", "/unsubscribe/1").await.starts_with("HTTP/1.1 405 "));
    assert!(ask(&world, "GET", "/elsewhere").await.starts_with("HTTP/1.1 400 "), "nothing else is plain HTTP");
    let mut answers = Vec::new();
    while answers.len() < 600 && !answers.last().is_some_and(|answer: &String| answer.starts_with("HTTP/1.1 429 ")) {
        answers.push(ask(&world, "POST", "/unsubscribe/1").await);
    }
    assert_eq!(answers.len(), 501, "and then it is slowed");
    assert!(answers[500].to_lowercase().contains("retry-after: 1\r\n"), "{}", answers[500]);
    world.stop().await;
}

async fn shop(world: &World, founder: &mut Person) -> (Vault, NsId) {
    let mut vault = founder.account.found("Corner Shop", &founder.state).await.expect("an organization");
    let made = vault.create_project("webshop", &[("production", 3)]).await.expect("an environment");
    world.drain().await;
    (vault, made[0])
}

fn ending(world: &World, name: &str, after: Duration) -> SecretWrite {
    let after_ms = u64::try_from(after.as_millis()).expect("a short time");
    let facts = FactsInput { expires_ms: Some(world.now_ms() + after_ms), label: Some(name.to_owned()), ..FactsInput::default() };
    SecretWrite { facts: Some(facts), ..SecretWrite::new(name, "a value") }
}

async fn hear(world: &World, after: Duration) {
    world.tick().await;
    world.pass(after);
    world.tick().await;
}

fn digests(world: &World) -> Vec<SentMail> {
    world.mails().into_iter().filter(|mail| mail.subject.starts_with("Your digest")).collect()
}

/// What a program that knows nothing of gRPC gets.
pub async fn ask(world: &World, method: &str, path: &str) -> String {
    let mut stream = TcpStream::connect(world.server.addr().expect("an address")).await.expect("a connection");
    let body = "List-Unsubscribe=One-Click";
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: vault.example.com\r\ncontent-type: application/x-www-form-urlencoded\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await.expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.expect("an answer");
    answer
}
