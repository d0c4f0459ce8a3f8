"""`aegis-enrich train dga`: learns the model of names anew from this project's makers of names, and measures it.

Boosted trees (Friedman, *Greedy Function Approximation*, 2001). At one false name in 1,000 they tell 66 % of the names
of families held out; a Random Forest of the same names and features, with 25 times their nodes, 61 %.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.metrics import roc_auc_score

from . import benign
from .generators import FAMILIES, WORD_FAMILIES, generate
from .model import Trees
from .names import FEATURES, is_encoded, vector

FOLDS = 4
BENIGN, TESTED, A_FAMILY = 16_000, 20_000, 900


def fit(good: Sequence[str], bad: Sequence[str], seed: int, about: Mapping[str, Any]) -> Trees:
    """Trees that tell the bad names from the good; both count the same in all, however many they are."""
    rows = np.array([vector(label) for label in (*good, *bad)], dtype=np.int64)
    truth = np.repeat([0, 1], [len(good), len(bad)])
    weights = np.repeat([0.5 / len(good), 0.5 / len(bad)], [len(good), len(bad)]) * len(rows)
    model = GradientBoostingClassifier(
        n_estimators=200,
        learning_rate=0.12,
        max_depth=None,
        max_leaf_nodes=8,
        min_samples_leaf=20,
        subsample=0.5,
        max_features=8,
        random_state=seed,
    )
    model.fit(rows, truth, sample_weight=weights)
    return _plain(model, about)


def _plain(model: GradientBoostingClassifier, about: Mapping[str, Any]) -> Trees:
    """The fitted trees as arrays; features are whole, so a threshold's floor parts them the same."""
    arrays: dict[str, list[Any]] = {name: [] for name in ("feature", "threshold", "left", "right", "value")}
    roots, first = [], 0
    for (stage,) in model.estimators_:
        tree = stage.tree_
        leaf = tree.children_left < 0
        here = first + np.arange(tree.node_count)
        roots.append(first)
        arrays["feature"].append(np.where(leaf, 0, tree.feature))
        arrays["threshold"].append(np.where(leaf, 0, np.floor(tree.threshold)))
        arrays["left"].append(np.where(leaf, here, first + tree.children_left))
        arrays["right"].append(np.where(leaf, here, first + tree.children_right))
        arrays["value"].append(np.where(leaf, np.rint(1000 * model.learning_rate * tree.value[:, 0, 0]), 0))
        first += tree.node_count
    whole = {name: np.concatenate(parts).astype(np.int64) for name, parts in arrays.items()}
    return Trees(base=0, roots=np.array(roots, dtype=np.int64), about=about, **whole)  # equal weights: log odds of 0


def measure(good: Sequence[str], others: Mapping[str, Sequence[str]], seed: int) -> dict[str, Any]:
    """Per family, of a model that has not learned it nor the others of its fold: AUROC, and recall at 0.001 false.

    Names never trained on, good ones too; `others` are further good names, of which the part told is given.
    """
    tested = benign.names(TESTED, "test")
    parts = {family: generate(family, A_FAMILY, "train") for family in FAMILIES}
    kinds = list(parts)
    families: dict[str, dict[str, float]] = {}
    told: dict[str, list[float]] = {name: [] for name in others}
    for fold in range(FOLDS):
        bad = [label for n, kind in enumerate(kinds) if n % FOLDS != fold for label in parts[kind]]
        trees = fit(good, bad, seed, {})
        plain = trees.log_odds(tested)
        least = float(np.quantile(plain, 0.999))
        for family in (*kinds[fold::FOLDS], *(WORD_FAMILIES if fold == 0 else ())):
            families[family] = _compared(trees.log_odds(generate(family, A_FAMILY, "test")), plain, least)
        for name, labels in others.items():
            told[name].append(float(np.mean(trees.log_odds(labels) > least)))
    return {
        "families": families,
        "auroc_mean": _mean([families[kind]["auroc"] for kind in kinds]),
        "recall_mean": _mean([families[kind]["recall"] for kind in kinds]),
        "false": {name: _mean(parts) for name, parts in told.items()},
    }


def _compared(bad: Any, good: Any, least: float) -> dict[str, float]:
    truth = np.repeat([0, 1], [len(good), len(bad)])
    auroc = roc_auc_score(truth, np.concatenate([good, bad]))
    return {"auroc": round(float(auroc), 4), "recall": round(float(np.mean(bad > least)), 3)}


def _mean(values: Sequence[float]) -> float:
    return round(sum(values) / len(values), 4)


def train(good: Sequence[str], bad: Sequence[str], seed: int, measured: Mapping[str, Any]) -> Trees:
    """A model of all families and of the names given; `one_in_1000`: log odds that one good name in 1,000 exceeds."""
    made = [label for family in FAMILIES for label in generate(family, A_FAMILY, "train")]
    about = {"seed": seed, "names": len(good), "generated": len(made) + len(bad), **measured}
    trees = fit(good, [*made, *bad], seed, about)
    one_false = int(np.ceil(np.quantile(trees.log_odds(benign.names(TESTED, "test")), 0.999)))
    return replace(trees, about={**about, "one_in_1000": one_false})


def _labels(file: Path | None) -> list[str]:
    """The names of a list, one a line: the label next to the suffix, or the whole name, whose first label counts."""
    lines = [] if file is None else file.read_text(encoding="utf-8").lower().splitlines()
    labels = [line.strip().split(".")[0] for line in lines if line.strip() and not line.startswith("#")]
    return [label for label in labels if not is_encoded(label)]


@click.command("dga")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Where to write the model; name it as `model` in rules/detectors/dga.yml.",
)
@click.option(
    "--benign",
    "good_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Registered domains of your own that are none, one a line, to learn as such.",
)
@click.option(
    "--generated",
    "bad_file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Domains of generators that you know, one a line, to learn as such.",
)
@click.option("--seed", type=click.IntRange(0, 2**31), default=1, show_default=True, help="The same, the same model.")
@click.option("--measure/--no-measure", "measuring", default=True, help="Hold out whole families; takes a minute.")
@click.option("--json", "as_json", is_flag=True, help="Print what was measured as JSON.")
def command(
    output: Path, good_file: Path | None, bad_file: Path | None, seed: int, measuring: bool, as_json: bool
) -> str:
    """Learn the model of generated names that the detector dga reads, from this project's own makers of names.

    Prints, for each family held out with a quarter of all: AUROC, and the part of its names that is told at one false
    name in 1,000.
    """
    own, bad = _labels(good_file), _labels(bad_file)
    good = [*benign.names(BENIGN, "train"), *own]
    measured = measure(good, {"given": own} if own else {}, seed) if measuring else {}
    trees = train(good, bad, seed, measured)
    output.write_text(trees.text(), encoding="utf-8")
    told = {"output": str(output), "digest": trees.digest(), **trees.about}
    return json.dumps(told) if as_json else _table(trees)


def _table(trees: Trees) -> str:
    about = trees.about
    rows = [f"{family:<16} {m['auroc']:.4f} {m['recall']:7.1%}" for family, m in about.get("families", {}).items()]
    if rows:
        head = f"{'held out':<16}  AUROC  recall at 1 false in 1,000"
        rows = [head, *rows, f"{'mean':<16} {about['auroc_mean']:.4f} {about['recall_mean']:7.1%}"]
    rows += [f"of your own names {part:.2%} are told" for part in about.get("false", {}).values()]
    nodes = f"{len(trees.roots)} trees with {len(trees.feature):,} nodes over {len(FEATURES)} features"
    return "\n".join([*rows, f"{nodes} from {about['names']:,} names and {about['generated']:,} generated ones"])
