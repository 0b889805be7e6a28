//! The ways into one's account: password, Secret Key, recovery code, devices.
//!
//! Invariant: what is shown once is shown, and this device's new key kept, before the server ends the earlier ones.

use keyvawlt_client::ledger::AccountId;
use keyvawlt_client::{Account, NewAccess, RecoveryCode, SlotKind, WayIn};
use serde::Serialize;

use super::account::before_at;
use super::{Context, link};
use crate::args::keys::{Device, PasswordCommand, Recovery, Renewal, from_file};
use crate::duration::{display_ms, distance};
use crate::failure::{Failure, Outcome};
use crate::files::{self, Readers};
use crate::login::{Files, Login, Profile};
use crate::output::fields;
use crate::prompt;
use crate::vault;

/// What to do when the server does not know a recovery code; it does not say which part is wrong.
const WRONG_CODE: &str = "account or recovery code is wrong, or the code was replaced; the page with the code has both";

/// `keyvawlt password`
pub async fn password(command: PasswordCommand, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Changed {
        account: String,
    }
    let PasswordCommand::Change { password } = command;
    let mut account = vault::account(context).await?;
    let password = prompt::new_password(context.person.as_mut(), &password.source(), "new password")?;
    account.change_password(&password).await?;
    let changed = Changed { account: account.id().to_string() };
    context.output.result(&changed, || "the password is changed; the Emergency Kit stays as it is".to_owned())
}

/// `keyvawlt keys secret-key new`
pub async fn new_secret_key(renewal: &Renewal, context: &mut Context) -> Outcome {
    let settings = context.settings()?;
    let files = Files::of(&settings);
    let before = match files.login(&settings)? {
        Login::Device(key) => Some(key),
        Login::Asks(_) | Login::Machine(_) => None,
    };
    let mut account = vault::account(context).await?;
    prompt::confirm(
        context.person.as_mut(),
        "Make a new Secret Key? The Emergency Kit, recovery codes and every other device open nothing any more.",
        renewal.yes,
    )?;
    let password = prompt::new_password(context.person.as_mut(), &renewal.password.source(), "password")?;
    let access = account.draw_access(&password).await?;
    show_kit(&access, renewal, context)?;
    files.save_device(&access.device)?;
    if let Err(error) = account.renew_access(&access, "").await {
        let unknown = matches!(error, keyvawlt_client::Error::Unreachable { .. });
        if let (Some(before), false) = (&before, unknown) {
            files.save_device(before)?;
        }
        let hint =
            if unknown { "keep both kits, and make another one when the server is back" } else { "nothing changed: the kit above is void" };
        return Err(Failure::from(error).hint(hint));
    }
    finish(&account, &vault::state_of(&settings, &account.id())?, context)
}

/// `keyvawlt recovery`
pub async fn recovery(command: Recovery, context: &mut Context) -> Outcome {
    match command {
        Recovery::Create => create_code(context).await,
        Recovery::Use { account, code_file, renewal } => {
            Files::of(&context.settings()?).require_nobody()?;
            let person = context.person.as_mut();
            let account = match account {
                Some(account) => account,
                None => prompt::line(person, "account (from the page with the recovery code)", "--account")?,
            };
            let account = account.trim().parse::<AccountId>()?;
            let code = RecoveryCode::parse(&prompt::password(person, &from_file(code_file.as_ref()), "recovery code")?)?;
            use_code(account, &code, &renewal, context).await
        }
    }
}

async fn create_code(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Created<'a> {
        addr: &'a str,
        account: String,
        recovery_code: &'a str,
    }
    let mut account = vault::account(context).await?;
    let code = account.make_recovery().await?;
    let text = code.to_text();
    let addr = account.client().origin().to_owned();
    let created = Created { addr: &addr, account: account.id().to_string(), recovery_code: &text };
    context.output.result(&created, || {
        fields(&[
            ("server", vec![created.addr.to_owned()]),
            ("account", vec![created.account.clone()]),
            ("recovery code", vec![created.recovery_code.to_owned()]),
        ])
    })?;
    account.keep_recovery(&code).await?;
    context.output.note("write all three lines down, and keep them where you keep passports: whoever has them needs no password");
    context.output.note("an earlier code opens nothing any more");
    Ok(())
}

