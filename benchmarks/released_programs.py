"""Quality of the programs of `examples/from_merlin`, beside the same programs on released Merlin Models.

Run: python -m benchmarks.released_programs [--merlin PYTHON] [--seeds 3] [--programs dlrm two_tower] [--output FILE]

`--merlin` is the Python of an environment with Merlin Models 23.12, NVTabular and transformers 4.30; without it the
programs run on Emrys alone. There a copy runs whose import is Merlin's, changed as `SUBSTITUTIONS` says. Programs print
their figures as `name: value`; their checks are left out, so that a low figure is printed too. A program is one process
on each library, which runs it once for each seed. Prints a table in Markdown: mean over the seeds, least and
greatest, and whether ours reaches Merlin's: its mean is behind by no more than the spread. A program that fails on
Merlin has its error in the table.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "examples" / "from_merlin"
PROGRAMS = sorted(path.stem for path in FOLDER.glob("*.py"))

#: A figure of which less is better, by the end of its name.
LESS_IS_BETTER = ("loss", "rmse")

#: The difference from which on the two libraries are said to differ: figures are printed with four digits.
ROUNDING = 5e-5


#: Runs a program once for each seed, and ends the output of each with a line.
END_OF_SEED = "-- end of seed --\n"
BY_SEED = f"""
import os, runpy, sys
import tensorflow as tf
for seed in sys.argv[2:]:
    os.environ["SEED"] = seed
    runpy.run_path(sys.argv[1], run_name="__main__")
    tf.keras.backend.clear_session()
    print({END_OF_SEED!r}, end="", flush=True)
"""


@dataclass(frozen=True)
class Substitution:
    """A text of a program, what stands in its place for Merlin, and why."""

    ours: str
    merlin: str
    why: str


#: Changes in all programs that hold the text.
EVERYWHERE = [
    Substitution("import emrys.blocks as mm", "import merlin.models.tf as mm", "the import"),
    Substitution("mm.Model.load(", "tf.keras.models.load_model(", "models load with Keras 2"),
    Substitution(
        "mm.unique_rows_by_features(",
        "__import__('merlin.models.utils.dataset', fromlist=['']).unique_rows_by_features(",
        "imported by its module path",
    ),
]

EMBEDDING_OPERATOR = Substitution(
    "mm.EmbeddingOperator(",
    "__import__('merlin.dataloader.ops.embeddings', fromlist=['']).EmbeddingOperator(",
    "imported by its module path",
)

#: Changes in one program, each text of which must be there.
SUBSTITUTIONS: dict[str, list[Substitution]] = {
    "incremental_training": [
        Substitution(
            "default_optimizer=tf.keras.optimizers.Adam(",
            "default_optimizer=tf.keras.optimizers.legacy.Adam(",
            "MultiOptimizer takes Keras' legacy optimizers there",
        ),
        Substitution(
            "mm.OptimizerBlocks(tf.keras.optimizers.Adam(",
            "mm.OptimizerBlocks(tf.keras.optimizers.legacy.Adam(",
            "MultiOptimizer takes Keras' legacy optimizers there",
        ),
    ],
    "own_architecture": [
        Substitution(
            "mm.DotProductInteractionBlock()",
            "__import__('merlin.models.tf.blocks.dlrm', fromlist=['']).DotProductInteractionBlock()",
            "imported by its module path",
        ),
    ],
    "pretrained_embeddings": [EMBEDDING_OPERATOR],
    "quick_start_ranking": [
        Substitution(
            "mm.InBatchNegatives(",
            "__import__('merlin.models.tf.transforms.negative_sampling', fromlist=['']).InBatchNegatives(",
            "imported by its module path",
        ),
    ],
    "ranking_models": [
        Substitution(
            "mm.NCFModel(",
            "__import__('merlin.models.tf.models.benchmark', fromlist=['']).NCFModel(",
            "imported by its module path",
        ),
    ],
    "session_based_pretrained": [EMBEDDING_OPERATOR],
}


def merlin_text(name: str, text: str) -> str:
    """The program as it is written for Merlin."""
    for each in EVERYWHERE:
        text = text.replace(each.ours, each.merlin)
    for each in SUBSTITUTIONS.get(name, []):
        if each.ours not in text:
            raise SystemExit(f"benchmarks/released_programs.py: {name}.py does not hold {each.ours!r}; mend the table")
        text = text.replace(each.ours, each.merlin)
    return text


def without_checks(text: str) -> str:
    """The program with `pass` in place of each `assert` and each call of `np.testing`."""
    lines = text.splitlines()
    for node in ast.walk(ast.parse(text)):
        checks = isinstance(node, ast.Assert) or (
            isinstance(node, ast.Expr) and ast.unparse(node).startswith("np.testing.")
        )
        if checks:
            lines[node.lineno - 1 : node.end_lineno] = [
                " " * node.col_offset + "pass",
                *[""] * (node.end_lineno - node.lineno),
            ]
    return "\n".join(lines) + "\n"


def figures(output: str) -> dict[str, float]:
    """Values that a program printed as `name: value`."""
    return {name: float(value) for name, value in re.findall(r"^([\w ,'-]+): (-?\d+\.\d+)$", output, re.MULTILINE)}


def run(python: str, text: str, seeds: list[int]) -> list[dict[str, float] | str]:
    """Figures of a program by seed, from one process, or the last line of its error."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder, "program.py")
        program.write_text(without_checks(text), encoding="utf-8")
        command = [python, "-c", BY_SEED, str(program), *map(str, seeds)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=False)
    found: list[dict[str, float] | str] = [figures(each) for each in done.stdout.split(END_OF_SEED)[:-1]]
    if done.returncode:
        print(done.stderr[-3000:], file=sys.stderr, flush=True)
        lines = [line for line in done.stderr.splitlines() if re.match(r"\w[\w.]*(Error|Exception)\b", line)]
        error = (lines or done.stderr.splitlines() or [f"exit status {done.returncode}"])[-1][:160]
        found += [error] * (len(seeds) - len(found))
    return found


