//! `gridtally dispatch` while the day goes on.

use expect_test::{Expect, expect};

use crate::run::Terminal;

fn oracle() -> String {
    format!("{}/../../fixtures/oracles/fleet/02.json", env!("CARGO_MANIFEST_DIR"))
}

/// A terminal with the set-points of the first plan.
fn planned() -> Terminal {
    let terminal = Terminal::new();
    let command = format!("dispatch {} --set-points first.csv", oracle());
    assert!(terminal.output(&command).status.success());
    terminal
}

const STATE: &str = r#"{
  "schema": "gridtally-fleet-state-1",
  "devices": [
    { "device": "ev", "number": 150, "standing": "failed", "power_kw": 2.0, "drawn_kwh": 1.5 },
    { "device": "ev", "number": 110, "standing": "left" },
    { "device": "ev", "number": 5, "drawn_kwh": 1.0 }
  ]
}"#;

#[test]
fn where_all_follow_nobody_is_told_anything_new() {
    let terminal = planned();
    terminal.check(
        &format!("dispatch {} --now 30 --previous first.csv --set-points next.csv", oracle()),
        &expect![[r#"
            fleet-02: the rest, from step 30 on

              cost   NOK 2,306.83
              bound  NOK 2,306.66
              Nobody is told anything new: version 1 goes on.
            -- exit 0
        "#]],
    );
    let [first, next] =
        ["first.csv", "next.csv"].map(|name| std::fs::read_to_string(terminal.path(name)).unwrap());
    assert_eq!(first, next);
}

#[test]
fn others_replace_those_that_fail_and_leave() {
    let terminal = planned();
    std::fs::write(terminal.path("state.json"), STATE).unwrap();
    let command = format!(
        "dispatch {} --now 30 --previous first.csv --state state.json --set-points next.csv",
        oracle()
    );
    terminal.check(
        &command,
        &expect![[r#"
            fleet-02: the rest, from step 30 on

              cost   NOK 2,283.42
              bound  NOK 2,282.98
              89 set-points to send to 4 devices: version 2

              step  who does not follow, kW     who does otherwise, kW
              ----  --------------------------  ----------------------------------------------------
                30  ev 150: +2.0
                31  ev 150: +2.0
                32  ev 150: +2.0
                33  ev 150: +2.0
                34  ev 150: +2.0
                35  ev 150: +2.0
                36  ev 150: +2.0
                37  ev 150: +2.0
                38  ev 150: +2.0
                39  ev 150: +2.0
                40  ev 150: +2.0
                41  ev 110: -3.7, ev 150: +1.4  ev 48: -3.8, ev 125: -2.0
                42  ev 110: -3.7, ev 150: -2.4  ev 48: -7.4, ev 125: -6.4
                43  ev 110: -3.7, ev 150: +1.8  ev 48: -3.6, ev 125: -2.0
                44  ev 150: -4.1, ev 110: -3.7  ev 125: -2.0
                45  ev 110: -3.7, ev 150: +1.8  ev 48: -7.1, ev 125: -3.7
                46  ev 150: +0.1                ev 125: -7.3, ev 279: -6.3, ev 48: -3.8
                47  ev 110: -3.7, ev 150: -2.7  ev 5: +2.4, ev 125: +2.1, ev 279: -0.6, 1 more: +0.2
                48  ev 150: +1.4                ev 125: -2.6, ev 5: +2.4, ev 279: -1.3
                49  ev 110: -3.7, ev 150: -0.7  ev 48: +4.3
              and 24 more steps

              who does not get what it needs  misses, kWh  late, steps
              ------------------------------  -----------  -----------
              ev 110                                13.88            0
            -- exit 0
        "#]],
    );
    let next = std::fs::read_to_string(terminal.path("next.csv")).unwrap();
    // The same input gives the same bytes, and what was told goes on from what was written.
    let again = command.replace("next.csv", "again.csv");
    assert!(terminal.output(&again).status.success());
    assert!(std::fs::read_to_string(terminal.path("again.csv")).unwrap() == next);
    let of_failed: Vec<&str> = next.lines().filter(|line| line.starts_with("ev,150,")).collect();
    expect![[r#"
        ev,150,28,41,0.000000,1,failed,ev 150
        ev,150,41,42,0.610909,1,failed,ev 150
        ev,150,42,43,4.364006,1,failed,ev 150
        ev,150,43,44,0.201753,1,failed,ev 150
        ev,150,44,45,6.084033,1,failed,ev 150
        ev,150,45,46,0.208761,1,failed,ev 150
        ev,150,46,47,1.945062,1,failed,ev 150
        ev,150,47,48,4.703544,1,failed,ev 150
        ev,150,48,49,0.561898,1,failed,ev 150
        ev,150,49,50,2.666617,1,failed,ev 150
        ev,150,50,51,1.049732,1,failed,ev 150
        ev,150,51,52,1.383585,1,failed,ev 150
        ev,150,52,53,4.347264,1,failed,ev 150
        ev,150,53,54,1.397556,1,failed,ev 150
        ev,150,54,55,0.001802,1,failed,ev 150
        ev,150,55,56,0.560402,1,failed,ev 150
        ev,150,56,57,0.007714,1,failed,ev 150
        ev,150,57,58,0.002278,1,failed,ev 150
        ev,150,58,59,0.001541,1,failed,ev 150
        ev,150,59,60,0.009972,1,failed,ev 150
        ev,150,60,61,1.051968,1,failed,ev 150
        ev,150,61,62,1.383575,1,failed,ev 150
        ev,150,62,63,0.545486,1,failed,ev 150
        ev,150,63,64,0.007891,1,failed,ev 150
        ev,150,64,65,0.011775,1,failed,ev 150
        ev,150,65,66,0.202120,1,failed,ev 150
        ev,150,66,67,0.010764,1,failed,ev 150
        ev,150,67,68,0.014583,1,failed,ev 150
        ev,150,68,69,1.129425,1,failed,ev 150
        ev,150,69,70,0.010662,1,failed,ev 150
        ev,150,70,71,1.386633,1,failed,ev 150
        ev,150,71,72,1.056780,1,failed,ev 150
        ev,150,72,73,4.155542,1,failed,ev 150
        ev,150,73,74,5.955382,1,failed,ev 150
        ev,150,74,82,0.000000,1,failed,ev 150"#]]
    .assert_eq(&of_failed.join("\n"));
    let on = format!("dispatch {} --now 31 --previous next.csv --state state.json", oracle());
    assert!(terminal.output(&on).status.success());
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let terminal = planned();
    let first = std::fs::read_to_string(terminal.path("first.csv")).unwrap();
    let check = |set_points: &str, state: &str, expected: &Expect| {
        std::fs::write(terminal.path("set-points.csv"), set_points).unwrap();
        std::fs::write(terminal.path("state.json"), state).unwrap();
        let command =
            format!("dispatch {} --now 30 --previous set-points.csv --state state.json", oracle());
        terminal.check(&command, expected);
    };
    check(
        &first,
        &STATE.replace("150", "1500"),
        &expect![[r#"
        -- stderr
        error: state.json: devices[0]: no device called "ev 1500" can be asked for this [problem-no-such-device]
        hint: Name a device of the household that can do this.
        -- exit 1
    "#]],
    );
    check(
        &first,
        &STATE.replace("110", "150"),
        &expect![[r#"
        -- stderr
        error: state.json: devices[1]: "ev 150" is the name of an earlier device [problem-duplicate]
        hint: Give each device a name of its own.
        -- exit 1
    "#]],
    );
    check(
        &first,
        &STATE.replace("failed", "broken"),
        &expect![[r#"
        -- stderr
        error: state.json: devices[0].standing: unknown variant `broken`, expected one of `follows`, `refused`, `expired`, `failed`, `left` at line 4 column 57 [problem-malformed]
        hint: Compare the field with the schema; unknown fields are not ignored.
        -- exit 1
    "#]],
    );
    check(
        &first,
        &STATE.replace("1.0 }", "-1.0 }"),
        &expect![[r#"
        -- stderr
        error: state.json: devices[2].drawn_kwh: -1 is not between 0 and 1000000 [problem-range]
        hint: Correct the number, and check its unit.
        -- exit 1
    "#]],
    );
    check(
        &first.replacen("planned", "done", 1),
        STATE,
        &expect![[r#"
        -- stderr
        error: set-points.csv: line 2: a value is not what its column asks for; set-points are written by gridtally dispatch --set-points
        -- exit 1
    "#]],
    );
    check(
        &first.replacen(",1,planned", ",0,planned", 1),
        STATE,
        &expect![[r#"
        -- stderr
        error: set-points.csv: line 2: version: 0 is not between 1 and 1000000 [problem-range]
        hint: Correct the number, and check its unit.
        -- exit 1
    "#]],
    );
    check(
        &first.replacen("from", "first", 1),
        STATE,
        &expect![[r#"
            -- stderr
            error: set-points.csv: line 1: the columns are device,number,from,until,power_kw,version,status,name
            -- exit 1
        "#]],
    );
    terminal.check(
        &format!("dispatch {} --now 25:00", oracle()),
        &expect![[r#"
        -- stderr
        error: --now: "25:00" is no step of 96, and none begins then
        -- exit 2
    "#]],
    );
    terminal.check(
        &format!("dispatch {} --state state.json", oracle()),
        &expect![[r#"
        -- stderr
        error: the following required arguments were not provided:
          --now <TIME>

        Usage: gridtally dispatch --now <TIME> --state <FILE.json> <PROBLEM>

        For more information, try '--help'.
        -- exit 2
    "#]],
    );
}
