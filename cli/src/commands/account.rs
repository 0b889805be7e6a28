//! Commands about oneself and this device.

use keyvawlt_client::ledger::{AccountId, IdentityId};
use keyvawlt_client::{Account, SecretKey};
use serde::Serialize;

use super::{Context, link};
use crate::args::account::{Login, Logout, Signup, VerifyEmail};
use crate::failure::{Failure, Outcome};
use crate::files::{self, Readers};
use crate::login::{self, Files, Profile};
use crate::prompt::{self, Source};
use crate::roster::role_name;
use crate::settings::Settings;
use crate::vault;

/// `keyvawlt signup`
pub async fn signup(arguments: Signup, context: &mut Context) -> Outcome {
    signup_as(arguments, None, context).await?;
    context.output.note("next: keyvawlt org create NAME, or keyvawlt join with an invite's code");
    Ok(())
}

/// Makes an account: of a new identity, or another one of an identity whose keys are lost.
pub async fn signup_as(arguments: Signup, identity: Option<IdentityId>, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct SignedUp<'a> {
        account: String,
        email: &'a str,
        addr: &'a str,
        secret_key: &'a str,
        emergency_kit: &'a str,
        device: bool,
    }
    let settings = context.settings()?;
    let files = Files::of(&settings);
    files.require_nobody()?;
    files.prepare()?;
    let client = vault::client(context, &settings, None)?;
    let email = match arguments.email {
        Some(email) => email,
        None => prompt::line(context.person.as_mut(), "e-mail address", "--email")?,
    };
    let password = prompt::new_password(context.person.as_mut(), &arguments.password.source(), "password")?;
    let new = match identity {
        None => client.sign_up(&email, &password).await?,
        Some(identity) => client.sign_up_again(&email, &password, identity).await?,
    };
    // From here on the account exists: the kit is shown before anything else can fail.
    let secret_key = new.secret_key.to_text();
    let shown = SignedUp {
        account: new.account.id().to_string(),
        email: &email,
        addr: client.origin(),
        secret_key: &secret_key,
        emergency_kit: &new.kit,
        device: !arguments.no_device,
    };
    context.output.result(&shown, || new.kit.to_string())?;
    if let Some(path) = &arguments.kit_file {
        files::create(path, new.kit.as_bytes(), Readers::Owner)
            .map_err(|error| Failure::file(path, "create", &error).hint("the kit above is the only copy: keep it"))?;
        context.output.note(&format!("the kit is in {} too: print it, then delete the file", path.display()));
    }
    let name = arguments.name.unwrap_or_else(|| before_at(&email));
    remember(&files, &new.account, name, (!arguments.no_device).then_some("")).await?;
    context.output.note(&format!("a code was mailed to {email}: keyvawlt verify-email CODE"));
    Ok(())
}

/// `keyvawlt verify-email`
pub async fn verify_email(arguments: VerifyEmail, context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Verified {
        email: String,
        email_verified: bool,
    }
    let mut account = vault::account(context).await?;
    if arguments.resend {
        account.resend_email_code().await?;
        context.output.note(&format!("a new code was mailed to {}", account.email()));
        return Ok(());
    }
    let code = match arguments.code {
        Some(code) => code,
        None => prompt::line(context.person.as_mut(), "code from the mail", "an argument")?,
    };
    account.verify_email(&code).await?;
    let verified = Verified { email: account.email().to_owned(), email_verified: account.email_verified() };
    context.output.result(&verified, || format!("{} is confirmed", verified.email))
}

/// `keyvawlt login`
pub async fn login(arguments: Login, context: &mut Context) -> Outcome {
    let settings = context.settings()?;
    let files = Files::of(&settings);
    files.require_nobody()?;
    files.prepare()?;
    if arguments.token_stdin {
        return login_machine(&settings, &files, context).await;
    }
    if arguments.link {
        return link::log_in(&settings, &files, arguments.yes, context).await;
    }
    let (origin, account_id, secret_key) = credentials(&arguments, context)?;
    let client = vault::client(context, &settings, origin.as_deref())?;
    let password = prompt::password(context.person.as_mut(), &arguments.password.source(), "password")?;
    let state = vault::state_of(&settings, &account_id)?;
    let account = client.log_in(account_id, &secret_key, &password, Some(&state)).await;
    let account = account.map_err(|error| Failure::from(error).if_not_accepted(vault::WRONG_LOGIN))?;
    account.pin(&state)?;
    let device = (!arguments.no_device).then(|| arguments.device_name.as_deref().unwrap_or_default());
    remember(&files, &account, before_at(account.email()), device).await?;
    let organizations = account.organizations().len();
    context.output.note(&format!("logged in as {}, member of {organizations} organization(s)", account.email()));
    Ok(())
}

