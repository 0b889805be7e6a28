//! A new device by a code that it shows and an enrolled one is told: both show the same words before the new one keeps anything.

use std::time::Duration;

use keyvawlt_client::{Error, LinkCode, LinkOffer, Linked};
use qrcode::QrCode;
use qrcode::render::unicode::Dense1x2;
use serde::Serialize;

use super::Context;
use super::account::before_at;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::login::{Files, Profile};
use crate::output::fields;
use crate::prompt;
use crate::settings::Settings;
use crate::vault;

/// Between two looks for the other device: soon enough for people, within what the server allows.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// `keyvawlt login --link`
pub async fn log_in(settings: &Settings, files: &Files, yes: bool, context: &mut Context) -> Outcome {
    let client = vault::client(context, settings, None)?;
    let offer = client.offer_link().await?;
    show_code(&offer, context)?;
    let linked = wait(&offer).await?;
    let words = linked.words().join(" ");
    context.output.note(&format!("the other device shows the same words if nobody came between:\n  {words}"));
    let question = "Does the other device show these words, as your own?";
    if let Err(refused) = prompt::confirm(context.person.as_mut(), question, yes) {
        linked.decline().await?;
        return Err(refused);
    }
    let state = vault::state_of(settings, &linked.device().account_id)?;
    let account = linked.unlock(Some(&state)).await?;
    account.pin(&state)?;
    files.save_device(linked.device())?;
    let (addr, email) = (client.origin().to_owned(), account.email().to_owned());
    files.save_profile(&Profile { addr, account: account.id().to_string(), name: before_at(&email), email })?;
    let organizations = account.organizations().len();
    context.output.note(&format!("logged in as {}, member of {organizations} organization(s)", account.email()));
    Ok(())
}

fn show_code(offer: &LinkOffer, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Shown<'a> {
        words: String,
        code: &'a str,
    }
    let text = offer.text()?;
    let square = QrCode::new(text.as_bytes()).map_err(|error| Failure::local(format!("the code cannot be drawn: {error}")))?;
    let shown = Shown { words: offer.code().words().join(" "), code: &text };
    context.output.result(&shown, || {
        let square = square.render::<Dense1x2>().dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build();
        format!("{square}\n\n{}", shown.words)
    })?;
    context.output.note("on a device that is logged in, within ten minutes: keyvawlt device approve, with these twelve words");
    Ok(())
}

async fn wait(offer: &LinkOffer) -> Outcome<Linked> {
    loop {
        match offer.answer().await {
            Ok(Some(linked)) => return Ok(linked),
            Ok(None) | Err(Error::Unreachable { .. } | Error::RateLimited { .. }) => {}
            Err(Error::Forbidden) => {
                return Err(Failure::new(Exit::NotFound, "no device answered in time")
                    .code("LINK_ENDED")
                    .hint("keyvawlt login --link again"));
            }
            Err(error) => return Err(error.into()),
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// `keyvawlt device approve`
pub async fn approve(code: &str, name: Option<&str>, yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Approved {
        words: String,
    }
    let typed = if code.is_empty() { prompt::line(context.person.as_mut(), "twelve words", "arguments")? } else { code.to_owned() };
    let code = LinkCode::parse(&typed)?;
    let account = vault::account(context).await?;
    prompt::confirm(context.person.as_mut(), "Let the device that shows this code in? It will open all that you open.", yes)?;
    account.link_device(&code, name.unwrap_or_default()).await.map_err(|error| match error {
        Error::Forbidden => Failure::new(Exit::NotFound, "no device waits with this code, or not any more")
            .code("LINK_ENDED")
            .hint("keyvawlt login --link there shows a new one, for ten minutes"),
        error => error.into(),
    })?;
    let approved = Approved { words: account.identity().safety_words().join(" ") };
    context.output.result(&approved, || fields(&[("your words", vec![approved.words.clone()])]))?;
    context.output.note("the new device asks whether it shows these words: if it shows others, say no there");
    Ok(())
}
