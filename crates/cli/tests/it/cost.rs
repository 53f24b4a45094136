//! `gridtally cost`.

use expect_test::{expect, expect_file};
use serde_json::Value;

use crate::run::Terminal;

#[test]
fn a_day_at_given_prices() {
    Terminal::new().check("cost --gas-price-gwei 1.5 --eth-usd 1950.25", &expect![[r#"
        A day of 2,880 records (30 households, 96 records each)

        given: 1.5 gwei, blob gas 0.09375 gwei, ETH at USD 1,950.25
          way                                 transactions  gas / record  USD / record  USD / day
          ----------------------------------  ------------  ------------  ------------  ---------
          naive contract                             2,880       169,757      0.496603   1,430.22
          one by one                                 2,880        45,903      0.134283     386.74
          one by one, signed by the meter            2,880        52,883      0.154702     445.54
          packed                                         6         5,274      0.015428      44.43
          batch in calldata                              1           273      0.000796       2.29
          batch in a blob                                1            42      0.000130       0.37
          batch in 3 blobs                               1            42      0.000130       0.37
          batch in 6 blobs                               1            42      0.000130       0.37
          publishing the tariff, direct mode             1                                   2.69
          From 373 records in a batch on (1 blob) a record costs less than USD 0.001.

        private chain: no price of gas, servers at USD 200 a month
          However it is settled a record costs USD 0.002283, a day USD 6.58.

        - Gas is measured by the contracts' tests (contracts/snapshots).
        - Naive contract: six words stored and an event for each record, nothing checked, no money moved;
          compiled without optimization, which costs it 3 %.
        - One by one: the first record of a household and day writes a new word of the duplicate guard,
          later ones change it.
        - Packed: up to 500 records in a transaction, household after household; between measured sizes gas
          is interpolated.
        - A batch is committed and made final; its records are final a week later. Calldata: up to 12,000
          records, at least 250 gas each (EIP-7623); blobs: 12,288 records in each.
        - Gas price times gas: no priority fee on top, no data fee of a rollup. Blob gas at its floor, a
          sixteenth of the gas price (EIP-7918), unless given; June 2021 had no blobs: that is today's
          protocol at the prices of then.
        - Rollup: execution at 0.005 gwei. Private chain: its servers are all that it costs; who runs them
          is to be believed.
        - Registration of households, deposits, withdrawals and claims are extra.
        -- exit 0
    "#]]);
}

#[test]
fn the_mean_fee_of_june_2021_is_a_preset() {
    Terminal::new().check("cost --preset june-2021-mean --households 1 --records 500", &expect![[r#"
        A day of 500 records (1 household, 500 records each)

        june-2021-mean: 20 gwei, blob gas 1.25 gwei, ETH at USD 2,500
          way                                 transactions  gas / record  USD / record  USD / day
          ----------------------------------  ------------  ------------  ------------  ---------
          naive contract                               500       169,786      8.489259   4,244.63
          one by one                                   500        45,760      2.287959   1,143.98
          one by one, signed by the meter              500        52,740      2.636956   1,318.48
          packed                                         1         5,268      0.263360     131.68
          batch in calldata                              1           378      0.018864       9.43
          batch in a blob                                1           239      0.012750       6.37
          batch in 3 blobs                               1           239      0.012750       6.37
          batch in 6 blobs                               1           239      0.012750       6.37
          publishing the tariff, direct mode             1                                  45.93
          From 6,375 records in a batch on (1 blob) a record costs less than USD 0.001.

        private chain: no price of gas, servers at USD 200 a month
          However it is settled a record costs USD 0.013151, a day USD 6.58.

        - Gas is measured by the contracts' tests (contracts/snapshots).
        - Naive contract: six words stored and an event for each record, nothing checked, no money moved;
          compiled without optimization, which costs it 3 %.
        - One by one: the first record of a household and day writes a new word of the duplicate guard,
          later ones change it.
        - Packed: up to 500 records in a transaction, household after household; between measured sizes gas
          is interpolated.
        - A batch is committed and made final; its records are final a week later. Calldata: up to 12,000
          records, at least 250 gas each (EIP-7623); blobs: 12,288 records in each.
        - Gas price times gas: no priority fee on top, no data fee of a rollup. Blob gas at its floor, a
          sixteenth of the gas price (EIP-7918), unless given; June 2021 had no blobs: that is today's
          protocol at the prices of then.
        - Rollup: execution at 0.005 gwei. Private chain: its servers are all that it costs; who runs them
          is to be believed.
        - Registration of households, deposits, withdrawals and claims are extra.
        -- exit 0
    "#]]);
}

#[test]
fn programs_get_the_same_numbers() {
    let output = Terminal::new().output("cost --output json");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let names: Vec<&str> = report["markets"]
        .as_array()
        .unwrap()
        .iter()
        .map(|market| market["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["june-2021-mean", "june-2021-strict", "2026", "rollup"]);
    for market in report["markets"].as_array().unwrap() {
        let wei = market["gas_price_wei"].as_u64().unwrap();
        for line in market["lines"].as_array().unwrap() {
            // 2,500 dollars for 10^18 wei, in micro-dollars, from the gas and the blob gas of the day.
            let day = &line["price_of_day"];
            let gas = day["gas"].as_u64().unwrap();
            let blob_gas = day["blob_gas"].as_u64().unwrap_or(0);
            let blob_wei = market["blob_price_wei"].as_u64().unwrap_or(0);
            let spent =
                u128::from(gas) * u128::from(wei) + u128::from(blob_gas) * u128::from(blob_wei);
            let expected = spent * 2_500_000_000;
            let micro_usd = u128::from(line["price_of_day"]["micro_usd"].as_u64().unwrap());
            assert!((micro_usd * 10_u128.pow(18)).abs_diff(expected) <= 5 * 10_u128.pow(17));
        }
    }
}

#[test]
fn prices_that_make_no_sense_are_refused() {
    let terminal = Terminal::new();
    terminal.check(
        "cost --gas-price-gwei -1 --eth-usd 2500",
        &expect![[r#"
            -- stderr
            error: invalid value '-1' for '--gas-price-gwei <GWEI>': give a number of gwei above 0, at most 1000000

            For more information, try '--help'.
            -- exit 2
        "#]],
    );
    terminal.check("cost --gas-price-gwei 0 --eth-usd 2500", &expect![[r#"
        -- stderr
        error: invalid value '0' for '--gas-price-gwei <GWEI>': give a number of gwei above 0, at most 1000000

        For more information, try '--help'.
        -- exit 2
    "#]]);
    terminal.check("cost --gas-price-gwei 1e3 --eth-usd 2500", &expect![[r#"
        -- stderr
        error: invalid value '1e3' for '--gas-price-gwei <GWEI>': exponents are not accepted, write all digits

        For more information, try '--help'.
        -- exit 2
    "#]]);
    terminal.check(
        "cost --gas-price-gwei 20",
        &expect![[r#"
        -- stderr
        error: the following required arguments were not provided:
          --eth-usd <USD>

        Usage: gridtally cost --gas-price-gwei <GWEI> --eth-usd <USD>

        For more information, try '--help'.
        -- exit 2
    "#]],
    );
    terminal.check(
        "cost --households 0",
        &expect![[r#"
        -- stderr
        error: invalid value '0' for '--households <COUNT>': 0 is not in 1..=1000000

        For more information, try '--help'.
        -- exit 2
    "#]],
    );
}

#[test]
fn the_picture_in_the_documents_is_what_the_command_draws() {
    let terminal = Terminal::new();
    let drawn = "cost --households 768 --preset june-2021-mean --picture cost.svg";
    let output = terminal.output(drawn);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let svg = std::fs::read_to_string(terminal.path("cost.svg")).unwrap();
    expect_file!["../../../../docs/pictures/cost.svg"].assert_eq(&svg);
}

#[test]
fn any_prices_can_be_drawn() {
    let terminal = Terminal::new();
    for prices in [
        "--gas-price-gwei 0.000000001 --eth-usd 0.000001 --private-usd-month 0.000001",
        "--gas-price-gwei 1000000 --eth-usd 1000000 --blob-price-gwei 1000000",
        "--preset rollup --households 1 --records 1",
        "--households 1000000 --records 10000",
    ] {
        let output = terminal.output(&format!("cost {prices} --picture any.svg"));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let svg = std::fs::read_to_string(terminal.path("any.svg")).unwrap();
        assert!(svg.contains("naive contract") && svg.ends_with("</svg>\n"), "{prices}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{prices}");
    }
}

#[test]
fn pictures_are_svg_in_a_folder_that_is_there() {
    let terminal = Terminal::new();
    terminal.check("cost --picture cost.png", &expect![[r#"
        -- stderr
        error: invalid value 'cost.png' for '--picture <FILE.svg>': pictures are drawn as SVG: give a name that ends in .svg; rsvg-convert makes other formats of it

        For more information, try '--help'.
        -- exit 2
    "#]]);
    terminal.check(
        "cost --picture nowhere/cost.svg",
        &expect![[r#"
        -- stderr
        error: cannot write nowhere/cost.svg: No such file or directory (os error 2)
        -- exit 3
    "#]],
    );
}
