"""Graphs of NVTabular as users write them, for the columns of `shop.SCHEMA`."""

from __future__ import annotations

from typing import Any

from emrys.components.merlin_imports import import_without_tensorflow

nvt = import_without_tensorflow("nvtabular")
ops = import_without_tensorflow("nvtabular.ops")


def everything() -> Any:
    """Every operator that has an online form."""
    ids = [["sku", "last_sku"], "visitor"] >> ops.Categorify(freq_threshold=2) >> ops.AddTags(["mine"])
    price = ["price"] >> ops.Clip(min_value=0) >> ops.LogOp() >> ops.Normalize() >> ops.Rename(postfix="_log")
    stock = ["stock"] >> ops.FillMedian() >> ops.NormalizeMinMax()
    filled = ["stock"] >> ops.FillMissing(fill_val=3) >> ops.Normalize() >> ops.Rename(name="filled")
    plan = ["plan"] >> ops.HashBucket({"plan": 7})
    buckets = ["price"] >> ops.Bucketize({"price": [5, 10]})
    encoded = ["visitor"] >> ops.TargetEncoding("bought", kfold=2, p_smooth=3) >> ops.Normalize()
    crossed = [["plan", "visitor"]] >> ops.HashedCross(50)
    tags = ["tags", "codes"] >> ops.Categorify(max_size=20) >> ops.ListSlice(2)
    return ids + price + stock + filled + plan + buckets + encoded + crossed + tags


def function() -> Any:
    return (["price"] >> ops.Normalize()) + (["plan"] >> ops.LambdaOp(lambda column: column.str.lower()))


def filtered() -> Any:
    return ["price"] >> ops.FillMissing() >> ops.DropLowCardinality()


def indicator() -> Any:
    return ["price"] >> ops.FillMissing(add_binary_cols=True)


def renamed() -> Any:
    return ["visitor"] >> ops.TargetEncoding("bought") >> ops.Rename(postfix="_x")


def scaled_ids() -> Any:
    return ["sku"] >> ops.Categorify() >> ops.Normalize()


def text() -> Any:
    return ["plan"] >> ops.Normalize()


def target() -> Any:
    return ["bought"] >> ops.Normalize()


def misspelt() -> Any:
    return ["pice"] >> ops.Normalize()


def nothing() -> Any:
    return ["price"]


def broken() -> Any:
    raise ZeroDivisionError("unlucky")


def workflow() -> Any:
    return nvt.Workflow((["price", "stock"] >> ops.Normalize())["price"])
