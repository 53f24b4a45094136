//! Where a command finds what batches published, and keeps it.

use std::fs;

use anyhow::Context as _;
use gridtally_ledger::{
    ArchiveBucket, BatchArchive, BeaconNode, BlobSource, BucketCredentials, BucketOptions,
    EndpointOptions,
};

use crate::config::{ArchiveConfig, ArchivePlace, Config, Settings};
use crate::error::{Blame, CommandError};

/// Where blobs are looked for.
#[derive(Debug, clap::Args)]
pub(crate) struct BlobArguments {
    /// Beacon node that has the blobs, http or https [default: the endpoint, as the embedded chain serves them]
    #[arg(long, value_name = "URL")]
    beacon: Option<String>,
    #[command(flatten)]
    archive: ArchiveArguments,
}

/// Which archive, where it is not the configured one.
#[derive(Debug, clap::Args)]
pub(crate) struct ArchiveArguments {
    /// Archive of batches: a folder, or s3://bucket/folder [default: archive.place]
    #[arg(long, value_name = "PLACE")]
    archive: Option<String>,
    /// Address of the object storage, http or https [default: archive.endpoint, or AWS]
    #[arg(long, value_name = "URL")]
    archive_endpoint: Option<String>,
}

impl ArchiveArguments {
    /// Puts the flags above the other settings.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        if let Some(place) = &self.archive {
            settings.set_flag("archive.place", "--archive", place.as_str());
        }
        if let Some(endpoint) = &self.archive_endpoint {
            settings.set_flag("archive.endpoint", "--archive-endpoint", endpoint.as_str());
        }
    }
}

impl BlobArguments {
    /// Puts the flags above the other settings.
    pub(crate) fn apply(&self, settings: &mut Settings) {
        self.archive.apply(settings);
    }

    /// Returns the places in the order in which they are looked through.
    ///
    /// # Errors
    ///
    /// A wrong address is a mistake of usage, a folder that cannot be looked through one of the environment.
    pub(crate) fn sources(
        &self,
        config: &Config,
        endpoint: &str,
    ) -> Result<Vec<BlobSource>, CommandError> {
        let beacon = self.beacon.as_deref().unwrap_or(endpoint);
        let beacon = BeaconNode::new(beacon, EndpointOptions::default()).or_usage()?;
        if let Some(ArchivePlace::Folder(folder)) = &config.archive.place {
            // A mistyped name would look like an archive without the batch.
            let found = fs::read_dir(folder);
            found
                .with_context(|| format!("no archive in {}", folder.display()))
                .or_environment()?;
        }
        let archive = archive(config)?.map(BlobSource::Archive);
        Ok(archive.into_iter().chain([BlobSource::Beacon(beacon)]).collect())
    }
}

/// Returns the configured archive of batches, if there is one. Nothing is sent yet.
///
/// # Errors
///
/// A wrong address, or half of the keys, is a mistake of usage.
pub(crate) fn archive(config: &Config) -> Result<Option<BatchArchive>, CommandError> {
    let config = &config.archive;
    let address = match &config.place {
        None => return Ok(None),
        Some(ArchivePlace::Folder(folder)) => return Ok(Some(BatchArchive::new(folder))),
        Some(ArchivePlace::Bucket(address)) => address,
    };
    let options = BucketOptions {
        endpoint: config.endpoint.clone(),
        region: config.region.clone(),
        credentials: credentials(config)?,
        is_plain_http_allowed: config.is_plain_http_allowed,
        patience: EndpointOptions::default(),
    };
    let bucket = ArchiveBucket::new(address, options).or_usage()?;
    Ok(Some(BatchArchive::in_bucket(bucket)))
}

fn credentials(config: &ArchiveConfig) -> Result<Option<BucketCredentials>, CommandError> {
    let of = |variable: &str| std::env::var(variable).ok().filter(|text| !text.is_empty());
    let ArchiveConfig { access_key_variable, secret_key_variable, .. } = config;
    match (of(access_key_variable), of(secret_key_variable)) {
        (None, None) => Ok(None),
        (Some(access_key), Some(secret_key)) => {
            let session_token = of(&config.session_token_variable);
            Ok(Some(BucketCredentials { access_key, secret_key, session_token }))
        }
        (access_key, _) => {
            let missing =
                if access_key.is_none() { access_key_variable } else { secret_key_variable };
            let what = anyhow::anyhow!("the environment variable {missing} is not set");
            Err(CommandError::usage(what)
                .hint("Set both variables with the keys of the object storage, or neither."))
        }
    }
}
