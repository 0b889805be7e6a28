//! Printing: results to stdout, everything else to stderr, as text for people or JSON for programs.
//!
//! Invariant: names come from other people, so control characters in them are made visible before
//! they reach a terminal. Absent: deciding what to print.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use serde::Serialize;

use crate::failure::{Details, Failure, Outcome};

/// Where and how a command prints.
pub struct Output {
    json: bool,
    quiet: bool,
    bold: bool,
    out: Box<dyn Write>,
    err: Box<dyn Write>,
}

impl Output {
    /// Prints to the process's own streams.
    pub fn standard(json: bool, quiet: bool, no_color: bool) -> Self {
        let bold = !no_color && !json && io::stdout().is_terminal();
        Self { json, quiet, bold, out: Box::new(io::stdout()), err: Box::new(io::stderr()) }
    }

    /// Prints to the given streams, without colour.
    pub fn to(json: bool, quiet: bool, out: Box<dyn Write>, err: Box<dyn Write>) -> Self {
        Self { json, quiet, bold: false, out, err }
    }

    /// Whether results are printed as JSON.
    pub fn is_json(&self) -> bool {
        self.json
    }

    /// A result: `value` for programs, `text` for people.
    pub fn result(&mut self, value: &impl Serialize, text: impl FnOnce() -> String) -> Outcome {
        if self.json {
            let mut json = serde_json::to_string_pretty(value).map_err(|error| Failure::local(format!("cannot write JSON: {error}")))?;
            json.push('\n');
            self.raw(json.as_bytes())
        } else {
            let mut text = printable(&text());
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            self.raw(text.as_bytes())
        }
    }

    /// Rows: `value` for programs, a table for people; `empty` instead of a table without rows.
    pub fn table(&mut self, value: &impl Serialize, columns: &[&str], rows: &[Vec<String>], empty: &str) -> Outcome {
        if rows.is_empty() && !self.json {
            self.note(empty);
            return Ok(());
        }
        if self.json {
            return self.result(value, String::new);
        }
        let text = table(columns, rows, self.bold);
        self.raw(format!("{text}\n").as_bytes())
    }

    /// Bytes as they are: a secret's value asked for, an exported file.
    pub fn raw(&mut self, bytes: &[u8]) -> Outcome {
        match self.out.write_all(bytes).and_then(|()| self.out.flush()) {
            // The reader of the pipe has seen enough; that is no failure of ours.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| Failure::local(format!("cannot write to stdout: {error}"))),
        }
    }

    /// Tells a person how it went; silent with `--quiet` and `--json`.
    pub fn note(&mut self, text: &str) {
        if !self.quiet && !self.json {
            self.say(&printable(text));
        }
    }

    /// Tells a person about something doubtful; silent with `--quiet`.
    pub fn warn(&mut self, text: &str) {
        if !self.quiet {
            self.say(&format!("keyvawlt: warning: {}", printable(text)));
        }
    }

    /// Reports why the command failed. With `--json` also to stderr, so that stdout stays a result.
    pub fn failure(&mut self, failure: &Failure) {
        if self.json {
            #[derive(Serialize)]
            struct Report<'a> {
                error: &'a Details,
            }
            let report = Report { error: failure.details() };
            if let Ok(json) = serde_json::to_string(&report) {
                self.say(&json);
                return;
            }
        }
        let Details { code, request_id, retry_after_ms, .. } = failure.details();
        let mut text = format!("keyvawlt: error[{code}]: {}", printable(&failure.to_string()));
        if request_id.is_some() || retry_after_ms.is_some() {
            let _ = write!(text, "\n  code={code}");
        }
        if let Some(request_id) = request_id {
            let _ = write!(text, " request_id={}", printable(request_id));
        }
        if let Some(retry_after_ms) = retry_after_ms {
            let _ = write!(text, " retry_after_ms={retry_after_ms}");
        }
        self.say(&text);
    }

    fn say(&mut self, line: &str) {
        // There is nowhere left to report that stderr is closed.
        let _ = writeln!(self.err, "{line}");
    }
}

/// Makes control characters, and the marks that reorder text, visible: a name must not be able to
/// move the cursor, forge a line or hide what it says.
pub fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        let hidden = character.is_control() && character != '\n'
            || matches!(character, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{200b}'..='\u{200f}');
        if hidden {
            let _ = write!(shown, "{}", character.escape_unicode());
        } else {
            shown.push(character);
        }
    }
    shown
}

