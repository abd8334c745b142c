"""What a device costs by the views: the cheapest hour, the lowest purchase, and what owning it takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

SCRIPT = Path(__file__).parents[2] / "flows" / "sql" / "costs.sql"


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Boards of 400 W that draw half of it; drivers list one as two devices, and of one nobody knows the power."""
    with duckdb.connect() as made:
        made.execute("CREATE SCHEMA internal")
        made.execute(
            "CREATE TABLE gpus AS FROM (VALUES ('one', 200, 8), ('twin', 100, 8), ('dark', NULL, 8),"
            " ('rent', 150, 8), ('pair', 150, 2), ('lone', 150, NULL)) AS t (gpu_id, drawn_watts, max_gpus_per_node)"
        )
        made.execute(
            "CREATE TABLE policy AS FROM (VALUES ('hours_per_month', 700.0), ('amortisation_years', 2.0),"
            " ('usd_per_kwh', 0.2), ('power_usage_effectiveness', 1.5)) AS t (parameter, value)"
        )
        made.execute(
            "CREATE TABLE prices (gpu VARCHAR, kind VARCHAR, provider VARCHAR, region VARCHAR, gpu_count DOUBLE,"
            " usd_per_gpu_hour DOUBLE, usd_purchase DOUBLE, usd_purchase_high DOUBLE, basis VARCHAR, as_of DATE,"
            " origin VARCHAR, age_days BIGINT, is_stale BOOLEAN, source VARCHAR, instance_type VARCHAR)"
        )
        made.execute("CREATE TABLE internal.splits AS FROM (VALUES (1), (1), (3)) AS t (degree)")
        yield made


def asked_again(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    return connection.execute(query).fetchall()


def asked(connection: duckdb.DuckDBPyConnection, query: str) -> list[tuple[Any, ...]]:
    connection.execute(SCRIPT.read_text(encoding="utf-8"))
    return connection.execute(query).fetchall()


def bought(
    connection: duckdb.DuckDBPyConnection, gpu: str, usd: float, as_of: str = "2026-11-01", count: int = 1
) -> None:
    connection.execute(
        "INSERT INTO prices BY NAME SELECT ? AS gpu, 'purchase' AS kind, ? AS usd_purchase, ?::DATE AS as_of,"
        " 'used' AS basis, ? AS gpu_count, 'a list' AS source",
        [gpu, usd, as_of, count],
    )


def test_owning_is_the_price_over_its_years_and_the_power(connection: duckdb.DuckDBPyConnection) -> None:
    """8,400 / (2 x 12 x 700 h) = 0.50 dollars an hour; 0.2 kW x 1.5 x 0.2 = 0.06."""
    bought(connection, "one", 9000)
    bought(connection, "one", 8400)
    found = asked(connection, "FROM internal.device_costs")
    assert found == [
        ("one", 1, None, 8400, pytest.approx(0.56)),
        ("one", 3, None, 25_200, pytest.approx(1.68)),
    ]
    parts = connection.execute("SELECT usd_per_hour_of_price, usd_per_hour_of_power FROM current_purchases").fetchall()
    assert parts == [pytest.approx((0.50, 0.06))]


def test_a_device_of_a_board_draws_its_share(connection: duckdb.DuckDBPyConnection) -> None:
    bought(connection, "twin", 8400)
    assert asked(connection, "SELECT usd_per_hour_of_power FROM current_purchases") == [(pytest.approx(0.03),)]


def test_boards_are_bought_whole(connection: duckdb.DuckDBPyConnection) -> None:
    """One or three devices of boards of two: two or four are paid, and draw power."""
    bought(connection, "twin", 8400, count=2)
    found = asked(connection, "SELECT devices, usd_purchase, usd_per_hour_owned FROM internal.device_costs")
    assert found == [(1, 16_800, pytest.approx(2 * 0.53)), (3, 33_600, pytest.approx(4 * 0.53))]


def test_power_that_nobody_knows_is_not_free(connection: duckdb.DuckDBPyConnection) -> None:
    bought(connection, "dark", 8400)
    columns = "usd_per_hour_of_price, usd_per_hour_of_power, usd_per_gpu_hour_owned"
    assert asked(connection, f"SELECT {columns} FROM current_purchases") == [(pytest.approx(0.5), None, None)]


def test_of_equal_prices_the_older_one_is_shown(connection: duckdb.DuckDBPyConnection) -> None:
    bought(connection, "one", 8400, "2026-10-01")
    bought(connection, "one", 8400, "2026-09-01")
    assert asked(connection, "SELECT as_of::VARCHAR FROM current_purchases") == [("2026-09-01",)]


def rented(connection: duckdb.DuckDBPyConnection, gpu: str, usd: float, count: float, region: str | None) -> None:
    connection.execute(
        "INSERT INTO prices BY NAME SELECT ? AS gpu, 'on_demand' AS kind, 'a' AS provider, ? AS gpu_count,"
        " ? AS usd_per_gpu_hour, ? AS region",
        [gpu, count, usd, region],
    )


def test_what_is_rented_only_has_no_cost_of_owning(connection: duckdb.DuckDBPyConnection) -> None:
    rented(connection, "rent", 2.5, 1, None)
    bought(connection, "one", 8400)
    found = asked(connection, "FROM internal.device_costs WHERE devices = 1")
    assert found == [("one", 1, None, 8400, pytest.approx(0.56)), ("rent", 1, 2.5, None, None)]


def test_an_instance_is_paid_whole(connection: duckdb.DuckDBPyConnection) -> None:
    """One device: 1 x 2.5, for four at 1.0 are 4. Three: one instance of four."""
    rented(connection, "rent", 2.5, 1, "single")
    rented(connection, "rent", 1.0, 4, "four")
    found = asked(
        connection, "SELECT devices, instances, devices_per_instance, usd_per_hour, region FROM option_prices"
    )
    assert found == [(1, 1, 1, 2.5, "single"), (3, 1, 4, 4.0, "four")]
    assert asked_again(connection, "SELECT usd_per_gpu_hour, region FROM current_prices") == [(1.0, "four")]


def test_single_devices_side_by_side_are_no_node(connection: duckdb.DuckDBPyConnection) -> None:
    """Three single ones for 7.5 share no model; where two are a node, three are two nodes of two."""
    for gpu, count in (("rent", 1), ("pair", 1), ("pair", 2), ("lone", 1)):
        rented(connection, gpu, 2.5, count, None)
    found = asked(connection, "SELECT gpu, devices, instances, devices_per_instance, usd_per_hour FROM option_prices")
    assert found == [
        ("lone", 1, 1, 1, 2.5), ("lone", 3, 3, 1, 7.5), ("pair", 1, 1, 1, 2.5), ("pair", 3, 2, 2, 10.0),
        ("rent", 1, 1, 1, 2.5),
    ]  # fmt: skip


def test_a_slice_of_a_board_prices_no_option(connection: duckdb.DuckDBPyConnection) -> None:
    rented(connection, "rent", 0.1, 0.25, "slice")
    assert asked(connection, "FROM option_prices") == []


def test_a_price_without_a_region_keeps_its_own_row(connection: duckdb.DuckDBPyConnection) -> None:
    """The cheapest offer is shown whole: nothing of it is filled in from another."""
    rented(connection, "rent", 2.5, 1, None)
    rented(connection, "rent", 3.0, 1, "elsewhere")
    assert asked(connection, "SELECT usd_per_gpu_hour, region FROM current_prices") == [(2.5, None)]
    assert asked_again(connection, "SELECT DISTINCT region FROM option_prices") == [(None,)]
