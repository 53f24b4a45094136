//! How commands reach a chain: an endpoint that goes away, a folder that is read, held or says something out of date.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::run::Terminal;
use crate::server::Server;
use crate::settle::{IMPORT_READINGS, prepared, readings};

/// The key of the first funded account, which everybody knows.
const KEY: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
const SPAN: &str = "--from 2026-06-01T00:00:00Z --until 2026-06-02T00:00:00Z";
const CHAIN: &str = "gridtally-store/chain";

/// Runs a command whose arguments may have blanks where `settle` has underscores.
fn run(terminal: &Terminal, arguments: &str) -> Output {
    let words = arguments.split_whitespace().map(|word| word.replace("Y_%", "Y %"));
    terminal.command("").args(words).output().unwrap()
}

fn done(terminal: &Terminal, arguments: &str) -> String {
    let output = run(terminal, arguments);
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments}: {messages}");
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the error of a command that ends with an exit code.
fn failed(terminal: &Terminal, arguments: &str, exit: i32) -> Value {
    let output = run(terminal, &format!("{arguments} --output json"));
    let messages = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(exit), "{arguments}: {messages}");
    let line = messages.lines().last().unwrap();
    serde_json::from_str::<Value>(line).unwrap()["error"].take()
}

/// A store with a day of readings that nobody has settled.
fn ready() -> Terminal {
    let terminal = prepared(&readings(None))
        .variable("SETTLEMENT_KEY", KEY)
        .variable("GRIDTALLY_CHAIN_ATTEMPTS", "1");
    done(&terminal, IMPORT_READINGS);
    terminal
}

/// Stands before a chain and closes for good after so many answers.
struct Closing {
    url: String,
    answered: Arc<AtomicUsize>,
}

impl Closing {
    fn before(server: &Server, answers_max: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let upstream = server.report["endpoint"].as_str().unwrap().replace("http://", "");
        let answered = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&answered);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (upstream, counted) = (upstream.clone(), Arc::clone(&counted));
                std::thread::spawn(move || pass(client, &upstream, &counted, answers_max));
            }
        });
        Self { url, answered }
    }

    fn answered(&self) -> usize {
        self.answered.load(Ordering::SeqCst)
    }
}

/// Passes requests on, one by one, as long as answers are left. Returning closes the connection.
fn pass(
    mut client: TcpStream,
    upstream: &str,
    answered: &AtomicUsize,
    answers_max: usize,
) -> Option<()> {
    loop {
        let request = message(&mut client)?;
        let one_more = |count| (count < answers_max).then_some(count + 1);
        answered.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).ok()?;
        let mut chain = TcpStream::connect(upstream).ok()?;
        chain.write_all(&request).ok()?;
        client.write_all(&message(&mut chain)?).ok()?;
    }
}

/// Reads one HTTP message with its body.
fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let length: usize =
        head.split("content-length: ").nth(1)?.split("\r\n").next()?.parse().ok()?;
    let start = bytes.len();
    bytes.resize(start + length, 0);
    stream.read_exact(&mut bytes[start..]).ok()?;
    Some(bytes)
}

#[test]
fn an_endpoint_that_goes_away_is_a_matter_of_the_environment() {
    let terminal = ready();
    let server = Server::start(
        &terminal,
        "chain --folder dev --listen 127.0.0.1:0 --genesis-time 2026-05-30T00:00:00Z",
    );
    let url = server.report["endpoint"].as_str().unwrap().to_owned();
    let settle = |url: &str| format!("settle {SPAN} --move-time --endpoint {url}");
    let verify = |url: &str| format!("verify --endpoint {url}");
    let goes_away = |command: &dyn Fn(&str) -> String, answers: usize| {
        let closing = Closing::before(&server, answers);
        let error = failed(&terminal, &command(&closing.url), 3);
        assert_eq!(closing.answered(), answers);
        assert_eq!(error["kind"], "environment", "{error}");
        assert_eq!(error["code"], "endpoint-unreachable", "{error}");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(&format!("{} is unreachable (", closing.url)), "{message}");
        error["hint"].as_str().unwrap().to_owned()
    };
    // While it deploys, registers, publishes, funds and settles.
    for answers in [1, 2, 5, 10, 20, 40, 60] {
        let hint = goes_away(&settle, answers);
        assert!(hint.starts_with("Start the chain there, or name another endpoint"), "{hint}");
        assert!(hint.contains("What was settled stays settled"), "{hint}");
    }
    done(&terminal, &settle(&url));
    for answers in [1, 2, 5, 10, 15] {
        goes_away(&verify, answers);
    }
    let report = done(&terminal, &format!("{} --output json", verify(&url)));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["chain"]["record_count"], 48, "nothing was settled twice");
}

/// Returns every file below a folder with its bytes and when it was changed.
fn files(folder: &Path) -> BTreeMap<PathBuf, (Vec<u8>, std::time::SystemTime)> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            let changed = fs::metadata(&path).unwrap().modified().unwrap();
            found.insert(path.clone(), (fs::read(&path).unwrap(), changed));
        }
    }
    found
}

