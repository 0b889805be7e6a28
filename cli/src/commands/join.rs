//! Joining an organization: the newcomer compares the inviter's words first, then enters.

use keyvawlt_client::{Invitation, InviteCode, ReturnCode};
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Context, org, reset};
use crate::args::people::Join;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::login::Files;
use crate::output::fields;
use crate::prompt::{self, Source};
use crate::roster::role_name;
use crate::vault;

/// `keyvawlt join`
pub async fn join(arguments: Join, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Joined {
        organization: String,
        id: String,
        role: Option<&'static str>,
        words: String,
        inviter_words: String,
    }
    let typed = read_code(&arguments, context)?;
    if ReturnCode::is_meant(&typed) {
        return reset::enter(&typed, arguments.yes, context).await;
    }
    let code = InviteCode::parse(typed.trim())
        .map_err(|fault| Failure::from(fault).hint("the code is one word that begins with kvi1; copy all of it, or ask for a new one"))?;
    let settings = context.settings()?;
    if let Err(nobody) = Files::of(&settings).login(&settings) {
        let hint = format!("sign up where the invite is from, then join: keyvawlt signup --addr {}", code.origin);
        return Err(if nobody.exit() == Exit::Unauthenticated { nobody.hint(hint) } else { nobody });
    }
    let mut account = vault::account(context).await?;
    let inviter_words = Invitation::new(account.client().clone(), code.clone()).inviter_words().join(" ");
    let question = format!(
        "The words of whoever made this invite are\n  {inviter_words}\n\
         Have the person who gave you the code read theirs to you (keyvawlt whoami shows them).\nAre the words the same?"
    );
    prompt::confirm(context.person.as_mut(), &question, arguments.yes)?;
    let state = vault::state_of(&settings, &account.id())?;
    let vault = account.join(&code, &state).await.map_err(|error| {
        let back = error.fault().is_some_and(|fault| fault.why.contains("a member here before"));
        let failure = Failure::from(error);
        if back { failure.hint("keyvawlt keys rotate, then the same keyvawlt join") } else { of_the_code(failure) }
    })?;
    account.pin(&state)?;
    if account.organizations().len() == 1 {
        org::remember(&settings, &vault)?;
    }
    let joined = Joined {
        organization: vault.name()?,
        id: vault.org_id().to_string(),
        role: vault.membership().map(|member| role_name(member.role)),
        words: vault.identity().safety_words().join(" "),
        inviter_words,
    };
    context.output.result(&joined, || {
        let role = joined.role.map_or_else(|| "waits for an admin".to_owned(), ToOwned::to_owned);
        fields(&[("joined", vec![joined.organization.clone()]), ("role", vec![role]), ("your words", vec![joined.words.clone()])])
    })?;
    context.output.note("read your words to whoever invited you: access comes once they were compared");
    Ok(())
}

/// The account was let in before: a login that is refused now was the code's own.
fn of_the_code(failure: Failure) -> Failure {
    if failure.exit() != Exit::Unauthenticated {
        return failure;
    }
    Failure::new(Exit::Unauthenticated, "the server does not accept this code: it was used, has ended, or was taken back")
        .hint("ask whoever gave it to you for a new one")
        .request(failure.details().request_id.clone())
}

fn read_code(arguments: &Join, context: &mut Context) -> Outcome<Zeroizing<String>> {
    match &arguments.code {
        Some(typed) => Ok(Zeroizing::new(typed.0.to_string())),
        None => {
            let source = if arguments.code_stdin { Source::Stdin } else { Source::Prompt };
            prompt::password(context.person.as_mut(), &source, "invite code")
        }
    }
}
