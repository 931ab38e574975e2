"""The evaluation of a retrieval model as pages show it."""

from __future__ import annotations

from markupsafe import Markup

from emrys.components.pages import plots
from emrys.components.pages.evaluation_view import Comparison, EvaluationView


class RetrievalView(EvaluationView):
    """An evaluation that the step evaluate_retrieval has made."""

    task = "retrieval"

    @property
    def recall_k(self) -> int:
        """Length of the list that recall looks at."""
        return int(self.config["recall_k"])

    @property
    def main(self) -> str:
        """NDCG."""
        return f"ndcg_at_{self.k}"

    @property
    def main_title(self) -> str:
        """NDCG."""
        return f"NDCG@{self.k}"

    @property
    def _metrics(self) -> dict[str, str]:
        lengths = {"NDCG": self.k, "Recall": self.recall_k, "MRR": self.k, "Coverage": self.k, "Novelty": self.k}
        return {f"{title}@{length}": f"{title.lower()}_at_{length}" for title, length in lengths.items()}

    @property
    def shown(self) -> list[tuple[str, str]]:
        """NDCG, recall, MRR and coverage."""
        return list(self._metrics.items())[:4]

    @property
    def tables(self) -> list[Comparison]:
        """Of all queries."""
        return [self.comparison("Mean over all queries; the best of each column is bold", self._metrics)]

    @property
    def figures(self) -> list[tuple[Markup, str]]:
        """Recall over the length of the list."""
        lines = [(name, self.curves["recall"][scorer]) for scorer, name in self.ways.items()]
        plot = Markup(plots.recall_plot(lines))  # noqa: S704 - serialised as XML, which escapes
        return [(plot, "How much of what users like later is found as the list gets longer.")]

    @property
    def facts(self) -> dict[str, str]:
        """How the best items are found."""
        search, limit = self.metadata["search"], f"{self.config['exact_up_to']:,}"
        items = {"items": f"{self.metrics['items']:,}"}
        if search["strategy"] == "exact":
            return {"search": f"exact, as in every catalogue up to {limit} items", **items}
        index = search["index"]
        return {
            "search": f"approximate, as in every catalogue above {limit} items",
            **items,
            "share of the exact results": f"{search['recall']:.4f}, at least {self.config['recall_floor']:g} is needed",
            "lists that a query looks at": f"{index['probes']} of {index['lists']}",
        }
