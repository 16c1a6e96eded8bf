"""[checks] of a recipe: what the converted model must reach, by which metrics, and where the truth is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from kit.metrics.table import METRICS, OWN, MetricName, is_own, metric_of
from kit.recipe.table import Fraction, Name, Table

Limit = Annotated[float, Field(allow_inf_nan=False)]
OwnName = Annotated[str, Field(pattern=rf"^{OWN}[A-Za-z_][A-Za-z0-9_]*$")]
TRUTH_KINDS = ("classes", "tensor", "boxes", "mask", "embedding")


class MetricCheck(Table):
    """A metric of one output, and how good it has to be."""

    output: Name = Field(description="the output that it is of: one that has a [[outputs]] table")
    metric: MetricName | OwnName = Field(
        description="which metric: docs/recipe.md has their definitions; code:NAME is a function of [checks] code"
    )
    k: int | None = Field(
        default=None, ge=1, le=1000, description="top_k: how many classes count (5); recall_at_k: neighbours (1)"
    )
    max_drop: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="by how much it may be worse than the float model's, in the metric's own units",
    )
    min: Limit | None = Field(default=None, description="the least value that passes, of the file")
    max: Limit | None = Field(default=None, description="the largest value that passes, of the file")
    lower_is_better: bool = Field(default=False, description="code:NAME: less is better, and a drop is growth")

    @model_validator(mode="after")
    def _fits(self) -> Self:
        metric = metric_of(self.metric)
        if self.lower_is_better and not is_own(self.metric):
            raise ValueError(f"lower_is_better is for metrics of [checks] code, and not for '{self.metric}'")
        if self.max_drop is None and self.min is None and self.max is None:
            raise ValueError(f"metric '{self.metric}' of output '{self.output}' has no limit: max_drop, min or max")
        if self.k is not None and metric.k is None:
            raise ValueError(f"k is for top_k and recall_at_k, and not for '{self.metric}'")
        if self.max_drop is not None and metric.against == "float":
            raise ValueError(
                f"'{self.metric}' compares the file with the float model: give min or max, and no max_drop"
            )
        return self


class Checks(Table):
    """What the converted model must reach; a build that does not is refused."""

    data: Name | None = Field(
        default=None,
        description="test data: .npz with inputs by name and y, or a folder with one folder a label",
    )
    truth: dict[Name, Name] = Field(
        default={},
        description="by output: a file with what is true of the data's samples: COCO JSON of boxes, a folder of PNG "
        "masks, or a .csv of classes, numbers or identities",
    )
    min_agreement: Fraction | None = Field(default=None, description="top-1 against the float Keras model")
    max_drop: Fraction | None = Field(default=None, description="accuracy against y, float minus converted")
    min_correlation: float | None = Field(
        default=None, ge=-1, le=1, description="of every output with the float Keras model's"
    )
    max_relative_error: float | None = Field(
        default=None,
        ge=0,
        allow_inf_nan=False,
        description="of every output: root mean square of the errors, in standard deviations of the float model's",
    )
    max_bytes: int | None = Field(default=None, ge=1, description="size of model.tflite")
    code: Name | None = Field(
        default=None,
        description="a .py file with metrics of your own: functions of (truth, outputs), numpy arrays, that return a "
        "number; [[checks.metrics]] names them, as in metric = 'code:my_metric'",
    )
    metrics: list[MetricCheck] = Field(
        default=[], description="[[checks.metrics]]: a metric of one output, and its limits"
    )
    gate: bool = Field(
        default=True, description="refuse a file whose outputs are ruined, by limits that need no word in the recipe"
    )
    gpu: bool = Field(
        default=False,
        description="refuse a file that LiteRT's GPU accelerator does not take, or gets wrong in float32 or float16: "
        "an estimate, on a software driver",
    )

    def fits(self, kinds: Mapping[str, str], calibrated: bool) -> None:
        """Raise ValueError for what does not go together with the outputs, their kind by name, or with the data.

        calibrated: there is representative data, which stands in for data without truth.
        """
        classes, some = "classes" in kinds.values(), bool(self.data) or calibrated
        if self.max_drop is not None and not (self.data and classes):
            raise ValueError("[checks] max_drop needs data with y, and an output of kind 'classes'")
        if self.min_agreement is not None and not classes:
            raise ValueError("[checks] min_agreement needs an output of kind 'classes'")
        if self.min_agreement is not None and not some:
            raise ValueError("[checks] min_agreement needs data to compare on")
        self._fit_truth(kinds)
        for check in self.metrics:
            metric, kind = metric_of(check.metric), kinds.get(check.output)
            if is_own(check.metric) and self.code is None:
                raise ValueError(
                    f"[[checks.metrics]] '{check.metric}' is a function of [checks] code, which names no file"
                )
            if kind is None:
                raise ValueError(
                    f"[[checks.metrics]] names the output '{check.output}', and no [[outputs]] table has that name"
                )
            if kind not in metric.kinds:
                mine = ", ".join(name for name, each in METRICS.items() if kind in each.kinds)
                raise ValueError(f"'{check.metric}' is no metric of kind '{kind}' (output '{check.output}'): {mine}")
            if not (self.data if metric.against == "truth" else some):
                what = "data with truth: [checks] data" if metric.against == "truth" else "data to compare on"
                raise ValueError(f"[[checks.metrics]] '{check.metric}' of output '{check.output}' needs {what}")
            if [(each.output, each.metric, each.k) for each in self.metrics].count(
                (check.output, check.metric, check.k)
            ) > 1:
                raise ValueError(f"two [[checks.metrics]] are '{check.metric}' of output '{check.output}'")

    def _fit_truth(self, kinds: Mapping[str, str]) -> None:
        if self.truth and not self.data:
            raise ValueError("[checks.truth] is of the samples of [checks] data, and there is no data")
        for name in self.truth:
            if name not in kinds:
                raise ValueError(f"[checks.truth] names the output '{name}', and no [[outputs]] table has that name")
            if kinds[name] not in TRUTH_KINDS:
                raise ValueError(f"[checks.truth] {name}: kind '{kinds[name]}' has no metric against truth")
