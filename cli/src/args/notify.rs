//! Arguments of the commands about notices.

use clap::{Args, Subcommand};

/// The kinds of notices that this program knows; a newer server may know more.
pub const KINDS: [&str; 11] = [
    "expiry",
    "rotation",
    "work-owed",
    "old-key-alive",
    "key-health",
    "provider-incident",
    "monitor",
    "certificate",
    "channel-paused",
    "monthly-digest",
    "test",
];

/// `keyvawlt notify`
#[derive(Debug, Subcommand)]
pub enum Notify {
    /// Send the organization's notices to a channel as well
    #[command(subcommand)]
    Add(Add),
    /// Prove a team's e-mail address with the code that was mailed there
    Verify(Verify),
    /// List the organization's channels
    List,
    /// Take a channel away
    Remove {
        /// Its id, or its name
        channel: String,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Send a trial notice to a channel
    Test {
        /// Its id, or its name
        channel: String,
    },
    /// Send nothing to a channel until it is resumed
    Pause {
        /// Its id, or its name
        channel: String,
    },
    /// Send to a channel again
    Resume {
        /// Its id, or its name
        channel: String,
    },
    /// Make another key for a webhook, shown once
    Rotate {
        /// Its id, or its name
        channel: String,
    },
    /// Hear no more of some kinds of notices
    Mute {
        /// Some of [`KINDS`].
        #[arg(required = true, help = format!("Some of {}", KINDS.join(", ")))]
        kinds: Vec<String>,
    },
    /// Hear of them again
    Unmute {
        /// Some of [`KINDS`].
        #[arg(required = true, help = format!("Some of {}", KINDS.join(", ")))]
        kinds: Vec<String>,
    },
    /// Show or change when you hear of things, and where they must have happened
    Preferences(Preferences),
    /// Show or set how many days before its end a secret is spoken of
    Thresholds {
        /// Days, such as 30 14 7 3 1 0; none to show them
        days: Vec<u32>,
    },
    /// Show what was sent to you, and what became of it
    Log {
        /// What was sent to everybody, and to channels
        #[arg(long)]
        all: bool,
    },
}

/// `keyvawlt notify add`
#[derive(Debug, Subcommand)]
pub enum Add {
    /// An e-mail address of a team; a code that is mailed there proves it
    Email(AddEmail),
    /// A webhook, signed by the Standard Webhooks specification
    Webhook(AddHook),
    /// A Slack-compatible incoming webhook
    Slack(AddHook),
}

/// A channel that is posted to.
#[derive(Debug, Args)]
pub struct AddHook {
    /// Its name
    pub name: String,
    /// File with the URL to post to, one line; - for standard input. A URL may be a secret, so it is no argument
    #[arg(long, value_name = "FILE", default_value = "-")]
    pub url_file: String,
    /// What goes there.
    #[command(flatten)]
    pub filter: Filter,
}

/// A team's e-mail address.
#[derive(Debug, Args)]
pub struct AddEmail {
    /// The address, as in oncall@example.com
    pub address: String,
    /// Its name; the address itself when absent
    #[arg(long)]
    pub name: Option<String>,
    /// What goes there.
    #[command(flatten)]
    pub filter: Filter,
}

/// `keyvawlt notify verify`
#[derive(Debug, Args)]
pub struct Verify {
    /// Its id, its name, or the address
    pub channel: String,
    /// The code that was mailed there; asked for when absent
    #[arg(conflicts_with = "resend")]
    pub code: Option<String>,
    /// Have a new code mailed
    #[arg(long)]
    pub resend: bool,
}

/// What goes to a channel.
#[derive(Debug, Args)]
pub struct Filter {
    /// Only these kinds, such as expiry; `notify mute --help` lists them
    #[arg(long, value_name = "KIND")]
    pub kind: Vec<String>,
    /// Only what is about these environments: ENVIRONMENT or PROJECT/ENVIRONMENT
    #[arg(long, value_name = "ENVIRONMENT")]
    pub on: Vec<String>,
}

/// `keyvawlt notify preferences`
#[derive(Debug, Args)]
pub struct Preferences {
    /// One mail a day at this hour (0 to 23); `none` for mails at once
    #[arg(long, value_name = "HOUR")]
    pub digest: Option<String>,
    /// When nothing comes that can wait, as in 22:00-07:00; `none` for no such time
    #[arg(long, value_name = "FROM-TO")]
    pub quiet_hours: Option<String>,
    /// The time zone of both, as in Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
    /// Only what is about these environments: ENVIRONMENT or PROJECT/ENVIRONMENT
    #[arg(long, value_name = "ENVIRONMENT", conflicts_with = "everywhere")]
    pub on: Vec<String>,
    /// What is about any environment
    #[arg(long)]
    pub everywhere: bool,
}
