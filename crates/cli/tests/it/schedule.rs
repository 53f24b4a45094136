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
    Terminal::new().check(
        &format!("schedule {oracle}"),
        &expect![[r#"
        household-56: not everything is possible together

          - ev at 72 % by Wed 00:00: not possible; 63 % is
        -- stderr
        error: the wishes of "household-56" cannot be met together [plan-infeasible]
        hint: Give up or loosen one of the wishes that are named.
        -- exit 1
    "#]],
    );
    Terminal::new().check(&format!("schedule {oracle} --output json"), &expect![[r#"
        {
          "id": "household-56",
          "status": "infeasible",
          "conflicts": [
            "ev at 72 % by Wed 00:00: not possible; 63 % is"
          ]
        }
        -- stderr
        {"error":{"code":"plan-infeasible","hint":"Give up or loosen one of the wishes that are named.","kind":"refused","message":"the wishes of \"household-56\" cannot be met together"}}
        -- exit 1
    "#]]);
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

              cost   NOK 2321.92
              bound  NOK 2321.69: no plan saves more than 0.0100 %
              peak   617.7 kW at the transformer
              found in 32 rounds of prices and answers
              300 devices wait, 65 % of their time on average; Gini coefficient of the benefit per kWh 0.27

              limit        steps in which it has a price
              -----------  -----------------------------
              transformer                             32
            -- exit 0
        "#]],
    );
    let svg = std::fs::read_to_string(terminal.path("fleet.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("300 devices"), "{}", &svg[..100]);
    let set_points = std::fs::read_to_string(terminal.path("set-points.csv")).unwrap();
    assert_eq!(set_points.lines().next(), Some("device,number,step,power_kw,name"));
    assert!(set_points.lines().count() > 1_000);
}

#[test]
fn a_street_is_planned_by_the_names_that_it_has() {
    let terminal = Terminal::new();
    let example = fixture("examples/fleet.toml");
    terminal.check(
        &format!("dispatch {example} --gap 0.01 --set-points set-points.csv"),
        &expect![[r#"
            Linden street: 62 devices

              cost   NOK 1194.49
              bound  NOK 1187.67: no plan saves more than 0.5744 %
              peak   105.0 kW at the transformer
              found in 43 rounds of prices and answers
              33 devices wait, 57 % of their time on average; Gini coefficient of the benefit per kWh 0.33

              limit         steps in which it has a price
              ------------  -----------------------------
              down reserve                              7
              feeder north                             21
              feeder south                              7
              transformer                              24
            -- exit 0
        "#]],
    );
    let set_points = std::fs::read_to_string(terminal.path("set-points.csv")).unwrap();
    assert!(set_points.contains(",commuter north 3\n"), "{}", &set_points[..200]);
    let text = std::fs::read_to_string(&example).unwrap();
    let column = "down_reserve_kw = { file = \"load.csv\", column = \"kw\" }";
    let text = text.replace("down_reserve_kw = 20.0", column);
    std::fs::write(terminal.path("table.toml"), text).unwrap();
    terminal.check("dispatch table.toml", &expect![[r#"
        -- stderr
        error: table.toml: down_reserve_kw (line 20): load.csv: cannot read load.csv: No such file or directory (os error 2) [problem-table]
        hint: Give a CSV file beside the problem, with a header and a number in each row for each hour or step.
        -- exit 1
    "#]]);
    std::fs::write(terminal.path("load.csv"), "kw\n1.0\nmuch\n").unwrap();
    terminal.check("dispatch table.toml", &expect![[r#"
        -- stderr
        error: table.toml: down_reserve_kw (line 20): load.csv: "much" in line 3, "kw", is no number [problem-table]
        hint: Give a CSV file beside the problem, with a header and a number in each row for each hour or step.
        -- exit 1
    "#]]);
}

#[test]
fn a_problem_that_cannot_be_is_refused_with_its_field() {
    let terminal = Terminal::new();
    let text = std::fs::read_to_string(fixture("examples/household.toml")).unwrap();
    std::fs::write(terminal.path("broken.toml"), text.replace("= 35.0", "= 135.0")).unwrap();
    terminal.check("schedule broken.toml", &expect![[r#"
        -- stderr
        error: broken.toml: device[0].sessions[0].soc_arrival_kwh: 81 is not between 0 and 60 [problem-range]
        hint: Correct the number, and check its unit.
        -- exit 1
    "#]]);
    std::fs::write(terminal.path("broken.json"), "{}").unwrap();
    terminal.check(
        "schedule broken.json",
        &expect![[r#"
        -- stderr
        error: broken.json: .: missing field `schema` at line 1 column 2 [problem-malformed]
        hint: Compare the field with the schema; unknown fields are not ignored.
        -- exit 1
    "#]],
    );
    terminal.check(
        "dispatch broken.json",
        &expect![[r#"
        -- stderr
        error: broken.json: .: missing field `schema` at line 1 column 2 [problem-malformed]
        hint: Compare the field with the schema; unknown fields are not ignored.
        -- exit 1
    "#]],
    );
    terminal.check(
        "schedule missing.json",
        &expect![[r#"
        -- stderr
        error: cannot read missing.json: No such file or directory (os error 2)
        -- exit 3
    "#]],
    );
}

#[test]
fn oracles_of_households_and_fleets_conform() {
    let household = fixture("fixtures/oracles/household/23.json");
    Terminal::new().check(
        &format!("conformance {household}"),
        &expect![[r#"
        {
          "kind": "household-oracle",
          "checks": 9,
          "failed": [],
          "failed_count": 0,
          "not_checked": [
            "expected.breakdown",
            "expected.lp_relaxation",
            "expected.preferred_breakdown",
            "expected.preferred_errors",
            "expected.second_solver"
          ]
        }
        -- exit 0
    "#]],
    );
    let fleet = fixture("fixtures/oracles/fleet/02.json");
    Terminal::new().check(
        &format!("conformance {fleet}"),
        &expect![[r#"
        {
          "kind": "fleet-oracle",
          "checks": 6,
          "failed": [],
          "failed_count": 0,
          "not_checked": [
            "expected.aggregate_flexible_kw",
            "expected.binding_steps",
            "expected.dual_bound",
            "expected.dual_one_sided",
            "expected.feeder_dual_per_kwh",
            "expected.price_only_cost",
            "expected.price_only_peak_kw",
            "expected.transformer_dual_per_kwh",
            "expected.up_reserve_dual_per_kwh"
          ]
        }
        -- exit 0
    "#]],
    );
}
