"""Resources of a step: CPU, memory, accelerators, and the nodes that it may run on."""

from __future__ import annotations

import enum
import re

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from emrys.blocks.errors import ConfigError

#: How the dataclasses of a configuration read YAML: unknown keys are refused, and `cpu: 2` means the string "2".
STRICT = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

_CPU = re.compile(r"(\d+(\.\d+)?|\d+m)")
_MEMORY = re.compile(r"\d+([EPTGMK]i?)?")


class TolerationOperator(enum.StrEnum):
    """Comparison of a toleration with the value of a taint."""

    EQUAL = "Equal"
    EXISTS = "Exists"


class TaintEffect(enum.StrEnum):
    """Effect of a taint on pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


@dataclass(frozen=True, config=STRICT)
class Toleration:
    """A taint that the pod of a step tolerates.

    Args:
        key: Key of the taint; empty, with the operator `Exists`, for every taint.
        operator: `Equal` compares the value, `Exists` only requires the key.
        value: Value of the taint; empty with `Exists`.
        effect: Effect of the taint; by default all effects.
    """

    key: str = ""
    operator: TolerationOperator = TolerationOperator.EQUAL
    value: str = ""
    effect: TaintEffect | None = None

    def __post_init__(self) -> None:
        if self.operator is TolerationOperator.EXISTS and self.value:
            raise ConfigError("a toleration with the operator 'Exists' takes no value", got=repr(self.value))
        if self.operator is TolerationOperator.EQUAL and not self.key:
            raise ConfigError("a toleration without a key needs the operator 'Exists'")


@dataclass(frozen=True, config=STRICT)
class Resources:
    """Resources of one step. CPU and memory are both request and limit.

    Args:
        cpu: CPUs in the notation of Kubernetes: "2", "0.5" or "500m".
        memory: Memory in the notation of Kubernetes: "4Gi", "512Mi".
        gpus: Number of accelerators; 0 for none.
        accelerator: Resource name of the accelerator; used if `gpus` is above 0.
        node_selector: Labels that a node must have.
        tolerations: Taints that the pod tolerates.
    """

    cpu: str = "1"
    memory: str = "2Gi"
    gpus: int = 0
    accelerator: str = "nvidia.com/gpu"
    node_selector: dict[str, str] = Field(default_factory=dict)
    tolerations: tuple[Toleration, ...] = ()

    def __post_init__(self) -> None:
        if not _CPU.fullmatch(self.cpu):
            raise ConfigError("cpu is invalid", expected="a number such as '2' or '500m'", got=repr(self.cpu))
        if not _MEMORY.fullmatch(self.memory):
            raise ConfigError("memory is invalid", expected="an amount such as '4Gi'", got=repr(self.memory))
        if self.gpus < 0:
            raise ConfigError("gpus is invalid", expected="0 or more", got=str(self.gpus))
        if self.gpus and not self.accelerator:
            raise ConfigError("accelerator is invalid", expected="the name of a resource, such as 'nvidia.com/gpu'")
