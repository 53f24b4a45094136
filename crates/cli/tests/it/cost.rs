//! `gridtally cost`.

use expect_test::expect;
use serde_json::Value;

use crate::run::Terminal;

#[test]
fn a_day_at_given_prices() {
    Terminal::new().check("cost --gas-price-gwei 1.5 --eth-usd 1950.25", &expect![[r#"
        A day of 2,880 records (30 households, 96 records each)

        given: 1.5 gwei, blob gas 0.09375 gwei, ETH at USD 1,950.25
          way                                 transactions  gas / record  USD / record  USD / day
          ----------------------------------  ------------  ------------  ------------  ---------
          one by one                                 2,880        45,903      0.134283     386.74
          one by one, signed by the meter            2,880        52,883      0.154702     445.54
          packed                                         6         5,274      0.015428      44.43
          batch in calldata                              1           273      0.000796       2.29
          batch in a blob                                1            42      0.000130       0.37
          batch in 3 blobs                               1            42      0.000130       0.37
          batch in 6 blobs                               1            42      0.000130       0.37
          publishing the tariff, direct mode             1                                   2.69
          From 373 records in a batch on (1 blob) a record costs less than USD 0.001.

        - Gas is measured by the contracts' tests (contracts/snapshots).
        - One by one: the first record of a household and day writes a new word of the duplicate guard,
          later ones change it.
        - Packed: up to 500 records in a transaction, household after household; between measured sizes gas
          is interpolated.
        - A batch is committed and made final; its records are final a week later. Calldata: up to 12,000
          records, at least 250 gas each (EIP-7623); blobs: 12,288 records in each.
        - Gas price times gas: no priority fee on top, no data fee of a rollup. Blob gas at its floor, a
          sixteenth of the gas price (EIP-7918), unless given; June 2021 had no blobs: that is today's
          protocol at the prices of then.
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
          one by one                                   500        45,760      2.287959   1,143.98
          one by one, signed by the meter              500        52,740      2.636956   1,318.48
          packed                                         1         5,268      0.263360     131.68
          batch in calldata                              1           378      0.018864       9.43
          batch in a blob                                1           239      0.012750       6.37
          batch in 3 blobs                               1           239      0.012750       6.37
          batch in 6 blobs                               1           239      0.012750       6.37
          publishing the tariff, direct mode             1                                  45.93
          From 6,375 records in a batch on (1 blob) a record costs less than USD 0.001.

        - Gas is measured by the contracts' tests (contracts/snapshots).
        - One by one: the first record of a household and day writes a new word of the duplicate guard,
          later ones change it.
        - Packed: up to 500 records in a transaction, household after household; between measured sizes gas
          is interpolated.
        - A batch is committed and made final; its records are final a week later. Calldata: up to 12,000
          records, at least 250 gas each (EIP-7623); blobs: 12,288 records in each.
        - Gas price times gas: no priority fee on top, no data fee of a rollup. Blob gas at its floor, a
          sixteenth of the gas price (EIP-7918), unless given; June 2021 had no blobs: that is today's
          protocol at the prices of then.
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
