//! Names of environment variables: which are valid, how a secret's name becomes one, and which may
//! not come from a vault.
//!
//! Invariant: a writer of secrets cannot become a runner of code. A variable that makes common
//! programs load or execute something is refused unless the person allows that very name.

use std::collections::BTreeSet;

use crate::failure::{Failure, Outcome};

/// Our own variables; a child never sees them (they hold tokens).
pub const OWN_PREFIX: &str = "KEYVAWLT_";

/// Prefixes whose variables steer loaders and interpreters: the dynamic linkers, exported shell
/// functions, Git's configuration by environment, .NET profilers.
pub const REFUSED_PREFIXES: &[&str] = &["LD_", "DYLD_", "BASH_FUNC_", "GIT_CONFIG", "CORECLR_", "COR_PROFILER"];

/// Variables that make a common program load code, run a command, or look for its programs
/// elsewhere. Sorted, for the binary search.
pub const REFUSED: &[&str] = &[
    "BASHOPTS",
    "BASH_ENV",
    "BROWSER",
    "BUNDLE_GEMFILE",
    "CDPATH",
    "CLASSPATH",
    "DOTNET_ADDITIONAL_DEPS",
    "DOTNET_SHARED_STORE",
    "DOTNET_STARTUP_HOOKS",
    "EDITOR",
    "ELECTRON_RUN_AS_NODE",
    "ENV",
    "GCONV_PATH",
    "GEM_HOME",
    "GEM_PATH",
    "GIT_ASKPASS",
    "GIT_EDITOR",
    "GIT_EXEC_PATH",
    "GIT_EXTERNAL_DIFF",
    "GIT_PAGER",
    "GIT_PROXY_COMMAND",
    "GIT_SEQUENCE_EDITOR",
    "GIT_SSH",
    "GIT_SSH_COMMAND",
    "GIT_TEMPLATE_DIR",
    "GLIBC_TUNABLES",
    "GLOBIGNORE",
    "GOFLAGS",
    "HOME",
    "HOSTALIASES",
    "IFS",
    "JAVA_OPTS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "LESSCLOSE",
    "LESSOPEN",
    "LOCPATH",
    "LUA_CPATH",
    "LUA_INIT",
    "LUA_PATH",
    "MAKEFLAGS",
    "MANPAGER",
    "MAVEN_OPTS",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NPM_CONFIG_GIT",
    "NPM_CONFIG_NODE_OPTIONS",
    "NPM_CONFIG_SCRIPT_SHELL",
    "OPENSSL_CONF",
    "OPENSSL_ENGINES",
    "OPENSSL_MODULES",
    "PAGER",
    "PATH",
    "PERL5DB",
    "PERL5LIB",
    "PERL5OPT",
    "PERLLIB",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "PROMPT_COMMAND",
    "PS4",
    "PYTHONBREAKPOINT",
    "PYTHONHOME",
    "PYTHONINSPECT",
    "PYTHONPATH",
    "PYTHONPLATLIBDIR",
    "PYTHONSTARTUP",
    "PYTHONUSERBASE",
    "PYTHONWARNINGS",
    "RUBYLIB",
    "RUBYOPT",
    "RUSTC",
    "RUSTC_WORKSPACE_WRAPPER",
    "RUSTC_WRAPPER",
    "RUSTFLAGS",
    "SHELL",
    "SHELLOPTS",
    "SSH_ASKPASS",
    "SSLKEYLOGFILE",
    "SUDO_ASKPASS",
    "VISUAL",
    "XDG_CONFIG_HOME",
    "XDG_DATA_DIRS",
    "ZDOTDIR",
    "_JAVA_OPTIONS",
    "npm_config_git",
    "npm_config_node_options",
    "npm_config_script_shell",
];

/// Names that a person has allowed with `--allow-name`.
#[derive(Clone, Debug, Default)]
pub struct Allowed(BTreeSet<String>);

impl Allowed {
    /// Exactly these names.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        Self(names.into_iter().collect())
    }

    /// Whether the vault or an env file may set this variable.
    pub fn permits(&self, name: &str) -> bool {
        self.0.contains(name) || !is_dangerous(name)
    }

    /// Refuses a set of variables if any of them is dangerous; names them all.
    pub fn check<'a>(&self, names: impl Iterator<Item = &'a str>) -> Outcome {
        let refused: BTreeSet<&str> = names.filter(|name| !self.permits(name)).collect();
        if refused.is_empty() {
            return Ok(());
        }
        let list = refused.iter().copied().collect::<Vec<_>>().join(", ");
        let flags = refused.iter().map(|name| format!("--allow-name {name}")).collect::<Vec<_>>().join(" ");
        Err(Failure::usage(format!(
            "these variables make programs load or run other code, so neither a vault nor an env \
             file may set them: {list}"
        ))
        .code("DANGEROUS_NAME")
        .hint(format!("if you mean it: {flags}")))
    }
}

