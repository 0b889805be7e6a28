use std::fs;
use std::path::Path;

use super::*;

fn around(directory: &Path, variables: &[(&str, &str)]) -> Surroundings {
    Surroundings { variables: variables.iter().map(|(name, value)| (name.into(), value.into())).collect(), directory: directory.to_owned() }
}

fn home(dir: &Path) -> (&'static str, String) {
    ("HOME", dir.join("home").display().to_string())
}

fn source(setting: Option<&Setting<String>>) -> (String, String) {
    let setting = setting.unwrap();
    let origin = match &setting.origin {
        Origin::File(path, part) => {
            format!("{}[{part}]", path.file_name().unwrap().display())
        }
        other => other.to_string(),
    };
    (setting.value.clone(), origin)
}

fn said(value: &str, origin: &str) -> (String, String) {
    (value.to_owned(), origin.to_owned())
}

#[test]
fn flag_then_variable_then_repository_then_user_then_default() {
    let dir = tempfile::tempdir().unwrap();
    let work = dir.path().join("repo/services/api/src");
    fs::create_dir_all(&work).unwrap();
    fs::create_dir_all(dir.path().join("home/.config/keyvawlt")).unwrap();
    let user = "addr = 'https://user'\norg = 'user'\nproject = 'user'\nenvironment = 'user'\n";
    fs::write(dir.path().join("home/.config/keyvawlt/config.toml"), user).unwrap();
    let repo = "org = 'repo'\nproject = 'repo'\nenvironment = 'repo'\n\
                [profiles.ci]\nenvironment = 'ci'\n\
                [paths.services]\nproject = 'services'\n[paths.'services/api']\nproject = 'api'\n\
                [paths.'services/ap']\nproject = 'wrong'\n";
    fs::write(dir.path().join("repo/keyvawlt.toml"), repo).unwrap();
    let (name, value) = home(dir.path());

    let settings = Settings::read(&Flags::default(), &around(&work, &[(name, &value)])).unwrap();
    assert_eq!(source(Some(&settings.addr)), said("https://user", "config.toml[]"));
    assert_eq!(source(settings.org.as_ref()), said("repo", "keyvawlt.toml[]"));
    let api = said("api", "keyvawlt.toml[paths.\"services/api\"]");
    assert_eq!(source(settings.project.as_ref()), api);

    let variables = [(name, value.as_str()), ("KEYVAWLT_ORG", "var"), ("KEYVAWLT_PROJECT", "")];
    let flags = Flags { addr: Some("https://flag".into()), profile: Some("ci".into()), ..Flags::default() };
    let settings = Settings::read(&flags, &around(&work, &variables)).unwrap();
    assert_eq!(source(Some(&settings.addr)), said("https://flag", "--addr"));
    assert_eq!(source(settings.org.as_ref()), said("var", "KEYVAWLT_ORG"));
    assert_eq!(source(settings.environment.as_ref()), said("ci", "keyvawlt.toml[profiles.ci]"));
    assert_eq!(settings.require_project().unwrap(), "api");

    let nothing = around(Path::new("/"), &[("HOME", "/nonexistent")]);
    let settings = Settings::read(&Flags::default(), &nothing).unwrap();
    assert_eq!(source(Some(&settings.addr)), said(DEFAULT_ADDR, "default"));
    let failure = settings.require_environment().unwrap_err().to_string();
    assert!(failure.contains("--env"), "{failure}");
}

#[test]
fn the_directory_for_settings() {
    let cases: [(&[(&str, &str)], &str); 5] = [
        (&[("HOME", "/h")], "/h/.config/keyvawlt"),
        (&[("HOME", "/h"), ("XDG_CONFIG_HOME", "/x")], "/x/keyvawlt"),
        (&[("HOME", "/h"), ("XDG_CONFIG_HOME", "x")], "/h/.config/keyvawlt"),
        (&[("HOME", "/h"), ("KEYVAWLT_CONFIG_DIR", "/k")], "/k"),
        (&[("KEYVAWLT_CONFIG_DIR", "k")], "/w/k"),
    ];
    for (variables, path) in cases {
        let found = config_dir(&Flags::default(), &around(Path::new("/w"), variables)).unwrap();
        assert_eq!(found.value, Path::new(path));
    }
    assert!(config_dir(&Flags::default(), &around(Path::new("/w"), &[])).is_err());
}

#[test]
fn unknown_keys_are_refused_without_showing_values() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(REPO_FILE);
    let cases = [
        ("org = 'x'\ntoken = 'canary'", "line 2: unknown field `token`"),
        ("[profiles.ci]\npassword = 'canary'", "line 2: unknown field `password`"),
        ("org = 5", "line 1: a value of the wrong type"),
        ("profiles = 'canary'", "line 1: a value of the wrong type"),
        ("[paths.a]\nprofile = 'x'", "the key profile belongs at the top"),
        ("org 'canary'", "line 1:"),
    ];
    for (text, expected) in cases {
        fs::write(&path, text).unwrap();
        let failure = FileSettings::find(dir.path()).unwrap_err().to_string();
        assert!(failure.contains(expected), "{failure}");
        assert!(failure.contains("keyvawlt.toml"), "{failure}");
        assert!(!failure.contains("canary"), "{failure}");
    }
}

#[test]
fn a_profile_nobody_defines_is_an_error() {
    let flags = Flags { profile: Some("ci".into()), ..Flags::default() };
    let failure = Settings::read(&flags, &around(Path::new("/"), &[("HOME", "/nonexistent")]));
    assert!(failure.unwrap_err().to_string().contains("profile"));
}

#[test]
fn tokens_come_from_one_place_and_are_never_shown() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("token"), "canary-file\n").unwrap();
    let base = ("HOME", "/nonexistent");
    let given = around(dir.path(), &[base, ("KEYVAWLT_TOKEN", "canary")]);
    let settings = Settings::read(&Flags::default(), &given).unwrap();
    assert_eq!(settings.token().unwrap().unwrap().as_str(), "canary");
    assert!(!format!("{settings:?}{:?}", settings.rows()).contains("canary"));

    let file = around(dir.path(), &[base, ("KEYVAWLT_TOKEN_FILE", "token")]);
    let settings = Settings::read(&Flags::default(), &file).unwrap();
    assert_eq!(settings.token().unwrap().unwrap().as_str(), "canary-file");

    let both = [base, ("KEYVAWLT_TOKEN", "a"), ("KEYVAWLT_TOKEN_FILE", "token")];
    assert!(Settings::read(&Flags::default(), &around(dir.path(), &both)).is_err());
}

#[test]
fn files_written_are_files_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("new/config.toml");
    FileSettings::update(&path, |file| file.top.org = Some("acme".into())).unwrap();
    FileSettings::update(&path, |file| file.top.addr = Some("https://v".into())).unwrap();
    let (_, file) = FileSettings::read(&path).unwrap().unwrap();
    assert_eq!(file.top.org.as_deref(), Some("acme"));
    assert_eq!(file.top.addr.as_deref(), Some("https://v"));

    let repo = dir.path().join(REPO_FILE);
    let top = Section { project: Some("payments".into()), ..Section::default() };
    FileSettings::write_repo_file(&repo, top.clone(), false).unwrap();
    assert_eq!(FileSettings::find(dir.path()).unwrap().unwrap().1.top, top);
    assert!(FileSettings::write_repo_file(&repo, top.clone(), false).is_err());
    assert!(FileSettings::write_repo_file(&repo, top, true).is_ok());
}
