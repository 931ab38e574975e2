"""Contents of an image and imports of a step; as a program, the tables of docs/containers.md.

python -m tests.containers.probing
"""

from __future__ import annotations

import functools
import importlib
import json
import time
from pathlib import Path
from typing import Any

import docker

from emrys import components
from emrys.components.images import PREPROCESS_IMAGE, SERVE_IMAGE, TRAIN_IMAGE

IMAGES = {"preprocess": PREPROCESS_IMAGE, "train": TRAIN_IMAGE, "serve": SERVE_IMAGE}


def _steps() -> dict[str, str]:
    found = {}
    for file in sorted(Path(components.__file__).parent.glob("*/component.py")):
        step = file.parent.name
        contract = getattr(importlib.import_module(f"emrys.components.{step}.component"), step)
        image = contract.component_spec.implementation.container.image
        found[step] = next(name for name, one in IMAGES.items() if one == image)
    return found


#: The name of each step's image, after its contract.
STEPS = _steps()

_IMPORT = """
import importlib, json, sys, time
start = time.perf_counter()
importlib.import_module(f"emrys.components.{sys.argv[1]}.component")
contract = time.perf_counter()
importlib.import_module(f"emrys.components.{sys.argv[1]}.step")
end = time.perf_counter()
names = sorted({name.partition(".")[0] for name in sys.modules})
print(json.dumps({"contract": contract - start, "step": end - contract, "modules": names}))
"""

_CONTENT = """
import hashlib, importlib.metadata as m, json, os, pathlib, shutil
wheels = pathlib.Path("/opt/emrys/share/wheel").glob("*.whl")
print(json.dumps({
    "packages": {d.metadata["Name"].lower().replace("_", "-"): d.version for d in m.distributions(path=[
        str(p) for p in pathlib.Path("/opt/emrys/lib").glob("python*/site-packages")])},
    "compilers": [name for name in ("gcc", "g++", "cc", "c++", "clang", "make", "nvcc") if shutil.which(name)],
    "wheels": {wheel.name: hashlib.sha256(wheel.read_bytes()).hexdigest() for wheel in wheels},
    "uid": os.getuid(),
    "writable": [p for p in ("/", "/opt/emrys", "/opt/emrys/bin", "/usr/local/bin") if os.access(p, os.W_OK)],
}))
"""


class Probe:
    """Asks images what they hold.

    Args:
        engine: The Docker engine.
    """

    def __init__(self, engine: docker.DockerClient) -> None:
        self.engine = engine

    def run(self, image: str, *command: str) -> bytes:
        """Runs a command in a container as a cluster would: read-only, without rights, without a network."""
        return self.engine.containers.run(
            IMAGES[image],
            list(command),
            remove=True,
            read_only=True,
            tmpfs={"/tmp": "mode=1777"},
            network_mode="none",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges"],
        )

    @functools.cache  # noqa: B019 - one probe a session
    def content(self, image: str) -> dict[str, Any]:
        """Packages, compilers, wheels, user and writable places of an image."""
        return json.loads(self.run(image, "python3", "-c", _CONTENT))

    @functools.cache  # noqa: B019
    def cold_start(self, step: str) -> dict[str, Any]:
        """Imports a step in a container of its own image: modules and seconds, and those of the whole container."""
        start = time.perf_counter()
        found = json.loads(self.run(STEPS[step], "python3", "-c", _IMPORT, step).splitlines()[-1])
        return {**found, "container": time.perf_counter() - start}

    def size(self, image: str) -> int:
        """Bytes of an image, its base included."""
        return self.engine.images.get(IMAGES[image]).attrs["Size"]


if __name__ == "__main__":
    probe = Probe(docker.from_env())
    base = probe.engine.images.get(PREPROCESS_IMAGE.replace("preprocess", "base")).attrs["Size"]
    print(f"base {base / 1e6:.0f} MB")
    for image in IMAGES:
        size = probe.size(image)
        own, packages = size - base, len(probe.content(image)["packages"])
        print(f"| `{image}` | {size / 1e6:.0f} MB | {own / 1e6:.0f} MB | {packages} |")
    for step, image in STEPS.items():
        took = probe.cold_start(step)
        print(f"| `{step}` | `{image}` | {took['contract']:.1f} | {took['step']:.1f} | {took['container']:.1f} |")
