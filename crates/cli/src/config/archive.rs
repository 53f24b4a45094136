//! Where what batches published is kept.

use std::path::PathBuf;

use gridtally_ledger::BucketAddress;

use super::http_address;
use super::setting::{SettingError, Settings};

/// The archive of batches, and how object storage is asked.
#[derive(Debug, Clone)]
pub(crate) struct ArchiveConfig {
    /// Nothing: there is no archive.
    pub(crate) place: Option<ArchivePlace>,
    /// Nothing: AWS.
    pub(crate) endpoint: Option<String>,
    pub(crate) region: String,
    pub(crate) access_key_variable: String,
    pub(crate) secret_key_variable: String,
    pub(crate) session_token_variable: String,
    pub(crate) is_plain_http_allowed: bool,
}

/// A folder, or a bucket.
#[derive(Debug, Clone)]
pub(crate) enum ArchivePlace {
    Folder(PathBuf),
    Bucket(BucketAddress),
}

impl ArchiveConfig {
    pub(super) fn new(settings: &Settings) -> Result<Self, SettingError> {
        let place = match settings.text("archive.place") {
            "" => None,
            text if text.contains("://") => Some(ArchivePlace::Bucket(text.parse().map_err(
                |error: gridtally_ledger::BucketError| {
                    let expected = format!("a folder, or s3://bucket/folder ({error})");
                    settings.refused("archive.place", &expected)
                },
            )?)),
            _ => Some(ArchivePlace::Folder(settings.path("archive.place"))),
        };
        let endpoint = http_address(settings, "archive.endpoint")?;
        let region = settings.text("archive.region");
        let is_plain = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-'
        };
        if !(1..=63).contains(&region.len()) || !region.chars().all(is_plain) {
            return Err(settings.refused("archive.region", "a region such as us-east-1"));
        }
        let text = |key: &str| settings.text(key).to_owned();
        Ok(Self {
            place,
            endpoint,
            region: region.to_owned(),
            access_key_variable: text("archive.access_key_variable"),
            secret_key_variable: text("archive.secret_key_variable"),
            session_token_variable: text("archive.session_token_variable"),
            is_plain_http_allowed: settings.switch("archive.allow_http"),
        })
    }
}
