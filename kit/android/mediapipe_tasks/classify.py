"""Classify images with MediaPipe Tasks, by the model file alone. Runs in MediaPipe's own venv, knows nothing of kit.

Usage: classify.py MODEL IMAGES.npy, uint8 [count, height, width, 3]. Writes JSON: {"outputs": for each image a list
of {"label", "index", "score"}, best first}; {"refused": why} where it does not take the model; {"missing": what} where
a library of the system is not there.
"""

import json
import sys

# The Python API puts 0 where no threshold is given, and that over the metadata's: a logit below 0 would get no label.
ALL = -3.4e38


def main() -> int:
    """Write what the classifier says of each image."""
    reported: dict[str, object]
    try:
        reported = {"outputs": classify(sys.argv[1], sys.argv[2])}
    except (ValueError, RuntimeError, NotImplementedError) as error:
        reported = {"refused": " ".join(str(error).split())}
    except OSError as error:
        # dlopen says which library it did not find; another file's fault is ours.
        if ".so" not in str(error):
            raise
        reported = {"missing": str(error)}
    sys.stdout.write(json.dumps(reported) + "\n")
    return 0


def classify(model: str, images: str) -> list[list[dict[str, object]]]:
    """Return each image's categories, best first."""
    import mediapipe
    import numpy as np
    from mediapipe.tasks.python import BaseOptions, vision

    base = BaseOptions(model_asset_path=model)
    options = vision.ImageClassifierOptions(base_options=base, score_threshold=ALL)
    predictions = []
    with vision.ImageClassifier.create_from_options(options) as classifier:
        for pixels in np.load(images, allow_pickle=False):
            image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(pixels))
            head = classifier.classify(image).classifications[0]
            predictions.append(
                [{"label": c.category_name, "index": c.index, "score": c.score} for c in head.categories]
            )
    return predictions


if __name__ == "__main__":
    raise SystemExit(main())
