//! The effects of a store on a disk, each a step that can fail on its own. Tests put a failing disk here.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

/// Everything that a store does to a disk. Reading is not an effect.
pub trait Disk: fmt::Debug + Send + Sync {
    /// Creates a folder and those above it.
    ///
    /// # Errors
    ///
    /// As the system reports.
    fn create_folder(&self, path: &Path) -> io::Result<()>;

    /// Creates an empty file, in place of the one that may be there.
    ///
    /// # Errors
    ///
    /// As the system reports.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file to write at its end.
    ///
    /// # Errors
    ///
    /// As the system reports.
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Cuts a file off after `length` bytes.
    ///
    /// # Errors
    ///
    /// As the system reports.
    fn truncate(&self, path: &Path, length: u64) -> io::Result<()>;

    /// Renames a file or a folder, in place of the file that may be there.
    ///
    /// # Errors
    ///
    /// As the system reports.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Makes the names in a folder durable.
    ///
    /// # Errors
    ///
    /// As the system reports.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;

    /// Removes a file, or a folder with everything in it.
    ///
    /// # Errors
    ///
    /// As the system reports.
    fn remove(&self, path: &Path) -> io::Result<()>;
}

/// A file that is being written.
pub trait DiskFile: Write + fmt::Debug + Send {
    /// Makes what was written durable.
    ///
    /// # Errors
    ///
    /// As the system reports.
    fn sync(&mut self) -> io::Result<()>;
}

/// The disk of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemDisk;

impl Disk for SystemDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(File::create(path)?))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(OpenOptions::new().append(true).open(path)?))
    }

    fn truncate(&self, path: &Path, length: u64) -> io::Result<()> {
        let file = OpenOptions::new().write(true).open(path)?;
        file.set_len(length)?;
        file.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
    }
}

impl DiskFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}
