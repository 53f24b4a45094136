//! Writing to a store, so that what was acknowledged is never lost.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use gridtally_core::rejection::{Reason, Rejection};
use gridtally_core::tariff::Tariff;
use gridtally_ledger::{BatchDeployment, Deployment};
use jiff::Timestamp;
use tracing::info;

use super::digest::{Digest, Fingerprint, Fingerprinter};
use super::disk::{Disk, DiskFile, SystemDisk};
use super::error::{StoreError, failed};
use super::journal::{Content, Entry, ErasedSections, JOURNAL_FILE, Line, StoredFile};
use super::participants::ParticipantBook;
use super::recovery;
use super::settings::{SETTINGS_FILE, Settings};
use super::view::StoreView;

/// Where files are written before they get their names.
pub(super) const INCOMING_FOLDER: &str = "incoming";
/// Where files are put that nobody names, because a write was interrupted.
pub(super) const SET_ASIDE_FOLDER: &str = "set_aside";
/// Held by whoever writes; always empty.
pub(super) const LOCK_FILE: &str = "lock";
/// Folders of named files.
pub(super) const FOLDERS: [&str; 6] =
    ["readings", "prices", "participants", "tariffs", "deployments", "runs"];
/// Bytes that are written at a time.
const BUFFER_BYTES: usize = 256 << 10;

/// A store that is open to write. There is one at a time; readers do not mind.
#[derive(Debug)]
pub struct Store {
    view: StoreView,
    disk: Arc<dyn Disk>,
    /// Held until the store is dropped.
    _lock: File,
    is_interrupted: bool,
    incoming_count: u64,
}

/// A document that the store has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recorded {
    /// The line of the journal that acknowledges it.
    pub line: u64,
    /// Whether the store had the same already.
    pub is_repeated: bool,
}

/// A file that is being written into `incoming/`.
#[derive(Debug)]
pub(super) struct IncomingFile {
    path: PathBuf,
    file: Box<dyn DiskFile>,
    fingerprinter: Fingerprinter,
    buffer: Vec<u8>,
}

/// A complete and durable file in `incoming/`.
#[derive(Debug)]
pub(super) struct Complete {
    path: PathBuf,
    pub(super) fingerprint: Fingerprint,
}

/// A complete file and the place where it goes.
#[derive(Debug)]
pub(super) struct Placed {
    complete: Complete,
    pub(super) stored: StoredFile,
}

impl Store {
    /// Creates a store in a folder that is empty or not there, and opens it. A crash leaves no half of a store.
    ///
    /// # Errors
    ///
    /// [`StoreError::NotEmpty`], then as [`Self::open`].
    pub fn create(folder: &Path, settings: &Settings, now: Timestamp) -> Result<Self, StoreError> {
        Self::create_on(Arc::new(SystemDisk), folder, settings, now)
    }

    /// As [`Self::create`], with the disk as an argument.
    ///
    /// # Errors
    ///
    /// As [`Self::create`].
    pub fn create_on(
        disk: Arc<dyn Disk>,
        folder: &Path,
        settings: &Settings,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let folder = std::path::absolute(folder).map_err(failed("find", folder))?;
        if let Some(entry) = std::fs::read_dir(&folder).ok().and_then(|mut all| all.next()) {
            let name = entry.map_err(failed("list", &folder))?.file_name();
            let name = name.to_string_lossy().into_owned();
            return Err(StoreError::NotEmpty { folder, name });
        }
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let draft = folder.with_file_name(format!(".{name}.creating"));
        let parent = folder.parent().unwrap_or(&folder);
        if draft.exists() {
            disk.remove(&draft).map_err(failed("remove", &draft))?;
        }
        disk.create_folder(&draft).map_err(failed("create", &draft))?;
        for name in FOLDERS.iter().chain(&[INCOMING_FOLDER, SET_ASIDE_FOLDER]) {
            let path = draft.join(name);
            disk.create_folder(&path).map_err(failed("create", &path))?;
        }
        let settings = settings.to_toml();
        let fingerprint = super::digest::fingerprint_of(settings.as_bytes());
        let file = StoredFile { path: SETTINGS_FILE.to_owned(), fingerprint };
        let content = Content::Created { settings: file };
        let entry = Entry { sequence: 1, recorded: now, content };
        let (_, first_line) = Line::following(Digest::ZERO, entry);
        for (name, text) in
            [(SETTINGS_FILE, settings.as_str()), (JOURNAL_FILE, &first_line), (LOCK_FILE, "")]
        {
            let path = draft.join(name);
            let mut file = disk.create(&path).map_err(failed("create", &path))?;
            file.write_all(text.as_bytes()).map_err(failed("write", &path))?;
            file.sync().map_err(failed("sync", &path))?;
        }
        disk.sync_folder(&draft).map_err(failed("sync", &draft))?;
        disk.rename(&draft, &folder).map_err(failed("rename", &draft))?;
        disk.sync_folder(parent).map_err(failed("sync", parent))?;
        info!("store created");
        Self::open_on(disk, &folder)
    }

