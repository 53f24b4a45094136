//! Object storage for tests: an S3-compatible server that somebody else wrote, over a folder. It checks signatures.

use std::path::PathBuf;

use gridtally_ledger::{
    ArchiveBucket, BatchArchive, BucketAddress, BucketCredentials, BucketOptions, EndpointOptions,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use s3s::auth::SimpleAuth;
use s3s::service::S3ServiceBuilder;
use s3s_fs::FileSystem;
use tempfile::TempDir;
use tokio::net::TcpListener;

pub(super) const ACCESS_KEY: &str = "AKIDGRIDTALLY";
pub(super) const SECRET_KEY: &str = "the-secret-of-the-archive";

/// A server with a bucket `batches`.
pub(super) struct Storage {
    folder: TempDir,
    pub(super) endpoint: String,
}

impl Storage {
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("batches")).unwrap();
        let mut builder = S3ServiceBuilder::new(FileSystem::new(folder.path()).unwrap());
        builder.set_auth(SimpleAuth::from_single(ACCESS_KEY, SECRET_KEY));
        let service = builder.build();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let server = Builder::new(TokioExecutor::new());
                    // The client leaves when it wants to: errors of the connection end it.
                    let _ended = server.serve_connection(TokioIo::new(socket), service).await;
                });
            }
        });
        Self { folder, endpoint }
    }

    /// Returns where the objects of the bucket are.
    pub(super) fn path(&self) -> PathBuf {
        self.folder.path().join("batches")
    }

    pub(super) fn options(&self) -> BucketOptions {
        options(&self.endpoint)
    }
}

/// Returns options for a server with the keys of [`Storage`].
pub(super) fn options(endpoint: &str) -> BucketOptions {
    BucketOptions {
        endpoint: Some(endpoint.to_owned()),
        region: "us-east-1".to_owned(),
        credentials: Some(BucketCredentials {
            access_key: ACCESS_KEY.to_owned(),
            secret_key: SECRET_KEY.to_owned(),
            session_token: None,
        }),
        is_plain_http_allowed: false,
        patience: EndpointOptions::default(),
    }
}

pub(super) fn archive(address: &str, options: BucketOptions) -> BatchArchive {
    let address: BucketAddress = address.parse().unwrap();
    BatchArchive::in_bucket(ArchiveBucket::new(&address, options).unwrap())
}
