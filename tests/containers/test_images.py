"""Contents of the images: the user, what is missing on purpose, and what the import of each step brings in."""

from __future__ import annotations

from importlib import metadata

import pytest
from packaging.requirements import Requirement

from tests.containers.probing import IMAGES, STEPS
from tests.pip_check import unexplained_complaints

#: Packages that only one kind of work needs; an image without that kind has none of them.
KINDS = {
    "TensorFlow": {"tensorflow", "tensorflow-cpu", "libclang"},
    "transforms": {"nvtabular", "merlin-dataloader"},
    "plots": {"matplotlib", "scikit-learn", "pillow"},
    "Triton": {"nvidia-pytriton", "tritonclient", "gevent"},
    "approximate search": {"faiss-cpu"},
    "tests": {"pytest", "ruff", "mypy", "hatchling", "pre-commit"},
}
HOLDS = {
    "preprocess": {"transforms"},
    "train": {"TensorFlow", "plots", "approximate search"},
    "serve": {"TensorFlow", "transforms", "Triton", "approximate search"},
}

#: What the import of a step brings in, of the packages that cost most; nothing else of these.
HEAVY = {"matplotlib", "numba", "nvtabular", "pandas", "pytriton", "scipy", "sklearn", "tensorflow", "tritonclient"}
BROUGHT = {
    "fingerprint": {"pandas"},
    "ingest": {"pandas"},
    "validate": {"matplotlib", "pandas", "scipy"},
    "preprocess": {"numba", "nvtabular", "pandas", "scipy"},
    "infer_schema": {"numba", "pandas", "scipy"},
    "build_model": {"matplotlib", "numba", "pandas", "scipy", "sklearn", "tensorflow"},
    "train": {"matplotlib", "numba", "pandas", "scipy", "sklearn", "tensorflow"},
    "evaluate": {"matplotlib", "pandas", "scipy", "sklearn"},
    "evaluate_retrieval": {"matplotlib", "numba", "pandas", "scipy", "sklearn", "tensorflow"},
    "gate": {"pandas", "scipy"},
    "export_ensemble": {"numba", "nvtabular", "pandas", "scipy", "tensorflow", "tritonclient"},
    "export_retrieval": {"numba", "nvtabular", "pandas", "scipy", "tensorflow", "tritonclient"},
    "promote": {"pandas"},
    "report": {"matplotlib", "pandas", "scipy"},
}


@pytest.mark.parametrize("image", IMAGES)
def test_an_image_has_what_its_steps_need_and_no_more(probe, image):
    packages = set(probe.content(image)["packages"])
    assert {kind for kind, names in KINDS.items() if packages & names} == HOLDS[image]


@pytest.mark.parametrize("image", IMAGES)
def test_nobody_has_rights_and_nothing_compiles(probe, image):
    content = probe.content(image)
    assert (content["uid"], content["writable"], content["compilers"]) == (1000, [], [])


@pytest.mark.parametrize("image", IMAGES)
def test_the_packages_fit_each_other(probe, image):
    """Every package has what it requires, in a version that it admits."""
    packages = probe.content(image)["packages"]
    wanted = [Requirement(line) for line in metadata.requires("emrys") or []]
    plain = [one for one in wanted if one.marker is None or one.marker.evaluate({"extra": "pipelines"})]
    assert [str(one) for one in plain if packages.get(one.name.lower()) not in one.specifier] == []
    said = probe.run(image, "sh", "-c", "python3 -m pip check || true").decode()
    assert unexplained_complaints(said) == []


def test_all_have_the_same_wheel(probe):
    wheels = [probe.content(image)["wheels"] for image in IMAGES]
    assert wheels[0] == wheels[1] == wheels[2]
    assert list(wheels[0]) == [f"emrys-{metadata.version('emrys')}-py3-none-any.whl"]


@pytest.mark.parametrize("image", IMAGES)
def test_the_labels_say_what_it_is(engine, image):
    labels = engine.images.get(IMAGES[image]).labels
    named = {key.removeprefix("org.opencontainers.image."): value for key, value in labels.items()}
    assert named["title"] == f"Emrys {image}"
    assert named["version"] == metadata.version("emrys")
    assert len(named["revision"]) == 40
    assert named["base.name"] == "python:3.13-slim-trixie"
    assert named["dev.emrys.device"] == "cpu"


@pytest.mark.parametrize("step", STEPS)
def test_the_import_of_a_step_brings_in_what_it_needs_and_no_more(probe, step):
    assert set(probe.cold_start(step)["modules"]) & HEAVY == BROUGHT[step]


def test_the_images_share_the_layers_of_the_base(engine):
    """A node that runs several steps pulls what all have once."""
    base = engine.images.get(IMAGES["train"].replace("/train:", "/base:")).attrs["RootFS"]["Layers"]
    for image in IMAGES.values():
        assert engine.images.get(image).attrs["RootFS"]["Layers"][: len(base)] == base
