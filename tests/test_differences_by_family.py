"""The section "By family" of docs/coming-from-merlin-models.md: each entry has tests that show it.

`SHOWN` names them by the section and the first words of the entry. Small differences have their test in this file.
"""

from __future__ import annotations

import ast
import functools
import importlib
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from merlin.schema import Schema, Tags

import emrys.blocks as mm
from emrys.blocks.errors import SchemaError

TESTS = Path(__file__).parent
PAGE = TESTS.parent / "docs" / "coming-from-merlin-models.md"

#: Tests by section and first words of an entry, as `<file below tests>::<function>`.
SHOWN: dict[str, dict[str, list[str]]] = {
    "Core, inputs and interactions": {
        "`FMBlock` multiplies features with": [
            "blocks/interactions/test_fm_block.py::test_features_are_multiplied_with_each_other",
            "blocks/interactions/test_fm_block.py::test_sizes_are_those_of_the_released_library",
        ],
        "`FMBlock` takes lists, ragged": [
            "blocks/interactions/test_fm_block.py::test_wide_features_of_lists",
            "blocks/interactions/test_fm_block.py::test_a_wide_logit_is_a_linear_layer_on_wide_features",
            "blocks/interactions/test_fm_block.py::test_default_factors_have_the_largest_inferred_dimension",
        ],
        "`Embeddings(schema)` passes continuous columns": [
            "blocks/inputs/test_wrong_columns.py::test_continuous_columns_are_passed_over",
            "blocks/inputs/test_wrong_columns.py::test_a_categorical_column_without_a_domain",
        ],
        "`InputBlock` warns and is": [
            "blocks/legacy/test_input_block.py::test_it_warns_where_it_is_called",
            "blocks/legacy/test_input_block.py::test_numbers_are_projected",
        ],
        "`SequenceEmbeddingFeatures` gives (B, D)": [
            "blocks/legacy/test_sequence_embedding_features.py::test_every_element_has_a_vector",
            "blocks/legacy/test_sequence_embedding_features.py::test_a_mask_reaches_the_next_layer",
        ],
        "`ConcatFeatures` (on the last": [
            "test_differences_by_family.py::test_masks_pass_through_concatenation_and_sums"
        ],
        "`Block.from_layer` and `Block.parse_block` put": [
            "blocks/core/test_registry.py::test_a_keras_layer_as_a_block"
        ],
        "`ModelContext` only names tables": [
            "blocks/core/test_model_context.py::test_a_context_adds_no_weights",
            "blocks/core/test_model_context.py::test_a_context_comes_back_from_a_configuration",
        ],
        'Names of blocks ("l2-norm",': [
            "blocks/core/test_registry.py::test_names_before_and_after_a_block",
            "blocks/core/test_registry.py::test_names_among_connected_blocks",
            "blocks/core/test_registry.py::test_an_unknown_block",
        ],
        "`ContinuousPowers` calls its outputs": [
            "blocks/inputs/test_continuous_powers.py::test_declared_names_are_those_of_the_outputs"
        ],
        '`SumResidual` ("sum-residual") and `AddLeft`': [
            "test_differences_by_family.py::test_aggregations_with_a_shortcut_leave_their_input_as_it_is"
        ],
        "`ParallelBlock.add_branch` and `apply_to_branch` work": [
            "blocks/core/test_tabular.py::test_one_more_branch",
            "blocks/core/test_tabular.py::test_branches_that_cannot_be",
        ],
        "`connect_debug_block` prints names, shapes": ["blocks/core/test_tabular.py::test_it_prints_what_passes"],
        "Not there, because they": ["test_differences_by_family.py::test_names_that_are_not_there"],
        "`Embeddings(infer_embedding_sizes=, infer_embedding_sizes_multiplier=, embedding_dim_default=)` have": [
            "blocks/inputs/test_tables_as_people_write_them.py::test_a_default_dimension",
            "blocks/models/test_inferred_dimensions.py::test_dimensions",
        ],
        "`EmbeddingTable`, `Embeddings` and `EmbeddingFeatures`": [
            "blocks/inputs/test_tables_as_people_write_them.py::test_alone",
            "blocks/inputs/test_tables_as_people_write_them.py::test_embeddings",
            "blocks/inputs/test_tables_as_people_write_them.py::test_lists_that_stay_lists",
        ],
        "`Continuous` and `ContinuousFeatures` give": [
            "blocks/inputs/test_tables_as_people_write_them.py::test_beside_embeddings",
            "blocks/inputs/test_tables_as_people_write_them.py::test_dense",
            "blocks/inputs/test_tables_as_people_write_them.py::test_vectors_are_no_lists",
        ],
        "`layer.dense` of an MLP": ["blocks/mlp/test_mlp_block.py::test_the_dense_layer_of_each_layer"],
        "`ExtractMaskFromTargets` returns its input:": [
            "test_differences_by_family.py::test_extract_mask_from_targets_returns_its_input"
        ],
        "A layer without `compute_output_shape`": [
            "blocks/core/test_own_layers.py::test_ids",
            "blocks/core/test_own_layers.py::test_ragged_lists",
            "blocks/core/test_own_layers.py::test_a_layer_that_fails_for_every_type",
        ],
    },
    "Models and tasks": {
        "`PredictionTasks(task_weight_dict=)`, `ParallelPredictionBlock(task_weights=)`: the weights": [
            "blocks/legacy/test_prediction_tasks.py::test_the_block_weighs_the_losses",
            "blocks/legacy/test_prediction_tasks.py::test_compile_weighs_the_losses",
        ],
        "`PredictionTasks(bias_block=)`: the bias is": [
            "blocks/legacy/test_prediction_tasks.py::test_the_bias_is_added_to_logits"
        ],
        "`PredictionTasks(task_pre_dict=)` works; in the": [
            "test_differences_by_family.py::test_a_layer_before_one_task"
        ],
        "`PredictionTask(pre_eval_topk=)` is accepted as": [
            "blocks/legacy/test_prediction_tasks.py::test_a_top_k_evaluation"
        ],
        "`MultiClassClassificationTask`: the default accuracy": [
            "blocks/legacy/test_prediction_tasks.py::test_accuracy_is_the_share_of_right_classes"
        ],
        "A subclass of `PredictionTask`": ["test_differences_by_family.py::test_a_task_of_ones_own"],
        "`Model.fit(pre=)`: `validation_data` goes through": [
            "blocks/models/test_pre.py::test_training_and_validation"
        ],
        "`Model.fit(validation_split=, class_weight=, sample_weight=)` work,": [
            "blocks/models/test_fit_arguments.py::test_of_rows",
            "blocks/models/test_fit_arguments.py::test_of_classes",
            "blocks/models/test_fit_arguments.py::test_evaluation_uses_the_last_rows",
        ],
        "`Model.fit`: `max_queue_size`, `workers`, `use_multiprocessing`": [
            "test_coming_from_merlin.py::keras_2_s_arguments"
        ],
        "`Model.compile`: XLA is off": ["test_differences_by_family.py::test_xla_is_off_unless_it_is_asked_for"],
        "`Model.save(path)`: a path that": ["test_differences_by_family.py::test_a_path_is_a_file_or_a_folder"],
        "`Model.get_sample_inputs()` gives scalars (B,": [
            "blocks/models/test_fit_arguments.py::test_sample_inputs_fit"
        ],
        "`Model.batch_predict`: an output with": [
            "blocks/models/test_fit_arguments.py::test_one_output_and_many_numbers"
        ],
        "`Model(schema=)`: a batch that": [
            "blocks/models/test_fit_arguments.py::test_a_missing_column",
            "blocks/models/test_fit_arguments.py::test_further_features_are_ignored",
        ],
        "Metrics that Keras names": [
            "blocks/models/test_compiled_metrics.py::test_names_carry_no_number",
            "blocks/models/test_compiled_metrics.py::test_two_outputs_of_one_name",
        ],
        "A subclass of `Model`": ["blocks/models/test_own_models.py::test_the_loss_and_metrics_are_those_of_keras"],
        "`Model.freeze_blocks` takes effect without": [
            "blocks/models/test_freezing.py::test_it_holds_without_compiling_again",
            "blocks/models/test_freezing.py::test_unfreezing",
            "blocks/models/test_freezing.py::test_a_saved_model_keeps_it",
        ],
        "`BaseModel.adjust_predictions_and_targets` and `train_compute_metrics` are": [
            "test_differences_by_family.py::test_names_that_are_not_there"
        ],
        "A layer or an": [
            "blocks/models/test_saving.py::test_a_table_of_two_branches",
            "blocks/models/test_saving.py::test_a_table_of_an_output",
            "blocks/models/test_saving.py::test_a_layer_of_two_blocks",
        ],
        "`PredictionTask.pre_call`, `pre_loss`, `build_task`, `child_name`": [
            "test_differences_by_family.py::test_names_that_are_not_there"
        ],
    },
    "Ranking models and the transforms of wide ones": {
        "`DeepFMModel`: the deep part": [
            "blocks/models/test_ranking_models.py::test_the_deep_part_of_deepfm_reads_continuous_features",
            "blocks/models/test_ranking_models.py::test_golden_weights_of_deepfm",
        ],
        "`DeepFMModel`, `FMBlock`: pairs are": [
            "blocks/models/test_ranking_models.py::test_deepfm_adds_up_its_parts_by_hand",
            "blocks/models/test_inferred_dimensions.py::test_dimensions",
        ],
        "`DCNModel`: the default `deep_block`": ["blocks/models/test_ranking_models.py::test_models_share_nothing"],
        "`WideAndDeepModel`: without `wide_preprocess` the": [
            "test_differences_by_family.py::test_dropout_of_wide_and_deep",
            "blocks/interactions/test_fm_block.py::test_a_wide_logit_is_a_linear_layer_on_wide_features",
        ],
        "`CategoryEncoding`: the modes `multi_hot`": [
            "blocks/transforms/test_category_encoding.py::test_ragged_lists_count_what_they_hold",
            "blocks/transforms/test_category_encoding.py::test_golden_refused",
        ],
        "`HashedCross`: the mode `int`": [
            "blocks/transforms/test_hashed_cross.py::test_golden",
            "blocks/transforms/test_hashed_cross.py::test_one_hot_lists_keep_the_batch",
            "blocks/transforms/test_hashed_cross.py::test_ragged_lists_have_the_bins_of_dense_ones",
        ],
        "`HashedCrossAll`: columns are hashed": [
            "blocks/transforms/test_hashed_cross_all.py::test_columns_are_hashed_in_schema_order"
        ],
        "`emrys.blocks.datasets.get_movielens`: MovieLens 100K and": [
            "blocks/datasets/test_get_movielens.py::test_encodings_by_hand",
            "blocks/datasets/test_get_movielens.py::test_neither_tensorflow_nor_nvtabular_is_imported",
        ],
    },
    "Retrieval: encoders, top-k, indexes": {
        "`TopKEncoder.from_candidate_dataset` and `encode_candidates` without": [
            "blocks/retrieval/test_top_k_encoder.py::test_from_a_data_set_of_candidates",
            "blocks/retrieval/test_top_k_encoder.py::test_encode_candidates",
        ],
        "`Encoder.batch_predict` fails in Merlin": [
            "blocks/retrieval/test_encoder.py::test_batch_predict_keeps_the_columns"
        ],
        "`TopKEncoder`, `BruteForce`: among equal": [
            "blocks/retrieval/test_top_k_encoder.py::test_ties_are_broken_by_the_order_of_the_index"
        ],
        "`TopKEncoder.evaluate` takes several right": [
            "blocks/retrieval/test_brute_force.py::test_several_right_items",
            "blocks/retrieval/test_top_k_encoder.py::test_a_right_item_that_is_left_out_is_not_found",
        ],
        "`TopKEncoder.evaluate`, `predict` and `batch_predict`": [
            "blocks/retrieval/test_top_k_encoder.py::test_seen_items_of_a_column_that_the_encoder_does_not_read",
            "blocks/retrieval/test_brute_force.py::test_seen_items_are_left_out",
        ],
        "`TopKEncoder(topk_layer=...)` with a layer": [
            "test_differences_by_family.py::test_k_is_that_of_the_layer_and_candidates_may_come_later"
        ],
        "`TopKEncoder`, `TopKOutput` can be": [
            "test_differences_by_family.py::test_k_is_that_of_the_layer_and_candidates_may_come_later"
        ],
        "`TopKEncoder.compile` refuses a ranking": [
            "test_coming_from_merlin.py::cut_offs_above_k",
            "blocks/retrieval/test_top_k_encoder.py::test_metrics_that_nobody_asked_for_look_at_what_there_is",
        ],
        "`BruteForce`: identifiers are int32,": [
            "blocks/retrieval/test_brute_force.py::test_large_ids_stay_whole",
            "blocks/retrieval/test_brute_force.py::test_candidates_that_do_not_fit",
        ],
        "`BruteForce`: a candidate with": [
            "blocks/retrieval/test_brute_force.py::test_a_query_with_nan_gets_nothing",
            "blocks/retrieval/test_brute_force.py::test_candidates_that_do_not_fit",
            "blocks/retrieval/test_brute_force.py::test_bad_calls",
        ],
        "`IndexBlock` looks vectors up": [
            "blocks/retrieval/test_index_block.py::test_looks_ids_up",
            "blocks/retrieval/test_index_block.py::test_to_a_data_set_and_back",
        ],
        "`TopKIndexBlock.call_outputs` takes the queries": [
            "blocks/retrieval/test_index_block.py::test_best_items",
            "blocks/retrieval/test_index_block.py::test_best_items_beside_the_right_ones",
        ],
        "`unique_by_tag` says so when": ["blocks/retrieval/test_top_k_encoder.py::test_unique_rows"],
        "Candidates are no weights:": [
            "blocks/retrieval/test_brute_force.py::test_indexed_again_with_another_size",
            "blocks/retrieval/test_approximate_top_k.py::test_comes_back_with_its_index",
            "blocks/retrieval/test_top_k_encoder.py::test_comes_back_in_a_fresh_process",
        ],
    },
    "Retrieval models": {
        "`TwoTowerModelV2`, `MatrixFactorizationModelV2`: the default": [
            "blocks/models/test_retrieval_models.py::test_default_output_is_corrected_by_log_q_after_the_temperature",
            "blocks/models/test_defaults.py::test_the_correction_of_two_towers_is_turned_off_by_an_output",
        ],
        "`ContrastiveOutput(logq_after_temperature=True)` corrects scores that": [
            "test_differences_by_family.py::test_logq_after_the_temperature"
        ],
        "`YoutubeDNNRetrievalModelV2`: the default `top_block`": [
            "blocks/models/test_retrieval_models.py::test_youtube_dnn_default_top_block_fits_the_table_of_the_items",
            "blocks/models/test_retrieval_models.py::test_two_models_with_defaults_share_no_weights",
        ],
        "`YoutubeDNNRetrievalModelV2`: `num_sampled` above the": [
            "blocks/models/test_retrieval_models.py::test_used_wrongly"
        ],
        "`TwoTowerModel`, `MatrixFactorizationModel`: `logits_temperature` divides": [
            "blocks/models/test_retrieval_models.py::test_temperature_divides_the_scores_of_training"
        ],
        "`TwoTowerModelV2`: towers of different": ["blocks/models/test_retrieval_models.py::test_used_wrongly"],
        "`MatrixFactorizationModelV2(post=...)`: `query_embeddings()`, `candidate_embeddings()` give": [
            "blocks/models/test_retrieval_models.py::test_matrix_factorization_scores_by_what_stands_behind_its_tables"
        ],
        "`RetrievalModelV2.query_embeddings` and `candidate_embeddings` use": [
            "blocks/models/test_retrieval_models.py::test_golden_embeddings",
            "blocks/models/test_retrieval_models.py::test_golden_top_k_encoder",
        ],
        "`RetrievalModel.to_top_k_recommender` gives a `TopKEncoder`;": [
            "blocks/models/test_retrieval_models.py::test_first_generation_judges_by_a_whole_catalogue"
        ],
        '`MatrixFactorizationModel(aggregation="cosine")` scores by the': [
            "blocks/models/test_retrieval_models.py::test_the_default_task",
            "blocks/models/test_retrieval_models.py::test_vectors",
        ],
        "`RetrievalModelV2.to_top_k_encoder` with items that": [
            "blocks/models/test_export.py::test_a_top_k_recommender_of_a_corpus_without_tags"
        ],
        "`YoutubeDNNRetrievalModel` gives a `RetrievalModelV2`;": [
            "blocks/models/test_retrieval_models.py::test_first_generation_youtube_dnn"
        ],
        "`TwoTowerBlock`, `MatrixFactorizationBlock` are functions": [
            "blocks/models/test_retrieval_models.py::test_matrix_factorization_block_gives_the_cosine",
            "blocks/models/test_retrieval_models.py::test_a_tower_of_the_first_generation_is_saved_by_itself",
        ],
        "`CategoricalCrossEntropy` with targets that": [
            "blocks/models/test_retrieval_models.py::test_cross_entropy_of_several_right_items_has_the_gradient_of_its_value"
        ],
        "`HoldOutItems` is new: it": [
            "blocks/models/test_retrieval_models.py::test_hold_out_items_parts_every_history"
        ],
    },
    "Sampling and contrastive outputs": {
        "`ContrastiveOutput`: `logq_sampling_correction=True` works with": [
            "blocks/outputs/test_contrastive_output.py::test_logq_with_the_items_of_the_batch",
            "blocks/outputs/test_contrastive_output.py::test_logq_counts_the_batches",
        ],
        "`ContrastiveOutput`: its configuration holds": [
            "blocks/sampling/test_samplers.py::test_configuration",
            "blocks/sampling/test_samplers.py::test_its_configuration_is_complete",
        ],
        "`ContrastiveOutput` and `ItemRetrievalScorer`: `store_negative_ids=True`": [
            "blocks/outputs/test_contrastive_output.py::test_ids_are_stored_without_down_scoring",
            "blocks/legacy/test_item_retrieval_scorer.py::test_ids_are_stored_without_down_scoring",
        ],
        "`ContrastiveOutput`: `evaluate` draws negatives": [
            "test_differences_by_family.py::test_evaluate_ranks_the_items_of_the_batch"
        ],
        "`ContrastiveOutput`: `post` is applied": [
            "blocks/outputs/test_popularity_logits_correction.py::test_behind_an_output_it_is_its_correction"
        ],
        "`ContrastiveOutput`: the score of": [
            "blocks/outputs/test_contrastive_output.py::test_logq_with_the_items_of_the_batch"
        ],
        "`ContrastiveOutput`: fewer negatives than": [
            "blocks/outputs/test_contrastive_output.py::test_fewer_negatives_than_results",
            "blocks/sampling/test_samplers.py::test_by_name_it_draws_ids_of_the_column",
        ],
        "`ContrastiveOutput.set_negative_samplers` works at any": [
            "blocks/outputs/test_contrastive_output.py::test_setting_samplers",
            "blocks/outputs/test_contrastive_output.py::test_samplers_are_replaced_when_the_output_is_built",
        ],
        "`ContrastiveOutput` with `ContrastiveSampleWeight`: the": [
            "blocks/outputs/test_contrastive_output.py::test_weights_of_scores"
        ],
        "`ItemRetrievalTask`: `logits_temperature` has an": [
            "blocks/legacy/test_item_retrieval_scorer.py::test_the_temperature_counts"
        ],
        "`ItemRetrievalTask` and `ItemRetrievalScorer`: `cache_query`": [
            "blocks/legacy/test_item_retrieval_scorer.py::test_its_options_reach_the_scores",
            "test_coming_from_merlin.py::sampled_softmax",
        ],
        "`PopularityBasedSampler.get_distribution_probs` is shifted by": [
            "blocks/sampling/test_golden.py::test_probabilities_of_the_first_generation",
            "blocks/sampling/test_golden.py::test_probabilities",
        ],
        "`PopularityBasedSamplerV2(unique=False)` may draw more": [
            "test_differences_by_family.py::test_more_draws_than_ids"
        ],
        "`Candidate.with_embedding` gives a new": ["test_differences_by_family.py::test_a_candidate_is_not_changed"],
        "`ItemsPredictionWeightTying` looks for the": [
            "blocks/outputs/test_items_prediction_weight_tying.py::test_the_table_of_the_input_is_found"
        ],
        "`PopularityLogitsCorrection` without ids of": [
            "blocks/outputs/test_popularity_logits_correction.py::test_without_ids_of_negatives"
        ],
        "`ItemRetrievalScorer` needs item ids": ["blocks/legacy/test_item_retrieval_scorer.py::test_without_ids"],
        "`FIFOQueue`: `dequeue_many` gives what": [
            "blocks/sampling/test_samplers.py::test_the_oldest_leave_first",
            "blocks/sampling/test_samplers.py::test_no_more_than_there_are_leave",
            "blocks/sampling/test_samplers.py::test_errors",
        ],
        "`CrossBatchSampler` takes the place": ["blocks/sampling/test_samplers.py::test_it_gives_earlier_batches"],
        "`InBatchNegatives` draws the same": [
            "blocks/sampling/test_in_batch_negatives.py::test_a_seed_gives_the_same_rows"
        ],
    },
    "Transforms, sequences and transformers": {
        "`SequencePredictNext`, `SequencePredictLast`, `SequencePredictRandom`, `SequenceTargetAsInput`,": [
            "blocks/sequences/test_golden.py::test_inputs_targets_and_masks",
            "blocks/sequences/test_golden.py::test_predict_random",
            "blocks/transforms/test_golden.py::test_to_target",
        ],
        "Masks do not travel": ["blocks/sequences/test_golden.py::test_inputs_targets_and_masks"],
        "A `Tag` can name": ["blocks/sequences/test_sequences.py::test_a_tag_names_the_target"],
        "`SequencePredictLast`, `SequenceTargetAsInput`, `SequenceMaskLast` and": [
            "blocks/sequences/test_sequences.py::test_targets_that_are_there_stay"
        ],
        "All sequence transforms take": [
            "blocks/sequences/test_sequences.py::test_dense_sequences_predict_next",
            "blocks/sequences/test_sequences.py::test_dense_sequences_predict_last",
            "blocks/sequences/test_sequences.py::test_dense_sequences_mask_last",
            "blocks/sequences/test_sequences.py::test_random_transforms_of_dense_sequences_leave_padding_alone",
        ],
        "`SequencePredictRandom` works on rows": [
            "blocks/sequences/test_sequences.py::test_predict_random_of_rows_of_different_lengths"
        ],
        "`SequenceMaskRandom` never masks all": [
            "blocks/sequences/test_sequences.py::test_mask_random_masks_some_of_short_rows_beside_long_ones"
        ],
        "All columns in the": ["blocks/sequences/test_sequences.py::test_sequences_have_one_length"],
        "Within a model, and": [
            "blocks/sequences/test_sequences.py::test_in_a_model_sequences_are_whole_when_it_serves"
        ],
        "`StochasticSwapNoise` works without mask": [
            "blocks/transforms/test_lists.py::test_swap_noise_with_neither_mask_nor_schema_goes_by_each_feature",
            "blocks/transforms/test_lists.py::test_swap_noise_with_both_goes_by_the_mask",
            "blocks/transforms/test_lists.py::test_swap_noise_of_ragged_features",
        ],
        "`ListToDense`, `ListToRagged`, `ListToSparse` of": [
            "blocks/transforms/test_lists.py::test_list_to_dense",
            "blocks/transforms/test_lists.py::test_list_to_ragged",
            "blocks/transforms/test_lists.py::test_list_to_sparse",
        ],
        "`GPT2Block`, `BertBlock`, `RobertaBlock` and": [
            "test_coming_from_merlin.py::weights_of_hugging_face",
            "test_differences_by_family.py::test_defaults_of_transformers",
        ],
        "`RobertaBlock` has the architecture": ["test_differences_by_family.py::test_defaults_of_transformers"],
        "`XLNetBlock` is left out:": ["test_coming_from_merlin.py::weights_of_hugging_face"],
        "How a transformer is": [
            "blocks/sequences/test_sequences.py::test_transform_sets_the_training_objective",
            "blocks/transformer/test_transformer_block.py::test_ragged",
        ],
        "`SequencePredictNext` with a transformer": [
            "blocks/sequences/test_sequences.py::test_transformer_that_looks_ahead_cannot_predict_next"
        ],
        "Evaluating a transformer with": [
            "blocks/sequences/test_sequences.py::test_transformer_is_tested_as_it_is_trained"
        ],
        "An output on (B,": [
            "blocks/transformer/test_transformer_block.py::test_only_predicted_elements_are_metrics",
            "blocks/transformer/test_transformer_block.py::test_sample_weights_of_rows_weigh_their_elements",
        ],
        "`Dense` and `MLPBlock` (without": ["test_differences_by_family.py::test_dense_layers_of_ragged_lists"],
        "Of a session that": [
            "blocks/transformer/test_transformer_block.py::test_a_model_gives_for_long_rows_what_it_gives_for_their_ends"
        ],
        '`post="sequence_mean"`, `"sequence_first"` and `"sequence_last"`': [
            "blocks/transforms/test_sequence_summary.py::test_ragged",
            "blocks/transforms/test_sequence_summary.py::test_dense",
            "blocks/transforms/test_sequence_summary.py::test_behind_a_transformer",
        ],
        "`BroadcastToSequence` gives a context": [
            "blocks/transforms/test_lists.py::test_scalars_beside_ragged_lists",
            "blocks/transforms/test_lists.py::test_scalars_beside_dense_lists",
        ],
        '`CategoryEncoding(output_mode="one_hot")` of a sparse': [
            "blocks/transforms/test_category_encoding.py::test_one_hot"
        ],
    },
    "Multi-task blocks and optimizers": {
        "`Model.compile()` without an optimizer": [
            "test_coming_from_merlin.py::the_default_optimizer",
            "blocks/optimizers/test_get_optimizer.py::test_names",
        ],
        '`compile("sgd")`, `compile("adagrad")` and these': [
            "blocks/optimizers/test_get_optimizer.py::test_names",
            "blocks/optimizers/test_lazy_optimizers.py::test_golden_rows",
            "blocks/optimizers/test_lazy_optimizers.py::test_golden_dense",
        ],
        "What these optimizers remember": ["test_differences_by_family.py::test_the_state_of_a_lazy_optimizer"],
        "`LazyAdam`, `LazyAdagrad` and `LazySGD`": [
            "blocks/optimizers/test_lazy_optimizers.py::test_weights_decay_in_the_rows_of_the_batch",
            "blocks/optimizers/test_lazy_optimizers.py::test_rows_outside_the_batch_stay_with_accumulated_gradients_and_averages",
            "blocks/optimizers/test_lazy_optimizers.py::test_constraints_hold",
        ],
        "Under the policy `mixed_float16`,": [
            "blocks/optimizers/test_get_optimizer.py::test_float16_scales_the_loss_by_rows"
        ],
        "`LazyAdam.get_weights` is gone with": ["test_differences_by_family.py::test_the_state_of_a_lazy_optimizer"],
        "`MultiOptimizer.variables` is a property": [
            "blocks/optimizers/test_multi_optimizer.py::test_a_saved_model_keeps_whose_weights_are_whose"
        ],
        "`MultiOptimizer` warns about a": ["blocks/optimizers/test_multi_optimizer.py::test_pairs_without_weights"],
        "`MultiOptimizer` refuses optimizers that": ["blocks/optimizers/test_multi_optimizer.py::test_bad_arguments"],
        "`CGCBlock` and `PLEBlock`: a": [
            "blocks/multi_task/test_experts.py::test_a_task_takes_its_own_experts_though_its_name_starts_another"
        ],
        "`MMOEBlock`, `CGCBlock` and `PLEBlock`:": [
            "blocks/multi_task/test_experts.py::test_experts_are_copies_and_never_the_block_given",
            "blocks/multi_task/test_experts.py::test_bad_arguments",
        ],
        "With more than ten": ["blocks/multi_task/test_experts.py::test_the_tenth_expert_comes_after_the_second"],
        "`PLEBlock` with several layers": [
            "blocks/multi_task/test_training.py::test_gate_metrics_are_the_mean_weights"
        ],
    },
    "Losses, metrics, schema functions, embedding tables": {
        "`NDCGAt` with graded labels": [
            "blocks/metrics/test_ranking.py::test_ndcg_by_hand",
            "blocks/metrics/test_ranking.py::test_metrics_of_binary_relevance_refuse_grades",
        ],
        "`DotProductInteraction(self_interaction=True)` works for any": [
            "blocks/interactions/test_dot_product.py::test_self_interaction_has_the_pairs_with_themselves"
        ],
        '`EmbeddingTable(sequence_combiner="sqrtn")` works on dense': [
            "blocks/inputs/test_embedding_table.py::test_dense_lists",
            "blocks/inputs/test_embedding_table.py::test_one_by_one",
        ],
        "`BinaryOutput(logits_temperature=)` divides the logit;": [
            "blocks/outputs/test_outputs.py::test_temperature_keeps_probabilities"
        ],
        "`TOP1v2Loss` leaves out each": [
            "blocks/losses/test_pairwise.py::test_top1_v2_with_mask_is_the_loss_without_those_negatives"
        ],
        "`ItemCoverageAt` works inside `tf.function`": [
            "blocks/metrics/test_recommended_items.py::test_compiled",
            "blocks/metrics/test_recommended_items.py::test_config_survives_json",
        ],
        "`create_categorical_column` and `create_continuous_column` leave": [
            "blocks/schema/test_functions.py::test_arguments_of_a_column_stay_as_they_are"
        ],
    },
    "Loader": {
        "`Loader`: `transform=` and `transforms=`": [
            "blocks/loader/test_transforms.py::test_a_function_changes_the_features",
            "blocks/loader/test_transforms.py::test_weights_go_on_to_later_functions_and_to_fit",
            "blocks/loader/test_transforms.py::test_noise_is_made_in_the_loader",
        ],
        "`Loader`: operators of `merlin.dag`,": [
            "blocks/loader/test_table_operator.py::test_the_released_operator_gives_what_this_one_gives",
            "blocks/loader/test_table_operator.py::test_an_operator_of_ones_own",
        ],
        "`EmbeddingOperator`: vectors come as": [
            "blocks/loader/test_embedding_operator.py::test_a_table_in_files_with_ids_of_its_own",
            "blocks/loader/test_embedding_operator.py::test_bad_arguments_are_named",
            "blocks/loader/test_embedding_operator.py::test_bad_files_are_named",
        ],
        "`Loader`: `next(loader)` goes on": [
            "blocks/loader/test_iteration.py::test_goes_through_the_epochs",
            "blocks/loader/test_iteration.py::test_after_next",
        ],
        "`Loader`: lists of lists": [
            "blocks/loader/test_nested_lists.py::test_lists_of_vectors_are_ragged",
            "blocks/loader/test_nested_lists.py::test_lists_of_one_length_are_dense",
        ],
        "`Loader.output_schema`: holds the targets": [
            "blocks/loader/test_transforms.py::test_a_block_makes_targets_of_features",
            "test_differences_by_family.py::test_a_function_has_no_output_schema",
        ],
        "`Loader`: `buffer_size` bounds host": [
            "blocks/loader/test_shuffling.py::test_memory_is_bounded_by_the_buffer_at_ten_times_the_data",
            "blocks/loader/test_remote.py::test_a_folder_a_file_a_list_and_a_pattern",
        ],
        "`Loader`: a thread reads": ["blocks/loader/test_read_ahead.py::test_it_stops_when_enough_rows_wait"],
        "`sample_batch` of a loader": ["blocks/loader/test_transforms.py::test_a_sample_goes_through_the_transforms"],
    },
    "Saving and serving": {
        "A model whose blocks": ["blocks/models/test_freezing.py::test_the_state_of_the_optimizer_comes_back"],
        "`AverageEmbeddingsByWeightFeature` gives zeros for": [
            "blocks/inputs/test_average_embeddings_by_weight_feature.py::test_an_empty_list_gives_zeros"
        ],
        "A served model takes": [
            "blocks/inputs/test_prepare_features.py::test_lists_of_vectors_keep_their_vectors",
            "blocks/models/test_saving.py::test_every_kind_of_input",
        ],
        "`get_sample_inputs` gives lists with": ["blocks/models/test_fit_arguments.py::test_sample_inputs_fit"],
        "XLA (`compile(jit_compile=True)`) trains models": [
            "blocks/inputs/test_embedding_table.py::test_ragged_lists_compiled_by_xla"
        ],
        "What Merlin Systems did": [
            "components/export_retrieval/test_step.py::test_the_served_items_are_those_of_the_model"
        ],
        "Seen items are left": [
            "components/export_retrieval/test_step.py::test_a_history_in_the_request_is_excluded_and_shortens_the_lists"
        ],
        "A row with fewer": [
            "components/export_retrieval/test_step.py::test_a_short_catalogue_shortens_the_lists",
            "components/serving/backends/test_retrieve_step.py::test_items_by_hand",
            "components/serving/test_recommendation.py::test_a_list_ends_at_the_first_null",
        ],
    },
    "Programs": {
        "`tf.keras` of TensorFlow 2.21": ["test_differences_by_family.py::test_tf_keras_is_keras"],
        "`tf.keras.optimizers.legacy.*` does not exist": ["test_coming_from_merlin.py::legacy_optimizers"],
        "`tf.keras.models.load_model(folder)` does not read": ["test_coming_from_merlin.py::loading"],
        "A reloaded model takes": [
            "blocks/models/test_fit_arguments.py::test_lists_in_two_tensors",
            "blocks/models/test_saving.py::test_every_kind_of_input",
        ],
        "A two-tower model can": [
            "blocks/models/test_retrieval_models.py::test_saved_model_indexed_in_a_fresh_process_gives_the_same_top_k"
        ],
        "`to_top_k_encoder` of a `RetrievalModelV2`": [
            "blocks/models/test_retrieval_models.py::test_youtube_dnn_top_k_is_that_of_its_scores",
            "blocks/models/test_candidate_bias.py::test_other_layers_that_search",
        ],
        "`to_top_k_encoder` takes the bias": ["blocks/models/test_candidate_bias.py::test_top_k_is_that_of_the_scores"],
        "`ContrastiveOutput(<column>)` has a bias": [
            "blocks/models/test_candidate_bias.py::test_sampled_scores_do_not_train_a_bias"
        ],
        "Evaluating a `TwoTowerModel` or": [
            "blocks/models/test_retrieval_models.py::test_first_generation_judges_by_a_whole_catalogue"
        ],
        "`fit(pre=...)`, `evaluate(pre=...)` and `predict(pre=...)`": [
            "blocks/models/test_candidate_bias.py::test_sampled_scores_do_not_train_a_bias",
            "blocks/models/test_fit_arguments.py::test_a_target_that_is_not_there",
        ],
        '`ParallelBlock(BinaryOutput("click"), BinaryOutput("like"))` names its': [
            "test_differences_by_family.py::test_branches_are_named_by_their_task"
        ],
        "Samplers by popularity give": [
            "blocks/outputs/test_contrastive_output.py::test_ids_alone_do_not_do_for_two_towers"
        ],
        "A model with one": ["blocks/legacy/test_prediction_tasks.py::test_one_task"],
        "`DLRMModel` infers `embedding_dim` from": [
            "blocks/models/test_dlrm_options.py::test_embeddings_follow_the_options",
            "blocks/models/test_inferred_dimensions.py::test_dimensions",
        ],
        "Imports that move to": ["test_differences_by_family.py::test_names_that_moved"],
        "`mm.EmbeddingOperator` works on columns": [
            "blocks/loader/test_embedding_operator.py::test_vectors_of_a_column_and_of_a_list"
        ],
        "Not there: `mm.LossType`, `mm.SequenceMaskLastInference`,": [
            "test_differences_by_family.py::test_names_that_are_not_there"
        ],
        "`merlin.schema`, `merlin.io.Dataset` and NVTabular": [
            "test_differences_by_family.py::test_packages_of_merlin_are_those_installed"
        ],
    },
}


