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

              cost   NOK 2306.61
              bound  NOK 2306.40
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

          cost   NOK 2282.98
          bound  NOK 2282.62
          228 set-points to send to 8 devices: version 2

          step  who does not follow, kW     who does otherwise, kW
          ----  --------------------------  --------------------------------------------------
            30  ev 150: +2.0
            31  ev 150: +2.0
            32  ev 150: +2.0
            33  ev 150: +2.0
            34  ev 150: +2.0
            35  ev 150: +2.0
            36  ev 150: +2.0                ev 48: +0.0
            37  ev 150: +2.0                ev 48: +0.0
            38  ev 150: +2.0                ev 48: +0.0
            39  ev 150: +2.0                ev 48: +0.0
            40  ev 110: -0.0, ev 150: +2.0  ev 0: +0.0, ev 48: -0.0, ev 77: +0.0, 3 more: +0.0
            41  ev 110: -1.4, ev 150: +1.7  ev 0: -5.0, ev 5: -0.2, ev 48: -6.9, 5 more: -16.3
            42  ev 110: -1.3, ev 150: +1.8  ev 0: -2.4, ev 5: -0.2, ev 48: -3.7, 5 more: -15.1
            43  ev 110: -0.4, ev 150: +1.9  ev 0: -0.5, ev 5: -0.1, ev 48: -0.6, 5 more: -3.2
            44  ev 110: -1.6, ev 150: +1.9  ev 0: -0.1, ev 5: -2.5, ev 48: +0.1, 5 more: +2.2
            45  ev 110: -1.7, ev 150: +1.8  ev 0: -0.4, ev 5: -4.1, ev 48: +4.2, 5 more: +0.3
            46  ev 110: -1.6, ev 150: +1.7  ev 0: -4.8, ev 5: -0.1, ev 48: +3.6, 5 more: -15.7
            47  ev 110: -1.4, ev 150: +1.9  ev 0: +2.6, ev 5: +0.2, ev 48: +0.0, 5 more: -3.4
            48  ev 110: -1.7, ev 150: +1.8  ev 0: +2.5, ev 5: -0.7, ev 48: +1.5, 5 more: -3.4
            49  ev 110: -1.8, ev 150: +1.9  ev 0: +4.9, ev 5: -0.9, ev 48: -2.6, 5 more: -1.5
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
        ev,150,28,41,0.000000,1,failed
        ev,150,41,42,0.270858,1,failed
        ev,150,42,43,0.184805,1,failed
        ev,150,43,44,0.054024,1,failed
        ev,150,44,45,0.086872,1,failed
        ev,150,45,46,0.236643,1,failed
        ev,150,46,47,0.265358,1,failed
        ev,150,47,48,0.095022,1,failed
        ev,150,48,49,0.175181,1,failed
        ev,150,49,50,0.127816,1,failed
        ev,150,50,51,0.039761,1,failed
        ev,150,51,52,0.275476,1,failed
        ev,150,52,53,0.110232,1,failed
        ev,150,53,54,1.946536,1,failed
        ev,150,54,55,4.679814,1,failed
        ev,150,55,56,4.681958,1,failed
        ev,150,56,57,4.681559,1,failed
        ev,150,57,58,0.333073,1,failed
        ev,150,58,59,1.992756,1,failed
        ev,150,59,60,1.723066,1,failed
        ev,150,60,61,2.214028,1,failed
        ev,150,61,62,2.268485,1,failed
        ev,150,62,63,1.648710,1,failed
        ev,150,63,64,1.719474,1,failed
        ev,150,64,65,0.972761,1,failed
        ev,150,65,66,0.188679,1,failed
        ev,150,66,67,4.697286,1,failed
        ev,150,67,68,4.770879,1,failed
        ev,150,68,69,5.115295,1,failed
        ev,150,69,70,0.445865,1,failed
        ev,150,70,71,0.118033,1,failed
        ev,150,71,72,0.141398,1,failed
        ev,150,72,73,0.385618,1,failed
        ev,150,73,74,0.383694,1,failed
        ev,150,74,82,0.000000,1,failed"#]]
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
        error: set-points.csv: line 1: the columns are device,number,from,until,power_kw,version,status
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
