"""Runs on a cluster: Kubeflow Pipelines through KFP's client, and submitting a pipeline to it."""