def cell(values: list[float]) -> str:
    """Mean, least and greatest, or the one value."""
    if len(values) == 1:
        return f"{values[0]:.3f} (one seed)"
    return f"{sum(values) / len(values):.3f} ({min(values):.3f} to {max(values):.3f})"


def reached(figure: str, ours: list[float], merlin: list[float]) -> bool:
    """Whether our mean is behind Merlin's by no more than the spread: the wider of the two ranges over the seeds."""
    behind = sum(merlin) / len(merlin) - sum(ours) / len(ours)
    spread = max(max(each) - min(each) for each in (ours, merlin))
    return (-behind if figure.endswith(LESS_IS_BETTER) else behind) <= spread + ROUNDING


def table(results: dict[str, dict[str, float] | str], programs: list[str], seeds: list[int]) -> str:
    """The table in Markdown."""
    lines = ["| Program | Figure | Emrys | Merlin | Reached |", "| --- | --- | --- | --- | --- |"]
    for name in programs:
        runs = {
            library: [results[key] for seed in seeds if (key := f"{library} {name} {seed}") in results]
            for library in ("emrys", "merlin")
        }
        errors = {library: [each for each in of if isinstance(each, str)] for library, of in runs.items()}
        if errors["emrys"]:
            lines.append(f"| {name} | | `{errors['emrys'][0]}` | | no |")
            continue
        for figure in (runs["emrys"] or [{}])[0]:
            ours = [each[figure] for each in runs["emrys"]]
            theirs = [each[figure] for each in runs["merlin"] if not isinstance(each, str) and figure in each]
            if errors["merlin"] or not theirs:
                other, verdict = (f"`{errors['merlin'][0]}`" if errors["merlin"] else ""), ""
            else:
                enough = min(len(ours), len(theirs)) > 1  # one value has no spread
                verdict = ("yes" if reached(figure, ours, theirs) else "no") if enough else ""
                other = cell(theirs)
            lines.append(f"| {name} | {figure} | {cell(ours)} | {other} | {verdict} |")
    return "\n".join(lines)


def main() -> None:
    """Runs and prints."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--merlin", metavar="PYTHON", help="Python of an environment with Merlin Models 23.12")
    parser.add_argument("--seeds", type=int, default=3, help="how many, from 1")
    parser.add_argument("--programs", nargs="+", choices=PROGRAMS, default=PROGRAMS, metavar="NAME")
    parser.add_argument("--libraries", nargs="+", choices=["emrys", "merlin"], default=["emrys", "merlin"])
    parser.add_argument("--output", type=Path, help="a file for the results, JSON; what it holds is not run again")
    given = parser.parse_args()
    libraries = {"emrys": sys.executable} | ({"merlin": given.merlin} if given.merlin else {})
    results = json.loads(given.output.read_text()) if given.output and given.output.exists() else {}
    seeds = list(range(1, given.seeds + 1))
    for name in given.programs:
        text = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
        for library in libraries:
            missing = [seed for seed in seeds if f"{library} {name} {seed}" not in results]
            if library not in given.libraries or not missing:
                continue
            found = run(libraries[library], merlin_text(name, text) if library == "merlin" else text, missing)
            results |= {f"{library} {name} {seed}": each for seed, each in zip(missing, found, strict=True)}
            print(library, name, *found, sep="\n", file=sys.stderr, flush=True)
            if given.output:
                given.output.write_text(json.dumps(results, indent=1))
    print(table(results, given.programs, seeds))


if __name__ == "__main__":
    main()
