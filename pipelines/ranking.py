"""The ranking pipeline: from a rating log to a Triton ensemble that has answered requests."""

# No `from __future__ import annotations` here: KFP reads the annotations of the pipeline as types.
from typing import Any, NamedTuple

from kfp import dsl
from kfp.dsl import graph_component

from components.build_model.component import build_model
from components.evaluate.component import evaluate
from components.export_ensemble.component import export_ensemble
from components.infer_schema.component import infer_schema
from components.ingest.component import ingest
from components.preprocess.component import preprocess
from components.train.component import train
from pipelines.config import RankingConfig
from pipelines.placing import place


class RankingOutputs(NamedTuple):
    """What comes out of the ranking pipeline."""

    splits: dsl.Dataset
    workflow: dsl.Artifact
    schema: dsl.Artifact
    model: dsl.Model
    evaluation: dsl.Artifact
    metrics: dsl.Metrics
    report: dsl.HTML
    repository: dsl.Model


def ranking_pipeline(config: RankingConfig) -> graph_component.GraphComponent:
    """Builds the ranking pipeline.

    Args:
        config: Default arguments, images, and resources per step.

    Returns:
        The pipeline, to compile or to run with `kfp.local`.
    """
    defaults = config.parameters

    @dsl.pipeline(name="ranking", display_name="Ranking")
    def ranking(
        dataset: str = defaults.dataset,
        split: str = defaults.split,
        valid_fraction: float = defaults.valid_fraction,
        test_fraction: float = defaults.test_fraction,
        rows: int = defaults.rows,
        cache_dir: str = defaults.cache_dir,
        seed: int = defaults.seed,
        folds: int = defaults.folds,
        smoothing: float = defaults.smoothing,
        freq_threshold: int = defaults.freq_threshold,
        schema_overrides: dict[str, Any] = dict(defaults.schema_overrides),  # noqa: B006 - KFP reads it once
        embedding_dim: int = defaults.embedding_dim,
        bottom_layers: list[int] = list(defaults.bottom_layers),  # noqa: B006
        top_layers: list[int] = list(defaults.top_layers),  # noqa: B006
        dropout: float = defaults.dropout,
        embeddings_l2: float = defaults.embeddings_l2,
        learning_rate: float = defaults.learning_rate,
        ema_momentum: float = defaults.ema_momentum,
        epochs: int = defaults.epochs,
        batch_size: int = defaults.batch_size,
        monitor: str = defaults.monitor,
        patience: int = defaults.patience,
        checkpoint_dir: str = defaults.checkpoint_dir,
        model_name: str = defaults.model_name,
        require_server: bool = defaults.require_server,
    ) -> RankingOutputs:
        """Trains a ranker on a rating log, evaluates it, and exports it as a Triton ensemble.

        Args:
            dataset: A name (`synthetic`, `ml-100k`, `ml-1m`), or the path of a MovieLens zip, of its folder, or of
                Parquet files with the same columns.
            split: How rows are split: `time`, `random` or `per_user`.
            valid_fraction: Share of the rows that is valid.
            test_fraction: Share of the rows that is test.
            rows: Number of ratings of the synthetic data.
            cache_dir: Folder that keeps downloads; empty for the user's cache folder.
            seed: Seed of everything that draws numbers.
            folds: Folds of the target encoding.
            smoothing: Weight of the overall mean in a target encoding, in rows.
            freq_threshold: Values seen in fewer train rows than this count as unseen.
            schema_overrides: What to set by hand in the schema, by column.
            embedding_dim: Width of the embeddings.
            bottom_layers: Widths of the layers over the continuous features; `embedding_dim` is added as the last one.
            top_layers: Widths of the layers over the interactions.
            dropout: Share of values dropped behind each top layer.
            embeddings_l2: Weight of the squared embeddings of a batch in the loss.
            learning_rate: Learning rate of the optimizer.
            ema_momentum: Momentum of the moving average of the weights that is judged and served; 0 for none.
            epochs: Most epochs.
            batch_size: Rows in a batch.
            monitor: What decides which epoch is best: `val_loss` or `val_auc`.
            patience: Epochs without a better result on the valid split before training stops.
            checkpoint_dir: Folder for checkpoints, from which a run that was cut off goes on.
            model_name: Name of the ensemble in Triton.
            require_server: Whether a missing Triton server fails the export.

        Returns:
            splits: Raw rows: train, valid and test.
            workflow: The fitted feature workflow.
            schema: Schema of the transformed rows.
            model: The trained model.
            evaluation: Metrics, curves and report in one folder.
            metrics: Metrics of the model and of the baselines.
            report: One self-contained page with plots.
            repository: The Triton model repository.
        """
        read = ingest(
            dataset=dataset,
            split=split,
            valid_fraction=valid_fraction,
            test_fraction=test_fraction,
            rows=rows,
            cache_dir=cache_dir,
            seed=seed,
        )
        read.set_caching_options(False)  # a path may hold other data the next time
        splits = read.outputs["splits"]
        fitted = preprocess(splits=splits, folds=folds, smoothing=smoothing, freq_threshold=freq_threshold, seed=seed)
        data, workflow = fitted.outputs["data"], fitted.outputs["workflow"]
        inferred = infer_schema(data=data, workflow=workflow, overrides=schema_overrides)
        schema = inferred.outputs["schema"]
        built = build_model(
            schema=schema,
            embedding_dim=embedding_dim,
            bottom_layers=bottom_layers,
            top_layers=top_layers,
            dropout=dropout,
            embeddings_l2=embeddings_l2,
            learning_rate=learning_rate,
            ema_momentum=ema_momentum,
            seed=seed,
        )
        fit = train(
            data=data,
            schema=schema,
            model=built.outputs["model"],
            epochs=epochs,
            batch_size=batch_size,
            monitor=monitor,
            patience=patience,
            seed=seed,
            checkpoint_dir=checkpoint_dir,
        )
        model = fit.outputs["trained"]
        judged = evaluate(splits=splits, data=data, model=model, schema=schema)
        exported = export_ensemble(
            model=model,
            workflow=workflow,
            schema=schema,
            splits=splits,
            name=model_name,
            require_server=require_server,
        ).after(judged)

        images, steps = config.images, config.steps
        place(read, "Ingest", images.preprocess, steps.ingest)
        place(fitted, "Preprocess", images.preprocess, steps.preprocess)
        place(inferred, "Infer schema", images.preprocess, steps.infer_schema)
        place(built, "Build model", images.train, steps.build_model)
        place(fit, "Train", images.train, steps.train)
        place(judged, "Evaluate", images.train, steps.evaluate)
        place(exported, "Export ensemble", images.serve, steps.export_ensemble)
        return RankingOutputs(
            splits=splits,
            workflow=workflow,
            schema=schema,
            model=model,
            evaluation=judged.outputs["evaluation"],
            metrics=judged.outputs["metrics"],
            report=judged.outputs["report"],
            repository=exported.outputs["repository"],
        )

    return ranking
