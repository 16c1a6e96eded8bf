#!/usr/bin/env python3
"""Run this bundle's model on a desktop as the app does: on files, or on its golden vectors.

    python emulate.py                     replay the golden vectors: 0 = as built, 4 = something is off
    python emulate.py seven.png           label an image
    python emulate.py album 'more/*.jpg'  label the images in a folder, and those that match a pattern
    python emulate.py reviews.txt         texts, one a line, in UTF-8
    python emulate.py words.wav           a sound: one window, or of a longer one a window each hop
    python emulate.py test.npz --json     arrays by input name, alone or as a batch on axis 0
    python emulate.py rows.csv --csv      a sample a row, and the outputs a row each
    python emulate.py - < seven.png       what comes through stdin
    python emulate.py --benchmark         and how long one call takes here
    python emulate.py new.npz --signature train --save state.npz
                                          train on each sample, and keep the variables
    python emulate.py seven.png --load state.npz
                                          run with these variables

INPUT is an image; a .wav; a .txt with one text a line; an .npz with one array for each input; a .csv with one sample a
row; or, where the model has one input, an .npy, or a .raw or .bin with that tensor's exact bytes. For an input of text,
arrays of strings are texts, and arrays of numbers are ids. For an input of sound, int16 is PCM at the model's rate, and
floats are from -1 to 1; a window that is not full ends in zeros. For an image's input, uint8 arrays are pixels and are
normalized and quantized; float arrays are normalized values and are only quantized. For another input, float arrays are
real values, and an array of the tensor's own type is fed as it is. Along an axis that signature.json gives as -1 any
size is taken. Samples are run one at a time; where the model takes n at once, n at a time.

A .csv is UTF-8. The first row has titles: an input's name; of several values a sample its name with _0, _1 and so on,
from 0 or 1 without a hole. Other columns are left out. Without titles, all columns are the one input's values. An
image's are pixels, 0 to 255.

- stands for what comes through stdin: its first bytes say what it is; lines are texts for an input of text, else a
.csv. A file of that name is ./-.

A folder stands for the files in it that this model can read, sorted by name: .npz, .csv, .npy, .raw, .bin, .wav, and
images (.png .jpg .jpeg .bmp .webp .avif .gif .tif .tiff). Hidden files and subfolders are left out. A pattern (* ?
[...], and ** for any number of folders) that the shell did not expand stands for the files that match it. Behind --
every word is an INPUT, also one that begins with a dash.

If an INPUT cannot be used, the outputs of the others are printed first, then one line on stderr for each such
INPUT, and the exit code is 2. In --json, "errors" lists them as {"input", "error", "hint"}, and "results" has only
the others; where all INPUTs can be used, there is no "errors". With such an INPUT, --save writes nothing.

--jsonl and --csv print a line for each sample, and then one for each INPUT that cannot be used. A .csv has input,
index (of the sample in its file), and of each output the best class and <name>_score, its numbers, <name> or <name>_0
and so on, or what is found as JSON; and error, where there is one. --save-outputs writes an .npz: output/<name>
[samples, *shape of a call's output] as the model gave it, input and index [samples], -1 for the one sample of a file.

Many INPUTs are shared among processes, one for each core; what is printed is the same. A model that keeps variables
runs on one.

STATE is an .npz with one array for each variable that the model keeps. The golden vectors are replayed with the
variables as built, whatever --load says, and leave them so.

Stands alone: needs numpy and a LiteRT interpreter (requirements.txt), Pillow for images, preprocess.py,
postprocess.py, text.py, audio.py and wav.py beside it, and the bundle's assets. Exit codes: 0 done; 2 usage, or a file
that cannot be used; 4 a golden vector is off, whatever the INPUTs; 5 a package is missing, or no interpreter of pip can
run this model; 130 interrupted.
"""

import os
import sys
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's, which would wait busily for work that is not given

for _ in range(3):  # where one of the three streams is closed, a file would get its number
    _number = os.open(os.devnull, os.O_RDWR)
    if _number > 2:
        os.close(_number)
        break
sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)

HERE = Path(__file__).resolve().parent
BESIDE = ("audio", "constants", "harness", "postprocess", "preprocess", "text", "wav")  # what this folder has to hold


def missing_module(error: ImportError) -> int:
    """Say what cannot be imported and what to do; return the exit code."""
    ours = (error.name or "").partition(".")[0] in BESIDE
    remedy = "copy the whole emulate folder of the bundle"
    if not ours:
        from harness.errors import INSTALL  # needs no package

        remedy = f"run: {INSTALL}"
    sys.stderr.write(f"emulate: {error.name or 'numpy'} cannot be imported; {remedy}\n")
    return 2 if ours else 5


try:
    import constants
    from harness.bundle import Bundle
    from harness.command import run
except ImportError as error:
    raise SystemExit(missing_module(error)) from None
except KeyboardInterrupt:
    sys.stderr.write("emulate: interrupted\n")
    raise SystemExit(130) from None


def this_bundle() -> Bundle:
    """Return the bundle that this folder is part of."""
    assets = HERE.joinpath(*constants.ASSETS.split("/")).resolve()
    return Bundle(constants.BUNDLE, constants.RUNTIME, constants.KIT_VERSION, assets, HERE)


def main(argv: list[str] | None = None) -> int:
    """Run the command with these arguments, by default the process's; return its exit code."""
    return run(this_bundle(), argv, more="\n".join((__doc__ or "").split("\n")[2:]))


if __name__ == "__main__":
    raise SystemExit(main())
