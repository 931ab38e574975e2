"""Gives a task of a pipeline its image and its resources."""

from __future__ import annotations

from kfp import dsl, kubernetes

from emrys.pipelines.config.resources import Resources


def place(task: dsl.PipelineTask, title: str, image: str, resources: Resources) -> None:
    """Sets what a task is called, which image it runs in, and what it asks of the cluster.

    Args:
        task: Task of a pipeline that is being built.
        title: Name for people, shown in the graph.
        image: Container image.
        resources: CPU, memory, accelerators, node selector and tolerations.
    """
    task.set_display_name(title)
    task.set_container_image(image)
    task.set_cpu_request(resources.cpu).set_cpu_limit(resources.cpu)
    task.set_memory_request(resources.memory).set_memory_limit(resources.memory)
    if resources.gpus:
        task.set_accelerator_type(resources.accelerator).set_accelerator_limit(resources.gpus)
    for label, value in sorted(resources.node_selector.items()):
        kubernetes.add_node_selector(task, label_key=label, label_value=value)
    for toleration in resources.tolerations:
        kubernetes.add_toleration(
            task,
            key=toleration.key or None,
            operator=toleration.operator.value,
            value=toleration.value or None,
            effect=toleration.effect.value if toleration.effect else None,
        )