/// Whether a variable of this name steers what other programs load or run, or is our own.
pub fn is_dangerous(name: &str) -> bool {
    name.starts_with(OWN_PREFIX) || REFUSED.binary_search(&name).is_ok() || REFUSED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether every shell and reader takes this as a variable's name.
pub fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// The variable that carries a secret: `supabase/access_token` is `SUPABASE_ACCESS_TOKEN`.
///
/// Different secrets may come to the same variable; see [`map`].
pub fn variable_of(secret: &str) -> String {
    secret
        .chars()
        .map(|character| match character {
            '/' | '.' | '-' => '_',
            other => other.to_ascii_uppercase(),
        })
        .collect()
}

/// Maps secrets to variables; refuses names no variable can have, and two secrets for one variable.
pub fn map<'a>(secrets: impl Iterator<Item = &'a str>) -> Outcome<Vec<(String, &'a str)>> {
    let mut taken: std::collections::BTreeMap<String, &str> = std::collections::BTreeMap::new();
    let mut mapped = Vec::new();
    let mut problems = Vec::new();
    for secret in secrets {
        let variable = variable_of(secret);
        if !is_variable(&variable) {
            problems.push(format!("{secret} gives {variable}, which is no variable's name"));
        } else if let Some(other) = taken.insert(variable.clone(), secret) {
            problems.push(format!("{other} and {secret} both give {variable}"));
        } else {
            mapped.push((variable, secret));
        }
    }
    if problems.is_empty() {
        return Ok(mapped);
    }
    Err(Failure::usage(format!("these secrets cannot be injected by name: {}", problems.join("; ")))
        .code("NAME_COLLISION")
        .hint("leave them out with --only, or refer to them: NAME=${vault:path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_so_that_the_search_finds_everything() {
        assert!(REFUSED.is_sorted());
        for name in REFUSED {
            assert!(is_dangerous(name), "{name}");
        }
    }

    #[test]
    fn loaders_interpreters_and_our_own_are_dangerous() {
        let names = [
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "LD_AUDIT",
            "DYLD_INSERT_LIBRARIES",
            "NODE_OPTIONS",
            "PATH",
            "PYTHONPATH",
            "PYTHONSTARTUP",
            "BASH_ENV",
            "ENV",
            "PERL5OPT",
            "RUBYOPT",
            "GIT_SSH_COMMAND",
            "GIT_CONFIG_COUNT",
            "IFS",
            "JAVA_TOOL_OPTIONS",
            "BASH_FUNC_ls%%",
            "KEYVAWLT_TOKEN",
        ];
        for name in names {
            assert!(is_dangerous(name), "{name}");
        }
        for name in ["SUPABASE_ACCESS_TOKEN", "DATABASE_URL", "PATHS", "MY_PATH", "ENVIRONMENT"] {
            assert!(!is_dangerous(name), "{name}");
        }
    }

    #[test]
    fn only_the_allowed_name_is_let_through() {
        let allowed = Allowed::new(["PATH".to_owned()]);
        assert!(allowed.check(["PATH", "A"].into_iter()).is_ok());
        let failure = allowed.check(["PATH", "LD_PRELOAD", "IFS"].into_iter()).unwrap_err();
        assert!(failure.to_string().contains("IFS, LD_PRELOAD"), "{failure}");
        assert!(failure.to_string().contains("--allow-name IFS --allow-name LD_PRELOAD"));
    }

    #[test]
    fn secrets_become_variables() {
        assert_eq!(variable_of("supabase/access_token"), "SUPABASE_ACCESS_TOKEN");
        assert_eq!(variable_of("a.b-c/D_e"), "A_B_C_D_E");
        let mapped = map(["a/b", "c"].into_iter()).unwrap();
        assert_eq!(mapped, [("A_B".to_owned(), "a/b"), ("C".to_owned(), "c")]);
    }

    #[test]
    fn collisions_and_impossible_names_are_named() {
        let failure = map(["a/b", "a.b", "9x"].into_iter()).unwrap_err().to_string();
        assert!(failure.contains("a/b and a.b both give A_B"), "{failure}");
        assert!(failure.contains("9x gives 9X"), "{failure}");
    }
}
