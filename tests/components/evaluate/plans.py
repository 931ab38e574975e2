"""Plans of evaluations without a recipe."""

from __future__ import annotations

from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, Target, TargetKind
from emrys.components.evaluate.config import EvaluateConfig
from emrys.components.evaluate.scorecard import Plan

IDS = (DataColumn("who", "int64", Role.USER_ID), DataColumn("what", "int64", Role.ITEM_ID))
BINARY = Target("liked", TargetKind.BINARY)


def plan(config: EvaluateConfig, target: Target = BINARY, negatives: int = 0, columns=IDS) -> Plan:
    """The plan for a log of users and items."""
    return Plan.of(target, DataSchema(columns, (target,), negatives=negatives), config)
