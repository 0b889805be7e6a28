//! Channels: where the organization's notices go besides its people. A webhook's key is printed once; its URL never.

use keyvawlt_client::monitors::in_hex as hex;
use keyvawlt_client::{ChannelForm, NewChannel, NoticeChannel, Vault};
use serde::Serialize;
use std::io::Read as _;

use super::super::Context;
use super::places;
use crate::args::notify::{Add, AddEmail, AddHook, Verify};
use crate::duration::display_ms;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::roster::Roster;
use crate::{prompt, vault};

/// A file with a URL is one line of at most 2,048 bytes.
const MAX_URL_FILE: u64 = 4_096;

/// `keyvawlt notify add`
pub(super) async fn add(wanted: Add, vault: &Vault, context: &mut Context) -> Outcome {
    let (form, name, target, filter) = match wanted {
        Add::Email(AddEmail { address, name, filter }) => (ChannelForm::Email, name.unwrap_or_else(|| address.clone()), address, filter),
        Add::Webhook(AddHook { name, url_file, filter }) => (ChannelForm::Webhook, name, url_from(&url_file)?, filter),
        Add::Slack(AddHook { name, url_file, filter }) => (ChannelForm::Slack, name, url_from(&url_file)?, filter),
    };
    let settings = context.settings()?;
    let mut namespaces = Vec::new();
    for place in &filter.on {
        namespaces.push(vault::environment(vault, &settings, Some(place))?.ns_id);
    }
    let new = NewChannel { form, name, target, kinds: filter.kind, namespaces };
    let (id, secret) = vault.add_channel(&new).await?;
    show_key(context, id, &secret)?;
    let next = match form {
        ChannelForm::Email => format!("a code was mailed to {}: keyvawlt notify verify {} CODE", new.target, hex(&id)),
        _ => format!("try it: keyvawlt notify test {}", hex(&id)),
    };
    context.output.note(&next);
    Ok(())
}

/// `keyvawlt notify verify`
pub(super) async fn verify(wanted: Verify, vault: &Vault, context: &mut Context) -> Outcome {
    let (id, channel) = find(vault, &wanted.channel).await?;
    if wanted.resend {
        vault.send_channel_code(id).await?;
        return tell(&channel, &format!("a new code was mailed to {}", channel.leads_to), vault, context);
    }
    let code = match wanted.code {
        Some(code) => code,
        None => prompt::line(context.person.as_mut(), "code from the mail", "an argument")?,
    };
    vault.verify_channel(id, &code).await?;
    let now = again(vault, &channel).await?;
    tell(&now, "the address is proved, and notices are sent there", vault, context)
}

fn url_from(file: &str) -> Outcome<String> {
    let mut text = String::new();
    let read = if file == "-" {
        std::io::stdin().lock().take(MAX_URL_FILE).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|opened| opened.take(MAX_URL_FILE).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::local(format!("cannot read the URL: {error}")).on(file))?;
    Ok(text.trim().to_owned())
}

/// `keyvawlt notify rotate`
pub(super) async fn rotate(which: &str, vault: &Vault, context: &mut Context) -> Outcome {
    let (id, _) = find(vault, which).await?;
    let secret = vault.rotate_channel_secret(id).await?;
    show_key(context, id, &secret)
}

/// A channel and what verifies its signatures, as the specification writes it; shown this once.
#[derive(Serialize)]
struct Key {
    id: String,
    secret: Option<String>,
}

fn show_key(context: &mut Context, id: [u8; 16], secret: &[u8]) -> Outcome {
    use base64::Engine as _;
    let secret = (!secret.is_empty()).then(|| format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(secret)));
    let key = Key { id: hex(&id), secret };
    let text = match &key.secret {
        Some(secret) => format!("channel  {}\nsecret   {secret}\n", key.id),
        None => format!("channel  {}\n", key.id),
    };
    context.output.result(&key, || text)?;
    if key.secret.is_some() {
        context.output.note("the secret is shown this once: give it to the receiver, which verifies with it");
    }
    Ok(())
}

/// `keyvawlt notify list`
pub(super) async fn list(vault: &Vault, context: &mut Context) -> Outcome {
    let roster = Roster::of(vault)?;
    let channels: Vec<Listed> = vault.channels().await?.iter().map(|channel| Listed::of(channel, &roster)).collect();
    let rows: Vec<Vec<String>> = channels.iter().map(Listed::cells).collect();
    let empty = "no channel: notices go to people only; add one: keyvawlt notify add email ADDRESS";
    context.output.table(&channels, &["id", "name", "form", "to", "state"], &rows, empty)
}

/// `keyvawlt notify test`
pub(super) async fn test(which: &str, vault: &Vault, context: &mut Context) -> Outcome {
    let (id, channel) = find(vault, which).await?;
    vault.test_channel(id).await?;
    tell(&channel, "a trial is on its way; what became of it: keyvawlt notify log --all", vault, context)
}

