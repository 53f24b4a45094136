//! `gridtally schedule` and `gridtally dispatch`.

use expect_test::expect;

use crate::run::Terminal;

fn fixture(name: &str) -> String {
    format!("{}/../../{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn a_household_reads_its_plan() {
    let example = fixture("examples/household.toml");
    Terminal::new().check(&format!("schedule {example}"), &expect![[r#"
        Hansen: 96 steps of 15 min from 2026-11-25 12:00 (Europe/Oslo)

          as preferred  NOK 422.00
          planned       NOK 246.55
          you save      NOK 175.45
          No plan costs less.

          device      what it does                                                                                                                                         saves alone, NOK
          ----------  ---------------------------------------------------------------------------------------------------------------------------------------------------  ----------------
          car         charges 30.0 kWh 20:00 to 20:15, 21:15 to 21:45, 23:15 to 23:30 and 4 more times                                                                               160.44
          dishwasher  Thu 05:00 to Thu 06:30                                                                                                                                           0.68
          heat pump   uses 19.0 kWh 13:15 to 14:00, 14:15 to 15:00, 17:45 to Thu 06:00 and 1 more time                                                                                 9.59
          battery     charges 13.8 kWh 12:15 to 13:00, 13:30 to 14:00, Thu 02:30 to Thu 05:00 and 1 more time; gives back 12.5 kWh 15:00 to 22:00, Thu 06:00 to Thu 12:00            142.71
        -- exit 0
    "#]]);
}

#[test]
fn what_is_impossible_is_named_with_what_would_do() {
    let oracle = fixture("fixtures/oracles/household/56.json");
    Terminal::new().check(&format!("schedule {oracle}"), &expect![[r#""#]]);
    Terminal::new().check(&format!("schedule {oracle} --output json"), &expect![[r#""#]]);
}

#[test]
fn a_fleet_is_planned_under_its_limit_and_drawn() {
    let terminal = Terminal::new();
    let oracle = fixture("fixtures/oracles/fleet/02.json");
    let command = format!("dispatch {oracle} --plot fleet.svg --set-points set-points.csv");
    terminal.check(
        &command,
        &expect![[r#"
        fleet-02: 300 devices

          cost   NOK 2321.70
          bound  NOK 2321.69: no plan saves more than 0.0003 %
          peak   617.7 kW at the transformer
          found in 32 rounds of prices and answers

          limit        steps in which it has a price
          -----------  -----------------------------
          transformer                             32
        -- exit 0
    "#]],
    );
    let svg = std::fs::read_to_string(terminal.path("fleet.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("300 devices"), "{}", &svg[..100]);
    let set_points = std::fs::read_to_string(terminal.path("set-points.csv")).unwrap();
    assert_eq!(set_points.lines().next(), Some("device,number,step,power_kw"));
    assert!(set_points.lines().count() > 1_000);
}

#[test]
fn a_problem_that_cannot_be_is_refused_with_its_field() {
    let terminal = Terminal::new();
    let text = std::fs::read_to_string(fixture("examples/household.toml")).unwrap();
    std::fs::write(terminal.path("broken.toml"), text.replace("= 35.0", "= 135.0")).unwrap();
    terminal.check("schedule broken.toml", &expect![[r#""#]]);
    std::fs::write(terminal.path("broken.json"), "{}").unwrap();
    terminal.check("schedule broken.json", &expect![[r#""#]]);
    terminal.check("dispatch broken.json", &expect![[r#""#]]);
    terminal.check("schedule missing.json", &expect![[r#""#]]);
}

#[test]
fn oracles_of_households_and_fleets_conform() {
    let household = fixture("fixtures/oracles/household/23.json");
    Terminal::new().check(&format!("conformance {household}"), &expect![[r#""#]]);
    let fleet = fixture("fixtures/oracles/fleet/02.json");
    Terminal::new().check(&format!("conformance {fleet}"), &expect![[r#""#]]);
}