@functools.cache
def _entries() -> dict[str, list[str]]:
    """The text of the entries, by section."""
    text = PAGE.read_text(encoding="utf-8").split("## By family", 1)[1].split("\n## ", 1)[0]
    sections = (section.split("\n", 1) for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:])
    return {
        name: [" ".join(entry.split()) for entry in re.findall(r"^- (.*(?:\n  .*)*)", body, re.MULTILINE)]
        for name, body in sections
    }


@functools.cache
def _functions(file: str) -> frozenset[str]:
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _entry(section: str, first_words: str) -> str:
    (found,) = (entry for entry in _entries()[section] if entry.startswith(first_words))
    return found


def test_every_entry_has_tests_and_every_test_an_entry():
    assert list(SHOWN) == list(_entries())
    for section, entries in _entries().items():
        for entry in entries:
            assert sum(entry.startswith(key) for key in SHOWN[section]) == 1, f"{section}: {entry}"
        for key in SHOWN[section]:
            assert sum(entry.startswith(key) for entry in entries) == 1, f"{section}: {key}"


@pytest.mark.parametrize("section", SHOWN)
def test_the_tests_are_there(section):
    for key, tests in SHOWN[section].items():
        assert tests, key
        for test in tests:
            file, function = test.split("::")
            assert function in _functions(file), f"{key}: {test}"


