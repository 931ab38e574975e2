"""A commented recipe for a log of which only the first rows are known."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping, Sequence

import pyarrow as pa
import yaml

from emrys.blocks.errors import ConfigError
from emrys.components.contracts.data_schema import DataColumn, DataSchema, Role, TargetKind
from emrys.components.recipe import inference
from emrys.components.recipe.inference import NUMBERS, Kind, Profile
from emrys.components.recipe.operators import suggested_steps
from emrys.components.recipe.recipe import (
    Columns,
    DataSource,
    EventTargets,
    FeatureSteps,
    Model,
    Recipe,
    Split,
    TargetColumn,
)
from emrys.components.recipe.resolve import resolve
from emrys.components.recipe.splits import split_of

#: Words in the name of a column of event types.
_EVENT_WORDS = frozenset({"event", "events", "action", "behavior", "behaviour", "activity", "interaction"})
_MAX_EVENTS = 12
#: Targets of which more is better, so that a threshold makes them binary.
_RATINGS = frozenset({"ratings", "stars", "scores", "overall"})
_LINE = 110


@dataclasses.dataclass(frozen=True)
class _Goal:
    """Targets that a model of the log can learn.

    Args:
        columns: The targets, in the recipe's section `columns`.
        text: The same as lines of YAML.
        model: The model.
        comments: Why, and what else there is.
        alternatives: Other targets, as lines of YAML in comments.
    """

    columns: Columns
    text: tuple[str, ...]
    model: Model
    comments: tuple[str, ...] = ()
    alternatives: tuple[str, ...] = ()


def suggest_recipe(path: str, head: pa.Table, *, whole: bool = False) -> str:
    """A recipe as YAML with comments, which holds for the first rows.

    Args:
        path: Path of the log, as it is to stand in the recipe.
        head: The first rows.
        whole: Whether these are all rows.

    Raises:
        ConfigError: if the log has nothing that a model can learn.
    """
    profiles = inference.profiles_of(head)
    goal = _goal(profiles)
    recipe = Recipe(data=DataSource(path=path), columns=goal.columns, model=goal.model)
    schema = resolve(recipe, head, whole=whole).schema
    split = _split(recipe, schema, profiles)
    if split.by == "column":
        recipe = recipe.model_copy(update={"split": split})
        schema = resolve(recipe, head, whole=whole).schema
    lines = [
        f"# A first recipe for {path}, from its first {head.num_rows:,} rows.",
        "# Correct it, and let `emrys check` tell what is wrong; then `emrys run`.",
        "version: 1",
        f"data: {{path: {_yaml(path)}}}",
        "",
        "# Roles of the columns. What is wrong here is worth the most: look at each.",
        "columns:",
        *_id_lines(schema),
        *(f"  {line}" for line in goal.text),
        *(f"  # {line}" for line in goal.alternatives),
        *_role_lines(schema),
        "",
        *_split_lines(split, schema),
        "",
        *_feature_lines(schema, goal),
        "",
        *(f"# {comment}" for comment in goal.comments),
        f"model: {_flow(_model_values(goal.model))}",
        "",
        "# Without a section `gate` the model must be better than the baselines of its task, at the lower bound.",
        *_unused_lines(schema),
    ]
    return "\n".join(lines) + "\n"


def _goal(profiles: Mapping[str, Profile]) -> _Goal:
    ids: dict[Role, str] = {}
    for role in (Role.USER_ID, Role.ITEM_ID, Role.SESSION_ID):
        found = inference.infer_id(role, {name: each for name, each in profiles.items() if name not in ids.values()})
        if found is not None:
            ids[role] = found[0]
    user, session = ids.get(Role.USER_ID), ids.get(Role.SESSION_ID)
    time = inference.infer_time(profiles)
    taken = {*ids.values(), None if time is None else time[0]}
    others = {name: profile for name, profile in profiles.items() if name not in taken}
    events = next((each for each in others.values() if _is_event(each)), None)
    if events is not None:
        return _event_goal(events)
    binary = [name for name, profile in others.items() if _is_zero_one(profile)]
    named = inference.infer_target(others)
    if named is not None:
        return _target_goal(others[named], [name for name in binary if name != named], "by its name")
    if Role.ITEM_ID in ids and (user is not None or session is not None) and len(binary) != 1:
        return _implicit_goal(user, session, binary)
    if binary:
        return _target_goal(others[binary[0]], binary[1:], "as it holds 0 and 1 alone")
    numbers = [each for each in others.values() if each.kind in NUMBERS and each.distinct > 1]
    if not numbers:
        raise ConfigError(
            "nothing is found that a model can learn",
            expected="a column of 0 and 1, of event types or of numbers; or a user and an item",
            got=", ".join(profiles),
            fix="Rename the columns, or write the recipe by hand.",
        )
    return _target_goal(numbers[-1], [each.name for each in numbers[:-1]], "a guess: the last column of numbers")


def _is_event(profile: Profile) -> bool:
    words = {word.lower() for word in re.findall(r"[A-Za-z][a-z]*", profile.name)}
    return profile.kind is Kind.TEXT and bool(words & _EVENT_WORDS) and 2 <= profile.distinct <= _MAX_EVENTS


def _is_zero_one(profile: Profile) -> bool:
    if profile.kind is Kind.BOOLEAN:
        return True
    return profile.kind in NUMBERS and sorted(set(profile.numbers)) == [0, 1]


def _event_goal(profile: Profile) -> _Goal:
    """Every type of event but the most frequent one is a target."""
    counts = {entry["values"]: entry["counts"] for entry in profile.values.drop_null().value_counts().to_pylist()}
    by_number = sorted(counts, key=lambda value: (-counts[value], value))
    targets = {
        re.sub(r"\W+", "_", value).strip("_").lower() or f"event_{i}": value for i, value in enumerate(by_number)
    }
    first, *rest = targets
    chosen = {name: targets[name] for name in rest}
    name = "mmoe" if len(chosen) > 1 else "dlrm"
    share = counts[targets[first]] / sum(counts.values())
    return _Goal(
        Columns(events=EventTargets(column=profile.name, targets=chosen)),
        (
            f"# A target for each type of event but {targets[first]!r}, which {share:.0%} of the rows have.",
            f"events: {{column: {_yaml(profile.name)}, targets: {_flow(chosen)}}}",
        ),
        Model(name=name),
        (
            f"{name}: {'targets share experts' if name == 'mmoe' else 'one target'}; their weights in the loss:",
            f"tasks: {_flow(dict.fromkeys(chosen, 1.0))}",
        ),
    )


def _target_goal(profile: Profile, others: Sequence[str], reason: str) -> _Goal:
    name = profile.name
    model = Model(name="dlrm")
    comments = ("dlrm scores rows; dcn, deepfm, wide-and-deep and mlp are others.",)
    more = [f"{other} could be a target too; say it under targets, or it stays a feature." for other in others[:5]]
    if _is_zero_one(profile):
        said = TargetColumn(kind=TargetKind.BINARY, source=name)
        text = (f"targets: {{{_yaml(name)}: binary}}  # {reason}",)
        return _Goal(Columns(targets={name: said}), text, model, comments, tuple(more))
    words = {word.lower() for word in re.findall(r"[A-Za-z][a-z]*", name)}
    if (words | {f"{word}s" for word in words}) & _RATINGS and 2 < profile.distinct <= inference.MAX_CODES:
        # The value that divides the rows most evenly.
        middle = min(sorted(set(profile.numbers))[:-1], key=lambda value: abs((profile.numbers > value).mean() - 0.5))
        said = TargetColumn(kind=TargetKind.BINARY, source=name, above=float(middle))
        label = "liked" if name != "liked" else "is_liked"
        options = [f"Or predict the number itself: targets: {{{_yaml(name)}: regression}}"]
        if profile.is_whole:
            options.append(f"Or each value: targets: {{{_yaml(name)}: classes}}")
        text = (f"targets: {{{label}: {{from: {_yaml(name)}, kind: binary, above: {middle:g}}}}}  # {reason}",)
        return _Goal(Columns(targets={label: said}), text, model, comments, (*options, *more))
    said = TargetColumn(kind=TargetKind.REGRESSION, source=name)
    text = (f"targets: {{{_yaml(name)}: regression}}  # {reason}",)
    return _Goal(Columns(targets={name: said}), text, model, comments, tuple(more))


def _implicit_goal(user: str | None, session: str | None, binary: Sequence[str]) -> _Goal:
    if user is None:
        model, why = "gpt2", "gpt2 predicts the next item of a session; bert4rec and last-item are others."
    else:
        model, why = (
            "two-tower",
            "two-tower retrieves items for users; matrix-factorization and youtube-dnn are others.",
        )
    alternatives = [f"{name} could be a target: targets: {{{_yaml(name)}: binary}}" for name in binary[:5]]
    if session is not None and user is not None:
        alternatives.append(f"With {session}, gpt2 would predict the next item of a session.")
    text = ("feedback: implicit  # no target is found: every row is a positive",)
    return _Goal(Columns(feedback="implicit"), text, Model(name=model), (why,), tuple(alternatives))


def _split(recipe: Recipe, schema: DataSchema, profiles: Mapping[str, Profile]) -> Split:
    """Split that the columns allow; by a column, if one says train, valid and test."""
    for name, profile in profiles.items():
        if profile.kind is Kind.TEXT and set(profile.unique()) == {"train", "valid", "test"}:
            return Split(by="column", column=name)
    return split_of(recipe, schema)


def _id_lines(schema: DataSchema) -> Iterator[str]:
    for role in (Role.USER_ID, Role.ITEM_ID, Role.SESSION_ID, Role.TIME, Role.WEIGHT):
        for name in schema.of_role(role):
            reason = schema.inferred.get(name, "").removeprefix(f"{role.value}, ")
            if role is Role.TIME:
                column = schema.column(name)
                said = f"{{column: {_yaml(name)}, unit: {column.unit}}}"
                yield f"  time: {said}  # {reason}"
            else:
                yield f"  {role.value}: {_yaml(name)}  # {reason}"
    for role in (Role.USER_ID, Role.ITEM_ID, Role.TIME):
        if not schema.of_role(role):
            yield f"  # {'time' if role is Role.TIME else role.value}: none is found; name it here if there is one"


def _role_lines(schema: DataSchema) -> Iterator[str]:
    for role in (Role.USER, Role.ITEM, Role.CONTEXT):
        columns = [column for column in schema.columns if column.role is role]
        if columns:
            names = _compressed([column.name for column in columns])
            yield from _wrapped(f"  {role.value}: ", names)
            for reason, of_reason in _by_reason(columns, schema).items():
                yield from _comment_lines("    ", f"{', '.join(_compressed(of_reason))}: {reason}")
    for label, continuous in (("categorical", False), ("continuous", True)):
        names = [
            column.name
            for column in schema.columns
            if column.role in (Role.USER, Role.ITEM, Role.CONTEXT)
            and column.continuous is continuous
            and not column.unit
        ]
        if names:
            yield from _wrapped(f"  {label}: ", _compressed(names))


def _by_reason(columns: Sequence[DataColumn], schema: DataSchema) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for column in columns:
        reason = schema.inferred.get(column.name, "").removeprefix(f"{column.role.value}, ")
        reason = re.sub(r"an amount, with \d+ values", "an amount, with many values", reason)
        reasons.setdefault(reason, []).append(column.name)
    return reasons


def _split_lines(split: Split, schema: DataSchema) -> Iterator[str]:
    reasons = {
        "time": "The last rows are test: the model is evaluated on what came after its training.",
        "per_user": "The last rows of each user are test.",
        "session": "The last sessions are test.",
        "random": "There is no time, so that rows are split at random.",
        "column": "A column says it.",
    }
    yield f"# {reasons[str(split.by)]}"
    if split.by == "column":
        yield f"split: {{by: column, column: {_yaml(split.column)}}}"
    else:
        yield f"split: {{by: {split.by}, valid: {split.valid:g}, test: {split.test:g}}}"


def _feature_lines(schema: DataSchema, goal: _Goal) -> Iterator[str]:
    yield "# Operators of each column, left to right; a column without a line here is no feature."
    yield "features:"
    steps: dict[str, list[str]] = {}
    for column in schema.columns:
        if column.role in (Role.USER_ID, Role.ITEM_ID, Role.USER, Role.ITEM, Role.CONTEXT):
            chosen: FeatureSteps = ("hour", "weekday") if column.unit else suggested_steps(column)
            steps.setdefault(_flow(list(chosen)), []).append(column.name)
    is_retrieval = goal.model.name in ("two-tower", "gpt2")
    if schema.time is not None and not is_retrieval:
        steps.setdefault("[hour, weekday]", []).append(schema.time)
    for text, names in steps.items():
        for name in _compressed(names):
            yield f"  {name}: {text}"
    owner = schema.user_id or schema.session_id
    if schema.item_id is not None and owner is not None and (is_retrieval or schema.time is not None):
        name = "recent" if "recent" not in schema.names else "recent_items"
        item = _yaml(schema.item_id)
        yield f"  {name}: {{history_of: {item}, length: 50}}  # earlier events of the same {owner}"
    if not steps:
        yield "  {}"


def _unused_lines(schema: DataSchema) -> Iterator[str]:
    if schema.unused:
        yield ""
        yield "# Left out:"
        for name, reason in schema.unused.items():
            yield from _comment_lines("", f"  {name}: {reason}")


def _model_values(model: Model) -> dict[str, str]:
    return {"name": model.name}


def _compressed(names: Sequence[str]) -> list[str]:
    """Names as YAML, with ranges such as `C1..C26` in place of three or more numbered ones."""
    numbered: dict[str, list[int]] = {}
    for name in names:
        match = re.fullmatch(r"(.*?\D)([1-9]\d*|0)", name)
        if match:
            numbered.setdefault(match[1], []).append(int(match[2]))
    ranges: dict[str, str] = {}
    for prefix, numbers in numbered.items():
        numbers.sort()
        if len(numbers) >= 3 and numbers == list(range(numbers[0], numbers[-1] + 1)):
            text = f"{prefix}{numbers[0]}..{prefix}{numbers[-1]}"
            ranges.update({f"{prefix}{number}": text for number in numbers})
    return list(dict.fromkeys(_yaml(ranges.get(name, name)) for name in names))


def _yaml(value: str) -> str:
    """A text as YAML, quoted where it must be, also inside of `[]` and `{}`."""
    dumped: str = yaml.safe_dump([value], default_flow_style=True, allow_unicode=True, width=10_000)
    return dumped.strip()[1:-1]


def _flow(value: object) -> str:
    """A value as YAML on one line."""
    dumped: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False)
    return dumped.strip()


def _wrapped(start: str, names: Sequence[str]) -> Iterator[str]:
    """A list of names on as many lines as it needs."""
    line = f"{start}["
    for i, name in enumerate(names):
        part = f"{name}{']' if i == len(names) - 1 else ','}"
        if len(line) + len(part) + 1 > _LINE:
            yield line.rstrip()
            line = " " * (len(start) + 1)
        line += part if line.endswith(("[", " ")) else f" {part}"
    yield line


def _comment_lines(indent: str, text: str) -> Iterator[str]:
    words = text.split(" ")
    line = f"{indent}#"
    for word in words:
        if len(line) + len(word) + 1 > _LINE:
            yield line
            line = f"{indent}#  "
        line += f" {word}"
    yield line