/// `keyvawlt notify pause`
pub(super) async fn pause(which: &str, vault: &Vault, context: &mut Context) -> Outcome {
    let (id, channel) = find(vault, which).await?;
    vault.pause_channel(id).await?;
    let now = again(vault, &channel).await?;
    tell(&now, &format!("nothing is sent there until: keyvawlt notify resume {}", hex(&id)), vault, context)
}

/// `keyvawlt notify resume`
pub(super) async fn resume(which: &str, vault: &Vault, context: &mut Context) -> Outcome {
    let (id, channel) = find(vault, which).await?;
    vault.resume_channel(id).await?;
    let now = again(vault, &channel).await?;
    tell(&now, "notices are sent there again; what happened meanwhile is not made up for", vault, context)
}

/// `keyvawlt notify remove`
pub(super) async fn remove(which: &str, yes: bool, vault: &Vault, context: &mut Context) -> Outcome {
    let (id, channel) = find(vault, which).await?;
    let question = format!("Remove the channel {} to {}? What waits for it is not sent.", channel.name, channel.leads_to);
    prompt::confirm(context.person.as_mut(), &question, yes)?;
    vault.remove_channel(id).await?;
    tell(&channel, "it is gone", vault, context)
}

/// A channel by its id, else by its name, else by the address it alone leads to.
async fn find(vault: &Vault, wanted: &str) -> Outcome<([u8; 16], NoticeChannel)> {
    let channels = vault.channels().await?;
    let ways: [fn(&NoticeChannel, &str) -> bool; 3] = [
        |channel, wanted| hex(&channel.channel_id) == wanted,
        |channel, wanted| channel.name == wanted,
        |channel, wanted| channel.form() == ChannelForm::Email && channel.leads_to == wanted,
    ];
    for is_meant in ways {
        let mut found = channels.iter().filter(|channel| is_meant(channel, wanted));
        match (found.next(), found.next()) {
            (Some(channel), None) => {
                let id = channel.channel_id.as_ref().try_into().map_err(|_| Failure::local("the server's channel has no id"))?;
                return Ok((id, channel.clone()));
            }
            (Some(_), Some(_)) => {
                return Err(Failure::usage("several channels are meant by that: give the id").on(wanted).hint("see keyvawlt notify list"));
            }
            (None, _) => {}
        }
    }
    Err(Failure::new(Exit::NotFound, "there is no such channel").on(wanted).hint("see keyvawlt notify list"))
}

/// The same as it stands after a change; as it stood if somebody took it away meanwhile.
async fn again(vault: &Vault, channel: &NoticeChannel) -> Outcome<NoticeChannel> {
    let now = vault.channels().await?.into_iter().find(|it| it.channel_id == channel.channel_id);
    Ok(now.unwrap_or_else(|| channel.clone()))
}

/// What was done to a channel: in words, or the channel for programs.
fn tell(channel: &NoticeChannel, what: &str, vault: &Vault, context: &mut Context) -> Outcome {
    let shown = Listed::of(channel, &Roster::of(vault)?);
    let name = shown.name.clone();
    context.output.result(&shown, || format!("{name}: {what}"))
}

/// A channel, for programs.
#[derive(Serialize)]
struct Listed {
    id: String,
    name: String,
    form: &'static str,
    /// The address, or the host: the rest of a URL may be a secret.
    to: String,
    kinds: Vec<String>,
    environments: Vec<String>,
    state: &'static str,
    paused: Option<String>,
    failing: Option<String>,
}

impl Listed {
    fn of(channel: &NoticeChannel, roster: &Roster) -> Self {
        let (paused, failing) = (moment(channel.paused_at_ms), moment(channel.failing_since_ms));
        let state = match (&paused, &failing) {
            _ if channel.unproved => "unproved",
            (Some(_), _) => "paused",
            (None, Some(_)) => "failing",
            (None, None) => "works",
        };
        Self {
            id: hex(&channel.channel_id),
            name: channel.name.clone(),
            form: form_name(channel.form()),
            to: channel.leads_to.clone(),
            kinds: channel.kinds.clone(),
            environments: places(&channel.namespaces, roster),
            state,
            paused,
            failing,
        }
    }

    fn cells(&self) -> Vec<String> {
        let since = self.paused.as_ref().or(self.failing.as_ref());
        let state = since.map_or_else(|| self.state.to_owned(), |since| format!("{} since {since}", self.state));
        vec![self.id.clone(), self.name.clone(), self.form.to_owned(), self.to.clone(), state]
    }
}

fn form_name(form: ChannelForm) -> &'static str {
    match form {
        ChannelForm::Email => "email",
        ChannelForm::Webhook => "webhook",
        ChannelForm::Slack => "slack",
        ChannelForm::Unspecified => "unknown",
    }
}

fn moment(at_ms: u64) -> Option<String> {
    (at_ms > 0).then(|| display_ms(at_ms))
}
