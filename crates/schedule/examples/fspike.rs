#![allow(missing_docs, clippy::all, clippy::print_stdout, clippy::disallowed_methods)]
use gridtally_schedule::fleet::*;
fn main() {
    let g: usize = std::env::var("G").map_or(20, |g| g.parse().unwrap());
    let gap: f64 = std::env::var("GAP").map_or(1e-4, |g| g.parse().unwrap());
    for path in std::env::args().skip(1) {
        let text = std::fs::read_to_string(&path).unwrap();
        let f = Fleet::from_json(&text).unwrap();
        let v: serde_json::Value = serde_json::from_str(&text).unwrap();
        let start = std::time::Instant::now();
        let found = plan(&f, &FleetOptions { gap, groups_per_feeder: g, rounds_max: 400, seed: 0 });
        let ms = start.elapsed().as_secs_f64() * 1e3;
        match found {
            Ok(p) => println!(
                "{path} {} devices {ms:.1} ms rounds {} cost {:.6} bound {:.6} gap {:.2e} expected {} {}",
                f.devices(),
                p.rounds,
                p.cost,
                p.bound,
                p.gap(),
                v["expected"]["lp_cost"],
                v["expected"]["optimal_cost"]
            ),
            Err(e) => println!("{path} {ms:.1} ms {e}"),
        }
    }
}
