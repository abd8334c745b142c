"""What fits where: Polars expressions from shapes and catalogs to bytes and verdicts. No IO, imports polars only."""

from estimator.activation_slopes import activation_slopes
from estimator.cache_plans import cache_plans
from estimator.calculator_rows import calculator_rows
from estimator.device_classes import capacities, reserved, supports
from estimator.fit import fit
from estimator.overhead_plans import overhead_plans
from estimator.quality import qualities
from estimator.speed_rates import links, speeds
from estimator.splits import splits
from estimator.training_slopes import training_slopes
from estimator.verdict import outcomes
from estimator.weight_plans import residencies, weight_plans
from estimator.work_plans import work_plans

__all__ = [
    "activation_slopes",
    "cache_plans",
    "calculator_rows",
    "capacities",
    "fit",
    "links",
    "outcomes",
    "overhead_plans",
    "qualities",
    "reserved",
    "residencies",
    "speeds",
    "splits",
    "supports",
    "training_slopes",
    "weight_plans",
    "work_plans",
]