def test_masks_pass_through_concatenation_and_sums():
    masks = {"a": tf.constant([[True, False]]), "b": tf.constant([[True, True]])}
    lists = {name: tf.ones((1, 2, 3)) for name in masks}
    for layer in (mm.ConcatFeatures(), mm.ElementwiseSum()):
        layer(lists)
        # an element is there where any of the lists has one
        assert np.asarray(layer.compute_mask(lists, masks)).tolist() == [[True, True]]


def test_evaluate_ranks_the_items_of_the_batch():
    user = mm.create_categorical_column("user", 1, tags=[Tags.USER_ID, Tags.USER])
    item = mm.create_categorical_column("item", 5, tags=[Tags.ITEM_ID, Tags.ITEM])
    output = mm.ContrastiveOutput(item, "in-batch")
    model = mm.Model(mm.Embeddings(Schema([user]), dim=1, aggregation="concat"), output)
    model.compile("adam", metrics=[mm.RecallAt(1)])
    batch = ({"user": np.zeros((2, 1), int)}, {"item": np.array([[1], [3]])})
    data = tf.data.Dataset.from_tensors(batch)
    model.evaluate(data, verbose=0)
    # The vector of a user is 1, and that of an item its id.
    values = {(2, 1): np.ones((2, 1)), (1, 6): np.arange(6.0)[None], (6,): np.zeros(6)}
    for weight in model.weights:
        weight.assign(values[tuple(weight.shape)])
    # In the batch, item 3 is better than 1: one of the two positives is the first. Among all items, the first is 5.
    assert model.evaluate(data, verbose=0, return_dict=True)["recall_at_1"] == 0.5
    assert model(batch[0]).numpy().argmax(axis=1).tolist() == [5, 5]


