//! Keys from files and variables, and that they are never shown.

use std::path::Path;

use gridtally_ledger::{Key, KeyError, KeySource, PasswordSource};

#[test]
fn a_created_key_is_found_again_with_its_password_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let password = folder.path().join("password");
    std::fs::write(&password, "correct horse\nnot this line\n").expect("written");
    let source = PasswordSource::File(password.clone());
    let (key, path) = Key::create(folder.path(), "hub.json", &source).expect("created");

    let load = |password| Key::load(&KeySource::Keystore { path: path.clone(), password });
    assert_eq!(load(source.clone()).expect("loaded").address(), key.address());

    std::fs::write(&password, "wrong").expect("written");
    assert!(matches!(load(source.clone()), Err(KeyError::PasswordWrong { .. })));

    let again = Key::create(folder.path(), "hub.json", &source);
    assert!(matches!(again, Err(KeyError::File { .. })), "an existing file is never overwritten");
    std::fs::write(&password, "correct horse").expect("written");
    assert_eq!(load(source).expect("still there").address(), key.address());

    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&path).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "readable by its owner alone");
    }
    let text = std::fs::read_to_string(&path).expect("there");
    assert!(text.contains("aes-128-ctr"), "encrypted");
}

#[test]
fn refusals_name_the_source_and_never_the_secret() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        path
    };
    let password = file("password", "hunter2");
    let check = |path: &Path, expected: &str| {
        let password = PasswordSource::File(password.clone());
        let source = KeySource::Keystore { path: path.to_owned(), password };
        let error = Key::load(&source).expect_err(expected).to_string();
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
    };
    check(&folder.path().join("nowhere"), "nowhere: No such file");
    check(&file("empty", ""), "empty is not a keystore file");
    check(&file("text", "0x0123"), "text is not a keystore file");
    check(&file("huge", &"x".repeat(70_000)), "huge has 70000 bytes, more than 65536");

    let missing = KeySource::Variable("GRIDTALLY_NO_SUCH_VARIABLE".into());
    let error = Key::load(&missing).expect_err("not set").to_string();
    assert_eq!(error, "the environment variable GRIDTALLY_NO_SUCH_VARIABLE is not set");
    // Every process has PATH, and it is no key.
    let error = Key::load(&KeySource::Variable("PATH".into())).expect_err("no key").to_string();
    assert_eq!(error, "the environment variable PATH does not hold a key of 64 hexadecimal digits");
    let error = Key::load(&KeySource::TestAccount(10)).expect_err("unknown").to_string();
    assert_eq!(error, "test account 10 does not exist, they are 0 to 9");
}

#[test]
fn debug_output_holds_no_secret() {
    let key = Key::load(&KeySource::TestAccount(0)).expect("known to everybody");
    let secret = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    let shown = format!("{key:?} {key:#?}");
    assert!(!shown.contains(secret) && shown.contains("***"), "{shown}");
}
