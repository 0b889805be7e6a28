//! Keeping what did not verify, for somebody else to check.
//!
//! Invariant: a file of evidence is 0600, holds no value, and there are few of them: a server that lies each time fills no disk.

use std::fs;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use keyvawlt_client::Clock;
use keyvawlt_client::ledger::canon::Canon as _;
use keyvawlt_client::ledger::evidence::{EVIDENCE_FORMAT, Evidence};
use keyvawlt_client::ledger::limits::MAX_EVIDENCE;
use keyvawlt_client::ledger::{Fault, Hash};

use crate::commands::Context;
use crate::exit::Exit;
use crate::failure::{Failure, Outcome};
use crate::files::{self, Readers};
use crate::vault::STATE_DIR;

/// Files that are kept, of at most 4 MiB each. The first ones show how it began, so later ones are the ones left out.
const MAX_KEPT: usize = 32;
/// How their names end, and the folder of the state directory that they are in.
const EVIDENCE: &str = "evidence";

/// Writes the evidence of a failed verification and names the file. Where that cannot be done, the failure itself is what counts.
pub fn keep(failure: Failure, context: &mut Context) -> Failure {
    if failure.exit() != Exit::VerificationFailed {
        return failure;
    }
    match write(&failure, context) {
        Ok(Some(path)) => failure.kept_in(&path),
        Ok(None) => failure,
        Err(unkept) => {
            context.output.warn(&format!("the evidence could not be kept: {unkept}"));
            failure
        }
    }
}

/// Reads a file of evidence, no further than one can be long.
pub fn read(path: &Path) -> Outcome<Evidence> {
    let mut bytes = Vec::new();
    let file = fs::File::open(path).and_then(|file| file.take(MAX_EVIDENCE as u64 + 1).read_to_end(&mut bytes));
    file.map_err(|error| Failure::file(path, "read", &error))?;
    Evidence::parse(&bytes).map_err(|Fault { code, why }| {
        Failure::usage(format!("this is no evidence, or it is damaged: {why}")).code(code.as_str()).on(path.display().to_string())
    })
}

fn write(failure: &Failure, context: &Context) -> Outcome<Option<PathBuf>> {
    // Without a home there is no state, and nothing to hold against the server.
    let Ok(settings) = context.settings() else { return Ok(None) };
    let now_ms = Clock::System.now_ms();
    let evidence = failure.evidence().cloned().unwrap_or_else(|| Evidence {
        v: EVIDENCE_FORMAT,
        code: failure.details().code.to_string(),
        // Reasons that come with statements are the ledger's; others may hold a secret's name.
        why: String::new(),
        at_ms: now_ms,
        origin: settings.addr.value.clone(),
        client: concat!("keyvawlt ", env!("CARGO_PKG_VERSION")).to_owned(),
        org_id: None,
        links: 0,
        head: Hash::ZERO,
        exhibits: vec![],
        bundles: vec![],
    });
    let folder = settings.config_dir.value.join(STATE_DIR).join(EVIDENCE);
    let path = folder.join(format!("{now_ms}-{}.{EVIDENCE}", evidence.code));
    let kept = || -> io::Result<bool> {
        files::private_dir(&folder)?;
        if fs::read_dir(&folder)?.count() >= MAX_KEPT {
            return Ok(false);
        }
        files::create(&path, &evidence.to_bytes(), Readers::Owner).map(|()| true)
    };
    match kept() {
        Ok(true) => Ok(Some(path)),
        Ok(false) => Err(Failure::local(format!("{} holds {MAX_KEPT} files already: move them to a safe place", folder.display()))),
        Err(error) => Err(Failure::file(&path, "write", &error)),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::args::Global;
    use crate::output::Output;
    use crate::prompt::AtTerminal;
    use crate::settings::Surroundings;

    fn context(folder: &Path) -> Context {
        let global = Global { config_dir: Some(folder.to_owned()), ..Global::default() };
        let around = Surroundings { variables: vec![], directory: folder.to_owned() };
        let output = Output::to(false, true, Box::new(io::sink()), Box::new(io::sink()));
        Context { global, around, output, person: Box::new(AtTerminal::default()) }
    }

    #[test]
    fn only_a_failed_verification_is_kept_unread_by_others_and_not_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let mut context = context(folder.path());
        let other = keep(Failure::local("canary"), &mut context);
        assert_eq!(other.details().evidence, None);
        let failed = || Failure::new(Exit::VerificationFailed, "the name canary is used twice").code("E_NAME");
        let path = PathBuf::from(keep(failed(), &mut context).details().evidence.clone().unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
        let evidence = read(&path).unwrap();
        assert_eq!((evidence.code.as_str(), evidence.why.as_str(), evidence.check().len()), ("E_NAME", "", 0));
        for number in 1..MAX_KEPT {
            fs::write(path.with_file_name(number.to_string()), "").unwrap();
        }
        assert_eq!(keep(failed(), &mut context).details().evidence, None);
        fs::write(&path, "damaged").unwrap();
        assert_eq!(read(&path).unwrap_err().exit(), Exit::Usage);
    }
}
