"""The files that images are made from: linted, pinned, and alike for CPU and GPU but for base and extra."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
CONTAINERS = ROOT / "containers"
DOCKERFILES = sorted(CONTAINERS.glob("*/Dockerfile"))
REQUIREMENTS = sorted(CONTAINERS.glob("*/requirements-*.txt"))
#: Extras of the project that each file holds.
EXTRAS = {
    "base/requirements-cpu.txt": ("pipelines",),
    "preprocess/requirements-cpu.txt": ("pipelines", "preprocess"),
    "train/requirements-cpu.txt": ("pipelines", "train", "ann", "cpu"),
    "train/requirements-gpu.txt": ("pipelines", "train", "ann", "gpu"),
    "serve/requirements-cpu.txt": ("pipelines", "preprocess", "serve", "ann", "cpu"),
    "serve/requirements-gpu.txt": ("pipelines", "preprocess", "serve", "ann", "gpu"),
}
#: TensorFlow for GPU, and what only it requires.
CUDA = re.compile(r"nvidia-.*-cu\d+|tensorflow|tensorboard.*|markdown|werkzeug")
#: What the base with cuDF brings in the versions that cuDF is linked with.
OF_CUDF = {"dask", "distributed", "llvmlite", "numba", "numpy", "pandas", "pyarrow", "pynvml"}


def name_of(path: Path) -> str:
    return str(path.relative_to(CONTAINERS))


def pins(path: Path, python: str | None = None) -> dict[tuple[str, str], set[str]]:
    """Hashes by name and version, of one Python or of all."""
    found = {}
    for block in re.split(r"\n(?=\w)", path.read_text(encoding="utf-8").strip()):
        one = Requirement(re.split(r" *\\\n", block)[0])
        (pin,) = one.specifier
        assert pin.operator == "=="
        where = {"python_version": python or "", "python_full_version": f"{python}.1"}
        if python is None or one.marker is None or one.marker.evaluate(where):
            found[canonicalize_name(one.name), pin.version] = set(re.findall(r"--hash=(sha256:[0-9a-f]{64})", block))
    return found


def names_in(file: str, python: str) -> set[str]:
    return {name for name, _ in pins(CONTAINERS / file, python)}


@pytest.fixture(scope="module")
def lock():
    return pins(ROOT / "requirements.lock")


@pytest.mark.parametrize("file", DOCKERFILES, ids=name_of)
def test_hadolint_has_nothing_to_say(file):
    result = subprocess.run(
        [Path(sys.executable).parent / "hadolint", file], capture_output=True, text=True, check=False
    )
    assert (result.stdout, result.stderr, result.returncode) == ("", "", 0)


def test_there_is_one_folder_an_image_and_one_for_what_they_share():
    assert [file.parent.name for file in DOCKERFILES] == ["base", "preprocess", "serve", "train"]


@pytest.mark.parametrize("file", REQUIREMENTS, ids=name_of)
def test_an_image_installs_what_is_locked(file, lock):
    """After a change of requirements.lock: .venv/bin/python containers/lock.py."""
    found = pins(file)
    assert [key for key, hashes in found.items() if not hashes] == []
    others = {key: hashes for key, hashes in found.items() if lock.get(key) != hashes}
    if file.name == "requirements-gpu.txt":
        others = {key: hashes for key, hashes in others.items() if not CUDA.fullmatch(key[0])}
    assert sorted(others) == []


def test_the_lock_keeps_extras():
    """Before 23.1, pip does not find the hashes of `package[extra]`, which a dependency asks for, without them."""
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert re.findall(r"^tritonclient(\S* ?\S*)==", text, re.MULTILINE) == ["[grpc, http]"]


@pytest.mark.parametrize("file", EXTRAS)
def test_an_image_has_all_that_its_extras_ask_for(file):
    names = {name for name, _ in pins(CONTAINERS / file)}
    wanted = set()
    for line in metadata.requires("emrys") or []:
        one = Requirement(line)
        if any(one.marker is None or one.marker.evaluate({"extra": extra}) for extra in EXTRAS[file]):
            wanted.add(canonicalize_name(one.name))
    unpacked = {"nvtabular"} if "preprocess" in EXTRAS[file] else set()  # tools/install-nvtabular brings it
    assert wanted - names == unpacked
    dockerfile = (CONTAINERS / file).with_name("Dockerfile").read_text(encoding="utf-8")
    assert ("install-nvtabular /opt/emrys/bin/python3" in dockerfile) == bool(unpacked)


@pytest.mark.parametrize(("image", "python"), [("train", "3.13"), ("serve", "3.12")])
def test_for_gpu_only_tensorflow_is_another(image, python):
    cpu, gpu = (names_in(f"{image}/requirements-{device}.txt", python) for device in ("cpu", "gpu"))
    assert cpu - gpu == {"tensorflow-cpu"}
    assert "tensorflow" in gpu - cpu
    assert {name for name in gpu - cpu if not CUDA.fullmatch(name)} == set()


@pytest.mark.parametrize(
    ("cpu", "gpu"),
    [
        ("base/requirements-cpu.txt", "base/requirements-cudf.txt"),
        ("preprocess/requirements-cpu.txt", "preprocess/requirements-gpu.txt"),
    ],
)
def test_for_gpu_preprocess_leaves_to_the_base_what_cudf_is_linked_with(cpu, gpu):
    assert names_in(cpu, "3.12") ^ names_in(gpu, "3.12") == OF_CUDF


def builds(folder: Path, *arguments: str) -> dict[str, dict[str, str]]:
    """Builds that `containers/build` asks for: options by image, written down by a stand-in for docker."""
    folder.mkdir()
    docker = folder / "docker"
    docker.write_text(f'#!/bin/sh\n[ "$1" != build ] || echo "$@" >>{folder}/asked\n')
    docker.chmod(0o755)
    environment = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    subprocess.run([CONTAINERS / "build", *arguments], check=True, env=environment, capture_output=True)
    asked = {}
    for line in (folder / "asked").read_text().splitlines():
        options = dict(re.findall(r"--build-arg (\w+)=(\S+)", line))
        options["file"] = re.search(r"--file (\S+)", line)[1]
        asked[re.search(r"--tag (\S+)", line)[1]] = options
    return asked


def test_the_variants_for_gpu_differ_in_base_and_extra_alone(tmp_path):
    version = metadata.version("emrys")
    cpu, gpu = builds(tmp_path / "cpu"), builds(tmp_path / "gpu", "--gpu")
    bases = {
        "preprocess": "rapidsai/base:24.12-cuda12.5-py3.12",
        "train": "python:3.13-slim-trixie",
        "serve": "nvcr.io/nvidia/tritonserver:26.06-py3",
    }
    for image, base in bases.items():
        one, other = cpu[f"emrys/{image}:{version}"], gpu[f"emrys/{image}:{version}-gpu"]
        assert {key for key in one if one[key] != other[key]} == {"BASE", "DEVICE"}
        assert (one["DEVICE"], other["DEVICE"]) == ("cpu", "gpu")
        assert one["WHEEL"] == other["WHEEL"] == f"emrys/wheel:{version}"
        shared, own = cpu[one["BASE"]], gpu[other["BASE"]]
        assert own["BASE"] == base
        assert own["file"] == shared["file"] == "containers/base/Dockerfile"
        cudf = "requirements-cudf.txt" if image == "preprocess" else "requirements-cpu.txt"
        assert (shared["REQUIREMENTS"], own["REQUIREMENTS"]) == ("requirements-cpu.txt", cudf)


def test_one_image_is_built_alone(tmp_path):
    assert [tag.partition(":")[0] for tag in builds(tmp_path / "one", "train")] == [
        "emrys/base",
        "emrys/wheel",
        "emrys/train",
    ]
