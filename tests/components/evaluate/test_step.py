import json
import math

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from merlin.schema import ColumnSchema, Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import ArtifactError, EmrysError, SchemaError
from emrys.blocks.io import write_json
from emrys.components.contracts.feature_schema import FeatureSchema
from emrys.components.contracts.model import ModelArtifact
from emrys.components.contracts.splits import SPLIT_SCHEMA, Splits
from emrys.components.contracts.transformed import Transformed
from emrys.components.evaluate.step import EvaluateConfig, best_auc, run
from tests.components.reporting.reading import Page

ROWS = {"train": 400, "valid": 40, "test": 120}


def _raw(split):
    random = np.random.default_rng(len(split))
    count = ROWS[split]
    users, items = random.integers(1, 12, count), random.integers(1, 20, count)
    labels = (random.random(count) < 0.2 + items / 30).astype(np.int8)
    columns = {
        "userId": users,
        "movieId": items,
        "timestamp": 880_000_000 + np.arange(count),
        "rating": np.where(labels, 5.0, 2.0).astype(np.float32),
        "rating_binary": labels,
    }
    schema = pa.schema([SPLIT_SCHEMA.field(name) for name in SPLIT_SCHEMA.names if name in columns])
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def _id(name, *tags):
    domain = {"domain": {"min": 0, "max": 40, "name": name}}
    return ColumnSchema(name, dtype="int64", tags=[*tags, Tags.CATEGORICAL], properties=domain)


def _schema(*targets):
    return Schema([_id("userId", Tags.USER_ID, Tags.USER), _id("movieId", Tags.ITEM_ID, Tags.ITEM), *targets])


LABEL = ColumnSchema("rating_binary", dtype="int8", tags=[Tags.TARGET, Tags.BINARY_CLASSIFICATION])
RATING = ColumnSchema("rating", dtype="float32", tags=[Tags.TARGET, Tags.REGRESSION])


@pytest.fixture(scope="module")
def inputs(tmp_path_factory):
    """Splits, transformed data, an untrained model and the schema."""
    root = tmp_path_factory.mktemp("inputs")
    tables = {split: _raw(split) for split in ROWS}
    Splits.write(root / "splits", tables, {"dataset": "made/up", "content": "c0ffee", "best_auc": {"test": 0.8}})
    with Transformed.create(root / "data", {}) as work:
        for split, table in tables.items():
            moved = {name: pa.array(table[name].to_numpy() + 2) for name in ("userId", "movieId")}
            pq.write_table(
                pa.table({**moved, "rating_binary": table["rating_binary"], "rating": table["rating"]}),
                work / f"{split}.parquet",
            )
    schema = _schema(LABEL, RATING)
    FeatureSchema.write(root / "schema", schema, {})
    features = schema.select_by_name(["userId", "movieId"])
    model = mm.Model(
        mm.Embeddings(features, dim=4), mm.ConcatFeatures(), mm.MLPBlock([8]), mm.BinaryOutput("rating_binary")
    )
    model.compile(optimizer="adam")
    model.fit(mm.Loader(root / "data" / "train.parquet", 100, schema=schema), epochs=1, verbose=0)
    with ModelArtifact.create(root / "model", {}) as work:
        model.save(work / "model.keras")
        (work / "summary.txt").write_text("Model: <tiny>", encoding="utf-8")
        write_json(work / "history.json", [{"epoch": 0, "loss": 0.7, "auc": 0.5, "val_loss": 0.6, "val_auc": 0.6}])
    return root


def evaluate(inputs, output, config=EvaluateConfig(), schema=None, **options):  # noqa: B008 - frozen
    return run(
        inputs / "splits", inputs / "data", inputs / "model", schema or inputs / "schema", config, output, **options
    )


def oracle(model, file, schema, batch_size):
    """Scores by the chance that the data was drawn with."""
    return 0.2 + (pq.read_table(file)["movieId"].to_numpy() - 2) / 30 - 0.05


@pytest.mark.slow
def test_a_keras_model_is_scored_in_row_order(inputs, tmp_path):
    evaluation = evaluate(inputs, tmp_path / "out", EvaluateConfig(batch_size=50))
    test = _raw("test")
    model = ModelArtifact(inputs / "model").load()
    features = {name: (test[name].to_numpy() + 2)[:, None] for name in ("userId", "movieId")}
    scores = np.asarray(model(features))
    labels = test["rating_binary"].to_numpy()
    # The log loss depends on every score standing at its own row.
    expected = -np.mean(np.log(np.where(labels == 1, scores[:, 0], 1 - scores[:, 0])))
    assert evaluation.metrics["log_loss"] == pytest.approx(expected, abs=1e-5)
    assert evaluation.metrics["rows"] == 120


