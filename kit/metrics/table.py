"""Which metrics there are, for which kinds of output, and which direction is good. Computes none of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MetricName = Literal[
    "accuracy",
    "top_k",
    "balanced_accuracy",
    "f1",
    "f1_macro",
    "auc",
    "average_precision",
    "log_loss",
    "mae",
    "rmse",
    "r2",
    "pearson",
    "spearman",
    "mean_iou",
    "map",
    "recall_at_k",
    "agreement",
    "cosine",
    "snr",
    "max_error",
]
OWN = "code:"  # before the name of a function of the user's own: "code:my_metric"
ALL = ("classes", "tensor", "boxes", "mask", "keypoints", "embedding")


@dataclass(frozen=True)
class Metric:
    """One metric. kinds: of the outputs that it is for; against: "truth", or "float" where it needs none."""

    title: str  # as tables print it; {k} is the recipe's
    kinds: tuple[str, ...]
    library: str  # whose definition it is
    higher: bool = True  # more is better
    against: str = "truth"
    k: int | None = None  # of metrics that have one: where the recipe does not say it


_SKLEARN = "sklearn.metrics"
METRICS: dict[str, Metric] = {
    "accuracy": Metric("accuracy", ("classes",), f"{_SKLEARN}.accuracy_score"),
    "top_k": Metric("top-{k} accuracy", ("classes",), f"{_SKLEARN}.top_k_accuracy_score", k=5),
    "balanced_accuracy": Metric("balanced accuracy", ("classes",), f"{_SKLEARN}.balanced_accuracy_score"),
    "f1": Metric("F1", ("classes",), f"{_SKLEARN}.f1_score"),
    "f1_macro": Metric("macro F1", ("classes",), f"{_SKLEARN}.f1_score"),
    "auc": Metric("ROC AUC", ("classes",), f"{_SKLEARN}.roc_auc_score"),
    "average_precision": Metric("average precision", ("classes",), f"{_SKLEARN}.average_precision_score"),
    "log_loss": Metric("log loss", ("classes",), f"{_SKLEARN}.log_loss", higher=False),
    "mae": Metric("MAE", ("tensor",), f"{_SKLEARN}.mean_absolute_error", higher=False),
    "rmse": Metric("RMSE", ("tensor",), f"{_SKLEARN}.root_mean_squared_error", higher=False),
    "r2": Metric("R2", ("tensor",), f"{_SKLEARN}.r2_score"),
    "pearson": Metric("Pearson correlation", ("tensor",), "scipy.stats.pearsonr"),
    "spearman": Metric("Spearman correlation", ("tensor",), "scipy.stats.spearmanr"),
    "mean_iou": Metric("mean IoU", ("mask",), f"{_SKLEARN}.jaccard_score"),
    "map": Metric("mAP@[.5:.95]", ("boxes",), "pycocotools.cocoeval.COCOeval"),
    "recall_at_k": Metric("recall@{k}", ("embedding",), "sklearn.neighbors.NearestNeighbors", k=1),
    "agreement": Metric("agreement", ("classes",), f"{_SKLEARN}.accuracy_score", against="float"),
    "cosine": Metric("cosine", ("embedding",), "kit.shared.postprocess.cosine", against="float"),
    "snr": Metric("SNR in dB", ALL, "numpy", against="float"),
    "max_error": Metric("largest error / spread", ALL, "numpy", higher=False, against="float"),
}
# From 0 to 1, and better the higher: these are percentages in a table of versions.
SHARES = tuple(
    name
    for name, metric in METRICS.items()
    if metric.against == "truth" and metric.higher and metric.kinds != ("tensor",)
)
# What is measured of an output with truth that the recipe asks nothing of.
DEFAULTS: dict[str, tuple[str, ...]] = {
    "classes": ("accuracy",),
    "tensor": ("r2", "mae"),
    "boxes": ("map",),
    "mask": ("mean_iou",),
    "embedding": ("recall_at_k",),
}


def metric_of(name: str) -> Metric:
    """Return a metric by its name: of the table, or a function of the user's own, for any output with truth."""
    return Metric(name, ALL, "the recipe's [checks] code") if is_own(name) else METRICS[name]


def is_own(name: str) -> bool:
    """Say whether a metric is a function of the user's own."""
    return name.startswith(OWN)


def title(name: str, k: int | None) -> str:
    """Return what tables call a metric: "top-5 accuracy"."""
    if is_own(name):
        return name
    metric = METRICS[name]
    return metric.title.format(k=metric.k if k is None else k)
