"""The commands. Each is one call into kit; `inv` in a checkout and the installed `kit` read this one list."""

from kit.commands.android import android, drop, sign
from kit.commands.build import build, freeze, matrix, verify
from kit.commands.develop import bench, check, errors, fmt, fuzz, test
from kit.commands.init import init
from kit.commands.inspect import diff, emulate, explore, gitdiff, inspect
from kit.commands.toolchains import clean, doctor, image, lock, schema, toolchains

COMMANDS = (
    init,
    build,
    emulate,
    freeze,
    verify,
    matrix,
    android,
    drop,
    sign,
    toolchains,
    image,
    inspect,
    diff,
    gitdiff,
    explore,
    doctor,
    clean,
    lock,
    schema,
    errors,
    test,
    check,
    fmt,
    bench,
    fuzz,
)
