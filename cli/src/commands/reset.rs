//! Keys that were lost with everything: the member's new ones, the admin's reset, and the way back.

use keyvawlt_client::ledger::chain::Questions as _;
use keyvawlt_client::{Error, NewKeys, Reset, ReturnCode, safety_words};
use serde::Serialize;

use super::{Context, org};
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::output::fields;
use crate::prompt::{self, Source};
use crate::roster::{Among, Roster, role_name};
use crate::vault;

/// `keyvawlt member reset`
pub async fn reset(who: &str, source: &Source, yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Done {
        id: String,
        name: String,
        words: String,
        given: Vec<String>,
        missing: Vec<String>,
        rekeyed: Vec<String>,
        rotate: usize,
        code: String,
    }
    let mut vault = vault::open(context).await?;
    let roster = Roster::of(&vault)?;
    let member = roster.find(who, Among::People)?;
    roster.require_admin()?;
    let typed = prompt::password(context.person.as_mut(), source, "code of the new keys")?;
    let keys = NewKeys::parse(&typed)?;
    if keys.id != member.id {
        return Err(Failure::usage("the code is another person's").on(member.name).hint("see keyvawlt member list for the ids"));
    }
    let words = keys.words.join(" ");
    let question = format!(
        "The new words of {} are\n  {words}\nHave {} read them to you, by telephone or in person: whoever made this code becomes {}.\n\
         Are the words the same?",
        member.name, member.name, member.name
    );
    prompt::confirm(context.person.as_mut(), &question, yes)?;
    let Reset { code, removal, given, missing } =
        vault.reset_member(&keys).await.map_err(|error| Failure::from(error).on(member.name.clone()))?;
    let directory = vault.chain().head().chain().and_then(|chain| chain.directory);
    let named = |places: &[keyvawlt_client::ledger::NsId]| {
        places.iter().filter(|ns| Some(**ns) != directory).map(|ns| roster.place(ns)).collect::<Vec<_>>()
    };
    let done = Done {
        id: member.id.to_string(),
        name: member.name,
        words,
        given: named(&given),
        missing: named(&missing),
        rekeyed: named(&removal.rekeyed),
        rotate: removal.worklist.len(),
        code: code.encode()?.to_string(),
    };
    context.output.result(&done, || done.code.clone())?;
    context.output.note(&format!("{} enters again with this code: keyvawlt join CODE; read your words to each other then too", done.name));
    if !done.missing.is_empty() {
        context.output.warn(&format!("access to {} must be given by who manages it", done.missing.join(", ")));
    }
    if done.rotate > 0 {
        context
            .output
            .note(&format!("if the lost keys may be in other hands, {} secret(s) are to be rotated: keyvawlt worklog list", done.rotate));
    }
    Ok(())
}

/// `keyvawlt join` with the code of a reset.
pub async fn enter(typed: &str, yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Entered {
        organization: String,
        id: String,
        role: Option<&'static str>,
        words: String,
        admin_words: String,
    }
    let code = ReturnCode::parse(typed)?;
    let settings = context.settings()?;
    let mut account = vault::account(context).await?;
    let admin_words = safety_words(&code.author_key_id).join(" ");
    let question = format!(
        "The words of whoever reset your keys are\n  {admin_words}\n\
         Have the admin who gave you the code read theirs to you (keyvawlt whoami shows them).\nAre the words the same?"
    );
    prompt::confirm(context.person.as_mut(), &question, yes)?;
    let state = vault::state_of(&settings, &account.id())?;
    let vault = account.enter_again(&code, &state).await.map_err(|error| match error {
        Error::Forbidden => Failure::new(Exit::PermissionDenied, "this account's keys are not those that were reset")
            .hint("the code is for the account that keyvawlt keys recover made; keyvawlt keys show --code shows this one's keys"),
        error => error.into(),
    })?;
    account.pin(&state)?;
    if account.organizations().len() == 1 {
        org::remember(&settings, &vault)?;
    }
    let entered = Entered {
        organization: vault.name()?,
        id: vault.org_id().to_string(),
        role: vault.membership().map(|member| role_name(member.role)),
        words: vault.identity().safety_words().join(" "),
        admin_words,
    };
    context.output.result(&entered, || {
        let role = entered.role.unwrap_or_default().to_owned();
        fields(&[("entered", vec![entered.organization.clone()]), ("role", vec![role]), ("your words", vec![entered.words.clone()])])
    })
}
