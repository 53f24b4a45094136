//! Where a command finds the blobs of a batch.

use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use gridtally_ledger::{BatchArchive, BeaconNode, BlobSource, EndpointOptions};

use crate::error::{Blame, CommandError};

/// Where blobs are looked for.
#[derive(Debug, clap::Args)]
pub(crate) struct BlobArguments {
    /// Beacon node that has the blobs, http or https [default: the endpoint, as the embedded chain serves them]
    #[arg(long, value_name = "URL")]
    beacon: Option<String>,
    /// Folder with an archive of batches, looked through first
    #[arg(long, value_name = "FOLDER")]
    archive: Option<PathBuf>,
}

impl BlobArguments {
    /// Returns the places in the order in which they are looked through.
    ///
    /// # Errors
    ///
    /// A wrong address is a mistake of usage, a folder that cannot be looked through one of the environment.
    pub(crate) fn sources(&self, endpoint: &str) -> Result<Vec<BlobSource>, CommandError> {
        let beacon = self.beacon.as_deref().unwrap_or(endpoint);
        let beacon = BeaconNode::new(beacon, EndpointOptions::default()).or_usage()?;
        if let Some(folder) = &self.archive {
            // A mistyped name would look like an archive without the batch.
            let found = fs::read_dir(folder);
            found
                .with_context(|| format!("no archive in {}", folder.display()))
                .or_environment()?;
        }
        let archive = self.archive.as_ref().map(BatchArchive::new).map(BlobSource::Archive);
        Ok(archive.into_iter().chain([BlobSource::Beacon(beacon)]).collect())
    }
}
