"""Decisions that are others than in the previous night. What nothing can have changed is not looked at."""

from __future__ import annotations

from collections.abc import Iterator

from flows.warehouse import Connection

# Decisions that are joined at once: what their hash table takes stays far below the memory of a night.
MOST_DECISIONS = 8_000_000

# Of another method most shapes come out as before: those are told by one number each, where both nights count alike.
_SIGNATURES = """
CREATE TEMP TABLE {name} AS
SELECT shape_ix, bit_xor(hash(precision_ix, workload_ix, gpu_ix, outcome_ix)) AS signature FROM {fit} GROUP BY shape_ix
"""
_COUNT_ALIKE = """
SELECT NOT EXISTS (FROM gpus n FULL JOIN previous.gpus b USING (gpu_id) WHERE n.gpu_ix IS DISTINCT FROM b.gpu_ix)
    AND NOT EXISTS (
        FROM precisions n FULL JOIN previous.precisions b USING (precision)
        WHERE n.precision_ix IS DISTINCT FROM b.precision_ix
    )
    AND NOT EXISTS (
        FROM workloads n FULL JOIN previous.workloads b USING (workload)
        WHERE n.workload_ix IS DISTINCT FROM b.workload_ix
    )
    AND NOT EXISTS (FROM same_outcomes WHERE outcome_ix <> before_ix)
    AND (SELECT method_changed FROM comparison)
"""
_SAME = """
DELETE FROM asked USING now_signatures n, before_signatures b
WHERE n.shape_ix = asked.shape_ix AND b.shape_ix = asked.before_shape_ix AND n.signature = b.signature
"""

# Decisions of both nights by today's numbers. The fit table is sorted by device inside each shard, so a range of
# devices is a range of its blocks.
_NOW = """
CREATE OR REPLACE TEMP TABLE decisions_now AS
SELECT a.pair_ix, f.precision_ix, f.workload_ix, f.gpu_ix, f.outcome_ix
FROM internal.fit f JOIN asked a USING (shape_ix)
WHERE f.gpu_ix BETWEEN $first AND $last
    AND (a.is_whole OR internal.is_changed('gpu', f.gpu_ix) OR internal.is_changed('workload', f.workload_ix))
"""
_BEFORE = """
CREATE OR REPLACE TEMP TABLE decisions_before AS
SELECT a.pair_ix, p.precision_ix, w.workload_ix, g.gpu_ix, t.outcome_ix
FROM previous.internal.fit f
JOIN (FROM same_gpus WHERE gpu_ix BETWEEN $first AND $last) g ON g.before_ix = f.gpu_ix
JOIN asked a ON a.before_shape_ix = f.shape_ix
JOIN same_precisions p ON p.before_ix = f.precision_ix
JOIN same_workloads w ON w.before_ix = f.workload_ix
JOIN same_outcomes t ON t.before_ix = f.outcome_ix
WHERE a.is_whole OR internal.is_changed('gpu', g.gpu_ix) OR internal.is_changed('workload', w.workload_ix)
"""
# A table of its own: as one query, the nights are joined before their rows are few.
_CHANGED = """
CREATE OR REPLACE TEMP TABLE changed AS
SELECT pair_ix, precision_ix, workload_ix, gpu_ix, b.outcome_ix AS before_outcome_ix, n.outcome_ix
FROM decisions_now n JOIN decisions_before b USING (pair_ix, precision_ix, workload_ix, gpu_ix)
WHERE n.outcome_ix <> b.outcome_ix
"""
_VERDICTS = """
INSERT INTO internal.verdict_changes BY NAME
FROM changed ORDER BY pair_ix, workload_ix, gpu_ix, precision_ix
"""
# Of cells with another verdict the best way, then and now. Both by today's order of precisions: another order is no
# change of what runs.
_BEST = """
CREATE OR REPLACE TEMP TABLE {name} AS
SELECT
    d.pair_ix, d.workload_ix, d.gpu_ix, min(d.outcome_ix) AS outcome_ix,
    arg_min(d.precision_ix, internal.preference(d.outcome_ix, r.rank, o.shape_ix)) AS precision_ix
FROM {decisions} d
SEMI JOIN changed c ON c.pair_ix = d.pair_ix AND c.workload_ix = d.workload_ix AND c.gpu_ix = d.gpu_ix
JOIN asked a ON a.pair_ix = d.pair_ix
JOIN internal.precision_ranks r ON r.precision_ix = d.precision_ix
LEFT JOIN internal.own_formats o ON o.shape_ix = a.shape_ix AND o.precision_ix = d.precision_ix
SEMI JOIN (FROM internal.outcomes WHERE gpus_needed IS NOT NULL) t ON t.outcome_ix = d.outcome_ix
GROUP BY ALL
"""
_DEVICES = """
INSERT INTO internal.device_changes BY NAME
SELECT
    pair_ix, workload_ix, gpu_ix, b.precision_ix AS before_precision_ix, b.outcome_ix AS before_outcome_ix,
    n.precision_ix, n.outcome_ix
FROM best_now n FULL JOIN best_before b USING (pair_ix, workload_ix, gpu_ix)
WHERE (n.precision_ix, n.outcome_ix) IS DISTINCT FROM (b.precision_ix, b.outcome_ix)
ORDER BY pair_ix, workload_ix, gpu_ix
"""


def fill(connection: Connection) -> None:
    """Fill internal.verdict_changes and internal.device_changes out of the temporary tables of compare.sql."""
    if connection.execute(_COUNT_ALIKE).fetchone() == (True,):
        for name, fit in (("now_signatures", "internal.fit"), ("before_signatures", "previous.internal.fit")):
            connection.execute(_SIGNATURES.format(name=name, fit=fit))
        connection.execute(_SAME)
    for first, last in _devices(connection):
        for query in (_NOW, _BEFORE):
            connection.execute(query, {"first": first, "last": last})
        connection.execute(_CHANGED)
        connection.execute(_VERDICTS)
        for name, decisions in (("best_now", "decisions_now"), ("best_before", "decisions_before")):
            connection.execute(_BEST.format(name=name, decisions=decisions))
        connection.execute(_DEVICES)


def _devices(connection: Connection) -> Iterator[tuple[int, int]]:
    """Ranges of devices with at most MOST_DECISIONS of those that may differ; none where there is nothing to ask."""
    [(of_device, gpus)] = connection.execute(
        """
        SELECT (SELECT count(*) FROM asked) * (SELECT count(*) FROM precisions) * (SELECT count(*) FROM workloads),
            (
                SELECT list(gpu_ix ORDER BY gpu_ix) FROM gpus
                WHERE internal.is_changed('gpu', gpu_ix) OR EXISTS (FROM asked WHERE is_whole)
                    OR EXISTS (FROM internal.changed_inputs WHERE kind = 'workload')
            )
        """
    ).fetchall()
    if not of_device or not gpus:
        return
    step = max(1, MOST_DECISIONS // of_device)
    for first in range(0, len(gpus), step):
        asked = gpus[first : first + step]
        yield asked[0], asked[-1]