@pytest.mark.slow
def test_written_files(inputs, tmp_path, capfd):
    evaluation = evaluate(inputs, tmp_path / "out", predict=oracle)
    metrics = evaluation.metrics
    assert metrics["mean_baseline_auc"] > 0.55
    assert metrics["best_auc"] == 0.8
    assert metrics["share_of_best_auc"] == pytest.approx((metrics["auc"] - 0.5) / 0.3)
    assert all(math.isfinite(value) for value in metrics.values())

    fpr, tpr, thresholds = evaluation.roc
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0.0, 0.0, 1.0, 1.0)
    assert np.trapezoid(tpr, fpr) == pytest.approx(metrics["auc"])
    assert np.isfinite(thresholds).all()
    assert sum(evaluation.curves["calibration"]["rows"]) == 120
    assert sum(map(sum, evaluation.curves["histogram"].values())) == 120

    page = Page(evaluation.report.read_text(encoding="utf-8"))
    assert "Ranking of rating_binary on up" in page.words
    assert "test 120" in page.words
    assert "1997-11-20" in page.words  # day of 880,000,000 s
    assert "Model: <tiny>" in page.words
    assert "c0ffee" in page.words
    assert page.tags.count("figure") == 6

    assert evaluation.metadata["target"] == "rating_binary"
    assert evaluation.metadata["inputs"]["model"] == ModelArtifact(inputs / "model").fingerprint
    events = [
        json.loads(line.partition(" ")[2]) for line in capfd.readouterr().err.splitlines() if "emrys-event" in line
    ]
    assert [event["event"] for event in events] == ["start", *["progress"] * 5, "end"]
    assert events[-2]["text"].startswith(f"AUC {metrics['auc']:.4f}, user mean + item mean ")


@pytest.mark.slow
def test_again_gives_the_same_bytes(inputs, tmp_path):
    first = evaluate(inputs, tmp_path / "one", predict=oracle)
    again = evaluate(inputs, tmp_path / "two", predict=oracle)
    assert first.fingerprint == again.fingerprint


def _refused(inputs, output, kind, text, **options):
    with pytest.raises(kind) as caught:
        evaluate(inputs, output, **options)
    assert str(caught.value) == text
    assert list(output.parent.iterdir()) == []


def test_a_model_that_gives_nan(inputs, tmp_path):
    _refused(
        inputs,
        tmp_path / "out",
        ArtifactError,
        f"evaluate: {inputs / 'model'}: the model returned scores that are not finite; expected probabilities, got 120"
        " of NaN or infinity, the first in row 0. Check whether the training diverged; a lower learning rate may help.",
        predict=lambda *_: np.full(120, np.nan),
    )


def test_a_schema_without_the_target(inputs, tmp_path, tmp_path_factory):
    schema = tmp_path_factory.mktemp("other") / "schema"
    FeatureSchema.write(schema, _schema(RATING), {})
    _refused(
        inputs,
        tmp_path / "out",
        SchemaError,
        f"evaluate: {schema}: the schema has no target; expected a column tagged target among rating_binary, got none."
        " Name the target in `columns.targets` of the recipe, and run ingest and the steps after it again.",
        schema=schema,
    )


def test_data_of_other_splits(inputs, tmp_path, tmp_path_factory):
    other = tmp_path_factory.mktemp("other")
    for name in ("splits", "model", "schema"):
        (other / name).symlink_to(inputs / name)
    with Transformed.create(other / "data", {}) as work:
        for split in ROWS:
            pq.write_table(_raw("valid"), work / f"{split}.parquet")
    _refused(
        other,
        tmp_path / "out",
        ArtifactError,
        f"evaluate: {other / 'data' / 'test.parquet'}: the rows do not match those of the raw split; expected 120 rows,"
        " got 40. Run preprocess again on these splits.",
        predict=oracle,
    )


@pytest.mark.slow
def test_a_failure_leaves_what_was_there(inputs, tmp_path):
    kept = evaluate(inputs, tmp_path / "out", predict=oracle)
    with pytest.raises(EmrysError):
        evaluate(inputs, tmp_path / "out", predict=lambda *_: [0.5])
    assert [entry.name for entry in tmp_path.iterdir()] == ["out"]
    assert type(kept)(tmp_path / "out").fingerprint == kept.fingerprint


@pytest.mark.parametrize(
    ("value", "expected"),
    [(0.8, 0.8), ({"test": 0.75, "train": 0.9}, 0.75), ({"train": 0.9}, None), (None, None), (float("nan"), None)],
)
def test_the_best_auc_may_be_unknown(value, expected):
    assert best_auc({"best_auc": value}) == expected
    assert best_auc({}) is None
