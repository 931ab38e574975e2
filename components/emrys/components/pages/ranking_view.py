"""The evaluation of a ranking model as pages show it."""

from __future__ import annotations

from markupsafe import Markup

from emrys.components.artifacts.measured_rows import MODEL
from emrys.components.pages import plots
from emrys.components.pages.evaluation_view import Comparison, EvaluationView


class RankingView(EvaluationView):
    """An evaluation that the step evaluate has made."""

    task = "ranking"
    main = "auc"
    main_title = "AUC"

    @property
    def shown(self) -> list[tuple[str, str]]:
        """AUC, log loss, NDCG and calibration."""
        return [
            ("AUC", "auc"),
            ("Log loss", "log_loss"),
            (f"NDCG@{self.k} per user", f"ndcg_at_{self.k}"),
            ("Calibration error", "calibration_error"),
        ]

    @property
    def tables(self) -> list[Comparison]:
        """Of all rows, and of the rows of each user."""
        of_rows = {"AUC": "auc", "Log loss": "log_loss", "Brier": "brier", "Calibration error": "calibration_error"}
        overall = self.comparison("All test rows; the best of each column is bold", of_rows)
        best = self.metrics.get("best_auc")
        if best is not None:
            nothing = [(None, False)] * (len(of_rows) - 1)
            overall.rows.append(("Best reachable", [(best, False), *nothing]))
        of_users = {f"{title}@{self.k}": f"{title.lower()}_at_{self.k}" for title in ("NDCG", "MRR", "Recall")}
        return [overall, self.comparison("Mean over users; each user's test rows are the candidates", of_users)]

    @property
    def figures(self) -> list[tuple[Markup, str]]:
        """ROC curve, calibration and scores by label."""
        shown = {MODEL: "roc", self.against: f"{self.against}_roc"}
        lines = [
            (self.ways[scorer], float(self.value(scorer, "auc") or 0.0), self.curves[name])
            for scorer, name in shown.items()
            if name in self.curves
        ]
        drawn = [
            (plots.roc_plot(lines), "How many positive rows are found for each share of negative rows taken along."),
            (
                plots.calibration_plot(self.curves["calibration"], self.metrics["calibration_error"]),
                "On the dotted line a score of 0.7 comes true in seven rows of ten. Each point holds about as many"
                " rows.",
            ),
            (
                plots.histogram_plot(self.curves["histogram"]),
                "Shares within each class. The less the two overlap, the better they are told apart.",
            ),
        ]
        return [(Markup(plot), caption) for plot, caption in drawn]  # noqa: S704 - serialised as XML, which escapes