/// Labels and what belongs to each, aligned; a label without anything is left out, and several things stand below each other.
pub fn fields(fields: &[(&str, Vec<String>)]) -> String {
    let width = fields.iter().map(|(label, _)| label.chars().count()).max().unwrap_or(0);
    let mut text = String::new();
    for (label, values) in fields {
        for (index, value) in values.iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            let value = printable(value).replace('\n', "\\n");
            let _ = writeln!(text, "{}", format!("{label:<width$}  {value}").trim_end());
        }
    }
    text
}

/// Rows under a heading, aligned, for results that have more than one part.
pub fn section(columns: &[&str], rows: &[Vec<String>]) -> String {
    format!("{}\n", table(columns, rows, false))
}

fn table(columns: &[&str], rows: &[Vec<String>], bold: bool) -> String {
    // A line break in a cell would forge a row.
    let clean = |cell: &str| printable(cell).replace('\n', "\\n");
    let head: Vec<String> = columns.iter().map(|column| column.to_uppercase()).collect();
    let body: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect()).collect();
    let width = |column: usize| {
        std::iter::once(&head).chain(&body).filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    let mut text = if bold { format!("\u{1b}[1m{}\u{1b}[0m", line(&head)) } else { line(&head) };
    for row in &body {
        text.push('\n');
        text.push_str(&line(row));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;
    use crate::exit::Exit;

    #[derive(Clone, Default)]
    struct Shown(Rc<RefCell<Vec<u8>>>);

    impl Write for Shown {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Shown {
        fn text(&self) -> String {
            String::from_utf8(self.0.borrow().clone()).unwrap()
        }
    }

    fn output(json: bool, quiet: bool) -> (Output, Shown, Shown) {
        let (out, err) = (Shown::default(), Shown::default());
        (Output::to(json, quiet, Box::new(out.clone()), Box::new(err.clone())), out, err)
    }

    fn missing() -> Failure {
        Failure::new(Exit::NotFound, "no such secret")
            .on("payments/production/stripe")
            .hint("see keyvawlt secrets list")
            .request(Some("r-1".to_owned()))
    }

    #[test]
    fn people_read_one_line_then_code_and_request() {
        let (mut output, out, err) = output(false, false);
        output.failure(&missing());
        assert_eq!(
            err.text(),
            "keyvawlt: error[NOT_FOUND]: payments/production/stripe: no such secret; see keyvawlt \
             secrets list\n  code=NOT_FOUND request_id=r-1\n"
        );
        assert_eq!(out.text(), "");
    }

    #[test]
    fn programs_read_all_fields() {
        let (mut output, out, err) = output(true, false);
        output.failure(&missing().retry(true, Some(1500)));
        let json: serde_json::Value = serde_json::from_str(&err.text()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({"error": {
                "code": "NOT_FOUND",
                "message": "no such secret",
                "resource": "payments/production/stripe",
                "hint": "see keyvawlt secrets list",
                "request_id": "r-1",
                "retryable": true,
                "retry_after_ms": 1500,
            }})
        );
        assert_eq!(out.text(), "");
    }

    #[test]
    fn tables_are_aligned_and_cannot_be_forged() {
        let (mut output, out, _) = output(false, false);
        let rows = [vec!["müller".to_owned(), "owner".to_owned()], vec!["eve\u{1b}[2J\nroot".to_owned(), "admin\u{202e}".to_owned()]];
        output.table(&rows, &["name", "role"], &rows, "nobody").unwrap();
        assert_eq!(
            out.text(),
            "NAME                ROLE\nmüller              owner\n\
             eve\\u{1b}[2J\\nroot  admin\\u{202e}\n"
        );
    }

    #[test]
    fn an_empty_table_says_so_and_is_an_empty_list_for_programs() {
        let none: [Vec<String>; 0] = [];
        let (mut people, out, err) = output(false, false);
        people.table(&none, &["name"], &none, "no members").unwrap();
        assert_eq!((out.text().as_str(), err.text().as_str()), ("", "no members\n"));
        let (mut programs, out, _) = output(true, false);
        programs.table(&none, &["name"], &none, "no members").unwrap();
        assert_eq!(out.text(), "[]\n");
    }

    #[test]
    fn quiet_silences_notes_and_warnings_but_no_failure() {
        let (mut output, _, err) = output(false, true);
        output.note("done");
        output.warn("doubtful");
        assert_eq!(err.text(), "");
        output.failure(&missing());
        assert!(err.text().contains("no such secret"));
    }
}