def test_a_function_has_no_output_schema(tmp_path):
    pd.DataFrame({"x": [1.0]}).to_parquet(tmp_path / "rows.parquet")
    loader = mm.Loader(tmp_path / "rows.parquet", 1, transform=lambda features, targets: (features, targets))
    with pytest.raises(SchemaError, match=r"compute_output_schema\(schema\)"):
        loader.output_schema  # noqa: B018 - raises


def test_aggregations_with_a_shortcut_leave_their_input_as_it_is():
    for layer, names in ((mm.SumResidual(), ("x", "shortcut")), (mm.AddLeft(), ("x", "bias"))):
        batch = {name: tf.ones((1, 2)) for name in names}
        before = dict(batch)
        layer(batch)
        assert batch == before


def test_names_that_are_not_there():
    sections = {
        ("Core, inputs and interactions", "Not there, because"): {
            "compute_loss": mm.SequentialBlock,
            "parse_config": mm.ParallelBlock,
            "super": mm.TabularBlock,
            "repr_ignore": mm.TabularBlock,
            "repr_extra": mm.TabularBlock,
            "repr_add": mm.TabularBlock,
            "calculate_batch_size_from_input_shapes": mm.TabularBlock,
        },
        ("Models and tasks", "`BaseModel.adjust_predictions_and_targets`"): {
            "adjust_predictions_and_targets": mm.BaseModel,
            "train_compute_metrics": mm.BaseModel,
        },
        ("Models and tasks", "`PredictionTask.pre_call`"): {
            **dict.fromkeys(["pre_call", "pre_loss", "build_task", "child_name"], mm.PredictionTask),
            **dict.fromkeys(["add_task", "pop_labels"], mm.ParallelPredictionBlock),
        },
    }
    for (section, first_words), names in sections.items():
        entry = _entry(section, first_words)
        for name, owner in names.items():
            assert name in entry
            assert not hasattr(owner, name), f"{owner.__name__}.{name}"
    for name in re.findall(r"`mm\.(\w+)`", _entry("Programs", "Not there:")):
        with pytest.raises(AttributeError):
            getattr(mm, name)
    assert not hasattr(mm.MLPBlock([2]), "__rshift__")


