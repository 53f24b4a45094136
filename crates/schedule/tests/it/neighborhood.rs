//! Neighborhoods through the public interface: the example, the same bytes on any number of threads, and what is refused.

use expect_test::{Expect, expect};
use gridtally_schedule::ProblemRefused;
use gridtally_schedule::household::{Household, HouseholdPlan};
use gridtally_schedule::neighborhood::{
    Neighborhood, NeighborhoodDocument, NeighborhoodError, NeighborhoodOptions, NeighborhoodPlan,
    check, plan,
};

fn example(name: &str) -> String {
    let path = format!("{}/../../examples/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(path).unwrap()
}

/// Reads a street whose households are examples.
fn street(text: &str) -> Result<Neighborhood, ProblemRefused> {
    let document = NeighborhoodDocument::read(text)?;
    let households = document.files().map(|file| Household::from_toml(&example(file)));
    let households = households.collect::<Result<Vec<_>, _>>()?;
    document.with(households)
}

fn plans(found: &NeighborhoodPlan) -> Vec<HouseholdPlan> {
    found.households.iter().map(|household| household.plan.clone()).collect()
}

#[test]
fn the_example_is_planned_within_its_limits_and_near_its_bound() {
    let street = street(&example("street.toml")).unwrap();
    let found = plan(&street, &NeighborhoodOptions::default()).unwrap();
    let checked = check(&street, &plans(&found));
    assert!(checked.exceeded.is_empty() && checked.violations.is_empty(), "{checked:?}");
    assert!(found.cost_alone < found.cost && found.gap() < 0.01, "{}", found.gap());
    let peak = |flow_kw: &[f64]| flow_kw.iter().copied().fold(0.0, f64::max);
    assert!(peak(&found.flow_alone_kw[0]) > 200.0 && peak(&found.flow_kw[0]) <= 90.0 + 1e-4);
}

/// Reads a changed example, plans it, and shows why not.
fn check_refused(change: impl Fn(String) -> String, expected: &Expect) {
    let shown = match street(&change(example("street.toml"))) {
        Err(refused) => refused.to_string(),
        Ok(street) => match plan(&street, &NeighborhoodOptions::default()) {
            Err(error) => error.to_string(),
            Ok(_) => "a plan".to_owned(),
        },
    };
    expected.assert_eq(&shown);
}

#[test]
fn what_cannot_be_is_refused_with_its_field() {
    let with =
        |from: &'static str, to: &'static str| move |text: String| text.replacen(from, to, 1);
    check_refused(
        with("[[household]]", "[[home]]"),
        &expect![
            "home (line 14): unknown field `home`, expected one of `name`, `currency`, `transformer_limit_kw`, `feeder`, `household`"
        ],
    );
    check_refused(
        |_| "name = 1".to_owned(),
        &expect!["name (line 1): invalid type: integer `1`, expected a string"],
    );
    check_refused(
        |text| text.split("[[household]]").next().unwrap().to_owned(),
        &expect!["household: there is no household"],
    );
    check_refused(
        with("household.toml", "../secret.toml"),
        &expect![[
            r#"household[0].file: "../secret.toml" is not a file in the folder of the neighborhood"#
        ]],
    );
    check_refused(
        with("household.toml", "/etc/passwd"),
        &expect![[
            r#"household[0].file: "/etc/passwd" is not a file in the folder of the neighborhood"#
        ]],
    );
    check_refused(
        with("= 90.0", "= nan"),
        &expect!["transformer_limit_kw[0]: NaN is not between 0 and 1000000"],
    );
    check_refused(
        with("= 90.0", "= -1"),
        &expect!["transformer_limit_kw[0]: -1 is not between 0 and 1000000"],
    );
    check_refused(
        with("= 90.0", "= [1.0, 2.0]"),
        &expect!["transformer_limit_kw: 2 values where 96 are needed"],
    );
    check_refused(
        with("currency = \"NOK\"", "currency = \"EUR\""),
        &expect!["household[0]: its currency is NOK, that of the others is EUR"],
    );
    check_refused(
        with("\"south\"\nlimit", "\"north\"\nlimit"),
        &expect![[r#"household[2].feeder: there is no feeder called "south""#]],
    );
    check_refused(
        with("feeder = \"north\"", "feeder = \"west\""),
        &expect![[r#"household[0].feeder: there is no feeder called "west""#]],
    );
    check_refused(
        with("Lie, south", "Lie"),
        &expect![[
            r#"household[2].name: "Lie" is also the name of another; give each a name of its own"#
        ]],
    );
    check_refused(
        with("count = 4", "count = 0"),
        &expect!["household[0].count: 0 is not between 1 and 5000"],
    );
    check_refused(
        with("count = 4", "count = 1000000"),
        &expect!["household[0].count: 1000000 is not between 1 and 5000"],
    );
}

#[test]
fn households_of_another_time_are_refused() {
    let street = |from: &str, to: &str| {
        let document = NeighborhoodDocument::read(&example("street.toml")).unwrap();
        let files: Vec<String> = document.files().map(str::to_owned).collect();
        let text = |file: &String| match file.as_str() {
            "household-panels.toml" => example(file).replacen(from, to, 1),
            _ => example(file),
        };
        let households = files.iter().map(|file| Household::from_toml(&text(file)).unwrap());
        document.with(households.collect()).unwrap_err().to_string()
    };
    expect!["household[3]: its start is 2026-11-26T11:00:00Z, that of the others is 2026-11-25T11:00:00Z"].assert_eq(&street("2026-11-25T12:00", "2026-11-26T12:00"));
    expect!["household[3]: its resolution is 60 min, that of the others is 15 min"]
        .assert_eq(&street("hours = 24", "hours = 24\nresolution_minutes = 60"));
    expect!["household[3]: its currency is EUR, that of the others is NOK"]
        .assert_eq(&street("NOK", "EUR"));
}

/// Households without programs, so that what is named is exact.
const DIVISIBLE: &str = r#"
name = "Short Lane"
currency = "NOK"
transformer_limit_kw = LIMIT
household = [{ file = "household-panels.toml", count = 4 }]
"#;

#[test]
fn limits_that_leave_too_little_are_named_by_step_and_amount() {
    let with = |limit_kw: &str| street(&DIVISIBLE.replace("LIMIT", limit_kw)).unwrap();
    let options = NeighborhoodOptions::default();
    let error = plan(&with("3.0"), &options).unwrap_err();
    let (NeighborhoodError::Limits { exceeded } | NeighborhoodError::NotRepaired { exceeded }) =
        &error
    else {
        panic!("{error:?}")
    };
    assert!(exceeded.iter().all(|one| one.limit == 0 && one.by_kw > 0.0), "{exceeded:?}");
    // The four need some 110 kWh of the day, and 72 may flow.
    let missing_kwh = exceeded.iter().map(|one| one.by_kw / 4.0).sum::<f64>();
    assert!((10.0..100.0).contains(&missing_kwh), "{missing_kwh}");
    assert!(plan(&with("12.0"), &options).is_ok());
}
