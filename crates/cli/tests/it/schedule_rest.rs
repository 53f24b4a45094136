//! `gridtally schedule` while the day goes on.

use expect_test::expect;

use crate::run::Terminal;

fn example(name: &str) -> String {
    format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_rest_of_a_day_is_planned_from_what_is_measured() {
    let (problem, state) = (example("household.toml"), example("household-state.toml"));
    Terminal::new()
        .check(&format!("schedule {problem} --now 20:30 --state {state}"), &expect![[r#"
            Hansen: 62 steps of 15 min from 2026-11-25 20:30 (Europe/Oslo)

              as preferred  NOK 387.21
              planned       NOK 241.22
              would save    NOK 145.99
              The preferred schedule is not possible: the import limit is exceeded by 2.839 kW, from 20:30 on.
              No plan costs less.

              device      what it does                                                                                       saves alone, NOK
              ----------  -------------------------------------------------------------------------------------------------  ----------------
              car         charges 33.7 kWh 20:30 to 21:00, 21:15 to 22:00, 23:00 to 23:30 and 2 more times                             135.22
              dishwasher  20:30 to 21:15                                                                                                 0.00
              heat pump   uses 12.7 kWh 21:15 to Thu 06:00, Thu 08:45 to Thu 12:00                                                       7.02
              battery     charges 9.8 kWh Thu 03:15 to Thu 06:00; gives back 8.0 kWh 20:30 to 22:45, Thu 06:00 to Thu 12:00              7.24
            -- exit 0
        "#]]);
}

#[test]
fn a_state_to_fill_in_is_written_and_leads_to_the_same_plan() {
    let terminal = Terminal::new();
    let problem = example("household.toml");
    let write = format!("schedule {problem} --now 2026-11-26T02:00 --write-state state.toml");
    assert!(terminal.output(&write).status.success());
    let state = std::fs::read_to_string(terminal.path("state.toml")).unwrap();
    expect![[r##"
        # Hansen: what is measured at 2026-11-26 02:00

        [metered]
        hour_mean_kw = 0.000000
        day_max_kw = 8.500000
        days_max_kw = [3.100000]

        [device.car]
        percent = 64.263710

        [device.dishwasher]
        waiting = true

        [device."heat pump"]
        celsius = 20.000000

        [device.battery]
        percent = 5.000000
    "##]]
    .assert_eq(&state);
    terminal.check(
        &format!("schedule {problem} --now 2026-11-26T02:00 --state state.toml"),
        &expect![[r#"
            Hansen: 40 steps of 15 min from 2026-11-26 02:00 (Europe/Oslo)

              as preferred  NOK 350.98
              planned       NOK 214.35
              would save    NOK 136.63
              The preferred schedule is not possible: the import limit is exceeded by 4.750 kW, from 02:00 on.
              The preferred schedule is not possible: dishwasher: the rest is broken by 1.900 kW, from 02:00 on.
              No plan costs less.

              device      what it does                                                                        saves alone, NOK
              ----------  ----------------------------------------------------------------------------------  ----------------
              car         charges 10.5 kWh 02:00 to 03:30, 03:45 to 04:30                                               129.65
              dishwasher  05:00 to 06:30                                                                                  0.00
              heat pump   uses 8.7 kWh 02:00 to 06:00, 09:00 to 12:00                                                     5.42
              battery     charges 10.0 kWh 02:30 to 05:00, 05:45 to 06:00; gives back 5.7 kWh 06:00 to 12:00              4.83
            -- exit 0
        "#]],
    );
}

#[test]
fn a_state_that_cannot_be_is_refused_with_its_field() {
    let terminal = Terminal::new();
    let problem = example("household.toml");
    let state = std::fs::read_to_string(example("household-state.toml")).unwrap();
    let check = |from: &str, to: &str, expected: &expect_test::Expect| {
        assert!(state.contains(from));
        std::fs::write(terminal.path("state.toml"), state.replace(from, to)).unwrap();
        let command = format!("schedule {problem} --now 20:30 --state state.toml");
        terminal.check(&command, expected);
    };
    check(
        "percent = 31.0",
        "percent = 131.0",
        &expect![[r#"
        -- stderr
        error: state.toml: device.battery.percent: 131 is not between 0 and 100 [problem-range]
        hint: Correct the number, and check its unit.
        -- exit 1
    "#]],
    );
    check(
        "percent = 31.0",
        "celsius = 31.0",
        &expect![[r#"
        -- stderr
        error: state.toml: device.battery: celsius does not belong here, give percent, soc_kwh [problem-malformed]
        hint: Compare the field with the schema; unknown fields are not ignored.
        -- exit 1
    "#]],
    );
    check(
        "[device.battery]\npercent = 31.0",
        "",
        &expect![[r#"
        -- stderr
        error: state.toml: device.battery: the state of this device is missing [problem-malformed]
        hint: Compare the field with the schema; unknown fields are not ignored.
        -- exit 1
    "#]],
    );
    check(
        "device.battery",
        "device.accumulator",
        &expect![[r#"
        -- stderr
        error: state.toml: device.accumulator: no device called "accumulator" can be asked for this [problem-no-such-device]
        hint: Name a device of the household that can do this.
        -- exit 1
    "#]],
    );
    check(
        "19:45",
        "20:45",
        &expect![[r#"
        -- stderr
        error: state.toml: device.dishwasher.started: no step that has begun shows 20:45 [problem-malformed]
        hint: Compare the field with the schema; unknown fields are not ignored.
        -- exit 1
    "#]],
    );
    check(
        "day_max_kw = 3.1",
        "day_maximum_kw = 3.1",
        &expect![[r#"
        -- stderr
        error: state.toml: .: TOML parse error at line 7, column 1   | 7 | day_maximum_kw = 3.1                 # highest clock hour of today that is over   | ^^^^^^^^^^^^^^ unknown field `day_maximum_kw`, expected one of `import_kw`, `hour_mean_kw`, `day_max_kw`, `days_max_kw` [problem-malformed]
        hint: Compare the field with the schema; unknown fields are not ignored.
        -- exit 1
    "#]],
    );
    terminal.check(
        &format!("schedule {problem} --now 20:40 --state state.toml"),
        &expect![[r#"
        -- stderr
        error: --now: no step begins at "20:40" between 2026-11-25 12:00 and 2026-11-26 12:00
        -- exit 2
    "#]],
    );
    terminal.check(
        &format!("schedule {problem} --now 20:30"),
        &expect![[r#"
        -- stderr
        error: with --now give --state FILE, or --write-state FILE.toml for one to fill in
        -- exit 2
    "#]],
    );
    terminal.check(
        &format!("schedule {problem} --state state.toml"),
        &expect![[r#"
        -- stderr
        error: the following required arguments were not provided:
          --now <TIME>

        Usage: gridtally schedule --now <TIME> --state <FILE> <PROBLEM>

        For more information, try '--help'.
        -- exit 2
    "#]],
    );
}