def test_names_that_moved():
    entry = _entry("Programs", "Imports that move")
    names = re.findall(r"`mm\.(\w+)`", entry)
    assert {"PopularityLogitsCorrection", "extract_topk", "get_sub_blocks"} <= set(names)
    for name in names:
        assert hasattr(mm, name), name
    # what a program imports by its module has the same name here, but for two that the entry renames
    paths = re.findall(r"`merlin(?:\.\w+)+\.(\w+)`", entry)
    assert {last for last in paths if not hasattr(mm, last)} == {"get_movielens", "generate_data"}
    for path in re.findall(r"`(emrys\.blocks\.[\w.]+)`", entry):
        module, name = path.rsplit(".", 1)
        try:
            importlib.import_module(path)
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(module), name), path


def test_packages_of_merlin_are_those_installed():
    entry = _entry("Programs", "`merlin.schema`,")
    assert "merlin.io.Dataset" in entry
    schema = Schema([mm.create_categorical_column("item", 3)])
    assert type(mm.InputBlockV2(schema).schema) is Schema
    assert importlib.import_module("merlin.io").Dataset


def test_extract_mask_from_targets_returns_its_input():
    lists = tf.constant([[[1.0], [2.0]]])
    np.testing.assert_array_equal(mm.ExtractMaskFromTargets()(lists), lists)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_layer_before_one_task():
    schema = Schema(
        [
            mm.create_continuous_column("age"),
            *(
                mm.create_categorical_column(name, 1, tags=[Tags.BINARY_CLASSIFICATION, Tags.TARGET])
                for name in ("click", "like")
            ),
        ]
    )
    tasks = mm.PredictionTasks(schema, task_pre_dict={"click": keras.layers.Rescaling(0.0)})
    found = tasks(tf.constant([[3.0], [-5.0]]))
    # the logit of click is that of zeros, and so 0
    (click,) = (value for name, value in found.items() if name.startswith("click"))
    (like,) = (value for name, value in found.items() if name.startswith("like"))
    np.testing.assert_allclose(click, [[0.5], [0.5]])
    assert abs(float(like[0, 0]) - 0.5) > 1e-4


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_task_of_ones_own():
    class Doubled(mm.PredictionTask):
        DEFAULT_LOSS = "mae"
        DEFAULT_METRICS = staticmethod(lambda: (keras.metrics.MeanSquaredError(name="squares"),))

        @classmethod
        def head(cls):
            return keras.layers.Rescaling(2.0)

    model = mm.Model(mm.NoOp(), Doubled("rating"))
    model.compile("sgd")
    found = model.evaluate(
        tf.data.Dataset.from_tensors((tf.constant([[1.0], [2.0]]), {"rating": tf.constant([[1.0], [1.0]])})),
        verbose=0,
        return_dict=True,
    )
    # 2 and 4 against 1 and 1
    assert (found["loss"], found["squares"]) == (pytest.approx(2.0), pytest.approx(5.0))


