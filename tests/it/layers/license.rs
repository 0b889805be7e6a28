//! Reads SPDX licence expressions as crates write them: is there a way to accept this crate with the licences we allow?

/// OR takes either side, AND needs both; "MIT/Apache-2.0" is how old crates write OR.
pub fn is_allowed(expression: &str, allowed: &[String]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut reader = Reader { words: &words, allowed };
    let verdict = reader.either();
    verdict && reader.words.is_empty()
}

struct Reader<'a> {
    words: &'a [&'a str],
    allowed: &'a [String],
}

impl Reader<'_> {
    // Both sides are always read, hence | and & instead of the forms that stop early.
    fn either(&mut self) -> bool {
        let mut verdict = self.both();
        while self.take("OR") {
            verdict |= self.both();
        }
        verdict
    }

    fn both(&mut self) -> bool {
        let mut verdict = self.one();
        while self.take("AND") {
            verdict &= self.one();
        }
        verdict
    }

    fn one(&mut self) -> bool {
        if self.take("(") {
            let verdict = self.either();
            return self.take(")") && verdict;
        }
        let Some((licence, rest)) = self.words.split_first() else {
            return false;
        };
        self.words = rest;
        if self.take("WITH") {
            let Some((exception, rest)) = self.words.split_first() else {
                return false;
            };
            self.words = rest;
            return self.knows(&format!("{licence} WITH {exception}"));
        }
        self.knows(licence)
    }

    fn knows(&self, licence: &str) -> bool {
        self.allowed.iter().any(|known| known == licence)
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.words.first() == Some(&word);
        if found {
            self.words = &self.words[1..];
        }
        found
    }
}

#[test]
fn an_expression_is_allowed_when_some_choice_within_it_is() {
    let allowed = ["MIT", "Apache-2.0", "Unicode-3.0"].map(str::to_owned);
    for good in ["MIT", "MIT/GPL-3.0", "GPL-3.0 OR MIT", "(MIT OR GPL-3.0) AND Unicode-3.0"] {
        assert!(is_allowed(good, &allowed), "{good}");
    }
    for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "(MIT OR Apache-2.0) AND GPL-3.0", "Apache-2.0 WITH X", "MIT MIT", "(MIT"] {
        assert!(!is_allowed(bad, &allowed), "{bad}");
    }
}