    /// Opens a store to write, and cleans up after a write that was interrupted: a line that was never finished is cut
    /// off, files that nobody names are set aside.
    ///
    /// # Errors
    ///
    /// [`StoreError::Locked`], then as [`StoreView::open`].
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        Self::open_on(Arc::new(SystemDisk), folder)
    }

    /// As [`Self::open`], with the disk as an argument.
    ///
    /// # Errors
    ///
    /// As [`Self::open`].
    pub fn open_on(disk: Arc<dyn Disk>, folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join(LOCK_FILE);
        let lock = match File::open(&path) {
            Ok(lock) => lock,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(StoreError::NotAStore { folder: folder.to_owned() });
            }
            Err(error) => return Err(failed("open", &path)(error)),
        };
        match lock.try_lock() {
            Ok(()) => {}
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(StoreError::Locked { folder: folder.to_owned() });
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
        }
        let lines = recovery::recover(&*disk, folder)?;
        let view = StoreView::of_lines(folder, lines)?;
        Ok(Self { view, disk, _lock: lock, is_interrupted: false, incoming_count: 0 })
    }

    /// Returns the store as it can be read.
    #[must_use]
    pub fn view(&self) -> &StoreView {
        &self.view
    }

    /// Records who takes part. The same book again changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Participants`] where the book cannot follow the one before, [`StoreError::Interrupted`], or
    /// [`StoreError::Io`].
    ///
    /// # Panics
    ///
    /// Never: a book is a table of plain values.
    pub fn set_participants(
        &mut self,
        book: &ParticipantBook,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        let before = self.view.participants(self.view.last())?;
        book.check_follows(&before)?;
        let text = toml::to_string(book).expect("a book is a table of plain values");
        let newest = self.view.participants_line(self.view.last());
        let newest = newest.map(|(line, file)| (line.entry.sequence, file.clone()));
        self.set_document("participants", text, newest, now, |file| Content::Participants { file })
    }

    /// Records a tariff in place of the one of that name. The same again changes nothing.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`] where its currency is not the store's, [`StoreError::Interrupted`], or [`StoreError::Io`].
    ///
    /// # Panics
    ///
    /// Never: a tariff is a table of plain values.
    pub fn set_tariff(&mut self, tariff: &Tariff, now: Timestamp) -> Result<Recorded, StoreError> {
        let (actual, expected) = (tariff.currency(), self.view.settings().currency);
        if actual != expected {
            let rejection = Rejection::new(Reason::CurrencyMismatch, actual.code());
            return Err(rejection
                .because(format_args!("the store has {}", expected.code()))
                .into());
        }
        let text = toml::to_string(tariff).expect("a tariff is a table of plain values");
        let name = tariff.name().to_owned();
        let newest = self.view.tariff_lines(self.view.last());
        let newest = newest.get(tariff.name());
        let newest = newest.map(|(line, file)| (line.entry.sequence, (*file).clone()));
        self.set_document("tariffs", text, newest, now, |file| Content::Tariff { name, file })
    }

    /// Records where the contract stands that this store settles on. Returns the number of the line.
    ///
    /// # Errors
    ///
    /// [`StoreError::Interrupted`] or [`StoreError::Io`].
    ///
    /// # Panics
    ///
    /// Never: a deployment is a table of plain values.
    pub fn set_deployment(
        &mut self,
        deployment: &Deployment,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let text = toml::to_string(deployment).expect("a deployment is a table of plain values");
        let content = |file| Content::Deployment { file };
        Ok(self.set_document("deployments", text, None, now, content)?.line)
    }

    /// Records where the contracts stand on which this store settles in batches. Returns the number of the line.
    ///
    /// # Errors
    ///
    /// [`StoreError::Interrupted`] or [`StoreError::Io`].
    ///
    /// # Panics
    ///
    /// Never: a deployment is a table of plain values.
    pub fn set_batch_deployment(
        &mut self,
        deployment: &BatchDeployment,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let text = toml::to_string(deployment).expect("a deployment is a table of plain values");
        let content = |file| Content::BatchDeployment { file };
        Ok(self.set_document("deployments", text, None, now, content)?.line)
    }

    /// Records that sections of sealed batches are erased, before they are. Returns the number of the line.
    ///
    /// # Errors
    ///
    /// [`StoreError::Interrupted`] or [`StoreError::Io`].
    pub fn record_erasure(
        &mut self,
        erased: ErasedSections,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        self.acknowledge(Vec::new(), Content::SectionsErased(erased), now)
    }

    /// Records a document unless the newest of its kind says the same.
    fn set_document(
        &mut self,
        folder: &str,
        text: String,
        newest: Option<(u64, StoredFile)>,
        now: Timestamp,
        content: impl FnOnce(StoredFile) -> Content,
    ) -> Result<Recorded, StoreError> {
        let digest = Digest::of(text.as_bytes());
        if let Some((sequence, file)) = newest
            && file.fingerprint.sha256 == digest
        {
            return Ok(Recorded { line: sequence, is_repeated: true });
        }
        let mut file = self.incoming()?;
        file.write(text.as_bytes())?;
        let placed = file.finish()?.named(folder, "", "toml");
        let content = content(placed.stored.clone());
        let line = self.acknowledge(vec![placed], content, now)?;
        Ok(Recorded { line, is_repeated: false })
    }

    /// Removes complete files that the store has already.
    pub(super) fn discard(
        &self,
        files: impl IntoIterator<Item = Placed>,
    ) -> Result<(), StoreError> {
        files.into_iter().try_for_each(|Placed { complete: Complete { path, .. }, .. }| {
            self.disk.remove(&path).map_err(failed("remove", &path))
        })
    }

    /// Opens a new file in `incoming/`.
    pub(super) fn incoming(&mut self) -> Result<IncomingFile, StoreError> {
        if self.is_interrupted {
            return Err(StoreError::Interrupted);
        }
        self.incoming_count += 1;
        let path = self.view.folder().join(INCOMING_FOLDER).join(self.incoming_count.to_string());
        let file = self.disk.create(&path).map_err(failed("create", &path))?;
        let fingerprinter = Fingerprinter::new();
        Ok(IncomingFile { path, file, fingerprinter, buffer: Vec::with_capacity(BUFFER_BYTES) })
    }

    /// Gives files their names and acknowledges them. Returns the number of the line.
    pub(super) fn acknowledge(
        &mut self,
        files: Vec<Placed>,
        content: Content,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        if self.is_interrupted {
            return Err(StoreError::Interrupted);
        }
        // From here on a failure leaves open what is on disk, until the store is opened again.
        self.is_interrupted = true;
        self.place(files)?;
        let line = self.append(content, now)?;
        let sequence = line.entry.sequence;
        let has_names =
            matches!(line.entry.content, Content::Participants { .. } | Content::Prices { .. });
        self.view.lines.push(line);
        if has_names {
            self.view.index_names()?;
        }
        self.is_interrupted = false;
        Ok(sequence)
    }

    fn place(&self, files: Vec<Placed>) -> Result<(), StoreError> {
        let root = self.view.folder();
        let mut folders = BTreeSet::new();
        for Placed { complete, stored } in files {
            let target = root.join(&stored.path);
            if target.exists() {
                // Named by its content, so it is the same file: an earlier version came back.
                self.disk.remove(&complete.path).map_err(failed("remove", &complete.path))?;
                continue;
            }
            let folder = target.parent().expect("a file of the store lies in a folder").to_owned();
            if !folder.exists() {
                self.disk.create_folder(&folder).map_err(failed("create", &folder))?;
                folders.extend(folder.parent().map(Path::to_owned));
            }
            self.disk.rename(&complete.path, &target).map_err(failed("rename", &target))?;
            folders.insert(folder);
        }
        for folder in folders {
            self.disk.sync_folder(&folder).map_err(failed("sync", &folder))?;
        }
        Ok(())
    }

    fn append(&self, content: Content, now: Timestamp) -> Result<Line, StoreError> {
        let previous = self.view.lines.last().map_or(Digest::ZERO, |line| line.digest);
        let entry = Entry { sequence: self.view.last() + 1, recorded: now, content };
        let (line, text) = Line::following(previous, entry);
        let path = self.view.folder().join(JOURNAL_FILE);
        let mut journal = self.disk.append(&path).map_err(failed("open", &path))?;
        journal.write_all(text.as_bytes()).map_err(failed("write", &path))?;
        journal.sync().map_err(failed("sync", &path))?;
        Ok(line)
    }
}

impl IncomingFile {
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.buffer.extend_from_slice(bytes);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), StoreError> {
        self.fingerprinter.update(&self.buffer);
        self.file.write_all(&self.buffer).map_err(failed("write", &self.path))?;
        self.buffer.clear();
        Ok(())
    }

    /// Makes the file durable.
    pub(super) fn finish(mut self) -> Result<Complete, StoreError> {
        self.flush()?;
        self.file.sync().map_err(failed("sync", &self.path))?;
        Ok(Complete { path: self.path, fingerprint: self.fingerprinter.finish() })
    }
}

impl Complete {
    /// Names the file by what it is about and by its content.
    pub(super) fn named(self, folder: &str, about: &str, extension: &str) -> Placed {
        let digest = self.fingerprint.sha256.to_string();
        // Half of the digest names it; the journal has all of it.
        let name = &digest[..32];
        self.at(format!("{folder}/{about}{name}.{extension}"))
    }

    /// Gives the file a fixed place.
    pub(super) fn at(self, path: String) -> Placed {
        let stored = StoredFile { path, fingerprint: self.fingerprint.clone() };
        Placed { complete: self, stored }
    }
}