@pytest.mark.slow
def test_xla_is_off_unless_it_is_asked_for():
    # In a process of its own: where operations are deterministic, Keras turns XLA off.
    code = """
import emrys.blocks as mm
model = mm.Model(mm.MLPBlock([2]), mm.BinaryOutput("click"))
model.compile("sgd")
assert model.jit_compile is False
model.compile("sgd", jit_compile=True)
assert model.jit_compile is True
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_path_is_a_file_or_a_folder(tmp_path):
    batch = tf.constant([[1.0, 2.0]])
    model = mm.Model(mm.MLPBlock([2]), mm.BinaryOutput("click"))
    expected = model(batch)
    for path, file in (("model.keras", "model.keras"), ("folder", "folder/model.keras")):
        model.save(tmp_path / path)
        assert (tmp_path / file).is_file()
        np.testing.assert_allclose(mm.Model.load(tmp_path / path)(batch), expected, rtol=1e-6)


@pytest.mark.slow
def test_dropout_of_wide_and_deep():
    schema = Schema([mm.create_categorical_column("item", 3)])
    for dropout in ("deep_dropout", "wide_dropout"):
        model = mm.WideAndDeepModel(
            schema,
            deep_block=mm.MLPBlock([4]),
            wide_schema=schema,
            deep_schema=schema,
            prediction_tasks=mm.BinaryOutput("click"),
            **{dropout: 0.9},
        )
        batch = {"item": tf.repeat(tf.constant([[1]]), 200, axis=0)}
        model(batch)
        model.set_weights([np.full_like(weight, 0.1) for weight in model.get_weights()])
        assert len(np.unique(model(batch, training=False))) == 1
        assert len(np.unique(model(batch, training=True))) > 1


def test_k_is_that_of_the_layer_and_candidates_may_come_later():
    ids, vectors = np.array([7, 8, 9]), np.array([[1.0], [3.0], [2.0]], "float32")
    query = {"age": tf.constant([[1.0]])}
    inputs = mm.InputBlockV2(Schema([mm.create_continuous_column("age")]))
    encoder = mm.TopKEncoder(mm.Encoder(inputs), topk_layer=mm.BruteForce(k=2))
    with pytest.raises(ValueError, match="has no candidates"):
        encoder(query)
    encoder.index_candidates(vectors, ids)
    assert np.asarray(encoder(query).identifiers).tolist() == [[8, 9]]


def test_logq_after_the_temperature():
    item = mm.create_categorical_column("item", 3, tags=[Tags.ITEM_ID])
    probabilities = np.array([0.1, 0.2, 0.3, 0.4])
    scores = {}
    for after in (False, True):
        output = mm.ContrastiveOutput(
            item,
            mm.InBatchSamplerV2(item_freq_probs=probabilities),
            logits_temperature=0.5,
            logq_sampling_correction=True,
            logq_after_temperature=after,
            downscore_false_negatives=False,
        )
        vectors = {"query": tf.constant([[1.0], [2.0]]), "candidate": tf.constant([[1.0], [1.0]])}
        features = {"item": tf.constant([[1], [2]])}
        scores[after] = np.asarray(output(vectors, features=features, targets=None, training=True).outputs)
    # the query's score is 1 with both items; half the temperature doubles it, and the correction with it or not
    assert scores[True][0, 0] == pytest.approx(2 - np.log(0.2), rel=1e-4)
    assert scores[False][0, 0] == pytest.approx((1 - np.log(0.2)) / 0.5, rel=1e-4)


def test_more_draws_than_ids():
    sampler = mm.PopularityBasedSamplerV2(max_id=2, max_num_samples=50, unique=False, seed=1)
    draws = np.asarray(sampler(mm.Candidate(tf.constant([[1]]))).id)
    assert draws.size == 50
    assert set(draws.ravel().tolist()) <= {0, 1, 2}


def test_a_candidate_is_not_changed():
    candidate = mm.Candidate(tf.constant([[1], [2]]))
    other = candidate.with_embedding(tf.constant([[0.5], [0.25]]))
    assert not candidate.has_embedding
    assert np.asarray(other.embedding).tolist() == [[0.5], [0.25]]


def test_defaults_of_transformers():
    for kind in (mm.GPT2Block, mm.BertBlock, mm.RobertaBlock, mm.AlbertBlock):
        config = kind(d_model=4, n_head=2, n_layer=1).get_config()
        assert (config["dropout"], config["hidden_act"], config["initializer_range"]) == (0.3, "gelu", 0.01)
        assert (config["layer_norm_eps"], config["max_position_embeddings"]) == (0.03, 512)
        with pytest.raises((TypeError, ValueError)):
            kind(d_model=4, n_head=2, n_layer=1, log_attention_weights=True)
    # the same weights give the same numbers in RobertaBlock and in BertBlock
    lists = tf.reshape(tf.range(12.0), (1, 3, 4))
    bert, roberta = (kind(d_model=4, n_head=2, n_layer=1) for kind in (mm.BertBlock, mm.RobertaBlock))
    bert(lists), roberta(lists)
    roberta.set_weights(bert.get_weights())
    np.testing.assert_allclose(roberta(lists), bert(lists), rtol=1e-5)


def test_dense_layers_of_ragged_lists():
    lists = tf.RaggedTensor.from_row_lengths([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]], [2, 1])
    for layer in (mm.Dense(1, kernel_initializer="ones"), mm.MLPBlock([1], kernel_initializer="ones")):
        assert layer(lists).to_list() == [[[3.0], [7.0]], [[11.0]]]


def test_the_state_of_a_lazy_optimizer():
    optimizer = mm.LazyAdam()
    table = keras.Variable(np.zeros((5, 3), "float32"), name="table")
    optimizer.build([table])
    (slots,) = (variable for variable in optimizer.variables if variable.name.endswith("_slots"))
    assert tuple(slots.shape) == (5, 6)
    assert not hasattr(optimizer, "get_weights")
    assert "decay" not in optimizer.get_config()


def test_tf_keras_is_keras():
    assert tf.keras.layers.Layer is keras.layers.Layer
    assert tf.keras.optimizers.Adam is keras.optimizers.Adam


def test_branches_are_named_by_their_task():
    block = mm.ParallelBlock(mm.BinaryOutput("click"), mm.BinaryOutput("like"))
    assert sorted(block(tf.ones((1, 2)))) == ["click/binary_output", "like/binary_output"]
