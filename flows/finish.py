"""The last three verbs, once per run: build and check the database, render the report, publish both together."""

from __future__ import annotations

from pathlib import Path

from flows import night as nights
from flows import publication, report, run_history, warehouse
from flows.changes.compare import compare
from flows.night import Night


def finish(night: Night) -> Path:
    """Publish a run whose parts are complete and return the published folder.

    Raises warehouse.PublishBlocked when a check fails and OSError when the disk refuses: `latest` does not move.
    """
    place = publication.workplace(night.data, night.run_id)
    database = place / publication.DATABASE
    previous = _previous(night.data)
    warehouse.build(night, database)
    run_history.correct(night, changes=compare(database, previous))
    violations = warehouse.check(database, previous)
    if violations:
        run_history.correct(night, outcome="blocked")
        nights.finish(night)
        raise warehouse.PublishBlocked(violations)
    with warehouse.disk_errors():
        report.write(database, place / "report")
    published = publication.publish(night.data, night.run_id, place)
    nights.finish(night)
    publication.retire(night.data)
    return published


def _previous(data: Path) -> Path | None:
    try:
        return publication.latest_database(data)
    except publication.NothingPublished:
        return None
