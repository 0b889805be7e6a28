//! One's own keys: looking at them, and replacing them everywhere.

use keyvawlt_client::ledger::IdentityId;
use keyvawlt_client::{Error, Rotation};
use serde::Serialize;

use super::{Context, account, ways};
use crate::args::account::Signup;
use crate::args::keys::{Keys, SecretKey};
use crate::failure::{Failure, Outcome};
use crate::output::fields;
use crate::prompt;
use crate::vault;

/// `keyvawlt keys`
pub async fn keys(command: Keys, context: &mut Context) -> Outcome {
    match command {
        Keys::Show { code: true } => show_code(context).await,
        Keys::Show { code: false } => show(context).await,
        Keys::Recover { identity, signup } => recover(&identity, signup, context).await,
        Keys::Rotate { compromised, yes } => rotate(compromised, yes, context).await,
        Keys::SecretKey(SecretKey::New(renewal)) => ways::new_secret_key(&renewal, context).await,
    }
}

async fn show(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Shown {
        identity: String,
        key_id: String,
        generation: u64,
        words: String,
        /// Organizations that still know earlier keys: a rotation broke off.
        earlier_in: Vec<String>,
    }
    let settings = context.settings()?;
    let account = vault::account(context).await?;
    let state = vault::state_of(&settings, &account.id())?;
    let mut earlier_in = Vec::new();
    for org_id in account.organizations() {
        match account.open(*org_id, &state).await {
            Ok(vault) if vault.has_earlier_keys() => earlier_in.push(vault.name()?),
            Ok(_) | Err(Error::Forbidden) => {}
            Err(error) => return Err(error.into()),
        }
    }
    let identity = account.identity();
    let shown = Shown {
        identity: identity.id().to_string(),
        key_id: identity.key_id().to_string(),
        generation: identity.generation(),
        words: identity.safety_words().join(" "),
        earlier_in,
    };
    context.output.result(&shown, || {
        fields(&[
            ("identity", vec![shown.identity.clone()]),
            ("key id", vec![shown.key_id.clone()]),
            ("generation", vec![shown.generation.to_string()]),
            ("words", vec![shown.words.clone()]),
        ])
    })?;
    if !shown.earlier_in.is_empty() {
        context.output.warn(&format!("a rotation broke off: {} still know your earlier keys; {CONTINUE}", shown.earlier_in.join(", ")));
    }
    Ok(())
}

async fn show_code(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Shown<'a> {
        words: String,
        code: &'a str,
    }
    let account = vault::account(context).await?;
    let code = account.keys_code();
    let shown = Shown { words: account.identity().safety_words().join(" "), code: &code };
    context.output.result(&shown, || code.to_string())
}

async fn recover(identity: &str, signup: Signup, context: &mut Context) -> Outcome {
    let identity = identity.trim().parse::<IdentityId>().map_err(|fault| {
        Failure::from(fault).hint("a colleague finds it: keyvawlt member show YOU --json; 32 characters of 0-9 and a-f")
    })?;
    account::signup_as(signup, Some(identity), context).await?;
    context.output.note("have an admin reset your keys: keyvawlt keys show --code prints what keyvawlt member reset needs");
    Ok(())
}

/// What continues a rotation.
const CONTINUE: &str = "keyvawlt keys rotate continues";

async fn rotate(compromised: bool, yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        organization: String,
        rekeyed: usize,
        rotate: usize,
    }
    #[derive(Serialize)]
    struct Rotated {
        generation: u64,
        words: String,
        resumed: bool,
        organizations: Vec<Row>,
        left: Vec<String>,
        failed: Vec<String>,
    }
    let settings = context.settings()?;
    let mut account = vault::account(context).await?;
    let question = if compromised {
        "Replace your keys in every organization, and every key that the present ones open?"
    } else {
        "Replace your keys in every organization?"
    };
    prompt::confirm(context.person.as_mut(), question, yes)?;
    let state = vault::state_of(&settings, &account.id())?;
    let Rotation { generation, resumed, rotated, left, failed } = account.rotate_keys(&state, compromised).await?;
    account.pin(&state)?;
    let organizations = rotated.iter().map(|one| Row {
        organization: one.name.clone(),
        rekeyed: one.loss.as_ref().map_or(0, |loss| loss.rekeyed.len()),
        rotate: one.loss.as_ref().map_or(0, |loss| loss.worklist.len()),
    });
    let done = Rotated {
        generation,
        words: account.identity().safety_words().join(" "),
        resumed,
        organizations: organizations.collect(),
        left: left.iter().map(ToString::to_string).collect(),
        failed: failed.iter().map(|(org_id, _)| org_id.to_string()).collect(),
    };
    context.output.result(&done, || {
        let lines = done.organizations.iter().map(|row| {
            let leaked = format!(": {} new key(s), {} secret(s) to rotate at their providers", row.rekeyed, row.rotate);
            format!("{}{}", row.organization, if compromised { leaked.as_str() } else { "" })
        });
        let organizations = if done.organizations.is_empty() { vec!["none".to_owned()] } else { lines.collect() };
        fields(&[("replaced in", organizations), ("your words", vec![done.words.clone()])])
    })?;
    match (resumed, compromised) {
        (false, _) => {}
        (true, false) => context.output.note("an earlier rotation had broken off, and was continued; rotate again for yet other keys"),
        // Where it had come to its end it is not repeated, and nobody knows here whether keys had leaked then.
        (true, true) => context.output.warn(
            "an earlier rotation had broken off, and was continued: unless that one was --compromised too, run keyvawlt keys rotate --compromised once more",
        ),
    }
    if compromised {
        context
            .output
            .note("secrets to rotate: keyvawlt worklog list; if your password or Secret Key leaked too: keyvawlt keys secret-key new");
    }
    context.output.note("colleagues who compared your words before see others now");
    match failed.into_iter().next() {
        None => Ok(()),
        Some((org_id, error)) => Err(Failure::from(error).on(format!("organization {org_id}")).hint(CONTINUE)),
    }
}
