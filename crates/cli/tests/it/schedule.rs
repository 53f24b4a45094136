//! `gridtally schedule` and `gridtally dispatch`.

use expect_test::expect;
use gridtally_schedule::household::{Household, HouseholdPlan, check};
use serde_json::Value;

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

          car         charges 30.0 kWh 20:00 to 20:15, 21:15 to 21:45, 23:15 to 23:30 and 4 more times;
                      alone it saves 160.44.
                      Costs NOK 26.09; as preferred: 160.08 more.
                      1.85 kWh at Thu 02:30 rather than 21:30 would save 1.02, but 1.7 kWh would be missing
                      by 22:00.

          dishwasher  Thu 05:00 to Thu 06:30; alone it saves 0.68.
                      Costs NOK 1.10; as preferred: 1.31 more; starting at 19:15: 1.34 more.
                      Starting at Thu 02:00 would save 0.01, but it rests then.

          heat pump   uses 19.0 kWh 13:15 to 14:00, 14:15 to 15:00, 17:45 to Thu 06:00 and 1 more time;
                      alone it saves 9.59.
                      Costs NOK 15.24; as preferred: not possible, the import limit would be exceeded by
                      0.045 kW at Thu 02:45.
                      0.21 kWh at 21:00 rather than 20:00 would save 0.05, but its band would be left by 0.1
                      at 20:00.

          battery     charges 13.8 kWh 12:15 to 13:00, 13:30 to 14:00, Thu 02:30 to Thu 05:00 and 1 more
                      time; gives back 12.5 kWh 15:00 to 22:00, Thu 06:00 to Thu 12:00; alone it saves
                      142.71.
                      Took 13.8 kWh at 0.89 each, gives 12.5 kWh back that would cost 1.62 each and keeps
                      130.00 of capacity fee away; as preferred: 137.84 more; 0.11 kWh given back at 22:00
                      rather than 15:00: 0.02 more.
                      1.00 kWh at Thu 02:00 rather than 12:30 would save 0.36, but the charge would be out
                      of its range by 0.9 kWh at 21:15.
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
          ],
          "is_smallest": true
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

              cost   NOK 2,321.70
              bound  NOK 2,321.51: no plan saves more than 0.0081 %
              peak   617.7 kW at the transformer
              found in 37 rounds of prices and answers
              300 devices wait, 66 % of their time on average; Gini coefficient of the benefit per kWh 0.27

              limit        steps in which it has a price
              -----------  -----------------------------
              transformer                             32
            -- exit 0
        "#]],
    );
    let svg = std::fs::read_to_string(terminal.path("fleet.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("300 devices"), "{}", &svg[..100]);
    let set_points = std::fs::read_to_string(terminal.path("set-points.csv")).unwrap();
    assert_eq!(
        set_points.lines().next(),
        Some("device,number,from,until,power_kw,version,status,name")
    );
    assert!(set_points.lines().count() > 1_000);
}

#[test]
fn reasons_say_what_the_checker_computes_from_the_answer_alone() {
    let example = fixture("examples/household.toml");
    let output = Terminal::new().output(&format!("schedule {example} --output json"));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let household = Household::from_toml(&std::fs::read_to_string(&example).unwrap()).unwrap();
    let row = |of: &str, device: &str| -> Vec<f64> {
        serde_json::from_value(answer[of][device].clone()).unwrap()
    };
    let ids = household.devices.iter().map(|device| device.id.as_str());
    let plan = HouseholdPlan { device_kw: ids.clone().map(|id| row("schedule_kw", id)).collect() };
    let planned = check(&household, &plan).cost;
    let step_h = household.horizon.step_h();
    let mut count = 0;
    for (i, id) in ids.enumerate() {
        let told = &answer["reasons"][id];
        for other in told["instead"].as_array().unwrap() {
            count += 1;
            let number = |member: &str| other[member].as_f64().unwrap();
            let step = |member: &str| usize::try_from(other[member].as_u64().unwrap()).unwrap();
            let mut changed = plan.clone();
            let power_kw = &mut changed.device_kw[i];
            match other["change"].as_str().unwrap() {
                "as_preferred" => *power_kw = row("preferred_schedule_kw", id),
                "draws_nothing" => power_kw.iter_mut().for_each(|power| *power = power.min(0.0)),
                "gives_nothing" => power_kw.iter_mut().for_each(|power| *power = power.max(0.0)),
                "starts_at" => {
                    let run: Vec<f64> =
                        power_kw.iter().copied().filter(|power| *power > 0.0).collect();
                    power_kw.fill(0.0);
                    power_kw[step("to_step")..][..run.len()].copy_from_slice(&run);
                }
                change => {
                    let sign = if change == "draws" { 1.0 } else { -1.0 };
                    power_kw[step("from_step")] -= sign * number("kwh") / step_h;
                    power_kw[step("to_step")] += sign * number("kwh") / step_h;
                }
            }
            let judged = check(&household, &changed);
            let difference = judged.cost.less(&planned);
            for (member, expected) in [
                ("cost_more", difference.total()),
                ("energy_more", difference.energy),
                ("wear_more", difference.wear),
                ("discomfort_more", difference.discomfort),
                ("capacity_more", difference.capacity),
            ] {
                assert!((number(member) - expected).abs() < 1e-4, "{id} {member}: {other}");
            }
            assert_eq!(other["breaks"].is_null(), judged.violations.is_empty(), "{id}: {other}");
        }
        let mut resting = plan.clone();
        resting.device_kw[i].fill(0.0);
        let cost = planned.less(&check(&household, &resting).cost).total();
        assert!((told["cost"].as_f64().unwrap() - cost).abs() < 1e-4, "{id}: {told}");
    }
    assert!(count > 10, "{count} reasons");
}

#[test]
fn no_line_of_a_plan_is_too_wide() {
    for entry in std::fs::read_dir(fixture("fixtures/oracles/household")).unwrap().step_by(5) {
        let path = entry.unwrap().path();
        let output = Terminal::new().output(&format!("schedule {}", path.display()));
        let text = String::from_utf8(output.stdout).unwrap();
        let wide = text.lines().find(|line| line.chars().count() > 100);
        assert_eq!(wide, None, "{}", path.display());
    }
}

#[test]
fn many_households_have_a_line_each_and_one_that_is_impossible_stops_none() {
    let oracle = |number: &str| {
        std::fs::read_to_string(fixture(&format!("fixtures/oracles/household/{number}.json")))
            .unwrap()
    };
    let terminal = Terminal::new()
        .file("street/a.toml", std::fs::read_to_string(fixture("examples/household.toml")).unwrap())
        .file("street/b.json", oracle("56"))
        .file("street/c.json", "{}")
        .file("street/notes.txt", "no problem")
        .file("d.json", oracle("16"));
    terminal.check(
        "schedule street d.json missing.json",
        &expect![[r#"
        street/a.toml: optimal, NOK 246.55 for 422.00, saves 175.45, gap 0.0000 %
        street/b.json: infeasible, ev at 72 % by Wed 00:00: not possible; 63 % is
        street/c.json: refused, street/c.json: .: missing field `schema` at line 1 column 2
        d.json: optimal, NOK 16.08 for 24.75, saves 8.67, gap 0.0000 %
        missing.json: refused, cannot read missing.json: No such file or directory (os error 2)
        -- stderr
        error: 3 of 5 households have no plan
        -- exit 1
    "#]],
    );
    let output = terminal.output("schedule street d.json --output json");
    let lines = String::from_utf8(output.stdout).unwrap();
    let documents: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let said: Vec<&str> =
        documents.iter().map(|document| document["status"].as_str().unwrap()).collect();
    assert_eq!(said, ["optimal", "infeasible", "refused", "optimal"]);
    assert_eq!(output.status.code(), Some(1));
    // The line of a household says what its plan says.
    let alone = terminal.output("schedule d.json --output json").stdout;
    let alone: Value = serde_json::from_slice(&alone).unwrap();
    for member in ["optimal_cost", "preferred_cost", "savings", "bound"] {
        assert_eq!(documents[3][member], alone[member], "{member}");
    }
    assert_eq!(terminal.output("schedule d.json d.json").status.code(), Some(0));
    terminal.check(
        "schedule d.json d.json --plot both.svg",
        &expect![[r#"
            -- stderr
            error: --plot and --now are for one problem, not several
            -- exit 2
        "#]],
    );
}

#[test]
fn a_fleet_that_runs_out_of_time_says_so() {
    let fleet = fixture("fixtures/oracles/fleet/02.json");
    // One round takes longer than nothing; whichever way it ends, it is said.
    let output =
        Terminal::new().output(&format!("dispatch {fleet} --time-limit-s 1 --gap 0 --output json"));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    match answer["status"].as_str().unwrap() {
        "time-over" => assert_eq!(output.status.code(), Some(1)),
        _ => {
            assert_eq!(output.status.code(), Some(0));
            let gap = answer["gap"].as_f64().unwrap();
            assert!(answer["is_cut_short"].as_bool().unwrap() || gap <= 0.0, "{answer}");
        }
    }
}

#[test]
fn a_street_is_planned_by_the_names_that_it_has() {
    let terminal = Terminal::new();
    let example = fixture("examples/fleet.toml");
    terminal.check(
        &format!("dispatch {example} --gap 0.01 --set-points set-points.csv"),
        &expect![[r#"
            Linden street: 62 devices

              cost   NOK 1,194.34
              bound  NOK 1,188.42: no plan saves more than 0.4981 %
              peak   105.0 kW at the transformer
              found in 22 rounds of prices and answers
              32 devices wait, 59 % of their time on average; Gini coefficient of the benefit per kWh 0.31

              limit         steps in which it has a price
              ------------  -----------------------------
              down reserve                              5
              feeder north                             22
              feeder south                              7
              transformer                              22
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
        error: broken.toml: device[0].arrives_with_percent (line 35): 135 is not between 0 and 100 [problem-range]
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

/// Whether the data that scenarios name are there.
fn has_data(what: &str) -> bool {
    let has = std::path::Path::new(&fixture("../shared/data")).exists();
    if !has {
        println!("left out: {what}, because ../shared is not there");
    }
    has
}

#[test]
fn a_week_of_chargers_is_planned_and_drawn_in_one_command() {
    if !has_data("dispatch --scenario") {
        return;
    }
    let terminal = Terminal::new();
    let scenario = fixture("fixtures/scenarios/chargers.toml");
    let command = format!("dispatch --scenario {scenario} --plot week.svg --set-points week.csv");
    terminal.check(&command, &expect![[r#"
        21 homes and their cars in Asker: Mon 14 Jan 2019 12:00 to Mon 21 Jan 2019 12:00 (Europe/Oslo)
        129 sessions of 17 users, 672 steps of 15 min, at most 50 kW through the transformer

          the cars together                    on arrival  planned
          -----------------------------------  ----------  -------
          cost of charging, EUR                    190.15   153.44
          charged, kWh                             1554.2   1554.2
          highest load of the transformer, kW        79.2     50.0
          above its limit, h                         8.75     0.00

        The plan saves EUR 36.71, 19.3 %. No plan within the limit costs less than EUR 153.42: the gap is 0.0100 %.
        3 sessions began before or ended after: they have what charging on arrival takes within, 24.2 kWh less.
        1 session of those had charged all before.
        18 sessions could not have charged so much in the time at the estimated power: it is raised.
        3 sessions were there for no whole step, and have those that they touch.
        -- exit 0
    "#]]);
    let read = |name: &str| std::fs::read_to_string(terminal.path(name)).unwrap();
    let (svg, set_points) = (read("week.svg"), read("week.csv"));
    for text in ["Sun 20 Jan", "limit of the transformer", "EUR per kWh", "above the limit"] {
        assert!(svg.contains(text), "{text}");
    }
    // The same once more gives the same bytes.
    let json = |_| terminal.output(&format!("{command} --output json")).stdout;
    assert_eq!(json(0), json(1));
    assert_eq!((svg, set_points), (read("week.svg"), read("week.csv")));
    let report: serde_json::Value = serde_json::from_slice(&json(2)).unwrap();
    let planned = report["planned_kw"].as_array().unwrap();
    assert_eq!(planned.len(), 672);
    assert!(planned.iter().all(|load| load.as_f64().unwrap() <= 50.0 * (1.0 + 1e-5)));
}

#[test]
fn a_week_of_a_home_is_planned_and_drawn_in_one_command() {
    if !has_data("schedule --scenario") {
        return;
    }
    let terminal = Terminal::new();
    let scenario = fixture("fixtures/scenarios/home.toml");
    let command = format!("schedule --scenario {scenario} --time-limit-s 600 --plot home.svg");
    terminal.check(&command, &expect![[r#"
        A home with panels, car and battery: Mon 8 Apr 2019 12:00 to Mon 15 Apr 2019 12:00 (Europe/Oslo)

          the household                 as preferred  planned
          ----------------------------  ------------  -------
          cost, EUR                            20.19     4.21
            of it for energy                    7.08     3.11
            of it for the highest hour         12.22     0.00
            of it for wear                      0.89     1.11
          from the grid, kWh                   85.30    77.99
          fed in, kWh                          53.14    45.32
          highest hour, kW                      8.89     4.00

        The plan saves EUR 15.98.
        No plan costs less than EUR 4.21.

          device                      what it does
          --------------------------  -------------------------------------
          panels                      gives 145.8 of 149.5 kWh
          car                         charges 75.3 kWh
          battery                     charges 63.8 kWh, gives back 55.3 kWh
          dishwasher Mon 8 Apr        Tue 03:15 to Tue 04:45
          dishwasher Tue 9 Apr        Wed 01:15 to Wed 02:45
          dishwasher Wed 10 Apr       Thu 03:30 to Thu 05:00
          dishwasher Thu 11 Apr       Fri 04:00 to Fri 05:30
          dishwasher Fri 12 Apr       Sat 03:30 to Sat 05:00
          dishwasher Sat 13 Apr       Sun 00:00 to Sun 01:30
          dishwasher Sun 14 Apr       Sun 18:00 to Sun 19:30
          washing machine Wed 10 Apr  Wed 11:15 to Wed 14:00
          washing machine Sat 13 Apr  Sat 10:00 to Sat 12:45
        -- exit 0
    "#]]);
    let svg = std::fs::read_to_string(terminal.path("home.svg")).unwrap();
    assert!(svg.contains("washing machine") && svg.contains("Sun 14 Apr"));
}

#[test]
fn a_scenario_of_a_plan_is_refused_with_its_place() {
    let terminal = Terminal::new();
    let text = std::fs::read_to_string(fixture("fixtures/scenarios/chargers.toml")).unwrap();
    let write = |text: &str| std::fs::write(terminal.path("broken.toml"), text).unwrap();
    write(&text.replace("days = 7", "days = 0"));
    terminal.check(
        "dispatch --scenario broken.toml",
        &expect![[r#"
        -- stderr
        error: days = 0: not between 1 and 21 [plan-scenario-value]
        hint: Correct the value.
        -- exit 1
    "#]],
    );
    write(&text.replace("../../../shared/data/", ""));
    terminal.check("dispatch --scenario broken.toml", &expect![[r#"
        -- stderr
        error: ev_norway_residential/sessions.csv.gz: the file cannot be read: No such file or directory (os error 2) [file-unreadable]; check the path and the permissions
        -- exit 1
    "#]]);
    terminal.check(
        "schedule --scenario broken.toml",
        &expect![[r#"
        -- stderr
        error: broken.toml:20: invalid type: map, expected a sequence [plan-scenario]
        hint: Correct what is named; fixtures/scenarios has scenarios that work.
        -- exit 1
    "#]],
    );
    terminal.check(
        "schedule --scenario nowhere.toml",
        &expect![[r#"
        -- stderr
        error: cannot read nowhere.toml: No such file or directory (os error 2) [plan-scenario]
        hint: Correct what is named; fixtures/scenarios has scenarios that work.
        -- exit 3
    "#]],
    );
    terminal.check("dispatch --scenario broken.toml --plot week.pdf", &expect![[r#"
        -- stderr
        error: invalid value 'week.pdf' for '--plot <FILE.svg|png>': give a name that ends in .svg or .png

        For more information, try '--help'.
        -- exit 2
    "#]]);
}

#[test]
fn a_document_of_another_kind_is_sent_to_its_command() {
    let example =
        |name: &str| std::fs::read_to_string(fixture(&format!("examples/{name}"))).unwrap();
    let terminal = Terminal::new()
        .file("fleet.toml", example("fleet.toml"))
        .file("household.toml", example("household.toml"));
    terminal.check("schedule fleet.toml", &expect![[r#"
        -- stderr
        error: fleet.toml has a transformer, so it is a fleet or a street and no household: plan it with gridtally dispatch
        -- exit 1
    "#]]);
    terminal.check("dispatch household.toml", &expect![[r#"
        -- stderr
        error: household.toml has a connection, so it is a household and no fleet or street: plan it with gridtally schedule
        -- exit 1
    "#]]);
}
