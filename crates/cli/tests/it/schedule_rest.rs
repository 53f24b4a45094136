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

              car         charges 33.7 kWh 20:30 to 21:00, 21:15 to 22:00, 23:00 to 23:30 and 2 more times;
                          alone it saves 135.22.
                          Costs NOK 31.55; as preferred: 136.19 more.
                          1.85 kWh at Thu 03:30 rather than 20:30 would save 1.37, but 1.7 kWh would be missing
                          by 22:00.

              dishwasher  20:30 to 21:15.
                          Costs NOK 0.76.

              heat pump   uses 12.7 kWh 21:15 to Thu 06:00, Thu 08:45 to Thu 12:00; alone it saves 7.02.
                          Costs NOK 9.86; as preferred: not possible, the import limit would be exceeded by
                          0.045 kW at Thu 03:15.
                          0.21 kWh at 22:15 rather than 21:30 would save 0.03, but its band would be left by 0.1
                          at 21:30.

              battery     charges 9.8 kWh Thu 03:15 to Thu 06:00; gives back 8.0 kWh 20:30 to 22:45, Thu 06:00
                          to Thu 12:00; alone it saves 7.24.
                          Took 9.8 kWh at 0.89 each, gives 8.0 kWh back that would cost 1.46 each and keeps
                          130.00 of capacity fee away; as preferred: not possible, the import limit would be
                          exceeded by 0.3 kW at 20:30.
                          1.00 kWh at Thu 02:00 rather than Thu 05:00 would save 0.26, but the import limit
                          would be exceeded by 1.2 kW at Thu 02:00.
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

              car         charges 10.5 kWh 02:00 to 03:30, 03:45 to 04:30; alone it saves 129.65.
                          Costs NOK 8.22; as preferred: not possible, the import limit would be exceeded by 1.2
                          kW at 02:30.
                          1.55 kWh at 02:30 rather than 04:00 would save 0.14, but cost 130.00 more beyond the 5
                          kW bracket.

              dishwasher  05:00 to 06:30.
                          Costs NOK 1.10; as preferred: not possible, it rests then.
                          Starting at 02:00 would save 0.01, but it rests then.

              heat pump   uses 8.7 kWh 02:00 to 06:00, 09:00 to 12:00; alone it saves 5.42.
                          Costs NOK 6.48; as preferred: not possible, the import limit would be exceeded by 1.6
                          kW at 02:45; 0.12 kWh at 08:30 rather than 09:00: 0.18 more.
                          0.41 kWh at 02:00 rather than 05:00 would save 0.11, but its band would be left by
                          0.013 at 09:00.

              battery     charges 10.0 kWh 02:30 to 05:00, 05:45 to 06:00; gives back 5.7 kWh 06:00 to 12:00;
                          alone it saves 4.83.
                          Took 10.0 kWh at 0.81 each, gives 5.7 kWh back that would cost 1.51 each; as
                          preferred: not possible, the import limit would be exceeded by 1.2 kW at 02:00; 0.11
                          kWh given back at 05:00 rather than 06:30: 0.06 more.
                          1.00 kWh at 02:00 rather than 04:00 would save 0.09, but the import limit would be
                          exceeded by 1.2 kW at 02:00.
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

            Usage: gridtally schedule --now <TIME> --state <FILE> <PROBLEM>...

            For more information, try '--help'.
            -- exit 2
        "#]],
    );
}