async fn use_code(account_id: AccountId, code: &RecoveryCode, renewal: &Renewal, context: &mut Context) -> Outcome {
    let settings = context.settings()?;
    let files = Files::of(&settings);
    files.prepare()?;
    let client = vault::client(context, &settings, None)?;
    let state = vault::state_of(&settings, &account_id)?;
    let account = client.recover(account_id, code, Some(&state)).await;
    let mut account = account.map_err(|error| Failure::from(error).if_not_accepted(WRONG_CODE))?;
    prompt::confirm(context.person.as_mut(), "Set a new password? Every other device, kit and recovery code ends.", renewal.yes)?;
    let password = prompt::new_password(context.person.as_mut(), &renewal.password.source(), "new password")?;
    let access = account.draw_access(&password).await?;
    show_kit(&access, renewal, context)?;
    files.save_device(&access.device)?;
    if let Err(error) = account.renew_access(&access, "").await {
        // Whether it got there is not known when the server is away: the key may be the only one then.
        if !matches!(error, keyvawlt_client::Error::Unreachable { .. }) {
            files.forget()?;
        }
        return Err(Failure::from(error).hint("the recovery code opens as before, unless the new kit does: try that first"));
    }
    let (addr, email) = (client.origin().to_owned(), account.email().to_owned());
    let name = before_at(&email);
    files.save_profile(&Profile { addr, account: account_id.to_string(), email, name })?;
    finish(&account, &state, context)
}

/// What is shown once, before anything changes.
fn show_kit(access: &NewAccess, renewal: &Renewal, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Renewed<'a> {
        account: String,
        secret_key: &'a str,
        emergency_kit: &'a str,
    }
    let secret_key = access.secret_key.to_text();
    let shown = Renewed { account: access.device.account_id.to_string(), secret_key: &secret_key, emergency_kit: &access.kit };
    context.output.result(&shown, || access.kit.to_string())?;
    if let Some(path) = &renewal.kit_file {
        files::create(path, access.kit.as_bytes(), Readers::Owner)
            .map_err(|error| Failure::file(path, "create", &error).hint("nothing changed: the kit above is void"))?;
    }
    Ok(())
}

fn finish(account: &Account, state: &keyvawlt_client::StateDir, context: &mut Context) -> Outcome {
    account.pin(state)?;
    context.output.note("the new kit opens from now on; earlier kits, recovery codes and every other device open nothing any more");
    context.output.note("next: keyvawlt recovery create");
    Ok(())
}

/// `keyvawlt device`
pub async fn device(command: Device, context: &mut Context) -> Outcome {
    match command {
        Device::List => list(context).await,
        Device::Approve { code, name, yes } => link::approve(&code.join(" "), name.as_deref(), yes, context).await,
        Device::Remove { device, yes } => remove(&device, yes, context).await,
    }
}

async fn list(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Row {
        id: String,
        kind: &'static str,
        name: String,
        added: String,
        this: bool,
    }
    let account = vault::account(context).await?;
    let now = account.client().clock().now_ms();
    let ways = account.ways_in().await?;
    let rows = ways.iter().map(|way| Row {
        id: way.id.to_string(),
        kind: kind_word(way),
        name: way.label.clone(),
        added: display_ms(way.created_ms),
        this: way.own,
    });
    let rows: Vec<Row> = rows.collect();
    let cells = rows.iter().zip(&ways).map(|(row, way)| {
        let kind = if row.this { format!("{} (this one)", row.kind) } else { row.kind.to_owned() };
        vec![kind, row.name.clone(), distance(way.created_ms, now), crate::roster::short(&row.id)]
    });
    let cells: Vec<_> = cells.collect();
    context.output.table(&rows, &["way in", "name", "added", "id"], &cells, "")
}

fn kind_word(way: &WayIn) -> &'static str {
    match way.kind {
        SlotKind::Password => "password",
        SlotKind::Recovery => "recovery code",
        SlotKind::Passkey => "passkey",
        SlotKind::Device => "device",
    }
}

async fn remove(device: &str, yes: bool, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Removed {
        id: String,
        kind: &'static str,
    }
    let account = vault::account(context).await?;
    prompt::confirm(context.person.as_mut(), &format!("End the way in {device}? It opens nothing any more."), yes)?;
    let way = account.end_way_in(device).await?;
    let removed = Removed { id: way.id.to_string(), kind: kind_word(&way) };
    context.output.result(&removed, || format!("{} {} opens nothing any more", removed.kind, crate::roster::short(&removed.id)))?;
    if way.own {
        context.output.note("that was this device: keyvawlt logout --local-only removes its key here");
    } else {
        context.output.note("if somebody may have its key: keyvawlt keys secret-key new, and keyvawlt keys rotate --compromised");
    }
    Ok(())
}
