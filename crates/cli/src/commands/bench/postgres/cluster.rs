//! A PostgreSQL of our own: fresh, durable as it comes, reached through a socket in its folder.

use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::os::unix::fs::{MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use crate::commands::bench::Folder;
use crate::stopwatch::Stopwatch;

/// Longest time until a server answers.
const START_MAX: Duration = Duration::from_secs(60);
/// Pause between questions whether it answers.
const PAUSE: Duration = Duration::from_millis(50);
/// Where Debian and its kin put each version's programs.
const DEBIAN_FOLDER: &str = "/usr/lib/postgresql";
/// The account that Debian's package makes; PostgreSQL refuses to run as root.
const USER: &str = "postgres";
const NAMES: [&str; 4] = ["initdb", "pg_ctl", "postgres", "psql"];

/// Installed programs, and as whom they run.
#[derive(Debug)]
pub(in crate::commands::bench) struct Programs {
    folder: PathBuf,
    /// Another user and group than ours, where ours is root.
    user: Option<(u32, u32)>,
}

impl Programs {
    /// Finds the programs in PATH, or the newest of a Debian system.
    ///
    /// # Errors
    ///
    /// In a sentence what is missing and how to get it.
    pub(in crate::commands::bench) fn find() -> Result<Self, String> {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let folder = std::env::split_paths(&paths)
            .chain(debian_folders())
            .find(|folder| NAMES.iter().all(|name| folder.join(name).is_file()))
            .ok_or(
                "PostgreSQL is not installed and left out; apt-get install postgresql brings it.",
            )?;
        let is_root = Folder::new()
            .and_then(|folder| Ok(folder.path().metadata()?.uid() == 0))
            .map_err(|error| format!("PostgreSQL is left out: {error:#}."))?;
        let user = if is_root { Some(user_and_group()?) } else { None };
        Ok(Self { folder, user })
    }

    /// Returns a command that runs as the right user and knows nothing of other clusters.
    fn command(&self, name: &str, working_folder: &Path) -> Command {
        let mut command = Command::new(self.folder.join(name));
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        let variables = std::env::vars_os().map(|(name, _)| name);
        for name in variables.filter(|name| name.to_string_lossy().starts_with("PG")) {
            command.env_remove(name);
        }
        command.env("LC_ALL", "C").current_dir(working_folder).stdin(Stdio::null());
        command
    }
}

/// Returns the folders of all installed versions, the newest first.
fn debian_folders() -> impl Iterator<Item = PathBuf> {
    let entries = std::fs::read_dir(DEBIAN_FOLDER).into_iter().flatten().flatten();
    let version = |name: &std::ffi::OsStr| name.to_str()?.parse::<u32>().ok();
    let mut versions: Vec<u32> = entries.filter_map(|entry| version(&entry.file_name())).collect();
    versions.sort_unstable();
    versions
        .into_iter()
        .rev()
        .map(|version| Path::new(DEBIAN_FOLDER).join(format!("{version}/bin")))
}

fn user_and_group() -> Result<(u32, u32), String> {
    let id = |which: &str| {
        let output = Command::new("id").args([which, USER]).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
    };
    let found = id("-u").zip(id("-g")).filter(|&(user, _)| user != 0);
    found.ok_or_else(|| {
        format!(
            "PostgreSQL is left out: it does not run as root, and there is no user {USER}; useradd --system {USER} makes it."
        )
    })
}

/// A running server; dropping it ends the server and removes its folder.
#[derive(Debug)]
pub(super) struct Cluster<'a> {
    programs: &'a Programs,
    // Ended before its folder goes.
    server: Child,
    folder: Folder,
}

impl<'a> Cluster<'a> {
    /// Makes a cluster with the settings that it comes with, and starts it without network.
    ///
    /// # Errors
    ///
    /// When the programs fail or the server does not answer.
    pub(super) fn start(programs: &'a Programs) -> anyhow::Result<Self> {
        let folder = Folder::new()?;
        let path = folder.path();
        if let Some((user, group)) = programs.user {
            chown(path, Some(user), Some(group))?;
        }
        let mut initdb = programs.command("initdb", path);
        initdb.args(["--username", USER, "--auth", "trust", "--no-locale", "--encoding", "UTF8"]);
        let output = initdb.arg("--pgdata").arg(path.join("data")).output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "initdb failed: {}", said.trim());
        let log = File::create(path.join("log"))?;
        let mut server = programs.command("postgres", path);
        server.arg("-D").arg(path.join("data")).arg("-k").arg(path);
        server.args(["-c", "listen_addresses="]);
        let server = server.stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut cluster = Self { programs, server, folder };
        let watch = Stopwatch::start();
        while let Err(error) = cluster.run("select 1;") {
            if let Some(status) = cluster.server.try_wait()? {
                bail!("PostgreSQL ended with {status}: {}", cluster.log());
            }
            if watch.elapsed() > START_MAX {
                return Err(error.context("PostgreSQL does not answer"));
            }
            thread::sleep(PAUSE);
        }
        Ok(cluster)
    }

    /// Runs statements and returns the rows of their answers, a line each.
    ///
    /// # Errors
    ///
    /// When one fails.
    pub(super) fn run(&self, sql: &str) -> anyhow::Result<String> {
        let mut file = tempfile::tempfile()?;
        file.write_all(sql.as_bytes())?;
        self.answer(&file)
    }

    /// Runs the statements of a file and returns how long that took.
    ///
    /// # Errors
    ///
    /// When one fails.
    pub(super) fn run_file(&self, file: &File) -> anyhow::Result<Duration> {
        let watch = Stopwatch::start();
        self.answer(file).map(|_| watch.elapsed())
    }

    fn answer(&self, mut file: &File) -> anyhow::Result<String> {
        file.rewind()?;
        let mut psql = self.programs.command("psql", self.folder.path());
        psql.args(["--no-psqlrc", "--quiet", "--no-align", "--tuples-only"]);
        psql.args(["--set", "ON_ERROR_STOP=1", "--username", USER, "--dbname", "postgres"]);
        psql.arg("--host").arg(self.folder.path()).stdin(file.try_clone()?);
        let output = psql.output().context("cannot start psql")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "psql failed: {}", said.trim());
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Returns the end of what the server said.
    fn log(&self) -> String {
        let said = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        said.lines().last().unwrap_or_default().to_owned()
    }
}

impl Drop for Cluster<'_> {
    fn drop(&mut self) {
        let mut stop = self.programs.command("pg_ctl", self.folder.path());
        stop.args(["stop", "--silent", "--mode", "immediate", "--wait", "--pgdata"]);
        stop.arg(self.folder.path().join("data"));
        if !stop.output().is_ok_and(|output| output.status.success()) {
            self.server.kill().unwrap_or_default();
        }
        self.server.wait().map(drop).unwrap_or_default();
    }
}
