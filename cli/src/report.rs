//! Reports that are kept: a file in Markdown for people, or in JSON for programs, readable by its owner only.
//!
//! Invariant: what kind it is to be is decided before anything is done that the report is about.

use std::path::PathBuf;

use clap::{Args, ValueEnum, ValueHint};
use serde::Serialize;

use crate::commands::Context;
use crate::failure::{Failure, Outcome};
use crate::files::{self, Readers};

/// Where a report goes, and in which form.
#[derive(Clone, Debug, Args)]
pub struct ReportFile {
    /// Also write a report to this file, replacing it: .md for Markdown, .json for JSON
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub report: Option<PathBuf>,
    /// The report's form, for a file name that does not say it
    #[arg(long, value_enum, requires = "report")]
    pub report_format: Option<Form>,
}

/// The forms of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Form {
    /// For people.
    Markdown,
    /// For programs.
    Json,
}

/// A report to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    path: PathBuf,
    form: Form,
}

impl ReportFile {
    /// The report that is wanted, if one is.
    pub fn report(self) -> Outcome<Option<Report>> {
        let Some(path) = self.report else { return Ok(None) };
        let form = self.report_format.or_else(|| match path.extension()?.to_str()? {
            "md" | "markdown" => Some(Form::Markdown),
            "json" => Some(Form::Json),
            _ => None,
        });
        let unclear =
            || Failure::usage("the file's name does not say in which form").on("--report").hint("--report-format markdown or json");
        Ok(Some(Report { form: form.ok_or_else(unclear)?, path }))
    }
}

impl Report {
    /// Writes it.
    pub fn write(&self, value: &impl Serialize, markdown: impl FnOnce() -> String, context: &mut Context) -> Outcome {
        let text = match self.form {
            Form::Markdown => markdown(),
            Form::Json => {
                let json = serde_json::to_string_pretty(value);
                json.map_err(|error| Failure::local(format!("cannot write JSON: {error}")))? + "\n"
            }
        };
        let path = context.around.directory.join(&self.path);
        files::replace(&path, text.as_bytes(), Readers::Owner).map_err(|error| Failure::file(&path, "write", &error))?;
        context.output.note(&format!("the report is in {}: it names secrets, keep it as you keep those", path.display()));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_told_by_the_name_or_said() {
        let wanted = |path: &str, report_format| ReportFile { report: Some(path.into()), report_format }.report();
        let form = |path: &str, said| wanted(path, said).unwrap().unwrap().form;
        assert_eq!((form("a.md", None), form("b/c.json", None)), (Form::Markdown, Form::Json));
        assert_eq!(form("a.json", Some(Form::Markdown)), Form::Markdown);
        assert!(wanted("report", None).is_err());
        assert_eq!(ReportFile { report: None, report_format: None }.report().unwrap(), None);
    }
}
