"""The retrieval pipeline: from a rating log to a model that finds items, judged over the whole catalogue."""

# No `from __future__ import annotations` here: KFP reads the annotations of the pipeline as types.
from typing import Any, NamedTuple

from kfp import dsl
from kfp.dsl import graph_component

from components.build_model.component import build_model
from components.evaluate_retrieval.component import evaluate_retrieval
from components.fingerprint.component import fingerprint
from components.gate.component import gate
from components.infer_schema.component import infer_schema
from components.ingest.component import ingest
from components.preprocess.component import preprocess
from components.train.component import train
from pipelines.placing import place
from pipelines.retrieval_config import RetrievalConfig


class RetrievalOutputs(NamedTuple):
    """What comes out of the retrieval pipeline."""

    splits: dsl.Dataset
    workflow: dsl.Artifact
    schema: dsl.Artifact
    model: dsl.Model
    evaluation: dsl.Artifact
    metrics: dsl.Metrics
    report: dsl.HTML
    decision: dsl.Artifact


def retrieval_pipeline(config: RetrievalConfig) -> graph_component.GraphComponent:
    """Builds the retrieval pipeline.

    Args:
        config: Default arguments, images, and resources per step.

    Returns:
        The pipeline, to compile or to run with `kfp.local`.
    """
    defaults = config.parameters

    @dsl.pipeline(name="retrieval", display_name="Retrieval")
    def retrieval(
        dataset: str = defaults.dataset,
        split: str = defaults.split,
        valid_fraction: float = defaults.valid_fraction,
        test_fraction: float = defaults.test_fraction,
        rows: int = defaults.rows,
        cache_dir: str = defaults.cache_dir,
        seed: int = defaults.seed,
        history: int = defaults.history,
        freq_threshold: int = defaults.freq_threshold,
        schema_overrides: dict[str, Any] = dict(defaults.schema_overrides),  # noqa: B006 - KFP reads it once
        architecture: str = defaults.architecture,
        embedding_dim: int = defaults.embedding_dim,
        tower_layers: list[int] = list(defaults.tower_layers),  # noqa: B006
        dropout: float = defaults.dropout,
        embeddings_l2: float = defaults.embeddings_l2,
        learning_rate: float = defaults.learning_rate,
        ema_momentum: float = defaults.ema_momentum,
        epochs: int = defaults.epochs,
        batch_size: int = defaults.batch_size,
        monitor: str = defaults.monitor,
        patience: int = defaults.patience,
        checkpoint_dir: str = defaults.checkpoint_dir,
        k: int = defaults.k,
        recall_k: int = defaults.recall_k,
        exact_up_to: int = defaults.exact_up_to,
        recall_target: float = defaults.recall_target,
        recall_floor: float = defaults.recall_floor,
        thresholds: dict[str, float] = dict(defaults.thresholds),  # noqa: B006
        gate_metric: str = defaults.gate_metric,
        baseline_margin: float = defaults.baseline_margin,
        production_margin: float = defaults.production_margin,
        slice_margin: float = defaults.slice_margin,
        registry: str = defaults.registry,
        model_name: str = defaults.model_name,
    ) -> RetrievalOutputs:
        """Trains a model that finds items on a rating log, and judges it over the whole catalogue.

        Args:
            dataset: A name (`synthetic`, `ml-100k`, `ml-1m`), or the path of a MovieLens zip, of its folder, or of
                Parquet files with the same columns.
            split: How rows are split: `time`, `random` or `per_user`.
            valid_fraction: Share of the rows that is valid.
            test_fraction: Share of the rows that is test.
            rows: Number of ratings of the synthetic data.
            cache_dir: Folder that keeps downloads; empty for the user's cache folder.
            seed: Seed of everything that draws numbers.
            history: Most items of a user's history; the latest ones that the user liked in train.
            freq_threshold: Values seen in fewer train rows than this count as unseen; such items are not recommended.
            schema_overrides: What to set by hand in the schema, by column.
            architecture: `two-tower`, `matrix-factorization` (best with an embedding_dim of 128) or `youtube-dnn`.
            embedding_dim: Width of the embeddings.
            tower_layers: Widths of the layers of the towers; the last one is that of the vectors that are compared.
            dropout: Share of values dropped of the embeddings of a query.
            embeddings_l2: Weight of the squared embeddings of a batch in the loss.
            learning_rate: Learning rate of the optimizer.
            ema_momentum: Momentum of the moving average of the weights that is judged and served; 0 for none.
            epochs: Most epochs.
            batch_size: Rows in a batch.
            monitor: What decides which epoch is best: `val_ndcg_at_10`, `val_recall_at_50` or `val_loss`.
            patience: Epochs without a better result on the valid split before training stops.
            checkpoint_dir: Folder for checkpoints, from which a run that was cut off goes on.
            k: Length of the list that NDCG, MRR, coverage and novelty look at.
            recall_k: Length of the list that recall looks at.
            exact_up_to: Catalogues up to this size are searched exactly, larger ones approximately.
            recall_target: Share of the exact results that the approximate search is tuned to.
            recall_floor: Share of them below which the evaluation fails.
            thresholds: By metric what the model has to reach; with none it does not pass the gate.
            gate_metric: What it is compared by with the baselines, with production and in slices.
            baseline_margin: How much better than every baseline it has to be.
            production_margin: How much better than the model in production; below 0, how much worse it may be.
            slice_margin: The same for the worst slice.
            registry: Folder or bucket whose model in production is evaluated beside; empty for none.
            model_name: Name of the model in the registry.

        Returns:
            splits: Raw rows: train, valid and test, with histories.
            workflow: The fitted feature workflow.
            schema: Schema of the transformed rows.
            model: The trained model.
            evaluation: Metrics, curves, report, candidates and seen items in one folder.
            metrics: Metrics of the model and of the baselines.
            report: One self-contained page with plots.
            decision: The gate's decision, and why.
        """
        named = fingerprint(dataset=dataset)
        named.set_caching_options(False)  # a path may hold other data the next time
        read = ingest(
            dataset=dataset,
            split=split,
            valid_fraction=valid_fraction,
            test_fraction=test_fraction,
            rows=rows,
            cache_dir=cache_dir,
            seed=seed,
            history=history,
            content=named.output,
        )
        splits = read.outputs["splits"]
        fitted = preprocess(splits=splits, freq_threshold=freq_threshold, seed=seed, features="retrieval")
        data, workflow = fitted.outputs["data"], fitted.outputs["workflow"]
        inferred = infer_schema(data=data, workflow=workflow, overrides=schema_overrides)
        schema = inferred.outputs["schema"]
        built = build_model(
            schema=schema,
            architecture=architecture,
            embedding_dim=embedding_dim,
            bottom_layers=[64],
            top_layers=[64],
            tower_layers=tower_layers,
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
        judged = evaluate_retrieval(
            splits=splits,
            data=data,
            model=model,
            schema=schema,
            k=k,
            recall_k=recall_k,
            exact_up_to=exact_up_to,
            recall_target=recall_target,
            recall_floor=recall_floor,
            registry=registry,
            model_name=model_name,
        )
        decided = gate(
            evaluation=judged.outputs["evaluation"],
            thresholds=thresholds,
            metric=gate_metric,
            baseline_margin=baseline_margin,
            production_margin=production_margin,
            slice_margin=slice_margin,
            seed=seed,
        )

        images, steps = config.images, config.steps
        place(named, "Fingerprint", images.preprocess, steps.fingerprint)
        place(read, "Ingest", images.preprocess, steps.ingest)
        place(fitted, "Preprocess", images.preprocess, steps.preprocess)
        place(inferred, "Infer schema", images.preprocess, steps.infer_schema)
        place(built, "Build model", images.train, steps.build_model)
        place(fit, "Train", images.train, steps.train)
        place(judged, "Evaluate retrieval", images.train, steps.evaluate_retrieval)
        place(decided, "Gate", images.train, steps.gate)
        return RetrievalOutputs(
            splits=splits,
            workflow=workflow,
            schema=schema,
            model=model,
            evaluation=judged.outputs["evaluation"],
            metrics=judged.outputs["metrics"],
            report=judged.outputs["report"],
            decision=decided.outputs["decision"],
        )

    return retrieval