#[test]
fn verify_changes_nothing_of_store_and_chain() {
    let terminal = ready();
    done(&terminal, &format!("settle {SPAN}"));
    // What somebody who was killed leaves is evidence as well.
    fs::write(terminal.path(CHAIN).join("endpoint"), "http://127.0.0.1:1\n").unwrap();
    let store = terminal.path("gridtally-store");
    let before = files(&store);
    assert!(before.len() > 8, "{:?}", before.keys());
    let shown = done(&terminal, "verify");
    assert!(shown.contains("Nothing is wrong."), "{shown}");
    assert!(files(&store) == before, "a file was changed, added or removed");
}

#[cfg(unix)]
#[test]
fn verify_reads_a_folder_that_cannot_be_written() {
    use std::os::unix::fs::PermissionsExt;

    fn allow(path: &Path, folder_mode: u32, file_mode: u32) {
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        set(path, 0o755);
        for entry in fs::read_dir(path).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { allow(&path, folder_mode, file_mode) } else { set(&path, file_mode) }
        }
        set(path, folder_mode);
    }
    let terminal = ready();
    done(&terminal, &format!("settle {SPAN}"));
    let store = terminal.path("gridtally-store");
    allow(&store, 0o555, 0o444);
    let output = run(&terminal, "verify");
    allow(&store, 0o755, 0o644);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn verify_asks_the_program_that_holds_the_chain() {
    let terminal = ready();
    done(&terminal, &format!("settle {SPAN}"));
    let server = Server::start(&terminal, "chain --listen 127.0.0.1:0");
    let endpoint = server.report["endpoint"].as_str().unwrap();
    let before = files(&terminal.path("gridtally-store"));
    let report: Value = serde_json::from_str(&done(&terminal, "verify --output json")).unwrap();
    assert_eq!(report["asked"], json!(format!("the embedded chain at {endpoint}")));
    assert_eq!(report["chain"]["record_count"], 48);
    assert!(files(&terminal.path("gridtally-store")) == before);
    // Readers do not need it.
    drop(server);
    let lock = File::open(terminal.path(CHAIN).join("lock")).unwrap();
    lock.try_lock_shared().unwrap();
    done(&terminal, "verify");
}

/// Another chain of the same id and first block listens where a folder says that its own does: the note of a process that
/// was killed.
#[test]
fn a_note_that_is_out_of_date_misleads_nobody() {
    let terminal = ready();
    done(&terminal, &format!("settle {SPAN}"));
    let genesis_time = "--genesis-time 2000-01-01T00:00:00Z";
    let other = Server::start(
        &terminal,
        &format!("chain --folder other --listen 127.0.0.1:0 {genesis_time}"),
    );
    let endpoint = other.report["endpoint"].as_str().unwrap();
    let note = terminal.path(CHAIN).join("endpoint");
    fs::write(&note, format!("{endpoint}\n")).unwrap();
    let lock = File::options().write(true).open(terminal.path(CHAIN).join("lock")).unwrap();

    // Somebody reads: whoever only reads does the same, whoever settles has to wait.
    lock.try_lock_shared().unwrap();
    done(&terminal, "verify");
    let error = failed(&terminal, &format!("settle {SPAN}"), 3);
    assert_eq!(error["code"], "chain-in-use-by-readers", "{error}");

    // Somebody writes, but not what listens there.
    lock.unlock().unwrap();
    lock.try_lock().unwrap();
    for command in [format!("settle {SPAN}"), "verify".to_owned()] {
        let error = failed(&terminal, &command, 3);
        assert_eq!(error["code"], "chain-in-use", "{error}");
        let said = format!("Its folder names {endpoint}, but this very chain is not served there.");
        assert!(error["hint"].as_str().unwrap().ends_with(&said), "{error}");
    }
    assert_eq!(other.ask("eth_blockNumber", json!([])), "0x0", "nobody sent it anything");
    lock.unlock().unwrap();
    done(&terminal, &format!("settle {SPAN}"));
}

#[test]
fn verify_compares_the_contract_that_an_auditor_names() {
    let terminal = ready();
    let other = "0x5FbDB2315678afecb367f032d93F642f64180aa3";
    let nothing = failed(&terminal, &format!("verify --contract {other}"), 1);
    let message = nothing["message"].as_str().unwrap();
    assert_eq!(
        message,
        format!("the store in gridtally-store names no contract, so not {other} either")
    );

    done(&terminal, &format!("settle {SPAN}"));
    let report: Value = serde_json::from_str(&done(&terminal, "verify --output json")).unwrap();
    let contract = report["contract"].as_str().unwrap();
    assert_ne!(contract, other);
    for named in [contract.to_owned(), contract.to_lowercase()] {
        let shown = done(&terminal, &format!("verify --contract {named}"));
        assert!(shown.contains(contract), "{shown}");
    }
    let differs = failed(&terminal, &format!("verify --contract {other}"), 1);
    let message = differs["message"].as_str().unwrap();
    let expected =
        format!("the store in gridtally-store settled on contract {contract}, not on {other}");
    assert_eq!(message, expected);
    for (wrong, said) in [
        ("0x12", "write it as 0x and 40 hexadecimal digits"),
        (&other.replace("FbDB", "fbDB"), "its capital letters do not check"),
    ] {
        let error = failed(&terminal, &format!("verify --contract {wrong}"), 2);
        assert!(error["message"].as_str().unwrap().contains(said), "{error}");
    }
}
