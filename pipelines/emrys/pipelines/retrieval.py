"""The retrieval pipeline: from a log to a Triton ensemble that retrieves items from the whole catalogue."""

from __future__ import annotations

from kfp import dsl
from kfp.dsl import graph_component

from emrys.components.build_model.component import build_model
from emrys.components.evaluate_retrieval.component import evaluate_retrieval
from emrys.components.export_retrieval.component import export_retrieval
from emrys.components.fingerprint.component import fingerprint
from emrys.components.gate.component import gate
from emrys.components.infer_schema.component import infer_schema
from emrys.components.ingest.component import ingest
from emrys.components.preprocess.component import preprocess
from emrys.components.promote.component import promote
from emrys.components.report.component import report
from emrys.components.train.component import train
from emrys.components.validate.component import validate
from emrys.pipelines.config.retrieval_config import RetrievalConfig, RetrievalParameters
from emrys.pipelines.graph import PipelineOutputs, as_pipeline, configured


def retrieval_pipeline(config: RetrievalConfig) -> graph_component.GraphComponent:
    """Builds the retrieval pipeline.

    Args:
        config: Default arguments, images, and resources per step.

    Returns:
        The pipeline, to compile or to run with `kfp.local`.
    """

    def retrieval(p: RetrievalParameters) -> PipelineOutputs:
        """Trains a retrieval model on a log, evaluates it, and exports it if it is good enough."""
        fingerprint_task = configured(fingerprint(dataset=p.dataset, recipe=p.recipe), config)
        ingest_task = configured(
            ingest(
                dataset=p.dataset,
                recipe=p.recipe,
                content=fingerprint_task.output,
                split=p.split,
                valid_fraction=p.valid_fraction,
                test_fraction=p.test_fraction,
                synthetic_rows=p.synthetic_rows,
                cache_dir=p.cache_dir,
                seed=p.seed,
                history=p.history,
            ),
            config,
            cached=True,
        )
        splits = ingest_task.outputs["splits"]

        validate_task = configured(
            validate(
                splits=splits,
                recipe=p.recipe,
                previous=p.previous_statistics,
                registry=p.registry,
                registry_name=p.model_name,
                columns=p.column_limits,
                severity=p.check_severity,
                on_anomaly=p.on_anomaly,
                min_rows=p.min_rows,
                min_growth=p.min_growth,
                max_nulls=p.max_nulls,
                max_duplicates=p.max_duplicates,
                js_distance=p.js_distance,
                l_infinity=p.l_infinity,
                null_drift=p.null_drift,
                leak_auc=p.leak_auc,
                seed=p.seed,
            ),
            config,
        )
        statistics = validate_task.outputs["statistics"]

        preprocess_task = configured(
            preprocess(
                splits=splits,
                recipe=p.recipe,
                features="retrieval",
                freq_threshold=p.freq_threshold,
                seed=p.seed,
            ),
            config,
            cached=True,
        ).after(validate_task)
        data, workflow = preprocess_task.outputs["data"], preprocess_task.outputs["workflow"]

        schema_task = configured(
            infer_schema(data=data, workflow=workflow, overrides=p.schema_overrides), config, cached=True
        )
        schema = schema_task.outputs["schema"]

        build_task = configured(
            build_model(
                schema=schema,
                recipe=p.recipe,
                architecture=p.architecture,
                tower_layers=p.tower_layers,
                embedding_dim=p.embedding_dim,
                dropout=p.dropout,
                embeddings_l2=p.embeddings_l2,
                learning_rate=p.learning_rate,
                ema_momentum=p.ema_momentum,
                seed=p.seed,
            ),
            config,
            cached=True,
        )
        train_task = configured(
            train(
                data=data,
                schema=schema,
                model=build_task.outputs["model"],
                recipe=p.recipe,
                epochs=p.epochs,
                batch_size=p.batch_size,
                monitor=p.monitor,
                patience=p.patience,
                checkpoint_dir=p.checkpoint_dir,
                seed=p.seed,
            ),
            config,
            cached=True,
        )
        model = train_task.outputs["trained"]

        evaluate_task = configured(
            evaluate_retrieval(
                splits=splits,
                recipe=p.recipe,
                data=data,
                model=model,
                schema=schema,
                k=p.k,
                recall_k=p.recall_k,
                exact_up_to=p.exact_up_to,
                recall_target=p.recall_target,
                recall_floor=p.recall_floor,
                registry=p.registry,
                model_name=p.model_name,
            ),
            config,
        )
        evaluation = evaluate_task.outputs["evaluation"]

        gate_task = configured(
            gate(
                evaluation=evaluation,
                recipe=p.recipe,
                thresholds=p.thresholds,
                metric=p.gate_metric,
                baseline_metrics=p.baseline_metrics,
                baseline_margin=p.baseline_margin,
                production_margin=p.production_margin,
                slice_margin=p.slice_margin,
                min_slice_size=p.min_slice_size,
                confidence=p.confidence,
                seed=p.seed,
            ),
            config,
        )
        decision = gate_task.outputs["decision"]

        with dsl.If(gate_task.outputs["Output"] == True, "gate passed"):  # noqa: E712 - KFP compares the channel
            export_task = configured(
                export_retrieval(
                    model=model,
                    recipe=p.recipe,
                    workflow=workflow,
                    schema=schema,
                    splits=splits,
                    evaluation=evaluation,
                    name=p.model_name,
                    k=p.top_k,
                    require_server=p.require_server,
                ),
                config,
            )
            repository = export_task.outputs["repository"]
            promote_task = configured(
                promote(
                    statistics=statistics,
                    workflow=workflow,
                    schema=schema,
                    model=model,
                    evaluation=evaluation,
                    decision=decision,
                    repository=repository,
                    registry=p.registry,
                    name=p.model_name,
                ),
                config,
            )
            report_task = report(
                statistics=statistics,
                workflow=workflow,
                schema=schema,
                model=model,
                evaluation=evaluation,
                decision=decision,
                repository=repository,
                version=promote_task.output,
                registry=p.registry,
                model_name=p.model_name,
                run_name=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
            )
            configured(report_task, config)
        with dsl.Else("gate not passed"):
            report_task = report(
                statistics=statistics,
                workflow=workflow,
                schema=schema,
                model=model,
                evaluation=evaluation,
                decision=decision,
                registry=p.registry,
                model_name=p.model_name,
                run_name=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
            )
            configured(report_task, config)

        return PipelineOutputs(
            splits=splits,
            statistics=statistics,
            workflow=workflow,
            schema=schema,
            model=model,
            evaluation=evaluation,
            metrics=evaluate_task.outputs["metrics"],
            decision=decision,
        )

    return as_pipeline("retrieval", retrieval, config.parameters)
