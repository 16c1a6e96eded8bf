"""What a call found in an image or in numbers, as values: boxes, a mask, keypoints, an embedding."""

from dataclasses import asdict, dataclass

from .numbers import Json, Number


@dataclass(frozen=True)
class Box:
    """A box in pixels of the frame."""

    left: Number
    top: Number
    right: Number
    bottom: Number
    score: Number
    index: int  # of the class
    label: str | None


@dataclass(frozen=True)
class Boxes:
    """The boxes of an output, best first."""

    boxes: tuple[Box, ...]

    def to_json(self) -> Json:
        return {"kind": "boxes", "boxes": [asdict(box) for box in self.boxes]}


@dataclass(frozen=True)
class MaskClass:
    """One class of a mask."""

    index: int
    label: str | None
    pixels: int  # of the mask, at the model's size


@dataclass(frozen=True)
class Mask:
    """The classes that are in a mask."""

    shape: tuple[int, ...]  # height, width
    classes: tuple[MaskClass, ...]
    values: tuple[Number, ...]  # the class of the first pixels, row by row
    truncated: bool

    def to_json(self) -> Json:
        return {
            "kind": "mask",
            "shape": list(self.shape),
            "classes": [asdict(each) for each in self.classes],
            "values": list(self.values),
            "truncated": self.truncated,
        }


@dataclass(frozen=True)
class Point:
    """A keypoint in pixels of the frame."""

    x: Number
    y: Number
    score: Number
    index: int
    label: str | None


@dataclass(frozen=True)
class Points:
    """The keypoints of an output, in their order."""

    points: tuple[Point, ...]

    def to_json(self) -> Json:
        return {"kind": "keypoints", "points": [asdict(point) for point in self.points]}


@dataclass(frozen=True)
class Embedding:
    """A vector of length 1."""

    size: int
    length: Number  # before it was divided by it
    values: tuple[Number, ...]  # the first
    truncated: bool
    similarity: Number = None  # the cosine with the first INPUT's

    def to_json(self) -> Json:
        plain: Json = {
            "kind": "embedding",
            "size": self.size,
            "length": self.length,
            "values": list(self.values),
            "truncated": self.truncated,
        }
        return plain if self.similarity is None else plain | {"similarity": self.similarity}


Found = Boxes | Mask | Points | Embedding