/// `keyvawlt logout`
pub async fn logout(arguments: Logout, context: &mut Context) -> Outcome {
    let settings = context.settings()?;
    let files = Files::of(&settings);
    if !arguments.local_only
        && settings.token()?.is_none()
        && let Ok(login::Login::Device(key)) = files.login(&settings)
    {
        let account = vault::account(context)
            .await
            .map_err(|failure| failure.hint("with --local-only the key is removed here only; remove the device at the server later"))?;
        account.remove_slot(key.slot_id).await?;
    }
    let any = files.forget()?;
    context.output.note(if any {
        "logged out; what this machine verified stays, and protects the next login"
    } else {
        "nobody was logged in"
    });
    Ok(())
}

/// `keyvawlt whoami`
pub async fn whoami(context: &mut Context) -> Outcome {
    #[derive(Serialize)]
    struct Whoami {
        kind: &'static str,
        addr: String,
        email: Option<String>,
        email_verified: Option<bool>,
        account: Option<String>,
        identity: String,
        words: String,
        organizations: Vec<String>,
        role: Option<&'static str>,
        expires: Option<String>,
    }
    let settings = context.settings()?;
    let known = Files::of(&settings).login(&settings)?;
    let addr = known.origin().to_owned();
    let who = if let login::Login::Machine(_) = known {
        let vault = vault::open(context).await?;
        let member = vault.membership();
        Whoami {
            kind: "machine",
            addr,
            email: None,
            email_verified: None,
            account: None,
            identity: vault.identity().id().to_string(),
            words: vault.identity().safety_words().join(" "),
            organizations: vec![vault.org_id().to_string()],
            role: member.as_ref().map(|member| role_name(member.role)),
            expires: member.filter(|member| member.expires_ms > 0).map(|member| crate::duration::display_ms(member.expires_ms)),
        }
    } else {
        let account = vault::account(context).await?;
        Whoami {
            kind: "person",
            addr,
            email: Some(account.email().to_owned()),
            email_verified: Some(account.email_verified()),
            account: Some(account.id().to_string()),
            identity: account.identity().id().to_string(),
            words: account.identity().safety_words().join(" "),
            organizations: account.organizations().iter().map(ToString::to_string).collect(),
            role: None,
            expires: None,
        }
    };
    context.output.result(&who, || {
        let name = who.email.clone().unwrap_or_else(|| format!("machine {}", who.identity));
        let unverified = if who.email_verified == Some(false) { " (address not confirmed)" } else { "" };
        format!("{name}{unverified} at {}\nyour words: {}", who.addr, who.words)
    })
}

async fn login_machine(settings: &Settings, files: &Files, context: &mut Context) -> Outcome {
    let text = prompt::password(context.person.as_mut(), &Source::Stdin, "machine token")?;
    let token = login::parse_token(&text)?;
    let client = vault::client(context, settings, Some(&token.origin))?;
    vault::open_machine(&client, settings, &token).await?;
    files.save_token(&text)?;
    context.output.note("logged in as a machine");
    Ok(())
}

/// Server, account and Secret Key: from the kit, from flags, or from the person.
fn credentials(arguments: &Login, context: &mut Context) -> Outcome<(Option<String>, AccountId, SecretKey)> {
    let person = context.person.as_mut();
    if let Some(path) = &arguments.kit_file {
        let page = prompt::password(person, &Source::File(path.clone()), "Emergency Kit")?;
        let kit = keyvawlt_client::kit::parse(&page).map_err(|fault| Failure::from(fault).on(path.display().to_string()))?;
        return Ok((Some(kit.origin), kit.account_id, kit.secret_key));
    }
    let account = match &arguments.account {
        Some(account) => account.clone(),
        None => prompt::line(person, "account (from the Emergency Kit)", "--account or --kit-file")?,
    };
    let account_id = account.trim().parse::<AccountId>().map_err(|fault| {
        Failure::from(fault).hint("the account is the line \"Account\" of the Emergency Kit: 32 characters of 0-9 and a-f")
    })?;
    let source = arguments.secret_key_file.clone().map_or(Source::Prompt, Source::File);
    let secret_key = SecretKey::parse(&prompt::password(person, &source, "Secret Key")?)?;
    Ok((None, account_id, secret_key))
}

/// Makes this machine one of the person's: with a key of its own, or with the account's name only.
async fn remember(files: &Files, account: &Account, name: String, device: Option<&str>) -> Outcome {
    let profile =
        Profile { addr: account.client().origin().to_owned(), account: account.id().to_string(), email: account.email().to_owned(), name };
    if let Some(label) = device {
        let key = account.enrol_device(label).await?;
        if let Err(failure) = files.save_device(&key) {
            // A slot whose key nobody has must not stay.
            account.remove_slot(key.slot_id).await?;
            return Err(failure);
        }
    }
    files.save_profile(&profile)
}

/// The part of an address before the @.
pub fn before_at(email: &str) -> String {
    email.split('@').next().unwrap_or(email).to_owned()
}
