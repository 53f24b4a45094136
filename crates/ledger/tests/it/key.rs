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

/// The test vector of the Web3 Secret Storage definition, and a file that geth wrote.
#[test]
fn keystores_of_other_programs_are_read() {
    const DEFINITION: &str = r#"{"crypto":{"cipher":"aes-128-ctr",
        "cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf":"pbkdf2","kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256",
        "salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
        "mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},
        "id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;
    const GETH: &str = r#"{"address":"45dea0fb0bba44f4fcf290bba71fd57d7117cbb8","crypto":{
        "cipher":"aes-128-ctr","cipherparams":{"iv":"dc4926b48a105133d2f16b96833abf1e"},
        "ciphertext":"b87781948a1befd247bff51ef4063f716cf6c2d3481163e9a8f42e1f9bb74145",
        "kdf":"scrypt","kdfparams":{"dklen":32,"n":2,"p":1,"r":8,
        "salt":"004244bbdc51cadda545b1cfa43cff9ed2ae88e08c61f1479dbb45410722f8f0"},
        "mac":"39990c1684557447940d4c69e06b1b82b2aceacb43f284df65c956daf3046b85"},
        "id":"ce541d8d-c79b-40f8-9f8c-20f59616faba","version":3}"#;
    let folder = tempfile::tempdir().expect("a folder");
    let check = |text: &str, password: &str, expected: &str| {
        let (path, file) = (folder.path().join("key.json"), folder.path().join("password"));
        std::fs::write(&path, text).expect("written");
        std::fs::write(&file, password).expect("written");
        let loaded = Key::load(&KeySource::Keystore { path, password: PasswordSource::File(file) });
        let shown = loaded.map_or_else(|error| error.to_string(), |key| key.address().to_string());
        assert!(shown.to_lowercase().contains(expected), "{shown}");
    };
    check(DEFINITION, "testpassword", "0x008aeeda4d805471df9b2a5b0f38a0c3bcba786b");
    check(DEFINITION, "testpasswore", "the password is wrong or the file is damaged");
    check(GETH, "", "0x45dea0fb0bba44f4fcf290bba71fd57d7117cbb8");
    // Some programs write it all the same.
    let forbidden = GETH.replace("\"n\":2", "\"n\":262144").replace("\"r\":8", "\"r\":1");
    check(&forbidden, "", "scrypt does not allow n = 262144 with r = 1");
}

#[test]
fn a_key_of_the_environment_is_loaded() {
    const VARIABLE: &str = "GRIDTALLY_LEDGER_TEST_KEY";
    const NAME: &str = "key::a_key_of_the_environment_is_loaded";
    if std::env::var_os(VARIABLE).is_some() {
        let key = Key::load(&KeySource::Variable(VARIABLE.into())).expect("a key");
        assert_eq!(key.address(), Key::test_account(0).expect("known").address());
        return;
    }
    // No process changes its own environment safely: the test runs itself again in another.
    let secret = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    for text in [secret.to_owned(), format!("0x{secret}\n")] {
        let program = std::env::current_exe().expect("a program");
        let mut command = std::process::Command::new(program);
        let output = command.args(["--exact", NAME]).env(VARIABLE, text).output().expect("ran");
        let output = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.contains("1 passed"), "{output}");
    }
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
