//! `gridtally dispatch` of households that share a transformer.

use expect_test::expect;

use crate::run::Terminal;

fn example(name: &str) -> String {
    let path = format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// A small street of the example's households.
const STREET: &str = r#"
name = "Short Lane"
currency = "NOK"
transformer_limit_kw = 14.0

[[feeder]]
name = "east"
limit_kw = 13.0

[[household]]
file = "homes/car.toml"
count = 2
feeder = "east"

[[household]]
file = "homes/panels.toml"
"#;

fn terminal(street: &str) -> Terminal {
    Terminal::new()
        .file("street.toml", street)
        .file("homes/car.toml", example("household-car.toml"))
        .file("homes/panels.toml", example("household-panels.toml"))
}

#[test]
fn households_are_planned_together_and_drawn() {
    let terminal = terminal(STREET);
    terminal.check(
        "dispatch street.toml --plot street.svg --set-points set-points.csv",
        &expect![[r#""#]],
    );
    let svg = std::fs::read_to_string(terminal.path("street.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("3 households"), "{}", &svg[..100]);
    let set_points = std::fs::read_to_string(terminal.path("set-points.csv")).unwrap();
    assert_eq!(set_points.lines().next(), Some("household,device,step,power_kw"));
    assert!(set_points.contains("\nLie 2,car,") && set_points.contains("\nDahl,battery,"));
}

#[test]
fn programs_read_every_household() {
    let output = terminal(STREET).output("dispatch street.toml --output json");
    let report: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let flow_kw = |series: &serde_json::Value| -> Vec<f64> {
        series.as_array().unwrap().iter().map(|kw| kw.as_f64().unwrap()).collect()
    };
    let mut sum_kw = vec![0.0; 96];
    for household in report["households"].as_array().unwrap() {
        let schedule_kw = household["schedule_kw"].as_object().unwrap();
        assert!(schedule_kw.values().all(|power_kw| flow_kw(power_kw).len() == 96));
        let net_kw = flow_kw(&household["net_kw"]);
        sum_kw.iter_mut().zip(net_kw).for_each(|(sum, net)| *sum += net);
    }
    let transformer = &report["limits"][0];
    assert_eq!(transformer["name"], "transformer");
    for (sum, flow) in sum_kw.iter().zip(flow_kw(&transformer["flow_kw"])) {
        assert!((sum - flow).abs() < 1e-5 && flow <= 14.0 + 1e-4, "{sum} {flow}");
    }
    assert!(report["cost"].as_f64() >= report["bound"].as_f64());
    assert_eq!(report["broken"], 0);
}

#[test]
fn what_cannot_be_planned_together_is_named() {
    let tight = STREET.replace("= 14.0", "= 6.0");
    terminal(&tight).check("dispatch street.toml", &expect![[r#""#]]);
    let escaping = STREET.replace("homes/car.toml", "../car.toml");
    terminal(&escaping).check("dispatch street.toml", &expect![[r#""#]]);
    let missing = STREET.replace("homes/car.toml", "homes/none.toml");
    terminal(&missing).check("dispatch street.toml", &expect![[r#""#]]);
    let hasty = example("household-car.toml").replace("leaves = \"06:45\"", "leaves = \"18:30\"");
    terminal(STREET).file("homes/car.toml", hasty).check("dispatch street.toml", &expect![[r#""#]]);
    let broken = example("household-car.toml").replace("= 75.0", "= -75.0");
    terminal(STREET)
        .file("homes/car.toml", broken)
        .check("dispatch street.toml", &expect![[r#""#]]);
}
