//! Serves a chain until the process ends: `serve [folder] [port]`.

use std::path::PathBuf;

use gridtally_chain::{Chain, ChainConfig, Exposure};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let port: u16 = arguments.next().map_or(Ok(8545), |port| port.parse())?;
    let chain = Chain::open(ChainConfig { folder, ..ChainConfig::default() })?;
    let server = chain.serve(([127, 0, 0, 1], port).into(), Exposure::Loopback)?;
    #[expect(clippy::print_stdout, reason = "whoever starts the program reads the address")]
    {
        println!("{}", server.url());
    }
    loop {
        std::thread::park();
    }
}
