//! E-mail addresses are proved by a mailed code: by the right one, in time, within few guesses, and without flooding anybody.

use crate::world::{MailServer, PASSWORD, Person, Weather, World, on_each_store};
use keyvawlt_client::Error;
use keyvawlt_server::config::Config;
use std::time::{Duration, Instant};

on_each_store!(
    the_mailed_code_confirms_the_address_and_no_other_does,
    after_five_wrong_guesses_the_right_code_is_refused_too,
    a_code_is_good_for_thirty_minutes,
    one_address_gets_one_code_a_minute_and_six_an_hour,
    guessing_on_is_slowed_down,
    a_code_is_good_for_the_account_it_was_drawn_for,
    an_operator_says_how_long_a_mail_server_may_think,
);

const MINUTE: Duration = Duration::from_mins(1);
const ALMOST_A_MINUTE: Duration = Duration::from_millis(59_999);
const INSTANT: Duration = Duration::from_millis(1);

async fn the_mailed_code_confirms_the_address_and_no_other_does(world: World) {
    let mut ada = world.newcomer("ada").await;
    let code = world.newest_code("ada@example.com").await;
    let mails = world.mails();
    assert_eq!(mails.len(), 1, "one mail, to one address");
    assert_eq!(mails[0].to, "ada@example.com");
    assert!(mails[0].html.contains(&code), "the HTML part carries the code too");
    assert!(!mails[0].subject.contains(&code) && !mails[0].id.contains(&code), "lock screens and logs show no code");

    assert!(!seen_by_the_server(&world, &ada).await);
    for wrong in ["", "0000", &other_than(&code)] {
        assert!(is_refused(&ada.account.verify_email(wrong).await), "{wrong:?}");
    }
    assert!(!ada.account.email_verified() && !seen_by_the_server(&world, &ada).await);

    let world = world.restart().await;
    assert!(is_refused(&ada.account.verify_email(&other_than(&code)).await), "guesses are counted across restarts");
    ada.account.verify_email(&format!(" {} ", code.replace('-', ""))).await.expect("spaces and the hyphen do not matter");
    assert!(ada.account.email_verified() && seen_by_the_server(&world, &ada).await);

    world.pass(MINUTE);
    ada.account.resend_email_code().await.unwrap();
    world.drain().await;
    assert_eq!(world.mails().len(), 1, "nothing is left to prove, and nothing is mailed");
    world.stop().await;
}

async fn after_five_wrong_guesses_the_right_code_is_refused_too(world: World) {
    let mut ada = world.newcomer("ada").await;
    let code = world.newest_code("ada@example.com").await;
    for _ in 0..5 {
        assert!(is_refused(&ada.account.verify_email(&other_than(&code)).await));
    }
    assert!(is_refused(&ada.account.verify_email(&code).await));

    world.pass(MINUTE);
    ada.account.resend_email_code().await.unwrap();
    let another = world.newest_code("ada@example.com").await;
    assert!(is_refused(&ada.account.verify_email(&code).await), "the last code is void");
    ada.account.verify_email(&another).await.unwrap();
    world.stop().await;
}

async fn a_code_is_good_for_thirty_minutes(world: World) {
    let (mut ada, mut bob) = (world.newcomer("ada").await, world.newcomer("bob").await);
    let (adas, bobs) = (world.newest_code("ada@example.com").await, world.newest_code("bob@example.com").await);
    world.pass(30 * ALMOST_A_MINUTE + 29 * INSTANT);
    ada.account.verify_email(&adas).await.unwrap();
    world.pass(INSTANT);
    assert!(is_refused(&bob.account.verify_email(&bobs).await));
    bob.account.resend_email_code().await.unwrap();
    bob.account.verify_email(&world.newest_code("bob@example.com").await).await.unwrap();
    world.stop().await;
}

