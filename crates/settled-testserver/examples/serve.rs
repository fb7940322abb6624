//! Serves the misbehaving API until it is interrupted: `cargo run -p settled-testserver --example serve -- [PORT [SEED]]`.

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};

use settled_testserver::misbehaving::Misbehaving;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let port = args.next().map_or(Ok(0), |port| port.parse::<u16>())?;
    let seed = args
        .next()
        .map_or(Ok(fastrand::u64(..)), |seed| seed.parse::<u64>())?;
    let api = Misbehaving::builder(seed)
        .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
        .start_blocking()?;
    println!(
        "seed {}, {} items: {}",
        api.seed(),
        api.items(),
        api.item_url(1)
    );
    loop {
        std::thread::park();
    }
}
