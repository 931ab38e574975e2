"""Reading a configuration file: values, defaults and error messages."""

import pytest

from emrys.blocks.errors import ConfigError
from emrys.pipelines.config.config import Images
from emrys.pipelines.config.config_file import read_config
from emrys.pipelines.config.ranking_config import RankingConfig
from emrys.pipelines.config.resources import Resources, TaintEffect, Toleration, TolerationOperator


@pytest.fixture
def read(tmp_path):
    def _read(text):
        file = tmp_path / "ranking.yaml"
        file.write_text(text)
        return read_config(file, RankingConfig)

    return _read


def test_no_file_and_an_empty_file_give_the_defaults(read):
    assert read_config(None, RankingConfig) == read("") == read("# nothing\n") == RankingConfig()


def test_values_of_the_file_override_their_defaults_alone(read):
    config = read(
        "images: {train: registry.example/train:2}\n"
        "parameters: {epochs: 3, bottom_layers: [32, 8]}\n"
        "steps:\n"
        "  train:\n"
        "    cpu: 4\n"
        "    gpus: 1\n"
        "    node_selector: {pool: gpu}\n"
        "    tolerations: [{key: gpu, operator: Exists, effect: NoSchedule}]\n"
    )
    assert config.images == Images(train="registry.example/train:2")
    assert config.parameters.epochs == 3
    assert config.parameters.bottom_layers == (32, 8)
    assert config.parameters.batch_size == RankingConfig().parameters.batch_size
    toleration = Toleration("gpu", TolerationOperator.EXISTS, "", TaintEffect.NO_SCHEDULE)
    # 4Gi is what the train step has by default; Resources() alone would give 2Gi
    assert config.steps.train == Resources("4", "4Gi", 1, "nvidia.com/gpu", {"pool": "gpu"}, (toleration,))
    assert config.steps.ingest == RankingConfig().steps.ingest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "steps: {train: {gpuz: 1}}",
            "unknown key 'steps.train.gpuz'; expected one of cpu, memory, gpus, accelerator, node_selector, "
            "tolerations. Did you mean 'steps.train.gpus'?",
        ),
        (
            "steps: {trian: {cpu: 1}}",
            "unknown key 'steps.trian'; expected one of fingerprint, ingest, validate, preprocess, infer_schema, "
            "build_model, train, gate, promote, report, evaluate, export_ensemble. Did you mean 'steps.train'?",
        ),
        (
            "steps: {train: {tolerations: [{kee: a}]}}",
            "unknown key 'steps.train.tolerations.0.kee'; expected one of key, operator, value, effect. "
            "Did you mean 'steps.train.tolerations.0.key'?",
        ),
        ("zzz: 1", "unknown key 'zzz'; expected one of images, parameters, steps, run"),
        ("images: {serve: 'a b'}", "images: serve is invalid; expected the name of a container image, got 'a b'"),
        (
            "steps: {train: {memory: 4 GB}}",
            "steps.train: memory is invalid; expected an amount such as '4Gi', got '4 GB'",
        ),
        (
            "steps: {train: {cpu: two}}",
            "steps.train: cpu is invalid; expected a number such as '2' or '500m', got 'two'",
        ),
        ("steps: {train: {gpus: -1}}", "steps.train: gpus is invalid; expected 0 or more, got -1"),
        (
            "steps: {train: {gpus: 1, accelerator: ''}}",
            "steps.train: accelerator is invalid; expected the name of a resource, such as 'nvidia.com/gpu'",
        ),
        (
            "steps: {train: {tolerations: [{key: a, operator: Exists, value: b}]}}",
            "steps.train.tolerations.0: a toleration with the operator 'Exists' takes no value; got 'b'",
        ),
        (
            "steps: {train: {tolerations: [{value: b}]}}",
            "steps.train.tolerations.0: a toleration without a key needs the operator 'Exists'",
        ),
        (
            "steps: {train: {tolerations: [{key: a, operator: exists}]}}",
            "steps.train.tolerations.0.operator: input should be 'Equal' or 'Exists'; got 'exists'",
        ),
        ("steps: 3", "steps: a mapping is needed here; got 3"),
        ("run: {runer: docker}", "unknown key 'run.runer'; expected one of output, runner, reuse, verbose. Did you"),
        ("run: {runner: podman}", "run.runner: input should be 'subprocess' or 'docker'; got 'podman'"),
        ("parameters: {epochs: 2.5}", "parameters.epochs: input should be a valid integer"),
        ("- 1", "not a configuration; expected a mapping, got list"),
        ("a: [", "not a YAML file (while parsing a flow node"),
        ("a: !!python/object/apply:os.getcwd []", "not a YAML file (could not determine a constructor"),
    ],
)
def test_a_bad_file_is_refused_in_one_line_that_names_it(read, tmp_path, text, message):
    with pytest.raises(ConfigError) as caught:
        read(text)
    assert str(caught.value).startswith(f"{tmp_path / 'ranking.yaml'}: {message}")
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"nope\.yaml: the configuration file is missing"):
        read_config(tmp_path / "nope.yaml", RankingConfig)