async fn one_address_gets_one_code_a_minute_and_six_an_hour(world: World) {
    let ada = world.newcomer("ada").await;
    world.drain().await;
    world.pass(ALMOST_A_MINUTE);
    assert!(matches!(ada.account.resend_email_code().await, Err(Error::RateLimited { retry_after_ms: 1 })));
    world.pass(INSTANT);
    for _ in 1..6 {
        ada.account.resend_email_code().await.unwrap();
        world.drain().await;
        world.pass(MINUTE);
    }
    assert_eq!(world.mails().len(), 6);

    ada.account.resend_email_code().await.expect("whoever asks does not learn that there is no mail");
    let _namesake = world.newcomer("ada2").await;
    let imposter = world.client().sign_up("Ada@Example.com", PASSWORD).await.expect("known and unknown addresses are answered alike");
    world.drain().await;
    assert_eq!(world.mails_to("ada@example.com").len(), 6, "the seventh");
    assert_eq!(world.mails_to("Ada@Example.com").len(), 0, "nor by another account, or spelling");
    assert_eq!(world.mails_to("ada2@example.com").len(), 1, "others are not touched");

    world.pass(60 * MINUTE);
    imposter.account.resend_email_code().await.unwrap();
    world.drain().await;
    assert_eq!(world.mails_to("Ada@Example.com").len(), 1, "the next hour has its own six");
    world.stop().await;
}

async fn guessing_on_is_slowed_down(world: World) {
    let mut ada = world.newcomer("ada").await;
    let code = world.newest_code("ada@example.com").await;
    for _ in 0..20 {
        assert!(is_refused(&ada.account.verify_email(&other_than(&code)).await));
    }
    assert!(matches!(ada.account.verify_email(&code).await, Err(Error::RateLimited { retry_after_ms: 60_000 })));
    world.pass(MINUTE);
    ada.account.resend_email_code().await.unwrap();
    ada.account.verify_email(&world.newest_code("ada@example.com").await).await.expect("one more a minute");
    world.stop().await;
}

async fn a_code_is_good_for_the_account_it_was_drawn_for(world: World) {
    let (mut ada, mut eve) = (world.newcomer("ada").await, world.newcomer("eve").await);
    let (adas, eves) = (world.newest_code("ada@example.com").await, world.newest_code("eve@example.com").await);
    assert!(adas == eves || is_refused(&eve.account.verify_email(&adas).await));
    ada.account.verify_email(&adas).await.unwrap();
    assert!(!seen_by_the_server(&world, &eve).await);
    world.stop().await;
}

async fn an_operator_says_how_long_a_mail_server_may_think(world: World) {
    let mut mail = MailServer::open();
    // Longer than a worker waits that nobody told anything.
    mail.turns(Weather::Slow(MINUTE));
    let change = |config: &mut Config| {
        config.worker.mail = Some(mail.url());
        config.worker.smtp.patience_seconds = 1;
    };
    let world = world.restart_with(change).await;
    world.newcomer("ada").await;
    let began = Instant::now();
    world.drain().await;
    assert!(began.elapsed() < Duration::from_secs(15), "{:?}", began.elapsed());
    let said = world.database.rows("SELECT coalesce(last_error, '') FROM job WHERE kind = 'email_code'", 1).await.concat();
    assert!(said[0].contains("no answer in time"), "{said:?}");
    mail.turns(Weather::Fair);
    world.pass(MINUTE);
    world.drain().await;
    assert_eq!(mail.taken().len(), 1, "it is tried again");
    world.stop().await;
}

/// What the server says of an address to somebody who logs in anew.
async fn seen_by_the_server(world: &World, person: &Person) -> bool {
    let again = world.client().log_in(person.account.id(), &person.secret_key, PASSWORD, None).await.expect("log-in");
    again.email_verified()
}

fn is_refused(outcome: &Result<(), Error>) -> bool {
    matches!(outcome, Err(Error::Invalid { .. }))
}

fn other_than(code: &str) -> String {
    let first = if code.starts_with('0') { "1" } else { "0" };
    format!("{first}{}", &code[1..])
}
